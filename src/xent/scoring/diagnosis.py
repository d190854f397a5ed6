"""The ladder in words, and the cure it recommends."""

import math

from xent.kernels.ladder_numpy import moments_count
from xent.report.model import Cure
from xent.report.numbers import decimals, p_value, percent
from xent.scoring.curves import HIGHEST, LOWEST
from xent.scoring.ladder import LEVEL, Ladder, Step
from xent.scoring.plan import Plan
from xent.scoring.sums import Sums
from xent.scoring.tails import chi_squared_tail

__all__ = ["cure_of", "diagnosis", "recommended"]

SMALL = 0.005  # of the loss: what is less is not worth a cure, however sure it is


def recommended(ladder: Ladder | None) -> Step | None:
    """The cure to take: the fewest parameters that more of them do not significantly improve on."""
    if ladder is None:
        return None
    found = [step for step in ladder.steps.values() if _worthy(step)]
    if not found:
        return None
    single = max(
        (step for step in found if step.name != "both"), key=lambda step: step.gain - step.by_chance, default=None
    )
    both = next((step for step in found if step.name == "both"), None)
    if single is None or both is None:
        return single or found[0]
    if not both.by_chance:  # of rows that the cures were not fitted on
        return both if both.gain > single.gain else single
    rows = both.parameters / both.by_chance / 2.0  # independent ones that would tell as much
    more = chi_squared_tail(2.0 * rows * (both.gain - single.gain), both.parameters - single.parameters)
    return both if more < LEVEL else single


def _worthy(step: Step) -> bool:
    """Significant as one of three that are tried, and not at the bound, where no mistake limits the fit."""
    return step.p_value < LEVEL / 3.0 and step.gain > step.by_chance and step.cure.beta < HIGHEST


def cure_of(step: Step | None) -> Cure | None:
    """As the report keeps it."""
    if step is None:
        return None
    return Cure(math.inf if step.cure.beta == 0.0 else 1.0 / step.cure.beta, tuple(step.cure.offsets.tolist()))


def diagnosis(plan: Plan, sums: Sums, ladder: Ladder | None, step: Step | None) -> str:
    """One sentence or two."""
    if ladder is None:
        if plan.brief:
            return "not looked into, as asked: leave out brief=True (--brief) to know"
        if sums.infinite_rows:
            return "no temperature and no class offset makes an infinite loss finite: see the warning"
        present = sum(sums.class_weight.get(code, 0) > 0 for code in range(len(plan.classes)))
        if present < 2 and plan.task != "multilabel":
            return "only one class is present, so calibration cannot be told"
        return "the logits are too far apart for a temperature of 16: divide them all by 100, say, and score again"
    if step is None and any(one.cure.beta >= HIGHEST and one.p_value < LEVEL for one in ladder.steps.values()):
        return "underconfident, and no mistake tells by how much: ever larger logits would cost less" + _missing(ladder)
    if step is None:
        return "well calibrated: nothing significant to cure" + _missing(ladder)
    share = percent(step.gain / ladder.loss)
    if step.gain < SMALL * ladder.loss:
        return f"well calibrated: what a cure would remove is significant, but only {share} % of the loss" + _missing(
            ladder
        )
    one = "label" if plan.task == "multilabel" else "class"
    causes = [words for words in (_temperature(step), _bias(plan, sums, step)) if words]
    cure = {
        "temperature": _division(step),
        "class bias": f"adding an offset to each {one}",
        "both": f"{_division(step)} and adding an offset to each {one}",
    }[step.name]
    return f"{' and '.join(causes)}: {cure} removes {share} % of the loss ({p_value(step.p_value)}){_missing(ladder)}"


def _temperature(step: Step) -> str:
    beta = step.cure.beta
    if step.name == "class bias":
        return ""
    if beta == 0.0:
        return "no information in the predictions"
    return "overconfident" if beta < 1.0 else "underconfident"


def _division(step: Step) -> str:
    beta = step.cure.beta
    if beta == 0.0:
        return "making all predictions alike"
    if beta < 1.0:
        return f"dividing the logits by {decimals(1.0 / beta)}" + (" or more" if beta <= LOWEST else "")
    return f"multiplying the logits by {decimals(beta)}"


def _bias(plan: Plan, sums: Sums, step: Step) -> str:
    """Which class is predicted too often or too rarely: the one whose mean probability is furthest from its frequency."""
    if step.name == "temperature":
        return ""
    several = plan.task == "multilabel"
    count, first = (moments_count(2), 4) if several else (1, 3)
    excess = [
        (sums.moments.get(code * count + first, 0) - sums.class_weight.get(code, 0)) / sums.weight
        for code in range(len(plan.classes))
    ]
    worst = max(range(len(excess)), key=lambda code: abs(excess[code]))
    if not several and len(plan.classes) == 2:
        worst = 1
    often = "too often" if excess[worst] > 0.0 else "too rarely"
    return f"predicts {'label' if several else 'class'} {plan.classes[worst]} {often}"


def _missing(ladder: Ladder) -> str:
    return "" if "both" in ladder.steps else " (class offsets not looked into)"
