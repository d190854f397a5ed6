"""What people pass (lists, arrays of any library, data frames) → NumPy arrays and Arrow columns, without copies."""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from xent._arrays import refuse_masked
from xent.checks.predictions import Place
from xent.errors import ArgumentTypeError, ShapeError, XentError
from xent.kernels.by_column import ByColumn
from xent.scoring.key_columns import countable
from xent.scoring.memory import joined
from xent.sources.blocks import prediction_block
from xent.sources.frames import with_text_names
from xent.sources.plain_types import plain_columns

__all__ = [
    "Rows",
    "as_array",
    "as_arrow",
    "as_keys",
    "as_labels",
    "as_predictions",
    "as_weights",
    "block_of",
    "common_rows",
    "prediction_slices",
    "row_slices",
    "rows_of",
    "slice_of",
]


class Rows(NamedTuple):
    """Some consecutive rows, as they come."""

    predictions: Any  # (rows, columns) or (rows,), or what makes them, or those before `stop`, for `block_of`
    labels: Any  # (rows,) or (rows, classes); a NumPy array or an Arrow column
    weights: NDArray[np.float64] | None
    place: Place
    keys: Mapping[str, pa.Array] = {}


def block_of(rows: Rows, apart: bool = False) -> Any:
    """The predictions, which may be memory that this thread uses again for the next; `apart` allows a `ByColumn`."""
    block = rows.predictions() if callable(rows.predictions) else rows.predictions
    return block if apart or not isinstance(block, ByColumn) else joined(block)


def as_array(name: str, values: Any) -> NDArray[Any]:
    """Any array-like as a NumPy array: tensors come to the CPU, 16-bit floats become float32.

    Raises:
        ArgumentTypeError: it cannot be read as an array of numbers, booleans or texts of one shape.
    """
    refuse_masked(name, values)
    try:
        if hasattr(values, "detach"):
            values = values.detach().cpu()
            values = values.float() if "bfloat16" in str(values.dtype) else values.numpy()
        array = np.asarray(values)
    except (ValueError, TypeError, RuntimeError) as error:
        raise ArgumentTypeError(f"{name} cannot be read as an array: {error}. Pass rows of equal length.") from error
    if array.dtype.kind in "cmMV" and array.dtype.name != "bfloat16":
        raise ArgumentTypeError(f"{name} has dtype {array.dtype}, but must hold numbers, booleans or text.")
    if array.dtype in (np.float16, np.longdouble) or array.dtype.kind == "V":  # bfloat16
        array = array.astype(np.float64 if array.dtype == np.longdouble else np.float32)
    return array.astype(array.dtype.newbyteorder("="), copy=False)


def as_predictions(predictions: Any) -> NDArray[Any] | pa.Table:
    """(rows, columns) or (rows,) floats, or an Arrow table whose columns have names.

    Raises:
        ArgumentTypeError: no array of numbers, and no table.
        ShapeError: neither one nor two axes, or nothing in it.
    """
    table = as_arrow("predictions", predictions)
    if isinstance(table, pa.Table):
        return table
    if table is not None:
        return pa.table({"predictions": table})
    array = as_array("predictions", predictions)
    if array.dtype.kind not in "fiub":
        raise ArgumentTypeError(f"predictions has dtype {array.dtype}, but must hold numbers.")
    if array.ndim not in (1, 2):
        raise ShapeError(
            f"predictions has shape {array.shape}, but must be (rows, classes), or (rows,) for two classes."
        )
    if array.size == 0:
        raise ShapeError(f"predictions has shape {array.shape}: there is nothing to score. Pass at least one row.")
    array = _without_axis(array)
    return array if array.dtype.kind == "f" else array.astype(np.float64)


def as_labels(labels: Any) -> Any:
    """A NumPy array (rows,) or (rows, classes), or an Arrow column.

    Raises:
        ArgumentTypeError: no array and no column.
        ShapeError: neither one nor two axes.
    """
    column = as_arrow("labels", labels)
    if isinstance(column, pa.Table):
        if column.num_columns > 1:
            return prediction_block(_one_batch(column), column.column_names)
        column = column.column(0)
    if column is not None:
        if not pa.types.is_nested(column.type):
            return column
        return _without_axis(prediction_block(_one_batch(pa.table({"labels": column})), "labels"))
    array = as_array("labels", labels)
    if array.ndim == 1 and "float16" in str(getattr(labels, "dtype", "")):
        raise ArgumentTypeError(
            f"labels have dtype {labels.dtype}, which rounds whole numbers above 256 or 2,048. Pass integer labels."
        )
    if array.ndim not in (1, 2):
        raise ShapeError(f"labels has shape {array.shape}, but must be (rows,), or (rows, classes) for soft labels.")
    if array.dtype.kind in "USO" and array.ndim == 2 and array.shape[1] != 1:
        raise ArgumentTypeError(f"labels has shape {array.shape} and dtype {array.dtype}; two axes need numbers.")
    return _without_axis(array)


def _one_batch(table: pa.Table) -> pa.RecordBatch:
    return table.combine_chunks().to_batches()[0]


def _without_axis(array: NDArray[Any]) -> NDArray[Any]:
    """(rows, 1) as (rows,)."""
    return array[:, 0] if array.ndim == 2 and array.shape[1] == 1 else array


def as_weights(weights: Any, rows: int) -> NDArray[np.float64] | None:
    """(rows,) float64, or None.

    Raises:
        ShapeError: not one weight a row.
    """
    if weights is None:
        return None
    column = as_arrow("sample_weight", weights)
    if column is not None:
        table = column if isinstance(column, pa.Table) else pa.table({"sample_weight": column})
        weights = prediction_block(_one_batch(table), table.column_names) if table.num_rows else []
    array = as_array("sample_weight", weights)
    if array.dtype.kind not in "fiub":
        raise ArgumentTypeError(f"sample_weight has dtype {array.dtype}, but must hold numbers.")
    if array.shape != (rows,):
        raise ShapeError(f"sample_weight has shape {array.shape}, but there are {rows:,} rows: pass one weight a row.")
    return array.astype(np.float64, copy=False)


def as_keys(name: str, values: Any, rows: int) -> pa.Array:
    """(rows,) texts, numbers, dates or intervals that say which group, cluster or example a row is of.

    Raises:
        ShapeError: not one a row.
        ArgumentTypeError: it cannot be read as a column, or its keys not told apart.
    """
    if _of_intervals(values):  # of pandas, by `pd.cut`
        values = [None if one != one else str(one) for one in values]
    column = as_arrow(name, values)
    if isinstance(column, pa.Table):
        column = column.column(0) if column.num_columns == 1 else None
    if column is None:
        dates = str(getattr(values, "dtype", "")).startswith("datetime64")
        array = np.asarray(values) if dates else as_array(name, values)
        if array.ndim != 1:
            raise ShapeError(f"{name} has shape {array.shape}, but must be (rows,): one for each row.")
        try:
            column = pa.array(array, from_pandas=True)  # NaN is missing
        except (pa.ArrowInvalid, pa.ArrowTypeError) as error:
            raise ArgumentTypeError(
                f"{name} cannot be read as one type: {error}. Pass texts or whole numbers."
            ) from error
    if len(column) != rows:
        raise ShapeError(f"{name} has {len(column):,} entries, but there are {rows:,} rows: pass one for each row.")
    column = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    return countable(name, column, lambda row: f"{name}[{row}]")


def _of_intervals(values: Any) -> bool:
    dtype = getattr(values, "dtype", None)
    return str(getattr(getattr(dtype, "categories", None), "dtype", dtype)).startswith("interval")


def as_arrow(name: str, values: Any) -> Any:
    """The Arrow table or column behind `values`; None if it is not one."""
    if isinstance(values, pa.Table | pa.ChunkedArray | pa.Array):
        return plain_columns(values)
    if isinstance(values, pa.RecordBatch):
        return plain_columns(pa.Table.from_batches([values]))
    if not hasattr(values, "__arrow_c_stream__"):
        return None
    if hasattr(values, "reset_index"):  # pandas would hand over its index as a column
        values = with_text_names(values.reset_index(drop=True))
    try:
        column = pa.chunked_array(values)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError, TypeError, ValueError) as error:
        raise ArgumentTypeError(
            f"{name} cannot be read as an Arrow table or column: {'; '.join(map(str, error.args))}.\n"
            "Give each column values of one type, such as numbers or text."
        ) from error
    return plain_columns(pa.Table.from_struct_array(column) if pa.types.is_struct(column.type) else column)


def common_rows(labels: Any, predictions: Any) -> int:
    """The number of rows of both.

    Raises:
        ShapeError: they differ.
    """
    rows = rows_of(predictions)
    if rows_of(labels) != rows:
        raise ShapeError(f"labels has {rows_of(labels):,} rows and predictions {rows:,}; pass one label a row.")
    return rows


def rows_of(values: Any) -> int:
    """The number of rows."""
    return int(values.num_rows if isinstance(values, pa.Table) else len(values))


def slice_of(column: Any, start: int, stop: int) -> Any:
    """Rows start to stop of a NumPy array or an Arrow column or table."""
    if isinstance(column, np.ndarray):
        return column[start:stop]
    return column.slice(start, stop - start)


def prediction_slices(predictions: Any, columns: tuple[str, ...] | None, step: int) -> Iterator[tuple[int, Any]]:
    """(first row, floats) of `step` rows at a time; `columns` picks and orders those of a table."""
    for start in range(0, rows_of(predictions), step):
        part = slice_of(predictions, start, start + step)
        if not isinstance(part, pa.Table):
            yield start, part
            continue
        batch = _one_batch(part)
        names = columns or tuple(part.column_names)
        try:
            block = prediction_block(batch, names, first_row=start)
        except XentError as error:
            if error.row is not None and error.row > start:  # the rows before may be at fault too
                block = prediction_block(batch.slice(0, error.row - start), names, first_row=start)
                yield start, _without_axis(block)
            raise
        yield start, _without_axis(block)


def row_slices(
    labels: Any,
    predictions: Any,
    weights: NDArray[np.float64] | None,
    columns: tuple[str, ...] | None,
    step: int,
    place: Place,
    keys: Mapping[str, pa.Array] | None = None,
) -> Iterator[Rows]:
    """The rows, `step` at a time."""
    if isinstance(predictions, pa.Table) and predictions.num_columns > 1:
        place = place._replace(predictions=columns or tuple(predictions.column_names))
    for start, block in prediction_slices(predictions, columns, step):
        yield Rows(
            block,
            slice_of(labels, start, start + len(block)),
            None if weights is None else weights[start : start + len(block)],
            place.after(start),
            {name: column.slice(start, len(block)) for name, column in (keys or {}).items()},
        )
