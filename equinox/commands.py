"""How a job ends when something is wrong: with its message, not with a traceback."""

import errno
import os
import re
import sys
from collections.abc import Callable

TRACEBACK = "EQUINOX_TRACEBACK"
_MORE = (
    "(--set-resources RULE:mem_mb=..., or fewer jobs at once with --cores), then run snakemake "
    "again: what is finished is kept"
)
#: What PyTorch, and threads of it, say in a RuntimeError.
_NO_MEMORY = re.compile("out of memory|can't allocate memory|can't start new thread", re.IGNORECASE)
_REMEDIES = {
    errno.ENOSPC: "free some space, then run snakemake again: what is finished is kept",
    errno.EDQUOT: "free some of your quota, then run snakemake again: what is finished is kept",
    errno.EFBIG: "raise the limit on file sizes (ulimit -f), then run snakemake again",
    errno.EROFS: "make the folder writable, or run in another one",
    errno.EACCES: "make it accessible to you, or run in another folder",
    errno.EIO: "look at the disk, then run snakemake again",
    errno.ENOTDIR: "remove the file that stands where a folder belongs",
    errno.ENOMEM: f"give it more {_MORE}",
}


def run(main: Callable[[], None]) -> None:
    """Call `main`; an error that a user can act on ends the process with its message and code 1.

    Those are ValueError, OSError and lack of memory. With EQUINOX_TRACEBACK=1 in the environment
    they are raised as they are.
    """
    try:
        main()
    except (ValueError, OSError, MemoryError, RuntimeError) as error:
        a_bug = isinstance(error, RuntimeError) and not _lacks_memory(error)
        if a_bug or os.environ.get(TRACEBACK):
            raise
        sys.exit(f"error: {explain(error)} ({TRACEBACK}=1 shows where)")


def explain(error: BaseException) -> str:
    """Return the cause of `error` and its remedy in one line."""
    if _lacks_memory(error):
        cause = str(error).partition("\n")[0] or "no more can be had"
        return f"out of memory ({cause}); give the job more {_MORE}"
    if isinstance(error, OSError) and error.errno in _REMEDIES:
        return f"{error}; {_REMEDIES[error.errno]}"
    return str(error)


def _lacks_memory(error: BaseException) -> bool:
    return isinstance(error, MemoryError) or (
        isinstance(error, RuntimeError) and _NO_MEMORY.search(str(error)) is not None
    )
