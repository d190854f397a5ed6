"""Columns of keys that Arrow cannot count as they are: intervals become text, what else is nested is refused."""

import json
from collections.abc import Mapping

import pyarrow as pa

from xent.errors import ArgumentTypeError

__all__ = ["countable"]

_INTERVAL = "pandas.interval"  # Arrow's name of the type that pandas gives its intervals
_BRACKETS = {"left": "[)", "right": "(]", "both": "[]", "neither": "()"}


def countable(name: str, column: pa.Array, metadata: Mapping[bytes, bytes] | None = None) -> pa.Array:
    """The same keys, of a type whose values can be told apart.

    Args:
        name: what messages call the column.
        column: of any type.
        metadata: of its field, which says what a struct in a file was.

    Raises:
        ArgumentTypeError: it is of lists or of structs that are no intervals.
    """
    kind = column.type
    if pa.types.is_dictionary(kind):
        values = countable(name, column.dictionary, metadata)
        return column if values is column.dictionary else pa.DictionaryArray.from_arrays(column.indices, values)
    closed = _closed(kind, metadata or {})
    if isinstance(kind, pa.BaseExtensionType):
        column = column.storage
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
