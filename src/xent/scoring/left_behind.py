"""Temporary folders whose process was killed: the next one removes them.

A folder is owned by who holds the lock of a file in it; the lock goes with the process, in whatever way that ends, and
holds for processes of other containers that share the disk, which numbers of processes do not.
"""

import os
import shutil
import tempfile
from contextlib import suppress
from typing import IO

try:
    import fcntl
except ImportError:  # Windows has no such locks
    fcntl = None  # type: ignore[assignment]

__all__ = ["PREFIX", "owned_folder", "remove_left_behind"]

PREFIX = "xent-"
_OWNER = "owner"


def owned_folder() -> tuple[str, IO[bytes]]:
    """A new folder where Python's `tempfile` puts them, and the open file that says that it is in use."""
    folder = tempfile.mkdtemp(prefix=PREFIX)
    unnamed = os.path.join(folder, "new")
    owner = open(unnamed, "wb")  # noqa: SIM115  (its lock is kept for as long as it is open)
    if fcntl is not None:
        with suppress(OSError):  # a disk without locks
            fcntl.flock(owner, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.rename(unnamed, os.path.join(folder, _OWNER))
    return folder, owner


def remove_left_behind() -> None:
    """Remove the folders whose owner is gone."""
    if fcntl is None:
        return
    for entry in os.scandir(tempfile.gettempdir()):
        if not entry.name.startswith(PREFIX):
            continue
        with suppress(OSError), open(os.path.join(entry.path, _OWNER), "rb") as owner:
            fcntl.flock(owner, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(entry.path, ignore_errors=True)
