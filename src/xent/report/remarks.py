"""What the page says in sentences: what stands out, and what the numbers mean."""

import math

from xent.report.chart_ladder import cured
from xent.report.model import Report
from xent.report.typeset import SPACE, likely, number, percent

__all__ = ["alarm", "findings"]

ENOUGH = 100  # rows, to speak of the worst hundredth or of what is not shown
CONCENTRATED = 0.5  # of the loss in the worst tenth of the rows: few rows cost much, rather than all a little


def alarm(report: Report) -> str | None:
    """What to say when the choices are good and the probabilities are not.

    That is: the choices beat the most frequent class, but the loss does not beat the baseline. No calibrated model
    does that; whether it is too sure or too timid shows in how few rows carry the loss.
    """
    if report.skill is None or report.task == "multilabel":
        return None
    most = max(found.frequency for found in report.by_class)
    if report.accuracy <= most:
        return None
    choices = (
        f"The choices are good, the probabilities are not. {percent(report.accuracy)} of the rows are predicted right "
        f"(always naming the most frequent class: {percent(most)}), yet "
    )
    if math.isinf(report.loss):
        return (
            f"{choices}what happened was ruled out with probability 0 at least once, and one such row makes the loss "
            "infinite."
        )
    against = _against_baseline(report)
    return None if against is None else f"{choices}{against} {_cure(report)}".strip()


def _against_baseline(report: Report) -> str | None:
    """That the loss is no better than the baseline; None if it is, or if there are too few rows to tell."""
    if report.skill_interval is None:
        return None
    baseline = f"the baseline of {number(report.baseline)} {report.unit}, which takes no model at all."
    if report.skill_interval[1] < 0.0:
        return f"the loss is above {baseline}"
    if report.skill_interval[0] <= 0.0 and report.rows >= ENOUGH:
        return f"the loss is not shown to be below {baseline}"
    return None


def _cure(report: Report) -> str:
    """What the choices and the probabilities have to do with each other, and what to do about it."""
    worst = report.share_of_worst_10_percent or 0.0
    rung = cured(report)
    sure = worst >= CONCENTRATED if rung is None else (rung.temperature or 0.0) > 1.0
    said = ""
    if sure and worst >= CONCENTRATED:
        said = (
            f"The model is overconfident: nearly certain even where it is wrong, so that the worst 10{SPACE}% of the "
            f"rows carry {percent(worst)} of the loss. "
        )
    elif sure:
        said = "The model is overconfident. "
    if rung is not None:
        return f"{said}Recalibrating would lower the loss to {number(rung.loss)} {report.unit}."
    return f"{said}Recalibrating may lower it." if report.ladder is None else said.strip()


def findings(report: Report) -> list[str]:
    """The numbers as sentences."""
    things = "labels" if report.task == "multilabel" else "rows"
    right = f"{percent(report.accuracy)} of the {things} are predicted right"
    if math.isinf(report.loss):
        without = f"Without the rows of infinite loss ({report.infinite:,} of {report.rows:,}), the mean would be "
        return [f"{right}."] + (
            [] if report.finite_loss is None else [f"{without}{number(report.finite_loss)} {report.unit}."]
        )
    typical = f"a typical row gave what happened a probability of {likely(report.typical_probability)}"
    return [f"{right}, and {typical} (geometric mean).", *_concentration(report)]


def _concentration(report: Report) -> list[str]:
    """How much of the loss the worst rows carry, where there are rows enough to speak of such a part."""
    parts = [
        f"the worst {part}{SPACE}% of the rows carry {percent(share)}"
        for part, share in ((1, report.share_of_worst_1_percent), (10, report.share_of_worst_10_percent))
        if share is not None and report.rows * part >= ENOUGH
    ]
    return [" of the loss, ".join(parts).capitalize() + (" of the loss." if len(parts) == 1 else ".")] if parts else []
