"""The row kernels on NumPy arrays, forward and backward, on several threads: what all adapters on the CPU stand on."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from xent.formulas import rows as formulas
from xent.formulas.rows import Normaliser, RowStatistics, Targets
from xent.kernels.pool import over_ranges

__all__ = [
    "Forward",
    "backward",
    "entropy",
    "entropy_backward",
    "forward",
    "itemsize",
    "part",
    "sigmoid_backward",
    "sigmoid_forward",
    "stored",
    "wide",
]

Array = NDArray[Any]
Kernels = Any


class Forward(NamedTuple):
    """What the way forward found, which is all that the way back needs besides the logits."""

    statistics: RowStatistics
    rows: Normaliser
    mass: Array | None = None  # (rows,), of soft targets away from the peak
    at_peak: Array | None = None  # (rows,), and at it


def forward(z: Array, targets: Targets, kernels: Kernels, threads: int) -> Forward:
    """Statistics of rows of logits (rows, classes)."""
    z = _with_classes_side_by_side(z)
    labels, soft, on_label = _filled(targets, z)
    peak, tail, label_logit, spread, mass, at_peak = (np.empty(len(z), wide(z)) for _ in range(6))

    def work(first: int, last: int) -> None:
        i = slice(first, last)
        kernels.normaliser(z[i], labels[i], peak[i], tail[i], label_logit[i])
        if soft is not None:
            kernels.soft_spread(z[i], soft[i], labels[i], on_label[i], peak[i], spread[i], mass[i], at_peak[i])

    over_ranges(work, len(z), z.size, threads)
    rows = Normaliser(peak, tail)
    if soft is None:
        return Forward(formulas.index_statistics(rows, label_logit), rows)
    return Forward(formulas.soft_statistics(rows, spread, mass + at_peak), rows, mass, at_peak)


def backward(
    z: Array, targets: Targets, found: Forward, on_nll: Array, on_logsumexp: Array, out: Array, kernels: Kernels, threads: int
) -> None:
    """∂ Σ on_nll·nll + on_logsumexp·logsumexp by the logits, into out, which may be z."""
    z = _with_classes_side_by_side(z)
    labels, soft, on_label = _filled(targets, z)
    peak = found.rows.peak
    if soft is None:
        scale, entry, _ = formulas.index_gradient(found.rows, found.statistics.nll, on_nll, on_logsumexp)
    else:
        scale, entry, on_soft = formulas.soft_gradient(found.rows, found.mass, found.at_peak, on_nll, on_logsumexp)

    def work(first: int, last: int) -> None:
        i = slice(first, last)
        if soft is None:
            kernels.gradient(z[i], labels[i], peak[i], scale[i], entry[i], out[i])
        else:
            kernels.soft_gradient(
                z[i], soft[i], labels[i], on_label[i], peak[i], scale[i], on_soft[i], entry[i], out[i]
            )

    over_ranges(work, len(z), z.size, threads)


def sigmoid_forward(z: Array, positive: Array, negative: Array, kernels: Kernels, threads: int) -> Array:
    """What each logit costs: positive·softplus(−z) + negative·softplus(z). Any shape."""
    flat, yes, no = _flat(z, positive, negative)
    out = np.empty(flat.shape, wide(z))

    def work(first: int, last: int) -> None:
        i = slice(first, last)
        kernels.sigmoid_nll(flat[i], yes[i], no[i], out[i])

    over_ranges(work, flat.size, flat.size, threads)
    return out.reshape(z.shape)


def sigmoid_backward(
    z: Array, positive: Array, negative: Array, on_nll: Array, kernels: Kernels, threads: int
) -> Array:
    """∂ Σ on_nll·sigmoid_forward by the logits."""
    flat, yes, no, on = _flat(z, positive, negative, on_nll)
    out = np.empty(flat.shape, stored(z))

    def work(first: int, last: int) -> None:
        i = slice(first, last)
        kernels.sigmoid_gradient(flat[i], yes[i], no[i], on[i], out[i])

    over_ranges(work, flat.size, flat.size, threads)
    return out.reshape(z.shape)


def entropy(z: Array, kernels: Kernels, threads: int) -> tuple[Array, Normaliser, Array]:
    """Entropy of softmax(z) in each row (rows, classes), and the normaliser and spread that the way back needs."""
    labels = np.zeros(len(z), np.int64)
    peak, tail, at, spread = (np.empty(len(z), wide(z)) for _ in range(4))

    def work(first: int, last: int) -> None:
        i = slice(first, last)
        kernels.normaliser(z[i], labels[i], peak[i], tail[i], at[i])
        kernels.entropy_spread(z[i], labels[i], peak[i], spread[i])

    over_ranges(work, len(z), z.size, threads)
    rows = Normaliser(peak, tail)
    return formulas.entropy_of(rows, spread), rows, spread


def entropy_backward(
    z: Array, rows: Normaliser, spread: Array, on: Array, out: Array, kernels: Kernels, threads: int
) -> None:
    """∂ Σ on·entropy by the logits, into out, which may be z."""
    labels = np.zeros(len(z), np.int64)
    scale, excess = formulas.entropy_gradient(rows, spread, on)

    def work(first: int, last: int) -> None:
        i = slice(first, last)
        kernels.entropy_gradient(z[i], labels[i], rows.peak[i], scale[i], excess[i], out[i])

    over_ranges(work, len(z), z.size, threads)


def part(targets: Targets, rows: Any) -> Targets:
    """The targets of some of the rows."""
    labels, soft, on_label = targets
    return Targets(
        None if labels is None else labels[rows],
        soft if soft is None or len(soft) == 1 else soft[rows],
        None if on_label is None else on_label[rows],
    )


def wide(z: Array) -> type:
    """The dtype of arithmetic on logits and of results: float32 for 16-bit logits."""
    return np.float64 if z.dtype == np.float64 else np.float32


def itemsize(z: Array) -> int:
    """Bytes of a number of that dtype."""
    return np.dtype(wide(z)).itemsize


def stored(z: Array) -> type:
    """The dtype of a gradient by logits: their own; float32 for float16, which kernels read and do not write."""
    return np.float32 if z.dtype == np.float16 else z.dtype


def _filled(targets: Targets, z: Array) -> tuple[Array, Array | None, Array]:
    """Labels, soft targets and what the labels weigh on top, as the kernels take them."""
    labels, soft, on_label = targets
    labels = np.zeros(len(z), np.int64) if labels is None else labels
    if soft is None:
        return labels, None, labels
    soft = np.broadcast_to(_with_classes_side_by_side(soft), z.shape)
    return labels, soft, np.zeros(len(z), wide(z)) if on_label is None else np.ascontiguousarray(on_label)


def _with_classes_side_by_side(rows: Array) -> Array:
    beside = rows.shape[1] < 2 or rows.strides[1] == rows.itemsize
    return rows if beside and rows.strides[0] >= 0 else np.ascontiguousarray(rows)


def _flat(*arrays: Array) -> list[Array]:
    return [np.ascontiguousarray(array).reshape(-1) for array in np.broadcast_arrays(*arrays)]
