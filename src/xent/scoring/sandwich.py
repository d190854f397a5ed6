"""What fitting gains by chance, and tests of no gain, where rows are weighted or come in clusters.

Source:
    White, "Maximum Likelihood Estimation of Misspecified Models" (1982): the sandwich form. Liang and Zeger (1986):
    clusters. Boos, "On Generalized Score Tests" (1992).
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from xent.scoring.looks import Look, Scores
from xent.scoring.newton import Cure, Float64, Problem, slope_and_curvature
from xent.scoring.sums import Sums
from xent.scoring.tails import chi_squared_tail
from xent.scoring.uncertainty import MeanSums, mean_of_sums, uncertainty

__all__ = ["Sandwich", "robust"]


class Sandwich(NamedTuple):
    """For a set of free parameters: nats per row gained by chance, and the p-value."""

    scores: Scores
    curvature: Float64  # of the mean loss
    weight: float

    def of(self, free: NDArray[np.bool_]) -> tuple[float, float]:
        """free: (1 + classes,), which of β and the offsets were fitted."""
        chosen = np.flatnonzero(free)
        place = np.ix_(chosen, chosen)
        scatter, slope = self.scores.scatter[place], self.scores.total[chosen]
        by_chance = 0.5 * float(np.trace(np.linalg.pinv(self.curvature[place]) @ scatter)) / self.weight**2
        degrees = min(len(chosen), self.scores.units - 1)
        statistic = float(slope @ np.linalg.pinv(scatter) @ slope)
        return by_chance, chi_squared_tail(statistic, max(1, degrees))


def robust(problem: Problem, sums: Sums, look: Look | None) -> "Sandwich | float | None":
    """The sandwich where it is needed; without the rows, how many independent rows of weight 1 tell as much.

    None where rows are independent and weigh 1. The number is that by which clusters and weights widen the loss's own
    interval (Rao and Scott 1984).
    """
    weighted = sums.weight != sums.weight_squared
    if not sums.clusters and not weighted:
        return None
    if look is not None:
        null = Cure(1.0, np.zeros(len(problem.plan.classes)))
        return Sandwich(look.scores(), slope_and_curvature(problem, sums.moments, null)[2], problem.weight)
    effective = sums.weight**2 / (sums.weight_squared << 1074)
    plain, found = mean_of_sums(MeanSums.of(sums)).standard_error, uncertainty(sums).standard_error
    return float(effective) * (plain / found) ** 2 if sums.clusters and plain and found else float(effective)
