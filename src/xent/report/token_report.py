"""What a language model's log-probabilities cost, per token, word, character and byte: the report and its text."""

import io
import math
from dataclasses import dataclass
from typing import Any

from xent.report import json
from xent.report.numbers import decimals

__all__ = ["TokenComparison", "TokenReport", "UnitCost", "WorstDocument", "WorstToken", "print_token_report"]

NAMES = 15  # columns that the names of the lines take


@dataclass(frozen=True)
class UnitCost:
    """The mean cost of a token, word, character or byte: all nats over all units."""

    unit: str  # "token", "word", "character" or "byte"
    count: int  # of all rows
    nats: float  # inf if a row's cost is
    standard_error: float | None  # of the nats, over documents; None for a single one
    interval: tuple[float, float] | None  # of the nats, 95 %
    bits: float
    bits_interval: tuple[float, float] | None
    perplexity: float  # e^nats; inf where that is above the largest float64
    perplexity_interval: tuple[float, float] | None
    finite_nats: float | None  # of the rows of finite cost


@dataclass(frozen=True)
class WorstDocument:
    """One of the documents that cost most per unit, among those of at least 20 units."""

    document: str
    unit: str
    count: int
    nats: float  # all of it
    nats_per_unit: float
    bits_per_unit: float


@dataclass(frozen=True)
class WorstToken:
    """One of the tokens that cost most."""

    text: str  # its first 40 characters; "" if the source has none
    nats: float
    document: str | None
    source: str | None
    place: str  # "line 3, token 17" or "row 8"


@dataclass(frozen=True)
class TokenReport:
    """What cross-entropy says about a language model's log-probabilities."""

    bits_per_byte: float | None  # None if the bytes are not known
    bits_per_byte_interval: tuple[float, float] | None
    units: tuple[UnitCost, ...]  # those that could be counted
    nats: float  # total
    rows: int  # tokens, or texts where only their sum is known
    documents: int | None  # None if the rows do not know theirs
    infinite: int  # rows of infinite cost
    unscored: int  # tokens that the log gives no log-probability for, such as the first of a prompt
    worst_documents: tuple[WorstDocument, ...]
    worst_tokens: tuple[WorstToken, ...]
    checks: tuple[str, ...]
    warnings: tuple[str, ...]
    notes: tuple[str, ...]  # how the input was read

    @property
    def headline(self) -> tuple[str, float]:
        """The number shown first, and what it is of: bits per byte, nats per token, or all nats."""
        units = {one.unit: one for one in self.units}
        if "byte" in units:
            return "bits per byte", units["byte"].bits
        return (f"nats per {self.units[0].unit}", self.units[0].nats) if self.units else ("nats in all", self.nats)

    def __str__(self) -> str:
        """The report as the command prints it, without colours."""
        return _plain(_report_lines(self))

    def json(self) -> str:
        """The report as JSON: keys are the attribute names, infinity is "inf", undefined is null."""
        return json.render(self)


@dataclass(frozen=True)
class TokenComparison:
    """Two models on the same documents, per byte; a difference below 0 says that the first is better."""

    first: str  # names of the logs
    second: str
    bits_per_byte: tuple[float, float]  # of the first and the second
    difference: float | None  # first − second, bits per byte; None if both are infinite
    standard_error: float | None  # None for a single document
    interval: tuple[float, float] | None  # 95 %, paired by document
    p_value: float | None  # of no difference, two-sided
    documents: int  # in both
    bytes: int  # of the first model's scored tokens in them
    only_in_first: int  # documents left out
    only_in_second: int
    verdict: str
    warnings: tuple[str, ...]

    def __str__(self) -> str:
        """The comparison as the command prints it, without colours."""
        return _plain(_comparison_lines(self))

    def json(self) -> str:
        """The comparison as JSON."""
        return json.render(self)


def print_token_report(report: TokenReport | TokenComparison, console: Any) -> None:
    """Print a report or a comparison on a rich console."""
    lines = _report_lines(report) if isinstance(report, TokenReport) else _comparison_lines(report)
    _print(lines, console)


def _plain(lines: list[tuple[str, str, str]]) -> str:
    from rich.console import Console

    buffer = io.StringIO()
    _print(lines, Console(file=buffer, width=120, color_system=None, legacy_windows=False))
    return "\n".join(line.rstrip() for line in buffer.getvalue().splitlines())


def _print(lines: list[tuple[str, str, str]], console: Any) -> None:
    from rich.table import Table
    from rich.text import Text

    grid = Table.grid(padding=(0, 2))
    grid.add_column(style="bold", no_wrap=True, min_width=NAMES - 2)
    grid.add_column()
    for name, line, style in lines:
        grid.add_row(name, Text(line, style))
    console.print(grid)


def _report_lines(report: TokenReport) -> list[tuple[str, str, str]]:
    lines = [("cross-entropy", _headline(report), "")]
    lines += [(f"per {one.unit}", _unit_line(one), "") for one in report.units]
    if report.infinite:
        finite = [
            f"{decimals(one.finite_nats)} nats per {one.unit}" for one in report.units if one.finite_nats is not None
        ]
        lines.append(("finite rows", f"{', '.join(finite) or 'none'}: the mean of the others", ""))
    lines += _named("worst", [_document_line(one) for one in report.worst_documents], "")
    lines += _named("worst tokens", [_token_line(one, report) for one in report.worst_tokens], "")
    lines += _named("checks", [", ".join(report.checks)], "dim")
    lines += [("warning", text, "yellow") for text in report.warnings]
    return [*lines, ("read", "; ".join(report.notes), "dim")]


def _headline(report: TokenReport) -> str:
    units = {one.unit: one for one in report.units}
    best = units.get("byte") or next(iter(report.units), None)
    documents = [] if report.documents is None else [_counted(report.documents, "document")]
    name, value = report.headline
    if best is None:
        return f"{decimals(value)} {name}  ({', '.join([*documents, _counted(report.rows, 'row')])})"
    interval = best.bits_interval if best.unit == "byte" else best.interval
    spoken = [f"95% interval {_between(interval)}"] if interval is not None and math.isfinite(value) else []
    counts = ", ".join([*spoken, *documents, _counted(best.count, best.unit)])
    return f"{decimals(value)} {name}  ({counts})"


def _unit_line(one: UnitCost) -> str:
    finite = math.isfinite(one.nats)
    nats = f" ({_between(one.interval)})" if one.interval is not None and finite else ""
    perplexity = f" ({_between(one.perplexity_interval)})" if one.perplexity_interval is not None and finite else ""
    return (
        f"{decimals(one.nats)} nats{nats}, {decimals(one.bits)} bits; perplexity {_perplexity(one.perplexity)}"
        f"{perplexity}; {_counted(one.count, one.unit)}"
    )


def _document_line(one: WorstDocument) -> str:
    per = f"{decimals(one.bits_per_unit)} bits" if one.unit == "byte" else f"{decimals(one.nats_per_unit)} nats"
    return f"document {_spoken(one.document)}  {per} per {one.unit}  {_counted(one.count, one.unit)}"


def _token_line(one: WorstToken, report: TokenReport) -> str:
    text = repr(one.text).replace("\\\\", "\\") + "  " if one.text else ""
    document = "" if one.document is None else f"  document {_spoken(one.document)}"
    sources = {other.source for other in report.worst_tokens}
    source = f" of {one.source}" if one.source is not None and len(sources) > 1 else ""
    return f"{text}{decimals(one.nats)} nats  {one.place}{source}{document}"


def _comparison_lines(one: TokenComparison) -> list[tuple[str, str, str]]:
    spoken = f"  (95% interval {_between(one.interval)}, p = {decimals(one.p_value)})" if one.interval else ""
    style = "" if one.interval is None or one.interval[0] <= 0.0 <= one.interval[1] else "green"
    left = [
        f"{_counted(count, 'document')} only in {name}"
        for count, name in ((one.only_in_first, one.first), (one.only_in_second, one.second))
        if count
    ]
    return [
        ("first", f"{decimals(one.bits_per_byte[0])} bits per byte  {one.first}", ""),
        ("second", f"{decimals(one.bits_per_byte[1])} bits per byte  {one.second}", ""),
        ("difference", f"{decimals(one.difference)} bits per byte{spoken}", ""),
        ("verdict", one.verdict, style),
        ("read", f"{_counted(one.documents, 'document')} in both, {_counted(one.bytes, 'byte')}", "dim"),
        *(("left out", text, "yellow") for text in left),
        *(("warning", text, "yellow") for text in one.warnings),
    ]


def _named(name: str, lines: list[str], style: str) -> list[tuple[str, str, str]]:
    return [("" if i else name, line, style) for i, line in enumerate(lines)]


def _between(interval: tuple[float, float] | None) -> str:
    return "–" if interval is None else f"{_perplexity(interval[0])} – {_perplexity(interval[1])}"


def _perplexity(value: float) -> str:
    return "inf" if math.isinf(value) and value > 0 else decimals(value)


def _counted(count: int, what: str) -> str:
    return f"{count:,} {what}" + ("" if count == 1 else "s")


def _spoken(name: str) -> str:
    text = " ".join(name.split()) or repr(name)
    return text if len(text) <= 40 else f"{text[:39]}…"
