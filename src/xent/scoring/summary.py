"""Sums → report: the loss and its error bar, the baseline, the verdict."""

import math
from fractions import Fraction

from xent import units
from xent.errors import ShapeError
from xent.kernels.score_numpy import BINS, CUT
from xent.report.model import Bin, ClassReport, Label, Report, WorstRow
from xent.scoring import exact, verdicts
from xent.scoring.plan import Plan
from xent.scoring.sums import Sums, Worst
from xent.scoring.tails import t_quantile

__all__ = ["summarise"]

LEVEL = 0.95


def summarise(
    plan: Plan, sums: Sums, unit: str | None = None, notes: tuple[str, ...] = (), warnings: tuple[str, ...] = ()
) -> Report:
    """The report of a state.

    Raises:
        ShapeError: there is no row (of a weight above 0) to report on.
        OptionError: the unit is neither "nats" nor "bits".
    """
    unit = "nats" if unit is None else unit
    base = units.unit_base(unit)
    if sums.rows == 0:
        raise ShapeError("there are no rows to report on. Pass at least one row with a weight above 0.")
    loss, error = _loss(sums), _standard_error(sums)
    interval = _interval(loss, error, sums.rows)
    baseline = _baseline(plan, sums)
    skill = _skill(loss, baseline)
    skills = _skill_interval(interval, baseline)
    finite = sums.weight - sums.infinite_weight

    def shown(nats: float) -> float:
        return float(units.from_nats(nats, base))

    return Report(
        loss=shown(loss),
        standard_error=None if error is None else shown(error),
        interval=None if interval is None else (shown(interval[0]), shown(interval[1])),
        unit=unit,
        baseline=shown(baseline),
        skill=skill,
        skill_interval=skills,
        verdict=verdicts.verdict(plan, sums, loss, baseline, skills, unit),
        rule_of_thumb=verdicts.rule_of_thumb(loss) if len(plan.classes) == 2 and plan.task != "multilabel" else None,
        typical_probability=math.exp(-loss),
        perplexity=math.exp(loss) if loss < 709.0 else math.inf,
        accuracy=sums.hits / sums.weight,
        rows=sums.rows,
        weight=None
        if sums.weight == sums.weight_squared == sums.rows << exact.UNIT_BITS
        else exact.to_float(sums.weight),
        task=plan.task,
        kind=plan.kind,
        classes=plan.classes,
        by_class=tuple(_class_report(plan, sums, code, base) for code in range(len(plan.classes))),
        worst=tuple(_worst_row(plan, row, base) for row in sums.worst),
        share_of_worst_1_percent=_worst_share(sums, Fraction(1, 100)),
        share_of_worst_10_percent=_worst_share(sums, Fraction(1, 10)),
        histogram=_histogram(sums),
        infinite=sums.infinite_rows,
        finite_loss=shown(sums.loss / finite) if finite else None,
        clip=plan.clip,
        clipped=sums.clipped,
        normalize=plan.normalize,
        normalized=sums.normalized,
        checks=verdicts.checks(plan, sums),
        warnings=warnings + verdicts.warnings(plan, sums, baseline),
        notes=notes,
    )


def _loss(sums: Sums) -> float:
    return math.inf if sums.infinite_rows else sums.loss / sums.weight


def _standard_error(sums: Sums) -> float | None:
    """Of a weighted mean: the linearised ratio estimator, √(n/(n−1) · Σ w²(x − mean)²) / Σ w.

    With equal weights this is s/√n. The sum is one of exact integers, so nothing cancels.

    Source:
        Cochran, "Sampling Techniques" (1977), section 6.
    """
    if sums.rows < 2:
        return None
    if sums.infinite_rows:
        return math.inf
    mean = Fraction(sums.loss, sums.weight)
    squares = sums.loss_squared - 2 * mean * sums.weighted_loss + mean**2 * sums.weight_squared
    scatter = Fraction(squares) * Fraction(1 << exact.UNIT_BITS, sums.weight) / sums.weight
    return math.sqrt(max(0.0, float(scatter * Fraction(sums.rows, sums.rows - 1))))


def _interval(loss: float, error: float | None, rows: int) -> tuple[float, float] | None:
    if error is None:
        return None
    if math.isinf(loss):
        return (math.inf, math.inf)
    reach = t_quantile((1.0 + LEVEL) / 2.0, rows - 1) * error
    return (max(0.0, loss - reach), loss + reach)


def _baseline(plan: Plan, sums: Sums) -> float:
    """Entropy of the class frequencies, nats; of several labels, the sum of each label's."""
    weights = [sums.class_weight.get(code, 0) for code in range(len(plan.classes))]
    if plan.task == "multilabel":
        return math.fsum(_entropy([weight, sums.weight - weight]) for weight in weights)
    return _entropy(weights)


def _entropy(weights: list[int]) -> float:
    total = sum(weights)
    shares = [weight / total for weight in weights if weight > 0]
    return -math.fsum(share * math.log(share) for share in shares) + 0.0


def _skill(loss: float, baseline: float) -> float | None:
    return None if baseline == 0.0 else 1.0 - loss / baseline


def _skill_interval(interval: tuple[float, float] | None, baseline: float) -> tuple[float, float] | None:
    if interval is None or baseline == 0.0 or math.isinf(interval[1]):
        return None
    return (1.0 - interval[1] / baseline, 1.0 - interval[0] / baseline)


def _class_report(plan: Plan, sums: Sums, code: int, base: float | None) -> ClassReport:
    weight = sums.class_weight.get(code, 0)
    infinite = sums.class_infinite.get(code, 0)
    rows = sums.weight if plan.task == "multilabel" else weight
    frequency = weight / sums.weight
    loss = None
    baseline = None
    if rows:
        loss = math.inf if infinite else sums.class_loss.get(code, 0) / rows
        if plan.task == "multilabel":
            baseline = _entropy([weight, sums.weight - weight])
        else:
            baseline = -math.log(frequency) + 0.0
    count = exact.to_float(weight)
    return ClassReport(
        label=plan.classes[code],
        count=int(count) if count.is_integer() else count,
        frequency=frequency,
        loss=None if loss is None else float(units.from_nats(loss, base)),
        share=_share(sums.class_loss.get(code, 0), sums),
        baseline=None if baseline is None else float(units.from_nats(baseline, base)),
        infinite=infinite,
    )


def _share(part: int, sums: Sums) -> float | None:
    return None if sums.infinite_rows or not sums.loss else part / sums.loss


def _worst_row(plan: Plan, row: Worst, base: float | None) -> WorstRow:
    nats, source, index, label, predicted = row

    def name(code: int | tuple[int, ...]) -> Label | tuple[Label, ...]:
        return plan.classes[code] if isinstance(code, int) else tuple(plan.classes[c] for c in code)

    return WorstRow(
        index=None if index < 0 else index,
        source=source or None,
        label=name(label),
        predicted=name(predicted),
        probability=math.exp(-nats),
        nats=nats,
        loss=float(units.from_nats(nats, base)),
    )


def _bin_losses(sums: Sums) -> dict[int, int]:
    """Loss by bin, adding up to the total: what rounding down left out belongs to the lowest bin."""
    losses = {key: sums.bin_loss.get(key, 0) for key in sums.bin_rows}
    if sums.bin_rows:
        lowest = min(sums.bin_rows)
        losses[lowest] = sums.loss - sum(loss for key, loss in losses.items() if key != lowest)
    return losses


def _worst_share(sums: Sums, part: Fraction) -> float | None:
    """Share of the loss carried by the worst `part` of the rows (of their weight): whole bins, then part of one."""
    if sums.infinite_rows or not sums.loss:
        return None
    losses = _bin_losses(sums)
    left = sums.weight * part.numerator // part.denominator
    carried = 0
    for key in sorted(sums.bin_weight, reverse=True):
        taken = min(left, sums.bin_weight[key])
        carried += losses.get(key, 0) * taken // sums.bin_weight[key]
        left -= taken
    return carried / sums.loss


def _histogram(sums: Sums) -> tuple[Bin, ...]:
    """The bins of 1/8 bit; the finer ones below are the first."""
    rows: dict[int, int] = {}
    losses: dict[int, int] = {}
    for key, loss in _bin_losses(sums).items():
        eighth = max(key, 0) // CUT
        rows[eighth] = rows.get(eighth, 0) + sums.bin_rows[key]
        losses[eighth] = losses.get(eighth, 0) + loss
    return tuple(
        Bin(key / 8.0, math.inf if key == BINS else (key + 1) / 8.0, rows[key], _share(losses[key], sums))
        for key in sorted(rows)
    )
