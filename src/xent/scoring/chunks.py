"""A chunk of rows → its sums: blocks that fit the cache through the kernels, exactly added up."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from types import ModuleType
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from xent.kernels import score_numpy as spec
from xent.kernels.choice import score_kernels, survey_kernels
from xent.scoring import exact
from xent.scoring.breakdown import Survey, survey
from xent.scoring.keyed import keyed_sums
from xent.scoring.memory import reused
from xent.scoring.outcomes import Outcomes, Place, index_outcomes, target_outcomes
from xent.scoring.plan import Plan
from xent.scoring.squares import squares
from xent.scoring.sums import FEW, Sums
from xent.scoring.worst import WorstRows

__all__ = ["MOST_ROWS", "Chunk", "blocks", "of_weight", "score"]

MOST_ROWS = 1 << 19  # of a chunk; the int64 sums of the kernels hold 2^23

Float64 = NDArray[np.float64]
Int64 = NDArray[np.int64]


class Chunk(NamedTuple):
    """Up to MOST_ROWS rows, ready to be scored."""

    predictions: NDArray[np.floating[Any]]  # (rows, classes), or (rows,) for one column of a binary task
    labels: NDArray[Any]  # (rows,) int64 codes, or (rows, classes) float64 targets
    weights: Float64 | None = None
    place: Place = Place()
    numbered: bool = False  # whether the worst rows can be named by their number
    keys: Mapping[str, pa.Array] = {}
    floor: float = 0.0  # rows of fewer nats are known not to be among the worst


def score(plan: Plan, chunk: Chunk) -> Sums:
    """The sums over a chunk.

    Raises:
        ProbabilityError: a row is no legal prediction.
    """
    kernels = score_kernels(chunk.predictions.size)
    fast = _FastSums(len(plan.classes), len(chunk.labels))
    slow = Sums()
    worst = WorstRows(plan.top, chunk.numbered, chunk.floor)
    changed = np.zeros(3, np.int64)
    surveyed = []
    few: list[tuple[float, float]] = []
    for start, part in blocks(chunk, kernels):
        used = None if part.weights is None else part.weights > 0.0
        if part.labels.ndim == 1:
            scored = index_outcomes(plan, part.predictions, part.labels, used, part.place, kernels)
        else:
            scored = target_outcomes(plan, part.predictions, part.labels, used, part.place)
        if part.labels.ndim == 1 and part.weights is None:
            left_out = fast.add(scored, part.labels, kernels.accumulate)
            slow = slow + left_out if left_out is not None else slow
        else:
            slow += _any_sums(scored, part.labels, part.weights)
        worst.add(scored.nats, part.weights, start)
        if part.keys:
            slow += keyed_sums(scored.nats, part.weights, part.keys)
        if len(few) < FEW:
            few += _few(scored.nats, part.weights)
        if not plan.brief:
            surveyed.append(of_weight(part))
        changed += scored.clipped, scored.normalized, scored.like_probabilities
    clipped, normalized, alike = changed.tolist()
    named = worst.named(plan, chunk)
    counts = Sums(clipped=clipped, normalized=normalized, like_probabilities=alike, worst=named, top=plan.top)
    sums = (counts, fast.sums(), slow, survey(plan, surveyed, survey_kernels(chunk.predictions.size)))
    found = Sums.gather(sums)
    return replace(found, few=tuple(sorted(few))) if found.rows < FEW else found


def _few(nats: Float64, weights: Float64 | None) -> list[tuple[float, float]]:
    """The first FEW rows that have a weight."""
    if weights is None:
        return [(x, 1.0) for x in nats[:FEW].tolist()]
    used = np.flatnonzero(weights > 0.0)[:FEW]
    return list(zip(nats[used].tolist(), weights[used].tolist(), strict=True))


def of_weight(part: Chunk) -> Survey:
    """The rows whose weight is above 0."""
    if part.weights is None or (part.weights > 0.0).all():
        return Survey(part.predictions, part.labels, part.weights)
    used = part.weights > 0.0
    weights = None if (part.weights[used] == 1.0).all() else part.weights[used]
    return Survey(part.predictions[used], part.labels[used], weights)


def blocks(chunk: Chunk, kernels: ModuleType) -> Iterator[tuple[int, Chunk]]:
    """Slices of a size that suits the kernels, and where they start."""
    classes = 1 if chunk.predictions.ndim == 1 else chunk.predictions.shape[1]
    step = max(1, min(kernels.MAX_ROWS, kernels.BLOCK_NUMBERS // classes))
    if kernels is not spec and chunk.predictions.ndim == 2 and chunk.predictions.flags.f_contiguous:
        step = len(chunk.labels)  # columns are contiguous only as a whole
    for start in range(0, len(chunk.labels), step):
        rows = slice(start, start + step)
        weights = None if chunk.weights is None else chunk.weights[rows]
        place = Place(chunk.place.source, chunk.place.first_row + start)
        keys = {name: column.slice(start, step) for name, column in chunk.keys.items()}
        yield start, Chunk(chunk.predictions[rows], chunk.labels[rows], weights, place, keys=keys)


class _FastSums:
    """Sums of rows of one label and weight 1, in the integer arrays of the `accumulate` kernels."""

    def __init__(self, classes: int, rows: int) -> None:
        self.by_class = np.zeros((classes, 3), np.int64)
        self.bins = np.zeros((2, spec.ALL_BINS), np.int64)
        self.squares = np.zeros(2, np.int64)
        self.odd = reused("odd", (rows,), np.bool_)
        self.hits = 0

    def add(self, scored: Outcomes, codes: Int64, accumulate: Any) -> Sums | None:
        """Add the rows; those that the kernel leaves out come back as sums of their own."""
        odd = self.odd[: len(codes)]
        left_out = accumulate(scored.nats, codes, self.by_class, self.bins, self.squares, odd)
        if not left_out:
            self.hits += int(np.count_nonzero(scored.hits))
            return None
        self.hits += int(np.count_nonzero(scored.hits[~odd]))
        return _any_sums(Outcomes(scored.nats[odd], scored.hits[odd], 0, 0, 0), codes[odd], None)

    def sums(self) -> Sums:
        """As exact integers."""
        rows = int(self.by_class[:, 0].sum())
        loss = {
            int(code): sum(
                int(limb) << (exact.UNIT_BITS - bits)
                for limb, bits in zip(self.by_class[code, 1:], (36, 76), strict=True)
            )
            for code in np.flatnonzero(self.by_class[:, 1:].any(axis=1))
        }
        bin_rows = self._by_bin(0, 0)
        return Sums(
            rows=rows,
            weight=rows << exact.UNIT_BITS,
            weight_squared=rows << exact.UNIT_BITS,
            class_weight=_nonzero(self.by_class[:, 0], exact.UNIT_BITS),
            class_loss=loss,
            loss=sum(loss.values()),
            weighted_loss=sum(loss.values()),
            loss_squared=sum(
                int(limb) << (exact.UNIT_BITS - bits) for limb, bits in zip(self.squares, (32, 72), strict=True)
            ),
            hits=self.hits << exact.UNIT_BITS,
            bin_rows=bin_rows,
            bin_weight={key: count << exact.UNIT_BITS for key, count in bin_rows.items()},
            bin_loss=self._by_bin(1, exact.UNIT_BITS - 36),
        )

    def _by_bin(self, row: int, shift: int) -> dict[int, int]:
        found = _nonzero(self.bins[row], shift)
        return {_bin_name(index): value for index, value in found.items()}


def _bin_name(index: int) -> int:
    """How sums name a bin of the kernels: 1/64 bits from 1/8 bit on (multiples of 8 from 1 bit on), negative below."""
    if index >= spec.FIRST_CUT:
        return index - spec.FIRST_CUT
    if index >= spec.FIRST_FINE:
        return index - spec.FIRST_FINE + spec.FINE_LOW - spec.FINE_TOP - 1
    return index * spec.CUT or -spec.FINE_TOP - 1


def _bin_names(nats: Float64) -> Int64:
    """The same for nats of any size."""
    eighths = np.minimum(nats * spec.BINS_PER_NAT, spec.BINS).astype(np.int64)
    cut = np.minimum(nats * (spec.BINS_PER_NAT * spec.CUT), spec.CUT_BINS * spec.CUT).astype(np.int64)
    fine = (nats.view(np.int64) >> spec.FINE_SHIFT) - spec.FINE_TOP - 1
    return np.where(eighths == 0, fine, np.where(eighths < spec.CUT_BINS, cut, eighths * spec.CUT))


def _nonzero(values: Int64, shift: int) -> dict[int, int]:
    return {int(i): int(values[i]) << shift for i in np.flatnonzero(values)}


def _any_sums(scored: Outcomes, labels: NDArray[Any], weights: Float64 | None) -> Sums:
    """Sums of rows of any kind: weighted, soft or with several labels, tiny, huge or infinite."""
    weights = np.ones(len(scored.nats)) if weights is None else weights
    used = weights > 0.0
    if not used.all():
        scored = scored._replace(
            nats=scored.nats[used],
            hits=scored.hits[used],
            terms=None if scored.terms is None else scored.terms[used],
        )
        labels, weights = labels[used], weights[used]
    infinite = scored.nats == np.inf
    finite = ~infinite
    x, w = scored.nats[finite], weights[finite]
    cost = w * x
    rounded = np.where(x >= spec.SMALLEST, np.floor(x * 2.0**36) * 2.0**-36, x)
    names, bin_of = np.unique(_bin_names(x), return_inverse=True)
    return Sums(
        rows=len(weights),
        weight=exact.total(weights),
        weight_squared=exact.total(weights * weights),
        infinite_rows=int(infinite.sum()),
        infinite_weight=exact.total(weights[infinite]),
        weighted_loss=exact.total(w * cost),
        loss_squared=exact.total(squares(cost)),
        hits=exact.total(weights * scored.hits),
        bin_rows=_named(names, _nonzero(np.bincount(bin_of), 0)),
        bin_weight=_named(names, exact.grouped_sums(w, bin_of)),
        bin_loss=_named(names, exact.grouped_sums(w * rounded, bin_of)),
    ) + _class_sums(scored, labels, weights, finite)


def _named(names: Int64, sums: dict[int, int]) -> dict[int, int]:
    return {int(names[index]): value for index, value in sums.items()}


def _class_sums(scored: Outcomes, labels: NDArray[Any], weights: Float64, finite: NDArray[np.bool_]) -> Sums:
    if scored.terms is None:
        by_class = exact.grouped_sums(weights[finite] * scored.nats[finite], labels[finite])
        return Sums(
            class_weight=exact.grouped_sums(weights, labels),
            class_loss=by_class,
            loss=sum(by_class.values()),
            class_infinite=_nonzero(np.bincount(labels[~finite]), 0),
        )
    classes = np.broadcast_to(np.arange(labels.shape[1]), labels.shape)
    own = scored.terms < np.inf  # a class is charged for its own terms, also in rows that another makes infinite
    loss = np.where(own, weights[:, None] * np.where(own, scored.terms, 0.0), 0.0)
    return Sums(
        class_weight=exact.grouped_sums((weights[:, None] * labels).reshape(-1), classes.reshape(-1)),
        class_loss=exact.grouped_sums(loss.reshape(-1), classes.reshape(-1)),
        class_infinite=_nonzero((~own).sum(axis=0), 0),
        loss=exact.total(loss[finite].reshape(-1)),
    )
