"""Predictions of Spark ML: vectors, dense and sparse, as they are in Parquet and in JSON.

A classifier writes `rawPrediction`, `probability` (vectors) and `prediction`, the class it would choose. The vectors are
structs of type (0 sparse, 1 dense), size, indices and values: pyspark.ml.linalg.VectorUDT.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from xent.errors import SourceError
from xent.sources.arrays import numpy_array
from xent.sources.layouts import Conversion, Layout, Meaning, Place, first_batch
from xent.sources.table import Table
from xent.sources.types import is_list
from xent.texts.catalogue import sentence

__all__ = ["spark_layout"]

Bools = NDArray[np.bool_]
Int64 = NDArray[np.int64]

_FIELDS = {"type", "size", "indices", "values"}
_TWO_CLASSES = (
    "column {!r} of Spark ML has two numbers a row, [−m, m], and which probability they stand for depends on the model: "
    "1 / (1 + exp(−m)) of logistic regression, 1 / (1 + exp(−2 m)) of boosted trees, none of support vectors.\n"
    "Score the column `probability`, or write vector_to_array(rawPrediction)[1] as a column and pass --kind logits."
)


def spark_layout(table: Table) -> Layout | None:
    """What Spark ML's vectors mean, if the table has any; columns called features stay as they are."""
    vectors = [one.name for one in table.schema if _is_vector(one.type) and "features" not in one.name.lower()]
    if not vectors:
        return None
    meanings = []
    if "probability" in vectors:
        meanings.append(Meaning("probability", ("probability",), sentence("note.spark.probability")))
    if "rawPrediction" in vectors:
        note = sentence("note.spark.raw")
        refusal = _TWO_CLASSES.format("rawPrediction") if _size(table, "rawPrediction") == 2 else None
        meanings.append(Meaning("rawPrediction", ("rawPrediction",), note, kind="logits", refusal=refusal))
    conversions = {name: Conversion((pa.field(name, pa.list_(pa.float64())),), _as_lists) for name in vectors}
    explained = frozenset({"probability", "rawPrediction", "prediction"}) if meanings else frozenset()
    return Layout(tuple(meanings), conversions, explained=explained)


def _is_vector(kind: pa.DataType) -> bool:
    """JSON has neither size nor indices where no vector is sparse, and its numbers are 64 bits wide."""
    if not pa.types.is_struct(kind):
        return False
    names = {kind.field(i).name for i in range(kind.num_fields)}
    whole = "type" in names and pa.types.is_integer(kind.field("type").type)
    values = "values" in names and is_list(kind.field("values").type)
    return whole and values and names <= _FIELDS


def _size(table: Table, name: str) -> int | None:
    """The length of the first vector."""
    for vector in first_batch(table, name).to_pylist():
        if vector is not None:
            return int(len(vector["values"]) if vector["type"] == 1 else vector["size"])
    return None


def _as_lists(vectors: pa.Array, place: Place) -> list[pa.Array]:
    """Dense lists of floats; null where the vector is."""
    present = np.asarray(pc.is_valid(vectors))
    rows, given = np.flatnonzero(present), vectors.drop_null()
    types = _whole(given, "type")
    sparse = types == 0
    _refuse((types != 0) & (types != 1), rows, place, lambda i: f"has a vector of type {types[i]}, not 0 or 1")
    values = pc.struct_field(given, "values")
    stored = numpy_array(pc.fill_null(pc.list_value_length(values), 0)).astype(np.int64)
    position = np.arange(stored.sum()) - np.repeat(np.cumsum(stored) - stored, stored)  # (stored values,), in its row
    sizes = np.where(sparse, _whole(given, "size"), stored) if sparse.any() else stored
    _refuse(sizes < 0, rows, place, lambda _: "is a sparse vector without a size")
    if sparse.any():
        position[np.repeat(sparse, stored)] = _indices(given, sparse, stored, rows, place)
        owner = np.repeat(np.arange(len(given)), stored)
        outside = (position < 0) | (position >= sizes[owner])
        outside[1:] |= (owner[1:] == owner[:-1]) & (position[1:] <= position[:-1])  # out of order, or twice
        bad = np.bincount(owner, outside, minlength=len(given)) > 0
        _refuse(bad, rows, place, lambda i: f"has the indices {position[owner == i].tolist()}, which must rise within "
                f"[0, {sizes[i]})")  # fmt: skip
    flat = np.zeros(sizes.sum())
    flat[np.repeat(np.cumsum(sizes) - sizes, stored) + position] = _numbers(values)
    lengths = np.zeros(len(vectors), np.int64)
    lengths[rows] = sizes
    offsets = pa.array(np.concatenate([[0], np.cumsum(lengths)]), pa.int32())
    return [pa.ListArray.from_arrays(offsets, pa.array(flat), mask=pa.array(~present))]


def _indices(given: pa.Array, sparse: Bools, stored: Int64, rows: Int64, place: Place) -> Int64:
    """The positions of the stored values of all sparse vectors."""
    if given.type.get_field_index("indices") < 0:
        _refuse(sparse, rows, place, lambda _: "is a sparse vector without indices")
    indices = pc.struct_field(given, "indices")
    counts = numpy_array(pc.fill_null(pc.list_value_length(indices), 0)).astype(np.int64)
    _refuse(sparse & (counts != stored), rows, place, lambda i: f"has {counts[i]} indices for {stored[i]} values")
    return numpy_array(pc.fill_null(indices.filter(pa.array(sparse)).flatten(), -1)).astype(np.int64)


def _numbers(values: pa.Array) -> Any:
    return numpy_array(pc.fill_null(values.flatten().cast(pa.float64()), np.nan))


def _whole(given: pa.Array, name: str) -> Int64:
    if given.type.get_field_index(name) < 0:
        return np.full(len(given), -1)
    return numpy_array(pc.fill_null(pc.struct_field(given, name), -1)).astype(np.int64)


def _refuse(wrong: Bools, rows: Int64, place: Place, what: Callable[[int], str]) -> None:
    """Name the first wrong vector; `rows` are where the given ones are in the batch."""
    if wrong.any():
        first = int(np.argmax(wrong))
        raise SourceError(
            f"{place(int(rows[first]))} {what(first)}.\nThe file may be damaged, or not written by Spark ML: write it again."
        )
