"""The way back over the classes that makes the logits again, a tile at a time, in any dtype and little memory.

A tile's operand is packed, its slopes are found for some rows after the others, and the gradients of weight and bias are
gathered for some classes after the others. Each of these waits for what it needs of the others, and three tiles' slopes
are kept, so that it seldom does.
"""

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from xent.autodiff.linear_passes import Block, by_columns, padded, up
from xent.formulas.rows import Gradient
from xent.kernels import choice
from xent.kernels.blockwise import Gradients
from xent.kernels.pool import Item, in_turn

__all__ = ["KEPT", "PACKED", "slopes_of_all"]

Array = NDArray[Any]
KEPT = 3  # tiles whose slopes are in memory
PACKED = 2  # tiles that are packed


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
    fresh: bool  # what is in the weight's gradient does not count
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
            choice.tiles().pack_columns(weight, block.dim, block.dim, count, to)

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
            sums, kept = memory if rounded else out, 0 if self.fresh else 1
            kernels.gather(left, self.line, self.by_columns, steps, dim, *own, sums, kept, out)


def slopes_of_all(block: Block, peak: Array, slope: Gradient, gradients: Gradients, fresh: bool) -> None:
    """Add to the gradients; what is in the weight's does not count if it is `fresh`."""
    kernels, plan = choice.tiles(), block.plan
    known = np.minimum(block.labels, len(block.bias) - 1)
    if gradients.features is not None:
        kernels.add_rows(gradients.features.reshape(-1), block.dim, slope.entry, block.weight, known)
    if gradients.bias is not None:
        gradients.bias[:] += np.bincount(known, slope.entry, len(block.bias))
    tiles = block.tiles()[::-1]  # first those that the way there has left in the cache
    line, none = plan.steps(block.lanes) + kernels.COLUMNS // 2, np.zeros(0, np.float32)
    peak, scale = padded(block, peak, slope.scale)
    order, right = np.argsort(block.labels, kind="stable"), by_columns(block)

    def part(i: slice) -> Part:
        on_features = none if gradients.features is None else gradients.features[i].reshape(-1)
        return Part(i.start, block.by_rows[i.start * block.steps :], block.labels[i], peak[i], scale[i], on_features)

    found = [plan.memory(kernels.CLASSES * line) for _ in tiles[:KEPT]]
    operand = plan.steps(kernels.CLASSES) * up(block.dim, kernels.COLUMNS)
    way = Way(
        block=block,
        tiles=tiles,
        piece=up(kernels.CLASSES // max(1, block.threads // 2), kernels.ROWS),
        parts=[[part(i) for i in some] for some in block.parts(block.threads)],
        order=order,
        in_order=block.labels[order],
        entry=slope.entry[order],
        gradients=gradients,
        fresh=fresh,
        line=line,
        found=found,
        numbers=[memory.view(np.uint16) if plan.pairs else memory for memory in found],
        back=[plan.memory(operand) for _ in tiles[:PACKED]],
        widened=[np.empty(kernels.CLASSES * block.dim, np.float32) for _ in tiles[:PACKED] if plan.wide],
        by_columns=right[0],
        ones=right[1],
    )
    in_turn(way.items(), block.threads)
