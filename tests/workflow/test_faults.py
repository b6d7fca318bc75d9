"""What was finished is kept, the message names cause and remedy, a rerun gives the same bytes."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from tests.workflow.conftest import snakemake

pytestmark = [
    pytest.mark.workflow,
    pytest.mark.xdist_group("smoke"),
    pytest.mark.skipif(not os.environ.get("EQUINOX_LONG"), reason="long; EQUINOX_LONG=1 runs it"),
]

RESULTS = Path("results/smoke")


@pytest.fixture
def run(made: Path, tmp_path: Path) -> Path:
    """A copy of a finished run, to be damaged."""
    return Path(shutil.copytree(made, tmp_path / "run", symlinks=True))


def tables(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in (folder / RESULTS / "tables").iterdir()}


def lose(folder: Path, *patterns: str) -> None:
    """Remove results, so that they are to be made again."""
    found = [path for pattern in patterns for path in (folder / RESULTS).glob(pattern)]
    assert found
    for path in found:
        path.unlink()


def start(folder: Path, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [Path(sys.executable).with_name("snakemake"), *arguments, "--config", "scale=smoke"],
        cwd=folder,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )


def job_of(process: subprocess.Popen[str], module: str) -> psutil.Process:
    """Return the first job of a running snakemake that runs `module`, as soon as there is one."""
    for _ in range(600):
        for child in psutil.Process(process.pid).children(recursive=True):
            try:
                command = child.cmdline()
            except psutil.Error:
                continue
            if module in command and "python" in Path(command[0]).name:
                return child
        time.sleep(0.1)
    raise AssertionError(f"no job of {module}")


def test_a_killed_job_leaves_the_others_and_is_made_again(made, run):
    lose(run, "runs/mlp/*.parquet", "tables/accuracy.parquet")
    process = start(run, "accuracy", "--cores", "1")
    job_of(process, "equinox.training").kill()
    told, _ = process.communicate(timeout=300)
    assert process.returncode != 0
    assert "(rule train) failed" in told
    kept = {path: path.stat().st_mtime_ns for path in (run / RESULTS).glob("runs/*/*.parquet")}
    assert len(kept) == len(list((made / RESULTS).glob("runs/*/*.parquet"))) - 1
    assert snakemake(run, "accuracy").returncode == 0
    assert tables(run) == tables(made)
    assert all(path.stat().st_mtime_ns == before for path, before in kept.items())


def test_a_killed_snakemake_says_how_to_go_on(made, run):
    lose(run, "runs/mlp/*.parquet", "tables/accuracy.parquet")
    process = start(run, "accuracy", "--cores", "1")
    job = job_of(process, "equinox.training")
    process.kill()
    process.communicate()
    refused = snakemake(run, "accuracy")
    assert refused.returncode != 0
    assert "--unlock" in refused.stdout
    psutil.wait_procs([job], timeout=120)
    assert snakemake(run, "--unlock").returncode == 0
    done = snakemake(run, "accuracy")
    assert done.returncode == 0, done.stdout
    assert tables(run) == tables(made)


def test_a_terminated_snakemake_leaves_no_lock(made, run):
    lose(run, "runs/mlp/*.parquet", "tables/accuracy.parquet")
    process = start(run, "accuracy", "--cores", "1")
    job_of(process, "equinox.training")
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=300)
    done = snakemake(run, "accuracy")
    assert done.returncode == 0, done.stdout
    assert tables(run) == tables(made)


def test_a_second_snakemake_in_the_folder_is_refused_and_harms_nothing(made, run):
    lose(run, "runs/mlp/*.parquet", "tables/accuracy.parquet")
    first = start(run, "accuracy", "--cores", "1")
    job_of(first, "equinox.training")
    second = snakemake(run, "accuracy")
    first.communicate(timeout=300)
    assert second.returncode != 0
    assert "no other Snakemake process" in second.stdout
    assert first.returncode == 0
    assert tables(run) == tables(made)


@pytest.mark.parametrize("damage", ["cut", "edited", "empty"])
def test_a_damaged_table_is_refused_and_made_again_when_deleted(made, run, damage):
    lose(run, "tables/fleet.parquet")
    table = run / RESULTS / "tables/colocation.parquet"
    match damage:
        case "cut":
            os.truncate(table, 3000)
        case "edited":
            edit = "import sys, pandas; p = sys.argv[1]; pandas.read_parquet(p).to_parquet(p)"
            subprocess.run([sys.executable, "-c", edit, table], check=True)
        case "empty":
            os.truncate(table, 0)
    refused = snakemake(run, "fleet")
    assert refused.returncode != 0
    assert "delete it and run snakemake again" in refused.stdout
    assert "Traceback" not in refused.stdout
    table.unlink()
    assert snakemake(run, "fleet").returncode == 0
    assert tables(run) == tables(made)


@pytest.mark.parametrize("damage", ["missing", "half"])
def test_missing_or_half_copied_data_are_named(run, damage):
    lose(run, "runs/mlp/fp32.parquet", "tables/accuracy.parquet")
    data = run / "equinox/training/data/fashion_mnist/train-images-idx3-ubyte.xz"
    if damage == "missing":
        data.unlink()
    else:
        os.truncate(data, 100_000)
    refused = snakemake(run, "accuracy")
    assert refused.returncode != 0
    assert data.name in refused.stdout
    assert "Traceback" not in refused.stdout


def test_clocks_that_jump_make_nothing_again(run):
    files = [path for path in run.rglob("*") if path.is_file() and ".snakemake" not in path.parts]
    for moment in (0, time.time() + 10 * 365 * 86400):
        for path in files:
            os.utime(path, (moment, moment))
        done = snakemake(run, "--dry-run")
        assert "Nothing to be done" in done.stdout, done.stdout


def test_a_lost_record_of_snakemake_loses_no_result(made, run):
    shutil.rmtree(run / ".snakemake")
    done = snakemake(run)
    assert done.returncode == 0
    assert tables(run) == tables(made)


def test_what_a_killed_write_left_behind_is_not_read(made, run):
    lose(run, "tables/fleet.parquet")
    (run / RESULTS / "tables/.fleet.parquet.partial").write_bytes(b"half a file")
    assert snakemake(run, "fleet").returncode == 0
    assert tables(run) == tables(made)


def test_a_limit_on_the_size_of_files_is_named(made, tmp_path):
    source = made / RESULTS / "tables/design_space.parquet"
    script = f'ulimit -f 4; exec "{sys.executable}" -m equinox.design_space pareto "$@"'
    command = ["bash", "-c", script, "pareto", "--design-space", source]
    command += ["--output", tmp_path / "pareto.parquet"]
    done = subprocess.run(command, cwd=made, text=True, capture_output=True, check=False)
    assert done.returncode == 1
    assert "pareto.parquet cannot be written: " in done.stderr
    assert "ulimit -f" in done.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def mounted() -> Iterator[Callable[..., None]]:
    """Mount something for a while; as root only."""
    if os.geteuid() != 0:
        pytest.skip("only root can mount a full or read-only file system")
    points: list[Path] = []

    def mount(*arguments: str | Path, at: Path) -> None:
        done = subprocess.run(["mount", *arguments, at], capture_output=True, check=False)
        if done.returncode != 0:
            pytest.skip(f"this machine mounts nothing: {done.stderr.decode()}")
        if at not in points:
            points.append(at)

    yield mount
    for point in points:
        subprocess.run(["umount", "--lazy", point], check=False)


def test_a_full_disk_is_named_and_a_rerun_with_space_completes(made, run, mounted):
    lose(run, "tables/pareto.parquet", "tables/design_space.parquet")
    kept = tables(run)
    folder = run / RESULTS / "tables"
    aside = folder.with_name("aside")
    shutil.copytree(folder, aside)
    size = sum(path.stat().st_size for path in folder.iterdir()) + 60_000
    mounted("-t", "tmpfs", "-o", f"size={size}", "none", at=folder)
    shutil.copytree(aside, folder, dirs_exist_ok=True)
    refused = snakemake(run, "pareto")
    assert refused.returncode != 0
    assert "design_space.parquet cannot be written" in refused.stdout
    assert "free some space" in refused.stdout
    assert tables(run) == kept
    mounted("-o", "remount,size=50m", at=folder)
    assert snakemake(run, "pareto").returncode == 0
    assert tables(run) == tables(made)


def test_a_read_only_folder_is_named(run, mounted):
    mounted("--bind", run, at=run)
    mounted("-o", "remount,bind,ro", at=run)
    refused = snakemake(run)
    assert refused.returncode != 0
    assert "is read-only; run in a folder that you may write to" in refused.stdout


@pytest.mark.parametrize(
    ("path", "content", "words"),
    [
        ("config/config.yaml", b"a: [1\n", "config.yaml is not YAML"),
        ("config/config.yaml", b"scale: \xff\xfe\n", "config.yaml"),
        ("config/config.yaml", b"- 1\n", "write keys and values"),
        ("config/technology/28nm.yaml", b"constants: {\n", "28nm.yaml"),
        ("config/technology/28nm.yaml", b"constants: {}\n", "28nm.yaml"),
        ("config/workloads/lstm_2048_25.yaml", b"layers: 3\n", "lstm_2048_25.yaml"),
        ("config/published.yaml", b"published: 1\n", "published.yaml"),
    ],
)
def test_a_broken_file_of_the_product_is_named(run, path, content, words):
    (run / path).write_bytes(content)
    refused = snakemake(run, "claims")
    assert refused.returncode != 0
    assert words in refused.stdout
    assert "Traceback" not in refused.stdout
