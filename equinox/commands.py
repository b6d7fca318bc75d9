"""How a job ends when something is wrong: with its message, not with a traceback."""

import errno
import os
import sys
from collections.abc import Callable

TRACEBACK = "EQUINOX_TRACEBACK"
_REMEDIES = {
    errno.ENOSPC: "free some space, then run snakemake again: what is finished is kept",
    errno.EDQUOT: "free some of your quota, then run snakemake again: what is finished is kept",
    errno.EFBIG: "raise the limit on file sizes (ulimit -f), then run snakemake again",
    errno.EROFS: "make the folder writable, or run in another one",
    errno.EACCES: "make it accessible to you, or run in another folder",
    errno.EIO: "look at the disk, then run snakemake again",
}


def run(main: Callable[[], None]) -> None:
    """Call `main`; an error that a user can act on ends the process with its message and code 1.

    Those are ValueError, OSError and MemoryError. With EQUINOX_TRACEBACK=1 in the environment they
    are raised as they are.
    """
    try:
        main()
    except (ValueError, OSError, MemoryError) as error:
        if os.environ.get(TRACEBACK):
            raise
        sys.exit(f"error: {explain(error)} ({TRACEBACK}=1 shows where)")


def explain(error: BaseException) -> str:
    """Return the cause of `error` and its remedy in one line."""
    if isinstance(error, MemoryError):
        return (
            f"out of memory ({error or 'no more can be had'}); give the job more (mem_mb, or fewer "
            "jobs at once with --cores), then run snakemake again: what is finished is kept"
        )
    if isinstance(error, OSError) and error.errno in _REMEDIES:
        return f"{error}; {_REMEDIES[error.errno]}"
    return str(error)
