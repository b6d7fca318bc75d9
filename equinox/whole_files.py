"""Files that are there as a whole or not at all, whatever happens while they are written."""

import glob
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


@contextmanager
def written_whole(path: str | Path) -> Iterator[Path]:
    """Yield where to write what `path` shall hold; it takes the place of `path` in the end.

    That is a file of this process alone, so that of two that write `path` at once the last one to
    end decides, with the whole of what it wrote. What a process left that was killed is removed by
    the next one on the same machine.

    Raises:
        OSError: it cannot be written; the message has `path`, and what was there stays.
    """
    path = Path(path)
    partial = _partial(path, os.getpid())
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _remove_left(path)
        yield partial
        with partial.open("rb") as file:
            os.fsync(file.fileno())
        os.replace(partial, path)
    except OSError as error:
        raise OSError(error.errno, f"{path} cannot be written: {error.strerror}") from error
    finally:
        if partial.exists():
            partial.unlink()


def _partial(path: Path, process: int | str) -> Path:
    return path.with_name(f".{path.name}.{socket.gethostname()}.{process}.partial")


def _remove_left(path: Path) -> None:
    """Remove what processes of this machine that are no more began to write for `path`."""
    for left in path.parent.glob(_partial(Path(glob.escape(path.name)), "*").name):
        process = left.name.split(".")[-2]
        if process.isdecimal() and not _is_alive(int(process)):
            with suppress(OSError):  # another user's, in a folder where only they may
                left.unlink()


def _is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)  # signal 0 asks, and does nothing
    except ProcessLookupError:
        return False
    except PermissionError:
        return True  # another user's
    return True
