"""Rows of several models set side by side: by a key or by position, the same truth in each."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from xent.errors import LabelError, ShapeError, SourceError, WeightError
from xent.scoring.compare_rows import ScoredRows
from xent.scoring.plan import Label
from xent.sources.arrays import numpy_array

__all__ = ["Paired", "pair"]

Float64 = NDArray[np.float64]
Int64 = NDArray[np.int64]


class Paired(NamedTuple):
    """The rows that all models have, of a weight above 0; row i is the same example everywhere."""

    nats: tuple[Float64, ...]  # by model, (rows,)
    truth: Int64 | None  # (rows,) codes of the first model's classes; None of several labels a row
    weights: Float64 | None
    clusters: Int64 | None
    groups: Int64 | None  # codes of group_names
    group_names: tuple[Label | None, ...]  # None for rows without a group
    left_out: tuple[int, ...]  # by model, rows that not all others have
    notes: tuple[str, ...]


def pair(models: Sequence[ScoredRows], classes: tuple[Label, ...], on: str | None) -> Paired:
    """Align the rows of all models.

    Args:
        models: two or more.
        classes: those of the first model, for messages.
        on: the key's name for messages; None aligns by position.

    Raises:
        SourceError: a key is missing or occurs twice, no key is in all models, or a cluster is missing.
        ShapeError: without keys, the models differ in rows.
        LabelError: matched rows have different labels.
        WeightError: they have different weights, or none above 0.
    """
    if any(model.several != models[0].several for model in models):
        one, other = sorted(models, key=lambda model: model.several)[:: len(models) - 1]
        raise LabelError(f"{one.name} has one label a row and {other.name} several, or shares.\nGive both the same.")
    notes: list[str] = []
    rows = _by_position(models) if on is None else _by_key(models, on, notes)
    keys = None if on is None else models[0].keys["on"]
    _refuse_other_labels(models, rows, classes, on, keys)
    weights = _weights(models, rows, notes)
    if weights is not None:
        used = weights > 0.0
        if not used.any():
            raise WeightError(
                "sample_weight is 0 in every row: nothing is left to compare. Give some a weight above 0."
            )
        weights, picked = weights[used], [index[used] for index in rows]
    else:
        picked = rows
    clusters, _ = _codes(models, picked, "cluster", notes)
    groups, names = _codes(models, picked, "group", notes)
    return Paired(
        nats=tuple(model.nats[index] for model, index in zip(models, picked, strict=True)),
        truth=None if models[0].several else models[0].truth[picked[0]],
        weights=weights,
        clusters=clusters,
        groups=groups,
        group_names=names,
        left_out=tuple(len(model.nats) - len(index) for model, index in zip(models, rows, strict=True)),
        notes=tuple(notes),
    )


def _by_position(models: Sequence[ScoredRows]) -> list[Int64]:
    first = models[0]
    for other in models[1:]:
        if len(other.nats) != len(first.nats):
            more, fewer = sorted((first, other), key=lambda model: -len(model.nats))
            raise ShapeError(
                f"{first.name} has {len(first.nats):,} rows and {other.name} {len(other.nats):,}: "
                f"{more.place(len(fewer.nats))} has no partner.\n"
                "Pass on= (--on) with a column that names each row, and rows will be matched by it."
            )
    return [np.arange(len(first.nats)) for _ in models]


def _by_key(models: Sequence[ScoredRows], on: str, notes: list[str]) -> list[Int64]:
    """For each model, which of its rows are compared, in the first model's order."""
    keys = [_key_column(model, on) for model in models]
    kinds = {str(key.type) for key in keys}
    if len(kinds) > 1:
        notes.append(f"{on!r} is numbers in some models and text in others: matched as text")
        keys = [key.cast(pa.large_string()) for key in keys]
    for model, key in zip(models, keys, strict=True):
        _refuse_twice(model, key, on)
    found = [_positions(keys[0], key) for key in keys[1:]]
    common = np.logical_and.reduce([index >= 0 for index in found])
    if not common.any():
        first = ", ".join(f"{key[0].as_py()!r} in {model.name}" for model, key in zip(models, keys, strict=True))
        raise SourceError(
            f"no row is in all models: not one {on!r} is the same. The first rows have {first}.\n"
            "Pass on= (--on) with a column that names the same rows alike everywhere."
        )
    return [np.flatnonzero(common), *(index[common] for index in found)]


def _key_column(model: ScoredRows, on: str) -> pa.ChunkedArray:
    """Keys as int64 or text."""
    column = model.keys["on"]
    if column.null_count:
        row = int(np.argmax(column.is_null().to_numpy()))
        raise SourceError(
            f"{on!r} is missing in {model.place(row)} ({column.null_count:,} rows in all have none).\n"
            "Give each row a key, or remove it."
        )
    if pa.types.is_integer(column.type):
        return column.cast(pa.int64() if column.type != pa.uint64() else pa.large_string())
    if pa.types.is_floating(column.type) or pa.types.is_nested(column.type):
        raise SourceError(f"{on!r} is of type {column.type} in {model.name}, but keys must be whole numbers or text.\n"
                          "Write the column again as one of these.")  # fmt: skip
    return column.cast(pa.large_string())


def _refuse_twice(model: ScoredRows, keys: pa.ChunkedArray, on: str) -> None:
    distinct = pc.count_distinct(keys).as_py()
    if distinct == len(keys):
        return
    codes = keys.dictionary_encode().unify_dictionaries()
    rows = np.concatenate([numpy_array(chunk.indices) for chunk in codes.chunks])
    row = int(np.argmax(np.bincount(rows)[rows] > 1))
    again = row + 1 + int(np.argmax(rows[row + 1 :] == rows[row]))
    first = model.place(row).removesuffix(" (rows counted from 0)")  # which is said once
    raise SourceError(
        f"{on!r} is {keys[row].as_py()!r} in {first} and again in {model.place(again)}; "
        f"{len(keys) - distinct:,} of {len(keys):,} rows repeat a key.\nGive each row a key of its own."
    )


def _positions(keys: pa.ChunkedArray, others: pa.ChunkedArray) -> Int64:
    """Where each key is among the others; −1 if it is not."""
    found = pc.index_in(keys, value_set=others)
    return np.concatenate([numpy_array(chunk.fill_null(-1)) for chunk in found.chunks]).astype(np.int64)


def _refuse_other_labels(
    models: Sequence[ScoredRows], rows: Sequence[Int64], classes: tuple[Label, ...], on: str | None, keys: Any
) -> None:
    first, index = models[0], rows[0]
    for other, other_index in zip(models[1:], rows[1:], strict=True):
        wrong = first.truth[index] != other.truth[other_index]
        if wrong.any():
            at = int(np.argmax(wrong))
            here, there = int(index[at]), int(other_index[at])
            labels = "other labels"
            if not first.several:
                labels = f"label {classes[first.truth[here]]!r} here and {classes[other.truth[there]]!r} there"
            row = first.place(here) if on is None else f"{on} {keys[here].as_py()!r} ({first.place(here)}"
            row += "" if on is None else f", {other.place(there)})"
            step = "Pass on= (--on) with a column that names each row: the rows may be in another order."
            if on is not None:
                step = f"Keys must name the same example everywhere: check {on!r} and the labels."
            raise LabelError(
                f"{first.name} and {other.name} disagree about the truth: {row} has {labels}; "
                f"{int(wrong.sum()):,} of {len(wrong):,} rows differ.\n{step}"
            )


def _weights(models: Sequence[ScoredRows], rows: Sequence[Int64], notes: list[str]) -> Float64 | None:
    """The weights of the first model that has some; others must have the same."""
    found = [(model, index) for model, index in zip(models, rows, strict=True) if model.weights is not None]
    aligned = [np.asarray(model.weights)[index] for model, index in found]
    for (model, index), other in zip(found[1:], aligned[1:], strict=True):
        wrong = other != aligned[0]
        if wrong.any():
            at = int(np.argmax(wrong))
            raise WeightError(
                f"sample_weight is {aligned[0][at]:g} in {found[0][0].name} and {other[at]:g} in {model.name} for the "
                f"same row ({model.place(int(index[at]))}); {int(wrong.sum()):,} rows differ.\nGive a row one weight."
            )
    if 0 < len(found) < len(models):
        notes.append(f"weights are those of {found[0][0].name}")
    return aligned[0] if aligned else None


def _codes(
    models: Sequence[ScoredRows], rows: Sequence[Int64], name: str, notes: list[str]
) -> tuple[Int64 | None, tuple[Label | None, ...]]:
    """(rows,) codes of what a key column says, and what they stand for; from the first model that has it."""
    holder = next((i for i, model in enumerate(models) if name in model.keys), None)
    if holder is None:
        return None, ()
    model, index = models[holder], rows[holder]
    if not all(name in other.keys for other in models):
        notes.append(f"{name}s are those of {model.name}")
    column = model.keys[name].unify_dictionaries()
    codes = np.concatenate([numpy_array(chunk.indices.fill_null(-1)) for chunk in column.chunks]).astype(np.int64)
    names = tuple(column.chunk(0).dictionary.to_pylist())
    codes = codes[index]
    if name == "cluster" and (codes < 0).any():
        row = int(index[np.argmin(codes)])
        raise SourceError(f"the cluster is missing in {model.place(row)}.\nFill it in or remove the row.")
    if (codes < 0).any():
        codes, names = np.where(codes < 0, len(names), codes), (*names, None)
    return codes, tuple(one if isinstance(one, str | int | float | None) else str(one) for one in names)
