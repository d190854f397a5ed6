"""Another look at the rows: loss and reliability after some cures, and how sure their slopes are."""

import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, NamedTuple, TypeVar

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from xent.kernels import score_numpy
from xent.kernels import survey_numpy as spec
from xent.kernels.choice import scoring_threads, survey_kernels
from xent.kernels.elementary_numpy import neg_log
from xent.kernels.ladder_numpy import FIXED_BITS, moments_count
from xent.scoring import exact
from xent.scoring.breakdown import column_of, logits_of, slopes_of, survey, weighted_sums
from xent.scoring.chunks import MOST_ROWS, Chunk, blocks, of_weight
from xent.scoring.cluster_store import ClusterStore, cluster_parts, without_clusters
from xent.scoring.cluster_sums import ClusterSums, added, key_texts
from xent.scoring.inputs import Rows, block_of
from xent.scoring.keyed_columns import floats_in, limb_columns
from xent.scoring.labels import Vocabulary
from xent.scoring.memory import forget
from xent.scoring.newton import Cure, Moments
from xent.scoring.parallel import ordered_map
from xent.scoring.plan import Plan
from xent.scoring.scatter import Integers, as_floats, no_scatter, scatter_of
from xent.scoring.sums import Sums
from xent.scoring.tally import Tally
from xent.scoring.totals import as_chunk

__all__ = ["Look"]

SHIFT = exact.UNIT_BITS - FIXED_BITS
Found = TypeVar("Found")


class Look(NamedTuple):
    """The rows, to be looked at again."""

    plan: Plan
    reduce: Callable[..., Any]  # makes a pass over them
    max_memory: int = sys.maxsize

    def moments(self, cures: Sequence[Cure]) -> list[Moments]:
        """The moments of all rows after each of the cures, from one reading."""
        found: list[Moments] = self.reduce(_MomentsAfter(self.plan, tuple(cures)))
        return found

    def scatter(self, cure: Cure) -> NDArray[np.float64]:
        """Σ s·sᵀ over rows, or over the clusters that they come in, with the factor C / (C − 1).

        s (1 + classes,) are the slopes of the loss in β and the offsets, at a cure where they cancel.
        """
        with ClusterStore(self.max_memory) as store:
            found: _Scattered = self.reduce(_ScatterAt(self.plan, cure), clusters=store)
            rows, scatter = found.rows, found.scatter
            if found.clusters:
                rows = 0
                for part in cluster_parts(found.clusters):
                    rows += len(part)
                    scatter = scatter + _scatter_of_clusters(part, len(scatter))
        return as_floats(scatter) * (rows / max(1, rows - 1))

    def reliability(self, cure: Cure) -> Sums:
        """The `reliable_` sums of predictions of more than two classes after a cure."""
        found: Sums = self.reduce(_ReliabilityAfter(self.plan, cure))
        return found


def _merged(
    merge: Callable[[Iterable[Found]], Found], of: Callable[[Rows], Found], rows: Iterable[Rows], workers: int | None
) -> Found:
    """What is found of each batch, side by side, and merged."""
    try:
        return merge(ordered_map(of, rows, scoring_threads() if workers is None else workers))
    finally:
        forget()


@dataclass(frozen=True)
class _MomentsAfter:
    plan: Plan
    cures: tuple[Cure, ...]
    long_calls = False

    def of(self, rows: Iterable[Rows], workers: int | None) -> list[Moments]:
        return _merged(self.merge, self._looked, rows, workers)

    def merge(self, parts: Iterable[list[Moments]]) -> list[Moments]:
        found: list[Moments] = [{} for _ in self.cures]
        for part in parts:
            for sums, more in zip(found, part, strict=True):
                for key, value in more.items():
                    sums[key] = sums.get(key, 0) + value
        return found

    def _looked(self, rows: Rows) -> list[Moments]:
        block = block_of(rows)
        weights = rows.weights
        if weights is not None:
            block, weights = block[weights > 0.0], weights[weights > 0.0]
            weights = None if (weights == 1.0).all() else weights
        block, logs = logits_of(self.plan, block)
        return [_moments(self.plan, block, logs, weights, cure) for cure in self.cures]


@dataclass(frozen=True)
class _Scattered:
    """Exact sums."""

    rows: int
    scatter: Integers  # (1 + classes)², 0 where there are clusters
    clusters: ClusterSums = field(default_factory=ClusterSums)  # by cluster, its slopes: quantities "0" to "classes"


def _scatter_of_clusters(part: ClusterSums, size: int) -> Integers:
    slopes = np.stack([floats_in(part.table, str(i)) for i in range(size)])
    steps = range(0, len(part), MOST_ROWS)
    return sum((scatter_of(slopes[:, start : start + MOST_ROWS]) for start in steps), start=no_scatter(size))


@dataclass(frozen=True)
class _ScatterAt:
    plan: Plan
    cure: Cure
    clusters: ClusterStore | None = None  # where slopes by cluster go, in this process
    long_calls = False

    def of(self, rows: Iterable[Rows], workers: int | None) -> _Scattered:
        return _merged(self.merge, partial(self._looked, Vocabulary(self.plan.classes)), rows, workers)

    def _looked(self, vocabulary: Vocabulary, batch: Rows) -> _Scattered:
        found = self.merge(
            self._of_part(part) for _, part in blocks(as_chunk(self.plan, vocabulary, batch), score_numpy)
        )
        return without_clusters(found, self.clusters)

    def _of_part(self, part: Chunk) -> _Scattered:
        kept = of_weight(part)
        slopes = slopes_of(self.plan, kept, self.cure.beta, self.cure.offsets)
        slopes = slopes if kept.weights is None else slopes * kept.weights
        size, count = slopes.shape
        if not count or "cluster" not in part.keys:
            return _Scattered(count, scatter_of(slopes) if count else no_scatter(size))
        column = part.keys["cluster"]
        if part.weights is not None:
            column = column.take(pa.array(np.flatnonzero(part.weights > 0.0)))
        codes, texts = key_texts(column)
        columns: dict[str, Any] = {"cluster": texts}
        for i, values in enumerate(slopes):
            columns |= limb_columns(str(i), values, codes, len(texts))
        return _Scattered(count, no_scatter(size), ClusterSums(pa.table(columns)))

    def merge(self, parts: Iterable[_Scattered]) -> _Scattered:
        rows, scatter, clusters = 0, no_scatter(1 + len(self.plan.classes)), list[ClusterSums]()
        for part in parts:
            rows += part.rows
            scatter = scatter + part.scatter
            clusters = added(clusters, part.clusters)
        return _Scattered(rows, scatter, ClusterSums.gather(clusters))


@dataclass(frozen=True)
class _ReliabilityAfter:
    plan: Plan
    cure: Cure
    long_calls = False

    def of(self, rows: Iterable[Rows], workers: int | None) -> Sums:
        return _merged(self.merge, partial(self._looked, Vocabulary(self.plan.classes)), rows, workers)

    def _looked(self, vocabulary: Vocabulary, batch: Rows) -> Sums:
        after = replace(self.plan, kind="logits", clip=None, normalize=False)
        tally, more = Tally(len(self.plan.classes), brief=False), list[Sums]()
        for _, part in blocks(as_chunk(self.plan, vocabulary, batch), score_numpy):
            kept = of_weight(part)
            logits = self._cured(*logits_of(self.plan, kept.predictions))
            more += survey(after, kept._replace(predictions=logits), survey_kernels(logits.size), tally.surveyed)
        return self.merge([*more, *tally.sums()])

    def _cured(self, block: NDArray[Any], logs: bool) -> NDArray[np.float64]:
        if self.cure.beta == 0.0:
            return np.broadcast_to(self.cure.offsets, block.shape)
        wide = block.astype(np.float64)
        z = wide if logs else -neg_log(wide.reshape(-1)).reshape(wide.shape)
        return z * self.cure.beta + self.cure.offsets

    def merge(self, parts: Iterable[Sums]) -> Sums:
        every = Sums.gather(parts)
        return Sums(
            reliable_weight=every.reliable_weight,
            reliable_probability=every.reliable_probability,
            reliable_truth=every.reliable_truth,
        )


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
