"""Small data in the layout of the real ones."""

import gzip
import lzma
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from equinox.config.training import Awd, Task


def idx_bytes(values: np.ndarray) -> bytes:
    sizes = b"".join(size.to_bytes(4, "big") for size in values.shape)
    return bytes([0, 0, 8, values.ndim]) + sizes + values.astype(np.uint8).tobytes()


def stripes(labels: np.ndarray) -> np.ndarray:
    """Images 8x8 with a bright row that tells the class, in noise."""
    images = np.random.default_rng(len(labels)).integers(0, 100, (len(labels), 8, 8))
    images[np.arange(len(labels)), labels] += 100
    return images


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    """A folder with images `stripes` of 4 classes and text `songs`, packed differently."""
    images = tmp_path / "stripes"
    images.mkdir()
    random = np.random.default_rng(0)
    train, test = random.integers(0, 4, 400), random.permutation(np.arange(80) % 4)
    (images / "train-labels-idx1-ubyte").write_bytes(idx_bytes(train))
    (images / "train-images-idx3-ubyte.xz").write_bytes(lzma.compress(idx_bytes(stripes(train))))
    (images / "t10k-labels-idx1-ubyte.gz").write_bytes(gzip.compress(idx_bytes(test)))
    (images / "t10k-images-idx3-ubyte").write_bytes(idx_bytes(stripes(test)))
    songs = tmp_path / "songs"
    songs.mkdir()
    (songs / "train.txt").write_text("la li lu la\n\nli lu <unk> ho\n" * 100)
    (songs / "valid.txt.gz").write_bytes(gzip.compress(b"la li lu la\nli lu he ho\n" * 50))
    return tmp_path


@pytest.fixture
def make_task() -> Callable[..., Task]:
    """A task on `stripes`, quick to train, with some fields changed."""

    def make(**changes: object) -> Task:
        fields = {
            "model": "mlp",
            "dataset": "stripes",
            "train_size": 320,
            "test_size": 80,
            "epochs": 3,
            "batch_size": 16,
            "optimizer": "sgd",
            "learning_rate": 0.05,
            "width": 16,
        }
        return Task(**{**fields, **changes})

    return make


@pytest.fixture
def text_task(make_task: Callable[..., Task]) -> Task:
    """A language model on `songs`, quick to train."""
    return make_task(
        model="lstm",
        dataset="songs",
        train_size=900,
        test_size=400,
        optimizer="adam",
        batch_size=4,
        sequence_length=10,
        vocabulary=6,
        learning_rate=0.02,
        dropout=0.1,
        clip_norm=1.0,
    )


@pytest.fixture
def text_task_of(text_task: Task) -> Callable[[str], Task]:
    """`text_task` with another model."""
    return lambda model: replace(text_task, model=model, depth=2, heads=2)


@pytest.fixture
def awd_task(text_task: Task) -> Task:
    """An AWD-LSTM on `songs` that learns too fast, so that its weights are soon averaged."""
    awd = Awd(
        embedding=8,
        dropout_embedding=0.1,
        dropout_input=0.2,
        dropout_hidden=0.2,
        dropout_weight=0.3,
        activation_penalty=2.0,
        slowness_penalty=1.0,
        averaging_patience=1,
        test_batch_size=2,
    )
    return replace(
        text_task, model="awd_lstm", optimizer="sgd", momentum=0.0, schedule="constant",
        learning_rate=5.0, depth=2, width=12, epochs=8, awd=awd,
    )  # fmt: skip
