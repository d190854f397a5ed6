"""Predictions → nats per row: what the kernels are given, and what is asked of the rows they refuse."""

from types import ModuleType
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from xent.checks import predictions as checks
from xent.kernels import elementary as el
from xent.kernels import elementary_numpy as elementary
from xent.kernels import score_numpy as spec
from xent.scoring.memory import reused
from xent.scoring.plan import Plan
from xent.scoring.worst import border

__all__ = ["Outcomes", "Place", "both_columns", "index_outcomes", "target_outcomes"]

Floats = NDArray[np.floating[Any]]
Float64 = NDArray[np.float64]
Int64 = NDArray[np.int64]
Place = checks.Place
Used = NDArray[np.bool_] | None


class Outcomes(NamedTuple):
    """A block of rows, scored."""

    nats: Float64  # (rows,) cross-entropy of each row
    hits: Float64 | NDArray[np.bool_]  # (rows,) 1 where the prediction is right; for several labels the share of them
    clipped: int  # rows whose nats `clip` changed
    normalized: int  # rows off by more than 1e-3 that were divided by their sum
    like_probabilities: int  # rows of logits that are probabilities
    terms: Float64 | None = None  # (rows, classes) nats by class, where a row has more than one


def index_outcomes(plan: Plan, block: Floats, codes: Int64, used: Used, place: Place, kernels: ModuleType) -> Outcomes:
    """Score rows whose label is one class: `block` (rows, classes) or (rows,), `codes` (rows,).

    Only the rows that are `used` (None: all), those with a weight, count as clipped and so on.
    """
    given = block
    block, normalized = _normalized(plan, block, used, place)
    column = block.ndim == 1
    if plan.kind == "log_probabilities" and column:
        checks.refuse_entries(plan.kind, block, place)
        block, column = both_columns(block), False
    name = {"probabilities": "probability", "logits": "logit", "log_probabilities": "log_probability"}[plan.kind]
    kernel = getattr(kernels, f"{name}_{'column' if column else 'rows'}", None) or spec.log_probability_rows
    nats: Float64 = reused("nats", (len(codes),), np.float64)
    hits: NDArray[np.bool_] = reused("hits", (len(codes),), np.bool_)
    if plan.kind == "logits":
        checks.refuse_huge(block, place)
    if not kernel(block, codes, nats, hits):
        checks.refuse(plan.kind, given, place)
    return Outcomes(nats, hits, _clip(plan, nats, used), normalized, _like_probabilities(plan, block, used))


def target_outcomes(plan: Plan, block: Floats, targets: Float64, used: Used, place: Place) -> Outcomes:
    """Score rows with a target for each class: soft labels, or several labels; both (rows, classes)."""
    block, normalized = _normalized(plan, block, used, place)
    rows, classes = block.shape
    hits: Float64
    if plan.task == "multilabel":
        terms = _label_terms(plan, block, targets, place)
        hits = ((block > border(plan)) == (targets > 0.5)).mean(axis=1)
    else:
        terms = _class_terms(plan, block, place)
        hits = (spec.first_largest(block) == spec.first_largest(targets)).astype(np.float64)
    np.maximum(terms, 0.0, out=terms)
    clipped = 0
    if plan.clip is not None:
        before = terms.copy()
        _clip(plan, terms, None)
        clipped = _count(((terms != before) & _counts(plan, targets)).any(axis=1), used)
    if plan.task != "multilabel":
        with np.errstate(invalid="ignore"):
            terms = np.where(targets > 0.0, targets * terms, 0.0)
    nats = np.add.accumulate(terms, axis=1)[:, -1] if classes else np.zeros(rows)
    return Outcomes(nats, hits, clipped, normalized, _like_probabilities(plan, block, used), terms)


def _counts(plan: Plan, targets: Float64) -> Any:
    return True if plan.task == "multilabel" else targets > 0.0


def _label_terms(plan: Plan, block: Floats, targets: Float64, place: Place) -> Float64:
    """Binary cross-entropy of each label (rows, labels); targets between 0 and 1 take the convex sum of the two."""
    checks.refuse_entries(plan.kind, block, place)
    flat = np.ascontiguousarray(block).reshape(-1)
    sides = []
    for side in (0, 1):
        nats, hits = np.empty(flat.size), np.empty(flat.size, np.bool_)
        codes = np.full(flat.size, side, np.int64)
        if plan.kind == "log_probabilities":
            nats[:] = both_columns(flat)[:, side] * -1.0 + 0.0
        elif plan.kind == "logits":
            spec.logit_column(flat, codes, nats, hits)
        else:
            spec.probability_column(flat, codes, nats, hits)
        sides.append(nats.reshape(block.shape))
    with np.errstate(invalid="ignore"):
        absent = np.where(targets < 1.0, (1.0 - targets) * sides[0], 0.0)
        present = np.where(targets > 0.0, targets * sides[1], 0.0)
    return absent + present


def _class_terms(plan: Plan, block: Floats, place: Place) -> Float64:
    """−log of the probability of every class (rows, classes)."""
    checks.refuse(plan.kind, block, place)
    wide = block.astype(np.float64)
    if plan.kind == "logits":
        peak, loss = spec.peak_nats(wide, spec.first_largest(wide))
        return (peak[:, None] - wide) + loss[:, None]
    if plan.kind == "log_probabilities":
        return -wide + 0.0
    return elementary.neg_log(wide.reshape(-1)).reshape(wide.shape)


def both_columns(log_p: Floats) -> Float64:
    """(rows, 2): log-probabilities of the other class and of the one the column speaks of."""
    log_p = np.minimum(log_p.astype(np.float64), 0.0)
    near_zero = np.maximum(log_p, -0.25)
    with np.errstate(invalid="ignore"):
        close = elementary.neg_log(-el.expm1_reduced(near_zero, 0.0))  # −log(1 − e^x) for x near 0
        far = elementary.neg_log1p_minus(elementary.exp(np.asarray(log_p, np.float64)))
    return np.stack([-np.where(log_p > -0.25, close, far), log_p], axis=1)


def _normalized(plan: Plan, block: Floats, used: Used, place: Place) -> tuple[Floats, int]:
    """Rows divided by their sum where the caller asked for it, and how many were off by more than 1e-3."""
    if not plan.normalize or block.ndim == 1:
        return block, 0
    if plan.kind == "log_probabilities":
        checks.refuse_entries("logits", block, place)
        peak, loss = spec.peak_nats(block.astype(np.float64), spec.first_largest(block))
        log_sum = peak + loss
        off = np.abs(np.expm1(log_sum)) > checks.SUM_TOLERANCE
        return block - log_sum[:, None], _count(off, used)
    checks.refuse_entries("weights", block, place)
    wide = block.astype(np.float64)
    sums = np.add.accumulate(wide, axis=1)[:, -1:]
    checks.refuse_empty_rows(sums[:, 0], place)
    return wide / sums, _count(np.abs(sums[:, 0] - 1.0) > checks.SUM_TOLERANCE, used)


def _clip(plan: Plan, nats: Float64, used: Used) -> int:
    """Clip probabilities to [clip, 1 − clip], in nats and in place; how many that changed."""
    if plan.clip is None:
        return 0
    most, least = elementary.neg_log(np.array([plan.clip])), elementary.neg_log1p_minus(np.array([plan.clip]))
    changed = ((nats > most) | (nats < least)).reshape(len(nats), -1).any(axis=1)
    np.clip(nats, least, most, out=nats)
    return _count(changed, used)


def _like_probabilities(plan: Plan, block: Floats, used: Used) -> int:
    """How many rows of logits are probabilities, as softmax leaves them: a second softmax would flatten them."""
    if plan.kind != "logits":
        return 0
    wide = block.reshape(len(block), -1)
    inside = ((wide >= 0.0) & (wide <= 1.0)).all(axis=1)
    if block.ndim == 2 and plan.task != "multilabel":
        inside &= np.abs(block.sum(axis=1, dtype=np.float64) - 1.0) <= checks.SUM_TOLERANCE
    return _count(inside, used)


def _count(rows: Any, used: Used) -> int:
    return int(np.count_nonzero(rows if used is None else rows & used))
