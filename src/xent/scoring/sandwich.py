"""How many independent rows of weight 1 tell as much as weighted rows, or rows that come in clusters.

Fitting k parameters to them gains tr(H⁻¹·J) / 2n by chance, where H is the curvature of the mean loss and J the scatter
of its slopes over rows or clusters, both at the fit; that is what k / 2n would be with so many independent rows, and
tests count no more of them (Rao and Scott 1984).

Source:
    White, "Maximum Likelihood Estimation of Misspecified Models" (1982): the sandwich form. Liang and Zeger (1986):
    clusters. Rao and Scott, "On Chi-squared Tests for Multiway Contingency Tables" (1984), section 2.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from xent.scoring import exact
from xent.scoring.looks import Look
from xent.scoring.newton import Cure, Problem, slope_and_curvature
from xent.scoring.sums import Sums
from xent.scoring.uncertainty import MeanSums, mean_of_sums, uncertainty

__all__ = ["effective_rows"]


def effective_rows(problem: Problem, sums: Sums, look: Look | None, fit: Cure) -> Callable[[NDArray[np.bool_]], float]:
    """The number of rows for a set of free parameters (1 + classes,).

    Without a look at the rows, it is told by how much clusters and weights widen the interval of the loss itself.
    """
    if not sums.clusters and sums.weight == sums.weight_squared:
        return lambda _: float(sums.rows)
    if look is None:
        found = _by_the_interval(sums)
        return lambda _: found
    curvature = slope_and_curvature(problem, look.moments([fit])[0], fit)[2]
    scatter = look.scatter(fit)

    def rows(free: NDArray[np.bool_]) -> float:
        chosen = np.flatnonzero(free)
        place = np.ix_(chosen, chosen)
        trace = float(np.trace(np.linalg.pinv(curvature[place]) @ scatter[place])) / problem.weight**2
        return len(chosen) / trace if trace > 0.0 else float(sums.rows)

    return rows


def _by_the_interval(sums: Sums) -> float:
    effective = sums.weight**2 / (sums.weight_squared << exact.UNIT_BITS)
    plain, found = mean_of_sums(MeanSums.of(sums)).standard_error, uncertainty(sums).standard_error
    return float(effective) * (plain / found) ** 2 if sums.clusters and plain and found else float(effective)
