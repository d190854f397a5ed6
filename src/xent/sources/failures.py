"""What goes wrong while reading, in words that name the file, the row and the next step."""

import re
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager

import pyarrow as pa

from xent.errors import SourceError

__all__ = ["is_malformed", "named", "place", "reading", "shown", "without_secrets"]

_DAMAGED = "The file may be damaged or cut short: write or fetch it again."
_ADDRESS = re.compile(r"\b[A-Za-z][A-Za-z0-9+.-]+:/{1,2}[^\s'\"]+")
_FAILURES = (pa.ArrowException, OSError, EOFError, UnicodeError, RuntimeError, zipfile.BadZipFile, zlib.error)


@contextmanager
def reading(name: str | None, next_step: str = _DAMAGED, done: str = "read") -> Iterator[None]:
    """Turn whatever a reader, or a writer, raises into a SourceError that names the file."""
    try:
        yield
    except MemoryError as error:  # pyarrow's ArrowMemoryError; a damaged file may ask for any amount
        raise SourceError(f"{named(name)} needs more memory than there is: {_line(error)}.\n{next_step}") from error
    except _FAILURES as error:
        cause = error if without_secrets(str(error)) == str(error) else None
        raise SourceError(f"{named(name)} cannot be {done}: {_line(error)}.\n{next_step}") from cause


def place(source: str | None, row: int, column: str) -> str:
    """Name one cell; rows count from 0 within their file, without a header line."""
    return f"{named(source)}, row {row} (counted from 0), column {column!r}"


def shown(address: str) -> str:
    """A file's address as it may be seen: without user, password, and all behind a question mark. A path is itself."""
    found = re.match(r"([A-Za-z][A-Za-z0-9+.-]+):/{1,2}", address)
    if not found:
        return address
    rest = address[found.end() :].rpartition("@")[2] if is_malformed(address) else address[found.end() :]
    rest = re.split(r"[?#]", rest, maxsplit=1)[0]
    host, slash, path = rest.partition("/")
    user, at, place = host.rpartition("@")
    if at and (":" in user or found[1].lower() not in ("abfs", "abfss")):  # of Azure it is the container
        host = place
    return f"{found[0]}{host}{slash}{path}"


def is_malformed(address: str) -> bool:
    """Whether a password before the @ has a mark of its own (/, ?, #) and so would be taken for a host and what follows."""
    user, at, _ = address.partition(":/")[2].lstrip("/").rpartition("@")
    host, *more = re.split(r"[/?#]", user, maxsplit=1)
    colon, password = host.partition(":")[1:]
    return bool(at and more and colon and not password.isdecimal() and not host.startswith("["))


def without_secrets(text: str) -> str:
    """The same for every address within a text."""
    return _ADDRESS.sub(lambda found: shown(found[0]), text)


def named(source: str | None) -> str:
    """What a message calls a source of rows."""
    return {None: "the table", "-": "standard input"}.get(source, without_secrets(str(source)))


def _line(error: BaseException) -> str:
    """Give an error's first line; pyarrow adds hints and stack detail below."""
    text = getattr(error, "strerror", None) or str(error).strip() or type(error).__name__
    return without_secrets(re.sub(r"\s+", " ", text.splitlines()[0])[:300]).rstrip(". ")
