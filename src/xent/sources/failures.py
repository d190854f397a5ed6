"""What goes wrong while reading, in words that name the file, the row and the next step."""

import re
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager

import pyarrow as pa

from xent.errors import SourceError

__all__ = ["place", "reading"]

_DAMAGED = "The file may be damaged or cut short: write or fetch it again."
_FAILURES = (pa.ArrowException, OSError, EOFError, UnicodeError, zipfile.BadZipFile, zlib.error)


@contextmanager
def reading(name: str | None, next_step: str = _DAMAGED) -> Iterator[None]:
    """Turn whatever a reader raises into a SourceError that names the file."""
    try:
        yield
    except MemoryError as error:  # pyarrow's ArrowMemoryError; a damaged file may ask for any amount
        raise SourceError(f"{_named(name)} needs more memory than there is: {_line(error)}.\n{next_step}") from error
    except _FAILURES as error:
        raise SourceError(f"{_named(name)} cannot be read: {_line(error)}.\n{next_step}") from error


def place(source: str | None, row: int, column: str) -> str:
    """Name one cell; rows count from 0 within their file, without a header line."""
    return f"{_named(source)}, row {row} (counted from 0), column {column!r}"


def _named(source: str | None) -> str:
    return {None: "the table", "-": "standard input"}.get(source, str(source))


def _line(error: BaseException) -> str:
    """Give an error's first line; pyarrow adds hints and stack detail below."""
    text = getattr(error, "strerror", None) or str(error).strip() or type(error).__name__
    return re.sub(r"\s+", " ", text.splitlines()[0])[:300].rstrip(". ")
