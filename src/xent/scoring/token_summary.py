"""Sums over tokens → report: the cost per unit with its interval, the worst documents, what to look into."""

import math

from xent import units
from xent.errors import ShapeError
from xent.report.token_report import TokenReport, UnitCost, WorstDocument, WorstToken
from xent.scoring import exact
from xent.scoring.means import FEW
from xent.scoring.per_unit import exponential, few, ratio
from xent.scoring.token_sums import Document, TokenSums
from xent.sources.token_rows import UNITS

__all__ = ["summarise_tokens"]

ENOUGH = 20  # units below which a document's mean says little
BYTE = UNITS.index("byte")
Interval = tuple[float, float]


def summarise_tokens(sums: TokenSums, notes: tuple[str, ...] = (), warnings: tuple[str, ...] = ()) -> TokenReport:
    """The report of sums.

    Raises:
        ShapeError: there is no row.
    """
    whole = sums.whole()
    if whole.rows == 0:
        raise ShapeError("there are no log-probabilities to report on. Pass at least one token or text.")
    costs = tuple(cost for unit in range(len(UNITS)) if (cost := _unit_cost(sums, whole, unit)) is not None)
    of_bytes = next((cost for cost in costs if cost.unit == "byte"), None)
    return TokenReport(
        bits_per_byte=None if of_bytes is None else of_bytes.bits,
        bits_per_byte_interval=None if of_bytes is None else of_bytes.bits_interval,
        units=costs,
        nats=math.inf if whole.infinite else exact.to_float(whole.nats),
        rows=whole.rows,
        documents=len(sums.documents) if not sums.rest.rows else None,
        infinite=whole.infinite,
        unscored=whole.unscored,
        worst_documents=_worst_documents(sums, [cost.unit for cost in costs]),
        worst_tokens=tuple(
            WorstToken(text, nats, document or None, source or None, _place(number, index, word))
            for nats, source, number, index, word, document, text in sums.worst
        ),
        checks=("no NaN", "log-probabilities are 0 or less", *(() if whole.infinite else ("no infinite cost",))),
        warnings=(*warnings, *_warnings(sums, whole)),
        notes=(*notes, *_left_out(sums, whole)),
    )


def _unit_cost(sums: TokenSums, whole: Document, unit: int) -> UnitCost | None:
    """The cost per unit; None where some row's count is not known, or all are 0."""
    count = whole.units[unit] + whole.infinite_units[unit]
    if whole.unknown[unit] or not count:
        return None
    found = ratio(sums.moments(unit))
    finite = None if found is None else found.mean
    nats = math.inf if whole.infinite or found is None else found.mean
    error = None if found is None else found.standard_error
    interval = None if found is None else found.interval
    if interval is not None and not sums.rest.rows:
        interval = few((one.nats, one.units[unit]) for one in sums.documents.values()) or interval
    if whole.infinite and error is not None:
        error, interval = math.inf, (math.inf, math.inf)
    return UnitCost(
        unit=UNITS[unit],
        count=count,
        nats=nats,
        standard_error=error,
        interval=interval,
        bits=_bits(nats),
        bits_interval=None if interval is None else (_bits(interval[0]), _bits(interval[1])),
        perplexity=exponential(nats),
        perplexity_interval=None if interval is None else (exponential(interval[0]), exponential(interval[1])),
        finite_nats=finite,
    )


def _bits(nats: float) -> float:
    return float(units.from_nats(nats, 2.0))


def _worst_documents(sums: TokenSums, known: list[str]) -> tuple[WorstDocument, ...]:
    """Those that cost most per byte, or per token where bytes are not known."""
    name = "byte" if "byte" in known else "token" if "token" in known else None
    if name is None or len(sums.documents) < 2 or not sums.top:
        return ()
    unit = UNITS.index(name)
    found = []
    for document, one in sums.documents.items():
        count = one.units[unit] + one.infinite_units[unit]
        if count >= ENOUGH:
            nats = math.inf if one.infinite else exact.to_float(one.nats)
            found.append(WorstDocument(document, name, count, nats, nats / count, _bits(nats / count)))
    return tuple(sorted(found, key=lambda one: (-one.nats_per_unit, one.document))[: sums.top])


def _place(number: int, index: int, word: str) -> str:
    return f"{word} {number}" + (f", token {index}" if index >= 0 else "")


def _left_out(sums: TokenSums, whole: Document) -> tuple[str, ...]:
    found = [f"{count:,} {reason} left out" for reason, count in sorted(sums.left_out.items())]
    if whole.unscored:
        tokens = "1 token has" if whole.unscored == 1 else f"{whole.unscored:,} tokens have"
        found.append(f"{tokens} no log-probability (the first of a prompt) and {_is(whole.unscored)} not scored")
    if not sums.rest.rows and 2 <= len(sums.documents) < FEW:
        found.append(f"{len(sums.documents):,} documents are few: intervals are by the studentised bootstrap")
    if whole.unknown[BYTE] == whole.rows:
        found.append("bytes are not known, so nothing is per byte: --text NAME (text=) or --bytes NAME (byte_count=)")
    return tuple(found)


def _is(count: int) -> str:
    return "is" if count == 1 else "are"


def _warnings(sums: TokenSums, whole: Document) -> tuple[str, ...]:
    """What a careful reader would look into."""
    found = []
    if whole.infinite:
        first = next((row for row in sums.worst if math.isinf(row[0])), None)
        where = ""
        if first is not None:
            where = f" (the first: {_place(first[2], first[3], first[4])}" + (f" of {first[1]})" if first[1] else ")")
        rows = "1 row has" if whole.infinite == 1 else f"{whole.infinite:,} rows have"
        found.append(
            f"{rows} a log-probability of −∞{where}, and so is the mean. (−9999 of a token counts as −∞: OpenAI and vLLM "
            "write it where they do not tell a very small probability.)"
        )
    if sums.rest.rows:
        found.append(
            "the rows do not say which document they are of, so the intervals take each as drawn by itself and are too "
            "narrow for running text. Pass --cluster NAME (document=)."
        )
    elif len(sums.documents) == 1:
        found.append("there is one document, so there is no interval: how documents differ cannot be seen.")
    lost = {UNITS[unit]: whole.unknown[unit] for unit in (2, BYTE) if 0 < whole.unknown[unit] < whole.rows}
    if lost:
        names = " or ".join(f"{unit}s" for unit in lost)
        found.append(
            f"{max(lost.values()):,} of {whole.rows:,} rows have no text, or a part of a character, so their {names} cannot "
            f'be counted and no mean per {" or ".join(lost)} is given. Pass --bytes NAME (byte_count=); in CSV write "" '
            "for a token without text."
        )
    return tuple(found)
