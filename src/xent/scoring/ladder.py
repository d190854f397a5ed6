"""The ladder: what of the loss is class bias, what is temperature, and what no recalibration can cure.

In sample, fitting k parameters gains k / 2n nats by chance (Wilks 1938): `corrected_gain` is less by that, and 2n·gain
is compared with χ² of k degrees of freedom. Where rows are weighted or come in clusters, both take the sandwich form.
"""

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from xent.kernels.survey_numpy import MOST_CLASSES
from xent.kernels.temper_numpy import UNTEMPERED, tempered
from xent.report.model import Rung
from xent.scoring.curves import HIGHEST, Curve, lowest_point
from xent.scoring.looks import Look
from xent.scoring.newton import FARTHEST, Cure, Fit, Problem, fit_cures, slope_and_curvature
from xent.scoring.plan import Plan
from xent.scoring.sandwich import Effective, effective_rows
from xent.scoring.sums import Sums
from xent.scoring.tails import chi_squared_tail

__all__ = ["LEVEL", "Ladder", "Step", "held_out", "ladder_of", "rungs_of"]

LEVEL = 0.05
SMALL = 1 << 22  # predictions, which are looked at again at once


class Step(NamedTuple):
    """A rung in nats."""

    name: str
    cure: Cure
    gain: float  # nats per row
    parameters: int
    by_chance: float  # what of the gain fitting brings by chance
    p_value: float


class Ladder(NamedTuple):
    """Rungs that could be fitted, by name, and what is known of the rest."""

    loss: float  # nats
    steps: dict[str, Step]
    endless: bool  # whether no row is a mistake, so that nothing limits how much larger logits would be better
    excess: NDArray[np.float64] | None = None  # by class, with the temperature cured: mean probability less frequency


def ladder_of(plan: Plan, sums: Sums, look: Look | None) -> Ladder | None:
    """Fit the cures; None where no cure helps: an infinite loss, a brief state, labels of one class.

    Args:
        look: sums the moments of all rows after each of some cures; None if the rows are not at hand, so that offsets
            are left out. Rows are looked at again only where the sums at hand say that there is something to cure.
    """
    if plan.brief or sums.infinite_rows or not sums.grid:
        return None
    problem = Problem.of(plan, sums)
    if not problem.told:
        return None
    curve, endless = _curve(plan, sums), sums.hits == sums.weight
    beta = lowest_point(curve)
    if beta is None:
        return None
    gain = max(0.0, curve.at(1.0)[0] - curve.at(beta)[0])
    fits = {"temperature": Fit(Cure(beta, np.zeros(len(plan.classes))), gain)}
    if look is not None and len(plan.classes) <= MOST_CLASSES:
        fits |= {
            name: fit
            for name, fit in _offsets(problem, sums, beta, look, gain, HIGHEST if endless else FARTHEST).items()
            if beta or name != "temperature"
        }
        most = max(fit.gain for fit in fits.values())
        fits["both"] = fits["both"]._replace(gain=most)
    effective = effective_rows(problem, sums, look, fits.get("both", fits["temperature"]).cure)
    steps = {name: _step(problem, name, fit, effective) for name, fit in fits.items()}
    return Ladder(sums.loss / sums.weight, steps, endless, fits["temperature"].excess)


def held_out(plan: Plan, fitted: Ladder | None, sums: Sums, look: Look) -> Ladder | None:
    """What the cures that were fitted on other rows gain on these: nothing of it is by chance."""
    if fitted is None or sums.infinite_rows or not sums.rows:
        return None
    problem = Problem.of(plan, sums)
    steps = list(fitted.steps.values())
    cures = [Cure(1.0, np.zeros(len(plan.classes))), *(step.cure for step in steps)]
    found = zip(look.moments(cures), cures, strict=True)
    null, *after = [slope_and_curvature(problem, moments, cure)[0] for moments, cure in found]
    gains = {
        step.name: step._replace(gain=null - value, by_chance=0.0) for step, value in zip(steps, after, strict=True)
    }
    return Ladder(sums.loss / sums.weight, gains, fitted.endless, fitted.excess)


def _curve(plan: Plan, sums: Sums) -> Curve:
    several = plan.task == "multilabel"
    sides = len(plan.classes) * math.log(2.0) if several else math.log(len(plan.classes))
    known = tempered(2 if several else len(plan.classes))
    means = np.array([sums.grid.get(number, 0) / sums.weight for number in range(known)])
    # the label's z as the exact losses have it: that of the sums ends at LOWEST
    label_logit = (sums.grid.get(UNTEMPERED, 0) - sums.loss) / sums.weight
    return Curve.of(sides, means, label_logit)


def _offsets(problem: Problem, sums: Sums, beta: float, look: Look, gain: float, farthest: float) -> dict[str, Fit]:
    """By one step from what is known; by looking at the rows again where that shows something, or they are few."""
    n, k = sums.rows, problem.parameters
    found = fit_cures(problem, sums.moments, beta, None)
    shown = min(
        chi_squared_tail(2.0 * n * found["class bias"].gain, k),
        chi_squared_tail(2.0 * n * found["both"].gain, k + 1),
        chi_squared_tail(2.0 * n * gain, 1),
    )
    small = n * len(problem.plan.classes) <= SMALL
    return fit_cures(problem, sums.moments, beta, look.moments, farthest) if small or shown < LEVEL else found


def _step(problem: Problem, name: str, fit: Fit, effective: Callable[[NDArray[np.bool_]], Effective]) -> Step:
    free = problem.free(name)
    k, found, gain = int(free.sum()), effective(free), max(0.0, fit.gain)
    by_chance, p = k / (2.0 * found.rows), found.p_value(gain, k)
    return Step(name, _centred(problem, fit.cure), gain, k, by_chance, p)


def _centred(problem: Problem, cure: Cure) -> Cure:
    """Offsets that are 0 on average, where only their differences matter."""
    several = problem.plan.task == "multilabel"
    return cure if several else cure._replace(offsets=cure.offsets - cure.offsets.mean())


def rungs_of(ladder: Ladder, cure: Step | None, shown: Callable[[float], float]) -> tuple[Rung, ...]:
    """The rungs as the report has them; `shown` turns nats into its unit. The parts begin with what the cure changes."""
    first = "temperature" if cure is not None and cure.name == "temperature" else "class bias"
    path = [first, "both"] if "both" in ladder.steps else ["temperature"]
    left = [ladder.loss, *(max(0.0, ladder.loss - ladder.steps[name].gain) for name in path)]
    parts = {name: shown(before - after) for name, before, after in zip(path, left, left[1:], strict=False)}
    rungs = [Rung("as is", shown(ladder.loss), 0.0, 0.0, 0, None, 1.0, None, None)]
    for name in ("class bias", "temperature", "both"):
        step = ladder.steps.get(name)
        if step is None:
            rungs.append(Rung(name, None, None, None, 0, None, None, None, None))
            continue
        rungs.append(
            Rung(
                name,
                shown(max(0.0, ladder.loss - step.gain)),
                shown(step.gain),
                shown(step.gain - step.by_chance),
                step.parameters,
                step.p_value,
                math.inf if step.cure.beta == 0.0 else 1.0 / step.cure.beta,
                tuple(step.cure.offsets.tolist()),
                parts.get(name),
            )
        )
    return (*rungs, Rung("refinement", shown(left[-1]), None, None, 0, None, None, None, shown(left[-1])))
