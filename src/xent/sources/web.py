"""Files behind web servers, through fsspec (the extra `remote`)."""

import io
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from email.utils import parsedate_to_datetime
from typing import Any, NamedTuple

from xent.errors import MissingPackageError, SourceError
from xent.sources.failures import shown, without_secrets

__all__ = ["Known", "Ranges", "known", "pieces"]

_CONNECT_SECONDS, _READ_SECONDS = 10, 60
_PIECE = 4 << 20


class Known(NamedTuple):
    """What a server says of a file."""

    size: int  # 0 where it does not say
    ranges: bool  # whether parts of it can be asked for
    changed: int  # nanoseconds since 1970, or 0


class _Answer(NamedTuple):
    """What a server sent."""

    status: int
    headers: Mapping[str, str]
    content: bytes


class Ranges:
    """A file read by asking for ranges of bytes: as much of Python's file protocol as Arrow needs."""

    closed = False

    def __init__(self, uri: str) -> None:
        self._uri, self._at = uri, 0
        self._size = known(uri).size

    def read(self, size: int = -1) -> bytes:
        """The next bytes; fewer at the end only."""
        stop = self._size if size < 0 else min(self._size, self._at + size)
        if stop <= self._at:
            return b""
        content = _asked(self._uri, self._at, stop).content
        if len(content) != stop - self._at:
            raise OSError(f"the server sent {len(content)} bytes where {stop - self._at} were asked for")
        self._at = stop
        return content

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Go elsewhere."""
        self._at = offset + {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}[whence]
        return self._at

    def tell(self) -> int:
        """Where it is."""
        return self._at

    def close(self) -> None:
        """Nothing is held open."""
        self.closed = True


def known(uri: str) -> Known:
    """Ask the server.

    Raises:
        SourceError: it has no such file, or does not answer.
        MissingPackageError: fsspec is absent.
    """
    answer = _asked(uri, 0, 1)
    if answer.status == 416:  # an empty file has no first byte
        return Known(0, True, 0)
    changed = answer.headers.get("Last-Modified")
    ranges = answer.status == 206
    size = (
        answer.headers.get("Content-Range", "").rpartition("/")[2] if ranges else answer.headers.get("Content-Length")
    )
    known_size = int(size) if size and size.isdecimal() else 0
    written = int(parsedate_to_datetime(changed).timestamp() * 1e9) if changed else 0
    return Known(known_size, ranges and known_size > 0, written)


def pieces(uri: str) -> Iterator[bytes]:
    """All bytes in one answer, piece by piece.

    Raises:
        SourceError: as `known`.
    """
    client = _client()
    with _reaching(uri), client.open(uri, block_size=0) as stream:  # 0: a stream, no ranges
        while piece := stream.read(_PIECE):
            yield piece


def _asked(uri: str, start: int, stop: int) -> _Answer:
    """The answer to a request for some bytes; without them where the server would send them all."""
    client = _client()
    from fsspec.asyn import sync

    async def answer() -> _Answer:
        headers = {"Range": f"bytes={start}-{stop - 1}", "Accept-Encoding": "identity"}
        session = await client.set_session()
        # A file that is kept compressed is read as it is kept: a piece of it cannot be decompressed.
        async with session.get(client.encode_url(uri), headers=headers, auto_decompress=False) as found:
            if found.status != 416:
                found.raise_for_status()
            return _Answer(found.status, found.headers, await found.read() if found.status == 206 else b"")

    with _reaching(uri):
        found: _Answer = sync(client.loop, answer)
    return found


def _client() -> Any:
    try:
        import aiohttp
        from fsspec.implementations.http import HTTPFileSystem
    except ImportError as error:
        raise MissingPackageError("addresses of web servers are read by fsspec: pip install 'xent[remote]'.") from error
    limits = aiohttp.ClientTimeout(total=None, sock_connect=_CONNECT_SECONDS, sock_read=_READ_SECONDS)
    # trust_env: proxies and .netrc, which is where credentials of this machine are.
    # Addresses go out as they are given, as they may be signed. fsspec keeps one client.
    return HTTPFileSystem(client_kwargs={"timeout": limits, "trust_env": True}, encoded=True)


@contextmanager
def _reaching(uri: str) -> Iterator[None]:
    import aiohttp

    name = shown(uri)
    try:
        yield
    except (aiohttp.ClientError, OSError, ValueError) as error:  # what the libraries raise shows the whole address
        if isinstance(error, SourceError):
            raise
        found = error.__cause__ or error  # fsspec takes whatever happens for a missing file
        status = getattr(found, "status", 404 if isinstance(found, FileNotFoundError) else None)
        if status == 404:
            raise SourceError(f"{name} does not exist: the server answers 404.\nCheck the address.") from None
        if status in (401, 403):
            advice = "address, and the credentials: in it (https://user:password@…), or in ~/.netrc"
            raise SourceError(f"{name} may not be read: the server answers {status}.\nCheck the {advice}.") from None
        text = f"the server answers {status}" if status else without_secrets(str(found) or type(found).__name__)
        raise SourceError(f"{name} cannot be reached: {text}.\nCheck the address and the network.") from None
