"""The report for a terminal: five to ten lines that say what the number means."""

import math
from typing import Any

from xent import units
from xent.report import breakdown
from xent.report.lines import Line, named, on_one_line, print_lines, shown_in
from xent.report.model import ClassReport, Report, WorstRow
from xent.report.numbers import decimals, exponential, percent
from xent.texts.catalogue import said, sentence, speaker

__all__ = ["METHODS", "print_report", "render"]

MOST_CLASSES = 12  # shown; of more, those that carry most of the loss
NAMES = 15  # columns that the names of the lines take
METHODS = {"t": "method.t", "bootstrap-t": "method.bootstrap", "cluster-robust t": "method.clusters"}  # of intervals


def render(report: Report, width: int = 120, lang: str = "en") -> str:
    """The report as plain text.

    Raises:
        OptionError: `lang` is none of the languages.
    """
    return shown_in(width, lambda console: print_report(report, console, lang))


def print_report(report: Report, console: Any, lang: str = "en") -> None:
    """Print the report on a rich console, in colour where it has any."""
    from rich.cells import cell_len

    width = console.width - NAMES
    lines = _lines(report, lang)
    column = max(cell_len(left) for _, left, _, _ in lines) + 3
    beside = column + max(cell_len(right) for _, _, right, _ in lines) <= width
    joined: list[Line] = []
    for name, left, right, style in lines:
        gap = " " * (column - cell_len(left))
        joined.append((name, left + gap + right if beside else f"{left}\n{right}".rstrip(), style))
    print_lines([*joined, *_remarks(report, lang, width)], console, NAMES)


def _lines(report: Report, lang: str) -> list[tuple[str, str, str, str]]:
    say = speaker(lang)
    other = "bits" if report.unit == "nats" else "nats"
    in_other = units.from_nats(units.to_nats(report.loss, report.unit), units.unit_base(other))
    unit = say(f"unit.{report.unit}")
    about = [say("text.rows", rows=report.rows)]
    if report.interval is not None and math.isfinite(report.loss):
        low, high = map(decimals, report.interval)
        how = "" if report.interval_method == "t" else say("text.by", method=sentence(METHODS[report.interval_method]))
        about.insert(0, say("text.interval", low=low, high=high) + how)
    about += [] if report.weight is None else [say("text.weight", weight=report.weight)]
    about += [] if report.clusters is None else [say("text.clusters", count=report.clusters)]
    predictor = sentence("frequencies.labels" if report.task == "multilabel" else "frequencies.classes")
    typical = exponential(report.typical_probability, report.loss)
    perplexity = exponential(report.perplexity, report.loss)
    return [
        (
            say("text.loss"),
            say("text.loss.about", loss=decimals(report.loss), unit=unit, about=say("clause").join(about)),
            say("text.other", loss=decimals(in_other), unit=say(f"unit.{other}"), typical=typical),
            "",
        ),
        (
            say("text.baseline"),
            say("text.baseline.about", baseline=decimals(report.baseline), unit=unit, predictor=predictor),
            say("text.skill", skill=_skill(report, lang)),
            "",
        ),
        ("", say("text.accuracy", accuracy=percent(report.accuracy), perplexity=perplexity), "", "dim"),
    ]


def _skill(report: Report, lang: str) -> str:
    say = speaker(lang)
    if report.skill is None:
        return say("text.skill.undefined")
    skill = say("percent", value=percent(report.skill)) if math.isfinite(report.skill) else "−∞"
    if report.skill_interval is None:
        return skill
    low, high = map(percent, report.skill_interval)
    return say("text.between", value=skill, low=low, high=high)


def _carried(report: Report, lang: str) -> list[str]:
    least, most = report.share_of_worst_1_percent, report.share_of_worst_10_percent
    if least is None or most is None:
        return []
    say = speaker(lang)
    if report.rows < 100:
        return [say("text.carried.ten", most=percent(most))]
    return [say("text.carried", least=percent(least), most=percent(most))]


def _remarks(report: Report, lang: str, width: int) -> list[Line]:
    say = speaker(lang)
    style = "green" if report.verdict.startswith("better") else "red" if report.skill is not None else ""
    lines = [(say("text.verdict"), said(report.verdict, lang), style)]
    if report.rule_of_thumb is not None:
        lines.append((say("text.rule"), said(report.rule_of_thumb, lang), "dim"))
    if report.finite_loss is not None and report.infinite:
        finite = say("text.finite.about", loss=decimals(report.finite_loss), unit=say(f"unit.{report.unit}"))
        lines.append((say("text.finite"), finite, ""))
    lines += named(say("text.made"), breakdown.made_of(report, lang))
    lines += named(say("text.where"), [*_where(report, lang, width), *_carried(report, lang)])
    lines += named(say("text.groups"), breakdown.groups(report, lang))
    lines += named(say("text.confused"), breakdown.confused(report, lang))
    lines += named(say("text.worst"), _worst(report, lang))
    lines += named(say("text.checks"), [said(report.checks, lang)], "dim")
    lines += [(say("text.warning"), said(warning, lang), "yellow") for warning in report.warnings]
    return lines + named(say("read"), [said(note, lang) for note in report.notes], "dim")


def _where(report: Report, lang: str, width: int) -> list[str]:
    """Classes and their losses, as many on a line as fit."""
    from rich.cells import cell_len

    say = speaker(lang)
    one = "label" if report.task == "multilabel" else "class"
    shown = report.by_class
    if len(shown) > MOST_CLASSES:
        shown = tuple(sorted(shown, key=_weight_of, reverse=True)[:MOST_CLASSES])
    items = [say(f"{one}.loss", name=_spoken(found.label), loss=decimals(found.loss)) for found in shown]
    cell = max(map(cell_len, items)) + 3
    each = max(1, width // cell)
    padded = [item + " " * (cell - cell_len(item)) for item in items]
    lines = ["".join(padded[i : i + each]).rstrip() for i in range(0, len(items), each)]
    if len(report.by_class) > len(shown):
        lines.append(say(f"text.{one}.most", count=len(report.by_class)))
    return lines


def _weight_of(one: ClassReport) -> tuple[float, float]:
    return (one.infinite, one.share or 0.0)


def _worst(report: Report, lang: str) -> list[str]:
    """The worst rows, a line each; the file is named once if it is the same."""
    if not report.worst:
        return []
    say = speaker(lang)
    sources = {row.source for row in report.worst}
    one_source = next(iter(sources)) if len(sources) == 1 else None
    return [
        *(_worst_line(row, report, lang, row.source != one_source) for row in report.worst),
        *([say("text.worst.source", source=one_source)] if one_source else []),
    ]


def _worst_line(row: WorstRow, report: Report, lang: str, with_source: bool) -> str:
    say = speaker(lang)
    place = sentence("row.unknown") if row.index is None else sentence("row", index=row.index)
    if with_source:
        place = sentence("place.of", place=place, source=row.source)
    line = say(
        "text.worst.row",
        place=place,
        label=_spoken(row.label),
        probability=exponential(row.probability, row.loss),
        loss=decimals(row.loss),
        unit=sentence(f"unit.{report.unit}"),
    )
    return line if row.predicted == row.label else line + say("text.worst.predicted", label=_spoken(row.predicted))


def _spoken(label: Any) -> Any:
    if isinstance(label, tuple):
        return tuple(_spoken(one) for one in label) or sentence("none")
    return on_one_line(label)
