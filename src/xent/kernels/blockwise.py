"""A linear layer and a row kernel, a block of rows at a time: rows × classes numbers never exist at once."""

from collections.abc import Callable
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

__all__ = ["ArrayProducts", "Gradients", "LinearArrays", "Products", "pieces", "rows_of_a_block", "visit_blocks"]

Array = NDArray[Any]
PIECE = 1 << 18  # numbers of the weight, or of its gradient, that are in memory once more


class LinearArrays(NamedTuple):
    """softcap(features·weightᵀ + bias)."""

    features: Array  # (rows, dim)
    weight: Array  # (classes, dim)
    bias: Array | None  # (classes,)
    softcap: float | None


class Gradients(NamedTuple):
    """Where the gradients go: filled for the rows visited; None where none is wanted."""

    features: Array | None  # (rows, dim), 0 to begin with
    weight: Array | None  # (classes, dim), 0 to begin with
    bias: Array | None  # (classes,), 0 to begin with


class Products(Protocol):
    """Matrix products of one library; `out` is float32 or float64."""

    def multiply(self, a: Array, b: Array, out: Array) -> None:
        """a·b into out."""

    def add(self, a: Array, b: Array, out: Array) -> None:
        """a·b added to out."""


class ArrayProducts:
    """NumPy's products."""

    def multiply(self, a: Array, b: Array, out: Array) -> None:
        """a·b into out."""
        np.matmul(a, b, out=out)

    def add(self, a: Array, b: Array, out: Array) -> None:
        """a·b added to out, some of its rows at a time."""
        for some in pieces(*out.shape):
            out[some] += a[some] @ b


def pieces(classes: int, dim: int) -> list[slice]:
    """Classes of so much of a weight as may be in memory once more; at least 64, as products of fewer are slow."""
    step = max(64, PIECE // max(1, dim))
    return [slice(first, min(first + step, classes)) for first in range(0, classes, step)]


def rows_of_a_block(classes: int, softcap: float | None, itemsize: int, max_memory: int) -> int:
    """How many rows of logits fit; at least one."""
    buffers = 1 if softcap is None else 2
    return max(1, max_memory // (classes * itemsize * buffers))


def visit_blocks(
    layer: LinearArrays,
    counted: Array | None,
    block: int,
    products: Products,
    visit: Callable[[Any, Array], None],
    gradients: Gradients | None,
) -> None:
    """Give `visit` each block's rows and logits; what it leaves in them is their gradient, if gradients are wanted.

    `counted` (rows,) names the rows to visit, None all of them. Rows come to `visit` as a slice or as their numbers.
    """
    total = len(layer.features) if counted is None else len(counted)
    dtype = np.result_type(layer.weight.dtype, np.float32) if layer.weight.dtype.kind == "f" else np.float32
    buffer = np.empty((min(block, total), len(layer.weight)), dtype)
    slope = np.empty_like(buffer) if layer.softcap is not None and gradients is not None else None
    for first in range(0, total, block):
        last = min(first + block, total)
        rows = slice(first, last) if counted is None else counted[first:last]
        features = layer.features[rows]
        logits = buffer[: last - first]
        products.multiply(features, layer.weight.T, logits)
        _finish(logits, layer, None if slope is None else slope[: last - first])
        visit(rows, logits)
        if gradients is not None:
            if slope is not None:
                logits *= slope[: last - first]
            _collect(features, logits, rows, layer.weight, products, gradients)


def _finish(logits: Array, layer: LinearArrays, slope: Array | None) -> None:
    """Add the bias and bend, in place; the slope of the bend is 1 − tanh²."""
    if layer.bias is not None:
        logits += layer.bias
    if layer.softcap is not None:
        logits /= layer.softcap
        np.tanh(logits, out=logits)
        if slope is not None:
            np.multiply(logits, logits, out=slope)
            np.subtract(1.0, slope, out=slope)
        logits *= layer.softcap


def _collect(
    features: Array, slopes: Array, rows: Any, weight: Array, products: Products, gradients: Gradients
) -> None:
    """What a block's logit gradients (rows, classes) add to the layer's gradients."""
    if gradients.features is not None:
        if isinstance(rows, slice):
            products.multiply(slopes, weight, gradients.features[rows])
        else:
            block = np.empty(features.shape, gradients.features.dtype)
            products.multiply(slopes, weight, block)
            gradients.features[rows] = block
    if gradients.weight is not None:
        products.add(slopes.T, features, gradients.weight)
    if gradients.bias is not None:
        gradients.bias[:] += slopes.sum(axis=0)
