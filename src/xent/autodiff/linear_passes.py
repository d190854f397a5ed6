"""What the tiles' two passes over the classes do in which order, on several threads.

On the way there a tile concerns no other. On the way back a tile's operand is packed, its slopes are found for some rows
after the others, and the gradients of weight and bias are gathered for some classes after the others. Each of these
waits for what it needs of the others, and three tiles' slopes are kept, so that it seldom does.
"""

import functools
import itertools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from xent.formulas import rows as formulas
from xent.formulas.rows import Gradient, Normaliser
from xent.kernels import choice
from xent.kernels.blockwise import Gradients
from xent.kernels.pool import GRAIN, Item, in_turn, over_ranges

__all__ = ["Block", "Plan", "fold_all", "slopes_of_all", "up"]

Array = NDArray[Any]
KEPT = 3  # tiles whose slopes are in memory
PACKED = 2  # tiles that are packed
UNITS = 20  # of classes, whose sums are merged last
PAIR_OF_ONES = 0x3F803F80  # in bfloat16


class Plan(NamedTuple):
    """How a layer is taken."""

    pairs: bool  # of bfloat16 are multiplied, not float32
    wide: bool  # the weight is widened to float32 first
    rows: int  # at a time

    @property
    def numbers(self) -> int:
        """In a step of k."""
        return 2 if self.pairs else 1

    def steps(self, numbers: int) -> int:
        """Of k, for so many numbers."""
        return -(-numbers // self.numbers)

    def widened(self, numbers: Array) -> Array:
        """Numbers of the layer as they are multiplied, in float32 where the processor does not multiply their dtype."""
        if not self.wide:
            return numbers
        choice.tiles().widen(numbers, wide := np.empty(len(numbers), np.float32))
        return wide

    def memory(self, steps: int) -> Array:
        """For an operand, from where a line of the cache begins."""
        memory = np.empty(4 * steps + 64, np.uint8)
        start = -memory.ctypes.data % 64
        return memory[start : start + 4 * steps].view(np.int32 if self.pairs else np.float32)


class Block(NamedTuple):
    """Rows that are taken at a time, and the layer."""

    features: Array  # (rows·dim), 16-bit floats as the kernels know them
    by_rows: Array  # the same as the right operand of the logits, rows side by side
    labels: Array  # (rows,)
    weight: Array  # (classes·dim)
    bias: Array  # (classes,)
    dim: int
    plan: Plan
    threads: int
    idle: list[Array]  # memory of threads that have no use for it now

    @property
    def steps(self) -> int:
        """Of k in the product that makes the logits."""
        return self.plan.steps(self.dim)

    @property
    def lanes(self) -> int:
        """Rows and what fills the last panel."""
        return up(len(self.labels), choice.tiles().COLUMNS)

    def tiles(self) -> list[slice]:
        """Of classes."""
        classes, size = len(self.bias), choice.tiles().CLASSES
        return [slice(first, min(first + size, classes)) for first in range(0, classes, size)]

    def parts(self, threads: int) -> list[list[slice]]:
        """The rows in a part for each thread, of at most WIDE at a time and of whole panels."""
        panel, panels = choice.tiles().COLUMNS, self.lanes // choice.tiles().COLUMNS
        count = min(panels, threads)
        times = -(-self.lanes // (count * choice.tiles().WIDE))
        bounds = [panels * number // (count * times) * panel for number in range(count * times + 1)]
        some = [slice(*bound) for bound in itertools.pairwise(bounds)]
        return [some[first : first + times] for first in range(0, count * times, times)]

    def left(self, classes: slice, memory: Array | None) -> Array:
        """The weight of some classes as a left operand; `memory` is where it is widened."""
        numbers = self.weight[classes.start * self.dim : classes.stop * self.dim]
        if memory is None:
            return numbers.view(np.int32) if self.plan.pairs else numbers
        choice.tiles().widen(numbers, memory)
        return memory

    @contextmanager
    def memory(self, least: int) -> Iterator[Array]:
        """So many float32 at least for a thread."""
        memory = self.idle.pop() if self.idle else np.empty(0, np.float32)
        yield (memory := memory if len(memory) >= least else np.empty(least, np.float32))
        self.idle.append(memory)


def fold_all(block: Block) -> tuple[Normaliser, Array]:
    """Each row's peak and tail, and the logit of its label; NaN where a row is broken."""
    kernels, tiles, steps = choice.tiles(), block.tiles(), block.steps
    units = min(UNITS, len(tiles))
    parts = block.parts(1 if units >= 4 * block.threads else block.threads)
    if not block.plan.wide:  # what is widened is so for all rows of a thread
        parts = [[rows] for some in parts for rows in some]
    peak, tail = np.full((units, block.lanes), -np.inf, np.float32), np.zeros((units, block.lanes))
    at = np.full(len(block.labels), np.nan, np.float32)
    most = min(kernels.WIDE, block.lanes)
    widened = kernels.CLASSES * block.dim if block.plan.wide else 0

    def work(number: int, _: int) -> None:
        unit = number // len(parts)
        with block.memory((kernels.HEIGHT + 3) * most + widened) as memory:
            tile, lanes, wide = np.split(memory, (kernels.HEIGHT * most, (kernels.HEIGHT + 3) * most))
            here = tiles[len(tiles) * unit // units : len(tiles) * (unit + 1) // units]
            for some in here if widened else [slice(here[0].start, here[-1].stop)]:
                left = block.left(some, wide if widened else None)
                for rows in parts[number % len(parts)]:
                    right, of_rows = block.by_rows[rows.start * steps :], (peak[unit, rows], tail[unit, rows], at[rows])
                    of_classes = block.bias[some], block.labels[rows], some.start
                    kernels.fold(left, right, steps, *of_classes, tile, lanes, *of_rows)

    count = units * len(parts)
    over_ranges(work, count, count * GRAIN, block.threads)
    of_units = (Normaliser(*some) for some in zip(peak.astype(np.float64), tail, strict=True))
    found = functools.reduce(formulas.merge, of_units)
    rows = slice(len(block.labels))
    legal = np.isfinite(found.peak[rows]) & (block.labels < len(block.bias))
    return Normaliser(*(np.where(legal, value[rows], np.nan).astype(np.float32) for value in found)), at


class Part(NamedTuple):
    """Some rows' arrays, found once."""

    start: int
    by_rows: Array
    labels: Array
    peak: Array
    scale: Array
    on_features: Array  # (rows·dim,); empty if not wanted


class Way(NamedTuple):
    """The way back through a block, whose entries at the labels go by themselves, so that none is rounded."""

    block: Block
    tiles: list[slice]
    piece: int  # classes whose gradient a thread gathers at a time
    parts: list[list[Part]]
    order: Array  # (rows,): that of the labels
    in_order: Array  # (rows,): the labels in it
    entry: Array  # (rows,): likewise
    gradients: Gradients  # the weight's may be rounded when it is complete
    whole: bool  # there are no other rows: what is in the weight's gradient does not count
    line: int  # steps of k from one class to the next: a line of the cache more than there are rows for
    found: list[Array]  # slopes of a tile each, as the left operand of the weight's gradient
    numbers: list[Array]  # the same memory by numbers
    back: list[Array]  # a tile's weight each, as the right operand of the gradient of the features
    widened: list[Array]  # the same as the left operand of the logits, where that is another
    by_columns: Array  # the features, as the right operand of the weight's gradient
    ones: Array  # a column of them, likewise

    def items(self) -> dict[Any, Item]:
        """All there is to do, in an order in which what an item waits for is mostly done long since."""
        parts, pieces = range(len(self.parts)), range(-(-choice.tiles().CLASSES // self.piece))
        items: dict[Any, Item] = {}

        def add(work: Callable[..., None], tile: int, some: int, after: list[Any]) -> None:
            if 0 <= tile < len(self.tiles):
                items[work.__name__, tile, some] = Item(functools.partial(work, tile, some), after)

        for tile in range(-1, len(self.tiles) + 1):
            gathered = [("gather", tile - KEPT, piece) for piece in pieces]
            for part in parts:
                add(self.find, tile, part, [("pack", tile, 0), ("find", tile - 1, part), *gathered])
            add(self.pack, tile + 1, 0, [("find", tile + 1 - PACKED, part) for part in parts])
            for piece in pieces:
                add(self.gather, tile - 1, piece, [("find", tile - 1, part) for part in parts])
        return items

    def pack(self, tile: int, _: int) -> None:
        """The weight of a tile's classes."""
        block, classes = self.block, self.tiles[tile]
        weight = block.weight[classes.start * block.dim : classes.stop * block.dim]
        if block.plan.wide:
            weight = block.left(classes, self.widened[tile % PACKED])
        if self.gradients.features is not None:
            count, to = classes.stop - classes.start, self.back[tile % PACKED]
            choice.tiles().pack_columns(weight, block.dim, count, to)

    def find(self, tile: int, part: int) -> None:
        """The slopes of some rows, and what they add to the gradient of their features."""
        kernels, block, steps, dim = choice.tiles(), self.block, self.block.steps, self.block.dim
        classes, found = self.tiles[tile], self.numbers[tile % KEPT]
        bias, back, line = block.bias[classes], self.back[tile % PACKED], self.line * block.plan.numbers
        weight = self.widened[tile % PACKED] if block.plan.wide else block.left(classes, None)
        wide = min(kernels.WIDE, block.lanes)
        size = kernels.HEIGHT * wide
        with block.memory(size + block.plan.steps(kernels.CLASSES) * wide) as memory:
            turned = memory[size:].view(block.by_rows.dtype)
            for start, by_rows, labels, peak, scale, on_features in self.parts[part]:
                of_rows = peak, scale, found[start:], line, turned, back, on_features, dim
                kernels.slopes(weight, by_rows, steps, bias, labels, classes.start, memory, *of_rows)

    def gather(self, tile: int, piece: int) -> None:
        """The gradients of weight and bias for some classes, of whose slopes all are known."""
        kernels, block, dim = choice.tiles(), self.block, self.block.dim
        first = self.tiles[tile].start + piece * self.piece
        last = min(first + self.piece, self.tiles[tile].stop)
        left, steps = self.found[tile % KEPT][piece * self.piece * self.line :], block.plan.steps(len(block.labels))
        _, on_weight, on_bias = self.gradients
        if on_bias is not None and first < last:
            kernels.multiply(left, self.line, 1, self.ones, steps, on_bias[first:last], 1, last - first, 1, 1)
        if on_weight is None or first >= last:
            return
        out = on_weight[first:last].reshape(-1)
        own = self.in_order, first, self.entry, block.features, self.order, np.searchsorted(self.in_order, first)
        rounded = out.dtype != np.float32
        with block.memory(kernels.GATHERED * dim if rounded else 0) as memory:
            sums, kept = memory if rounded else out, 0 if self.whole else 1
            kernels.gather(left, self.line, self.by_columns, steps, dim, *own, sums, kept, out)


def slopes_of_all(block: Block, peak: Array, slope: Gradient, gradients: Gradients, whole: bool) -> None:
    """Add to the gradients what there is beside the entries at labels; to the weight's those too."""
    kernels, plan, dim = choice.tiles(), block.plan, block.dim
    tiles = block.tiles()[::-1]  # first those that the way there has left in the cache
    rows, columns = len(block.labels), up(dim, kernels.COLUMNS)
    line, none = plan.steps(block.lanes) + kernels.COLUMNS // 2, np.zeros(block.lanes - rows, np.float32)
    by_columns, ones = plan.memory(plan.steps(rows) * columns), plan.memory(plan.steps(rows) * kernels.COLUMNS)
    kernels.pack_columns(plan.widened(block.features), dim, rows, by_columns)
    ones.fill(PAIR_OF_ONES if plan.pairs else 1.0)
    order = np.argsort(block.labels, kind="stable")
    scale = np.concatenate((slope.scale, none))
    peak = np.where(scale == 0.0, np.float32(np.inf), np.concatenate((peak, none)))

    def part(i: slice) -> Part:
        on_features = none[:0] if gradients.features is None else gradients.features[i].reshape(-1)
        return Part(i.start, block.by_rows[i.start * block.steps :], block.labels[i], peak[i], scale[i], on_features)

    found = [plan.memory(kernels.CLASSES * line) for _ in tiles[:KEPT]]
    way = Way(
        block=block,
        tiles=tiles,
        piece=up(kernels.CLASSES // max(1, block.threads // 2), kernels.ROWS),
        parts=[[part(i) for i in some] for some in block.parts(block.threads)],
        order=order,
        in_order=block.labels[order],
        entry=slope.entry[order],
        gradients=gradients,
        whole=whole,
        line=line,
        found=found,
        numbers=[memory.view(np.uint16) if plan.pairs else memory for memory in found],
        back=[plan.memory(plan.steps(kernels.CLASSES) * columns) for _ in tiles[:PACKED]],
        widened=[np.empty(kernels.CLASSES * dim, np.float32) for _ in tiles[:PACKED] if plan.wide],
        by_columns=by_columns,
        ones=ones,
    )
    in_turn(way.items(), block.threads)


def up(size: int, step: int) -> int:
    """The next multiple."""
    return -(-size // step) * step
