"""The way back over the classes where the logits are still in memory: their slopes take their place.

Of float32 only, whose gradients can be added to what other rows have left in them. Classes are shared out among the
threads for the slopes and the gradient of the weight, then columns for the gradient of the features, so that none
waits for another.
"""

import itertools
from typing import Any

from numpy.typing import NDArray

from xent.autodiff.linear_passes import Block, by_columns, padded, up
from xent.formulas.rows import Gradient
from xent.kernels import choice
from xent.kernels.blockwise import Gradients
from xent.kernels.pool import GRAIN, over_ranges

__all__ = ["slopes_of_all"]

Array = NDArray[Any]


def slopes_of_all(block: Block, peak: Array, slope: Gradient, gradients: Gradients, fresh: bool) -> None:
    """As in `linear_again`."""
    assert block.logits is not None
    kernels, logits, lanes = choice.tiles(), block.logits, block.lanes
    tiles = block.tiles()[::-1]  # first those that the way there has left in the cache
    peak, scale = padded(block, peak, slope.scale)
    on_features, on_weight, on_bias = gradients
    (features, ones), rows, dim = by_columns(block), len(block.labels), block.dim

    def of_classes(first: int, last: int) -> None:
        for classes in tiles[first:last]:
            some, count = logits[classes.start * lanes :], classes.stop - classes.start
            of_rows = block.labels, classes.start, peak, scale, slope.entry
            kernels.into_slopes(some, lanes, block.bias[classes], *of_rows)
            if on_weight is not None:
                out, kept = on_weight[classes].reshape(-1), 0 if fresh else 1
                kernels.multiply(some, lanes, 1, features, rows, out, dim, count, dim, kept)
            if on_bias is not None:
                kernels.multiply(some, lanes, 1, ones, rows, on_bias[classes], 1, count, 1, 1)

    over_ranges(of_classes, len(tiles), len(tiles) * GRAIN, block.threads)
    if on_features is not None:
        _add_products(block, logits, on_features)


def _add_products(block: Block, slopes: Array, on_features: Array) -> None:
    """Each thread's columns of the features' gradient; where there are more threads than panels of them, of some rows."""
    kernels, dim, rows = choice.tiles(), block.dim, len(block.labels)
    panels = up(dim, kernels.COLUMNS) // kernels.COLUMNS
    pieces = min(panels, block.threads)
    bounds = [min(panels * number // pieces * kernels.COLUMNS, dim) for number in range(pieces + 1)]
    parts = itertools.chain.from_iterable(block.parts(-(-block.threads // pieces)))
    items = list(itertools.product(parts, itertools.pairwise(bounds)))

    def of_columns(first: int, last: int) -> None:
        for some, (start, stop) in items[first:last]:
            packed = block.plan.memory(kernels.HEIGHT * up(stop - start, kernels.COLUMNS))
            to, count = on_features[some].reshape(-1), min(some.stop, rows) - some.start
            left = slopes[some.start :]
            kernels.add_products(left, block.lanes, block.weight, dim, start, stop, packed, to, count)

    over_ranges(of_columns, len(items), len(items) * GRAIN, block.threads)
