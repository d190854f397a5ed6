"""The rows of chosen columns, with every label, prediction and weight present."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace

import pyarrow as pa
import pyarrow.compute as pc

from xent.errors import SourceError
from xent.sources.columns import Columns
from xent.sources.failures import place
from xent.sources.table import BATCH_BYTES, Batch, Table
from xent.sources.types import first_uncastable, is_list, is_numeric, is_text, value_type

__all__ = ["read_rows", "refuse_text"]

_COMMA = re.compile(r" is '[-+]?\d*,\d+(e[-+]?\d+)?'$", re.IGNORECASE)  # 0,5


def read_rows(
    table: Table, columns: Columns, *, also: Sequence[str] = (), batch_bytes: int = BATCH_BYTES
) -> Iterator[Batch]:
    """Read the chosen columns, and others beside them, batch by batch.

    Args:
        table: from `open_files` or `open_frame`.
        columns: from `choose_columns`.
        also: further columns, for example groups; these may have missing values.
        batch_bytes: about how much memory one batch takes.

    Raises:
        SourceError: a label, prediction or weight is missing, or a prediction or weight is no number; names file,
            row and column. Nothing is read before the types are checked.
    """
    weight = [columns.weight] if columns.weight else []
    for name in columns.predictions:
        refuse_text(table, name, lists=True)
    for name in weight:
        refuse_text(table, name, lists=False)
    needed = columns.names
    nested = any(_is_nested(table.schema.field(name).type) for name in needed)
    for batch in table.batches(list(dict.fromkeys([*needed, *also])), batch_bytes=batch_bytes):
        gaps = nested or any(column.null_count for column in batch.data.columns)
        incomplete = [_missing(batch, name) for name in needed if _is_incomplete(batch.data[name])] if gaps else []
        if not incomplete:
            yield batch
            continue
        first = min(incomplete, key=lambda error: error.row or 0)
        before = (first.row or 0) - batch.first_row
        if before:  # they may be at fault too
            yield replace(batch, data=batch.data.slice(0, before))
        raise first


def refuse_text(table: Table, name: str, lists: bool) -> None:
    """Stop at a column of neither numbers nor (where these may be) lists of them; look for the value that made it so.

    Raises:
        SourceError: the column is such a one.
    """
    kind = value_type(table.schema.field(name).type)
    if is_numeric(kind.value_type if lists and is_list(kind) else kind) or pa.types.is_null(kind):
        return  # a column of nulls alone has no rows, or missing values, which is said as such
    found = _first_text(table, name) if is_text(kind) else None
    where = f"{found}, which is no number" if found else f"column {name!r} is not numeric"
    step = "Write numbers with a decimal point, not a comma" if found and _COMMA.search(found) else "Correct the row"
    raise SourceError(
        f"{where}; the column's type is {kind}, and predictions and weights must be numbers.\n"
        f"{step}, or choose another column with --prediction (prediction=) or --weight (sample_weight=)."
    )


def _first_text(table: Table, name: str) -> str | None:
    for batch in table.batches([name]):
        values = pc.utf8_trim_whitespace(pc.cast(batch.data[name], pa.large_string()))
        index = first_uncastable(values, pa.float64())
        if index is not None:
            return f"{place(batch.source, batch.first_row + index, name)} is {values[index].as_py()!r}"
    return None


def _missing(batch: Batch, name: str) -> SourceError:
    index = pc.index(_gaps(batch.data[name]), True).as_py()
    row = batch.first_row + index
    where = place(batch.source, row, name)
    return SourceError(
        f"{where} is missing (null or empty).\nFill it in or remove the row; xent does not guess."
    ).of_row(row)


def _is_nested(kind: pa.DataType) -> bool:
    return is_list(kind) or bool(pa.types.is_dictionary(kind))


def _is_incomplete(column: pa.Array) -> bool:
    """Look also into lists, and into dictionaries with a null among their values."""
    if column.null_count or not _is_nested(column.type):
        return bool(column.null_count)
    if pa.types.is_dictionary(column.type):
        return bool(column.dictionary.null_count) and bool(pc.any(_gaps(column)).as_py())
    return bool(column.flatten().null_count)


def _gaps(column: pa.Array) -> pa.Array:
    """(rows,) where there is no value, or one that has a gap itself."""
    if pa.types.is_dictionary(column.type):
        return column.dictionary.is_null().take(column.indices).fill_null(True)
    if is_list(column.type):
        return pa.array([value is None or None in value for value in column.to_pylist()])
    return column.is_null()
