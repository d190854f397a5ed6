"""What the page says in sentences: what stands out, and what the numbers mean."""

import math

from xent.report.chart_ladder import cured
from xent.report.model import Report
from xent.report.typeset import likely, number, percent
from xent.texts.catalogue import Sentence, sentence

__all__ = ["alarm", "findings"]

ENOUGH = 100  # rows, to speak of the worst hundredth or of what is not shown
CONCENTRATED = 0.5  # of the loss in the worst tenth of the rows: few rows cost much, rather than all a little


def alarm(report: Report) -> tuple[Sentence, ...]:
    """What to say when the choices are good and the probabilities are not, in one sentence or several.

    That is: the choices beat the most frequent class, but the loss does not beat the baseline. No calibrated model
    does that; whether it is too sure or too timid shows in how few rows carry the loss.
    """
    if report.skill is None or report.task == "multilabel":
        return ()
    most = max(found.frequency for found in report.by_class)
    if report.accuracy <= most:
        return ()
    against = sentence("alarm.infinite") if math.isinf(report.loss) else _against_baseline(report)
    if against is None:
        return ()
    choices = sentence("alarm", right=percent(report.accuracy), most=percent(most), against=against)
    return (choices,) if math.isinf(report.loss) else (choices, *_cure(report))


def _against_baseline(report: Report) -> Sentence | None:
    """That the loss is no better than the baseline; None if it is, or if there are too few rows to tell."""
    if report.skill_interval is None:
        return None
    baseline = {"baseline": number(report.baseline), "unit": sentence(f"unit.{report.unit}")}
    if report.skill_interval[1] < 0.0:
        return sentence("alarm.above", **baseline)
    if report.skill_interval[0] <= 0.0 and report.rows >= ENOUGH:
        return sentence("alarm.not_below", **baseline)
    return None


def _cure(report: Report) -> tuple[Sentence, ...]:
    """What the choices and the probabilities have to do with each other, and what to do about it."""
    worst = report.share_of_worst_10_percent or 0.0
    rung = cured(report)
    sure = worst >= CONCENTRATED if rung is None else (rung.temperature or 0.0) > 1.0
    found = []
    if sure and worst >= CONCENTRATED:
        found.append(sentence("alarm.overconfident.worst", worst=percent(worst)))
    elif sure:
        found.append(sentence("alarm.overconfident"))
    if rung is not None:
        unit = sentence(f"unit.{report.unit}")
        found.append(sentence("alarm.recalibrate", loss=number(rung.loss), unit=unit))
    elif report.ladder is None:
        found.append(sentence("alarm.may_recalibrate"))
    return tuple(found)


def findings(report: Report) -> list[Sentence]:
    """The numbers as sentences."""
    right = sentence(
        "finding.right.labels" if report.task == "multilabel" else "finding.right.rows", share=percent(report.accuracy)
    )
    if math.isinf(report.loss):
        if report.finite_loss is None:
            return [sentence("finding.end", text=right)]
        unit = sentence(f"unit.{report.unit}")
        mean = number(report.finite_loss)
        without = sentence("finding.finite", count=report.infinite, rows=report.rows, mean=mean, unit=unit)
        return [sentence("finding.end", text=right), without]
    typical = sentence("finding.typical", right=right, typical=likely(report.typical_probability))
    return [typical, *_concentration(report)]


def _concentration(report: Report) -> list[Sentence]:
    """How much of the loss the worst rows carry, where there are rows enough to speak of such a part."""
    shares = ((1, report.share_of_worst_1_percent), (10, report.share_of_worst_10_percent))
    found = [(part, percent(share)) for part, share in shares if share is not None and report.rows * part >= ENOUGH]
    if len(found) == 2:
        return [sentence("finding.worst.both", one=found[0][1], ten=found[1][1])]
    return [sentence("finding.worst", part=part, share=share) for part, share in found]
