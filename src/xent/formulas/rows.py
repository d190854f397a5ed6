"""All that a cross-entropy needs to know of a row of logits, and what it makes of it.

A row z enters through its peak max_j z_j and its tail Σ_j exp(z_j − peak) without the peak's own 1:
log Σ exp z = peak + log1p(tail), so logsumexp − z_j is log1p(tail) at the peak and (peak − z_j) + log1p(tail)
elsewhere: never a difference of two nearly equal numbers, however far the label leads. Parts of the classes merge
in the same two numbers, so the classes of a row may lie on several machines.
"""

from typing import NamedTuple

from xent._arrays import Array, constant, is_tensor, namespace_of, positions

__all__ = [
    "Gradient",
    "Normaliser",
    "RowStatistics",
    "RowWeights",
    "Targets",
    "entropy",
    "entropy_gradient",
    "entropy_of",
    "index_gradient",
    "index_statistics",
    "merge",
    "nats_of_classes",
    "on_nll",
    "picked",
    "row_loss",
    "row_loss_gradient",
    "row_statistics",
    "soft_gradient",
    "soft_statistics",
    "softcap",
    "softcap_slope",
    "weighted",
]


class RowStatistics(NamedTuple):
    """All that a loss needs to know of a row of logits. Both have shape (rows,)."""

    nll: Array  # Σ_j t_j (logsumexp − z_j); for a label y that is −log softmax(z)_y; nats, ≥ 0
    logsumexp: Array


class Targets(NamedTuple):
    """What a row should have been: a class, weights over the classes (soft), or the sum of both.

    A label below 0 marks a row to skip: its statistics and its gradient are 0. One that names no class gives NaN.
    """

    labels: Array | None  # (rows,) of any integer dtype; None: no row is skipped, and soft says all
    soft: Array | None = None  # (rows, classes), or (1, classes) for all rows
    on_label: Array | None = None  # (rows,): what the label's class weighs on top of soft


class RowWeights(NamedTuple):
    """The loss of a row is nll·(its weight) + logsumexp²·(its weight). None counts as 1 for nll, as 0 for square."""

    nll: Array | None = None  # (rows,)
    square: Array | None = None  # (rows,)


class Normaliser(NamedTuple):
    """log Σ_j exp z_j = peak + log1p(tail). Both have shape (rows,)."""

    peak: Array
    tail: Array


class Gradient(NamedTuple):
    """∂/∂z_j = scale·exp(z_j − peak), less on_soft·soft_j for soft targets; one entry of a row has its own value."""

    scale: Array  # (rows,)
    entry: Array  # (rows,): at the label where there is no soft target, else at the peak if that has no equal
    on_soft: Array | None = None  # (rows,)


def softcap(logits: Array, cap: float | None) -> Array:
    """Bend logits smoothly into (−cap, cap): cap·tanh(z/cap)."""
    return logits if cap is None else cap * namespace_of(logits).tanh(logits / cap)


def softcap_slope(capped: Array, cap: float) -> Array:
    """∂ softcap(z)/∂z = 1 − (softcap(z)/cap)²."""
    return 1.0 - (capped / cap) ** 2


def row_statistics(logits: Array, targets: Targets) -> RowStatistics:
    """The whole way from logits (rows, classes), in a form that automatic differentiation keeps exact.

    The peak's value is a constant to it; what depends on the peak's logit goes through `lead`, which is 0.
    """
    xp = namespace_of(logits)
    labels, soft, on_label = targets
    if labels is not None:
        logits = xp.where((labels < 0)[:, None], xp.zeros_like(logits), logits)
    gaps, log_sum, peak = _gaps(logits)
    nll = xp.zeros_like(peak) if soft is None else xp.sum(weighted(soft, gaps), axis=-1)
    if labels is not None and (soft is None or on_label is not None):
        at_label = picked(gaps, labels)
        nll = nll + (at_label if on_label is None else weighted(on_label, at_label))
    return RowStatistics(_counted(nll, labels), _counted(peak + log_sum, labels))


def entropy(logits: Array) -> Array:
    """−Σ p log p of p = softmax(z): Σ_j p_j (logsumexp − z_j), each term ≥ 0. (rows, classes) → (rows,)"""
    xp = namespace_of(logits)
    gaps, *_ = _gaps(logits)
    safe = xp.where(xp.isinf(gaps), xp.zeros_like(gaps), gaps)
    return xp.sum(xp.exp(-gaps) * safe, axis=-1)


def nats_of_classes(logits: Array) -> Array:
    """logsumexp − z_j = −log softmax(z)_j of every class: (rows, classes), ≥ 0."""
    return _gaps(logits)[0]


def _gaps(logits: Array) -> tuple[Array, Array, Array]:
    """logsumexp − z_j (rows, classes); log Σ exp(z − peak) and the peak (rows,)."""
    xp = namespace_of(logits)
    top = xp.argmax(logits, axis=-1)[:, None] == positions(logits)
    peak = constant(xp.max(logits, axis=-1))
    shifted = logits - peak[:, None]
    zero = xp.zeros_like(shifted)
    tail = xp.sum(xp.where(top, zero, xp.exp(shifted)), axis=-1)
    lead = xp.sum(xp.where(top, shifted, zero), axis=-1)
    log_sum = xp.log1p(tail + xp.expm1(lead))
    at_peak = xp.log1p(tail * xp.exp(-lead))
    return xp.where(top, at_peak[:, None], log_sum[:, None] - shifted), log_sum, peak


def merge(one: Normaliser, other: Normaliser) -> Normaliser:
    """The normaliser of rows whose classes lie in two parts."""
    xp = namespace_of(one.peak)
    peak, lower = xp.maximum(one.peak, other.peak), xp.minimum(one.peak, other.peak)
    least = xp.where(peak == -xp.inf, xp.zeros_like(peak), peak)  # where no class is possible in either
    tail = one.tail * xp.exp(one.peak - least) + other.tail * xp.exp(other.peak - least)
    return Normaliser(peak, tail + xp.exp(lower - least))


def index_statistics(rows: Normaliser, label_logit: Array) -> RowStatistics:
    """For labels that are classes, whose logits are `label_logit` (rows,)."""
    log_sum = namespace_of(rows.tail).log1p(rows.tail)
    return RowStatistics((rows.peak - label_logit) + log_sum, rows.peak + log_sum)


def soft_statistics(rows: Normaliser, spread: Array, mass: Array) -> RowStatistics:
    """For targets t with spread = Σ_j t_j (peak − z_j) and mass = Σ_j t_j: (rows,) each."""
    log_sum = namespace_of(rows.tail).log1p(rows.tail)
    return RowStatistics(spread + weighted(mass, log_sum), rows.peak + log_sum)


def index_gradient(rows: Normaliser, nll: Array, on_nll: Array, on_logsumexp: Array | None) -> Gradient:
    """Of Σ on_nll·nll + on_logsumexp·logsumexp, for labels that are classes: exp(−nll) − 1 at the label's class.

    `on_logsumexp` None counts as 0.
    """
    xp = namespace_of(nll)
    if on_logsumexp is None:
        return Gradient(on_nll / (1.0 + rows.tail), on_nll * xp.expm1(-nll))
    return Gradient(
        scale=(on_nll + on_logsumexp) / (1.0 + rows.tail),
        entry=on_nll * xp.expm1(-nll) + on_logsumexp * xp.exp(-nll),
    )


def soft_gradient(
    rows: Normaliser, mass: Array, mass_at_peak: Array, on_nll: Array, on_logsumexp: Array | None
) -> Gradient:
    """The same for soft targets of that mass, `mass_at_peak` of it on the class at the peak; mass excludes that."""
    xp = namespace_of(mass)
    on_logsumexp = xp.zeros_like(on_nll) if on_logsumexp is None else on_logsumexp
    whole = on_logsumexp + on_nll * (mass + mass_at_peak)
    scale = whole / (1.0 + rows.tail)
    likely = on_logsumexp + on_nll * mass - scale * rows.tail  # of a peak that has most of the probability
    return Gradient(scale, xp.where(rows.tail < 1.0, likely, scale - on_nll * mass_at_peak), on_nll)


def entropy_of(rows: Normaliser, spread: Array) -> Array:
    """Entropy of softmax(z), with spread = Σ exp(z − peak)·(peak − z): Σ p (logsumexp − z)."""
    return namespace_of(spread).log1p(rows.tail) + spread / (1.0 + rows.tail)


def entropy_gradient(rows: Normaliser, spread: Array, on: Array) -> tuple[Array, Array]:
    """∂ Σ on·entropy by z_j = scale·exp(z_j − peak)·(peak − z_j + excess): give scale and excess, (rows,) each."""
    return on / (1.0 + rows.tail), -spread / (1.0 + rows.tail)


def row_loss(rows: RowStatistics, weights: RowWeights) -> Array:
    """nll·weight + logsumexp²·weight, where weight 0 counts as 0 even of an infinite nll.

    The square is the z-loss (Chowdhery et al. 2022, PaLM, section 5).
    """
    loss = rows.nll if weights.nll is None else weighted(weights.nll, rows.nll)
    return loss if weights.square is None else loss + weighted(weights.square, rows.logsumexp**2)


def row_loss_gradient(rows: RowStatistics, weights: RowWeights, on_loss: Array) -> tuple[Array, Array | None]:
    """∂ Σ on_loss·row_loss by nll and by logsumexp: (rows,) each, None for 0."""
    if weights.square is None:
        return on_nll(weights, on_loss), None
    return on_nll(weights, on_loss), 2.0 * weighted(weights.square * on_loss, rows.logsumexp)


def on_nll(weights: RowWeights, on_loss: Array) -> Array:
    """∂ Σ on_loss·row_loss by nll: (rows,)."""
    return on_loss if weights.nll is None else on_loss * weights.nll


def weighted(weight: Array, values: Array) -> Array:
    """weight·value, and 0 where the weight is 0 and the value infinite."""
    xp = namespace_of(values)
    return weight * xp.where((weight == 0) & xp.isinf(values), xp.zeros_like(values), values)


def picked(gaps: Array, labels: Array) -> Array:
    """Each row's entry at its label, NaN at one that names no class."""
    xp = namespace_of(gaps)
    known = labels < gaps.shape[-1]
    index = xp.where(known & (labels >= 0), labels, xp.zeros_like(labels))
    if is_tensor(gaps):  # PyTorch's take_along_dim ties a graph to the number of rows
        picked = gaps.gather(-1, index[:, None])[:, 0]
    else:
        picked = xp.take_along_axis(gaps, index[:, None], axis=-1)[:, 0]
    return xp.where(known, picked, xp.full_like(picked, xp.nan))


def _counted(values: Array, labels: Array | None) -> Array:
    xp = namespace_of(values)
    return values if labels is None else xp.where(labels < 0, xp.zeros_like(values), values)
