"""The kernels of `rows_numpy` for soft targets and for entropy, compiled. Rows come flat, as in `softmax_numba`."""

from typing import Any

import numpy as np

from xent.kernels.scalars_numba import exp, narrowed, widened
from xent.kernels.softmax_numba import PART, loop

__all__ = ["entropy_gradient", "entropy_spread", "soft_gradient", "soft_spread"]

Array = Any


@loop
def soft_spread(
    z: Array,
    step: int,
    classes: int,
    soft: Array,
    soft_step: int,
    labels: Array,
    on_label: Array,
    peak: Array,
    spread: Array,
    mass: Array,
    at_peak: Array,
) -> None:
    """Σ t (peak − z), Σ t away from the peak, and t at the peak; t is `soft`, and `on_label` more at the label."""
    zero, one = peak.dtype.type(0), peak.dtype.type(1)
    for i in range(labels.shape[0]):
        row, targets = z[i * step : i * step + classes], soft[i * soft_step : i * soft_step + classes]
        top, y = peak[i], labels[i]
        sum_spread, sum_mass, sum_peak = 0.0, 0.0, 0.0
        for start in range(0, 0 if y < 0 else classes, PART):
            part, weights = row[start : start + PART], targets[start : start + PART]
            far, away, near = zero, zero, zero
            for j in range(part.shape[0]):
                below, t = top - widened(part[j]), weights[j]
                far += t * (zero if (t == zero) & (below == np.inf) else below)  # in a form that vectorises
                away += t * (zero if below == zero else one)
                near += t * (one if below == zero else zero)
            sum_spread, sum_mass, sum_peak = sum_spread + far, sum_mass + away, sum_peak + near
        if y >= 0 and y < classes:
            below, t = top - widened(row[y]), on_label[i]
            sum_spread += zero if (t == zero) & (below == np.inf) else t * below
            sum_mass += zero if below == zero else t
            sum_peak += t if below == zero else zero
        spread[i], mass[i], at_peak[i] = sum_spread, sum_mass, sum_peak


@loop
def soft_gradient(
    z: Array,
    step: int,
    classes: int,
    soft: Array,
    soft_step: int,
    labels: Array,
    on_label: Array,
    scratch: Array,
    peak: Array,
    scale: Array,
    on_soft: Array,
    entry: Array,
    out: Array,
    out_step: int,
) -> None:
    """scale·exp(z − peak) − on_soft·t into out, which may be z, and `entry` at the peak if it has no equal."""
    zero = peak.dtype.type(0)
    for i in range(labels.shape[0]):
        row, to = z[i * step : i * step + classes], out[i * out_step : i * out_step + classes]
        targets = soft[i * soft_step : i * soft_step + classes]
        times, top, less, y = scale[i], peak[i], on_soft[i], labels[i]
        nothing = y < 0 or (times == zero and less == zero)
        peaks, last = 0, 0
        for j in range(classes):
            if widened(row[j]) == top:
                peaks, last = peaks + 1, j
        for start in range(0, classes, PART):
            part, part_out = row[start : start + PART], to[start : start + PART]
            weights, terms = targets[start : start + PART], scratch[: part.shape[0]]
            if nothing:
                terms[:] = zero
            else:
                for j in range(part.shape[0]):
                    terms[j] = times * exp(widened(part[j]) - top) - less * weights[j]
            if not nothing and y >= start and y < start + PART:
                terms[y - start] -= less * on_label[i]
            for j in range(part.shape[0]):
                part_out[j] = narrowed(terms[j], part_out[j])
        if not nothing and peaks == 1:
            to[last] = narrowed(entry[i], to[0])


@loop
def entropy_spread(z: Array, step: int, classes: int, labels: Array, peak: Array, spread: Array) -> None:
    """Σ exp(z − peak)·(peak − z)."""
    zero = peak.dtype.type(0)
    for i in range(labels.shape[0]):
        row, top = z[i * step : i * step + classes], peak[i]
        total = 0.0
        for start in range(0, 0 if labels[i] < 0 else classes, PART):
            part = row[start : start + PART]
            far = zero
            for j in range(part.shape[0]):
                below = top - widened(part[j])
                far += zero if below == np.inf else exp(-below) * below
            total += far
        spread[i] = total


@loop
def entropy_gradient(
    z: Array,
    step: int,
    classes: int,
    labels: Array,
    scratch: Array,
    peak: Array,
    scale: Array,
    excess: Array,
    out: Array,
    out_step: int,
) -> None:
    """scale·exp(z − peak)·(peak − z + excess) into out, which may be z; 0 in rows skipped or of no weight."""
    zero = peak.dtype.type(0)
    for i in range(labels.shape[0]):
        row, to = z[i * step : i * step + classes], out[i * out_step : i * out_step + classes]
        times, top, more = scale[i], peak[i], excess[i]
        nothing = labels[i] < 0 or times == zero
        for start in range(0, classes, PART):
            part, part_out = row[start : start + PART], to[start : start + PART]
            terms = scratch[: part.shape[0]]
            if nothing:
                terms[:] = zero
            else:
                for j in range(part.shape[0]):
                    below = top - widened(part[j])
                    share = exp(-below)
                    terms[j] = zero if share == zero else times * share * (below + more)
            for j in range(part.shape[0]):
                part_out[j] = narrowed(terms[j], part_out[j])
