import gzip
import hashlib
import shutil

import numpy as np
import pytest
import yaml

from equinox.training import files
from equinox.training.datasets import load_images, load_text
from tests.training.conftest import idx_bytes, stripes


@pytest.mark.parametrize("folder", sorted(files.SHIPPED.iterdir()), ids=lambda path: path.name)
def test_shipped_files_have_the_digests_that_their_source_says(folder):
    source = yaml.safe_load((folder / "source.yaml").read_text())
    found = {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.glob("*.xz")
    }
    assert found == source["files"]
    assert source["license"]
    assert source["origin"]


def test_shipped_images_are_balanced():
    train = load_images("fashion_mnist", "train", size=20_000)
    test = load_images("fashion_mnist", "test", size=10_000)
    assert train.pixels.shape == (20_000, 1, 28, 28)
    assert np.bincount(train.labels).tolist() == [2000] * 10
    assert np.bincount(test.labels).tolist() == [1000] * 10


def test_a_part_of_the_images_is_balanced_and_in_their_order():
    part = load_images("fashion_mnist", "test", size=103)
    assert np.bincount(part.labels).tolist() == [11, 11, 11, 10, 10, 10, 10, 10, 10, 10]
    everything = load_images("fashion_mnist", "test", size=10_000)
    rows = [  # the first 11 or 10 of each class, wherever they are
        row
        for row, label in enumerate(everything.labels)
        if np.count_nonzero(everything.labels[:row] == label) < (11 if label < 3 else 10)
    ]
    assert np.array_equal(part.labels, everything.labels[rows])
    assert np.array_equal(part.pixels, everything.pixels[rows])


def test_shipped_text_is_in_words_and_numbers_are_one_word():
    text = files.read_file(files.SHIPPED / "sotu", "valid.txt").decode()
    words = set(text.split())
    assert {"the", "N", "'s", "congress"} <= words
    assert all(word == "N" or word == word.lower() for word in words)
    assert not any(character.isdigit() for word in words for character in word)


def test_files_may_be_plain_or_compressed(data_dir):
    train = load_images("stripes", "train", size=200, data_dir=str(data_dir))
    assert train.pixels.shape == (200, 1, 8, 8)
    assert train.classes == 4
    assert np.bincount(train.labels).tolist() == [50] * 4
    # The bright row tells the class, so that images and labels belong together.
    assert (train.pixels[:, 0, :4].mean(axis=2).argmax(axis=1) == train.labels).all()


def test_images_may_have_color(data_dir):
    labels = np.arange(40) % 4
    color = np.stack([stripes(labels), 0 * stripes(labels), stripes(labels)], axis=1)
    (data_dir / "stripes" / "t10k-labels-idx1-ubyte.gz").write_bytes(
        gzip.compress(idx_bytes(labels))
    )
    (data_dir / "stripes" / "t10k-images-idx3-ubyte").write_bytes(idx_bytes(color))
    assert np.array_equal(
        load_images("stripes", "test", size=40, data_dir=str(data_dir)).pixels, color
    )


def test_a_folder_of_the_user_takes_precedence(data_dir):
    shutil.copytree(data_dir / "stripes", data_dir / "fashion_mnist")
    assert load_images("fashion_mnist", "test", size=8, data_dir=str(data_dir)).classes == 4


def test_shipped_data_serve_where_the_user_has_none(data_dir):
    assert load_images("fashion_mnist", "test", size=10, data_dir=str(data_dir)).classes == 10


def test_words_get_numbers_by_frequency_and_rare_ones_share_zero(data_dir):
    text = load_text("songs", train_size=10, valid_size=10, vocabulary=4, data_dir=str(data_dir))
    # la li lu la <eos> li lu <unk> ho <eos>: <eos>, la, li and lu twice; the first three in
    # alphabetical order get 1, 2, 3, the others 0. Validation has he, also 0, in place of <unk>.
    assert text.train.tolist() == [2, 3, 0, 2, 1, 3, 0, 0, 0, 1]
    assert text.valid.tolist() == text.train.tolist()


def test_too_few_images_are_an_error_that_says_how_many(data_dir):
    with pytest.raises(ValueError, match=r"stripes \(test\) has 20 images of class 0.*take 21"):
        load_images("stripes", "test", size=81, data_dir=str(data_dir))


def test_too_few_words_are_an_error_that_says_how_many(data_dir):
    with pytest.raises(ValueError, match="has 1000 words.*not 1001"):
        load_text("songs", train_size=1001, valid_size=5, vocabulary=2, data_dir=str(data_dir))


def test_too_large_a_vocabulary_is_an_error(data_dir):
    with pytest.raises(ValueError, match="set vocabulary to 6 at most"):
        load_text("songs", train_size=1000, valid_size=5, vocabulary=7, data_dir=str(data_dir))


def test_a_damaged_shipped_file_is_an_error(tmp_path, monkeypatch):
    shutil.copytree(files.SHIPPED / "sotu", tmp_path / "sotu")
    monkeypatch.setattr(files, "SHIPPED", tmp_path)
    path = tmp_path / "sotu" / "valid.txt.xz"
    data = bytearray(path.read_bytes())
    data[1000] ^= 1
    path.write_bytes(data)
    with pytest.raises(ValueError, match="valid.txt.xz is damaged: its sha256"):
        load_text("sotu", train_size=5, valid_size=5, vocabulary=2)


@pytest.mark.parametrize("kept", [0, 3, 10, 100])
def test_a_truncated_file_of_the_user_is_an_error(data_dir, kept):
    for path in (data_dir / "stripes").glob("t10k*"):
        path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(ValueError, match="IDX layout|damaged|shape"):
        load_images("stripes", "test", size=80, data_dir=str(data_dir))


def test_missing_data_are_an_error_that_shows_the_layout(data_dir):
    with pytest.raises(ValueError, match="no data set 'imagenet'.*fashion_mnist, sotu"):
        load_images("imagenet", "train", size=1, data_dir=str(data_dir))
    with pytest.raises(ValueError, match="DATA_DIR/songs/train-images-idx3-ubyte"):
        load_images("songs", "train", size=1, data_dir=str(data_dir))
    with pytest.raises(ValueError, match="no folder"):
        load_images("songs", "train", size=1, data_dir=str(data_dir / "typo"))
