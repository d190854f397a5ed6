"""Sums over tokens → report: the cost per unit with its interval, the worst documents, what to look into."""

import math

from xent import units
from xent.errors import ShapeError
from xent.report.token_report import TokenReport, UnitCost, WorstDocument, WorstToken
from xent.scoring import exact
from xent.scoring.means import FEW
from xent.scoring.per_unit import exponential, few, ratio
from xent.scoring.token_sums import Document, TokenSums
from xent.sources.lm_eval import OTHER_FILTERS
from xent.sources.openai_logprobs import EMPTY
from xent.sources.token_rows import UNITS
from xent.texts.catalogue import Sentence, counted, sentence

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
        checks=tuple(
            sentence(name) for name in ("check.nan", "check.logs", *(() if whole.infinite else ("check.finite_cost",)))
        ),
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


def _place(number: int, index: int, word: str) -> Sentence:
    place = sentence(f"place.{word}", number=number)  # a "line", "entry" or "row"
    return sentence("place.token", place=place, index=index) if index >= 0 else place


def _left_out(sums: TokenSums, whole: Document) -> tuple[Sentence, ...]:
    known = {str(reason): reason for reason in (OTHER_FILTERS, EMPTY)}  # sums that were stored have lost their language
    found = [
        sentence("note.left_out", count=count, reason=known.get(reason, reason))
        for reason, count in sorted(sums.left_out.items())
    ]
    if whole.unscored:
        found.append(counted("note.unscored", whole.unscored))
    if not sums.rest.rows and 2 <= len(sums.documents) < FEW:
        found.append(sentence("note.few_documents", count=len(sums.documents)))
    if whole.unknown[BYTE] == whole.rows:
        found.append(sentence("note.no_bytes"))
    return tuple(found)


def _warnings(sums: TokenSums, whole: Document) -> tuple[Sentence, ...]:
    """What a careful reader would look into."""
    found = []
    if whole.infinite:
        found.append(counted("warning.infinite_tokens", whole.infinite, first=_first_infinite(sums)))
    if sums.rest.rows:
        found.append(sentence("warning.no_documents"))
    elif len(sums.documents) == 1:
        found.append(sentence("warning.one_document"))
    lost = {UNITS[unit]: whole.unknown[unit] for unit in (2, BYTE) if 0 < whole.unknown[unit] < whole.rows}
    if lost:
        name = "_or_".join(lost)  # "character", "byte" or both
        found.append(sentence(f"warning.no_text.{name}", count=max(lost.values()), rows=whole.rows))
    return tuple(found)


def _first_infinite(sums: TokenSums) -> Sentence | str:
    """Where the first of them is, in brackets, if it is known."""
    first = next((row for row in sums.worst if math.isinf(row[0])), None)
    if first is None:
        return ""
    place = _place(first[2], first[3], first[4])
    return sentence("first_of", place=place, source=first[1]) if first[1] else sentence("first", place=place)
