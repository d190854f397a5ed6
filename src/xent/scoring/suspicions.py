"""What the sums alone make suspicious: a short form of `xent check`, which they point to."""

import numpy as np

from xent.kernels.survey_numpy import MOST_CLASSES, ODDS_BINS
from xent.report.numbers import decimals
from xent.scoring import exact
from xent.scoring.assignment import assignment
from xent.scoring.plan import Plan
from xent.scoring.sums import Sums
from xent.texts.catalogue import Sentence, sentence

__all__ = ["suspicions"]

ENOUGH = 100  # rows
CAP = 16  # nats that an impossible class counts
MUCH = 0.6  # of the loss: less of it in another order is no chance


def suspicions(plan: Plan, sums: Sums) -> tuple[Sentence, ...]:
    """Sentences for the report's warnings."""
    if plan.brief or sums.rows < ENOUGH or plan.task == "multilabel":
        return ()
    return tuple(found for found in (_permuted(plan, sums), _hard(plan, sums), _constant(plan, sums)) if found)


def _permuted(plan: Plan, sums: Sums) -> Sentence | None:
    """Whether giving each class another's column would lower the loss by far."""
    if not (sums.confusion or sums.impossible):
        return None
    classes = len(plan.classes)
    costs = np.zeros((classes, classes))
    for i in range(classes):
        for j in range(classes):
            key = i * classes + j
            impossible = (CAP * sums.impossible.get(key, 0)) << exact.UNIT_BITS
            costs[i, j] = (sums.confusion.get(key, 0) + impossible) / sums.weight
    order = assignment(costs)
    now, then = float(np.trace(costs)), float(costs[np.arange(classes), order].sum())
    if then > MUCH * now or now - then < 0.1:
        return None
    moved = [str(plan.classes[i]) for i in range(classes) if order[i] != i and sums.class_weight.get(i)]
    shown = ", ".join(moved[:6]) + (", …" if len(moved) > 6 else "")
    return sentence("suspicion.permuted", columns=shown, then=decimals(max(0.0, then)), now=decimals(now))


def _top(plan: Plan) -> int:
    """Where the counts of the likeliest class begin."""
    return (len(plan.classes) if len(plan.classes) <= MOST_CLASSES else 0) * ODDS_BINS


def _hard(plan: Plan, sums: Sums) -> Sentence | None:
    certain = sums.reliable_weight.get(_top(plan) + ODDS_BINS - 1, 0)
    if 100 * certain < 99 * sums.weight:
        return None
    return sentence("suspicion.hard")


def _constant(plan: Plan, sums: Sums) -> Sentence | None:
    """Whether all rows fall into one bin of every class's odds."""
    bins = {key // ODDS_BINS for key in sums.reliable_weight}
    if len(sums.reliable_weight) > len(bins):
        return None
    return None if _hard(plan, sums) else sentence("suspicion.constant")
