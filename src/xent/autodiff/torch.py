"""Arrays of any library, by the formulas alone: exact, differentiable where the library is, rows × classes in memory."""

import torch

from xent._arrays import Array, namespace_of
from xent.formulas import rows as formulas
from xent.formulas.linear import Layer, logits_of
from xent.formulas.rows import RowStatistics, RowWeights, Targets
from xent.formulas.sigmoid import sigmoid_nll

__all__ = ["linear_loss", "linear_entropy", "linear_statistics", "sigmoid_nll", "statistics"]

statistics = formulas.row_statistics


def linear_statistics(layer: Layer, targets: Targets, max_memory: int) -> RowStatistics:
    """Row statistics of a linear layer's logits."""
    return statistics(logits_of(layer), targets)


def linear_entropy(layer: Layer, labels: Array | None, max_memory: int) -> Array:
    """Entropy of each row's softmax, 0 for rows whose label is below 0: (rows,)."""
    entropy = formulas.entropy(logits_of(layer))
    return entropy if labels is None else namespace_of(entropy).where(labels < 0, 0.0 * entropy, entropy)


def linear_loss(layer: Layer, targets: Targets, weights: RowWeights, max_memory: int) -> Array:
    """Σ of the rows' losses."""
    loss = formulas.row_loss(statistics(logits_of(layer), targets), weights)
    return namespace_of(loss).sum(loss)


def readable(*arrays: Array) -> bool:
    """Whether values can be looked at without waiting for a device: on the CPU, outside of all transformations."""
    if torch.compiler.is_compiling() or torch._C._are_functorch_transforms_active():
        return False
    return all(array.device.type == "cpu" for array in arrays)
