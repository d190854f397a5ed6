"""The row kernels spelled out: the specification, and what runs where Numba is not installed.

A kernel fills the arrays it is given. z is (rows, classes) of float32, float64, float16, or uint16 that holds
bfloat16; all other numbers have the dtype of `peak` or `nll`: float64 for float64, else float32. A row whose label is below 0
is skipped: it gets 0 everywhere. One whose label is no class gets NaN.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "both_ways",
    "entropy_gradient",
    "entropy_spread",
    "gradient",
    "normaliser",
    "rounded",
    "sigmoid_gradient",
    "sigmoid_nll",
    "soft_gradient",
    "soft_spread",
]

Array = NDArray[Any]
silent = np.errstate(over="ignore", invalid="ignore")  # rows of infinities become NaN


@silent
def normaliser(z: Array, labels: Array, peak: Array, tail: Array, label_logit: Array) -> None:
    """Each row's largest logit, Σ exp(z − peak) without one peak's own 1, and the logit at its label."""
    peak[:], tail[:], label_logit[:] = _normalised(_widened(z), labels)


def _normalised(z: Array, labels: Array) -> tuple[Array, Array, Array]:
    known = (labels >= 0) & (labels < z.shape[1])
    nothing = np.where(labels < 0, 0.0, np.nan)
    peak = z.max(axis=1)
    legal = np.where(np.isfinite(peak), peak, np.nan)
    at_peak = z == legal[:, None]
    terms = np.where(at_peak, 0.0, np.exp(z - legal[:, None]))
    tail = terms.sum(axis=1, dtype=np.float64) + (at_peak.sum(axis=1) - 1.0)
    label_logit = z[np.arange(len(z)), np.where(known, labels, 0)]
    peak, tail, label_logit = (np.where(known, found, nothing) for found in (legal, tail, label_logit))
    return peak, tail, label_logit


@silent
def gradient(z: Array, labels: Array, peak: Array, scale: Array, entry: Array, out: Array) -> None:
    """scale·exp(z − peak) into out, which may be z, and `entry` at the label; 0 in rows of no weight."""
    values = scale[:, None] * np.exp(_widened(z) - peak[:, None])
    rows = np.flatnonzero((labels >= 0) & (labels < z.shape[1]))
    values[rows, labels[rows]] = entry[rows]
    values[(labels < 0) | ((scale == 0.0) & (entry == 0.0))] = 0.0
    _store(values, out)


@silent
def both_ways(z: Array, labels: Array, on_nll: Array, nll: Array, out: Array) -> float:
    """nll = logsumexp − z_label of each row, and ∂ Σ on_nll·nll by the logits into out, which may be z.

    Gives Σ nll; NaN where a label is no class, even if that marks a row to skip.
    """
    peak, tail, at_label = (found.astype(nll.dtype) for found in _normalised(_widened(z), labels))
    nll[:] = (peak - at_label) + np.log1p(tail)
    gradient(z, labels, peak, on_nll / (1.0 + tail), on_nll * np.expm1(-nll), out)
    return float(nll.sum(dtype=np.float64)) if (labels >= 0).all() else np.nan


@silent
def soft_spread(
    z: Array, soft: Array, labels: Array, on_label: Array, peak: Array, spread: Array, mass: Array, at_peak: Array
) -> None:
    """Σ t (peak − z), Σ t away from the peak, and t at the peak; t is `soft`, and `on_label` more at the label."""
    targets = _targets(z, soft, labels, on_label)
    below = peak[:, None] - _widened(z)
    terms = np.where((targets == 0.0) & (below == np.inf), 0.0, targets * below)
    skipped = labels < 0
    spread[:] = np.where(skipped, 0.0, terms.sum(axis=1, dtype=np.float64))
    mass[:] = np.where(skipped, 0.0, np.where(below == 0.0, 0.0, targets).sum(axis=1, dtype=np.float64))
    at_peak[:] = np.where(skipped, 0.0, np.where(below == 0.0, targets, 0.0).sum(axis=1, dtype=np.float64))


@silent
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
    """scale·exp(z − peak) − on_soft·t into out, which may be z, and `entry` at the peak if it has no equal."""
    z = _widened(z)
    values = scale[:, None] * np.exp(z - peak[:, None])
    values = values - on_soft[:, None] * _targets(z, soft, labels, on_label)
    at_peak = z == peak[:, None]
    alone = at_peak & (at_peak.sum(axis=1) == 1)[:, None]
    values = np.where(alone, entry[:, None], values)
    values[(labels < 0) | ((scale == 0.0) & (on_soft == 0.0))] = 0.0
    _store(values, out)


@silent
def entropy_spread(z: Array, labels: Array, peak: Array, spread: Array) -> None:
    """Σ exp(z − peak)·(peak − z)."""
    below = peak[:, None] - _widened(z)
    terms = np.where(below == np.inf, 0.0, np.exp(-below) * below)
    spread[:] = np.where(labels < 0, 0.0, terms.sum(axis=1, dtype=np.float64))


@silent
def entropy_gradient(z: Array, labels: Array, peak: Array, scale: Array, excess: Array, out: Array) -> None:
    """scale·exp(z − peak)·(peak − z + excess) into out, which may be z; 0 in rows of no weight."""
    below = peak[:, None] - _widened(z)
    values = np.where(below == np.inf, 0.0, scale[:, None] * np.exp(-below) * (below + excess[:, None]))
    values[(labels < 0) | (scale == 0.0)] = 0.0
    _store(values, out)


@silent
def sigmoid_nll(z: Array, positive: Array, negative: Array, out: Array) -> None:
    """positive·softplus(−z) + negative·softplus(z); flat arrays of one size."""
    z = _widened(z)
    rest = np.log1p(np.exp(-np.abs(z)))
    yes, no = rest + np.maximum(-z, 0.0), rest + np.maximum(z, 0.0)
    yes = np.where((positive == 0.0) & (yes == np.inf), 0.0, positive * yes)
    no = np.where((negative == 0.0) & (no == np.inf), 0.0, negative * no)
    out[:] = yes + no


@silent
def sigmoid_gradient(z: Array, positive: Array, negative: Array, on_nll: Array, out: Array) -> None:
    """on_nll·(negative·σ(z) − positive·σ(−z)) into out."""
    z = _widened(z)
    small = np.exp(-np.abs(z))
    high, low = 1.0 / (1.0 + small), small / (1.0 + small)
    above = z > 0.0
    slope = negative * np.where(above, high, low) - positive * np.where(above, low, high)
    _store(on_nll * slope, out)


def _widened(z: Array) -> Array:
    """16-bit floats as float32."""
    if z.dtype == np.uint16:
        return (z.astype(np.uint32) << 16).view(np.float32)
    return z.astype(np.float32) if z.dtype == np.float16 else z


def rounded(values: Array, dtype: Any) -> Array:
    """To nearest, ties to even; uint16 takes bfloat16."""
    if dtype != np.uint16:
        return values.astype(dtype, copy=False)
    bits = values.astype(np.float32, copy=False).view(np.uint32)
    nearest = bits >> 16
    nearest &= 1
    nearest += bits
    nearest += 0x7FFF
    nearest >>= 16
    nearest[np.isnan(values)] = 0x7FC0
    return nearest.astype(np.uint16)


def _store(values: Array, out: Array) -> None:
    out[:] = rounded(values, out.dtype)


def _targets(z: Array, soft: Array, labels: Array, on_label: Array) -> Array:
    targets = np.array(np.broadcast_to(soft, z.shape))
    rows = np.flatnonzero((labels >= 0) & (labels < z.shape[1]))
    targets[rows, labels[rows]] += on_label[rows]
    return targets
