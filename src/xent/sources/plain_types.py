"""Columns of types of which Arrow can do little, as plain ones: run-end encoded, and decimals of 32 and 64 bits."""

from typing import Any

import numpy as np
import pyarrow as pa

from xent.sources.arrays import numpy_array

__all__ = ["chosen_columns", "plain_columns", "plain_schema"]


def plain_schema(schema: pa.Schema) -> pa.Schema:
    """The types that columns have once they are plain."""
    for index, kind in enumerate(schema.types):
        if _plain(kind) != kind:
            schema = schema.set(index, schema.field(index).with_type(_plain(kind)))
    return schema


def chosen_columns(batch: pa.RecordBatch, schema: pa.Schema) -> pa.RecordBatch:
    """The columns of a plain schema, in its order."""
    return batch if batch.schema.equals(schema) else plain_columns(batch.select(schema.names))


def plain_columns(data: Any) -> Any:
    """An array, a chunked one, a table or a batch with the same values in plain types; anything else as it is."""
    if isinstance(data, pa.Table | pa.RecordBatch) and any(_plain(kind) != kind for kind in data.schema.types):
        columns = [plain_columns(column) for column in data.columns]
        return type(data).from_arrays(columns, schema=plain_schema(data.schema))
    if not isinstance(data, pa.Array | pa.ChunkedArray) or _plain(data.type) == data.type:
        return data
    if isinstance(data, pa.ChunkedArray):
        return pa.chunked_array([plain_columns(chunk) for chunk in data.chunks], _plain(data.type))
    if not isinstance(data, pa.RunEndEncodedArray):
        return data.cast(_plain(data.type))
    rows = np.arange(data.offset, data.offset + len(data))
    runs = pa.array(np.searchsorted(numpy_array(data.run_ends), rows, side="right"))
    return data.values.cast(_plain(data.type)).take(runs)


def _plain(kind: pa.DataType) -> pa.DataType:
    """What Arrow can count values of, and take single ones."""
    if pa.types.is_run_end_encoded(kind):
        return pa.string() if pa.types.is_string_view(kind.value_type) else _plain(kind.value_type)
    if pa.types.is_dictionary(kind):
        return pa.dictionary(kind.index_type, _plain(kind.value_type), kind.ordered)
    return pa.decimal128(kind.precision, kind.scale) if pa.types.is_decimal(kind) and kind.bit_width < 128 else kind
