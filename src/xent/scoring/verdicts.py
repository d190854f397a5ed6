"""The report in words: the verdict, the rule of thumb, what was checked and what to look into."""

import math

from xent import units
from xent.report.numbers import decimals, percent
from xent.scoring.plan import Plan
from xent.scoring.sums import Sums
from xent.texts.catalogue import Sentence, counted, sentence

__all__ = ["checks", "verdict", "warnings"]

ENOUGH = 10  # rows a class, for the frequencies of these rows to be about those of others
MOST_SKIPPED = 5  # files that a warning lists


def verdict(
    plan: Plan, sums: Sums, loss: float, baseline: float, skills: tuple[float, float] | None, unit: str
) -> Sentence:
    """One sentence that rests on the skill and its interval."""
    if sums.infinite_rows:
        return sentence("verdict.infinite", rows=counted("rows", sums.infinite_rows), whole=sums.rows)
    if baseline == 0.0:
        return sentence("verdict.one_class")
    if skills is None:
        return sentence("verdict.single_row")
    frequencies = sentence("frequencies.labels" if plan.task == "multilabel" else "frequencies.classes")
    low, high = percent(skills[0]), percent(skills[1])
    if skills[0] > 0.0:
        gone = percent(1.0 - loss / baseline)
        return sentence("verdict.better", frequencies=frequencies, gone=gone, low=low, high=high)
    if skills[1] < 0.0:
        known, cost = (decimals(units.from_nats(nats, units.unit_base(unit))) for nats in (baseline, loss))
        spoken = sentence(f"unit.{unit}")
        return sentence("verdict.worse", frequencies=frequencies, baseline=known, loss=cost, unit=spoken)
    return sentence("verdict.open", frequencies=frequencies, rows=counted("rows", sums.rows), low=low, high=high)


def checks(plan: Plan, sums: Sums) -> tuple[Sentence, ...]:
    """What was looked at and found in order; anything else would have stopped the work."""
    found = [sentence("check.nan")]
    if plan.task != "multilabel" and plan.kind != "logits":
        found.append(sentence("check.divided" if plan.normalize else "check.sums"))
    elif plan.kind == "probabilities":
        found.append(sentence("check.range"))
    found.append(sentence("check.labels"))
    if not sums.infinite_rows:
        found.append(sentence("check.finite"))
    return tuple(found)


def warnings(plan: Plan, sums: Sums, baseline: float) -> tuple[Sentence, ...]:
    """What a careful reader would look into."""
    found = []
    if sums.skipped:
        found.append(_skipped(sums))
    if sums.infinite_rows:
        found.append(sentence("warning.infinite", count=sums.infinite_rows, rows=sums.rows, which=_which(sums)))
    if sums.clipped:
        found.append(sentence("warning.clipped", clip=plan.clip, count=sums.clipped, rows=sums.rows))
    if sums.normalized:
        found.append(sentence("warning.normalized", count=sums.normalized, rows=sums.rows))
    if 10 * sums.like_probabilities > 9 * sums.rows:
        found.append(sentence("warning.softmax_twice", count=sums.like_probabilities, rows=sums.rows))
    if baseline == 0.0 and plan.task != "multilabel":
        found.append(sentence("warning.one_class"))
    absent = [str(plan.classes[code]) for code in range(len(plan.classes)) if not sums.class_weight.get(code)]
    if absent:
        shown = ", ".join(absent[:10]) + (", …" if len(absent) > 10 else "")
        found.append(sentence("warning.absent", labels=shown, count=len(absent), classes=len(plan.classes)))
    present = len(plan.classes) - len(absent)
    if plan.task != "multilabel" and present > 2 and sums.rows < ENOUGH * present:
        low = decimals((present - 1) / (2.0 * sums.rows))
        found.append(sentence("warning.few_by_class", rows=sums.rows, classes=present, nats=low))
    return tuple(found)


def _skipped(sums: Sums) -> Sentence:
    told = [(file, reason.splitlines()[0]) for file, reason in sums.skipped[:MOST_SKIPPED]]
    shown = "; ".join(reason if reason.startswith(file) else f"{file}: {reason}" for file, reason in told)
    more = len(sums.skipped) - MOST_SKIPPED
    files = sentence("warning.skipped.more", files=shown, count=more) if more > 0 else shown
    return counted("warning.skipped", len(sums.skipped), files=files)


def _which(sums: Sums) -> Sentence | str:
    """Those rows of infinite loss that are known, in brackets."""
    known = [row for row in sums.worst if row[0] == math.inf and row[2] >= 0]
    if not known:
        return ""
    same = len({row[1] for row in known}) == 1
    where = [str(row[2]) if same else sentence("row.of", row=row[2], source=row[1]) for row in known]
    return sentence("warning.infinite.rows", rows=(*where, *(["…"] if len(known) < sums.infinite_rows else [])))
