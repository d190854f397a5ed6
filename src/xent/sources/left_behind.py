"""Temporary folders whose process was killed: the next one removes them.

A folder is owned by who holds the lock of a file in it; the lock goes with the process, in whatever way that ends, and
holds for processes of other containers that share the disk, which numbers of processes do not.
"""

import os
import shutil
import tempfile
from contextlib import suppress

try:
    import fcntl
except ImportError:  # Windows has no such locks
    fcntl = None  # type: ignore[assignment]

__all__ = ["OwnedFolder"]

_PREFIX = "xent-"
_OWNER = "owner"


class OwnedFolder:
    """A new folder where Python's `tempfile` puts them, in use until it is removed or the process ends.

    Those whose process is gone are removed first.
    """

    def __init__(self) -> None:
        _remove_left_behind()
        self.path = tempfile.mkdtemp(prefix=_PREFIX)
        unnamed = os.path.join(self.path, "new")
        self._owner = open(unnamed, "wb")  # noqa: SIM115  (its lock is kept for as long as it is open)
        if fcntl is not None:
            with suppress(OSError):  # a disk without locks
                fcntl.flock(self._owner, fcntl.LOCK_EX | fcntl.LOCK_NB)
                os.rename(unnamed, os.path.join(self.path, _OWNER))

    def remove(self) -> None:
        """Remove it with all that is in it."""
        shutil.rmtree(self.path, ignore_errors=True)
        self._owner.close()


def _remove_left_behind() -> None:
    if fcntl is None:
        return
    for entry in os.scandir(tempfile.gettempdir()):
        if not entry.name.startswith(_PREFIX):
            continue
        with suppress(OSError), open(os.path.join(entry.path, _OWNER), "rb") as owner:
            fcntl.flock(owner, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(entry.path, ignore_errors=True)
