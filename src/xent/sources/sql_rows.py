"""The rows of a query as Arrow batches, from any DB-API connection, a bounded number of them at a time.

Drivers that speak Arrow (ADBC, DuckDB) hand their batches over. Of the others, rows are fetched as Python objects, and
the types are settled on all of them first, as those of text files are.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from datetime import date, time, timedelta
from decimal import Decimal
from itertools import count
from numbers import Number
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from xent.errors import SourceError
from xent.sources.failures import place
from xent.sources.table import resized
from xent.sources.types import is_list, wider_type

__all__ = ["read", "settled"]

_NO_ROWS = "the query gives no rows: it is no SELECT.\nPass a query that gives labels and predictions."
_FIRST_ROWS = 64
_MOST_ROWS = 1 << 14
_VALUES = 1 << 18  # Python objects held at a time
_EXACT = float(1 << 53)
_PLAIN = (Number, str, bytes, date, time, timedelta, np.ndarray)
_number = count()


def settled(connection: Any, text: str, name: str) -> tuple[pa.Schema, int | None]:
    """The columns and their types, and the number of rows where finding the types took reading them all.

    Raises:
        SourceError: a column has values of types that do not go together.
    """
    with _asked(connection, text) as answer:
        if isinstance(answer, pa.RecordBatchReader):
            return pa.schema([pa.field(field.name, _plain(field.type)) for field in answer.schema]), None
        names, rows = _names(answer), 0
        kinds: list[pa.DataType] = [pa.null()] * len(names)
        for fetched in _fetched(answer):
            for i, (column, values) in enumerate(zip(names, zip(*fetched, strict=True), strict=True)):
                found = _array(values, None, name, rows, column).type
                kind = wider_type(kinds[i], found)
                if kind is None:
                    raise SourceError(_mixed(place(name, rows, column), str(found), str(kinds[i])))
                kinds[i] = kind
            rows += len(fetched)
    return pa.schema(list(zip(names, kinds, strict=True))), rows


def read(connection: Any, text: str, schema: pa.Schema, name: str, batch_bytes: int) -> Iterator[pa.RecordBatch]:
    """Run the query and read the columns of `schema`, in its order and as its types."""
    with _asked(connection, text) as answer:
        batches = answer if isinstance(answer, pa.RecordBatchReader) else _rows(answer)
        yield from resized(_as_schema(batches, schema, name), batch_bytes)


def _as_schema(batches: Iterable[Any], schema: pa.Schema, name: str) -> Iterator[pa.RecordBatch]:
    first_row = 0
    for data in batches:
        columns = [_column(data[field.name], field, name, first_row) for field in schema]
        yield pa.RecordBatch.from_arrays(columns, schema=schema)
        first_row += len(columns[0])


@contextmanager
def _asked(connection: Any, text: str) -> Iterator[Any]:
    """What the query gives: batches of a driver that speaks Arrow, else the cursor that has run it."""
    # The newline ends a comment in the last line, which else hides what drivers write behind the query.
    query, driver = text.rstrip(" \t\r\n;") + "\n", type(connection).__module__.partition(".")[0].lstrip("_")
    if driver == "duckdb":  # whose relations stream, and whose cursors do not
        relation = connection.sql(query)
        if relation is None:
            raise SourceError(_NO_ROWS)
        with pa.RecordBatchReader.from_stream(relation) as reader:
            yield reader
        return
    if driver in ("psycopg", "psycopg2"):
        # A server-side cursor, so that rows stay there until fetched; outside of a transaction only `with hold` lasts.
        cursor = connection.cursor(name=f"xent_{next(_number)}", withhold=bool(connection.autocommit))
    else:
        cursor = connection.cursor()
    with closing(cursor):
        cursor.execute(query)
        if hasattr(cursor, "fetch_record_batch"):  # ADBC
            with cursor.fetch_record_batch() as reader:
                yield reader
        else:
            yield cursor


def _names(cursor: Any) -> list[str]:
    if cursor.description is None:
        raise SourceError(_NO_ROWS)
    return [str(column[0]) for column in cursor.description]


def _rows(cursor: Any) -> Iterator[dict[str, Sequence[Any]]]:
    names = _names(cursor)
    for fetched in _fetched(cursor):
        yield dict(zip(names, zip(*fetched, strict=True), strict=True))


def _fetched(cursor: Any) -> Iterator[Sequence[Sequence[Any]]]:
    """Rows, as many at a time as hold about `_VALUES` values: columns may be lists of thousands."""
    size = _FIRST_ROWS
    while rows := cursor.fetchmany(size):
        if isinstance(rows[0], Mapping):  # cursors may be told to give dicts
            rows = [tuple(row.values()) for row in rows]
        yield rows
        values = sum(len(value) if isinstance(value, list | tuple) else 1 for value in rows[0])
        size = min(max(_VALUES // values, 1), _MOST_ROWS)


def _column(values: Any, field: pa.Field, name: str, first_row: int) -> pa.Array:
    """What a driver gives, as the type that was settled."""
    if not isinstance(values, pa.Array):
        return _array(values, field.type, name, first_row, field.name)
    found = _as(values, field.type)
    if pa.types.is_float64(field.type) and not pa.types.is_floating(values.type):
        beyond = pc.and_(pc.greater(pc.abs(found), _EXACT), pc.is_finite(found))
        if (row := pc.index(beyond, True).as_py()) >= 0:
            raise SourceError(_inexact(place(name, first_row + row, field.name), values[row]))
    return found


def _array(values: Sequence[Any], kind: pa.DataType | None, name: str, first_row: int, column: str) -> pa.Array:
    """Python objects as an Arrow array; decimals as floats, as everywhere."""
    for row, value in enumerate(values):
        if isinstance(value, Decimal) and value.is_finite() and abs(value) > _EXACT:
            raise SourceError(_inexact(place(name, first_row + row, column), value))
    plain = [_plain_value(value) for value in values]
    try:
        return pa.array(plain, kind)
    except (pa.ArrowException, OverflowError, TypeError, ValueError):
        row = _first_misfit(plain, kind)
        found, before = type(values[row]).__name__, type(values[0]).__name__ if kind is None else str(kind)
        raise SourceError(_mixed(place(name, first_row + row, column), found, before)) from None


def _plain_value(value: Any) -> Any:
    """Decimals are floats; what a driver has a class of its own for (UUIDs, addresses, ranges, JSON) is text."""
    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, list | tuple):
        return [_plain_value(one) for one in value]
    return value if value is None or isinstance(value, _PLAIN) else str(value)


def _first_misfit(values: list[Any], kind: pa.DataType | None) -> int:
    """Find, by halving, the first value that Arrow cannot hold beside those before it."""
    good, bad = 0, len(values)
    while bad - good > 1:
        middle = (good + bad) // 2
        try:
            pa.array(values[:middle], kind)
            good = middle
        except (pa.ArrowException, OverflowError, TypeError, ValueError):
            bad = middle
    return good


def _mixed(where: str, found: str, before: str) -> str:
    return f"{where} is {found}, but {before} in the rows before.\nGive the column one type: cast(… as …) in the query."


def _inexact(where: str, value: Any) -> str:
    return (
        f"{where} is {value}, more than a float64 holds exactly.\n"
        "Cast the column in the query: to double precision, bigint or text."
    )


def _plain(kind: pa.DataType) -> pa.DataType:
    """Numerics, which ADBC hands over as text, are floats; other types of a database are what they are stored as."""
    if is_list(kind):
        return pa.list_(_plain(kind.value_type))
    if isinstance(kind, pa.BaseExtensionType):
        if kind.extension_name == "arrow.uuid":
            return pa.string()
        numeric = getattr(kind, "type_name", None) == "numeric"
        return pa.float64() if numeric else _plain(kind.storage_type)
    return pa.float64() if pa.types.is_decimal(kind) else kind


def _as(array: pa.Array, kind: pa.DataType) -> pa.Array:
    """An array of a driver as a plain type."""
    if array.type == kind:
        return array
    if isinstance(array, pa.ExtensionArray):
        if array.type.extension_name == "arrow.uuid":
            return pa.array([None if one is None else str(one) for one in array.to_pylist()], kind)
        return _as(array.storage, kind)
    if is_list(array.type):
        missing = pc.is_null(array) if array.null_count else None
        values = _as(array.flatten(), kind.value_type)
        lengths = np.asarray(pc.fill_null(pc.list_value_length(array), 0))
        offsets = pa.array(np.concatenate([[0], np.cumsum(lengths)]), pa.int32())
        return pa.ListArray.from_arrays(offsets, values, mask=missing)
    return pc.cast(array, kind)
