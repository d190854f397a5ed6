"""The parts of a report: classes, groups, worst rows, the histogram, confusion, reliability."""

import math
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from typing import Any

from xent import units
from xent.kernels.sums_numpy import BINS, CUT
from xent.kernels.survey_numpy import MOST_CLASSES
from xent.report import model
from xent.report.model import Bin, ClassReport, Label, WorstRow
from xent.scoring import exact
from xent.scoring.confusions import confused_pairs, confusion_matrix
from xent.scoring.diagnosis import cure_of, diagnosis, recommended
from xent.scoring.groups import Group, groups_of
from xent.scoring.ladder import Ladder, Step, held_out, ladder_of, rungs_of
from xent.scoring.looks import Look
from xent.scoring.plan import Plan
from xent.scoring.reliability import reliabilities
from xent.scoring.sums import Sums, Worst
from xent.scoring.uncertainty import Uncertain, cluster_moments
from xent.texts.catalogue import sentence

__all__ = [
    "causes",
    "class_report",
    "entropy_of_weights",
    "histogram",
    "left_out",
    "losses_by_bin",
    "slices",
    "worst_row",
    "worst_share",
]


def slices(plan: Plan, sums: Sums, found: Uncertain, shown: Callable[[float], float]) -> dict[str, Any]:
    """Where the loss sits, as fields of the report; `shown` turns nats into its unit."""
    groups, clusters = groups_of(sums), cluster_moments(sums)
    matrix = confusion_matrix(plan, sums)
    pairs = confused_pairs(sums, matrix)
    return {
        "interval_method": found.method,
        "clusters": None if clusters is None else clusters.draws,
        "by_group": None if groups is None else tuple(_group_report(group, shown) for group in groups),
        "confusion": None if matrix is None else tuple(tuple(_cost(v, shown) for v in row) for row in matrix.tolist()),
        "confused": tuple(
            model.ConfusedPair(
                plan.classes[pair.truth], plan.classes[pair.taken_for], shown(pair.nats), math.exp(-pair.nats)
            )
            for pair in pairs
        ),
        "reliability": _curves(plan, sums),
    }


def _curves(plan: Plan, sums: Sums) -> tuple[model.Reliability, ...]:
    return tuple(
        model.Reliability(
            None if curve.of is None else plan.classes[curve.of],
            tuple(model.ReliabilityBin(*one) for one in curve.bins),
        )
        for curve in reliabilities(plan, sums)
    )


def causes(
    plan: Plan, sums: Sums, look: Look | None, fitted: Ladder | None, shown: Callable[[float], float]
) -> dict[str, Any]:
    """What the loss is made of, as fields of the report; by cures `fitted` on other rows, if there are any."""
    ladder = ladder_of(plan, sums, look) if fitted is None or look is None else held_out(plan, fitted, sums, look)
    step = recommended(ladder)
    soft = sums.label_entropy > 0
    return {
        "ladder": None if ladder is None else rungs_of(ladder, step, shown),
        "cure": cure_of(step),
        "cured_reliability": _after_cure(plan, sums, look, step),
        "diagnosis": diagnosis(plan, sums, ladder, step),
        "label_entropy": shown(sums.label_entropy / sums.weight) if soft else None,
        "kl": shown((sums.loss - sums.label_entropy) / sums.weight) if soft and not sums.infinite_rows else None,
    }


def _after_cure(plan: Plan, sums: Sums, look: Look | None, step: Step | None) -> tuple[model.Reliability, ...] | None:
    """Of two classes, and of several labels, the curve at hand tells where a cure moves it."""
    if step is None or look is None or plan.task == "multilabel" or len(plan.classes) == 2:
        return None
    after = look.reliability(step.cure)
    names = ("reliable_weight", "reliable_probability", "reliable_truth")
    return _curves(plan, replace(sums, **{name: getattr(after, name) for name in names}))


def left_out(plan: Plan) -> tuple[str, ...]:
    """What is not kept of so many classes, as its size grows with their square."""
    if plan.brief or plan.task == "multilabel" or len(plan.classes) <= MOST_CLASSES:
        return ()
    return (sentence("note.many_classes", classes=len(plan.classes), most=MOST_CLASSES),)


def _cost(nats: float, shown: Callable[[float], float]) -> float | None:
    return None if math.isnan(nats) else shown(nats)


def _group_report(group: Group, shown: Callable[[float], float]) -> model.GroupReport:
    error = group.found.standard_error
    return model.GroupReport(
        group=group.name,
        pooled=group.pooled,
        rows=group.rows,
        loss=shown(group.found.loss),
        standard_error=None if error is None else shown(error),
        share=group.share,
        difference=None if group.difference is None else shown(group.difference),
        p_value=group.p_value,
        adjusted_p_value=group.adjusted_p_value,
        direction=group.direction,
        infinite=group.infinite,
    )


def entropy_of_weights(weights: list[int]) -> float:
    """Entropy of the shares of a total, nats."""
    total = sum(weights)
    shares = [weight / total for weight in weights if weight > 0]
    return -math.fsum(share * math.log(share) for share in shares) + 0.0


def class_report(plan: Plan, sums: Sums, code: int, base: float | None) -> ClassReport:
    """One class, or one label of several."""
    weight = sums.class_weight.get(code, 0)
    infinite = sums.class_infinite.get(code, 0)
    rows = sums.weight if plan.task == "multilabel" else weight
    frequency = weight / sums.weight
    loss = None
    baseline = None
    if rows:
        loss = math.inf if infinite else sums.class_loss.get(code, 0) / rows
        if plan.task == "multilabel":
            baseline = entropy_of_weights([weight, sums.weight - weight])
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


def worst_row(plan: Plan, row: Worst, base: float | None) -> WorstRow:
    """One of the worst rows."""
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


def losses_by_bin(sums: Sums) -> dict[int, int]:
    """Adding up to the total: what rounding down left out belongs to the lowest bin."""
    losses = dict.fromkeys(sums.bin_rows, 0) | sums.bin_loss
    if losses:
        losses[min(losses)] += sums.loss - sum(losses.values())
    return losses


def worst_share(sums: Sums, losses: dict[int, int], part: Fraction) -> float | None:
    """Share of the loss carried by the worst `part` of the rows (of their weight): whole bins, then part of one."""
    if sums.infinite_rows or not sums.loss:
        return None
    left = sums.weight * part.numerator // part.denominator
    carried = 0
    for key in sorted(sums.bin_weight, reverse=True):
        weight = sums.bin_weight[key]
        if weight > left:
            carried += losses[key] * left // weight
            break
        carried += losses[key]
        left -= weight
    return carried / sums.loss


def histogram(sums: Sums, losses: dict[int, int]) -> tuple[Bin, ...]:
    """The bins of 1/8 bit; the finer ones below are the first."""
    rows: dict[int, int] = {}
    found: dict[int, int] = {}
    for key, loss in losses.items():
        eighth = key // CUT if key > 0 else 0
        rows[eighth] = rows.get(eighth, 0) + sums.bin_rows[key]
        found[eighth] = found.get(eighth, 0) + loss
    return tuple(
        Bin(key / 8.0, math.inf if key == BINS else (key + 1) / 8.0, rows[key], _share(found[key], sums))
        for key in sorted(rows)
    )
