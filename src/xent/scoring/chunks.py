"""A chunk of rows → its sums: blocks that fit the cache through the kernels, exactly added up."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from types import ModuleType
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from xent.checks import predictions as checks
from xent.kernels import sums_numpy as spec
from xent.kernels.by_column import ByColumn
from xent.kernels.choice import score_kernels, survey_kernels
from xent.scoring import exact
from xent.scoring.breakdown import Survey, survey
from xent.scoring.keyed import keyed_sums
from xent.scoring.memory import joined
from xent.scoring.outcomes import Outcomes, Place, index_outcomes, target_outcomes
from xent.scoring.plan import Plan
from xent.scoring.squares import squares
from xent.scoring.sums import FEW, Sums
from xent.scoring.tally import Tally, nonzero
from xent.scoring.worst import MANY, WorstRows

__all__ = ["MOST_ROWS", "Chunk", "blocks", "of_weight", "pieces", "score"]

MOST_ROWS = 1 << 19  # of a chunk; the int64 sums of the kernels hold 2^23

Float64 = NDArray[np.float64]
Int64 = NDArray[np.int64]
# sums beside the tally; rows clipped, normalized and like probabilities; nats and weights of the first FEW
_Found = tuple[list[Sums], list[int], list[tuple[float, float]]]


class Chunk(NamedTuple):
    """Up to MOST_ROWS rows, ready to be scored."""

    predictions: Any  # floats or a ByColumn (rows, classes), or floats (rows,) for one column of a binary task
    labels: NDArray[Any]  # (rows,) int64 codes, or (rows, classes) float64 targets
    weights: Float64 | None = None
    place: Place = Place()
    numbered: bool = False  # whether the worst rows can be named by their number
    keys: Mapping[str, pa.Array] = {}
    floor: float = 0.0  # rows of fewer nats are known not to be among the worst


def score(plan: Plan, chunk: Chunk, tally: Tally) -> Sums:
    """The sums over a chunk: of rows of one label and weight 1 in the tally, what else there is as the result.

    Raises:
        ProbabilityError: a row is no legal prediction.
    """
    kernels = score_kernels(chunk.predictions.size)
    plain = _is_plain(plan, chunk)
    if isinstance(chunk.predictions, ByColumn) and not (plain and plan.brief):
        chunk = chunk._replace(predictions=joined(chunk.predictions))
    worst = WorstRows(plan.top, chunk.numbered, chunk.floor)
    scored = _plain if plain else _of_any_kind
    found, changed, few = scored(plan, chunk, tally, worst, kernels)
    clipped, normalized, alike = changed
    named = worst.named(plan, chunk)
    if not plan.brief:
        found += survey(plan, of_weight(chunk), survey_kernels(chunk.predictions.size), tally.surveyed)
    every = () if len(few) >= FEW else tuple(sorted(few))
    counts = Sums(
        clipped=clipped, normalized=normalized, like_probabilities=alike, few=every, worst=named, top=plan.top
    )
    return replace(Sums.gather([counts, *found]), few=every) if found else counts


def _is_plain(plan: Plan, chunk: Chunk) -> bool:
    """Whether all there is to do with the rows is to add them up, and they are many."""
    as_given = plan.kind == "probabilities" and plan.clip is None and not plan.normalize
    single = chunk.labels.ndim == 1 and chunk.predictions.ndim == 2
    return as_given and single and chunk.weights is None and not chunk.keys and len(chunk.labels) >= max(MANY, FEW)


def _plain(plan: Plan, chunk: Chunk, tally: Tally, worst: WorstRows, kernels: ModuleType) -> _Found:
    """Only the nats of rows that may be among the worst, or that a kernel leaves out, come back from it."""
    found: list[Sums] = []
    start, most = 0, _step(chunk, kernels.MAX_ADDED, kernels.BLOCK_NUMBERS)
    while start < len(chunk.labels):
        step = MANY if worst.floor < 0.0 and plan.top else most
        block, codes = chunk.predictions, chunk.labels
        if start > 0 or step < len(codes):
            block, codes = block[start : start + step], codes[start : start + step]
        legal, apart, odd = tally.add_probabilities(block, codes, worst.floor if plan.top else np.inf, kernels)
        if not legal:
            checks.refuse(plan.kind, np.asarray(block), chunk.place.after(start))
        if odd is not None:
            scored = Outcomes(apart.nats[odd], apart.hits[odd], 0, 0, 0)
            found.append(_any_sums(scored, codes[apart.rows[odd]], None))
        above = apart.nats > worst.floor
        worst.consider(apart.nats[above], apart.rows[above] + start)
        start += step
    return found, [0, 0, 0], []  # so many rows that the first few are not asked for


def _of_any_kind(plan: Plan, chunk: Chunk, tally: Tally, worst: WorstRows, kernels: ModuleType) -> _Found:
    found: list[Sums] = []
    changed = np.zeros(3, np.int64)
    few: list[tuple[float, float]] = []
    for start, part in blocks(chunk, kernels):
        used = None if part.weights is None else part.weights > 0.0
        if part.labels.ndim == 1:
            scored = index_outcomes(plan, part.predictions, part.labels, used, part.place, kernels)
        else:
            scored = target_outcomes(plan, part.predictions, part.labels, used, part.place)
        if part.labels.ndim == 1 and part.weights is None:
            odd = tally.add(scored, part.labels, kernels.accumulate)
            if odd is not None:
                found.append(_any_sums(Outcomes(scored.nats[odd], scored.hits[odd], 0, 0, 0), part.labels[odd], None))
        else:
            found.append(_any_sums(scored, part.labels, part.weights))
        worst.add(scored.nats, part.weights, start, kernels)
        if part.keys:
            found.append(keyed_sums(scored.nats, part.weights, part.keys))
        if len(few) < FEW:
            few += _few(scored.nats, part.weights)
        changed += scored.clipped, scored.normalized, scored.like_probabilities
    return found, changed.tolist(), few


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
    step = _step(chunk, kernels.MAX_ROWS, kernels.BLOCK_NUMBERS)
    starts = range(0, len(chunk.labels), step)
    yield from zip(starts, pieces(chunk, step), strict=True)


def _step(chunk: Chunk, rows: int, numbers: int) -> int:
    """At most so many rows, and so many numbers."""
    return max(1, min(rows, numbers // (1 if chunk.predictions.ndim == 1 else chunk.predictions.shape[1])))


def pieces(chunk: Chunk, step: int) -> Iterator[Chunk]:
    """The chunk's rows, `step` at a time."""
    for start in range(0, len(chunk.labels), step):
        rows = slice(start, start + step)
        yield chunk._replace(
            predictions=chunk.predictions[rows],
            labels=chunk.labels[rows],
            weights=None if chunk.weights is None else chunk.weights[rows],
            place=chunk.place.after(start),
            keys={name: column.slice(start, step) for name, column in chunk.keys.items()},
        )


def _bin_names(nats: Float64) -> Int64:
    """The same for nats of any size."""
    eighths = np.minimum(nats * spec.BINS_PER_NAT, spec.BINS).astype(np.int64)
    cut = np.minimum(nats * (spec.BINS_PER_NAT * spec.CUT), spec.CUT_BINS * spec.CUT).astype(np.int64)
    fine = (nats.view(np.int64) >> spec.FINE_SHIFT) - spec.FINE_TOP - 1
    return np.where(eighths == 0, fine, np.where(eighths < spec.CUT_BINS, cut, eighths * spec.CUT))


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
    rounded = np.where(x >= spec.SMALLEST, np.rint(x * 2.0**36) * 2.0**-36, x)
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
        bin_rows=_named(names, nonzero(np.bincount(bin_of), 0)),
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
            class_infinite=nonzero(np.bincount(labels[~finite]), 0),
        )
    classes = np.broadcast_to(np.arange(labels.shape[1]), labels.shape)
    own = scored.terms < np.inf  # a class is charged for its own terms, also in rows that another makes infinite
    loss = np.where(own, weights[:, None] * np.where(own, scored.terms, 0.0), 0.0)
    return Sums(
        class_weight=exact.grouped_sums((weights[:, None] * labels).reshape(-1), classes.reshape(-1)),
        class_loss=exact.grouped_sums(loss.reshape(-1), classes.reshape(-1)),
        class_infinite=nonzero((~own).sum(axis=0), 0),
        loss=exact.total(loss[finite].reshape(-1)),
    )
