"""Predictions of BigQuery ML: `predicted_<label>_probs`, an array of (label, prob) in each row, in any order.

https://cloud.google.com/bigquery/docs/reference/standard-sql/bigqueryml-syntax-predict
"""

import re
from functools import partial

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from xent.errors import SourceError
from xent.sources.arrays import numpy_array
from xent.sources.layouts import Conversion, Layout, Meaning, Place, first_batch
from xent.sources.table import Table
from xent.sources.types import is_list, is_numeric
from xent.texts.catalogue import sentence

__all__ = ["bigquery_layout"]

_NAME = re.compile(r"predicted_(.+)_probs", re.IGNORECASE)


def bigquery_layout(table: Table) -> Layout | None:
    """What columns of BigQuery ML mean, if the table has any: a column of probabilities for each label."""
    meanings, conversions, labels = [], {}, []
    for one in table.schema:
        name = _NAME.fullmatch(one.name)
        if name is None or not _is_probabilities(one.type):
            continue
        classes = _classes(one.name, first_batch(table, one.name))
        fields = tuple(pa.field(f"{one.name}_{label}", pa.float64()) for label in classes)
        conversions[one.name] = Conversion(fields, partial(_as_columns, classes))
        note = sentence("note.bigquery", name=repr(one.name), count=len(classes))
        meanings.append(Meaning(one.name, tuple(field.name for field in fields), note, classes))
        labels += [column for column in table.schema.names if column.lower() == name[1].lower()]
    if not meanings:
        return None
    return Layout(tuple(meanings), conversions, label=labels[0] if len(labels) == len(meanings) == 1 else None)


def _is_probabilities(kind: pa.DataType) -> bool:
    if not is_list(kind) or not pa.types.is_struct(kind.value_type):
        return False
    pair = kind.value_type
    names = {pair.field(i).name for i in range(pair.num_fields)}
    return names == {"label", "prob"} and is_numeric(pair.field("prob").type)


def _classes(name: str, first: pa.Array) -> tuple[str, ...]:
    """The labels of the first row that has some; in order of their numbers, or of their names."""
    sizes = _sizes(first)
    if not sizes.any():
        raise SourceError(f"column {name!r} is missing (null or empty) in the first {len(first)} rows.\nRemove them.")
    found = {str(label) for label in _names(first.flatten()[: int(sizes[np.argmax(sizes > 0)])]).to_pylist()}
    whole = all(re.fullmatch(r"-?\d+", label) for label in found)
    return tuple(sorted(found, key=lambda label: (int(label), label) if whole else (0, label)))


def _sizes(lists: pa.Array) -> NDArray[np.int64]:
    return numpy_array(pc.fill_null(pc.list_value_length(lists), 0)).astype(np.int64)


def _names(pairs: pa.Array) -> pa.Array:
    return pc.cast(pc.struct_field(pairs, "label"), pa.string())


def _as_columns(classes: tuple[str, ...], lists: pa.Array, place: Place) -> list[pa.Array]:
    """A column for each class, whatever the order within the rows; null where the list or the probability is."""
    rows = np.flatnonzero(np.asarray(pc.is_valid(lists)))
    sizes = _sizes(lists)[rows]
    pairs = lists.flatten()  # without those of null lists
    codes = numpy_array(pc.fill_null(pc.index_in(_names(pairs), pa.array(classes)), -1)).astype(np.int64)
    owner = np.repeat(np.arange(len(rows)), sizes)
    seen = np.zeros((len(rows), len(classes)), np.int64)
    np.add.at(seen, (owner[codes >= 0], codes[codes >= 0]), 1)
    wrong = (sizes != len(classes)) | (seen != 1).any(axis=1)
    if wrong.any():
        first = int(np.argmax(wrong))
        found = _names(pairs.slice(int(sizes[:first].sum()), int(sizes[first]))).to_pylist()
        raise SourceError(
            f"{place(int(rows[first]))} has the labels {found}, but the first row has {list(classes)}.\n"
            "Every row needs a probability for each label, once: predict all rows with one model."
        )
    probabilities = pc.struct_field(pairs, "prob").cast(pa.float64())
    numbers, missing = np.zeros((len(lists), len(classes))), np.ones((len(lists), len(classes)), np.bool_)
    numbers[rows[owner], codes] = numpy_array(pc.fill_null(probabilities, 0.0))
    missing[rows[owner], codes] = np.asarray(pc.is_null(probabilities))
    return [pa.array(column, mask=mask) for column, mask in zip(numbers.T, missing.T, strict=True)]
