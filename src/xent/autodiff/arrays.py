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
    mass: Any = None  # (rows,), of soft targets away from the peak
    at_peak: Any = None  # (rows,), and at it


def forward(z: Array, targets: Targets, kernels: Kernels, threads: int) -> Forward:
    """Statistics of rows of logits (rows, classes)."""
    z = _with_classes_side_by_side(z)
    labels, soft, on_label = _filled(targets, z)
    nll, logsumexp, peak, tail, mass, at_peak = _rows(6, z)

    def of_classes(first: int, last: int) -> None:
        i = slice(first, last)
        rows = Normaliser(peak[i], tail[i])
        kernels.normaliser(z[i], labels[i], *rows, nll[i])
        nll[i], logsumexp[i] = formulas.index_statistics(rows, nll[i])

    def of_soft(first: int, last: int) -> None:
        i = slice(first, last)
        rows = Normaliser(peak[i], tail[i])
        kernels.normaliser(z[i], labels[i], *rows, nll[i])
        kernels.soft_spread(z[i], soft[i], labels[i], on_label[i], peak[i], nll[i], mass[i], at_peak[i])
        nll[i], logsumexp[i] = formulas.soft_statistics(rows, nll[i], mass[i] + at_peak[i])

    over_ranges(of_classes if soft is None else of_soft, len(z), z.size, threads)
    found = Forward(RowStatistics(nll, logsumexp), Normaliser(peak, tail))
    return found if soft is None else found._replace(mass=mass, at_peak=at_peak)


def backward(
    z: Array,
    targets: Targets,
    found: Forward,
    on_nll: Array,
    on_logsumexp: Array,
    out: Array,
    kernels: Kernels,
    threads: int,
) -> None:
    """∂ Σ on_nll·nll + on_logsumexp·logsumexp by the logits, into out, which may be z."""
    z = _with_classes_side_by_side(z)
    labels, soft, on_label = _filled(targets, z)
    (nll, _), rows, mass, at_peak = found

    def of_classes(first: int, last: int) -> None:
        i = slice(first, last)
        part = Normaliser(rows.peak[i], rows.tail[i])
        slopes = formulas.index_gradient(part, nll[i], on_nll[i], on_logsumexp[i])
        kernels.gradient(z[i], labels[i], part.peak, slopes.scale, slopes.entry, out[i])

    def of_soft(first: int, last: int) -> None:
        i = slice(first, last)
        part = Normaliser(rows.peak[i], rows.tail[i])
        slopes = formulas.soft_gradient(part, mass[i], at_peak[i], on_nll[i], on_logsumexp[i])
        targets_here = (soft[i], labels[i], on_label[i])
        kernels.soft_gradient(z[i], *targets_here, part.peak, slopes.scale, slopes.on_soft, slopes.entry, out[i])

    over_ranges(of_classes if soft is None else of_soft, len(z), z.size, threads)


def sigmoid_forward(z: Array, positive: Array, negative: Array, kernels: Kernels, threads: int) -> Array:
    """What each logit costs: positive·softplus(−z) + negative·softplus(z). Any shape."""
    flat, yes, no = _flat(z, positive, negative)
    (out,) = _rows(1, flat)

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
    out: Array = np.empty(flat.shape, stored(z))

    def work(first: int, last: int) -> None:
        i = slice(first, last)
        kernels.sigmoid_gradient(flat[i], yes[i], no[i], on[i], out[i])

    over_ranges(work, flat.size, flat.size, threads)
    return out.reshape(z.shape)


def entropy(z: Array, kernels: Kernels, threads: int) -> tuple[Array, Normaliser, Array]:
    """Entropy of softmax(z) in each row (rows, classes), and the normaliser and spread that the way back needs."""
    labels = np.zeros(len(z), np.int64)
    peak, tail, at, spread = _rows(4, z)

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


def wide(z: Array) -> Any:
    """The dtype of arithmetic on logits and of results: float32 for 16-bit logits."""
    return np.float64 if z.dtype == np.float64 else np.float32


def itemsize(z: Array) -> int:
    """Bytes of a number of that dtype."""
    return np.dtype(wide(z)).itemsize


def stored(z: Array) -> Any:
    """The dtype of a gradient by logits: their own; float32 for float16, which kernels read and do not write."""
    return np.float32 if z.dtype == np.float16 else z.dtype


def _rows(count: int, z: Array) -> Array:
    """So many numbers for each row of z, in the dtype of arithmetic: (count, rows)."""
    return np.empty((count, len(z)), wide(z))


def _filled(targets: Targets, z: Array) -> tuple[Array, Any, Array]:
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
