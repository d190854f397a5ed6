"""The loss at any temperature, from its sums at 33 of them."""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from xent.kernels.ladder_numpy import BETAS

__all__ = ["HIGHEST", "LOWEST", "Curve", "lowest_point"]

POINTS = 10  # of the polynomial through the nearest ones
LOWEST, HIGHEST = BETAS[0], BETAS[-1]
NOTHING_GAINED, FAR_WORSE = 0.001, 0.1  # nats, by a sixteenth of the logits against none of them


class Curve(NamedTuple):
    """The mean loss in nats, less a constant, as a function of the inverse temperature β."""

    normaliser: NDArray[np.float64]  # at 0 and at BETAS: mean of log Σ_j exp(β·z_j)
    label_logit: float  # mean z of the label

    def at(self, beta: float) -> tuple[float, float]:
        """Value and slope: by the polynomial in log β through the POINTS nearest of BETAS; below them in β, from 0 on."""
        if beta < LOWEST:
            value, slope = _polynomial(np.array([0.0, *BETAS[: POINTS - 1]]), self.normaliser[:POINTS], beta)
        else:
            first = int(np.clip(np.searchsorted(BETAS, beta) - POINTS // 2, 0, len(BETAS) - POINTS))
            nodes = np.log(BETAS[first : first + POINTS])
            value, slope = _polynomial(nodes, self.normaliser[1 + first : 1 + first + POINTS], math.log(beta))
            slope /= beta
        return value - beta * self.label_logit, slope - self.label_logit


def _polynomial(nodes: NDArray[np.float64], values: NDArray[np.float64], x: float) -> tuple[float, float]:
    """Value and slope at x of the polynomial through the points."""
    middle, half = (nodes[0] + nodes[-1]) / 2.0, (nodes[-1] - nodes[0]) / 2.0
    c = np.linalg.solve(np.vander((nodes - middle) / half, increasing=True), values)
    x, k = (x - middle) / half, np.arange(len(nodes))
    return float((c * x**k).sum()), float((c[1:] * k[1:] * x ** (k[1:] - 1)).sum()) / half


def lowest_point(curve: Curve) -> float | None:
    """The β from LOWEST to HIGHEST at which the loss is least; it is convex, so the slope crosses 0 once.

    0 where the best is below LOWEST, and predictions that all are alike cost no more: they tell nothing. None where the
    best is below LOWEST because logits are so far apart that even a sixteenth of them is worse than nothing.
    """
    low, high = LOWEST, HIGHEST
    if curve.at(low)[1] >= 0.0:
        gained = float(curve.normaliser[0]) - curve.at(low)[0]
        return low if gained > NOTHING_GAINED else 0.0 if gained > -FAR_WORSE else None
    if curve.at(high)[1] <= 0.0:
        return high
    for _ in range(60):
        middle = (low + high) / 2.0
        low, high = (low, middle) if curve.at(middle)[1] > 0.0 else (middle, high)
    return (low + high) / 2.0
