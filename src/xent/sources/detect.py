"""Which files are meant, and what is in them: by content first, then by name."""

import atexit
import glob
import os
import shutil
import stat
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import nullcontext, suppress
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from xent.errors import SourceError
from xent.sources.failures import reading

__all__ = ["File", "find_files", "is_spooled"]

_COMPRESSIONS = {b"\x1f\x8b": "gzip", b"\x28\xb5\x2f\xfd": "zstd", b"BZh": "bz2"}
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
_STREAMED = ("csv", "json lines", "ipc stream")
_SPOOLED = "xent-stdin-"
_KNOWN = "Known are CSV, Parquet, Arrow IPC (Feather), JSON Lines and .npz; text also as .gz, .zst or .bz2."


@dataclass(frozen=True)
class File:
    """A file whose format is known."""

    name: str  # as given, "-" for standard input
    path: str
    bytes: int
    format: str
    compression: str | None


def find_files(paths: Sequence[str | os.PathLike[str]]) -> list[File]:
    """Expand globs, keep standard input in a temporary file, and find every file's format."""
    if isinstance(paths, (str, os.PathLike)):
        paths = [paths]
    names = [name for given in paths for name in _expanded(os.fspath(given))]
    if not names:
        raise SourceError(
            "no file is given.\nPass file names, a pattern such as 'preds/*.parquet', or - (standard input)."
        )
    seen: dict[str, str] = {}
    for name in names:
        real = "-" if name == "-" else os.path.realpath(name)
        if real in seen:
            raise SourceError(
                f"{name} is given twice (also as {seen[real]}), so its rows would count double.\nName each file once."
            )
        seen[real] = name
    return [_detected(name) for name in names]


def _expanded(given: str) -> Iterator[str]:
    """Give one name for a file, several for a pattern; a file that is named like a pattern is itself."""
    if given == "-" or not glob.has_magic(given) or os.path.exists(given):
        yield given
        return
    found = sorted(name for name in glob.glob(given, recursive=True) if os.path.isfile(name))
    if not found:
        raise SourceError(f"no file matches {given!r} (from {os.getcwd()}).\nCheck the pattern.")
    yield from found


def _detected(name: str) -> File:
    path = _spooled(name) if name == "-" or (os.path.exists(name) and stat.S_ISFIFO(os.stat(name).st_mode)) else name
    if os.path.isdir(path):
        raise SourceError(f"{name} is a directory, not a file.\nPass a pattern such as '{Path(name) / '*.parquet'}'.")
    if not os.path.exists(path):
        raise SourceError(f"{name} does not exist (from {os.getcwd()}).\nCheck the name.")
    with reading(name, "Check its permissions."):
        size = os.path.getsize(path)
        with open(path, "rb") as file:
            head = file.read(64)
    if not head:
        raise SourceError(f"{name} is empty.\nA file needs at least a header line and one row.")
    compression = next((kind for magic, kind in _COMPRESSIONS.items() if head.startswith(magic)), None)
    if compression:
        with reading(name), pa.input_stream(path, compression=compression) as stream:
            head = stream.read(64)
    suffixes = [suffix.lower() for suffix in Path(name).suffixes]
    plain = suffixes[:-1] if compression and suffixes else suffixes
    return File(name, path, size, _format_of(name, head, plain[-1] if plain else "", compression), compression)


def _format_of(name: str, head: bytes, suffix: str, compression: str | None) -> str:
    if not head:
        raise SourceError(f"{name} is empty once decompressed.\nA file needs at least a header line and one row.")
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip()
    for magic, reason in _REFUSED.items():
        if head.startswith(magic) or (magic == b"[" and text.startswith(magic) and suffix.startswith(".json")):
            raise SourceError(f"{name} {reason}.")
    kind = next((kind for magic, kind in _FORMATS.items() if head.startswith(magic)), None)
    kind = kind or ("json lines" if text.startswith(b"{") else _SUFFIXES.get(suffix, "csv"))
    if kind in ("parquet", "ipc file", "npz") and not any(head.startswith(m) for m, k in _FORMATS.items() if k == kind):
        raise SourceError(f"{name} is not the {kind} file that its name says: it begins with {head[:8]!r}.\n{_KNOWN}")
    if kind == "csv" and b"\0" in head:
        raise SourceError(f"{name} has an unknown format: it begins with {head[:8]!r}.\n{_KNOWN}")
    if compression and kind not in _STREAMED:
        raise SourceError(
            f"{name} is {kind} inside {compression}, which cannot be read in pieces.\nDecompress it first."
        )
    return kind


def _spooled(name: str) -> str:
    """Copy standard input or a named pipe to a temporary file, so that it can be read twice; deleted at exit."""
    if name == "-" and (sys.stdin is None or sys.stdin.isatty()):
        raise SourceError("standard input is a terminal, or closed.\nPipe a file in: cat preds.csv | xent score -")
    handle, path = tempfile.mkstemp(prefix=_SPOOLED)
    atexit.register(_removed, path)
    with (
        reading(name, "Check the free space for temporary files."),
        os.fdopen(handle, "wb") as file,
        nullcontext(sys.stdin.buffer) if name == "-" else open(name, "rb") as stream,
    ):
        shutil.copyfileobj(stream, file, 1 << 20)
    return path


def is_spooled(path: str) -> bool:
    """Whether a path is that of such a temporary file, which other machines do not see."""
    return os.path.basename(path).startswith(_SPOOLED)


def _removed(path: str) -> None:
    with suppress(FileNotFoundError):
        os.unlink(path)
