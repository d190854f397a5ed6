"""Databases by URL: connecting through ADBC, and saying what went wrong without user, password or options."""

import importlib
import os
import re
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, unquote

from xent.errors import MissingPackageError, SourceError, XentError

__all__ = ["Database", "asking", "connected", "is_known", "shown"]

_POSTGRESQL = ("postgresql://", "postgres://")
_SQLITE = "sqlite:"
_PLAIN_OPTIONS = {"host", "hostaddr", "port", "dbname", "sslmode", "connect_timeout", "application_name"}
_READ_ONLY = "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY"
_BROKEN = re.compile(r"%(?![0-9A-Fa-f]{2})|%00")
_HIDDEN = "…"


def is_known(url: str) -> bool:
    """Whether the scheme is one that xent connects to."""
    return url.startswith((*_POSTGRESQL, _SQLITE))


def shown(url: str) -> str:
    """A URL as it may be printed: no user, no password, no options."""
    scheme, mark, rest = url.partition(":")
    if not mark or not re.fullmatch(r"[A-Za-z][A-Za-z0-9+.-]*", scheme):
        return "the connection"  # may be anything, such as "password=… host=…"
    if scheme == "sqlite":
        return url.partition("?")[0]
    if not rest.startswith("//") or ";" in rest:
        return f"{scheme}:{_HIDDEN}"  # its parts are where its driver has them
    return f"{scheme}://{_after_user(rest.removeprefix('//')).partition('?')[0]}"


@dataclass(frozen=True)
class Database:
    """A database whose state is held by an open transaction, so that every reading of it finds the same."""

    url: str = field(repr=False)  # with its password
    holder: Any  # the connection with the open transaction
    snapshot: str | None  # what readings name to see what the holder sees; None: they use its connection

    @contextmanager
    def connection(self) -> Iterator[Any]:
        """A connection for one reading; a PostgreSQL one of its own, as a reading that ends early costs least so."""
        if self.snapshot is None:
            yield self.holder
            return
        with closing(_driver("postgresql").connect(self.url)) as connection:
            with connection.cursor() as cursor:
                cursor.execute(_READ_ONLY)
                cursor.execute(f"SET TRANSACTION SNAPSHOT '{self.snapshot}'")
            yield connection


def connected(url: str) -> Database:
    """Connect through ADBC, and hold the state of the data; cannot change it.

    Raises:
        SourceError: the URL is malformed, or the file is not there; drivers' errors are left to `asking`.
        MissingPackageError: the driver is not installed.
    """
    if url.startswith(_SQLITE):
        return Database(url, _driver("sqlite").connect(f"file:{quote(_sqlite_path(url))}?mode=ro"), None)
    _refuse_malformed(url)
    with ExitStack() as stack:
        holder = _driver("postgresql").connect(url)
        stack.callback(holder.close)
        with holder.cursor() as cursor:
            cursor.execute(_READ_ONLY)
            cursor.execute("SELECT pg_export_snapshot()")
            [snapshot] = cursor.fetchone()
        stack.pop_all()
    return Database(url, holder, snapshot)


@contextmanager
def asking(connection: Any, name: str) -> Iterator[None]:
    """Turn whatever a driver raises into a SourceError without secrets."""
    try:
        yield
    except XentError:
        raise
    except Exception as error:  # drivers raise their own classes, OSError, and pyarrow's
        lines = str(error).strip().splitlines() or [type(error).__name__]
        line = next((line for line in lines if "ERROR: " in line or "FATAL: " in line), lines[0])
        line = re.sub(r"^'?: (?=ERROR: )", "", line)  # the end of the query, where the driver quotes it
        said = re.sub(r"^([A-Z_]+: )?(\[\w+\] )?", "", line).strip().rstrip(".")
        url = connection if isinstance(connection, str) else ""
        raise SourceError(f"{name} cannot be read: {_scrubbed(said, url)}.\n{_next_step(said)}") from None


def _driver(name: str) -> Any:
    try:
        return importlib.import_module(f"adbc_driver_{name}.dbapi")
    except ImportError as error:
        raise MissingPackageError(
            f"the driver for {name} cannot be imported ({error}).\n"
            "Install it with pip install 'xent[sql]', or pass xent.sql an open DB-API connection."
        ) from error


def _sqlite_path(url: str) -> str:
    """sqlite:path, or as SQLAlchemy has it: sqlite:///relative and sqlite:////absolute."""
    path = url.removeprefix(_SQLITE)
    path = path.removeprefix("///") if path.startswith("///") else path
    if os.path.isfile(path):
        return os.path.abspath(path)
    bare, options, _ = path.partition("?")
    if options and os.path.isfile(bare):
        raise SourceError(
            f"{shown(url)} has options behind the ?, and none are taken.\nLeave them out; it is read only."
        )
    hint = " Three slashes are relative to there, four (sqlite:////…) absolute." if url.startswith("sqlite:///") else ""
    raise SourceError(f"{shown(url)} is no file: {bare!r} does not exist (from {os.getcwd()}).{hint}\nCheck the path.")


def _after_user(rest: str) -> str:
    """What follows the last @: a password with an @ of its own is hidden too."""
    return rest.rpartition("@")[2]


def _refuse_malformed(url: str) -> None:
    """What libpq would refuse in a message that quotes parts of it."""
    rest = url.partition("://")[2]
    user, at, _ = rest.rpartition("@")
    options = _after_user(rest).partition("?")[2]
    pairs = options.split("&") if options else []
    if _BROKEN.search(url) or (at and re.search(r"[/?#@\[\]\s]", user)) or any(p.count("=") != 1 for p in pairs):
        raise SourceError(
            f"the URL of {shown(url)} is malformed.\n"
            "Write postgresql://user:password@host:port/database?option=value, and in user, password and options % as "
            "%25, @ as %40, / as %2F, ? as %3F, # as %23, & as %26, = as %3D."
        )


def _secrets(url: str) -> list[str]:
    """Passwords and other options; the longest first."""
    rest = url.partition("://")[2]
    password = rest.rpartition("@")[0].partition(":")[2]
    pairs = [pair.partition("=") for pair in _after_user(rest).partition("?")[2].split("&")]
    found = {password, *(value for key, _, value in pairs if key not in _PLAIN_OPTIONS)}
    return sorted({form for text in found for form in (text, unquote(text)) if form}, key=len, reverse=True)


def _scrubbed(said: str, url: str) -> str:
    """A driver's message without the URL's secrets, and without its user, which servers put in quotes."""
    said = re.sub(r"\bpostgres(ql)?://\S+", _HIDDEN, said)
    for secret in _secrets(url):
        said = said.replace(secret, _HIDDEN)
    user = url.partition("://")[2].rpartition("@")[0].partition(":")[0]
    for form in {user, unquote(user)} - {""}:
        said = said.replace(f'"{form}"', f'"{_HIDDEN}"')
    return said[:300]


def _next_step(said: str) -> str:
    if "ype mismatch" in said:
        return "SQLite gives each value a type of its own: write cast(column as real) in the query."
    if "connect" in said or "open" in said:
        return (
            "Check the URL, and that the server can be reached; a password may also come from ~/.pgpass or PGPASSWORD."
        )
    return "Check the query."
