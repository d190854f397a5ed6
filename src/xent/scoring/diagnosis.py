"""The ladder in words, and the cure it recommends."""

import math

import numpy as np
from numpy.typing import NDArray

from xent.kernels.ladder_numpy import moments_count
from xent.report.model import Cure
from xent.report.numbers import decimals, p_value, percent
from xent.scoring.curves import HIGHEST, LOWEST
from xent.scoring.ladder import LEVEL, Ladder, Step
from xent.scoring.plan import Plan
from xent.scoring.sums import Sums
from xent.scoring.tails import chi_squared_tail
from xent.texts.catalogue import Sentence, sentence

__all__ = ["cure_of", "diagnosis", "recommended"]

SMALL = 0.005  # of the loss: what is less is not worth a cure, however sure it is
LARGE = 0.1  # of the loss: rows that would not show such a cure to be real tell nothing of calibration


def recommended(ladder: Ladder | None) -> Step | None:
    """The cure to take: the fewest parameters that more of them do not significantly improve on."""
    if ladder is None:
        return None
    found = [step for step in ladder.steps.values() if _worthy(step, ladder.endless)]
    if not found:
        return None
    single = max(
        (step for step in found if step.name != "both"), key=lambda step: step.gain - step.by_chance, default=None
    )
    both = next((step for step in found if step.name == "both"), None)
    if single is None or both is None:
        return single or found[0]
    if both.parameters == single.parameters:  # classes are too rare for offsets of their own
        return single
    if not both.by_chance:  # of rows that the cures were not fitted on
        return both if both.gain > single.gain else single
    rows = both.parameters / both.by_chance / 2.0  # independent ones that would tell as much
    more = chi_squared_tail(2.0 * rows * (both.gain - single.gain), both.parameters - single.parameters)
    return both if more < LEVEL else single


def _worthy(step: Step, endless: bool) -> bool:
    """Significant as one of three that are tried, and not at a bound that no mistake sets."""
    bound = endless and step.cure.beta >= HIGHEST
    return step.p_value < LEVEL / 3.0 and step.gain > step.by_chance and not bound


def cure_of(step: Step | None) -> Cure | None:
    """As the report keeps it."""
    if step is None:
        return None
    return Cure(math.inf if step.cure.beta == 0.0 else 1.0 / step.cure.beta, tuple(step.cure.offsets.tolist()))


def diagnosis(plan: Plan, sums: Sums, ladder: Ladder | None, step: Step | None) -> Sentence:
    """One sentence or two."""
    if ladder is None:
        return sentence(f"diagnosis.{_why_none(plan, sums)}")
    found = _of_ladder(plan, sums, ladder, step)
    return found if "both" in ladder.steps else sentence("diagnosis.without_offsets", diagnosis=found)


def _why_none(plan: Plan, sums: Sums) -> str:
    """Why there is no ladder."""
    if plan.brief:
        return "brief"
    if sums.infinite_rows:
        return "infinite"
    present = sum(sums.class_weight.get(code, 0) > 0 for code in range(len(plan.classes)))
    if present < 2 and plan.task != "multilabel":
        return "one_class"
    return "far_apart" if sums.loss else "certain"


def _of_ladder(plan: Plan, sums: Sums, ladder: Ladder, step: Step | None) -> Sentence:
    if step is None:
        more = any(one.cure.beta >= HIGHEST and one.p_value < LEVEL for one in ladder.steps.values())
        if ladder.endless and more:
            return sentence("diagnosis.endless")
        return _few(sums, ladder) or sentence("diagnosis.calibrated")
    share = percent(step.gain / ladder.loss)
    if step.gain < SMALL * ladder.loss:
        return sentence("diagnosis.small", share=share)
    temperature, bias = _temperature(step), _bias(plan, _excess(plan, sums))
    one = "label" if plan.task == "multilabel" else "class"
    offsets = sentence(f"cure.offsets.{one}")
    if step.name == "temperature":
        causes, cure = temperature, _division(step)
    elif step.name == "class bias":
        causes, cure = bias, offsets
    elif step.cure.beta == 0.0:
        causes, cure = temperature, sentence(f"cure.frequencies.{one}")
    else:
        causes = sentence("causes", first=temperature, second=bias)
        if ladder.steps["class bias"].p_value >= LEVEL and ladder.excess is not None:
            causes = sentence("causes.then", first=temperature, second=_bias(plan, ladder.excess))
        cure = sentence("cures", first=_division(step), second=offsets)
    return sentence("diagnosis.cure", causes=causes, cure=cure, share=share, p=p_value(step.p_value))


def _few(sums: Sums, ladder: Ladder) -> Sentence | None:
    """That the rows are too few for a large cure, even of a single parameter, to be significant; None if they are not."""
    by_chance = ladder.steps["temperature"].by_chance
    rows = 0.5 / by_chance if by_chance else sums.rows  # independent ones, or those that nothing was fitted on
    if chi_squared_tail(2.0 * rows * LARGE * ladder.loss, 1) < LEVEL / 3.0:
        return None
    return sentence("diagnosis.few", share=percent(LARGE))


def _temperature(step: Step) -> Sentence:
    beta = step.cure.beta
    if beta == 0.0:
        return sentence("cause.no_information")
    return sentence("cause.overconfident" if beta < 1.0 else "cause.underconfident")


def _division(step: Step) -> Sentence:
    beta = step.cure.beta
    if beta == 0.0:
        return sentence("cure.alike")
    if beta < 1.0:
        return sentence("cure.divide.more" if beta == LOWEST else "cure.divide", by=decimals(1.0 / beta))
    return sentence("cure.multiply.more" if beta == HIGHEST else "cure.multiply", by=decimals(beta))


def _excess(plan: Plan, sums: Sums) -> NDArray[np.float64]:
    """The mean probability of each class less its frequency, (classes,)."""
    count, first = (moments_count(2), 4) if plan.task == "multilabel" else (1, 3)
    given = [sums.moments.get(code * count + first, 0) for code in range(len(plan.classes))]
    return np.array([(p - sums.class_weight.get(code, 0)) / sums.weight for code, p in enumerate(given)])


def _bias(plan: Plan, excess: NDArray[np.float64]) -> Sentence:
    """Which class is predicted too often or too rarely: the one whose mean probability is furthest from its frequency."""
    several = plan.task == "multilabel"
    worst = 1 if not several and len(plan.classes) == 2 else int(np.abs(excess).argmax())
    name = sentence("label.named" if several else "class.named", name=plan.classes[worst])
    return sentence("cause.too_often" if excess[worst] > 0.0 else "cause.too_rarely", name=name)
