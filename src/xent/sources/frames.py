"""Tables in memory, not copied: whatever speaks the Arrow PyCapsule interface, and dicts of NumPy arrays."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa

from xent.errors import ArgumentTypeError, SourceError
from xent.sources.arrays import arrow_array, arrow_type
from xent.sources.names import narrowed
from xent.sources.plain_types import plain_columns, plain_schema
from xent.sources.table import BATCH_BYTES, Batch, Table, bytes_per_value, resized, rows_per_batch

__all__ = ["ArrayTable", "StreamTable", "open_frame", "with_text_names"]

_WHAT = "Pass a file name, a list of them, a pyarrow, pandas, polars or DuckDB table, or a dict of NumPy arrays."


@dataclass(frozen=True)
class StreamTable:
    """A table that exports itself as an Arrow stream, anew for each reading."""

    frame: Any
    schema: pa.Schema
    rows: int | None
    once: list[pa.RecordBatchReader] | None = field(default=None)  # the one reading that a bare reader has
    bytes: None = None

    def batches(self, columns: Sequence[str], *, batch_bytes: int = BATCH_BYTES) -> Iterator[Batch]:
        """Read the columns from the first row on; may be called again, unless the frame is a reader itself.

        Raises:
            SourceError: there is no row, or a reader that can be read once is read again.
        """
        names = narrowed(self.schema, columns).names
        first_row = 0
        with _exporting(), self._stream() as stream:
            for data in resized((plain_columns(batch.select(names)) for batch in stream), batch_bytes):
                yield Batch(None, first_row, data)
                first_row += data.num_rows
        if not first_row:
            raise SourceError("the table has no rows.\nA data set needs at least one row.")

    def _stream(self) -> pa.RecordBatchReader:
        if self.once is None:
            return pa.RecordBatchReader.from_stream(self.frame)
        if not self.once:
            raise SourceError(
                "a RecordBatchReader can be read once only.\nPass the table itself, or reader.read_all()."
            )
        return self.once.pop()


@dataclass(frozen=True)
class ArrayTable:
    """NumPy arrays by name, one row of each at a time."""

    arrays: Mapping[str, Any]  # NumPy arrays, and Arrow arrays where NumPy holds Python objects
    schema: pa.Schema
    rows: int
    bytes: None = None

    def batches(self, columns: Sequence[str], *, batch_bytes: int = BATCH_BYTES) -> Iterator[Batch]:
        """Read the columns from the first row on; may be called again."""
        schema = narrowed(self.schema, columns)
        step = rows_per_batch(sum(bytes_per_value(kind) or 64 for kind in schema.types), batch_bytes)
        for start in range(0, self.rows, step):
            parts = [self.arrays[name][start : start + step] for name in schema.names]
            data = [_as_arrow(part, kind) for part, kind in zip(parts, schema.types, strict=True)]
            yield Batch(None, start, pa.RecordBatch.from_arrays(data, schema=schema))


def open_frame(frame: object) -> Table:
    """Open a table in memory.

    Args:
        frame: anything with `__arrow_c_stream__` (pyarrow tables and readers, pandas, polars and DuckDB tables), or
            a dict of arrays: 1-D ones are columns, a 2-D one is a column of predictions, one per class.

    Returns:
        A table. A pyarrow RecordBatchReader is not buffered: it can be read once.

    Raises:
        ArgumentTypeError: nothing of the kind.
        SourceError: arrays differ in length or cannot be columns; there are no rows.
    """
    if isinstance(frame, Mapping):
        return _open_arrays(frame)
    if not hasattr(frame, "__arrow_c_stream__"):
        raise ArgumentTypeError(f"a {type(frame).__module__}.{type(frame).__qualname__} is not a table.\n{_WHAT}")
    frame = with_text_names(frame)
    with _exporting():
        if isinstance(frame, pa.RecordBatchReader):
            return StreamTable(frame, plain_schema(frame.schema.remove_metadata()), None, [frame])
        with pa.RecordBatchReader.from_stream(frame) as stream:
            return StreamTable(frame, plain_schema(stream.schema.remove_metadata()), _known_rows(frame))


def with_text_names(frame: Any) -> Any:
    """The same; a pandas frame some of whose columns have numbers for names gets texts, of which it would warn."""
    names = getattr(frame, "columns", None)
    mixed = str(getattr(names, "inferred_type", "")).startswith("mixed") and getattr(names, "nlevels", 1) == 1
    return frame.rename(columns=str) if mixed else frame


@contextmanager
def _exporting() -> Iterator[None]:
    """Turn whatever the owner of a table raises while it hands out rows, of any library, into a SourceError."""
    try:
        yield
    except SourceError:
        raise
    except Exception as error:
        message = "; ".join(map(str, error.args)).strip().splitlines() or [type(error).__name__]
        raise SourceError(
            f"the table cannot be read: {message[0].rstrip('. ')}.\nPass the finished rows, for example as a pyarrow Table."
        ) from error


def _known_rows(frame: Any) -> int | None:
    """Ask only where counting is free; a DuckDB relation would run its query."""
    if type(frame).__module__.split(".")[0] == "pandas":
        return len(frame)
    rows = getattr(frame, "num_rows", getattr(frame, "height", None))
    return rows if isinstance(rows, int) else None


def _open_arrays(given: Mapping[str, Any]) -> ArrayTable:
    arrays = {str(name): _array(str(name), value) for name, value in given.items()}
    if not arrays:
        raise SourceError("the dict has no arrays.\nPass labels and predictions by name.")
    lengths = {name: len(array) for name, array in arrays.items()}
    if len(set(lengths.values())) > 1:
        said = ", ".join(f"{name!r} has {length}" for name, length in lengths.items())
        raise SourceError(f"the arrays differ in rows: {said}.\nAll columns need one value per row.")
    if not max(lengths.values()):
        raise SourceError("the table has no rows.\nA data set needs at least one row.")
    types = [
        (name, a.type if isinstance(a, pa.Array) else arrow_type(name, a.dtype, a.shape)) for name, a in arrays.items()
    ]
    return ArrayTable(arrays, pa.schema(types), max(lengths.values()))


def _array(name: str, value: Any) -> Any:
    """Take an array or nested lists; Arrow finds the type of what NumPy holds as Python objects."""
    try:
        array = value if isinstance(value, np.ma.MaskedArray) else np.asarray(value)
        if array.ndim not in (1, 2):
            arrow_type(name, array.dtype, array.shape)
        return pa.array(array.tolist()) if array.dtype.kind == "O" else array
    except SourceError:
        raise
    except (TypeError, ValueError, RuntimeError, pa.ArrowException) as error:
        raise SourceError(f"column {name!r} cannot be read as an array: {error}.\n{_WHAT}") from error


def _as_arrow(part: Any, kind: pa.DataType) -> pa.Array:
    return part if isinstance(part, pa.Array) else arrow_array(part, kind)
