import io
import logging
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
import torch

from equinox.config.training import Boost, TrainingJob
from equinox.tables import check_table
from equinox.training import checkpoints, loop
from equinox.training.checkpoints import checkpoints_of
from equinox.training.run import Run


@pytest.fixture
def make_job(data_dir, make_task):
    def make(encoding="fp32", seeds=(0,), task=None, definition=None, boost=None, **changes):
        return TrainingJob(
            name="tiny",
            task=task or make_task(**changes),
            encoding=encoding,
            definition=definition,
            boost=boost,
            seeds=seeds,
            data_dir=str(data_dir),
        )

    return make


def parquet_bytes(frame: pd.DataFrame) -> bytes:
    buffer = io.BytesIO()
    frame.to_parquet(buffer)
    return buffer.getvalue()


@pytest.mark.parametrize("encoding", ["fp32", "hbfp8_16", "bfp8"])
@pytest.mark.parametrize("model", ["mlp", "resnet8", "wide_resnet", "densenet"])
def test_images_are_learnt_in_any_encoding(make_job, model, encoding):
    rows = loop.train(make_job(encoding, model=model, epochs=6, width=8, depth=10))
    assert rows["metric"].unique().tolist() == ["error"]
    assert rows["value"].iloc[-1] < 0.25  # chance is 0.75
    assert rows["train_loss"].iloc[-1] < rows["train_loss"].iloc[0]


@pytest.mark.parametrize("encoding", ["fp32", "hbfp8_16"])
@pytest.mark.parametrize("model", ["lstm", "transformer"])
def test_text_is_learnt(make_job, text_task_of, model, encoding):
    rows = loop.train(make_job(encoding, task=replace(text_task_of(model), epochs=10)))
    assert rows["metric"].unique().tolist() == ["perplexity"]
    assert rows["value"].iloc[-1] < 3  # chance is 6


def test_rows_fit_the_table(make_job):
    job = make_job("hbfp8_16", seeds=(3, 1), epochs=2)
    rows = check_table(loop.train(job), "accuracy")
    assert list(zip(rows["seed"], rows["epoch"], strict=True)) == [(1, 1), (1, 2), (3, 1), (3, 2)]
    assert rows["status"].unique().tolist() == ["ok"]
    assert rows["dataset"].unique().tolist() == ["stripes"]


@pytest.mark.parametrize("kind", ["images", "text"])
def test_the_same_job_gives_the_same_bytes(make_job, text_task, kind):
    job = make_job(
        "stochastic",
        task=text_task if kind == "text" else None,
        definition={
            "base": "hbfp4_16",
            "gradient_rounding": "stochastic",
            "storage_rounding": "stochastic",
        },
        augment=True,
    )
    first = loop.train(job)
    torch.rand(3)  # whatever else draws from PyTorch's own generator
    assert parquet_bytes(loop.train(job)) == parquet_bytes(first)


def test_training_leaves_the_global_generator_alone(make_job):
    torch.manual_seed(0)
    expected = torch.rand(3)
    torch.manual_seed(0)
    loop.train(make_job(epochs=1))
    assert torch.equal(torch.rand(3), expected)


def test_seeds_differ_and_do_not_depend_on_each_other(make_job):
    both = loop.train(make_job(seeds=(0, 1), epochs=1))
    alone = loop.train(make_job(seeds=(1,), epochs=1))
    assert both["train_loss"].nunique() == 2
    pd.testing.assert_frame_equal(both[both["seed"] == 1].reset_index(drop=True), alone)


def test_a_wide_mantissa_trains_as_fp32_does(make_job):
    # 24 bits in blocks hardly round, so that order, weights and augmentation must be the same.
    wide = {"base": "hbfp8_16", "mantissa_bits": 24, "storage_bits": 32}
    fp32 = loop.train(make_job("fp32", augment=True))
    almost = loop.train(make_job("wide", definition=wide, augment=True))
    assert almost["train_loss"].to_numpy() == pytest.approx(fp32["train_loss"].to_numpy(), rel=1e-3)


def test_narrow_mantissas_harm(make_job):
    fp32 = loop.train(make_job("fp32"))
    narrow = loop.train(make_job("narrow", definition={"base": "hbfp8_16", "mantissa_bits": 2}))
    assert narrow["train_loss"].iloc[-1] > 1.2 * fp32["train_loss"].iloc[-1]


def test_a_boost_changes_the_encoding_of_the_last_epochs_only(make_job):
    boost = Boost(first="hbfp4_16", last="hbfp8_16", last_epochs=2)
    boosted = loop.train(make_job("boosted", boost=boost, epochs=4))
    # Another name is another stream of stochastic rounding: compare with an equal schedule.
    plain = loop.train(make_job("boosted", boost=replace(boost, last="hbfp4_16"), epochs=4))
    same = boosted["train_loss"].to_numpy() == plain["train_loss"].to_numpy()
    assert same.tolist() == [True, True, False, False]
    assert set(boosted["mantissa_bits"]) == {4}
    assert set(boosted["encoding"]) == {"boosted"}


def test_a_diverging_run_is_recorded_as_such(make_job):
    rows = check_table(loop.train(make_job(learning_rate=1e30)), "accuracy")
    assert rows["status"].tolist() == ["diverged"] * 3
    assert rows["value"].isna().all()
    assert rows["train_loss"].isna().all()
    assert rows["epoch"].tolist() == [1, 2, 3]


def interrupt(monkeypatch, seed: int, epoch: int) -> None:
    """Let training of `seed` end by an error in an epoch, once."""
    train_epoch = loop._train_epoch
    started: list[int] = []

    def interrupted(run, job, problem, number, team, autocast):
        started.append(number)
        if started.count(0) == seed + 1 and number + 1 == epoch:
            monkeypatch.setattr(loop, "_train_epoch", train_epoch)
            raise KeyboardInterrupt
        return train_epoch(run, job, problem, number, team, autocast)

    monkeypatch.setattr(loop, "_train_epoch", interrupted)


#: What has a state of its own: momentum, moments, stochastic rounding of operands and of stored
#: weights, dropout, augmentation, the running means of norms, averaged weights.
RESUMED = {
    "dropout": {"model": "densenet", "depth": 7, "width": 4, "dropout": 0.2, "train_size": 64},
    "rounding": {"model": "resnet8", "width": 4, "augment": True, "train_size": 64},
    "text": {},
}
ROUNDED = {"base": "hbfp6_16", "rounding": "stochastic", "storage_rounding": "stochastic"}


@pytest.mark.parametrize("kind", RESUMED)
def test_an_interrupted_job_resumes_after_its_last_epoch_bit_for_bit(
    make_job, text_task, tmp_path, monkeypatch, caplog, kind
):
    task = text_task if kind == "text" else None
    changes = {} if kind == "dropout" else {"definition": ROUNDED}
    encoding = "rounded" if changes else "fp32"
    job = make_job(encoding, seeds=(0, 1), task=task, **changes, **RESUMED[kind])
    expected = loop.train(job)
    interrupt(monkeypatch, seed=1, epoch=3)
    with pytest.raises(KeyboardInterrupt):
        loop.train(job, checkpoints=checkpoints_of(job, tmp_path))
    with caplog.at_level(logging.INFO, logger="equinox.training.progress"):
        rows = loop.train(job, checkpoints=checkpoints_of(job, tmp_path))
    lines = [record.getMessage() for record in caplog.records]
    assert lines[0].endswith("seed 0: was finished before")
    assert lines[1].endswith("seed 1: resumes after epoch 2/3")
    assert lines[2].endswith(", 0 s left")
    assert parquet_bytes(rows) == parquet_bytes(expected)


def test_averaged_weights_resume_too(make_job, awd_task, tmp_path, monkeypatch):
    job = make_job("rounded", task=awd_task, definition=ROUNDED)
    starts = []
    begin = Run.begin_average
    monkeypatch.setattr(
        Run, "begin_average", lambda run: starts.append(len(run.epochs)) or begin(run)
    )
    expected = loop.train(job)
    assert len(starts) == 1
    assert starts[0] < awd_task.epochs - 2  # averaging has begun before the break
    interrupt(monkeypatch, seed=0, epoch=awd_task.epochs)
    with pytest.raises(KeyboardInterrupt):
        loop.train(job, checkpoints=checkpoints_of(job, tmp_path))
    rows = loop.train(job, checkpoints=checkpoints_of(job, tmp_path))
    assert parquet_bytes(rows) == parquet_bytes(expected)


def test_another_job_does_not_find_what_was_kept(make_job, tmp_path, monkeypatch):
    job, other = make_job(), make_job(learning_rate=0.01)
    interrupt(monkeypatch, seed=0, epoch=2)
    with pytest.raises(KeyboardInterrupt):
        loop.train(job, checkpoints=checkpoints_of(job, tmp_path))
    assert checkpoints_of(job, tmp_path).read_state(0) is not None
    assert checkpoints_of(other, tmp_path).read_state(0) is None
    monkeypatch.setattr(checkpoints, "_sources", lambda: [Path(__file__)])
    assert checkpoints_of(job, tmp_path).read_state(0) is None


def test_a_damaged_checkpoint_is_an_error_that_names_it(make_job, tmp_path):
    job = make_job(epochs=1)
    kept = checkpoints_of(job, tmp_path)
    kept.write_state(0, {"epochs": []})
    (path,) = tmp_path.glob("*.pt")
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(ValueError, match=f"{path.name} is damaged.*remove it"):
        loop.train(job, checkpoints=kept)


def test_workers_in_turns_learn_as_one_with_a_large_batch(make_job):
    one = loop.train(make_job(batch_size=32))
    four = loop.train(make_job(batch_size=8, workers=4))
    assert four["train_loss"].to_numpy() == pytest.approx(one["train_loss"].to_numpy(), rel=1e-5)


def test_autocast_serves_bf16_alone(make_job):
    plain = loop.train(make_job("bf16", epochs=1))
    cast = loop.train(replace(make_job("bf16", epochs=1), autocast=True))
    assert cast["train_loss"].iloc[0] != plain["train_loss"].iloc[0]
    assert cast["train_loss"].iloc[0] == pytest.approx(plain["train_loss"].iloc[0], rel=0.02)
    for encoding in ("fp32", "hbfp8_16"):
        job = make_job(encoding, epochs=1)
        assert parquet_bytes(loop.train(replace(job, autocast=True))) == parquet_bytes(
            loop.train(job)
        )


def test_each_epoch_is_logged_in_a_line(make_job, caplog):
    with caplog.at_level(logging.INFO, logger="equinox.training.progress"):
        loop.train(make_job(seeds=(0, 1), epochs=2))
    lines = [record.getMessage() for record in caplog.records]
    assert len(lines) == 4
    assert lines[2].startswith("train tiny fp32 seed 1: epoch 1/2, loss ")
    assert "samples/s" in lines[2]
    assert "s/epoch" in lines[2]
    assert lines[3].endswith(", 0 s left")


def test_an_unknown_model_or_encoding_is_an_error(make_job):
    with pytest.raises(ValueError, match="no model 'vgg'; known are mlp, resnet8, wide_resnet"):
        loop.train(make_job(model="vgg"))
    with pytest.raises(ValueError, match="no encoding 'fp99'"):
        loop.train(make_job("fp99"))


def test_fewer_images_than_a_batch_are_an_error(make_job):
    with pytest.raises(ValueError, match="train_size is 8, less than one batch of 16"):
        loop.train(make_job(train_size=8))


def test_each_epoch_is_a_row_of_the_csv_that_goes_on_after_a_break(make_job, tmp_path):
    job, path = make_job(seeds=(0, 1), epochs=2), tmp_path / "logs" / "tiny.csv"
    path.parent.mkdir()
    path.write_text("of another job\n")
    kept = checkpoints_of(job, tmp_path)
    kept.write_rows(0, loop.train(make_job(epochs=2), curve=path))
    rows = loop.train(job, checkpoints=kept, curve=path)
    found = pd.read_csv(path)
    assert found["seed"].tolist() == [0, 0, 1, 1]
    assert found["error"].tolist() == rows["value"].tolist()
    assert found["train_loss"].tolist() == pytest.approx(rows["train_loss"].tolist())
    assert (found["samples_per_s"] > 0).all()
