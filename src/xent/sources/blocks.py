"""Prediction columns of a batch as one NumPy array, row after row."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from xent.errors import SourceError
from xent.kernels.by_column import stacked
from xent.sources.arrays import first_null, numpy_array
from xent.sources.failures import place
from xent.sources.types import is_list, is_numeric

__all__ = ["prediction_block"]

_FLOATS = frozenset((pa.float32().id, pa.float64().id))  # what most columns are, asked without a call


def prediction_block(
    data: pa.RecordBatch,
    names: str | Sequence[str],
    *,
    classes: int | None = None,
    source: str | None = None,
    first_row: int = 0,
    join: Callable[[list[np.ndarray[Any, Any]]], Any] = stacked,
) -> Any:
    """Give predictions as one array of float32, where every column is float32 or float16, or else float64.

    Args:
        data: a batch's `data`.
        names: one column with a number or a list in each row, or several columns, one per class.
        classes: how long a list must be; None takes the length of the first.
        source: the batch's `source`, for error texts.
        first_row: the batch's `first_row`, for error texts.
        join: makes one of the arrays of several columns, all of one dtype.

    Returns:
        (rows, classes) of several columns (as `join` makes it) or of lists (each row contiguous); (rows,) of one column of numbers. Lists and
        single columns of float32 or float64 are not copied (and then not writable).

    Raises:
        SourceError: a value is missing or no number, or lists differ in length; names file, row and column.
    """
    names = [names] if isinstance(names, str) else list(names)
    given = [data[name] for name in names]
    columns = [column if column.type.id in _FLOATS else _plain(column) for column in given]
    if any(column.null_count for column in columns):
        row, at = min((first_null(column), at) for at, column in enumerate(columns) if column.null_count)
        where = place(source, first_row + row, names[at])
        raise SourceError(f"{where} is missing (null or empty).\nFill it in or remove the row.").of_row(first_row + row)
    if len(columns) > 1:
        return join(_alike([_numbers(name, column) for name, column in zip(names, columns, strict=True)]))
    if not is_list(columns[0].type):
        return _numbers(names[0], columns[0])
    return _reshaped(names[0], columns[0], classes, source, first_row)


def _alike(parts: list[np.ndarray[Any, Any]]) -> list[np.ndarray[Any, Any]]:
    """All of one dtype."""
    dtype = np.float32 if all(part.dtype == np.float32 for part in parts) else np.float64
    return [part.astype(dtype, copy=False) for part in parts]


def _reshaped(
    name: str, column: pa.Array, classes: int | None, source: str | None, first_row: int
) -> np.ndarray[Any, Any]:
    lengths = numpy_array(pc.list_value_length(column))
    expected = classes if classes is not None else int(lengths[0]) if len(lengths) else 0
    wrong = np.flatnonzero(lengths != expected)
    if wrong.size:
        row = int(wrong[0])
        raise SourceError(
            f"{place(source, first_row + row, name)} is a list of {lengths[row]}, but must be one of {expected}, "
            "as in the rows before.\nGive every row one prediction per class."
        ).of_row(first_row + row)
    values = column.flatten()
    if values.null_count:
        row = first_row + first_null(values) // expected
        where = place(source, row, name)
        raise SourceError(f"{where} has a missing value in its list.\nFill it in or remove the row.").of_row(row)
    return _numbers(name, values).reshape(len(column), expected)  # (rows, classes)


def _numbers(name: str, column: pa.Array) -> np.ndarray[Any, Any]:
    """Give one column as float32 or float64, without a copy where it is that already."""
    if column.type.id in _FLOATS:
        return np.from_dlpack(column)
    column = _plain(column)
    kind = column.type
    if not is_numeric(kind) or pa.types.is_dictionary(kind):
        raise SourceError(
            f"column {name!r} is of type {kind}, but must hold numbers, or lists of them.\nChoose another column."
        )
    if pa.types.is_boolean(kind):
        return numpy_array(column).astype(np.float64)
    if pa.types.is_decimal(kind):
        return numpy_array(
            column.cast(pa.string()).cast(pa.float64())
        )  # cast at once, Arrow rounds a third of them wrongly
    values = numpy_array(column)
    wanted = np.float32 if values.dtype in (np.float16, np.float32) else np.float64
    return values.astype(wanted, copy=False)


def _plain(column: pa.Array) -> pa.Array:
    if isinstance(column, pa.ExtensionArray):
        return _plain(column.storage)
    return column.dictionary_decode() if pa.types.is_dictionary(column.type) else column
