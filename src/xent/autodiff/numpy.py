"""The kernels on NumPy arrays: values. NumPy has no gradients of its own; `xent.value_and_grad` spells them out."""

from typing import Any

from numpy.typing import NDArray

from xent.autodiff import arrays, linear_arrays, sigmoid_arrays
from xent.autodiff.linear_arrays import Machine, Wanted
from xent.formulas.linear import Layer
from xent.formulas.rows import RowStatistics, RowWeights, Targets
from xent.formulas.sigmoid import Questions
from xent.kernels import choice
from xent.kernels.blockwise import ArrayProducts, LinearArrays
from xent.kernels.pool import available_cpus

__all__ = [
    "linear_entropy",
    "linear_loss",
    "linear_statistics",
    "loss",
    "machine",
    "readable",
    "sigmoid_loss",
    "sigmoid_nll",
    "statistics",
]

Array = NDArray[Any]


def readable(*_: Array) -> bool:
    """Whether values can be looked at without waiting for a device."""
    return True


def statistics(logits: Array, targets: Targets) -> RowStatistics:
    """Row statistics, each (rows,)."""
    return arrays.forward(logits, targets, choice.row_kernels(logits.size), available_cpus()).statistics


def loss(logits: Array, targets: Targets, weights: RowWeights, divisor: Any) -> Any:
    """Σ of the rows' losses, over the divisor."""
    kernels = choice.row_kernels(logits.size)
    return arrays.loss(logits, targets, weights, divisor, None, kernels, available_cpus())[0]


def sigmoid_nll(logits: Array, positive: Array, negative: Array) -> Array:
    """What each logit costs: positive·softplus(−z) + negative·softplus(z)."""
    kernels = choice.row_kernels(logits.size)
    return sigmoid_arrays.forward(logits, positive, negative, kernels, available_cpus())


def sigmoid_loss(logits: Array, questions: Questions, weight: Array | None, divisor: Any) -> Any:
    """Σ of what the logits cost, times their weights, over the divisor."""
    kernels = choice.row_kernels(logits.size)
    total = sigmoid_arrays.loss(logits, questions, weight, float(divisor), None, kernels, available_cpus())
    return arrays.result(total, logits)


def linear_statistics(layer: Layer, targets: Targets, max_memory: int) -> RowStatistics:
    """Row statistics of a linear layer's logits, each (rows,)."""
    return linear_arrays.statistics(LinearArrays(*layer), targets, machine(layer, max_memory)).statistics


def linear_entropy(layer: Layer, labels: Array | None, max_memory: int) -> Array:
    """Entropy of each row's softmax, 0 for rows whose label is below 0: (rows,)."""
    return linear_arrays.entropy(LinearArrays(*layer), labels, machine(layer, max_memory))[0]


def linear_loss(layer: Layer, targets: Targets, weights: RowWeights, divisor: Any, max_memory: int) -> Any:
    """Σ of the rows' losses, over the divisor."""
    nothing = Wanted(False, False, False)
    given, engine = LinearArrays(*layer), machine(layer, max_memory)
    total, *_ = linear_arrays.loss(given, targets, weights, divisor, engine, nothing)
    return arrays.result(total, layer.weight)


def machine(layer: Layer, max_memory: int) -> Machine:
    """NumPy's products and all CPUs."""
    kernels = choice.row_kernels(len(layer.features) * len(layer.weight))
    return Machine(kernels, ArrayProducts(), available_cpus(), max_memory)
