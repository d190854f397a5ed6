"""The row kernels on NumPy arrays, forward and backward, on several threads: what all adapters on the CPU stand on."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from xent.formulas import rows as formulas
from xent.formulas.rows import Normaliser, RowStatistics, RowWeights, Targets
from xent.kernels.pool import GRAIN, over_ranges

__all__ = [
    "FEW",
    "Found",
    "Problem",
    "backward",
    "entropy",
    "entropy_backward",
    "forward",
    "itemsize",
    "loss",
    "part",
    "part_of_weights",
    "plain_loss",
    "result",
    "stored",
    "wide",
]

Array = NDArray[Any]
Kernels = Any


FEW = GRAIN  # logits from which on a plain loss is that of any options; below, it is one call that looks at the labels
silent = np.errstate(over="ignore", invalid="ignore")  # rows of infinities become NaN


class Found(NamedTuple):
    """What the way forward finds of each row, which is all that the way back needs besides the logits."""

    statistics: RowStatistics
    rows: Normaliser
    mass: Any = None  # (rows,), of soft targets away from the peak
    at_peak: Any = None  # (rows,), and at it

    def part(self, rows: Any) -> "Found":
        """What was found of some of the rows."""
        (nll, logsumexp), (peak, tail), mass, at_peak = self
        soft = () if mass is None else (mass[rows], at_peak[rows])
        return Found(RowStatistics(nll[rows], logsumexp[rows]), Normaliser(peak[rows], tail[rows]), *soft)


class Problem(NamedTuple):
    """Rows of logits and their targets as the kernels take them, and where what is found of them goes."""

    z: Array  # (rows, classes), side by side in memory along the classes
    labels: Array
    soft: Any
    on_label: Array
    found: Found
    kernels: Kernels

    def part(self, i: slice) -> "Problem":
        """The problem of some of the rows."""
        z, labels, soft, on_label, found, kernels = self
        if i.stop - i.start == len(z):
            return self
        return Problem(z[i], labels[i], None if soft is None else soft[i], on_label[i], found.part(i), kernels)

    def find(self) -> None:
        """Fill in what there is to know of the rows."""
        z, labels, soft, on_label, ((nll, logsumexp), rows, mass, at_peak), kernels = self
        kernels.normaliser(z, labels, *rows, nll)
        if soft is None:
            nll[:], logsumexp[:] = formulas.index_statistics(rows, nll)
            return
        kernels.soft_spread(z, soft, labels, on_label, rows.peak, nll, mass, at_peak)
        nll[:], logsumexp[:] = formulas.soft_statistics(rows, nll, mass + at_peak)

    def slope(self, on_nll: Array, on_logsumexp: Array | None, out: Array) -> None:
        """∂ Σ on_nll·nll + on_logsumexp·logsumexp by the logits, into out, which may be z."""
        z, labels, soft, on_label, ((nll, _), rows, mass, at_peak), kernels = self
        if soft is None:
            scale, entry, _ = formulas.index_gradient(rows, nll, on_nll, on_logsumexp)
            kernels.gradient(z, labels, rows.peak, scale, entry, out)
            return
        scale, entry, on_soft = formulas.soft_gradient(rows, mass, at_peak, on_nll, on_logsumexp)
        kernels.soft_gradient(z, soft, labels, on_label, rows.peak, scale, on_soft, entry, out)


@silent
def forward(z: Array, targets: Targets, kernels: Kernels, threads: int) -> Found:
    """Find all that there is to know of rows of logits (rows, classes)."""
    problem = _problem(z, targets, _nothing(z, targets), kernels)

    def work(first: int, last: int) -> None:
        problem.part(slice(first, last)).find()

    over_ranges(work, len(z), z.size, threads)
    return problem.found


@silent
def backward(
    z: Array,
    targets: Targets,
    found: Found,
    on_nll: Array,
    on_logsumexp: Array,
    out: Array,
    kernels: Kernels,
    threads: int,
) -> None:
    """∂ Σ on_nll·nll + on_logsumexp·logsumexp by the logits, into out, which may be z."""
    problem = _problem(z, targets, found, kernels)

    def work(first: int, last: int) -> None:
        i = slice(first, last)
        problem.part(i).slope(on_nll[i], on_logsumexp[i], out[i])

    over_ranges(work, len(z), z.size, threads)


@silent
def loss(
    z: Array, targets: Targets, weights: RowWeights, divisor: float, out: Any, kernels: Kernels, threads: int
) -> tuple[Any, Array]:
    """Σ of the rows' losses over the divisor, and each; that sum's gradient by the logits into out, or nowhere (None).

    Out may be z. A range of rows goes both ways while it is in the cache.
    """
    share = np.empty(len(z), wide(z))
    share.fill(1.0 / divisor)
    if out is None or targets.soft is not None or weights.square is not None:
        problem = _problem(z, targets, _nothing(z, targets), kernels)
        statistics = problem.found.statistics

        def work(first: int, last: int) -> None:
            i = slice(first, last)
            some = problem.part(i)
            some.find()
            if out is not None:
                on = formulas.row_loss_gradient(some.found.statistics, part_of_weights(weights, i), share[i])
                some.slope(*on, out[i])

    else:
        z, labels, nll = _with_classes_side_by_side(z), np.ascontiguousarray(targets.labels), np.empty_like(share)
        on_nll = formulas.on_nll(weights, share)
        statistics = RowStatistics(nll, nll)  # without a weight of squares no one asks for the logsumexp

        def work(first: int, last: int) -> None:
            i = slice(first, last)
            kernels.both_ways(z[i], labels[i], on_nll[i], nll[i], out[i])

    over_ranges(work, len(z), z.size, threads)
    losses = formulas.row_loss(statistics, weights)
    return result(losses.sum(dtype=np.float64) / divisor, z), losses


def plain_loss(
    z: Array, labels: Array, divisor: float, wanted: bool, kernels: Kernels, threads: int
) -> tuple[Any, Array | None]:
    """`loss` by classes alone, and the gradient if it is wanted; of few logits NaN where a label names no class.

    Those few are one call. NumPy's sums and comparisons cost more than that here: each takes the caches from what follows.
    """
    if z.size >= FEW:
        out = np.empty(z.shape, stored(z)) if wanted else None
        return loss(z, Targets(labels), RowWeights(), divisor, out, kernels, threads)[0], out
    out = np.empty(z.shape, stored(z))
    share, nll = np.empty(len(z), z.dtype), np.empty(len(z), z.dtype)
    share.fill(1.0 / divisor)
    z, labels = _with_classes_side_by_side(z), np.ascontiguousarray(labels)
    return kernels.both_ways(z, labels, share, nll, out) / divisor, out if wanted else None


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


def part_of_weights(weights: RowWeights, rows: Any) -> RowWeights:
    """The weights of some of the rows."""
    if weights.nll is None and weights.square is None:
        return weights
    return RowWeights(*(value[rows] if isinstance(value, np.ndarray) and value.ndim else value for value in weights))


def wide(z: Array) -> Any:
    """The dtype of arithmetic on logits and of results: float32 for 16-bit logits."""
    return np.float64 if z.dtype == np.float64 else np.float32


@silent
def result(total: Any, z: Array) -> Any:
    """A sum in the dtype of results, in which it may be infinite."""
    return wide(z)(total)


def itemsize(z: Array) -> int:
    """Bytes of a number of that dtype."""
    return np.dtype(wide(z)).itemsize


def stored(z: Array) -> Any:
    """The dtype of a gradient by logits: their own; float32 for float16, which kernels read and do not write."""
    return np.float32 if z.dtype == np.float16 else z.dtype


def _rows(count: int, z: Array) -> Any:
    """So many numbers for each row of z, in the dtype of arithmetic: (count, rows)."""
    return np.empty((count, len(z)), wide(z))


def _nothing(z: Array, targets: Targets) -> Found:
    nll, logsumexp, peak, tail, *soft = _rows(4 if targets.soft is None else 6, z)
    return Found(RowStatistics(nll, logsumexp), Normaliser(peak, tail), *soft)


def _problem(z: Array, targets: Targets, found: Found, kernels: Kernels) -> Problem:
    z = _with_classes_side_by_side(z)
    labels, soft, on_label = targets
    labels = np.zeros(len(z), np.int64) if labels is None else np.ascontiguousarray(labels)
    if soft is None:
        return Problem(z, labels, None, labels, found, kernels)
    soft = np.broadcast_to(_with_classes_side_by_side(soft), z.shape)
    on_label = np.zeros(len(z), wide(z)) if on_label is None else np.ascontiguousarray(on_label)
    return Problem(z, labels, soft, on_label, found, kernels)


def _with_classes_side_by_side(rows: Array) -> Array:
    if rows.flags.c_contiguous:
        return rows
    beside = rows.shape[1] < 2 or rows.strides[1] == rows.itemsize
    whole = rows.strides[0] >= 0 and rows.strides[0] % rows.itemsize == 0
    return rows if beside and whole else np.ascontiguousarray(rows)
