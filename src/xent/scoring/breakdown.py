"""A chunk of rows → the sums that tell what its loss is made of: see `kernels.survey_numpy`.

Rows of one label and weight 1 go through the kernels; others, with weights or a target for each class, take the same
numbers one by one, cut to the same whole multiples, so that a weight of 1 changes no bit.
"""

from collections.abc import Iterator
from functools import reduce
from types import ModuleType
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from xent.kernels import elementary_numpy as elementary
from xent.kernels import ladder_numpy as ladder
from xent.kernels import survey_numpy as spec
from xent.kernels.temper_numpy import temper, tempered
from xent.scoring import exact
from xent.scoring.outcomes import both_columns
from xent.scoring.plan import Plan
from xent.scoring.sums import Sums

__all__ = ["Survey", "column_of", "logits_of", "slopes_of", "survey", "weighted_sums"]

Array = NDArray[Any]


class Survey(NamedTuple):
    """Some rows: predictions as they came, labels as codes or targets, weights above 0."""

    predictions: Array  # (rows, classes) or (rows,)
    labels: Array  # (rows,) int64, or (rows, classes) float64
    weights: Array | None


def logits_of(plan: Plan, block: Array) -> tuple[Array, bool]:
    """Predictions as probabilities, or as logits (True): clipped where the plan clips; (rows,) is the second of two."""
    logs = plan.kind != "probabilities"
    if plan.kind == "log_probabilities" and block.ndim == 1 and plan.task != "multilabel":
        block = both_columns(block)
    if plan.clip is None:
        return block, logs
    if plan.kind == "log_probabilities" and plan.task == "multilabel":
        p = np.exp(block.astype(np.float64))
    elif logs and (block.ndim == 1 or plan.task == "multilabel"):
        p = np.exp(-np.logaddexp(0.0, -block.astype(np.float64)))
    elif logs:
        below = block.astype(np.float64) - block.max(axis=1, keepdims=True)
        p = np.exp(below) / np.exp(below).sum(axis=1, keepdims=True)
    else:
        p = block.astype(np.float64)
    return np.clip(p, plan.clip, 1.0 - plan.clip), False


def column_of(plan: Plan, block: Array, logs: bool, label: int) -> Array:
    """One of several labels as two classes: (rows,), or of log-probabilities (rows, 2)."""
    column = np.ascontiguousarray(block if block.ndim == 1 else block[:, label])
    return both_columns(column) if logs and plan.kind == "log_probabilities" else column


def survey(plan: Plan, part: Survey, kernels: ModuleType, surveyed: tuple[Array, ...]) -> list[Sums]:
    """Add up a chunk: rows of one label and weight 1 in `surveyed`, as the kernels take it, others in the result."""
    if part.labels.ndim == 2 or part.weights is not None:
        return list(_slow(plan, part))
    step = max(len(part.labels) if plan.clip is None else spec.BLOCK, 1)  # what is clipped is a copy
    for start in range(0, len(part.labels), step):
        rows = slice(start, start + step)
        kernels.survey(*logits_of(plan, part.predictions[rows]), part.labels[rows], *surveyed)
    return []


def slopes_of(plan: Plan, part: Survey, beta: float, offsets: Array) -> Array:
    """Each row's slope of its loss in β and in the class offsets, where logits are β·z + offsets: (1 + classes, rows)."""
    block, logs = logits_of(plan, part.predictions)
    classes, targets = len(plan.classes), _targets(plan, part.labels)
    ones = np.ones(len(block))
    out = np.zeros((1 + classes, len(block)))
    if plan.task != "multilabel":
        out[0], out[1:] = _slopes(_seen(block, logs, targets.T, ones), beta, offsets)
        return out
    for label in range(classes):
        seen = _label_seen(plan, block, logs, targets, ones, label)
        along, own = _slopes(seen, beta, np.array([0.0, offsets[label]]))
        out[0] += along
        out[1 + label] = own[1]
    return out


def _targets(plan: Plan, labels: Array) -> Array:
    """(rows, classes), whether labels are codes or targets already."""
    return labels if labels.ndim == 2 else (labels[:, None] == np.arange(len(plan.classes))).astype(np.float64)


def _slopes(seen: "_Rows", beta: float, offsets: Array) -> tuple[Array, Array]:
    z = seen.z.astype(np.float64)
    w = beta * z + offsets[:, None]
    shares = np.exp(w - w.max(axis=0))
    away = shares / _in_order(shares) - seen.targets
    return _in_order(away * z), away


def _in_order(values: Array) -> Array:
    """Sums over the classes (classes, rows): NumPy's own adds in an order that depends on whether there are more rows."""
    return reduce(np.add, values)


class _Rows(NamedTuple):
    """Rows of one problem, seen from their likeliest class: (classes, rows) and (rows,)."""

    z: Array
    v: Array
    top: Array
    rest: Array
    targets: Array  # (classes, rows)
    weights: Array


def _slow(plan: Plan, part: Survey) -> Iterator[Sums]:
    block, logs = logits_of(plan, part.predictions)
    weights = np.ones(len(block)) if part.weights is None else part.weights
    for start in range(0, len(block), spec.BLOCK):
        rows = slice(start, start + spec.BLOCK)
        if plan.task == "multilabel":
            yield from _several(plan, block[rows], logs, part.labels[rows], weights[rows])
            continue
        targets = _targets(plan, part.labels[rows])
        seen = _seen(block[rows], logs, targets.T, weights[rows])
        yield _cures(seen, 0)
        yield from _reliabilities(seen)
        if part.labels.ndim == 1:
            yield from _confusion(seen, part.labels[rows])
        else:
            yield Sums(label_entropy=exact.total(weights[rows] * _entropies(targets)))


def _several(plan: Plan, block: Array, logs: bool, targets: Array, weights: Array) -> Iterator[Sums]:
    """Each label is a problem of two classes of its own."""
    for label in range(len(plan.classes)):
        seen = _label_seen(plan, block, logs, targets, weights, label)
        yield _cures(seen, label)
        yield _of_class(seen, 1, label)
        yield Sums(label_entropy=exact.total(weights * _entropies(seen.targets.T)))


def _label_seen(plan: Plan, block: Array, logs: bool, targets: Array, weights: Array, label: int) -> _Rows:
    t = targets[:, label]
    return _seen(column_of(plan, block, logs, label), logs, np.stack([1.0 - t, t]), weights)


def _seen(block: Array, logs: bool, targets: Array, weights: Array) -> _Rows:
    z, v = np.empty((2, *targets.shape), np.float32)
    top = np.empty(len(block), np.int32)
    ladder.centre(block, logs, z, v, top)
    return _Rows(z, v, top, ladder.rest_of(v, top), targets, weights)


def _entropies(targets: Array) -> Array:
    """Of each row's targets (rows, classes), nats."""
    nats = elementary.neg_log(np.where(targets > 0.0, targets, 1.0).reshape(-1)).reshape(targets.shape)
    return np.add.accumulate(np.maximum(targets * nats, 0.0), axis=1)[:, -1]


def _cures(seen: _Rows, problem: int) -> Sums:
    """Temperatures and moments, without the rows that gave probability 0 to what happened."""
    finite = ~((seen.targets > 0.0) & (seen.z <= ladder.LOWEST)).any(axis=0)
    z, v = seen.z[:, finite], seen.v[:, finite]
    top, rest, weights = seen.top[finite], seen.rest[finite], seen.weights[finite]
    count = ladder.moments_count(len(z)) if len(z) <= spec.MOST_CLASSES else 0
    out = np.empty((max(tempered(len(z)), count), len(top)), np.float32)
    temper(z, v, top, out)
    grid = weighted_sums(out[: tempered(len(z))], weights)
    ladder.moments(z, v, rest, np.zeros_like(rest), out) if count else None
    moments = weighted_sums(out[:count], weights)
    return Sums(
        grid=grid,
        moments={problem * count + key: value for key, value in moments.items()},
    )


def _cut(values: Array, bits: int) -> Array:
    """Cut to whole multiples of 2^-bits, as the kernels cut what they sum."""
    return np.asarray((values.astype(np.float64) * 2.0**bits).astype(np.int64) * 2.0**-bits)


def weighted_sums(values: Array, weights: Array) -> dict[int, int]:
    """Σ weight·value (numbers, rows), values rounded as in `fixed_sums`; sums of 0 are left out."""
    found = {}
    for i, row in enumerate(values):
        costs = weights * (ladder.rounded(row) * 2.0**-ladder.FIXED_BITS)
        total = exact.total(np.maximum(costs, 0.0)) - exact.total(np.maximum(-costs, 0.0))
        if total:
            found[i] = total
    return found


def _confusion(seen: _Rows, codes: Array) -> Iterator[Sums]:
    """−log of each class's probability, by label."""
    classes = len(seen.z)
    if classes > spec.MOST_CLASSES:
        return
    log_whole = ladder.log1p32(seen.rest)
    for j in range(classes):
        impossible = seen.z[j] <= ladder.LOWEST
        nats = np.where(impossible, ladder.NOTHING, log_whole - seen.z[j])
        sums = exact.grouped_sums(seen.weights * _cut(nats, spec.COST_BITS), codes)
        counts = np.bincount(codes[impossible], minlength=classes)
        yield Sums(
            confusion={i * classes + j: value for i, value in sums.items()},
            impossible={int(i) * classes + j: int(counts[i]) for i in np.flatnonzero(counts)},
        )


def _reliabilities(seen: _Rows) -> Iterator[Sums]:
    """Of each class where there are few, and of the likeliest."""
    classes = len(seen.z)
    asked = classes if classes <= spec.MOST_CLASSES else 0
    for j in range(1 if asked == 2 else 0, asked):
        yield _of_class(seen, j, j)
    rows = np.arange(len(seen.top))
    one = np.ones_like(seen.rest)
    bins = spec.odds_bins(one, seen.rest, one > 0)
    yield _binned(seen, bins, one / (seen.rest + ladder.NUMBER_ONE), seen.targets[seen.top, rows], asked)


def _of_class(seen: _Rows, j: int, at: int) -> Sums:
    bins = spec.odds_bins(seen.v[j], seen.rest, seen.top == j)
    return _binned(seen, bins, seen.v[j] / (seen.rest + ladder.NUMBER_ONE), seen.targets[j], at)


def _binned(seen: _Rows, bins: Array, p: Array, truth: Array, at: int) -> Sums:
    keys = bins + at * spec.ODDS_BINS
    cut = _cut(p, spec.PROBABILITY_BITS)
    return Sums(
        reliable_weight=exact.grouped_sums(seen.weights, keys),
        reliable_probability=exact.grouped_sums(seen.weights * cut, keys),
        reliable_truth=exact.grouped_sums(seen.weights * truth, keys),
    )
