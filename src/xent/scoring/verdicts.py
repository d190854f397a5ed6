"""The report in words: the verdict, the rule of thumb, what was checked and what to look into."""

import math

from xent import units
from xent.report.numbers import decimals, percent
from xent.scoring.plan import Plan
from xent.scoring.sums import Sums

__all__ = ["RULE", "checks", "rule_of_thumb", "verdict", "warnings"]

MOST_SKIPPED = 5  # files that a warning lists
RULE = (
    (0.02, "great"),
    (0.05, "on the right track"),
    (0.20, "fine"),
    (0.30, "between fine and not great"),
    (1.0, "not great"),
    (2.0, "terrible"),
)


def verdict(plan: Plan, sums: Sums, loss: float, baseline: float, skills: tuple[float, float] | None, unit: str) -> str:
    """One sentence that rests on the skill and its interval."""
    if sums.infinite_rows:
        rows = "1 row" if sums.infinite_rows == 1 else f"{sums.infinite_rows:,} rows"
        return f"infinitely bad: {rows} of {sums.rows:,} gave probability 0 to what happened"
    if baseline == 0.0:
        return "no verdict: only one class is present, so there is nothing to compare the loss with"
    if skills is None:
        return "no verdict: a single row says nothing about the model"
    frequencies = "each label's frequency" if plan.task == "multilabel" else "the class frequencies"
    low, high = percent(skills[0]), percent(skills[1])
    if skills[0] > 0.0:
        gone = percent(1.0 - loss / baseline)
        return f"better than always predicting {frequencies}: {gone} % of its loss is gone ({low} to {high})"
    base = units.unit_base(unit)
    costs = f"{decimals(units.from_nats(baseline, base))} instead of {decimals(units.from_nats(loss, base))} {unit}"
    if skills[1] < 0.0:
        return f"worse than knowing nothing: always predicting {frequencies} would cost {costs}"
    return (
        f"not shown to be better than knowing nothing: with {sums.rows:,} rows, between {low} and {high} % of the loss of "
        f"always predicting {frequencies} is gone"
    )


def rule_of_thumb(loss: float) -> str:
    """What the folklore for two classes says of a loss in nats, and why it does not carry to other class counts."""
    below = (name for bound, name in RULE if loss < bound)
    word = "perfect" if loss <= 0.0 else next(below, "something is broken")
    return (
        f"{word} (for two classes, in nats: 0 perfect, < 0.02 great, < 0.05 on the right track, < 0.20 fine, > 0.30 not "
        "great, > 1.0 terrible, > 2.0 something is broken; for two classes alone, as knowing nothing costs 0.693 with two "
        "equal ones, 2.303 with ten)"
    )


def checks(plan: Plan, sums: Sums) -> tuple[str, ...]:
    """What was looked at and found in order; anything else would have stopped the work."""
    found = ["no NaN"]
    if plan.task != "multilabel" and plan.kind != "logits":
        found.append("each row sums to 1 once divided by its sum" if plan.normalize else "rows sum to 1")
    elif plan.kind == "probabilities":
        found.append("all in [0, 1]")
    found.append("labels match the classes")
    if not sums.infinite_rows:
        found.append("no infinite loss")
    return tuple(found)


def warnings(plan: Plan, sums: Sums, baseline: float) -> tuple[str, ...]:
    """What a careful reader would look into."""
    found = []
    if sums.skipped:
        shown = "; ".join(f"{file}: {reason.splitlines()[0]}" for file, reason in sums.skipped[:MOST_SKIPPED])
        more = f"; and {len(sums.skipped) - MOST_SKIPPED:,} more" if len(sums.skipped) > MOST_SKIPPED else ""
        files = "1 file" if len(sums.skipped) == 1 else f"{len(sums.skipped):,} files"
        found.append(f"{files} could not be read, and none of the rows there are in this report: {shown}{more}")
    if sums.infinite_rows:
        known = [row for row in sums.worst if row[0] == math.inf and row[2] >= 0]
        same = len({row[1] for row in known}) == 1
        where = ", ".join(str(row[2]) + ("" if same else f" of {row[1]}") for row in known)
        more = ", …" if len(known) < sums.infinite_rows else ""
        which = f" (row {where}{more})" if known else ""
        found.append(
            f"{sums.infinite_rows:,} of {sums.rows:,} rows gave probability 0 to the truth{which}: their loss is "
            "infinite, and so is the mean. (clip=1e-7, --clip 1e-7, bounds such costs at 16.1 nats, and counts them.)"
        )
    if sums.clipped:
        found.append(f"clip={plan.clip:g} changed the loss of {sums.clipped:,} of {sums.rows:,} rows.")
    if sums.normalized:
        found.append(
            f"{sums.normalized:,} of {sums.rows:,} rows did not sum to 1 and were divided by their sum, as asked."
        )
    if 10 * sums.like_probabilities > 9 * sums.rows:
        found.append(
            f"{sums.like_probabilities:,} of {sums.rows:,} rows of logits are already probabilities: softmax was "
            'probably applied twice. Pass kind="probabilities" (--kind probabilities).'
        )
    if baseline == 0.0 and plan.task != "multilabel":
        found.append("only one class is present in the labels: the baseline is 0 and the skill undefined.")
    absent = [str(plan.classes[code]) for code in range(len(plan.classes)) if not sums.class_weight.get(code)]
    if absent:
        shown = ", ".join(absent[:10]) + (", …" if len(absent) > 10 else "")
        found.append(f"no row has the label {shown} ({len(absent):,} of {len(plan.classes):,} classes).")
    return tuple(found)
