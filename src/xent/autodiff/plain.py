"""Arrays of any library, by the formulas alone: exact, differentiable where the library is, rows × classes in memory."""

from typing import Any

import numpy as np

from xent._arrays import Array, device_of, namespace_of, widen
from xent.formulas import rows as formulas
from xent.formulas.linear import Layer, logits_of
from xent.formulas.rows import RowStatistics, RowWeights, Targets
from xent.formulas.sigmoid import Questions, sigmoid_nll, weights_of

__all__ = [
    "linear_entropy",
    "linear_loss",
    "linear_statistics",
    "loss",
    "sigmoid_loss",
    "sigmoid_nll",
    "statistics",
    "without_skipped",
]


def statistics(logits: Array, targets: Targets) -> RowStatistics:
    """Row statistics, each (rows,)."""
    with np.errstate(invalid="ignore", over="ignore"):  # rows of infinities become NaN, in silence
        return formulas.row_statistics(widen(logits), targets)


def sigmoid_loss(logits: Array, questions: Questions, weight: Array | None, divisor: Any) -> Array:
    """Σ of what the logits cost, times their weights, over the divisor."""
    nll = sigmoid_nll(logits, *weights_of(questions))
    return namespace_of(nll).sum(nll if weight is None else formulas.weighted(weight, nll)) / divisor


def linear_statistics(layer: Layer, targets: Targets, max_memory: int) -> RowStatistics:
    """Row statistics of a linear layer's logits."""
    return statistics(logits_of(without_skipped(layer, targets.labels)), targets)


def linear_entropy(layer: Layer, labels: Array | None, max_memory: int) -> Array:
    """Entropy of each row's softmax, 0 for rows whose label is below 0: (rows,)."""
    entropy = formulas.entropy(logits_of(without_skipped(layer, labels)))
    xp = namespace_of(entropy)
    return entropy if labels is None else xp.where(labels < 0, xp.zeros_like(entropy), entropy)


def loss(logits: Array, targets: Targets, weights: RowWeights, divisor: Any) -> Array:
    """Σ of the rows' losses, over the divisor."""
    of_rows = formulas.row_loss(statistics(logits, targets), weights)
    return namespace_of(of_rows).sum(of_rows) / divisor


def linear_loss(layer: Layer, targets: Targets, weights: RowWeights, divisor: Any, max_memory: int) -> Array:
    """Σ of the rows' losses, over the divisor."""
    return loss(logits_of(without_skipped(layer, targets.labels)), targets, weights, divisor)


def readable(*arrays: Array) -> bool:
    """Whether values can be looked at without waiting for a device."""
    return all("cpu" in str(device_of(array)).lower() for array in arrays)


def without_skipped(layer: Layer, labels: Array | None) -> Layer:
    """The layer with 0 for the features of rows to skip: whatever they are, it takes no part."""
    xp = namespace_of(layer.features)
    if labels is None:
        return layer
    return layer._replace(features=xp.where((labels < 0)[:, None], xp.zeros_like(layer.features), layer.features))
