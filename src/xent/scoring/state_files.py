"""States in files: written whole or not at all, and refused where a byte is missing or wrong.

A file holds what `State.to_json` gives. Where a scan wrote it, or states of scans were merged, a line before that says of
which rows it is, whether that is all of them, and the checksum of both lines.
"""

import hashlib
import json
import os
from typing import Any, NamedTuple

from xent.errors import StateError
from xent.scoring.state import FORMAT, State
from xent.sources.failures import reading
from xent.sources.writing import refuse_no_file, replacing

__all__ = ["SavedState", "read_state", "refuse_no_state", "saved_state", "write_state"]

_FORMAT, _VERSION = "xent-scan", 2
_WROTE = "Pass a file that xent score --state, xent merge -o or write_state wrote."
_LONG = 1 << 20  # bytes of a line in which a state says that it is one
_SHORT = 16  # hexadecimal digits that tell files apart, all but 1 of 10^7 times among a million


class SavedState(NamedTuple):
    """What a file holds."""

    state: State
    scan: dict[str, Any] | None  # "finished", and what `Checkpoint` notes, or "sources"; None if no scan wrote it

    @property
    def keys(self) -> dict[str, str] | None:
        """The columns of its groups and clusters; None where they are not known."""
        scan = self.scan or {}
        return scan.get("keys", scan["job"][2] if "job" in scan else None)

    @property
    def sources(self) -> dict[str, str]:
        """The files it has rows of, by a digest of what was read of which version; of merged states without a name.

        Files whose last change is not known are not among them: those of one name and size may be different.
        """
        scan = self.scan or {}
        if "sources" in scan:
            return dict.fromkeys(scan["sources"], "")
        read = json.dumps(scan.get("job"))
        done = scan.get("done", {})
        return {_digest(read, json.dumps([name, file["version"]]))[:_SHORT]: name
                for name, file in done.items() if file["version"][1]}  # fmt: skip


def write_state(path: str | os.PathLike[str], state: State, scan: dict[str, Any] | None = None) -> None:
    """Write a state to a file that is there whole or not at all.

    Args:
        path: the file; one that is there is replaced.
        state: any.
        scan: which rows it is of, as a scan notes it.

    Returns:
        Nothing.

    Raises:
        SourceError: it cannot be written.

    Example:
        >>> from xent import State, read_state, write_state
        >>> import tempfile
        >>> path = tempfile.mkdtemp() + "/monday.state"
        >>> monday = State([0, 1]).update([1, 0], [0.8, 0.1])
        >>> write_state(path, monday)
        >>> read_state(path) == monday
        True
    """
    name = os.fspath(path)
    text = state.to_json()
    lines = [text] if scan is None else [_header(scan, text), text]
    with (
        reading(name, "Check the folder, its permissions, and the free space.", "written"),
        replacing(name) as partial,
        open(partial, "w", encoding="utf-8", newline="\n") as file,
    ):
        file.write("\n".join([*lines, ""]))
        file.flush()
        os.fsync(file.fileno())


def refuse_no_state(path: str) -> None:
    """Refuse to put a state in the place of a file that is something else: it may be dear to somebody.

    Raises:
        StateError: there is such a file.
        SourceError: there is something that is no file.
    """
    refuse_no_file(path)
    if not os.path.exists(path):
        return
    with reading(path), open(path, "rb") as file:
        head = file.readline(_LONG).decode(errors="replace")
    if head and f'"{FORMAT}"' not in head and f'"{_FORMAT}"' not in head:
        raise StateError(f"{path} is there, and is no state.\nName another file, or remove it.")


def read_state(path: str | os.PathLike[str]) -> State:
    """Read what `write_state`, or `xent score --state`, wrote.

    Args:
        path: the file.

    Returns:
        The state of all its rows.

    Raises:
        SourceError: it cannot be read.
        StateError: it is no state, of another version, damaged, cut short, or of a scan that was stopped.

    Example:
        >>> from xent import State, read_state, scan
        >>> import numpy as np, tempfile
        >>> folder = tempfile.mkdtemp()
        >>> for day, p in (("monday", [0.8, 0.6]), ("tuesday", [0.9, 0.4])):
        ...     np.savez(f"{folder}/{day}.npz", label=np.array([1, 0]), p=np.array(p))
        ...     report = scan(f"{folder}/{day}.npz", state=f"{folder}/{day}.state")
        >>> State.merge(read_state(f"{folder}/{day}.state") for day in ("monday", "tuesday")).rows
        4
    """
    return saved_state(path).state


def saved_state(path: str | os.PathLike[str], *, unfinished: bool = False) -> SavedState:
    """All that a state file says.

    Args:
        path: the file.
        unfinished: also take the state of a scan that was stopped.

    Raises:
        SourceError, StateError: as `read_state`.
    """
    name = os.fspath(path)
    with reading(name, _WROTE), open(name, "rb") as file:
        written = file.read()
    try:
        first, line_end, rest = written.decode().partition("\n")
        first += line_end
        if f'"{FORMAT}"' not in first and f'"{_FORMAT}"' not in first[:40]:
            raise ValueError(first[:40])
        if f'"{_FORMAT}"' not in first[:40]:
            return SavedState(State.from_json(first + rest), None)
        scan = json.loads(first)
        text = rest.removesuffix("\n")
        if scan["version"] != _VERSION:
            raise StateError(f"it is {_FORMAT} version {scan['version']}; {_VERSION} is needed.")
        if _header({key: scan[key] for key in scan if key not in _OWN}, text) != first.removesuffix("\n"):
            raise StateError("it was changed, damaged or cut short: its checksum does not fit.\nWrite it again.")
        if not scan["finished"] and not unfinished:
            raise StateError(
                "its scan was stopped before the end, so it is not of all rows.\n"
                "Finish it: xent score … --state … --resume, with the files and options it was begun with."
            )
        return SavedState(State.from_json(text), scan)
    except StateError as error:
        raise StateError(f"{name} cannot be used: {error}") from error
    except (ValueError, KeyError, TypeError) as error:
        raise StateError(f"{name} is no state file, or it is damaged.\n{_WROTE}") from error


_OWN = ("format", "version", "checksum")


def _header(scan: dict[str, Any], text: str) -> str:
    body = json.dumps({"format": _FORMAT, "version": _VERSION, **scan})
    return f'{body[:-1]}, "checksum": "{_digest(body, text)}"}}'


def _digest(*lines: str) -> str:
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()
