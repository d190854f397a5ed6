"""The linear layer's loss by tiles of logits that never leave the cache, made twice: for the sums, for the slopes.

Four products of our own instead of three of a library's, for class labels where the processor is one that
`panels_numba` is made for. In exchange no logits are written to memory, bfloat16 is multiplied as it is with sums in
float32, and the weight's gradient is complete when it is written.
"""

import math
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from xent.autodiff import arrays
from xent.autodiff.arrays import Found
from xent.autodiff.linear_arrays import Machine, Wanted
from xent.formulas import rows as formulas
from xent.formulas.rows import Gradient, Normaliser, RowStatistics, RowWeights, Targets
from xent.kernels import choice
from xent.kernels.blockwise import Gradients, LinearArrays
from xent.kernels.pool import GRAIN, over_ranges

__all__ = ["loss", "serves"]

Array = NDArray[Any]
LEAST_ROWS = 48  # at a time
CHUNKS = 32  # of rows at least, if they are not too short: all threads then end at about the same time


class Plan(NamedTuple):
    """How a layer is cut."""

    pairs: bool  # of bfloat16 are multiplied, not float32
    rows: int  # at a time
    tiles: int  # of classes, packed at a time

    def steps(self, numbers: int) -> int:
        """Of k, for so many numbers."""
        return -(-numbers // 2) if self.pairs else numbers

    def memory(self, size: int) -> Array:
        """For a packed operand, from where a line of the cache begins."""
        memory = np.empty(4 * size + 64, np.uint8)
        start = -memory.ctypes.data % 64
        return memory[start : start + 4 * size].view(np.int32 if self.pairs else np.float32)


class Tiles(NamedTuple):
    """Operands of some classes, packed."""

    first: int
    last: int
    right: Array  # of the logits
    back: Array  # of the gradient of the features


class Block(NamedTuple):
    """Rows that are taken at a time, and the layer."""

    features: Array  # (rows·dim), 16-bit floats as the kernels know them
    left: Array  # the same by steps of k
    labels: Array  # (rows,)
    weight: Array  # (classes·dim)
    bias: Array  # (classes,)
    dim: int
    plan: Plan
    threads: int

    def each(self, work: Callable[[int], None], count: int) -> None:
        """Call work(i) for so many things, each worth a thread's while."""

        def take(first: int, last: int) -> None:
            for i in range(first, last):
                work(i)

        over_ranges(take, count, count * GRAIN, self.threads)

    def chunk(self) -> int:
        """How many rows a thread takes at a time."""
        least = choice.tiles().ROWS
        return _up(min(max(len(self.labels) // CHUNKS, 2 * least), 8 * least), least)

    def tiles(self, with_back: bool) -> Iterator[Tiles]:
        """All classes, packed, some at a time; the next ones take the memory of the last."""
        kernels, plan, dim = choice.tiles(), self.plan, self.dim
        wide, steps = kernels.CLASSES, plan.steps(dim)
        columns = _up(dim, kernels.COLUMNS) if with_back else 0
        right, back = plan.memory(steps * plan.tiles * wide), plan.memory(plan.tiles * plan.steps(wide) * columns)
        by_steps = self.weight.view(np.int32) if plan.pairs else self.weight
        for start in range(0, len(self.bias), plan.tiles * wide):
            end = min(start + plan.tiles * wide, len(self.bias))

            def pack(tile: int, start: int = start, end: int = end) -> None:
                at = start + tile * wide
                some = min(wide, end - at)
                kernels.pack_rows(by_steps[at * steps :], steps, some, steps, right[tile * wide * steps :])
                if with_back:
                    to, per_line = back[tile * columns * plan.steps(wide) :], plan.steps(some)
                    kernels.pack_columns(self.weight[at * dim :], dim, dim, some, kernels.COLUMNS, to, 0, per_line)

            self.each(pack, -(-(end - start) // wide))
            yield Tiles(start, end, right, back)

    def statistics(self) -> tuple[Normaliser, RowStatistics]:
        """What there is to know of each row, a tile's after the other's."""
        kernels, rows, steps, chunk = choice.tiles(), len(self.labels), self.plan.steps(self.dim), self.chunk()
        peak, tail, at = np.full(rows, -np.inf, np.float32), np.zeros(rows), np.full(rows, np.nan, np.float32)
        for first, last, right, _ in self.tiles(False):

            def work(number: int, first: int = first, last: int = last, right: Array = right) -> None:
                i, memory = slice(number * chunk, (number + 1) * chunk), _memory(chunk * kernels.CLASSES)
                operands = (self.left[i.start * steps :], steps, right, steps, self.bias[first:last])
                kernels.fold(*operands, self.labels[i], first, memory, peak[i], tail[i], at[i])

            self.each(work, -(-rows // chunk))
        legal = np.isfinite(peak) & (self.labels < len(self.bias))
        found = Normaliser(*(np.where(legal, value, np.nan).astype(np.float32) for value in (peak, tail)))
        return found, formulas.index_statistics(found, at)


class Way(NamedTuple):
    """The way back through a block, whose entries at the labels go by themselves, so that none is rounded."""

    block: Block
    peak: Array  # (rows,)
    slope: Gradient
    order: Array  # (rows,): that of the labels
    on_features: Array  # (rows, dim), or (rows, 0) if it is not wanted
    on_weight: Array | None  # (classes, dim)
    whole: bool  # there are no other rows: what is in on_weight does not count
    turned: Array  # slopes of some classes, as a left operand; empty if on_weight is None
    by_rows: Array  # the features, as its right one

    def find(self, number: int, tiles: Tiles, on_bias: Array) -> None:
        """The slopes of a chunk of rows; `on_bias` (chunks, classes), or (chunks, 0)."""
        kernels, block, plan, chunk = choice.tiles(), self.block, self.block.plan, self.block.chunk()
        i, steps, total = (
            slice(number * chunk, (number + 1) * chunk),
            plan.steps(block.dim),
            plan.steps(len(self.order)),
        )
        memory, found = _memory(chunk * kernels.CLASSES), _memory(chunk * kernels.CLASSES)
        labels = block.labels[i]
        kernels.slopes(
            *(block.left[i.start * steps :], steps, tiles.right, steps, block.bias[tiles.first : tiles.last]),
            *(labels, tiles.first, memory, self.peak[i], self.slope.scale[i]),
            *(np.zeros(len(labels), np.float32), np.empty_like(labels)),
            *(found.view(np.uint16) if plan.pairs else found, self.turned, plan.steps(i.start), total),
            *(tiles.back, self.on_features[i], on_bias[number]),
        )

    def gather(self, tile: int, first: int, last: int) -> None:
        """The weight's gradient of a tile of the classes [first, last), of whose slopes all are known."""
        kernels, block, total = choice.tiles(), self.block, self.block.plan.steps(len(self.order))
        assert self.on_weight is not None
        start = first + tile * kernels.CLASSES
        out = self.on_weight[start : min(start + kernels.CLASSES, last)]
        sums = out if out.dtype == np.float32 else np.empty(out.shape, np.float32)
        left = self.turned[tile * kernels.CLASSES * total :]
        kernels.multiply(left, 1, kernels.ROWS, self.by_rows, total, sums, not self.whole)
        ends = np.searchsorted(block.labels, (start, start + len(out)), sorter=self.order)
        rows = self.order[slice(*ends)]
        kernels.add_rows(sums, block.labels[rows] - start, self.slope.entry[rows], block.features, block.dim, rows)
        if sums is not out:
            kernels.store(sums, out)


def serves(layer: LinearArrays, targets: Targets, machine: Machine) -> bool:
    """Whether tiles do: labels are classes, nothing bends the logits, processor and memory are enough."""
    plain = targets.soft is None and layer.softcap is None and layer.weight.dtype != np.float64
    return plain and choice.tiles() is not None and _plan(layer, len(layer.features), machine.max_memory) is not None


@arrays.silent
def loss(
    layer: LinearArrays, targets: Targets, weights: RowWeights, divisor: Any, machine: Machine, wanted: Wanted
) -> tuple[float, Found, Gradients]:
    """As `linear_arrays.loss`."""
    labels = np.ascontiguousarray(targets.labels)
    counted = np.flatnonzero(labels >= 0)
    plan = _plan(layer, len(counted), machine.max_memory)
    assert plan is not None
    whole = 0 < len(counted) <= plan.rows
    gradients = _gradients(layer, wanted, whole)
    nll, logsumexp, peak, tail = np.zeros((4, len(labels)), np.float32)
    found = Found(RowStatistics(nll, logsumexp), Normaliser(peak, tail))
    totals = []
    for start in range(0, len(counted), plan.rows):
        rows = counted[start : start + plan.rows]
        block = _block(layer, rows, labels[rows], plan, machine.threads)
        normaliser, statistics = block.statistics()
        for kept, here in zip((*found.statistics, *found.rows), (*statistics, *normaliser), strict=True):
            kept[rows] = here
        some = arrays.part_of_weights(weights, rows)
        totals.append(float(formulas.row_loss(statistics, some).sum()) / divisor)
        if any(wanted):
            share = np.full_like(statistics.nll, 1.0 / divisor)
            on = formulas.row_loss_gradient(statistics, some, share)
            slope = formulas.index_gradient(normaliser, statistics.nll, *on)
            on_features = _collect(block, normaliser.peak, slope, gradients, whole)
            if gradients.features is not None:
                gradients.features[rows] = on_features
    return math.fsum(totals), found, gradients


def _collect(block: Block, peak: Array, slope: Gradient, gradients: Gradients, whole: bool) -> Array:
    """Add to the gradients of weight and bias; give that of the features."""
    kernels, plan, dim, rows = choice.tiles(), block.plan, block.dim, len(block.labels)
    on_features = np.zeros((rows, 0 if gradients.features is None else dim), np.float32)
    known = np.minimum(block.labels, len(block.bias) - 1)
    kernels.add_rows(on_features, np.arange(rows), slope.entry, block.weight, dim, known)
    total = 0 if gradients.weight is None else plan.steps(rows)
    turned, by_rows = (plan.memory(total * size) for size in (plan.tiles * kernels.CLASSES, _up(dim, kernels.COLUMNS)))
    if total:
        kernels.pack_columns(block.features, dim, dim, rows, kernels.COLUMNS, by_rows, 0, total)
    order = np.argsort(block.labels, kind="stable")
    way = Way(block, peak, slope, order, on_features, gradients.weight, whole, turned, by_rows)
    chunks = -(-rows // block.chunk())
    for tiles in block.tiles(True):
        first, last = tiles.first, tiles.last
        on_bias = np.zeros((chunks, 0 if gradients.bias is None else last - first), np.float32)
        block.each(lambda number, tiles=tiles, on_bias=on_bias: way.find(number, tiles, on_bias), chunks)
        if total:
            count = -(-(last - first) // kernels.CLASSES)
            block.each(lambda tile, first=first, last=last: way.gather(tile, first, last), count)
        if gradients.bias is not None:
            gradients.bias[first:last] += on_bias.sum(axis=0)
    if gradients.bias is not None:
        gradients.bias[:] += np.bincount(known, slope.entry, len(block.bias)).astype(np.float32)
    return on_features


def _plan(layer: LinearArrays, rows: int, max_memory: int) -> Plan | None:
    """The most rows at a time, since each time costs a pass over the weight and its gradient; then the most classes."""
    kernels, dim = choice.tiles(), layer.features.shape[1]
    pairs = layer.weight.dtype == np.uint16 and dim % 2 == 0 and kernels.pairs_available()
    size, padded = 2 if pairs else 4, _up(dim, kernels.COLUMNS)
    weight, of_row = kernels.CLASSES * (dim + padded) * size, padded * size + 4 * dim
    fit = (max_memory - 2 * weight) // (of_row + 2 * kernels.CLASSES * size)
    if fit < min(rows, LEAST_ROWS):
        return None
    rows = max(1, min(rows, fit))
    tiles = (max_memory - rows * of_row) // (weight + kernels.CLASSES * rows * size)
    return Plan(pairs, rows, min(-(-len(layer.weight) // kernels.CLASSES), tiles))


def _block(layer: LinearArrays, rows: Array, labels: Array, plan: Plan, threads: int) -> Block:
    features, weight = _numbers(layer.features[rows]), _numbers(layer.weight)
    left = features.view(np.int32) if plan.pairs else np.empty(features.shape, np.float32)
    if not plan.pairs:
        choice.tiles().widen(features, left)
    bias = np.zeros(len(layer.weight), np.float32) if layer.bias is None else np.ascontiguousarray(layer.bias)
    return Block(features, left, labels, weight, bias, layer.features.shape[1], plan, threads)


def _gradients(layer: LinearArrays, wanted: Wanted, whole: bool) -> Gradients:
    """Zeros in float32; the weight's in its own dtype and without zeros where it is written once."""
    features, weight, bias = layer[:3]
    on_weight = np.empty(weight.shape, arrays.stored(weight)) if whole else np.zeros(weight.shape, np.float32)
    return Gradients(
        np.zeros(features.shape, np.float32) if wanted.features else None,
        on_weight if wanted.weight else None,
        None if bias is None or not wanted.bias else np.zeros(bias.shape, np.float32),
    )


def _numbers(rows: Array) -> Array:
    """Flat, float16 as the int16 that kernels know it by."""
    flat = np.ascontiguousarray(rows).reshape(-1)
    return flat.view(np.int16) if flat.dtype == np.float16 else flat


def _memory(numbers: int) -> Array:
    """For a tile, and what the kernel of the slopes needs besides."""
    return np.empty(numbers + (1 << 12), np.float32)


def _up(size: int, step: int) -> int:
    return -(-size // step) * step
