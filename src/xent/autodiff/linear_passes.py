"""A block of rows on the way there over the classes, and what the ways back have in common, on several threads."""

import functools
import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from xent.formulas import rows as formulas
from xent.formulas.rows import Normaliser
from xent.kernels import choice
from xent.kernels.pool import GRAIN, over_ranges

__all__ = ["UNITS", "Block", "Plan", "by_columns", "fold_all", "padded", "up"]

Array = NDArray[Any]
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
    logits: Array | None  # (classes·lanes,) if they are kept
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

    def tile(self, classes: slice, rows: slice, memory: Array) -> tuple[Array, int, int]:
        """Where their logits are to be, how far one class's are from the next's, and HEIGHT's; forgotten ones in `memory`."""
        if self.logits is None:
            return memory, rows.stop - rows.start, 0
        first = classes.start * self.lanes + rows.start
        return self.logits[first:], self.lanes, choice.tiles().HEIGHT * self.lanes

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
    logits = kernels.HEIGHT * most if block.logits is None else 0
    widened = kernels.CLASSES * block.dim if block.plan.wide else 0

    def work(number: int, _: int) -> None:
        unit = number // len(parts)
        with block.memory(logits + 3 * most + widened) as memory:
            tile, lanes, wide = np.split(memory, (logits, logits + 3 * most))
            here = tiles[len(tiles) * unit // units : len(tiles) * (unit + 1) // units]
            for some in here if widened else [slice(here[0].start, here[-1].stop)]:
                left = block.left(some, wide if widened else None)
                for rows in parts[number % len(parts)]:
                    right, of_rows = block.by_rows[rows.start * steps :], (peak[unit, rows], tail[unit, rows], at[rows])
                    of_classes = block.bias[some], block.labels[rows], some.start
                    to = block.tile(some, rows, tile)
                    kernels.fold(left, right, steps, *of_classes, *to, lanes, *of_rows)

    count = units * len(parts)
    over_ranges(work, count, count * GRAIN, block.threads)
    of_units = (Normaliser(*some) for some in zip(peak.astype(np.float64), tail, strict=True))
    found = functools.reduce(formulas.merge, of_units)
    rows = slice(len(block.labels))
    legal = np.isfinite(found.peak[rows]) & (block.labels < len(block.bias))
    return Normaliser(*(np.where(legal, value[rows], np.nan).astype(np.float32) for value in found)), at


def by_columns(block: Block) -> tuple[Array, Array]:
    """The features as the right operand of the weight's gradient, and a column of ones as that of the bias's."""
    kernels, plan, dim, rows = choice.tiles(), block.plan, block.dim, len(block.labels)
    features = plan.memory(plan.steps(rows) * up(dim, kernels.COLUMNS))
    ones = plan.memory(plan.steps(rows) * kernels.COLUMNS)
    kernels.pack_columns(plan.widened(block.features), dim, dim, rows, features)
    ones.fill(PAIR_OF_ONES if plan.pairs else 1.0)
    return features, ones


def padded(block: Block, peak: Array, scale: Array) -> tuple[Array, Array]:
    """Peak and scale of each lane: the peak of those whose scale is 0 is infinite, whatever their logits are."""
    none = np.zeros(block.lanes - len(block.labels), np.float32)
    scale = np.concatenate((scale, none))
    return np.where(scale == 0.0, np.float32(np.inf), np.concatenate((peak, none))), scale


def up(size: int, step: int) -> int:
    """The next multiple."""
    return -(-size // step) * step
