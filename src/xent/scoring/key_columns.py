"""Columns of keys that Arrow cannot count as they are: intervals and UUIDs become text, what else is nested or inexact is refused."""

import json
from collections.abc import Callable, Mapping

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from xent.errors import ArgumentTypeError
from xent.sources.types import value_type

__all__ = ["countable"]

_EXACT = 2.0**53  # above, float64 leaves whole numbers out

_INTERVAL = "pandas.interval"  # Arrow's name of the type that pandas gives its intervals
_UUID = "arrow.uuid"
_BRACKETS = {"left": "[)", "right": "(]", "both": "[]", "neither": "()"}


def countable(
    name: str, column: pa.Array, place: Callable[[int], str], metadata: Mapping[bytes, bytes] | None = None
) -> pa.Array:
    """The same keys, of a type whose values can be told apart.

    Args:
        name: what messages call the column.
        column: of any type.
        place: what they call its cell in a row.
        metadata: of its field, which says what a struct in a file was.

    Raises:
        ArgumentTypeError: it is of lists or of structs that are no intervals, or float64 may have made one key of several.
    """
    found = _told_apart(name, column, metadata)
    _refuse_inexact(found, place)
    return found


def _refuse_inexact(column: pa.Array, place: Callable[[int], str]) -> None:
    if value_type(column.type) != pa.float64():
        return
    values = column.dictionary_decode() if pa.types.is_dictionary(column.type) else column
    size = pc.abs(values)
    row = pc.index(pc.and_(pc.greater_equal(size, _EXACT), pc.is_finite(size)), True).as_py()
    if row >= 0:
        raise ArgumentTypeError(
            f"{place(row)} is {values[row].as_py():.0f} as float64, which is exact for whole numbers below 2^53 only, so that "
            "keys may have become one; allowed are texts and integers of 64 bits.\nWrite all keys again as one of these."
        )


def _told_apart(name: str, column: pa.Array, metadata: Mapping[bytes, bytes] | None) -> pa.Array:
    kind = column.type
    if pa.types.is_dictionary(kind):
        values = _told_apart(name, column.dictionary, metadata)
        return column if values is column.dictionary else pa.DictionaryArray.from_arrays(column.indices, values)
    closed = _closed(kind, metadata or {})
    if isinstance(kind, pa.BaseExtensionType):
        column = column.storage
        if kind.extension_name == _UUID:
            return _uuids(column)
    if closed is not None:
        return _texts(column, closed)
    if pa.types.is_nested(column.type):
        raise ArgumentTypeError(
            f"{name} has type {kind}, but must have one text or number in each row.\nWrite it again as one of these."
        )
    return column


def _closed(kind: pa.DataType, metadata: Mapping[bytes, bytes]) -> str | None:
    """Which ends an interval has; None for anything else."""
    if isinstance(kind, pa.BaseExtensionType):
        return str(getattr(kind, "closed", "right")) if kind.extension_name == _INTERVAL else None
    if metadata.get(b"ARROW:extension:name") != _INTERVAL.encode() or not pa.types.is_struct(kind):
        return None
    return str(json.loads(metadata[b"ARROW:extension:metadata"])["closed"])


def _texts(intervals: pa.StructArray, closed: str) -> pa.Array:
    """As pandas writes them."""
    opening, closing = tuple(_BRACKETS[closed])
    ends = ((one["left"], one["right"]) if one else (None, None) for one in intervals.to_pylist())
    return pa.array(
        [None if left is None else f"{opening}{left}, {right}{closing}" for left, right in ends], pa.string()
    )


def _uuids(column: pa.FixedSizeBinaryArray) -> pa.Array:
    """As they are written: 8, 4, 4, 4 and 12 hexadecimal digits."""
    digits = b"".join(column.fill_null(bytes(16)).to_pylist()).hex().encode()
    ends = np.arange(len(column) + 1, dtype=np.int64) * 32
    texts = pa.LargeStringArray.from_buffers(len(column), pa.py_buffer(ends), pa.py_buffer(digits))
    hyphened = pc.replace_substring_regex(texts, "^(.{8})(.{4})(.{4})(.{4})", r"\1-\2-\3-\4-")
    return pc.if_else(column.is_valid(), hyphened, None)
