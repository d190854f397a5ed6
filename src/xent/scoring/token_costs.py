"""Batches of tokens → their sums: costs checked, added by document, the worst of them kept."""

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from xent.errors import ProbabilityError
from xent.scoring import exact
from xent.scoring.token_sums import Document, Loose, TokenSums, WorstCost, merge_worst_costs
from xent.sources.arrays import numpy_array
from xent.sources.token_rows import UNITS, TokenBatch

__all__ = ["sum_tokens"]

ROUNDING = 1e-6  # a log-softmax in float32 may come out this far above 0
NO_COST = 1e100  # a cost from here on stands for −∞, such as that of the least float64
# OpenAI's API reference: "-9999.0 is used to signify that the token is very unlikely", so its probability is not known;
# vLLM writes it for −∞, which JSON has no number for.
VERY_UNLIKELY = -9999.0
SHOWN = 40  # characters of a worst token


def sum_tokens(batches: Iterable[TokenBatch], top: int = 5) -> TokenSums:
    """The sums over batches.

    Raises:
        ProbabilityError: a log-probability is NaN or above 0.
    """

    def parts() -> Iterator[TokenSums]:
        yield TokenSums(top=top)
        for batch in batches:
            yield _sums_of(batch, top)

    return TokenSums.gather(parts())


def _sums_of(batch: TokenBatch, top: int) -> TokenSums:
    nats = _costs(batch)
    if batch.documents is None:
        names, codes = [""], np.zeros(len(nats), np.int64)
    else:
        encoded = batch.documents.dictionary_encode()
        names, codes = encoded.dictionary.to_pylist(), numpy_array(encoded.indices).astype(np.int64)
    documents = dict(zip(names, _by_document(batch, nats, codes, len(names)), strict=True))
    rest, loose = Document(), Loose()
    if batch.documents is None:
        rest, loose = documents.pop(""), _loose(nats, batch.counts)
    for name, tokens, size in batch.unscored:
        more = Document(unscored=tokens, unscored_bytes=max(size, 0))
        documents[name] = documents.get(name, Document()).plus(more)
    return TokenSums(documents, rest, loose, dict(batch.left_out), _worst(batch, nats, top), top)


def _costs(batch: TokenBatch) -> NDArray[np.float64]:
    """Nats of each row (rows,), ≥ 0; inf where the log-probability is −∞ or stands for it."""
    values = batch.log_probabilities
    wrong = ~(values <= ROUNDING)
    if wrong.any():
        row = int(np.argmax(wrong))
        hint = "Correct it, or remove that line."
        if not np.isnan(values[row]) and wrong.mean() > 0.5:
            hint = "These look like losses (−log p): pass their negatives."
        raise ProbabilityError(
            f"{_place(batch, row)} has the log-probability {values[row]:g}, but it must be 0 or less "
            f"({int(wrong.sum()):,} of {len(values):,} read with it are not).\n{hint}"
        )
    nats = np.maximum(-values, 0.0)
    untold = (values == VERY_UNLIKELY) & (batch.counts[:, 0] == 1)
    return np.where((nats >= NO_COST) | untold, np.inf, nats)


def _by_document(
    batch: TokenBatch, nats: NDArray[np.float64], codes: NDArray[np.int64], documents: int
) -> list[Document]:
    infinite = np.isinf(nats)
    sums = exact.grouped_sums(nats[~infinite], codes[~infinite])
    rows = np.bincount(codes, minlength=documents).tolist()
    costly = np.bincount(codes[infinite], minlength=documents).tolist()
    unknown = batch.counts < 0
    known = np.where(unknown, 0, batch.counts)

    def grouped(values: NDArray[Any]) -> list[tuple[int, ...]]:
        totals = np.zeros((documents, len(UNITS)), np.int64)
        np.add.at(totals, codes, values)
        return [tuple(row) for row in totals.tolist()]

    units = grouped(np.where(infinite[:, None], 0, known))
    of_infinite, missing = grouped(np.where(infinite[:, None], known, 0)), grouped(unknown)
    return [
        Document(rows[i], costly[i], sums.get(i, 0), units[i], of_infinite[i], missing[i]) for i in range(documents)
    ]


def _loose(nats: NDArray[np.float64], counts: NDArray[np.int64]) -> Loose:
    """What the variance over rows needs; the squares are those of float64, rounded once each."""
    finite = np.isfinite(nats)
    nats, counts = nats[finite], np.maximum(counts[finite], 0)
    products, squares = [], []
    for column in counts.T:
        sizes, groups = np.unique(column, return_inverse=True)
        sums = exact.grouped_sums(nats, groups.astype(np.int64))
        products.append(sum(int(sizes[group]) * units for group, units in sums.items()))
        many = np.bincount(groups, minlength=len(sizes)).tolist()
        squares.append(sum(int(size) ** 2 * rows for size, rows in zip(sizes.tolist(), many, strict=True)))
    return Loose(exact.total(nats * nats), tuple(products), tuple(squares))


def _worst(batch: TokenBatch, nats: NDArray[np.float64], top: int) -> tuple[WorstCost, ...]:
    """Rows of one token (or of infinite cost) that cost most; all that equal the last of them are candidates."""
    single = np.flatnonzero(((batch.counts[:, 0] == 1) & (nats > 0.0)) | np.isinf(nats))
    if len(single) > top > 0:
        least = np.partition(nats[single], len(single) - top)[len(single) - top]
        single = single[nats[single] >= least]
    found = tuple((float(nats[row]), *_named(batch, int(row))) for row in (single if top else ()))
    return merge_worst_costs(found, top)


def _named(batch: TokenBatch, row: int) -> tuple[str, int, int, str, str, str]:
    document = "" if batch.documents is None else batch.documents[row].as_py()
    return batch.source, int(batch.numbers[row]), int(batch.positions[row]), batch.word, document, _shown(batch, row)


def _shown(batch: TokenBatch, row: int) -> str:
    if batch.texts is None:
        return ""
    text = batch.texts[row]
    text = text.as_py() or "" if isinstance(text, pa.Scalar) else text
    return str(text)[:SHOWN].encode("utf-8", "replace").decode()


def _place(batch: TokenBatch, row: int) -> str:
    source, number, index, word, _, text = _named(batch, row)
    token = f", token {index}" if index >= 0 else ""
    start = source or "the table"
    counted = " (counted from 0)" if word == "row" else ""
    return f"{start}, {word} {number}{token}{counted}" + (f" ({text!r})" if text else "")
