"""What the loss is made of and where it sits, as lines of text."""

from xent.report.model import GroupReport, Report
from xent.report.numbers import decimals, p_value, percent

__all__ = ["confused", "groups", "made_of"]

MOST_GROUPS = 8
TYPICAL = 0.02  # probability: pairs that get less are not worth a line


def made_of(report: Report) -> list[str]:
    """The parts that add up to the loss, and the cure."""
    lines = [report.diagnosis]
    for rung in (report.ladder or ()) if report.cure else ():
        if rung.name == "both" and rung.loss is not None:
            parts = {one.name: one.part for one in report.ladder or () if one.part is not None}
            second = "temperature" if "class bias" in parts else "class bias"
            named = {"both": second, "refinement": "beyond recalibration"}
            found = " + ".join(f"{named.get(name, name)} {decimals(part)}" for name, part in parts.items())
            lines.append(f"{decimals(report.loss)} = {found} {report.unit}")
    if report.label_entropy is not None:
        lines.append(
            f"labels are soft: {decimals(report.label_entropy)} of it is theirs, {decimals(report.kl)} the model's"
        )
    return lines


def groups(report: Report) -> list[str]:
    """Groups that differ from the rest, those first that cost most beyond their share."""
    found = report.by_group
    if not found:
        return []
    shown = found if len(found) <= MOST_GROUPS else [g for g in found if g.direction or g.infinite or g.pooled]
    lines = [_group(group) for group in shown[:MOST_GROUPS]]
    left = len(found) - len(lines)
    alike = sum(group.direction is None for group in found)
    if left:
        lines.append(f"({len(found):,} groups; {alike:,} not shown to differ from the rest)")
    return lines


def _group(group: GroupReport) -> str:
    name = (
        f"{group.pooled:,} groups of fewer than 30 rows"
        if group.pooled
        else "(missing)"
        if group.group is None
        else group.group
    )
    line = f"{name}  {decimals(group.loss)}  ({group.rows:,} rows, {percent(group.share)} % of the loss)"
    if group.direction is None:
        return line + ("" if group.difference is None else "  no difference shown")
    return f"{line}  {group.direction} than the rest by {decimals(abs(group.difference or 0.0))} ({p_value(group.adjusted_p_value)})"


def confused(report: Report) -> list[str]:
    """Pairs of classes."""
    pairs = [pair for pair in report.confused if pair.typical_probability >= TYPICAL][:3]
    if len(report.classes) <= 2 or not pairs:
        return []
    found = (f"{p.label} for {p.taken_for} (given {percent(p.typical_probability)} % as a rule)" for p in pairs)
    return ["  ".join(found)]
