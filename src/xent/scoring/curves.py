"""The loss at any temperature, from its sums and those of its derivatives at nine of them, or twice as many."""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from xent.kernels.temper_numpy import BETAS, BETWEEN, CUMULANTS, TEMPERED

__all__ = ["HIGHEST", "LOWEST", "Curve", "lowest_point"]

Float64 = NDArray[np.float64]
Int64 = NDArray[np.int64]
REACH = 3  # of the known β on either side, whose values and derivatives the polynomial has
LOWEST, HIGHEST = BETAS[0], BETAS[-1]
NOTHING_GAINED, FAR_WORSE = 0.001, 0.1  # nats, by a sixteenth of the logits against none of them
BY_LOGARITHM = np.array(
    [[1, 0, 0, 0], [0, 1, 0, 0], [0, 1, 1, 0], [0, 1, 3, 1]]
)  # derivatives in log β of β^m·d^m/dβ^m
FALLING = np.array([[math.perm(k, m) for k in range(CUMULANTS * 2 * REACH)] for m in range(CUMULANTS)])


class Curve(NamedTuple):
    """The mean loss in nats, less a constant, as a function of the inverse temperature β."""

    at_zero: float  # mean of log Σ_j exp(0·z_j)
    betas: Float64  # those of which it is known, ascending
    normaliser: Float64  # (CUMULANTS, betas): mean of log Σ_j exp(β·z_j), and of β^m times its derivatives in β
    label_logit: float  # mean z of the label

    @classmethod
    def of(cls, at_zero: float, means: Float64, label_logit: float) -> "Curve":
        """From the means of what `temper_numpy.temper` gives."""
        at = np.array(BETAS)
        betas = at if len(means) == TEMPERED else np.concatenate([at, at * float(BETWEEN)])
        order = np.argsort(betas)
        normaliser = means.reshape(-1, CUMULANTS, len(at)).swapaxes(0, 1).reshape(CUMULANTS, -1)
        return cls(at_zero, betas[order], normaliser[:, order], label_logit)

    def at(self, beta: float) -> tuple[float, float]:
        """Value and slope from LOWEST to HIGHEST, by a polynomial in log β; at 0 no slope."""
        if beta == 0.0:
            return self.at_zero, math.nan
        above = max(1, int(np.searchsorted(self.betas, beta)))
        near = slice(max(0, above - REACH), above + REACH)
        value, slope = _polynomial(np.log(self.betas[near]), BY_LOGARITHM @ self.normaliser[:, near], math.log(beta))
        return value - beta * self.label_logit, slope / beta - self.label_logit


def _polynomial(nodes: Float64, derivatives: Float64, x: float) -> tuple[float, float]:
    """Value and slope at x of the polynomial with these derivatives (CUMULANTS, nodes), from the 0th on."""
    middle, half = (nodes[0] + nodes[-1]) / 2.0, (nodes[-1] - nodes[0]) / 2.0
    orders = np.arange(CUMULANTS)[:, None]
    known = _powers((nodes - middle) / half, orders, derivatives.size).reshape(derivatives.size, -1)
    c = np.linalg.solve(known, (derivatives * half**orders).reshape(-1))
    value, slope = _powers(np.array([(x - middle) / half]), orders[:2], derivatives.size).reshape(2, -1) @ c
    return float(value), float(slope) / half


def _powers(x: Float64, orders: Int64, count: int) -> Float64:
    """Derivatives of x^0, x^1 …: (orders, x, count)."""
    left = np.maximum(np.arange(count) - orders, 0)
    return np.asarray(FALLING[orders[:, 0], None, :count] * x[:, None] ** left[:, None])


def lowest_point(curve: Curve) -> float | None:
    """The β from LOWEST to HIGHEST at which the loss is least; it is convex, so the slope crosses 0 once.

    0 where the best is below LOWEST, and predictions that all are alike cost no more: they tell nothing. None where the
    best is below LOWEST because logits are so far apart that even a sixteenth of them is worse than nothing.
    """
    low, high = LOWEST, HIGHEST
    if curve.at(low)[1] >= 0.0:
        gained = curve.at_zero - curve.at(low)[0]
        return low if gained > NOTHING_GAINED else 0.0 if gained > -FAR_WORSE else None
    if curve.at(high)[1] <= 0.0:
        return high
    for _ in range(60):
        middle = (low + high) / 2.0
        low, high = (low, middle) if curve.at(middle)[1] > 0.0 else (middle, high)
    return (low + high) / 2.0
