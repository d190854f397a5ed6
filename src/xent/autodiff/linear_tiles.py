"""The linear layer's loss by tiles of logits that never leave the cache, made twice: for the sums, for the slopes.

Four products of our own instead of three of a library's, for class labels where the processor is one that
`panels_numba` is made for. In exchange no logits are written to memory, bfloat16 is multiplied as it is with sums in
float32, and the weight's gradient is complete when it is written.
"""

import itertools
import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from xent.autodiff import arrays
from xent.autodiff.linear_arrays import Machine, Wanted
from xent.formulas import rows as formulas
from xent.formulas.rows import Gradient, Normaliser, RowStatistics, RowWeights, Targets
from xent.kernels import choice
from xent.kernels.blockwise import Gradients, LinearArrays
from xent.kernels.pool import GRAIN, over_ranges

__all__ = ["loss", "serves"]

Array = NDArray[Any]
LEAST_ROWS = 48  # at a time
MOST_ROWS = 96  # that a thread takes at a time: enough for each reading of the weight
PIECE = 240  # classes whose 16-bit gradient is summed at a time
PAIR_OF_ONES = 0x3F803F80  # in bfloat16
SHARE = 6  # of the logits' memory is enough for all temporaries


class Plan(NamedTuple):
    """How a layer is cut."""

    pairs: bool  # of bfloat16 are multiplied, not float32
    rows: int  # at a time
    tiles: int  # of classes, packed at a time
    tiles_there: int  # on the way there, which needs less for each

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
    idle: list[Array]  # memory of threads that have no use for it now

    def each(self, work: Callable[[int], None], count: int) -> None:
        """Call work(i) for so many things, each worth a thread's while."""

        def take(first: int, last: int) -> None:
            for i in range(first, last):
                work(i)

        over_ranges(take, count, count * GRAIN, self.threads)

    def parts(self) -> list[slice]:
        """The rows in as many parts for each thread, none of them with too many, whole panels but for the last."""
        panel = choice.tiles().ROWS
        panels = -(-len(self.labels) // panel)
        count = min(panels, self.threads * -(-len(self.labels) // (self.threads * MOST_ROWS)))
        bounds = [panels * number // count * panel for number in range(count + 1)]
        return [slice(*bound) for bound in itertools.pairwise(bounds)]

    @contextmanager
    def tile(self) -> Iterator[tuple[Array, Array, Array]]:
        """A thread's memory for logits and for their slopes, the latter by numbers and by steps of k."""
        size, pairs = (MOST_ROWS + choice.tiles().ROWS) * choice.tiles().CLASSES, self.plan.pairs
        least = max((3 if pairs else 4) * size // 2, PIECE * self.dim)
        memory = self.idle.pop() if self.idle else np.empty(least, np.float32)
        found = memory[size:]
        yield memory, found.view(np.uint16) if pairs else found, found.view(np.int32) if pairs else found
        self.idle.append(memory)

    def tiles(self, with_back: bool) -> Iterator[Tiles]:
        """All classes, packed, some at a time; the next ones take the memory of the last."""
        kernels, plan, dim = choice.tiles(), self.plan, self.dim
        wide, steps = kernels.CLASSES, plan.steps(dim)
        columns = _up(dim, kernels.COLUMNS) if with_back else 0
        count = plan.tiles if with_back else plan.tiles_there
        right, back = plan.memory(steps * count * wide), plan.memory(count * plan.steps(wide) * columns)
        by_steps = self.weight.view(np.int32) if plan.pairs else self.weight
        for start in range(0, len(self.bias), count * wide):
            end = min(start + count * wide, len(self.bias))

            def pack(tile: int, start: int = start, end: int = end) -> None:
                at = start + tile * wide
                some = min(wide, end - at)
                kernels.pack_rows(by_steps[at * steps :], steps, some, steps, right[tile * wide * steps :])
                if with_back:
                    to = back[tile * columns * plan.steps(wide) :]
                    kernels.pack_columns(self.weight[at * dim :], dim, dim, some, to)

            self.each(pack, -(-(end - start) // wide))
            yield Tiles(start, end, right, back)

    def statistics(self) -> tuple[Normaliser, RowStatistics]:
        """What there is to know of each row, a tile's after the other's."""
        kernels, rows, steps, parts = choice.tiles(), len(self.labels), self.plan.steps(self.dim), self.parts()
        peak, tail, at = np.full(rows, -np.inf, np.float32), np.zeros(rows), np.full(rows, np.nan, np.float32)
        for first, last, right, _ in self.tiles(False):

            def work(number: int, first: int = first, last: int = last, right: Array = right) -> None:
                i = parts[number]
                operands = (self.left[i.start * steps :], steps, right, steps, self.bias[first:last])
                with self.tile() as (logits, *_):
                    kernels.fold(*operands, self.labels[i], first, logits, peak[i], tail[i], at[i])

            self.each(work, len(parts))
        legal = np.isfinite(peak) & (self.labels < len(self.bias))
        found = Normaliser(*(np.where(legal, value, np.nan).astype(np.float32) for value in (peak, tail)))
        return found, formulas.index_statistics(found, at)


class Way(NamedTuple):
    """The way back through a block, whose entries at the labels go by themselves, so that none is rounded."""

    block: Block
    peak: Array  # (rows,)
    slope: Gradient
    order: Array  # (rows,): that of the labels
    in_order: Array  # (rows,): the labels in it
    on_features: Array  # (rows, dim), or (rows, 0) if it is not wanted
    on_weight: Array | None  # (classes, dim)
    on_bias: Array | None  # (classes,)
    whole: bool  # there are no other rows: what is in on_weight does not count
    turned: Array  # slopes of some classes, as a left operand
    by_rows: Array  # the features, as its right one
    ones: Array  # a column of them, likewise

    def find(self, i: slice, tiles: Tiles) -> None:
        """The slopes of a part of the rows."""
        block, plan, steps = self.block, self.block.plan, self.block.plan.steps(self.block.dim)
        with block.tile() as (logits, *found):
            choice.tiles().slopes(
                *(block.left[i.start * steps :], steps, tiles.right, steps, block.bias[tiles.first : tiles.last]),
                *(block.labels[i], tiles.first, logits, self.peak[i], self.slope.scale[i], *found),
                *(self.turned[plan.steps(i.start) * choice.tiles().CLASSES :], plan.steps(len(self.order))),
                *(tiles.back, self.on_features[i].reshape(-1), self.on_features.shape[1]),
            )

    def gather(self, piece: int, first: int, last: int) -> None:
        """The gradients of weight and bias for a piece of the classes [first, last), of whose slopes all are known."""
        kernels, block, steps = choice.tiles(), self.block, self.block.plan.steps(len(self.order))
        tile, within = divmod(piece * PIECE, kernels.CLASSES)
        left = (self.turned[tile * kernels.CLASSES * steps + within :], 1, kernels.CLASSES)
        start, dim = first + piece * PIECE, block.dim
        classes = slice(start, min(start + PIECE, last))
        count = classes.stop - start
        if self.on_bias is not None:
            kernels.multiply(*left, self.ones, steps, self.on_bias[classes], 1, count, 1, 1)
        if self.on_weight is None:
            return
        with block.tile() as (memory, *_):
            out = self.on_weight[classes]
            sums = out if out.dtype == np.float32 else memory[: out.size].reshape(out.shape)
            kernels.multiply(*left, self.by_rows, steps, sums.reshape(-1), dim, count, dim, 0 if self.whole else 1)
            rows = self.order[slice(*np.searchsorted(self.in_order, (start, classes.stop)))]
            kernels.add_rows(sums, block.labels[rows] - start, self.slope.entry[rows], block.features, dim, rows)
            if sums is not out:
                kernels.store(sums, out)


def serves(layer: LinearArrays, targets: Targets, machine: Machine) -> bool:
    """Whether tiles do: labels are classes, nothing bends the logits, processor and memory are enough."""
    plain = targets.soft is None and layer.softcap is None and layer.weight.dtype != np.float64
    return plain and choice.tiles() is not None and _plan(layer, len(layer.features), machine.max_memory) is not None


@arrays.silent
def loss(
    layer: LinearArrays, targets: Targets, weights: RowWeights, divisor: Any, machine: Machine, wanted: Wanted
) -> tuple[float, Array, Gradients]:
    """As `linear_arrays.loss`."""
    labels = np.ascontiguousarray(targets.labels)
    counted = np.flatnonzero(labels >= 0)
    plan = _plan(layer, len(counted), machine.max_memory)
    assert plan is not None
    whole = 0 < len(counted) <= plan.rows
    gradients = _gradients(layer, wanted, whole)
    losses, totals = np.zeros(len(labels), np.float32), []
    for start in range(0, len(counted), plan.rows):
        stop = min(start + plan.rows, len(counted))
        rows = slice(start, stop) if len(counted) == len(labels) else counted[start:stop]
        block = _block(layer, rows, labels[rows], plan, machine.threads)
        normaliser, statistics = block.statistics()
        some = arrays.part_of_weights(weights, rows)
        losses[rows] = of_rows = formulas.row_loss(statistics, some)
        totals.append(float(of_rows.sum()) / divisor)
        if any(wanted):
            share = np.full_like(statistics.nll, 1.0 / divisor)
            on = formulas.row_loss_gradient(statistics, some, share)
            slope = formulas.index_gradient(normaliser, statistics.nll, *on)
            none = np.zeros((stop - start, 0), np.float32)
            on_features = none if gradients.features is None else gradients.features[rows]
            _collect(block, normaliser.peak, slope, gradients, on_features, whole)
            if gradients.features is not None and not isinstance(rows, slice):
                gradients.features[rows] = on_features
    return math.fsum(totals), losses, gradients


def _collect(block: Block, peak: Array, slope: Gradient, gradients: Gradients, on_features: Array, whole: bool) -> None:
    """Add to the gradients."""
    kernels, plan, dim, rows = choice.tiles(), block.plan, block.dim, len(block.labels)
    known, parts, total = np.minimum(block.labels, len(block.bias) - 1), block.parts(), plan.steps(rows)
    kernels.add_rows(on_features, np.arange(rows), slope.entry, block.weight, dim, known)
    turned, by_rows, ones = (
        plan.memory(total * size) for size in (plan.tiles * kernels.CLASSES, _up(dim, kernels.COLUMNS), kernels.COLUMNS)
    )
    kernels.pack_columns(block.features, dim, dim, rows, by_rows)
    ones.fill(PAIR_OF_ONES if plan.pairs else 1.0)
    order = np.argsort(block.labels, kind="stable")
    slopes = (peak, slope, order, block.labels[order])
    way = Way(block, *slopes, on_features, gradients.weight, gradients.bias, whole, turned, by_rows, ones)
    for tiles in block.tiles(True):
        first, last = tiles.first, tiles.last
        block.each(lambda number, tiles=tiles: way.find(parts[number], tiles), len(parts))
        pieces = -(-(last - first) // PIECE)
        block.each(lambda piece, first=first, last=last: way.gather(piece, first, last), pieces)
    if gradients.bias is not None:
        gradients.bias[:] += np.bincount(known, slope.entry, len(block.bias))


def _plan(layer: LinearArrays, rows: int, max_memory: int) -> Plan | None:
    """The most rows at a time, since each time costs a pass over the weight and its gradient; then the most classes."""
    kernels, dim, classes = choice.tiles(), layer.features.shape[1], len(layer.weight)
    pairs = layer.weight.dtype == np.uint16 and dim % 2 == 0 and kernels.pairs_available()
    size, padded = 2 if pairs else 4, _up(dim, kernels.COLUMNS)
    weight, of_row = kernels.CLASSES * (dim + padded) * size, padded * size + 4 * dim
    fit = (max_memory - 2 * weight) // (of_row + 2 * kernels.CLASSES * size)
    if fit < min(rows, LEAST_ROWS):
        return None
    memory = min(max_memory, len(layer.features) * classes * layer.weight.itemsize // SHARE)
    rows, most = max(1, min(rows, fit)), -(-classes // kernels.CLASSES)
    left = memory - rows * of_row
    tiles = left // (weight + kernels.CLASSES * rows * size), left // (kernels.CLASSES * dim * size)
    return Plan(pairs, rows, *(max(1, min(most, count)) for count in tiles))


def _block(layer: LinearArrays, rows: Any, labels: Array, plan: Plan, threads: int) -> Block:
    features, weight = _numbers(layer.features[rows]), _numbers(layer.weight)
    left = features.view(np.int32) if plan.pairs else features
    if left.itemsize == 2:
        left = np.empty(features.shape, np.float32)
        choice.tiles().widen(features, left)
    bias = np.zeros(len(layer.weight), np.float32) if layer.bias is None else np.ascontiguousarray(layer.bias)
    return Block(features, left, labels, weight, bias, layer.features.shape[1], plan, threads, [])


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
    flat = np.ascontiguousarray(rows).reshape(-1)
    return flat.view(np.int16) if flat.dtype == np.float16 else flat  # that kernels know it by


def _up(size: int, step: int) -> int:
    return -(-size // step) * step
