"""Files that are there as a whole or not at all, whatever happens while they are written."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def written_whole(path: str | Path) -> Iterator[Path]:
    """Yield where to write what `path` shall hold; it takes the place of `path` in the end.

    A process that is killed leaves a file of another name, which the next one overwrites.

    Raises:
        OSError: it cannot be written; the message has `path`, and what was there stays.
    """
    path = Path(path)
    partial = path.with_name(f".{path.name}.partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield partial
        with partial.open("rb") as file:
            os.fsync(file.fileno())
        os.replace(partial, path)
    except OSError as error:
        raise OSError(error.errno, f"{path} cannot be written: {error.strerror}") from error
    finally:
        if partial.exists():
            partial.unlink()
