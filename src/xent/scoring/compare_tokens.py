"""`compare_tokens`: two models, with tokenizers of their own, per byte on the same documents."""

import math
from typing import Any

from xent import units
from xent.errors import ShapeError, SourceError
from xent.report.token_report import TokenComparison
from xent.scoring.per_unit import Difference, difference
from xent.scoring.token_costs import sum_tokens
from xent.scoring.token_sums import Document, TokenSums
from xent.scoring.tokens import open_tokens
from xent.sources.token_rows import UNITS
from xent.texts.catalogue import Sentence, sentence

__all__ = ["compare_sums", "compare_tokens"]

BYTE = UNITS.index("byte")


def compare_tokens(
    first: Any,
    second: Any,
    *,
    names: tuple[str, str] | None = None,
    log_probability: str | None = None,
    text: str | None = None,
    byte_count: str | None = None,
    document: str | None = None,
) -> TokenComparison:
    """Compare two logs of the same documents by their bits per byte.

    Args:
        first, second: sources as in `score_tokens`; documents are matched by their names.
        names: of the models, for the report; None takes the file names.
        log_probability, text, byte_count, document: the columns of both, as in `score_tokens`.

    Returns:
        The difference, first − second, its interval and p-value, paired by document.

    Raises:
        ShapeError: no document is in both, or one has different bytes in each.
        SourceError: a log does not tell its documents, or their bytes.
        XentError: as `score_tokens`.

    Source:
        Cochran, "Sampling Techniques" (1977), section 6.4, for the difference of two ratios of the same sample.

    Example:
        >>> from xent.scoring.compare_tokens import compare_tokens
        >>> tables = [{"lp": [-3.0, -2.0, -4.0], "n": [4, 4, 4], "doc": [1, 2, 3]},
        ...           {"lp": [-1.0, -1.0, -3.0, -3.0], "n": [2, 2, 4, 4], "doc": [1, 1, 2, 3]}]
        >>> result = compare_tokens(*tables, log_probability="lp", byte_count="n", document="doc")
        >>> round(result.difference, 4), result.documents
        (0.1202, 3)
    """
    found = []
    for source in (first, second):
        data = open_tokens(source, log_probability=log_probability, text=text, byte_count=byte_count, document=document)
        found.append(sum_tokens(data.batches, top=0))
    return compare_sums(found[0], found[1], names or (_name(first, "the first"), _name(second, "the second")))


def compare_sums(first: TokenSums, second: TokenSums, names: tuple[str, str]) -> TokenComparison:
    """Compare sums over the same documents.

    Raises:
        ShapeError, SourceError: as `compare_tokens`.
    """
    for name, sums in zip(names, (first, second), strict=True):
        _refuse_unknown(name, sums)
    common = sorted(first.documents.keys() & second.documents.keys())
    if not common:
        raise ShapeError(
            f"no document is in both logs: {names[0]} has {_examples(first)}, {names[1]} {_examples(second)}.\n"
            "Both must name their documents alike (doc_id, custom_id, or --cluster NAME)."
        )
    for document in common:
        _refuse_other_text(document, first.documents[document], second.documents[document], names)
    ours, theirs = ([_pair(sums.documents[name]) for name in common] for sums in (first, second))
    sizes = sum(pair[1] for pair in ours), sum(pair[1] for pair in theirs)
    if not all(sizes):
        raise ShapeError("the documents that are in both have no bytes: there is nothing to compare.")
    infinite = tuple(any(sums.documents[name].infinite for name in common) for sums in (first, second))
    found = difference(ours, theirs)
    means = tuple(
        math.inf if endless else _bits(difference(pairs, [(0, 1)] * len(pairs)).mean)
        for endless, pairs in zip(infinite, (ours, theirs), strict=True)
    )
    if any(infinite):
        gap = math.nan if all(infinite) else math.inf if infinite[0] else -math.inf
        found = Difference(gap, None, None, None)
    return TokenComparison(
        first=names[0],
        second=names[1],
        bits_per_byte=(means[0], means[1]),
        difference=None if all(infinite) else _bits(found.mean),
        standard_error=None if found.standard_error is None else _bits(found.standard_error),
        interval=None if found.interval is None else (_bits(found.interval[0]), _bits(found.interval[1])),
        p_value=found.p_value,
        documents=len(common),
        bytes=sizes[0],
        only_in_first=len(first.documents) - len(common),
        only_in_second=len(second.documents) - len(common),
        verdict=_verdict(found, names),
        warnings=_warnings(first, second, common, infinite),
    )


def _pair(document: Document) -> tuple[int, int]:
    return document.nats, document.units[BYTE] + document.infinite_units[BYTE]


def _bits(nats: float) -> float:
    return float(units.from_nats(nats, 2.0))


def _name(source: Any, otherwise: str) -> str:
    if isinstance(source, list | tuple) and len(source) == 1:
        return _name(source[0], otherwise)
    return str(source) if isinstance(source, str) or hasattr(source, "__fspath__") else otherwise


def _examples(sums: TokenSums) -> str:
    shown = sorted(sums.documents)[:3]
    return ", ".join(shown) + (", …" if len(sums.documents) > len(shown) else "")


def _refuse_unknown(name: str, sums: TokenSums) -> None:
    if sums.rest.rows or not sums.documents:
        raise SourceError(f"{name} does not say which document a row is of.\nPass --cluster NAME (document=).")
    unknown = next((key for key, one in sorted(sums.documents.items()) if one.unknown[BYTE]), None)
    if unknown is not None:
        raise SourceError(
            f"{name} does not tell the bytes of document {unknown}, and tokenizers compare only per byte.\n"
            "Pass --text NAME (text=) to count them, or --bytes NAME (byte_count=)."
        )


def _refuse_other_text(document: str, ours: Document, theirs: Document, names: tuple[str, str]) -> None:
    sizes = [_pair(one)[1] + one.unscored_bytes for one in (ours, theirs)]
    if sizes[0] != sizes[1]:
        raise ShapeError(
            f"document {document} has {sizes[0]:,} bytes in {names[0]} but {sizes[1]:,} in {names[1]}, so the texts differ."
            "\nScore both models on the same text."
        )


def _verdict(found: Difference, names: tuple[str, str]) -> Sentence:
    if found.interval is None:
        if math.isinf(found.mean):
            return sentence("token_verdict.infinite", name=names[0] if found.mean < 0 else names[1])
        return sentence("token_verdict.none")
    if found.interval[1] < 0.0:
        return sentence("token_verdict.better", name=names[0])
    if found.interval[0] > 0.0:
        return sentence("token_verdict.better", name=names[1])
    return sentence("token_verdict.open")


def _warnings(
    first: TokenSums, second: TokenSums, common: list[str], infinite: tuple[bool, ...]
) -> tuple[Sentence, ...]:
    pairs = [(first.documents[name], second.documents[name]) for name in common]
    apart = sum(one.unscored_bytes != other.unscored_bytes for one, other in pairs)
    found = []
    if apart:
        found.append(sentence("warning.unscored_lengths", count=apart, documents=len(common)))
    if any(infinite):
        found.append(sentence("warning.infinite_mean"))
    return tuple(found)
