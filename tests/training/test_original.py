"""Public data sets are read in the layout that they are published in, and nothing else is."""

import hashlib
import pickle
import tarfile
from dataclasses import replace

import numpy as np
import pytest

from equinox.training import fetch as fetching
from equinox.training.datasets import load_images, load_text
from equinox.training.imagenet import read_middle, read_random_part
from equinox.training.layouts import LAYOUTS, Download, describe_missing
from tests.training.miniatures import make_cifar100, make_imagenet, make_ptb, make_svhn


def test_cifar_has_its_fine_labels_and_planes_of_color(tmp_path):
    make_cifar100(tmp_path)
    images = load_images("cifar100", "test", size=None, data_dir=str(tmp_path))
    content = pickle.loads((tmp_path / "cifar-100-python/test").read_bytes())
    assert images.classes == 100
    assert images.labels.tolist() == content[b"fine_labels"]
    assert np.array_equal(images.pixels[3, 2, 5], content[b"data"][3, 2048 + 160 : 2048 + 192])


def test_a_pickle_that_calls_something_is_refused_and_not_run(tmp_path):
    make_cifar100(tmp_path)

    class Harmful:
        def __reduce__(self):
            return (open, (str(tmp_path / "harm"), "w"))

    (tmp_path / "cifar-100-python/train").write_bytes(pickle.dumps({b"data": Harmful()}))
    with pytest.raises(ValueError, match="io.open, which data do not need"):
        load_images("cifar100", "train", size=None, data_dir=str(tmp_path))
    assert not (tmp_path / "harm").exists()


def test_in_svhn_ten_is_the_digit_zero(tmp_path):
    make_svhn(tmp_path, images=10)
    images = load_images("svhn", "train", size=None, data_dir=str(tmp_path))
    assert images.labels.tolist() == [1, 2, 3, 4, 5, 6, 7, 8, 9, 0]
    assert images.pixels.shape == (10, 3, 32, 32)


def test_penn_treebank_has_ends_of_sentences(tmp_path):
    make_ptb(tmp_path)
    text = load_text("ptb", train_size=None, valid_size=None, vocabulary=30, data_dir=str(tmp_path))
    assert len(text.train) == 30 * 12  # 9 words, <unk>, N and the end


def test_photographs_are_cut_to_what_a_network_sees(tmp_path):
    make_imagenet(tmp_path)
    path = next((tmp_path / "imagenet/train").rglob("*.JPEG"))
    first, again, other = (read_random_part(path, seed) for seed in (1, 1, 2))
    assert first.shape == read_middle(path).shape == (224, 224, 3)
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


@pytest.mark.parametrize("dataset", LAYOUTS)
def test_missing_data_are_told_with_folder_and_layout(tmp_path, dataset):
    message = describe_missing([dataset], str(tmp_path))
    assert str(tmp_path / LAYOUTS[dataset].folder) in message
    assert LAYOUTS[dataset].description in message
    assert "data_dir is not set" in describe_missing([dataset], None)
    assert describe_missing([], None) is None


@pytest.mark.parametrize("dataset", ["cifar100", "svhn"])
def test_a_damaged_file_is_an_error_that_names_it(tmp_path, dataset):
    {"cifar100": make_cifar100, "svhn": make_svhn}[dataset](tmp_path)
    path = tmp_path / LAYOUTS[dataset].folder / LAYOUTS[dataset].files[0]
    path.write_bytes(path.read_bytes()[:50])
    with pytest.raises(ValueError, match=path.name):
        load_images(dataset, "train", size=None, data_dir=str(tmp_path))


@pytest.fixture
def published(tmp_path, monkeypatch):
    """Two layouts whose downloads are local files; return the folder of data to fetch into."""
    source = tmp_path / "source"
    source.mkdir()
    make_cifar100(source)
    make_svhn(source)
    archive = source / "cifar.tar.gz"
    with tarfile.open(archive, "w:gz") as tar:
        tar.add(source / "cifar-100-python", "cifar-100-python")

    def download(path, is_tar=False):
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        return Download(url=path.as_uri(), algorithm="sha256", digest=digest, is_tar=is_tar)

    mats = tuple(download(source / "svhn" / name) for name in LAYOUTS["svhn"].files)
    layouts = {
        **LAYOUTS,
        "cifar100": replace(LAYOUTS["cifar100"], downloads=(download(archive, is_tar=True),)),
        "svhn": replace(LAYOUTS["svhn"], downloads=mats),
    }
    monkeypatch.setattr(fetching, "LAYOUTS", layouts)
    data = tmp_path / "data"
    data.mkdir()
    return data


@pytest.mark.parametrize("dataset", ["cifar100", "svhn"])
def test_public_data_are_fetched_into_their_layout(published, dataset):
    fetching.fetch(dataset, published)
    assert describe_missing([dataset], str(published)) is None
    assert len(load_images(dataset, "test", size=None, data_dir=str(published)).labels) == 4
    assert {path.name for path in published.iterdir()} == {LAYOUTS[dataset].folder}


def test_a_file_with_another_digest_is_not_kept(published, monkeypatch):
    (first, second) = fetching.LAYOUTS["svhn"].downloads
    wrong = replace(fetching.LAYOUTS["svhn"], downloads=(first, replace(second, digest="0" * 64)))
    monkeypatch.setattr(fetching, "LAYOUTS", {**fetching.LAYOUTS, "svhn": wrong})
    with pytest.raises(ValueError, match="test_32x32.mat has the sha256 .*, not 000"):
        fetching.fetch("svhn", published)
    assert [path.name for path in (published / "svhn").iterdir()] == ["train_32x32.mat"]


def test_what_is_not_public_is_not_fetched(tmp_path):
    with pytest.raises(ValueError, match="imagenet cannot be fetched; get it from"):
        fetching.fetch("imagenet", tmp_path)
