"""Another look at the rows: what the loss would be after some cures, and how sure their slopes are."""

from collections.abc import Callable, Iterable, Sequence
from operator import add
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from xent.kernels import score_numpy
from xent.kernels import survey_numpy as spec
from xent.kernels.choice import scoring_threads, survey_kernels
from xent.kernels.ladder_numpy import FIXED_BITS, moments_count
from xent.scoring import exact
from xent.scoring.breakdown import column_of, logits_of, slopes_of, weighted_sums
from xent.scoring.chunks import Chunk, blocks, of_weight
from xent.scoring.inputs import Rows
from xent.scoring.keyed import key_codes
from xent.scoring.labels import Vocabulary
from xent.scoring.memory import forget
from xent.scoring.newton import Cure, Moments
from xent.scoring.parallel import ordered_map
from xent.scoring.plan import Plan
from xent.scoring.totals import as_chunk

__all__ = ["Look"]

Vector = tuple[int, ...]  # exact
SHIFT = exact.UNIT_BITS - FIXED_BITS


class Look(NamedTuple):
    """The rows, to be looked at again."""

    plan: Plan
    reduce: Callable[[Any], Any]  # makes a pass over them

    def moments(self, cures: Sequence[Cure]) -> list[Moments]:
        """The moments of all rows after each of the cures, from one reading."""
        found: list[Moments] = self.reduce(_MomentsAfter(self.plan, tuple(cures)))
        return found

    def scatter(self, cure: Cure) -> NDArray[np.float64]:
        """Σ s·sᵀ over rows, or over the clusters that they come in, with the factor C / (C − 1).

        s (1 + classes,) are the slopes of the loss in β and the offsets, at a cure where they cancel.
        """
        found: _Scattered = self.reduce(_ScatterAt(self.plan, cure))
        size = 1 + len(self.plan.classes)
        rows, scatter = found.rows, np.array([exact.to_float(x) for x in found.scatter]).reshape(size, size)
        if found.clusters:
            by_cluster = np.array(
                [[exact.to_float(x) for x in found.clusters[name]] for name in sorted(found.clusters)]
            )
            rows, scatter = len(by_cluster), by_cluster.T @ by_cluster
        return np.asarray(scatter * (rows / max(1, rows - 1)))


class _MomentsAfter(NamedTuple):
    plan: Plan
    cures: tuple[Cure, ...]

    def of(self, rows: Iterable[Rows], workers: int | None) -> list[Moments]:
        if workers is None:
            workers = scoring_threads()
        try:
            return self.merge(ordered_map(self._looked, rows, workers))
        finally:
            forget()

    def merge(self, parts: Iterable[list[Moments]]) -> list[Moments]:
        found: list[Moments] = [{} for _ in self.cures]
        for part in parts:
            for sums, more in zip(found, part, strict=True):
                for key, value in more.items():
                    sums[key] = sums.get(key, 0) + value
        return found

    def _looked(self, rows: Rows) -> list[Moments]:
        block = rows.predictions() if callable(rows.predictions) else rows.predictions
        weights = rows.weights
        if weights is not None:
            block, weights = block[weights > 0.0], weights[weights > 0.0]
            weights = None if (weights == 1.0).all() else weights
        block, logs = logits_of(self.plan, block)
        return [_moments(self.plan, block, logs, weights, cure) for cure in self.cures]


class _Scattered(NamedTuple):
    """Exact sums of what each fragment found, so that the order they come in does not show."""

    rows: int
    scatter: Vector  # (1 + classes)², 0 where there are clusters
    clusters: dict[str, Vector]  # by cluster, its slopes (1 + classes,)


class _ScatterAt(NamedTuple):
    plan: Plan
    cure: Cure

    def of(self, rows: Iterable[Rows], workers: int | None) -> _Scattered:  # noqa: ARG002
        size, vocabulary = 1 + len(self.plan.classes), Vocabulary(self.plan.classes)
        scatter, counted = np.zeros((size, size)), 0
        clusters: dict[str, NDArray[np.float64]] = {}
        for batch in rows:
            for _, part in blocks(as_chunk(self.plan, vocabulary, batch), score_numpy):
                kept = of_weight(part)
                slopes = slopes_of(self.plan, kept, self.cure.beta, self.cure.offsets)
                slopes = slopes if kept.weights is None else slopes * kept.weights
                counted += slopes.shape[1]
                if "cluster" in part.keys:
                    _add_clusters(clusters, part, slopes)
                else:
                    scatter += slopes @ slopes.T
        forget()
        return _Scattered(counted, _exactly(scatter), {name: _exactly(sums) for name, sums in clusters.items()})

    def merge(self, parts: Iterable[_Scattered]) -> _Scattered:
        rows, scatter, clusters = 0, _exactly(np.zeros((1 + len(self.plan.classes)) ** 2)), dict[str, Vector]()
        for part in parts:
            rows += part.rows
            scatter = tuple(map(add, scatter, part.scatter))
            for name, sums in part.clusters.items():
                known = clusters.get(name)
                clusters[name] = sums if known is None else tuple(map(add, known, sums))
        return _Scattered(rows, scatter, clusters)


def _exactly(values: NDArray[np.float64]) -> Vector:
    return tuple(map(exact.from_number, values.reshape(-1).tolist()))


def _add_clusters(clusters: dict[str, NDArray[np.float64]], part: Chunk, slopes: NDArray[np.float64]) -> None:
    column = part.keys["cluster"]
    if part.weights is not None:
        column = column.take(pa.array(np.flatnonzero(part.weights > 0.0)))
    codes, texts = key_codes(column)
    sums = np.stack([np.bincount(codes, weights=row, minlength=len(texts)) for row in slopes], axis=1)
    for code in np.unique(codes).tolist():
        known = clusters.get(texts[code])
        clusters[texts[code]] = sums[code] if known is None else known + sums[code]


def _moments(plan: Plan, block: NDArray[Any], logs: bool, weights: NDArray[np.float64] | None, cure: Cure) -> Moments:
    if plan.task != "multilabel":
        return _of_problem(block, logs, weights, cure.beta, cure.offsets)
    found: Moments = {}
    for label in range(len(plan.classes)):
        sums = _of_problem(
            column_of(plan, block, logs, label), logs, weights, cure.beta, np.array([0.0, cure.offsets[label]])
        )
        found |= {label * moments_count(2) + key: value for key, value in sums.items()}
    return found


def _of_problem(
    block: NDArray[Any], logs: bool, weights: NDArray[np.float64] | None, beta: float, offsets: NDArray[np.float64]
) -> Moments:
    count = moments_count(len(offsets))
    single = offsets.astype(np.float32)
    if weights is None:
        sums = np.zeros(count, np.int64)
        survey_kernels(block.size).cure_sums(block, logs, beta, single, sums)
        return {int(i): int(sums[i]) << SHIFT for i in np.flatnonzero(sums)}
    found: Moments = {}
    for start in range(0, len(block), spec.BLOCK):
        rows = slice(start, start + spec.BLOCK)
        values = spec.cured_moments(block[rows], logs, beta, single, count, len(offsets))
        for key, value in weighted_sums(values, weights[rows]).items():
            found[key] = found.get(key, 0) + value
    return found
