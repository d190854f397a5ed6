"""Batches of labels and predictions → their sums: labels turned into codes, chunks scored side by side."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from itertools import chain, islice
from typing import Any

import numpy as np
import pyarrow as pa

from xent.checks.names import by_name, text_forms
from xent.checks.predictions import weights
from xent.errors import LabelError, ShapeError, XentError
from xent.kernels.choice import scoring_threads
from xent.scoring.chunks import Chunk, score
from xent.scoring.cluster_store import ClusterStore, without_clusters
from xent.scoring.faults import first_fault
from xent.scoring.inputs import Rows, block_of
from xent.scoring.labels import Vocabulary
from xent.scoring.memory import forget
from xent.scoring.parallel import ordered_map
from xent.scoring.plan import Plan
from xent.scoring.sums import FEW, Sums, Worst, merge_worst
from xent.scoring.tally import Tally
from xent.scoring.targets import as_targets
from xent.sources.blocks import prediction_block
from xent.sources.columns import class_names

__all__ = ["Total", "as_chunk", "class_count", "columns_of", "total"]


@dataclass(frozen=True)
class Total:
    """The pass that scores."""

    plan: Plan
    numbered: bool = True  # whether rows have numbers that the worst can be named by
    clusters: ClusterStore | None = None  # where sums by cluster go, in this process

    @property
    def long_calls(self) -> bool:
        """Where no breakdown is asked for."""
        return self.plan.brief

    def of(self, rows: Iterable[Rows], workers: int | None) -> Sums:
        """The sums over some rows."""
        return total(self.plan, rows, numbered=self.numbered, workers=workers, clusters=self.clusters)

    def merge(self, parts: Iterable[Sums]) -> Sums:
        """The sums over all."""
        return Sums.gather(chain((Sums(top=self.plan.top),), parts))


def total(
    plan: Plan,
    batches: Iterable[Rows],
    *,
    numbered: bool,
    workers: int | None = None,
    clusters: ClusterStore | None = None,
) -> Sums:
    """The sums over batches of up to MOST_ROWS rows, scored side by side; those by cluster go to a store, if there is one."""
    vocabulary = Vocabulary(plan.classes)
    if workers is None:
        workers, batches = _threads(plan, iter(batches))
    floor = 0.0
    worst: tuple[Worst, ...] = ()
    tallies: list[Tally] = []  # that no thread is adding to

    def scored(rows: Rows) -> Sums:
        try:
            return added(rows)
        except XentError as error:
            raise first_fault(error, rows, partial(_check, plan, vocabulary)) from error.__cause__

    def added(rows: Rows) -> Sums:
        chunk = as_chunk(plan, vocabulary, rows, apart=True)._replace(numbered=numbered, floor=floor)
        try:
            tally = tallies.pop()
        except IndexError:
            tally = Tally(len(plan.classes), plan.brief)
        found = without_clusters(score(plan, chunk, tally), clusters)
        tallies.append(tally)
        return found

    def watched() -> Iterator[Sums]:
        """The parts; rows below the worst of those so far are not worth collecting from the next."""
        nonlocal floor, worst
        few = 0
        yield Sums(top=plan.top)
        for part in ordered_map(scored, batches, workers):
            if part.worst:
                worst = merge_worst(worst + part.worst, plan.top)
                floor = worst[-1][0] if plan.top and len(worst) == plan.top else 0.0
            few += len(part.few)
            yield part if few < FEW or not part.few else replace(part, few=())
        for tally in tallies[1:]:
            tallies[0].take_in(tally)
        yield from tallies[0].sums() if tallies else ()

    try:
        return Sums.gather(watched())
    finally:
        if workers != 0:  # else this thread has more to score, or ends
            forget()


def _threads(plan: Plan, batches: Iterator[Rows]) -> tuple[int, Iterator[Rows]]:
    """How many score, and the batches: NumPy's threads pay where not much is read beside them."""
    first = tuple(islice(batches, 1))
    reads = len(plan.classes) > 2 and any(callable(rows.predictions) for rows in first)
    return scoring_threads(long_calls=plan.brief and not reads), chain(first, batches)


def _check(plan: Plan, vocabulary: Vocabulary, rows: Rows) -> None:
    """Raise about rows at fault, as when they are scored."""
    score(replace(plan, brief=True), as_chunk(plan, vocabulary, rows), Tally(len(plan.classes), brief=True))


def as_chunk(plan: Plan, vocabulary: Vocabulary, rows: Rows, apart: bool = False) -> Chunk:
    """Rows with their labels as codes or targets; `apart` allows predictions to be a `ByColumn`.

    Raises:
        ShapeError, LabelError, WeightError: they do not fit the plan.
    """
    _, labels, sample_weight, place, keys = rows
    predictions = block_of(rows, apart)
    columns = 1 if predictions.ndim == 1 else predictions.shape[1]
    if columns != len(plan.classes) and not (columns == 1 and len(plan.classes) == 2 and plan.task != "multilabel"):
        raise ShapeError(
            f"predictions have {columns} columns, but there are {len(plan.classes)} classes; pass one column a class."
        )
    if sample_weight is not None:
        weights(sample_weight, place)
    if getattr(labels, "ndim", 1) == 2 or plan.task == "multilabel":
        if not isinstance(labels, np.ndarray):
            table = pa.table({"labels": labels}).combine_chunks()
            labels = prediction_block(table.to_batches()[0], "labels", source=place.source, first_row=place.first_row)
        if columns == 1 and predictions.ndim == 1:
            predictions, labels = predictions[:, None], labels.reshape(len(labels), -1)
            if plan.task != "multilabel":
                raise ShapeError("soft labels need one prediction column a class: pass np.stack([1 - p, p], axis=1).")
        if labels.ndim != 2:
            raise ShapeError(f"labels has shape {labels.shape}, but several labels a row need (rows, labels).")
        coded: Any = as_targets(labels, columns, plan.task != "multilabel", place)
    else:
        coded = vocabulary.codes(labels, place)
    return Chunk(predictions, coded, sample_weight, place, keys=keys)


def columns_of(plan: Plan, predictions: Any) -> tuple[str, ...] | None:
    """The columns of a table in the order of the classes, where their names are those of the classes.

    Raises:
        LabelError: some are, others are not, so that their order cannot be trusted.
    """
    if not hasattr(predictions, "column_names"):
        return None
    columns = tuple(predictions.column_names)
    names, _ = class_names(predictions.schema, columns)
    order = by_name(plan.classes, names)
    if order is not None:
        return tuple(columns[i] for i in order)
    known = {form for label in plan.classes for form in text_forms(label)} & set(names or ())
    if known and not (len(columns) == 1 and known <= set(text_forms(plan.classes[-1]))):
        raise LabelError(
            f"prediction columns are named {', '.join(names or ())}, but classes are {', '.join(map(str, plan.classes))}."
            "\nName each column after its class, or pass an array, whose order is trusted."
        )
    return columns


def class_count(predictions: Any) -> int:
    """How many classes predictions are of."""
    if hasattr(predictions, "num_columns"):
        return max(2, int(predictions.num_columns))
    return 2 if predictions.ndim == 1 else int(predictions.shape[1])
