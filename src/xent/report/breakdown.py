"""What the loss is made of and where it sits, as lines of text."""

from xent.report.lines import on_one_line
from xent.report.model import GroupReport, Report
from xent.report.numbers import decimals, p_value, percent
from xent.texts.catalogue import Sentence, counted, said, sentence, speaker

__all__ = ["confused", "group_name", "groups", "made_of", "parts"]

MOST_GROUPS = 8
TYPICAL = 0.02  # probability: pairs that get less are not worth a line


def parts(report: Report) -> list[tuple[int, Sentence, float]]:
    """The position, name and size of each rung of the ladder that is a part of the loss."""
    found = [(i, rung.name, rung.part) for i, rung in enumerate(report.ladder or ()) if rung.part is not None]
    second = "temperature" if "class bias" in {name for _, name, _ in found} else "class bias"
    names = {
        "class bias": "part.class_bias",
        "temperature": "part.temperature",
        "both": "part.temperature" if second == "temperature" else "part.class_bias",
        "refinement": "part.beyond",
    }
    return [(i, sentence(names[name]), part) for i, name, part in found]


def made_of(report: Report, lang: str) -> list[str]:
    """The parts that add up to the loss, and the cure."""
    say = speaker(lang)
    lines = [said(report.diagnosis, lang)]
    for rung in (report.ladder or ()) if report.cure else ():
        if rung.name == "both" and rung.loss is not None:
            found = " + ".join(f"{said(name, lang)} {said(decimals(part), lang)}" for _, name, part in parts(report))
            lines.append(f"{decimals(report.loss)} = {found} {say(f'unit.{report.unit}')}")
    if report.label_entropy is not None:
        lines.append(say("text.soft", labels=decimals(report.label_entropy), model=decimals(report.kl)))
    return lines


def groups(report: Report, lang: str) -> list[str]:
    """Groups that differ from the rest, those first that cost most beyond their share."""
    found = report.by_group
    if not found:
        return []
    shown = found if len(found) <= MOST_GROUPS else [g for g in found if g.direction or g.infinite or g.pooled]
    lines = [_group(group, lang) for group in shown[:MOST_GROUPS]]
    left = len(found) - len(lines)
    alike = sum(group.direction is None for group in found)
    if left:
        lines.append(speaker(lang)("text.groups.more", count=len(found), alike=alike))
    return lines


def group_name(group: GroupReport) -> str:
    """A group's name, also of those that have none."""
    if group.pooled:
        return sentence("group.pooled", count=group.pooled)
    return sentence("group.missing") if group.group is None else on_one_line(group.group)


def _group(group: GroupReport, lang: str) -> str:
    say = speaker(lang)
    line = say(
        "text.group",
        name=group_name(group),
        loss=decimals(group.loss),
        rows=counted("rows", group.rows),
        share=percent(group.share),
    )
    if group.direction is None:
        return line + ("" if group.difference is None else say("text.group.alike"))
    by, p = decimals(abs(group.difference or 0.0)), p_value(group.adjusted_p_value)
    return line + say(f"text.group.{group.direction}", by=by, p=p)


def confused(report: Report, lang: str) -> list[str]:
    """Pairs of classes."""
    pairs = [pair for pair in report.confused if pair.typical_probability >= TYPICAL][:3]
    if len(report.classes) <= 2 or not pairs:
        return []
    say = speaker(lang)
    return [
        "  ".join(
            say("text.confused.pair", truth=p.label, taken_for=p.taken_for, given=percent(p.typical_probability))
            for p in pairs
        )
    ]
