"""Arrays of any library, by the formulas alone: exact, differentiable where the library is, rows × classes in memory."""

from typing import Any

from xent._arrays import Array, namespace_of
from xent.formulas import rows as formulas
from xent.formulas.linear import Layer, logits_of
from xent.formulas.rows import RowStatistics, RowWeights, Targets
from xent.formulas.sigmoid import sigmoid_nll

__all__ = ["linear_entropy", "linear_loss", "linear_statistics", "loss", "sigmoid_nll", "statistics"]

statistics = formulas.row_statistics


def linear_statistics(layer: Layer, targets: Targets, max_memory: int) -> RowStatistics:
    """Row statistics of a linear layer's logits."""
    return statistics(logits_of(layer), targets)


def linear_entropy(layer: Layer, labels: Array | None, max_memory: int) -> Array:
    """Entropy of each row's softmax, 0 for rows whose label is below 0: (rows,)."""
    entropy = formulas.entropy(logits_of(layer))
    return entropy if labels is None else namespace_of(entropy).where(labels < 0, 0.0 * entropy, entropy)


def loss(logits: Array, targets: Targets, weights: RowWeights, divisor: Any) -> Array:
    """Σ of the rows' losses, over the divisor."""
    of_rows = formulas.row_loss(statistics(logits, targets), weights)
    return namespace_of(of_rows).sum(of_rows) / divisor


def linear_loss(layer: Layer, targets: Targets, weights: RowWeights, divisor: Any, max_memory: int) -> Array:
    """Σ of the rows' losses, over the divisor."""
    return loss(logits_of(layer), targets, weights, divisor)


def readable(*_: Array) -> bool:
    """Whether values can be looked at without waiting for a device."""
    return True
