"""How many independent rows of weight 1 tell as much as weighted rows, clusters of rows, or rows with soft labels.

Fitting k parameters to them gains tr(H⁻¹·J) / 2n by chance, where H is the curvature of the mean loss and J the scatter
of its slopes over rows or clusters, both at the fit; that is what k / 2n would be with so many independent rows. The
gain is a sum of χ² of one degree of freedom, each times an eigenvalue of H⁻¹·J; a test compares it with the χ² of that
mean and variance (Rao and Scott 1984, after Satterthwaite).

Source:
    White, "Maximum Likelihood Estimation of Misspecified Models" (1982): the sandwich form. Liang and Zeger (1986):
    clusters. Rao and Scott, "On Chi-squared Tests for Multiway Contingency Tables" (1984), sections 2 and 4.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from xent.scoring import exact
from xent.scoring.looks import Look
from xent.scoring.newton import Cure, Problem, slope_and_curvature
from xent.scoring.sums import Sums
from xent.scoring.tails import chi_squared_tail
from xent.scoring.uncertainty import MeanSums, mean_of_sums, uncertainty

__all__ = ["Effective", "effective_rows"]


class Effective(NamedTuple):
    """How many independent rows fit k parameters as closely, and how many parameters vary as much."""

    rows: float
    degrees: float  # at most k

    def p_value(self, gain: float, parameters: int) -> float:
        """Of a gain in nats per row by so many parameters."""
        return chi_squared_tail(2.0 * self.rows * gain * self.degrees / parameters, self.degrees) if parameters else 1.0


def effective_rows(
    problem: Problem, sums: Sums, look: Look | None, fit: Cure
) -> Callable[[NDArray[np.bool_]], Effective]:
    """The number of rows for a set of free parameters (1 + classes,).

    A row of several labels is such a cluster of them; a soft label varies less than one drawn from it. Without a look
    at the rows, it is told by how much clusters and weights widen the interval of the loss itself.
    """
    several = problem.plan.task == "multilabel"
    alike = sums.weight == sums.weight_squared and not sums.label_entropy
    if alike and not several and not sums.clusters:
        return lambda free: Effective(float(sums.rows), float(free.sum()))
    if look is None:
        found = _by_the_interval(sums)
        return lambda free: Effective(found, float(free.sum()))
    curvature = slope_and_curvature(problem, look.moments([fit])[0], fit)[2]
    scatter = look.scatter(fit)

    def rows(free: NDArray[np.bool_]) -> Effective:
        chosen = np.flatnonzero(free)
        place = np.ix_(chosen, chosen)
        product = np.linalg.pinv(curvature[place]) @ scatter[place] / problem.weight**2
        trace, squares = float(np.trace(product)), float(np.trace(product @ product))
        if trace <= 0.0:
            return Effective(float(sums.rows), float(len(chosen)))
        return Effective(len(chosen) / trace, min(float(len(chosen)), trace**2 / squares))

    return rows


def _by_the_interval(sums: Sums) -> float:
    effective = sums.weight**2 / (sums.weight_squared << exact.UNIT_BITS)
    plain, found = mean_of_sums(MeanSums.of(sums)).standard_error, uncertainty(sums).standard_error
    return float(effective) * (plain / found) ** 2 if sums.clusters and plain and found else float(effective)
