"""Losses at nine temperatures, and how they bend there, row by row, spelled out in NumPy.

The inverse temperatures β double, so that one's powers are the squares of those before. Of each, the loss's first three
derivatives are known too: less work than losses at as many temperatures more, and a curve as near between them. Of many
classes the curve bends more, and the same is known halfway between those β, too.
"""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xent.kernels.ladder_numpy import NOTHING, NUMBER_ONE, exp32, log1p32

__all__ = [
    "BETAS",
    "BETWEEN",
    "CUMULANTS",
    "FEW",
    "NEGLIGIBLE",
    "SIXTEENTH",
    "SUMMED",
    "TEMPERED",
    "UNTEMPERED",
    "cumulants",
    "temper",
    "tempered",
]

Float32 = NDArray[np.float32]

BETAS = tuple(2.0**k for k in range(-4, 5))  # inverse temperatures
CUMULANTS = 4  # of β·z, the first being log Σ exp
TEMPERED = CUMULANTS * len(BETAS)  # numbers of a row of few classes
FEW = 64
BETWEEN = np.float32(math.sqrt(0.5))  # times BETAS: the temperatures that many classes have besides
UNTEMPERED = BETAS.index(1.0)  # which of them is log Σ exp(z)
SUMMED = 64  # classes added up in float32 before the sum goes on in float64
# Beside 1 nothing, nor are the square, the fourth power … of the others; squares of what is above 1e-18 are normal numbers.
NEGLIGIBLE = tuple(np.float32(1e-18 ** (1.0 / (1 << k))) for k in range(len(BETAS)))
SIXTEENTH = np.float32(1.0 / 16.0)


def tempered(classes: int) -> int:
    """How many numbers `temper` gives of a row."""
    return TEMPERED if classes <= FEW else 2 * TEMPERED


def temper(z: Float32, v: Float32, top: NDArray[np.int32], out: Float32) -> None:
    """For every β log Σ_j exp(β·z_j), and mean, variance and third cumulant of β·z under its softmax.

    z, v, top: as `ladder_numpy.centre` gives them. out: (tempered(classes) or more, rows): the first of every β of BETAS
    before the second of any; then the same of BETAS · BETWEEN, where there are more than FEW classes.
    """
    _temper(z, v, top, out)
    if len(z) > FEW:
        _temper(z * BETWEEN, exp32(z * BETWEEN), top, out[TEMPERED:])


def _temper(z: Float32, v: Float32, top: NDArray[np.int32], out: Float32) -> None:
    totals = np.zeros((TEMPERED, len(top)))
    for first in range(0, len(z), SUMMED):
        part = np.zeros(totals.shape, np.float32)
        for j in range(first, min(first + SUMMED, len(z))):
            for node, power in enumerate(_powers(z[j], v[j], top != j)):
                for sums in part[node :: len(BETAS)]:
                    sums += power
                    power = power * z[j]
        totals += part
    for node, beta in enumerate(BETAS):
        sums = totals[node :: len(BETAS)].astype(np.float32)
        out[node : TEMPERED : len(BETAS)] = (
            log1p32(sums[0]),
            *cumulants(sums[0], sums[1], sums[2], sums[3], np.float32(beta)),
        )


def cumulants(whole: Any, first: Any, second: Any, third: Any, beta: Any) -> tuple[Any, Any, Any]:
    """Mean, variance and third cumulant of β·z, from Σ exp(β·z)·z^m over all classes but the likeliest, where z is 0."""
    once = beta / (whole + NUMBER_ONE)
    twice = once * beta
    mean = first * once
    square = second * twice
    variance = square - mean * mean
    return mean, variance, third * (twice * beta) - mean * (square + (variance + variance))


def _powers(z: Float32, v: Float32, other: NDArray[np.bool_]) -> tuple[Float32, ...]:
    """exp(β·z) for every β of BETAS; 0 where not `other`. v is exp(z)."""
    below_one = _squares(np.where(other, exp32(z * SIXTEENTH), NOTHING), UNTEMPERED)
    return *below_one, *_squares(np.where(other, v, NOTHING), len(BETAS) - UNTEMPERED)


def _squares(x: Float32, count: int) -> tuple[Float32, ...]:
    """x, its square, the square of that and so on, without those that are negligible beside 1."""
    found: list[Float32] = []
    for least in NEGLIGIBLE[:count]:
        kept = x if not found else found[-1] * found[-1]
        found.append(np.where(x > least, kept, NOTHING))
    return tuple(found)
