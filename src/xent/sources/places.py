"""Where the bytes of a file are: on this machine, in an object store, or behind a web server.

A path of this machine is a string. All else is a `Remote`: it holds the address alone, is opened wherever it is read, and
takes its credentials from there, unless the address has them itself. What is shown of an address never has them.
"""

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from fnmatch import fnmatchcase
from typing import Any, NamedTuple
from urllib.parse import quote, unquote, urlsplit
from urllib.request import url2pathname

import pyarrow as pa

from xent.errors import SourceError
from xent.sources import stores, web
from xent.sources.failures import is_malformed, shown

__all__ = [
    "Address",
    "Remote",
    "Version",
    "address_of",
    "copied",
    "expanded",
    "is_hidden",
    "needs_copy",
    "opened",
    "streamed",
    "version_of",
]

_WEB = ("http", "https")
_QUOTED_MARK = re.compile("%5B|%2A|%3F", re.IGNORECASE)
_AHEAD = 8 << 20  # fewer, larger requests


@dataclass(frozen=True)
class Remote:
    """A file elsewhere."""

    uri: str = field(repr=False)  # may hold secrets

    @property
    def name(self) -> str:
        """What it is called in messages: without user, password and query."""
        return shown(self.uri)

    @property
    def on_web(self) -> bool:
        """Whether it is behind a web server."""
        return urlsplit(self.uri).scheme in _WEB


Address = str | Remote


def address_of(name: str) -> Address:
    """What a name given by the user means: file:// and all without a scheme is on this machine.

    Raises:
        SourceError: the scheme is unknown.
    """
    found = re.match(r"([A-Za-z][A-Za-z0-9+.-]+)://", name)
    if not found or os.path.exists(name):
        return name
    scheme = found[1].lower()
    if scheme == "file":
        return url2pathname(urlsplit(name).path)
    if scheme in (*_WEB, *stores.SCHEMES):
        if is_malformed(name) or not _is_split(name):
            raise SourceError(
                f"the address {shown(name)} is malformed.\nWrite {scheme}://user:password@host/path, and in user and "
                "password / as %2F, @ as %40, : as %3A."
            )
        return Remote(scheme + name[len(scheme) :])
    raise SourceError(
        f"{shown(name)} begins with {scheme}://, which is unknown.\nKnown are "
        f"{', '.join(f'{known}://' for known in (*stores.SCHEMES, *_WEB, 'file'))}; of Azure, write "
        "abfs://container@account.dfs.core.windows.net/path."
    )


def _is_split(address: str) -> bool:
    """Whether it can be taken apart: brackets have to hold an IPv6 address."""
    try:
        return bool(urlsplit(address))
    except ValueError:
        return False


def expanded(place: Remote) -> list[str]:
    """The addresses of the files that a pattern matches, or that are below a folder; the address itself for a file.

    Raises:
        SourceError: nothing matches, or the store cannot be reached.
    """
    if place.on_web:
        return [place.uri]
    address = urlsplit(place.uri)
    fixed = re.split(r"[*\[]", address.path, maxsplit=1)[0]
    whole = fixed == address.path
    folder = unquote(fixed if whole else fixed.rpartition("/")[0])
    pattern = unquote(_QUOTED_MARK.sub(r"[\g<0>]", address.path))  # one that is quoted is itself
    store = stores.store_of(place.uri, place.name)
    names = store.below(folder, missing_is_file=whole)
    if names is None:
        return [place.uri]
    if not whole:
        names = [name for name in names if _matches(name.strip("/").split("/"), pattern.strip("/").split("/"))]
    else:
        names = [name for name in names if not is_hidden(name[len(folder.rstrip("/")) :])]
    if not names:
        raise SourceError(f"no file {'is below' if whole else 'matches'} {place.name!r}.\nCheck the address.")
    query = f"?{address.query}" if address.query else ""
    return [f"{address.scheme}://{address.netloc}/{quote(name.lstrip('/'), safe='/=+:@,')}{query}" for name in names]


def is_hidden(path: str) -> bool:
    """Whether a file below a folder is none of the data: what writers leave beside them begins with _ or a dot."""
    return any(part.startswith(("_", ".")) for part in path.split("/"))


def _matches(parts: list[str], pattern: list[str]) -> bool:
    """As `glob`: a star is within one name, two stars are any folders, and neither finds names that begin with a dot."""
    if not pattern:
        return not parts
    if pattern[0] == "**":
        deeper = bool(parts) and not parts[0].startswith(".") and _matches(parts[1:], pattern)
        return deeper or _matches(parts, pattern[1:])
    if not parts or not fnmatchcase(parts[0], pattern[0]) or (parts[0][:1] == "." != pattern[0][:1]):
        return False
    return _matches(parts[1:], pattern[1:])


def needs_copy(place: Remote) -> bool:
    """Whether it cannot be read in pieces from where it is: the server does not serve ranges."""
    return place.on_web and not web.known(place.uri).ranges


class Version(NamedTuple):
    """What changes when a file does."""

    bytes: int
    changed: int  # when it was last written, in nanoseconds since 1970; 0 where that is not known


def version_of(place: Address) -> Version:
    """What a file is now.

    Raises:
        SourceError: it is elsewhere, and not there any more, or out of reach.
        OSError: it is of this machine, and not there any more.
    """
    if isinstance(place, str):
        found = os.stat(place)
        return Version(found.st_size, found.st_mtime_ns)
    if place.on_web:
        known = web.known(place.uri)
        return Version(known.size, known.changed)
    info = stores.store_of(place.uri, place.name).info(place.uri)
    changed: datetime | None = info.mtime
    return Version(info.size, 0 if changed is None else int(changed.timestamp() * 1e9))


def opened(place: Address) -> Any:
    """An Arrow file that can be read anywhere."""
    if isinstance(place, str):
        return pa.OSFile(place)
    if place.on_web:
        return pa.PythonFile(web.Ranges(place.uri), mode="r")
    return stores.store_of(place.uri, place.name).open(place.uri)


def streamed(place: Address, compression: str | None, span: tuple[int, int] | None = None) -> Any:
    """An Arrow stream of all bytes, decompressed, or of those from one to another."""
    if isinstance(place, str) and span is None:
        return pa.input_stream(place, compression=compression)
    file = opened(place)
    start, stop = span or (0, file.size())
    stream = file.get_stream(start, stop - start)
    if isinstance(place, Remote):
        stream = pa.BufferedInputStream(stream, min(_AHEAD, max(stop - start, 1)))
    return pa.CompressedInputStream(stream, compression) if compression else stream


def copied(place: Remote) -> Iterator[bytes]:
    """All bytes, for a copy."""
    if place.on_web:
        yield from web.pieces(place.uri)
        return
    stream = streamed(place, None)
    while piece := stream.read(_AHEAD):
        yield piece
