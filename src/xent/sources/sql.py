"""Queries as a source: which database, which question, and the table that the answer is.

The answer is never held: the query is run anew for each reading, and its rows are taken batch by batch.
"""

import re
import weakref
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, nullcontext
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa

from xent.errors import ArgumentTypeError, SourceError
from xent.sources import sql_rows
from xent.sources.names import narrowed
from xent.sources.sql_url import Database, asking, connected, is_known, shown
from xent.sources.table import BATCH_BYTES, Batch, Table

__all__ = ["Query", "SqlTable", "open_query", "sql"]

_UNNAMED = "the query's answer"
_CHANGES = re.compile(
    r"^[\s;(\ufeff]*(alter|attach|copy|create|delete|drop|grant|insert|merge|replace|revoke|truncate|update|vacuum)\b"
    r"|\b(delete\s+from|(?:insert|merge)\s+into|update\s+\S+\s+set)\b",
    re.IGNORECASE,
)
_ASIDE = re.compile(
    r"""'[^']*'|"[^"]*"|`[^`]*`|\$(\w*)\$.*?\$\1\$|--[^\n]*|/\*.*?\*/""", re.DOTALL
)  # quoted, or a remark
_CONNECTIONS = (
    "a URL (postgresql://user@host/database, sqlite:path) or a DB-API connection (psycopg, sqlite3, duckdb, …)"
)


@dataclass(frozen=True)
class Query:
    """A question to a database; shows neither user nor password."""

    text: str
    connection: Any = field(repr=False)

    @property
    def name(self) -> str:
        """Where the rows come from: the URL without user, password and options."""
        return shown(self.connection) if isinstance(self.connection, str) else _UNNAMED


@dataclass(frozen=True)
class SqlTable:
    """The rows that a query gives, each time that it is run."""

    query: Query
    database: Database | None  # of a URL
    schema: pa.Schema
    rows: int | None  # where the types were settled on all rows
    counted: list[int]  # the rows of the first complete reading
    bytes: None = None

    def batches(self, columns: Sequence[str], *, batch_bytes: int = BATCH_BYTES) -> Iterator[Batch]:
        """Run the query and read the columns; may be called again.

        Raises:
            SourceError: the database refuses, there are no rows, or another number of them than before.
        """
        schema = narrowed(self.schema, columns)
        name, first_row = self.query.name, 0
        with asking(self.query.connection, name), _connection(self.query, self.database) as connection:
            for data in sql_rows.read(connection, self.query.text, schema, name, batch_bytes):
                yield Batch(name, first_row, data)
                first_row += data.num_rows
        if not first_row:
            raise SourceError(f"the query gives no rows ({name}).\nA data set needs at least one row.")
        if not self.counted:
            self.counted.append(first_row)
        if first_row != self.counted[0]:
            raise SourceError(
                f"{name} gave {self.counted[0]:,} rows when the query was first run, and now {first_row:,}: the data "
                "changed in between.\nRun it in a transaction of isolation level repeatable read, or on a copy."
            )


def sql(query: str, connection: Any) -> Query:
    """Rows of a database, wherever xent takes a table: `xent.scan(xent.sql("select …", "postgresql://…"))`.

    The query is run several times (for the types, the first rows, the labels, the scores), and never held in memory.
    For a PostgreSQL URL all runs see one snapshot of the data, read-only; for SQLite they are in one transaction; on a
    connection that you pass, in yours, which xent neither commits nor rolls back. Another number of rows than before
    is an error.

    Args:
        query: one SELECT statement.
        connection: `postgresql://user@host/database` or `sqlite:path` (both need the extra `sql`), or an open
            connection of DB-API 2.0, such as psycopg's, sqlite3's or duckdb's. Of psycopg a server-side cursor is used;
            other drivers may hold the whole answer themselves.

    Returns:
        What `scan`, `check` and `compare` take as a source.

    Raises:
        ArgumentTypeError: the query is no text, or the connection neither of the two.
        SourceError: the URL is of a database that xent does not connect to, or the query may change it.

    Example:
        >>> import sqlite3, xent
        >>> database = sqlite3.connect(":memory:")
        >>> _ = database.execute("create table predictions (label integer, p real)")
        >>> _ = database.executemany("insert into predictions values (?, ?)", [(1, 0.8), (1, 0.6), (0, 0.1)])
        >>> round(xent.scan(xent.sql("select label, p from predictions", database)).loss, 4)
        0.2798
        >>> database.close()
    """
    if not isinstance(query, str) or not query.strip(" \t\r\n;"):
        raise ArgumentTypeError(f"query is {query!r}, but must be the text of a SELECT statement.")
    bare = _ASIDE.sub(" ", query)
    if found := _CHANGES.search(bare):
        raise SourceError(
            f"the query has {' '.join(found[found.lastindex or 0].upper().split())}, which may change the database, and was not "
            "run.\nPass a query that gives labels and predictions and leaves all as it is."
        )
    if re.search(r";\s*[^\s;]", bare):
        raise SourceError("the query has several statements.\nPass one.")
    if isinstance(connection, str):
        if not is_known(connection):
            raise SourceError(
                f"{shown(connection)} is no database that xent connects to by itself: it knows postgresql:// and sqlite:.\n"
                "For any other, connect with its own driver and pass the connection to xent.sql."
            )
    elif not hasattr(connection, "cursor"):
        raise ArgumentTypeError(
            f"connection is of type {type(connection).__qualname__}, but must be {_CONNECTIONS}.\n"
            "A DuckDB relation or any other table in memory goes to xent.scan as it is."
        )
    return Query(query, connection)


def open_query(query: Query) -> Table:
    """Connect, and find the columns and their types.

    Raises:
        SourceError: the database cannot be reached or refuses the query.
        MissingPackageError: a URL is given, and the extra `sql` is not installed.
    """
    with asking(query.connection, query.name):
        database = connected(query.connection) if isinstance(query.connection, str) else None
        with ExitStack() as stack:
            if database is not None:
                stack.callback(database.holder.close)
            with _connection(query, database) as connection:
                schema, rows = sql_rows.settled(connection, query.text, query.name)
            stack.pop_all()
    table = SqlTable(query, database, schema, rows, [] if rows is None else [rows])
    if database is not None:
        weakref.finalize(table, database.holder.close)
    return table


def _connection(query: Query, database: Database | None) -> AbstractContextManager[Any]:
    return nullcontext(query.connection) if database is None else database.connection()
