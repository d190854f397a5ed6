"""Cross-entropy of independent yes-or-no questions, one logit each."""

from typing import NamedTuple

from xent._arrays import Array, namespace_of
from xent.formulas.rows import weighted

__all__ = ["Questions", "sigmoid_gradient", "sigmoid_nll", "weights_of"]


class Questions(NamedTuple):
    """What yes and no weigh, each of the logits' shape. None for no: what yes leaves of 1."""

    positive: Array
    negative: Array | None = None


def weights_of(questions: Questions) -> tuple[Array, Array]:
    """What yes and no weigh."""
    positive, negative = questions
    return positive, 1.0 - positive if negative is None else negative


def sigmoid_nll(logits: Array, positive: Array, negative: Array) -> Array:
    """positive·softplus(−z) + negative·softplus(z): what yes and no cost, times what they weigh. Any shape.

    softplus(z) = max(z, 0) + log1p(exp(−|z|)), in a form that automatic differentiation keeps exact, at 0 too.
    """
    xp = namespace_of(logits)
    zero = xp.zeros_like(logits)
    above = logits > 0
    rest = xp.log1p(xp.exp(xp.where(above, -logits, logits)))
    yes = xp.where(above, zero, -logits) + rest
    no = xp.where(above, logits, zero) + rest
    return weighted(positive, yes) + weighted(negative, no)


def sigmoid_gradient(logits: Array, positive: Array, negative: Array) -> Array:
    """negative·σ(z) − positive·σ(−z)."""
    xp = namespace_of(logits)
    above = logits > 0
    small = xp.exp(xp.where(above, -logits, logits))
    high, low = 1.0 / (1.0 + small), small / (1.0 + small)
    return negative * xp.where(above, high, low) - positive * xp.where(above, low, high)
