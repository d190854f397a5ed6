"""Rows that belong together: by a key or by position, the same truth in each model."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from xent.scoring.compare_rows import ModelRows
from xent.scoring.pairing_faults import Faults
from xent.sources.arrays import numpy_array

__all__ = ["Paired", "holder_of", "pair", "pieces_of"]

Float64 = NDArray[np.float64]
Int64 = NDArray[np.int64]


class Paired(NamedTuple):
    """Rows that all models have, of a weight above 0; row i is the same example everywhere."""

    nats: tuple[Float64, ...]  # by model, (rows,)
    truth: Int64 | None  # (rows,) codes of the first model's classes; None of several labels a row
    weights: Float64 | None
    clusters: pa.Array | None  # int64 or text
    groups: Int64 | None


def pieces_of(paired: Paired, step: int) -> Iterator[Paired]:
    """The rows, `step` at a time."""
    for start in range(0, len(paired.nats[0]), step):
        rows = slice(start, start + step)
        yield Paired(
            nats=tuple(nats[rows] for nats in paired.nats),
            truth=None if paired.truth is None else paired.truth[rows],
            weights=None if paired.weights is None else paired.weights[rows],
            clusters=None if paired.clusters is None else paired.clusters.slice(start, step),
            groups=None if paired.groups is None else paired.groups[rows],
        )


def holder_of(parts: Sequence[pa.RecordBatch], column: str) -> int | None:
    """The first model that has the column."""
    return next((i for i, part in enumerate(parts) if column in part.schema.names), None)


def pair(
    parts: Sequence[pa.RecordBatch], models: Sequence[ModelRows], on: bool, faults: Faults, unique: bool
) -> tuple[Paired | None, int]:
    """The rows of the parts that all models have, and how many they are, those of weight 0 included; None for none.

    Args:
        parts: of each model, as `aligning` hands them out.
        models: where they are from.
        on: whether rows have keys; without, they belong together as they come.
        faults: is told what is wrong with them.
        unique: whether keys are known to occur once, in ascending order.

    Raises:
        LabelError: one model has one label a row, and another several.
    """
    faults.refuse_other_targets()
    if on and not unique:
        for i, part in enumerate(parts):
            faults.note_repeats(i, part)
    rows = _matches([part.column("on") for part in parts], unique) if on else None
    if rows is not None:
        parts = [part.take(pa.array(index)) for part, index in zip(parts, rows, strict=True)]
    matched = parts[0].num_rows
    if matched == 0:
        return None, 0
    faults.note_labels(parts)
    faults.note_weights(parts)
    holder = holder_of(parts, "weight")
    weights = None if holder is None else numpy_array(parts[holder].column("weight"))
    if weights is not None and not (weights > 0.0).all():
        used = np.flatnonzero(weights > 0.0)
        weights, parts = weights[used], [part.take(pa.array(used)) for part in parts]
        if len(used) == 0:
            return None, matched
    faults.note_keys(parts)
    by_cluster, by_group = holder_of(parts, "cluster"), holder_of(parts, "group")
    if by_cluster is not None:
        faults.note_missing_clusters(by_cluster, parts[by_cluster])
    return Paired(
        nats=tuple(numpy_array(part.column("nats")) for part in parts),
        truth=None if models[0].several else numpy_array(parts[0].column("truth")).astype(np.int64),
        weights=weights,
        clusters=None if by_cluster is None else parts[by_cluster].column("cluster"),
        groups=None if by_group is None else numpy_array(parts[by_group].column("group")).astype(np.int64),
    ), matched


def _matches(keys: Sequence[pa.Array], ascending: bool) -> list[Int64] | None:
    """For each model, which of its rows have partners in all, in the first model's order; None: all, as they come."""
    if all(len(other) == len(keys[0]) and pc.all(pc.equal(keys[0], other)).as_py() for other in keys[1:]):
        return None
    found = [_positions(keys[0], other, ascending) for other in keys[1:]]
    common = np.logical_and.reduce([index >= 0 for index in found])
    return [np.flatnonzero(common), *(index[common] for index in found)]


def _positions(keys: pa.Array, others: pa.Array, ascending: bool) -> Int64:
    """Where each key is among the others; −1 if it is not."""
    if ascending and len(others) and pa.types.is_int64(keys.type):
        wanted, known = numpy_array(keys), numpy_array(others)
        at = np.minimum(np.searchsorted(known, wanted), len(known) - 1)
        return np.where(known[at] == wanted, at, -1)
    return numpy_array(pc.index_in(keys, value_set=others).fill_null(-1)).astype(np.int64)
