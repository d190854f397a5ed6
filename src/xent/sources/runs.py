"""Run-end encoded columns, of which Arrow can do little, as plain ones."""

from typing import Any

import numpy as np
import pyarrow as pa

from xent.sources.arrays import numpy_array

__all__ = ["without_runs", "without_runs_schema"]


def without_runs_schema(schema: pa.Schema) -> pa.Schema:
    """The types that columns have once their runs are written out."""
    for index, kind in enumerate(schema.types):
        if pa.types.is_run_end_encoded(kind):
            schema = schema.set(index, schema.field(index).with_type(_of_values(kind)))
    return schema


def without_runs(data: Any) -> Any:
    """An array, a chunked one, a table or a batch with its runs written out; anything else as it is."""
    if isinstance(data, pa.RunEndEncodedArray):
        rows = np.arange(data.offset, data.offset + len(data))
        runs = pa.array(np.searchsorted(numpy_array(data.run_ends), rows, side="right"))
        return data.values.cast(_of_values(data.type)).take(runs)
    if isinstance(data, pa.ChunkedArray) and pa.types.is_run_end_encoded(data.type):
        return pa.chunked_array([without_runs(chunk) for chunk in data.chunks], _of_values(data.type))
    if isinstance(data, pa.Table | pa.RecordBatch) and any(map(pa.types.is_run_end_encoded, data.schema.types)):
        columns = [without_runs(column) for column in data.columns]
        return type(data).from_arrays(columns, schema=without_runs_schema(data.schema))
    return data


def _of_values(kind: pa.RunEndEncodedType) -> pa.DataType:
    """What Arrow can take single values of."""
    return pa.string() if pa.types.is_string_view(kind.value_type) else kind.value_type
