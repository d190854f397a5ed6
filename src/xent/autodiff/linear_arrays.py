"""The row kernels on the logits of a linear layer, a block of rows at a time, forward and backward, on NumPy arrays."""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from xent.autodiff import arrays
from xent.autodiff.arrays import Found
from xent.formulas import rows as formulas
from xent.formulas.rows import Normaliser, RowStatistics, RowWeights, Targets
from xent.kernels.blockwise import Gradients, LinearArrays, Products, rows_of_a_block, visit_blocks

__all__ = ["Machine", "Wanted", "entropy", "entropy_gradient", "loss", "statistics", "statistics_gradient"]

Array = NDArray[Any]


class Machine(NamedTuple):
    """With what, on how many threads and in how much memory."""

    kernels: Any
    products: Products
    threads: int
    max_memory: int


class Wanted(NamedTuple):
    """Whose gradients are wanted."""

    features: bool
    weight: bool
    bias: bool


def statistics(layer: LinearArrays, targets: Targets, machine: Machine) -> Found:
    """What the way forward finds of each row."""
    found = _nothing_found(layer, targets)

    def visit(rows: Any, logits: Array) -> None:
        _keep(found, rows, arrays.forward(logits, arrays.part(targets, rows), machine.kernels, machine.threads))

    _visit(layer, targets.labels, machine, visit, None)
    return found


def statistics_gradient(
    layer: LinearArrays,
    targets: Targets,
    found: Found,
    on_nll: Array,
    on_logsumexp: Array,
    machine: Machine,
    wanted: Wanted,
) -> Gradients:
    """∂ Σ on_nll·nll + on_logsumexp·logsumexp by the layer's parts; the logits are computed again."""

    def visit(rows: Any, logits: Array) -> None:
        arrays.backward(
            logits,
            arrays.part(targets, rows),
            found.part(rows),
            on_nll[rows],
            on_logsumexp[rows],
            logits,
            machine.kernels,
            machine.threads,
        )

    gradients = _zeros(layer, wanted)
    _visit(layer, targets.labels, machine, visit, gradients)
    return gradients


def loss(
    layer: LinearArrays, targets: Targets, weights: RowWeights, divisor: Any, machine: Machine, wanted: Wanted
) -> tuple[Any, Array, Gradients]:
    """Σ of the rows' losses over the divisor, each of them, and that sum's gradients: three products in all."""
    (losses,) = _zero_rows(layer, 1)
    gradients = _zeros(layer, wanted)
    totals = []

    def visit(rows: Any, logits: Array) -> None:
        some, out = arrays.part_of_weights(weights, rows), logits if any(wanted) else None
        chosen = arrays.part(targets, rows)
        total, losses[rows] = arrays.loss(logits, chosen, some, divisor, out, machine.kernels, machine.threads)
        totals.append(float(total))

    _visit(layer, targets.labels, machine, visit, gradients if any(wanted) else None)
    return math.fsum(totals), losses, gradients


def entropy(layer: LinearArrays, labels: Array | None, machine: Machine) -> tuple[Array, Normaliser, Array]:
    """Entropy of each row's softmax, 0 in rows to skip, and what the way back needs."""
    rows_found, spread = Normaliser(*_zero_rows(layer, 2)), _zero_rows(layer, 1)[0]

    def visit(rows: Any, logits: Array) -> None:
        _, normaliser, here = arrays.entropy(logits, machine.kernels, machine.threads)
        rows_found.peak[rows], rows_found.tail[rows], spread[rows] = *normaliser, here

    _visit(layer, labels, machine, visit, None)
    return formulas.entropy_of(rows_found, spread), rows_found, spread


def entropy_gradient(
    layer: LinearArrays,
    labels: Array | None,
    found: Normaliser,
    spread: Array,
    on: Array,
    machine: Machine,
    wanted: Wanted,
) -> Gradients:
    """∂ Σ on·entropy by the layer's parts."""

    def visit(rows: Any, logits: Array) -> None:
        here = Normaliser(found.peak[rows], found.tail[rows])
        arrays.entropy_backward(logits, here, spread[rows], on[rows], logits, machine.kernels, machine.threads)

    gradients = _zeros(layer, wanted)
    _visit(layer, labels, machine, visit, gradients)
    return gradients


def _visit(
    layer: LinearArrays,
    labels: Array | None,
    machine: Machine,
    visit: Callable[[Any, Array], None],
    gradients: Gradients | None,
) -> None:
    """Visit the rows that are not skipped: the others cost no product."""
    counted = None if labels is None or (labels >= 0).all() else np.flatnonzero(labels >= 0)
    rounded = layer.weight.itemsize if layer.weight.itemsize == 2 else 0  # the slopes, for a product of 16 bits
    itemsize = arrays.itemsize(layer.weight) + rounded
    block = rows_of_a_block(len(layer.weight), layer.softcap, itemsize, machine.max_memory)
    visit_blocks(layer, counted, block, machine.products, visit, gradients)


def _zero_rows(layer: LinearArrays, count: int) -> list[Array]:
    return [np.zeros(len(layer.features), arrays.wide(layer.weight)) for _ in range(count)]


def _nothing_found(layer: LinearArrays, targets: Targets) -> Found:
    nll, logsumexp, peak, tail, mass, at_peak = _zero_rows(layer, 6)
    soft = targets.soft is not None
    return Found(
        RowStatistics(nll, logsumexp), Normaliser(peak, tail), mass if soft else None, at_peak if soft else None
    )


def _flat(found: Found) -> list[Array]:
    values = (*found.statistics, *found.rows, found.mass, found.at_peak)
    return [value for value in values if value is not None]


def _keep(found: Found, rows: Any, here: Found) -> None:
    for whole, some in zip(_flat(found), _flat(here), strict=True):
        whole[rows] = some


def _zeros(layer: LinearArrays, wanted: Wanted) -> Gradients:
    """float32 for 16-bit layers: the sums over blocks keep their digits."""
    dtype = arrays.wide(layer.weight)
    parts = zip((layer.features, layer.weight, layer.bias), wanted, strict=True)
    return Gradients(*(np.zeros(part.shape, dtype) if part is not None and want else None for part, want in parts))
