"""The costs of tokens for a terminal: a report, or two models on the same documents."""

import math
from typing import TYPE_CHECKING, Any

from xent.report.lines import Line, named, on_one_line, print_lines, shown_in
from xent.report.numbers import decimals
from xent.texts.catalogue import Say, Sentence, counted, said, sentence, speaker

if TYPE_CHECKING:
    from xent.report.token_report import TokenComparison, TokenReport, UnitCost, WorstDocument, WorstToken

__all__ = ["headline", "print_token_comparison", "print_token_report", "render", "render_comparison"]

NAMES = 15  # columns that the names of the lines take
WIDTH = 120


def render(report: "TokenReport", lang: str = "en") -> str:
    """A report as plain text.

    Raises:
        OptionError: `lang` is none of the languages.
    """
    return shown_in(WIDTH, lambda console: print_token_report(report, console, lang))


def print_token_report(report: "TokenReport", console: Any, lang: str = "en") -> None:
    """Print a report on a rich console."""
    print_lines(_report_lines(report, lang), console, NAMES)


def render_comparison(comparison: "TokenComparison", lang: str = "en") -> str:
    """A comparison as plain text.

    Raises:
        OptionError: `lang` is none of the languages.
    """
    return shown_in(WIDTH, lambda console: print_token_comparison(comparison, console, lang))


def print_token_comparison(comparison: "TokenComparison", console: Any, lang: str = "en") -> None:
    """Print a comparison on a rich console."""
    print_lines(_comparison_lines(comparison, lang), console, NAMES)


def headline(report: "TokenReport", shown: str) -> Sentence:
    """The number shown first, written as `shown`, and what it is of."""
    name, _ = report.headline  # such as "nats per token"
    return sentence(f"cost.{name.replace(' ', '_')}", value=shown)


def _report_lines(report: "TokenReport", lang: str) -> list[Line]:
    say = speaker(lang)
    lines = [(say("text.loss"), _headline(report, say), "")]
    lines += [(say(f"per.{one.unit}"), _unit_line(one, say), "") for one in report.units]
    if report.infinite:
        known = [one for one in report.units if one.finite_nats is not None]
        means = tuple(sentence(f"cost.nats_per_{one.unit}", value=decimals(one.finite_nats)) for one in known)
        lines.append((say("text.finite"), say("cost.finite", means=means or sentence("none")), ""))
    lines += named(say("text.worst.short"), [_document_line(one, say) for one in report.worst_documents])
    lines += named(say("tokens.worst"), [_token_line(one, report, say) for one in report.worst_tokens])
    lines += named(say("text.checks"), [said(report.checks, lang)], "dim")
    lines += [(say("text.warning"), said(warning, lang), "yellow") for warning in report.warnings]
    return [*lines, (say("read"), "; ".join(said(note, lang) for note in report.notes), "dim")]


def _headline(report: "TokenReport", say: Say) -> str:
    units = {one.unit: one for one in report.units}
    best = units.get("byte") or next(iter(report.units), None)
    about = [] if report.documents is None else [counted("count.document", report.documents)]
    value = report.headline[1]
    if best is None:
        about.append(counted("rows", report.rows))
    else:
        about.append(counted(f"count.{best.unit}", best.count))
        interval = best.bits_interval if best.unit == "byte" else best.interval
        if interval is not None and math.isfinite(value):
            about.insert(0, sentence("text.interval.of", interval=_between(interval)))
    return say("cost.about", cost=headline(report, decimals(value)), about=tuple(about))


def _unit_line(one: "UnitCost", say: Say) -> str:
    finite = math.isfinite(one.nats)
    ranges = [
        sentence("in_brackets", text=_between(interval)) if interval is not None and finite else ""
        for interval in (one.interval, one.perplexity_interval)
    ]
    return say(
        "tokens.unit",
        nats=decimals(one.nats),
        nats_range=ranges[0],
        bits=decimals(one.bits),
        perplexity=_perplexity(one.perplexity),
        perplexity_range=ranges[1],
        count=counted(f"count.{one.unit}", one.count),
    )


def _document_line(one: "WorstDocument", say: Say) -> str:
    if one.unit == "byte":
        cost = sentence("cost.bits_per_byte", value=decimals(one.bits_per_unit))
    else:
        cost = sentence(f"cost.nats_per_{one.unit}", value=decimals(one.nats_per_unit))
    return say("tokens.document", name=_spoken(one.document), cost=cost, count=counted(f"count.{one.unit}", one.count))


def _token_line(one: "WorstToken", report: "TokenReport", say: Say) -> str:
    text = repr(one.text).replace("\\\\", "\\") + "  " if one.text else ""
    sources = {other.source for other in report.worst_tokens}
    several = one.source is not None and len(sources) > 1
    place = sentence("place.of", place=one.place, source=one.source) if several else one.place
    document = "" if one.document is None else sentence("tokens.of_document", name=_spoken(one.document))
    return say("tokens.token", text=text, nats=decimals(one.nats), place=place, document=document)


def _comparison_lines(one: "TokenComparison", lang: str) -> list[Line]:
    say = speaker(lang)
    style = "" if one.interval is None or one.interval[0] <= 0.0 <= one.interval[1] else "green"
    first, second = (sentence("cost.bits_per_byte", value=decimals(value)) for value in one.bits_per_byte)
    gap = say("cost.bits_per_byte", value=decimals(one.difference))
    if one.interval:
        gap += say("tokens.tested", interval=_between(one.interval), p=decimals(one.p_value))
    left = [
        say("tokens.only_in", documents=counted("count.document", count), name=name)
        for count, name in ((one.only_in_first, one.first), (one.only_in_second, one.second))
        if count
    ]
    documents, size = counted("count.document", one.documents), counted("count.byte", one.bytes)
    return [
        (say("tokens.first"), say("tokens.model", cost=first, name=one.first), ""),
        (say("tokens.second"), say("tokens.model", cost=second, name=one.second), ""),
        (say("tokens.difference"), gap, ""),
        (say("text.verdict"), said(one.verdict, lang), style),
        (say("read"), say("tokens.read", documents=documents, bytes=size), "dim"),
        *((say("tokens.left_out"), text, "yellow") for text in left),
        *((say("text.warning"), said(warning, lang), "yellow") for warning in one.warnings),
    ]


def _between(interval: tuple[float, float]) -> str:
    return f"{_perplexity(interval[0])} – {_perplexity(interval[1])}"


def _perplexity(value: float) -> str:
    return "inf" if math.isinf(value) and value > 0 else decimals(value)


def _spoken(name: str) -> str:
    text = on_one_line(name)
    return text if len(text) <= 40 else f"{text[:39]}…"
