"""The row kernels of `rows_numpy`, compiled: rows laid flat for the loops of `softmax_numba` and its neighbours."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from xent.kernels import sigmoid_numba, soft_numba, softmax_numba
from xent.kernels.elementary_numba import read_only
from xent.kernels.softmax_numba import LANES, NARROW, SCRATCH

__all__ = [
    "both_ways",
    "entropy_gradient",
    "entropy_spread",
    "gradient",
    "normaliser",
    "sigmoid_gradient",
    "sigmoid_nll",
    "soft_gradient",
    "soft_spread",
]

Array = NDArray[Any]


def both_ways(z: Array, labels: Array, on_nll: Array, nll: Array, out: Array) -> float:
    """As in `rows_numpy`."""
    classes = z.shape[1]
    loop = softmax_numba.both_ways if classes > NARROW else softmax_numba.both_ways_of_narrow_rows
    scratch = np.empty(max(SCRATCH + 4 * LANES, classes + 2), nll.dtype)
    total: float = loop(*_given(z), classes, labels, scratch, on_nll, nll, *_flat(out))
    return total


def normaliser(z: Array, labels: Array, peak: Array, tail: Array, label_logit: Array) -> None:
    """As in `rows_numpy`."""
    classes = z.shape[1]
    loop = softmax_numba.normaliser if classes > NARROW else softmax_numba.normaliser_of_narrow_rows
    loop(*_given(z), classes, labels, _scratch(peak), peak, tail, label_logit)


def gradient(z: Array, labels: Array, peak: Array, scale: Array, entry: Array, out: Array) -> None:
    """As in `rows_numpy`."""
    classes = z.shape[1]
    loop = softmax_numba.gradient if classes > NARROW else softmax_numba.gradient_of_narrow_rows
    loop(*_given(z), classes, labels, _scratch(peak), peak, scale, entry, *_flat(out))


def soft_spread(
    z: Array, soft: Array, labels: Array, on_label: Array, peak: Array, spread: Array, mass: Array, at_peak: Array
) -> None:
    """As in `rows_numpy`."""
    soft_numba.soft_spread(*_given(z), z.shape[1], *_given(soft), labels, on_label, peak, spread, mass, at_peak)


def soft_gradient(
    z: Array,
    soft: Array,
    labels: Array,
    on_label: Array,
    peak: Array,
    scale: Array,
    on_soft: Array,
    entry: Array,
    out: Array,
) -> None:
    """As in `rows_numpy`."""
    soft_numba.soft_gradient(
        *_given(z),
        z.shape[1],
        *_given(soft),
        labels,
        on_label,
        _scratch(peak),
        peak,
        scale,
        on_soft,
        entry,
        *_flat(out),
    )


def entropy_spread(z: Array, labels: Array, peak: Array, spread: Array) -> None:
    """As in `rows_numpy`."""
    soft_numba.entropy_spread(*_given(z), z.shape[1], labels, peak, spread)


def entropy_gradient(z: Array, labels: Array, peak: Array, scale: Array, excess: Array, out: Array) -> None:
    """As in `rows_numpy`."""
    soft_numba.entropy_gradient(*_given(z), z.shape[1], labels, _scratch(peak), peak, scale, excess, *_flat(out))


def sigmoid_nll(z: Array, positive: Array, negative: Array, out: Array) -> None:
    """As in `rows_numpy`."""
    sigmoid_numba.sigmoid_nll(*map(read_only, (_readable(z), positive, negative)), out)


def sigmoid_gradient(z: Array, positive: Array, negative: Array, on_nll: Array, out: Array) -> None:
    """As in `rows_numpy`."""
    sigmoid_numba.sigmoid_gradient(*map(read_only, (_readable(z), positive, negative, on_nll)), out)


def _given(rows: Array) -> tuple[Array, int]:
    """`_flat` for what a kernel only reads."""
    flat, step = _flat(rows)
    return read_only(flat), step


def _flat(rows: Array) -> tuple[Array, int]:
    """The numbers from the first row's to the last row's, and the step from one row to the next.

    A step of 0 is one row for all.
    """
    rows = _readable(rows)
    if rows.flags.c_contiguous:
        return rows.reshape(-1), rows.shape[1]
    size = rows.itemsize
    step = rows.strides[0] // size
    length = (rows.shape[0] - 1) * step + rows.shape[1]
    return np.lib.stride_tricks.as_strided(rows[0], (length,), (size,)), step


def _readable(z: Array) -> Array:
    """float16 as the int16 that the loops know it by."""
    return z.view(np.int16) if z.dtype == np.float16 else z


def _scratch(like: Array) -> Array:
    return np.empty(SCRATCH, like.dtype)
