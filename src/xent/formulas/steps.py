"""The arithmetic of worked examples: what a softmax cross-entropy passes through, and the usual formulas as they are.

The losses are computed elsewhere and otherwise; these are the numbers on the way, as textbooks write them.
"""

from xent._arrays import Array, namespace_of

__all__ = [
    "exponentials",
    "improbabilities",
    "naive_softmax_loss",
    "plain_shares",
    "probabilities",
    "shifted_softmax_loss",
]


def exponentials(logits: Array) -> Array:
    """exp(z); infinite beyond what the dtype holds."""
    return namespace_of(logits).exp(logits)


def probabilities(nats: Array) -> Array:
    """exp(−nats): the probability of what costs that much."""
    return namespace_of(nats).exp(-nats)


def improbabilities(nats: Array) -> Array:
    """1 − exp(−nats), without the difference."""
    return 0.0 - namespace_of(nats).expm1(-nats)


def plain_shares(logits: Array) -> Array:
    """z / Σz: what dividing by the sum would give, were it a way to make probabilities."""
    return logits / namespace_of(logits).sum(logits)


def naive_softmax_loss(logits: Array, label: int) -> Array:
    """−log(exp(z_y) / Σ exp(z)), in the dtype of `logits` (classes,): overflows, and rounds to 0."""
    xp = namespace_of(logits)
    weights = xp.exp(logits)
    return 0.0 - xp.log(weights[label] / xp.sum(weights))


def shifted_softmax_loss(logits: Array, label: int) -> Array:
    """log Σ exp(z − max) − (z_y − max), as most libraries compute it: does not overflow, but rounds to 0."""
    xp = namespace_of(logits)
    shifted = logits - xp.max(logits)
    return xp.log(xp.sum(xp.exp(shifted))) - shifted[label]
