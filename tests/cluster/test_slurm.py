"""The whole graph on a real Slurm gives the bytes of a local run, whatever is killed."""

import os
import re
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

from tests.workflow.conftest import RESULTS, start, tables
from tests.workflow.test_resume import is_ready

SCRIPT = Path(__file__).with_name("slurm.sh")
PROFILE = ("--workflow-profile", "profiles/sbatch", "--cores", "2", "--latency-wait", "5")
SOON = ("--seconds-between-status-checks", "1")

provoked = pytest.mark.skipif(
    not os.environ.get("EQUINOX_LONG"), reason="kills parts of Slurm; EQUINOX_LONG=1 runs it"
)

pytestmark = [pytest.mark.workflow, pytest.mark.xdist_group("smoke")]


@pytest.fixture(scope="module")
def slurm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The folder of a running Slurm, or a skip that says what is missing."""
    if os.geteuid() != 0 or shutil.which("slurmctld") is None:
        pytest.skip("needs root and Slurm; tests/cluster/slurm.sh install")
    folder = tmp_path_factory.mktemp("slurm")
    up = subprocess.run([SCRIPT, "up", folder], text=True, capture_output=True, check=False)
    if up.returncode == 3:
        pytest.skip(up.stderr)
    try:
        assert up.returncode == 0, up.stderr
        yield folder
    finally:
        subprocess.run([SCRIPT, "down", folder], check=True)


@dataclass(frozen=True, kw_only=True)
class Ended:
    """A run on Slurm that ended; what follows `told` is of one that met four faults."""

    folder: Path
    told: str
    survived: bool = False  # the job, the daemons that were killed
    before: str = ""  # what Slurm says of the training job that was killed,
    after: str = ""  # and of the one that was tried again, and requeued


@pytest.fixture(scope="module")
def ended(slurm: Path, made: Path, tmp_path_factory: pytest.TempPathFactory) -> Ended:
    """A run at scale smoke through sbatch, in another folder, timezone and locale.

    With EQUINOX_LONG=1 all is made, and faults are provoked; else tables and one figure.
    """
    folder = tmp_path_factory.mktemp("sbatch") / "elsewhere"
    leave = shutil.ignore_patterns("results", ".snakemake")
    shutil.copytree(made, folder, ignore=leave)
    targets = [str(RESULTS / "tables" / name) for name in tables(made)] + ["fig_pareto_front"]
    if os.environ.get("EQUINOX_LONG"):
        targets = []
    running = start(folder, *targets, *PROFILE, *SOON, TZ="Asia/Kathmandu", LC_ALL="C")
    try:
        if targets:
            told, _ = running.communicate(timeout=900)
            assert running.returncode == 0, told
            return Ended(folder=folder, told=told)
        first, number = training_job(running, folder)
        killed = first.cmdline()
        first.suspend()
        wait_until_saved(number, slurm)
        for daemon in ("slurmctld", "slurmd"):
            kill_and_restart(daemon, slurm)
        survived = first.is_running() and first.status() == psutil.STATUS_STOPPED
        before = told_of(number)
        first.kill()
        second, again = training_job(running, folder, killed, other_than=number)
        until(lambda: is_ready(second))
        subprocess.run(["scontrol", "requeue", again], check=True)
        told, _ = running.communicate(timeout=900)
        after = told_of(again)
    finally:
        running.kill()
    assert running.returncode == 0, told
    return Ended(folder=folder, told=told, survived=survived, before=before, after=after)


def until(happened: Callable[[], object]) -> None:
    deadline = time.monotonic() + 600
    while not happened():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def training_job(
    running: subprocess.Popen[str],
    folder: Path,
    command: Sequence[str] = (),
    *,
    other_than: str = "",
) -> tuple[psutil.Process, str]:
    """Return a process that trains in `folder`, and its Slurm job, as soon as there is one.

    `command`: with these arguments; `other_than`: a Slurm job whose processes are passed over.
    """
    found: list[tuple[psutil.Process, str]] = []

    def find() -> bool:
        assert running.poll() is None, running.communicate()[0]
        for process in psutil.process_iter():
            with suppress(psutil.Error):
                given = process.cmdline()
                if "equinox.training" not in given[:3] or process.cwd() != str(folder):
                    continue
                if not command or given == command:
                    found.append((process, process.environ()["SLURM_JOB_ID"]))
        found[:] = [(process, number) for process, number in found if number != other_than]
        return bool(found)

    until(find)
    return found[0]


def wait_until_saved(job: str, folder: Path) -> None:
    """Wait until Slurm's state on disk has this job as it is; one that is not in it runs twice."""
    state = folder / "state/job_state"
    begin = time.time()
    subprocess.run(["scontrol", "update", f"JobId={job}", "Comment=kept"], check=True)
    # A save that had begun before may end after.
    until(lambda: state.exists() and state.stat().st_mtime > begin)
    subprocess.run(["scontrol", "update", f"JobId={job}", "Comment=still kept"], check=True)
    begin = state.stat().st_mtime
    until(lambda: state.stat().st_mtime > begin)


def kill_and_restart(daemon: str, folder: Path) -> None:
    """Kill a daemon of Slurm with signal 9, and start it again as an administrator would."""
    ping = ["scontrol", "ping"]
    process = psutil.Process(int((folder / f"{daemon}.pid").read_text()))
    assert process.name() == daemon
    process.kill()
    until(lambda: not process.is_running() or process.status() == psutil.STATUS_ZOMBIE)
    subprocess.run([daemon], check=True)
    until(lambda: " is UP" in subprocess.run(ping, text=True, capture_output=True).stdout)


def told_of(number: str) -> str:
    """Return what Slurm says of a job."""
    return subprocess.check_output(["scontrol", "-o", "show", "job", number], text=True)


def test_every_table_on_slurm_has_the_bytes_of_the_local_run(made, ended):
    assert len(tables(made)) >= 9
    assert tables(ended.folder) == tables(made)


def test_figures_in_another_folder_timezone_and_locale_have_the_same_bytes(made, ended):
    drawn = sorted((ended.folder / RESULTS / "figures").iterdir())
    assert len(drawn) >= 4
    for path in drawn:
        assert path.read_bytes() == (made / RESULTS / "figures" / path.name).read_bytes(), path


def test_all_tables_and_figures_were_made_by_jobs_of_slurm(ended):
    logs = (ended.folder / "results/logs/sbatch").glob("*.log")
    calls = re.findall(r"--allowed-rules (.*?) --", "".join(path.read_text() for path in logs))
    made = {path.stem for path in (ended.folder / RESULTS).glob("tables/*")}
    rules = {"accuracy": "collect_accuracy", "design_space": "sweep"}
    expected = {rules.get(name, name) for name in made}
    expected |= {f"fig_{path.stem}" for path in (ended.folder / RESULTS).glob("figures/*")}
    assert len(expected) > 15
    assert expected | {"train", "simulate"} <= set(" ".join(calls).split())


@provoked
def test_a_job_survives_the_killing_of_both_daemons(ended):
    assert ended.survived
    assert "JobState=RUNNING" in ended.before


@provoked
def test_a_killed_job_is_tried_again_with_twice_the_memory_and_time(ended):
    def asked(told: str) -> tuple[float, int]:
        memory = re.search(r"MinMemoryNode=([\d.]+)([MG])", told)
        limit = re.search(r"TimeLimit=(\d+):(\d+):00", told)
        assert memory is not None
        assert limit is not None
        return float(memory[1]) * {"M": 1, "G": 1024}[memory[2]], 60 * int(limit[1]) + int(limit[2])

    (memory, limit), (more_memory, more_limit) = asked(ended.before), asked(ended.after)
    assert more_memory == pytest.approx(2 * memory, rel=0.01)
    assert more_limit == 2 * limit


@provoked
def test_a_requeued_job_begins_again_and_ends(ended):
    assert "Restarts=1" in ended.after
    assert "JobState=COMPLETED" in ended.after


def test_the_state_of_a_job_is_told_in_the_words_that_snakemake_knows(slurm, repository):
    status = repository / "profiles/sbatch/status.sh"

    def state_after(*command: str) -> str:
        job = subprocess.run(
            ["sbatch", "--parsable", "--wait", "--output=/dev/null", "--wrap", *command],
            text=True,
            capture_output=True,
            check=False,
        ).stdout.strip()
        return subprocess.run([status, job], text=True, capture_output=True).stdout.strip()

    assert state_after("true") == "success"
    assert state_after("false") == "failed"
    assert state_after("kill -9 $$") == "failed"
    unknown = subprocess.run([status, "99999"], text=True, capture_output=True, check=False)
    assert unknown.stdout.strip() == "failed"
