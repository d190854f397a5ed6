"""Row statistics and their slopes from whole rows of logits, for libraries that get the derivative as a rule.

`formulas.rows.row_statistics` says the same in a form for automatic differentiation.

A compiler may compute a logit anew for each of its uses and round it otherwise (XLA does), so the peak is told not by
being equal to one, but by being the only one that is near.
"""

from xent._arrays import Array, constant, namespace_of, positions
from xent.formulas.rows import (
    Normaliser,
    Targets,
    entropy_gradient,
    index_gradient,
    index_statistics,
    soft_gradient,
    soft_statistics,
    weighted,
)

__all__ = [
    "at_label",
    "at_peak",
    "entropy_by_logits",
    "gaps",
    "logsumexp",
    "nll",
    "nll_by_logits",
    "nll_by_on_label",
    "nll_by_soft",
    "normaliser",
    "spread",
    "spread_by_logits",
    "terms",
]

NEAR = -0.5  # nats below the peak; exp(NEAR) > 0.5


def normaliser(logits: Array, peak: Array) -> Normaliser:
    """The normaliser of rows with that peak (rows,). NaN where the peak is infinite."""
    xp = namespace_of(logits)
    gap = logits - peak[:, None]
    zero, term = xp.zeros_like(gap), xp.exp(gap)
    lower = xp.sum(xp.where(gap > NEAR, zero, term), axis=-1)
    near = xp.sum(xp.where(gap > NEAR, term, zero), axis=-1)
    return Normaliser(peak, lower + xp.where(near < 1.5, xp.zeros_like(near), near - 1.0))


def at_peak(logits: Array, rows: Normaliser) -> Array:
    """Which class is the peak, where no other comes near it: (rows, classes). All others weigh less than the half then."""
    return (logits - rows.peak[:, None] > NEAR) & (rows.tail < 0.5)[:, None]


def gaps(logits: Array, rows: Normaliser) -> Array:
    """z_j − peak, exactly 0 at a peak that no other comes near, with its derivative: (rows, classes)."""
    xp = namespace_of(logits)
    gap = logits - rows.peak[:, None]
    return gap - xp.where(at_peak(logits, rows), constant(gap), xp.zeros_like(gap))


def terms(logits: Array, peak: Array) -> Array:
    """exp(z_j − peak), which is ∂tail/∂z_j too: (rows, classes)."""
    return namespace_of(logits).exp(logits - peak[:, None])


def logsumexp(rows: Normaliser) -> Array:
    """Peak + log1p(tail)."""
    return rows.peak + namespace_of(rows.tail).log1p(rows.tail)


def at_label(logits: Array, labels: Array) -> Array:
    """Each row's logit at its label, NaN at one that names no class."""
    xp = namespace_of(logits)
    known = (labels >= 0) & (labels < logits.shape[-1])
    index = xp.where(known, labels, xp.zeros_like(labels))
    picked = xp.take_along_axis(logits, index[:, None], axis=-1)[:, 0]
    return xp.where(known, picked, xp.full_like(picked, xp.nan))


def nll(logits: Array, rows: Normaliser, targets: Targets) -> Array:
    """Σ_j t_j (logsumexp − z_j): (rows,)."""
    xp = namespace_of(logits)
    labels, soft, on_label = targets
    spread_out = 0.0
    if soft is not None:
        spread = xp.sum(weighted(soft, -gaps(logits, rows)), axis=-1)
        spread_out = soft_statistics(rows, spread, xp.sum(soft, axis=-1)).nll
        if labels is None or on_label is None:
            return spread_out
    own = _own_nll(logits, rows, labels)
    return spread_out + (own if on_label is None else weighted(on_label, own))


def nll_by_logits(logits: Array, rows: Normaliser, rows_nll: Array, targets: Targets) -> Array:
    """∂nll/∂z_j: (rows, classes). NaN where the label names no class."""
    xp = namespace_of(logits)
    labels, soft, on_label = targets
    one, zero = xp.ones_like(rows_nll), xp.zeros_like(rows_nll)
    is_label = None if labels is None else positions(logits) == labels[:, None]
    if soft is None and on_label is None:
        gradient = index_gradient(rows, rows_nll, one, zero)
        special, at_special = is_label, gradient.entry[:, None]
        rest = gradient.scale[:, None] * terms(logits, rows.peak)
    else:
        target = zero[:, None] if soft is None else soft
        if on_label is not None:
            target = target + xp.where(is_label, on_label[:, None], zero[:, None])
        special = at_peak(logits, rows)
        lower = xp.sum(xp.where(special, zero[:, None], target), axis=-1)
        upper = xp.sum(xp.where(special, target, zero[:, None]), axis=-1)
        gradient = soft_gradient(rows, lower, upper, one, zero)
        each = gradient.scale[:, None] * xp.exp(gaps(logits, rows))
        rest = each - target
        # What is added is 0 at the peak, and there for the derivative by the peak's logit, which the tail lacks.
        at_special = gradient.entry[:, None] + (each - gradient.scale[:, None])
    slope = xp.where(special, at_special, rest)
    if labels is None:
        return slope
    return xp.where((labels < logits.shape[-1])[:, None], slope, xp.full_like(slope, xp.nan))


def nll_by_soft(logits: Array, rows: Normaliser, soft: Array) -> Array:
    """∂nll/∂soft_j = logsumexp − z_j: (rows, classes). 0 where an infinite one has no weight."""
    xp = namespace_of(logits)
    costs = xp.log1p(rows.tail)[:, None] - gaps(logits, rows)
    return xp.where((soft == 0) & xp.isinf(costs), xp.zeros_like(costs), costs)


def nll_by_on_label(logits: Array, rows: Normaliser, labels: Array, on_label: Array) -> Array:
    """∂nll/∂on_label: the label's own nll, (rows,)."""
    xp = namespace_of(logits)
    own = _own_nll(logits, rows, labels)
    return xp.where((on_label == 0) & xp.isinf(own), xp.zeros_like(own), own)


def _own_nll(logits: Array, rows: Normaliser, labels: Array) -> Array:
    below_peak = rows._replace(peak=namespace_of(logits).zeros_like(rows.peak))
    of_label = gaps(at_label(logits, labels)[:, None], rows)[:, 0]  # picked first: all gaps would be stored
    return index_statistics(below_peak, of_label).nll


def spread(logits: Array, rows: Normaliser) -> Array:
    """Σ exp(z_j − peak)·(peak − z_j), of which and the tail `formulas.rows.entropy_of` is made: (rows,)."""
    return namespace_of(logits).sum(weighted(terms(logits, rows.peak), -gaps(logits, rows)), axis=-1)


def spread_by_logits(logits: Array, peak: Array) -> Array:
    """∂spread/∂z_j: (rows, classes)."""
    return weighted(terms(logits, peak), (peak[:, None] - logits) - 1.0)


def entropy_by_logits(logits: Array, rows: Normaliser, spread: Array) -> Array:
    """∂entropy/∂z_j: (rows, classes)."""
    scale, excess = entropy_gradient(rows, spread, namespace_of(spread).ones_like(spread))
    return scale[:, None] * weighted(terms(logits, rows.peak), excess[:, None] - gaps(logits, rows))
