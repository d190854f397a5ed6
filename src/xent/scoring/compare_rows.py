"""Each model's rows → nats per row, held in memory with what they are aligned and split by.

This is the only part of xent whose memory grows with the rows. Kept are 16 bytes a row and model (nats and truth), and
what keys, weights, clusters and groups take; while two models are matched by key and averaged, some 250 bytes a row in
all are in use.
"""

import os
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from xent.checks.predictions import Place
from xent.errors import ArgumentTypeError, LabelError
from xent.kernels.choice import score_kernels, threads_pay
from xent.kernels.pool import available_cpus
from xent.scoring.chunks import blocks
from xent.scoring.classes import by_name
from xent.scoring.data import Data, InFiles
from xent.scoring.inputs import Rows
from xent.scoring.labels import Vocabulary
from xent.scoring.memory import forget
from xent.scoring.outcomes import index_outcomes, target_outcomes
from xent.scoring.parallel import ordered_map
from xent.scoring.passes import Progress
from xent.scoring.plan import Label
from xent.scoring.prepare import Prepared, open_table
from xent.scoring.totals import as_chunk
from xent.sources.columns import choose_columns
from xent.sources.known import layout_of
from xent.sources.names import find_column
from xent.sources.sql import Query

__all__ = ["Model", "ScoredRows", "open_models", "same_classes", "score_rows"]

Float64 = NDArray[np.float64]
Int64 = NDArray[np.int64]


class Model(NamedTuple):
    """A model's predictions, opened and looked at."""

    name: str
    data: Data
    prepared: Prepared
    order: tuple[int, ...]  # where each class of the first model is among this one's


class ScoredRows(NamedTuple):
    """A model's rows, in the order they were read."""

    name: str
    nats: Float64  # (rows,)
    truth: Int64  # (rows,) the label's place among the first model's classes; of several labels a fingerprint
    several: bool
    weights: Float64 | None
    keys: Mapping[str, pa.ChunkedArray]  # "on", "cluster", "group": (rows,) each
    places: tuple[tuple[int, Place], ...]  # the rows that batches begin with, and where these are from
    clipped: int
    normalized: int
    like_probabilities: int

    def place(self, row: int) -> str:
        """Where a row is from, for a message."""
        first, place = next((first, place) for first, place in reversed(self.places) if first <= row)
        return place.row(row - first) if place.source else f"row {row} of {self.name}"


class _Part(NamedTuple):
    nats: Float64
    truth: Int64
    several: bool
    weights: Float64 | None
    keys: Mapping[str, pa.Array]
    place: Place
    counts: NDArray[np.int64]


def open_models(
    models: Sequence[Any],
    *,
    label: str | Sequence[str] | None,
    prediction: str | Sequence[str] | None,
    sample_weight: str | None,
    keys: Mapping[str, str | None],
    progress: Progress | None,
) -> list[InFiles]:
    """The tables of all models; a weight, cluster or group is read from those that have it.

    Raises:
        SourceError: a file cannot be read, a column is missing or ambiguous, or no model has it.
        ArgumentTypeError: a model is an array, and there are no labels with it.
    """
    for position, model in enumerate(models):
        _refuse_bare_array(position, model)
    tables = [open_table(model) for model in models]
    opened = []
    for position, table in enumerate(tables):
        found, weight = {}, None
        for name, column in {**keys, "weight": sample_weight}.items():
            holders = [i for i, other in enumerate(tables) if column is not None and _has(other.schema, column)]
            if column is None or (name != "on" and holders and position not in holders):
                continue
            found[name] = find_column(table.schema, column, f"--{name} NAME ({name}=)")
        weight = found.pop("weight", None)
        columns = choose_columns(
            table.schema, label=label, prediction=prediction, weight=weight, layout=layout_of(table)
        )
        opened.append(InFiles(table, columns, progress, found))
    return opened


def _has(schema: pa.Schema, column: str) -> bool:
    return column.lower() in map(str.lower, schema.names)


def _refuse_bare_array(position: int, model: Any) -> None:
    paths = model if isinstance(model, list | tuple) else [model]
    is_files = all(isinstance(path, str | os.PathLike) for path in paths) and len(paths) > 0
    if not (is_files or isinstance(model, Mapping | Query) or hasattr(model, "__arrow_c_stream__")):
        raise ArgumentTypeError(
            f"model {position} is of type {type(model).__name__}, which has predictions but no labels.\n"
            "Pass labels=... with arrays of predictions, or files or data frames that hold both."
        )


def same_classes(names: Sequence[str], prepared: Sequence[Prepared]) -> list[tuple[int, ...]]:
    """For each model, where each class of the first is among its own.

    Raises:
        LabelError: the classes are others, or rows have one label here and several there.
    """
    first, orders = prepared[0].plan, []
    for name, one in zip(names, prepared, strict=True):
        if (one.plan.task == "multilabel") != (first.task == "multilabel"):
            raise LabelError(
                f"{names[0]} is {first.task} and {name} {one.plan.task}: they do not predict the same thing.\n"
                "Pass task= (--task) to read both alike."
            )
        orders.append(_order(names[0], first.classes, name, one.plan.classes))
    return orders


def _order(first: str, classes: tuple[Label, ...], name: str, others: tuple[Label, ...]) -> tuple[int, ...]:
    order = by_name(classes, tuple(map(str, others)))
    if order is None:
        inverse = by_name(others, tuple(map(str, classes)))
        order = None if inverse is None else tuple(int(i) for i in np.argsort(inverse))
    if order is None:
        raise LabelError(
            f"{first} has {_shown(classes)} and {name} {_shown(others)}: losses over different classes do not compare.\n"
            "Name the prediction columns after the same classes, or pass classes=[...] (--classes) for all models."
        )
    return order


def _shown(classes: tuple[Label, ...]) -> str:
    return f"{len(classes)} classes ({', '.join(map(str, classes[:8]))}{', …' if len(classes) > 8 else ''})"


def score_rows(model: Model) -> ScoredRows:
    """Score all rows of a model.

    Raises:
        XentError: as `evaluate`, naming the file and the row.
    """
    plan, order, label_order, _, _ = model.prepared
    vocabulary = Vocabulary(plan.classes)
    code_of = np.argsort(model.order)  # of this model's classes, among the first model's

    def scored(rows: Rows) -> _Part:
        chunk = as_chunk(plan, vocabulary, rows)
        kernels = score_kernels(chunk.predictions.size)
        several = chunk.labels.ndim == 2
        nats, counts = np.empty(len(chunk.labels)), np.zeros(3, np.int64)
        for start, part in blocks(chunk, kernels):
            used = None if part.weights is None else part.weights > 0.0
            if several:
                found = target_outcomes(plan, part.predictions, part.labels, used, part.place)
            else:
                found = index_outcomes(plan, part.predictions, part.labels, used, part.place, kernels)
            nats[start : start + len(found.nats)] = found.nats
            counts += found.clipped, found.normalized, found.like_probabilities
        truth = _fingerprint(chunk.labels[:, model.order]) if several else code_of[chunk.labels]
        keys = {name: _compact(name, column) for name, column in rows.keys.items()}
        weights = None if chunk.weights is None else chunk.weights.copy()
        return _Part(nats, truth, several, weights, keys, rows.place, counts)

    workers = available_cpus() if threads_pay() else 1
    try:
        return _joined(model.name, list(ordered_map(scored, model.data.batches(order, label_order), workers)))
    finally:
        forget()


def _joined(name: str, parts: list[_Part]) -> ScoredRows:
    starts = np.cumsum([0, *(len(part.nats) for part in parts)]).tolist()
    weights = [part.weights for part in parts if part.weights is not None]
    clipped, normalized, alike = np.sum([part.counts for part in parts], axis=0).tolist()
    return ScoredRows(
        name,
        np.concatenate([part.nats for part in parts]),
        np.concatenate([part.truth for part in parts]),
        parts[0].several,
        np.concatenate(weights) if weights else None,
        {key: pa.chunked_array([part.keys[key] for part in parts]) for key in parts[0].keys},
        tuple((start, part.place) for start, part in zip(starts, parts, strict=False)),
        clipped,
        normalized,
        alike,
    )


def _compact(name: str, column: pa.Array) -> pa.Array:
    """A copy, as a slice would hold on to the whole batch; what repeats is stored once."""
    column = column.storage if isinstance(column, pa.ExtensionArray) else column
    if pa.types.is_dictionary(column.type):
        column = _readable(column.dictionary).take(column.indices)
    return (
        _readable(column).take(pa.array(np.arange(len(column))))
        if name == "on"
        else _readable(column).dictionary_encode()
    )


def _readable(column: pa.Array) -> pa.Array:
    """Arrow takes nothing from views of text, which Polars hands out."""
    return column.cast(pa.large_string()) if pa.types.is_string_view(column.type) else column


def _fingerprint(targets: Float64) -> Int64:
    """(rows,) numbers that tell rows of targets (rows, classes) apart, all but 1 of 2^64 times."""
    bits = np.ascontiguousarray(targets + 0.0).view(np.uint64)
    mixed = bits ^ (bits >> np.uint64(52))  # whole targets have their bits at the top, where products lose them
    factors = np.random.Generator(np.random.PCG64(0)).integers(0, 1 << 63, targets.shape[1], np.uint64)
    sums = (mixed * (2 * factors + np.uint64(1))).sum(axis=1, dtype=np.uint64)
    return np.asarray(sums, np.uint64).view(np.int64)
