"""Sums → report: the loss and its error bar, the baseline, the verdict."""

import math
from fractions import Fraction

from xent import units
from xent.errors import ShapeError
from xent.report.model import Report, SkippedFile
from xent.report.thumb import rule_of_thumb
from xent.scoring import details, exact, verdicts
from xent.scoring.details import entropy_of_weights
from xent.scoring.ladder import Ladder
from xent.scoring.looks import Look
from xent.scoring.plan import Plan
from xent.scoring.sums import Sums
from xent.scoring.suspicions import suspicions
from xent.scoring.uncertainty import uncertainty

__all__ = ["summarise"]


def summarise(
    plan: Plan,
    sums: Sums,
    unit: str | None = None,
    notes: tuple[str, ...] = (),
    warnings: tuple[str, ...] = (),
    look: Look | None = None,
    fitted: Ladder | None = None,
) -> Report:
    """The report of a state; `look` takes another look at the rows, where they are at hand; `fitted` are cures of others.

    Raises:
        ShapeError: there is no row (of a weight above 0) to report on.
        OptionError: the unit is neither "nats" nor "bits".
    """
    unit = "nats" if unit is None else unit
    base = units.unit_base(unit)
    if sums.rows == 0:
        raise ShapeError("there are no rows to report on. Pass at least one row with a weight above 0.")
    found = uncertainty(sums)
    loss, error, interval = found.loss, found.standard_error, found.interval
    baseline = _baseline(plan, sums)
    skills = _skill_interval(interval, baseline)
    finite = sums.weight - sums.infinite_weight
    by_bin = details.losses_by_bin(sums)

    def shown(nats: float) -> float:
        return float(units.from_nats(nats, base))

    return Report(
        loss=shown(loss),
        standard_error=None if error is None else shown(error),
        interval=None if interval is None else (shown(interval[0]), shown(interval[1])),
        unit=unit,
        baseline=shown(baseline),
        skill=_skill(loss, baseline),
        skill_interval=skills,
        verdict=verdicts.verdict(plan, sums, loss, baseline, skills, unit),
        rule_of_thumb=rule_of_thumb(loss) if len(plan.classes) == 2 and plan.task != "multilabel" else None,
        typical_probability=math.exp(-loss),
        perplexity=math.exp(loss) if loss < 709.0 else math.inf,
        accuracy=sums.hits / sums.weight,
        rows=sums.rows,
        weight=_weight(sums),
        task=plan.task,
        kind=plan.kind,
        classes=plan.classes,
        by_class=tuple(details.class_report(plan, sums, code, base) for code in range(len(plan.classes))),
        worst=tuple(details.worst_row(plan, row, base) for row in sums.worst),
        share_of_worst_1_percent=details.worst_share(sums, by_bin, Fraction(1, 100)),
        share_of_worst_10_percent=details.worst_share(sums, by_bin, Fraction(1, 10)),
        histogram=details.histogram(sums, by_bin),
        infinite=sums.infinite_rows,
        finite_loss=shown(sums.loss / finite) if finite else None,
        clip=plan.clip,
        clipped=sums.clipped,
        normalize=plan.normalize,
        normalized=sums.normalized,
        skipped=tuple(SkippedFile(file, reason) for file, reason in sums.skipped),
        **details.slices(plan, sums, found, shown),
        **details.causes(plan, sums, look, fitted, shown),
        checks=verdicts.checks(plan, sums),
        warnings=warnings + verdicts.warnings(plan, sums, baseline) + suspicions(plan, sums),
        notes=notes + details.left_out(plan),
    )


def _weight(sums: Sums) -> float | None:
    """None where every row weighs 1."""
    return None if sums.unweighted else exact.to_float(sums.weight)


def _baseline(plan: Plan, sums: Sums) -> float:
    """Entropy of the class frequencies, nats; of several labels, the sum of each label's."""
    weights = [sums.class_weight.get(code, 0) for code in range(len(plan.classes))]
    if plan.task == "multilabel":
        return math.fsum(entropy_of_weights([weight, sums.weight - weight]) for weight in weights)
    return entropy_of_weights(weights)


def _skill(loss: float, baseline: float) -> float | None:
    return None if baseline == 0.0 else 1.0 - loss / baseline


def _skill_interval(interval: tuple[float, float] | None, baseline: float) -> tuple[float, float] | None:
    if interval is None or baseline == 0.0 or math.isinf(interval[1]):
        return None
    return (1.0 - interval[1] / baseline, 1.0 - interval[0] / baseline)
