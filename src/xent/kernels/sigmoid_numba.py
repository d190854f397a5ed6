"""The sigmoid kernels of `rows_numpy`, compiled: flat arrays of one size."""

from typing import Any

import numpy as np

from xent.kernels.scalars_numba import exp, log1p_unit, narrowed, widened
from xent.kernels.softmax_numba import loop

__all__ = ["sigmoid_gradient", "sigmoid_nll"]

Array = Any


@loop
def sigmoid_nll(z: Array, positive: Array, negative: Array, out: Array) -> None:
    """positive·softplus(−z) + negative·softplus(z)."""
    zero = out.dtype.type(0)
    for i in range(z.shape[0]):
        v = widened(z[i])
        rest = log1p_unit(exp(-abs(v)))
        yes, no = (rest if v > zero else rest - v), (rest + v if v > zero else rest)
        yes = zero if (positive[i] == zero) & (yes == np.inf) else positive[i] * yes
        no = zero if (negative[i] == zero) & (no == np.inf) else negative[i] * no
        out[i] = yes + no


@loop
def sigmoid_gradient(z: Array, positive: Array, negative: Array, on_nll: Array, out: Array) -> None:
    """on_nll·(negative·σ(z) − positive·σ(−z))."""
    zero, one = on_nll.dtype.type(0), on_nll.dtype.type(1)
    for i in range(z.shape[0]):
        v = widened(z[i])
        small = exp(-abs(v))
        high = one / (one + small)
        low = small * high
        above = v > zero
        slope = negative[i] * (high if above else low) - positive[i] * (low if above else high)
        out[i] = narrowed(on_nll[i] * slope, out[i])
