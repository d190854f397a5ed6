"""One look at rows of predictions and all of its sums: temperatures, curvature, costs by class, reliability.

Sums are of whole numbers, so that they are the same in any order and of any blocks: of `FIXED_BITS` for temperatures,
and moments, of `PROBABILITY_BITS` for probabilities, of `COST_BITS` for costs.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from xent.kernels import ladder_numpy as ladder
from xent.kernels.ladder_numpy import LOWEST, NOTHING, NUMBER_ONE
from xent.kernels.temper_numpy import temper

__all__ = [
    "COST_BITS",
    "MOST_CLASSES",
    "ODDS_BINS",
    "PROBABILITY_BITS",
    "costs",
    "cure_sums",
    "cured_moments",
    "odds_bins",
    "reliability",
    "survey",
]

Array = NDArray[Any]
Int64 = NDArray[np.int64]

MOST_CLASSES = 64  # of more, neither curvature nor costs nor reliability by class are summed: they would grow as K²
COST_BITS = 24
PROBABILITY_BITS = 31  # so that 1 is an unsigned integer of 32 bits
ODDS_SHIFT = 21  # leaves a float32's exponent and two digits: four bins for each doubling of the odds
LOWEST_ODDS = (127 - 32) << 2  # 2^-32; what is below is in bin 0
ODDS_BINS = 64 * 4 + 2
BLOCK = 1 << 13


def odds_bins(v: Array, rest: Array, at_top: Array) -> NDArray[np.int64]:
    """The bin of each row's odds p / (1 − p) of a class, float32: v is its share, 1 and `at_top` for the likeliest."""
    others = np.where(at_top, rest, (rest + NUMBER_ONE) - v)
    with np.errstate(divide="ignore"):
        odds = v / others
    bins = (odds.view(np.int32) >> ODDS_SHIFT) - (LOWEST_ODDS - 1)
    return np.asarray(np.clip(bins, 0, ODDS_BINS - 1), np.int64)


def survey(block: Array, logs: bool, codes: Int64, grid: Int64, moments: Int64, cost: Int64, reliable: Int64) -> None:
    """Add rows with one label each.

    block: (rows, classes), or (rows,) for the second of two; logits or log-probabilities where `logs`.
    codes: (rows,): the label; a row whose label has probability 0 is left out of grid and moments.
    grid: (tempered(classes),): losses at several temperatures. moments: (moments_count,), or (0,) to leave them out.
    cost: (2, classes, classes), or (2, 0, 0): by label and class, −log of the probability, and how often that is 0.
    reliable: (3, classes + 1, ODDS_BINS), or (3, 1, …): rows, their probability, how often it is true;
    by class and bin of its odds, and last for the likeliest class.
    """
    classes = 2 if block.ndim == 1 else block.shape[1]
    for start in range(0, len(block), BLOCK):
        part, own = block[start : start + BLOCK], codes[start : start + BLOCK]
        z, v = np.empty((2, classes, len(part)), np.float32)
        top = np.empty(len(part), np.int32)
        ladder.centre(part, logs, z, v, top)
        rest = ladder.rest_of(v, top)
        costs(z, rest, own, cost)
        reliability(v, rest, top, own, reliable)
        finite = z[own, np.arange(len(own))] > LOWEST
        if not finite.all():
            z, v, top, rest = z[:, finite], v[:, finite], top[finite], rest[finite]
        out = np.empty((max(len(grid), len(moments)), len(top)), np.float32)
        temper(z, v, top, out)
        ladder.fixed_sums(out[: len(grid)], grid)
        if len(moments):
            ladder.moments(z, v, rest, np.zeros_like(rest), out)
            ladder.fixed_sums(out[: len(moments)], moments)


def costs(z: Array, rest: Array, codes: Int64, cost: Int64) -> None:
    """−log of the probability of every class, by label; LOWEST counts as impossible."""
    classes = cost.shape[1]
    log_whole = ladder.log1p32(rest)
    for j in range(classes):
        impossible = z[j] <= LOWEST
        nats = np.where(impossible, NOTHING, log_whole - z[j]).astype(np.float64)
        whole = (nats * 2.0**COST_BITS).astype(np.int64).astype(np.float64)
        cost[0, :, j] += np.bincount(codes, weights=whole, minlength=classes).astype(np.int64)
        cost[1, :, j] += np.bincount(codes[impossible], minlength=classes)


def reliability(v: Array, rest: Array, top: Array, codes: Int64, reliable: Int64) -> None:
    """Rows, probabilities and truths by bin of the odds: of the classes asked for, and of the likeliest."""
    asked = reliable.shape[1] - 1
    for j in range(1 if asked == 2 else 0, asked):
        _count(odds_bins(v[j], rest, top == j), v[j] / (rest + NUMBER_ONE), codes == j, reliable[:, j])
    one = np.ones_like(rest)
    _count(odds_bins(one, rest, one > NOTHING), one / (rest + NUMBER_ONE), codes == top, reliable[:, asked])


def _count(bins: Int64, p: Array, true: Array, out: Int64) -> None:
    whole = (p.astype(np.float64) * 2.0**PROBABILITY_BITS).astype(np.int64).astype(np.float64)
    out[0] += np.bincount(bins, minlength=ODDS_BINS)
    out[1] += np.bincount(bins, weights=whole, minlength=ODDS_BINS).astype(np.int64)
    out[2] += np.bincount(bins[true], minlength=ODDS_BINS)


def cure_sums(block: Array, logs: bool, beta: float, offsets: Array, moments: Int64) -> None:
    """Add the moments of rows at logits β·z + offsets (classes,)."""
    classes = len(offsets)
    for start in range(0, len(block), BLOCK):
        out = cured_moments(block[start : start + BLOCK], logs, beta, offsets, len(moments), classes)
        ladder.fixed_sums(out, moments)


def cured_moments(block: Array, logs: bool, beta: float, offsets: Array, count: int, classes: int) -> Array:
    """The moments of each row (count, rows) at logits β·z + offsets."""
    z, v, w = np.empty((3, classes, len(block)), np.float32)
    top = np.empty(len(block), np.int32)
    ladder.centre(block, logs, z, v, top)
    largest = ladder.cured(z, beta, offsets, w, v, top)
    out = np.empty((count, len(block)), np.float32)
    ladder.moments(z, v, ladder.rest_of(v, top), largest, out)
    return out
