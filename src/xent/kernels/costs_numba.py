"""`survey_numpy.costs` compiled: the same arguments, the same bits.

Costs of eight classes are turned from one vector a class to one a row, which is added to its label's at once.
"""

from typing import Any

import numpy as np
from llvmlite import ir
from numba.core import types
from numba.extending import intrinsic

from xent.kernels.elementary_numba import compiled
from xent.kernels.ladder_numpy import LOWEST, NOTHING
from xent.kernels.survey_numpy import COST_BITS
from xent.kernels.tiles_numba import Lanes, opened

__all__ = ["TOGETHER", "costs"]

Array = Any
COST = np.float32(2.0**COST_BITS)
TOGETHER = 8  # classes, and rows, whose costs are a square of vectors; what lanes without a class add is no one's
FEW = 4  # classes that are sooner added one by one
_64 = ir.IntType(64)
TURNING = (  # lanes of a pair of vectors that become one; pairs lie 1, 2, 4 vectors apart
    ([0, 8, 2, 10, 4, 12, 6, 14], [1, 9, 3, 11, 5, 13, 7, 15]),
    ([0, 1, 8, 9, 4, 5, 12, 13], [2, 3, 10, 11, 6, 7, 14, 15]),
    ([0, 1, 2, 3, 8, 9, 10, 11], [4, 5, 6, 7, 12, 13, 14, 15]),
)


@intrinsic
def _add_square(_: Any, nats: Any, codes: Any, row: Any, sums: Any) -> Any:
    """Add costs of TOGETHER classes, in the rows from `row` on.

    nats: (TOGETHER, rows), int64, by class. codes: (rows,). sums: (classes, TOGETHER), by label.
    """
    signature = types.void(nats, codes, row, sums)

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        _add_turned(Lanes(context, builder, nats.dtype), *opened(context, builder, signature, args))
        return context.get_dummy_value()

    return signature, code


def _add_turned(lanes: Lanes, nats: Any, codes: Any, row: Any, sums: Any) -> None:
    builder = lanes.builder
    steps = [_64(0)] * TOGETHER
    for j in range(1, TOGETHER):
        steps[j] = builder.add(steps[j - 1], builder.extract_value(nats.shape, 1))
    found = [lanes.load(nats.data, builder.add(step, row)) for step in steps]
    for distance, (low, high) in zip((1, 2, 4), TURNING, strict=True):
        for j in [j for j in range(TOGETHER) if not j & distance]:
            a, b = found[j], found[j + distance]
            found[j], found[j + distance] = lanes.shuffled(a, b, low), lanes.shuffled(a, b, high)
    for lane, vector in enumerate(found):
        label = builder.load(builder.gep(codes.data, [builder.add(row, _64(lane))]))
        at = builder.mul(label, _64(TOGETHER))
        lanes.store(builder.add(lanes.load(sums.data, at), vector), sums.data, at)


@compiled
def costs(z: Array, log_whole: Array, suspect: bool, codes: Array, impossible: Array, nats: Array, sums: Array) -> bool:
    """Add −log of the probability of every class, by label; returns whether some are impossible.

    Where rows are not `suspect`, none is. log_whole: (rows,), log Σ exp(z). impossible: (classes, classes), by label and class. sums: (groups of classes,
    classes, TOGETHER), by label; its lines of the cache are whole. nats: (TOGETHER, rows), int64, is scratch.
    """
    rows, classes = codes.shape[0], z.shape[0]
    found = np.int32(0)
    for group in range(sums.shape[0]):
        first, own = group * TOGETHER, sums[group]
        some = min(TOGETHER, classes - first)
        for j in range(some):
            given, whole = z[first + j], nats[j]
            none = np.int32(0)
            if suspect:
                for i in range(rows):
                    none = np.int32(none + np.int32(given[i] <= LOWEST))
            for i in range(rows):
                y = NOTHING if given[i] <= LOWEST else log_whole[i] - given[i]
                whole[i] = np.int64(y * COST)
            if none:
                _count(z, first + j, codes, impossible)
            found |= none
        square = rows // TOGETHER * TOGETHER if some > FEW else 0
        left = codes[square:]
        for i in range(0, square, TOGETHER):
            _add_square(nats, codes, i, own)
        for j in range(some):
            whole, lane = nats[j, square:rows], np.uint64(j)
            for i in range(whole.shape[0]):
                own[np.uint64(left[i]), lane] += whole[i]
    return bool(found)


@compiled
def _count(z: Array, j: int, codes: Array, impossible: Array) -> None:
    """Rows in which class j is impossible, by label."""
    for i in range(codes.shape[0]):
        impossible[np.uint64(codes[i]), j] += z[j, i] <= LOWEST
