"""The sigmoid kernels on NumPy arrays of any shape, forward and backward, on several threads."""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xent.autodiff.arrays import Kernels, stored, wide
from xent.formulas import rows as formulas
from xent.formulas.sigmoid import Questions
from xent.kernels.pool import over_ranges

__all__ = ["backward", "forward", "loss"]

Array = NDArray[Any]


def forward(z: Array, positive: Array, negative: Array, kernels: Kernels, threads: int) -> Array:
    """What each logit costs: positive·softplus(−z) + negative·softplus(z). Any shape."""
    flat, yes, no = _flat(z, positive, negative)
    out: Array = np.empty(flat.shape, wide(z))

    def work(first: int, last: int) -> None:
        i = slice(first, last)
        kernels.sigmoid_nll(flat[i], yes[i], no[i], out[i])

    over_ranges(work, flat.size, flat.size, threads)
    return out.reshape(z.shape)


def loss(
    z: Array, questions: Questions, weight: Any, divisor: float, out: Any, kernels: Kernels, threads: int
) -> float:
    """Σ of what the logits cost, times their weights, over the divisor; the gradient into out, which may be None."""
    flat, yes, *rest = _flat(*(value for value in (z, *questions, weight) if value is not None))
    no = rest.pop(0) if questions.negative is not None else None
    times = rest.pop() if rest else None
    gradient = None if out is None else out.reshape(-1)
    totals: dict[int, float] = {}

    def work(first: int, last: int) -> None:
        i = slice(first, last)
        given = (flat[i], yes[i], 1.0 - yes[i] if no is None else no[i])
        nll = np.empty(given[0].shape, wide(z))
        kernels.sigmoid_nll(*given, nll)
        totals[first] = float((nll if times is None else formulas.weighted(times[i], nll)).sum(dtype=np.float64))
        if gradient is not None:
            on = np.full_like(nll, 1.0 / divisor) if times is None else times[i] / divisor
            kernels.sigmoid_gradient(*given, on, gradient[i])

    over_ranges(work, flat.size, flat.size, threads)
    return math.fsum(totals.values()) / divisor


def backward(z: Array, positive: Array, negative: Array, on_nll: Array, kernels: Kernels, threads: int) -> Array:
    """∂ Σ on_nll·forward by the logits."""
    flat, yes, no, on = _flat(z, positive, negative, on_nll)
    out: Array = np.empty(flat.shape, stored(z))

    def work(first: int, last: int) -> None:
        i = slice(first, last)
        kernels.sigmoid_gradient(flat[i], yes[i], no[i], on[i], out[i])

    over_ranges(work, flat.size, flat.size, threads)
    return out.reshape(z.shape)


def _flat(*arrays: Array) -> list[Array]:
    return [np.ascontiguousarray(array).reshape(-1) for array in np.broadcast_arrays(*arrays)]
