"""Which files are meant, and what is in them: by content first, then by name."""

import atexit
import glob
import os
import stat
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, nullcontext, suppress
from contextvars import ContextVar
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from urllib.parse import unquote

from xent.errors import SourceError
from xent.sources.failures import named, reading, shown, without_secrets
from xent.sources.left_behind import OwnedFolder
from xent.sources.places import (
    Address,
    Remote,
    Version,
    address_of,
    copied,
    expanded,
    is_hidden,
    needs_copy,
    opened,
    streamed,
    version_of,
)

__all__ = ["File", "copied_once", "detected", "is_spooled", "local_files", "names_of"]

_COMPRESSIONS = {b"\x1f\x8b": "gzip", b"\x28\xb5\x2f\xfd": "zstd", b"BZh": "bz2"}
_PAGE = "is a page, such as a server sends in place of a file.\nFetch the file again"
_PICKLE = "is a Python pickle, which may run anything and is not loaded.\nWrite the table as Parquet or CSV"
_FORMATS = {
    b"PAR1": "parquet",
    b"ARROW1": "ipc file",
    b"\xff\xff\xff\xff": "ipc stream",
    b"PK\x03\x04": "npz",
    b"PK\x05\x06": "npz",
    b"{": "json lines",
}
_REFUSED = {
    b"PARE": "is encrypted Parquet.\nDecrypt it first",
    b"FEA1": "is Feather version 1.\nWrite it again as version 2 (Arrow IPC)",
    b"\x93NUMPY": "is a single NumPy array.\nWrite labels and predictions together with numpy.savez",
    b"\xff\xfe": "is UTF-16 text.\nWrite it again as UTF-8",
    b"\xfe\xff": "is UTF-16 text.\nWrite it again as UTF-8",
    **dict.fromkeys((b"<!DOCTYPE", b"<!doctype", b"<html", b"<HTML", b"<?xml"), _PAGE),
    **dict.fromkeys((b"\x80\x03", b"\x80\x04", b"\x80\x05"), _PICKLE),
    b"[": "is not JSON Lines, which has one object per line.\nConvert it, for example with jq -c '.[]'",
}
_SUFFIXES = {
    ".parquet": "parquet",
    ".pq": "parquet",
    ".arrow": "ipc file",
    ".feather": "ipc file",
    ".npz": "npz",
    ".jsonl": "json lines",
    ".ndjson": "json lines",
    ".json": "json lines",
}
_STATE = b'"format": "xent-s'  # xent-state, or xent-scan
_HEAD = 64  # bytes that tell a format
_STREAMED = ("csv", "json lines", "ipc stream")
_COPIES: set[str] = set()  # files that this process made, and removes when it ends
_MADE: ContextVar[dict[str, str]] = ContextVar("copies by name")
_KNOWN = "Known are CSV, Parquet, Arrow IPC (Feather), JSON Lines and .npz; text also as .gz, .zst or .bz2."


@dataclass(frozen=True)
class File:
    """A file whose format is known."""

    name: str  # as given, "-" for standard input; of an address what may be shown
    path: Address
    version: Version  # before anything of it was read
    format: str
    compression: str | None

    @property
    def bytes(self) -> int:
        """Size on disk."""
        return self.version.bytes


def names_of(paths: Sequence[str | os.PathLike[str]]) -> list[str]:
    """Expand patterns and folders.

    Raises:
        SourceError: nothing is given, nothing matches, or a file is given twice.
    """
    if isinstance(paths, (str, os.PathLike)):
        paths = [paths]
    names = [name for given in paths for name in _expanded(os.fspath(given))]
    if not names:
        raise SourceError(
            "no file is given.\nPass file names, a pattern such as 'preds/*.parquet', or - (standard input)."
        )
    seen: dict[str, str] = {}
    for name in names:
        place = address_of(name)
        real = "-" if name == "-" else unquote(place.name) if isinstance(place, Remote) else os.path.realpath(place)
        if real in seen:
            raise SourceError(
                f"{shown(name)} is given twice (also as {seen[real]}), so its rows would count double.\n"
                "Name each file once."
            )
        seen[real] = shown(name)
    return names


def _expanded(given: str) -> Iterator[str]:
    """Give one name for a file, several for a pattern or a folder; a file that is named like a pattern is itself."""
    place = address_of(given)
    if isinstance(place, Remote):
        yield from expanded(place)
        return
    given = place
    if os.path.isdir(given):
        yield from _below(given)
        return
    if given == "-" or not glob.has_magic(given) or os.path.exists(given):
        yield given
        return
    found = sorted(name for name in glob.glob(given, recursive=True) if os.path.isfile(name))
    if not found:
        raise SourceError(f"no file matches {without_secrets(given)!r} (from {os.getcwd()}).\nCheck the pattern.")
    yield from found


def local_files(paths: Sequence[str]) -> Iterator[str]:
    """The files of this machine among those that are meant; of a name that nothing has, none."""
    for given in paths:
        with suppress(SourceError):
            if not isinstance(address_of(given), Remote):
                yield from filter(os.path.exists, _expanded(given))


def _below(folder: str) -> list[str]:
    """All files at any depth but those that writers leave beside the data."""
    found: list[str] = []
    for path, folders, files in os.walk(folder, followlinks=True):
        folders[:] = [name for name in folders if not is_hidden(name)]
        found += [os.path.join(path, name) for name in files if not is_hidden(name)]
    found = [path for path in found if os.path.isfile(path) or not os.path.exists(path)]  # links to nothing, no pipes
    if not found:
        raise SourceError(f"no file is below {folder} (from {os.getcwd()}).\nCheck the name.")
    return sorted(found)


def detected(name: str) -> File:
    """Find a file's format; standard input is kept in a temporary file.

    Raises:
        SourceError: it is missing, empty, or of no known format.
    """
    place = address_of(name)
    if isinstance(place, Remote):
        return _detected_elsewhere(place)
    name = path = place
    if name == "-" or (os.path.exists(name) and stat.S_ISFIFO(os.stat(name).st_mode)):
        path = _spooled(name)
    if not os.path.exists(path):
        raise SourceError(f"{without_secrets(name)} does not exist (from {os.getcwd()}).\nCheck the name.")
    with reading(name, "Check its permissions."):
        version = version_of(path)
        with open(path, "rb") as file:
            head = file.read(_HEAD)
    if not head.startswith(b"PK"):  # not for Arrow to open
        _refuse_other_names(path)
    return _told_by(head, name, path, version)


def _refuse_other_names(path: str) -> None:
    try:
        path.encode()
    except UnicodeEncodeError:
        raise SourceError(f"the name {path!r} is not UTF-8, and so cannot be read.\nRename the file.") from None


def _detected_elsewhere(place: Remote) -> File:
    """The same for a file that is not on this machine; one that cannot be read in pieces from there is copied."""
    path: Address = place
    if needs_copy(place):
        path = _copy(place.name, copied(place))
    version = version_of(path)
    with reading(place.name), opened(path) as file:
        head = file.read(_HEAD)
    found = _told_by(head, place.name, path, version)
    if found.format == "npz" and isinstance(path, Remote):  # its reader jumps about
        path = _copy(place.name, copied(place))
        return replace(found, path=path, version=version_of(path))
    return found


def _told_by(head: bytes, name: str, path: Address, version: Version) -> File:
    if not head:
        what = "a header line and one row" if Path(name).suffix.lower() not in _SUFFIXES else "one row"
        raise SourceError(f"{named(name)} is empty.\nA file needs at least {what}.")
    compression = next((kind for magic, kind in _COMPRESSIONS.items() if head.startswith(magic)), None)
    if compression:
        with reading(name), streamed(path, compression) as stream:
            head = stream.read(_HEAD)
    suffixes = [suffix.lower() for suffix in Path(name).suffixes]
    plain = suffixes[:-1] if compression and suffixes else suffixes
    return File(name, path, version, _format_of(name, head, plain[-1] if plain else "", compression), compression)


def _format_of(name: str, head: bytes, suffix: str, compression: str | None) -> str:
    if not head:
        raise SourceError(
            f"{named(name)} is empty once decompressed.\nA file needs at least a header line and one row."
        )
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip()
    for magic, reason in _REFUSED.items():
        if head.startswith(magic) or (magic == b"[" and text.startswith(magic) and suffix.startswith(".json")):
            raise SourceError(f"{name} {reason}.")
    if _STATE in head:
        raise SourceError(f"{name} is a state that xent wrote, not a table of predictions.\nGive it to xent merge.")
    kind = next((kind for magic, kind in _FORMATS.items() if head.startswith(magic)), None)
    kind = kind or ("json lines" if text.startswith(b"{") else _SUFFIXES.get(suffix, "csv"))
    if kind in ("parquet", "ipc file", "npz") and not any(head.startswith(m) for m, k in _FORMATS.items() if k == kind):
        raise SourceError(f"{name} is not the {kind} file that its name says: it begins with {head[:8]!r}.\n{_KNOWN}")
    if kind == "csv" and b"\0" in head:
        if suffix in (".csv", ".tsv", ".txt"):
            line = head[: head.index(b"\0")].count(b"\n") + 1
            raise SourceError(
                f"{name} has a zero byte in line {line}, and text has none: the file is damaged, or no UTF-8.\nWrite it again."
            )
        raise SourceError(f"{name} has an unknown format: it begins with {head[:8]!r}.\n{_KNOWN}")
    if compression and kind not in _STREAMED:
        raise SourceError(
            f"{name} is {kind} inside {compression}, which cannot be read in pieces.\nDecompress it first."
        )
    return kind


@contextmanager
def copied_once() -> Iterator[None]:
    """What cannot be read twice, and is opened again within, is the copy that was made of it the first time."""
    token = _MADE.set({})
    try:
        yield
    finally:
        _MADE.reset(token)


def _spooled(name: str) -> str:
    """Copy standard input or a named pipe to a temporary file, so that it can be read twice; deleted at exit."""
    made = _MADE.get({})
    if name not in made:
        made[name] = _copy_of(name)
    return made[name]


def _copy_of(name: str) -> str:
    if name == "-" and (sys.stdin is None or sys.stdin.isatty()):
        raise SourceError("standard input is a terminal, or closed.\nPipe a file in: cat preds.csv | xent score -")
    with (
        reading(name, "Check the free space for temporary files."),
        nullcontext(sys.stdin.buffer) if name == "-" else open(name, "rb") as stream,
    ):
        return _copy(name, iter(partial(stream.read, 1 << 20), b""))


def _copy(name: str, pieces: Iterable[bytes]) -> str:
    with reading(name, "Check the free space for temporary files."):
        folder = OwnedFolder()
        atexit.register(folder.remove)
        path = os.path.join(folder.path, "copy")
        _COPIES.add(path)
        with open(path, "wb") as file:
            file.writelines(pieces)
    return path


def is_spooled(path: str) -> bool:
    """Whether a path is that of such a temporary file, which other machines do not see."""
    return path in _COPIES
