"""Rows of token logs: the log-probability of a token or a text, and what it consists of."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

__all__ = ["UNITS", "UNKNOWN", "TokenBatch", "TokenRow", "Unscored", "batched"]

UNITS = ("token", "word", "character", "byte")
UNKNOWN = -1  # a count that the log does not tell
BATCH_ROWS = 1 << 14


class TokenRow(NamedTuple):
    """A token, or a text of which only the sum over its tokens is known."""

    number: int  # of the line it is in, from 1
    position: int  # of the token in its document, from 0; -1 for a text
    document: str
    log_probability: float | None  # nats, ≤ 0; None for a token that was not scored
    counts: tuple[int, ...]  # by UNITS; -1 where unknown
    text: str


class Unscored(NamedTuple):
    """A document's tokens without a log-probability, such as the first of an echoed prompt."""

    document: str
    tokens: int
    bytes: int


class TokenBatch(NamedTuple):
    """Some rows of one source."""

    source: str  # the file's name; "" for a table in memory
    word: str  # what `numbers` count: "line", "response" or "row"
    numbers: NDArray[np.int64]  # (rows,)
    positions: NDArray[np.int64]  # (rows,) of the token in its document; -1 if not known
    documents: pa.StringArray | None  # (rows,)
    log_probabilities: NDArray[np.float64]  # (rows,) nats, as they are in the source: not yet checked
    counts: NDArray[np.int64]  # (rows, 4) by UNITS; -1 where unknown
    texts: Any  # (rows,) list or Arrow array of text, for the worst tokens; None if there is none
    unscored: tuple[Unscored, ...] = ()
    left_out: Mapping[str, int] = {}  # what else was in the source, by what it is


def batched(source: str, word: str, rows: Iterable[TokenRow], left_out: Counter[str]) -> Iterator[TokenBatch]:
    """Gather rows into batches; `left_out` is complete with the last of them."""
    gathered: list[TokenRow] = []
    for row in rows:
        gathered.append(row)
        if len(gathered) == BATCH_ROWS:
            yield _batch(source, word, gathered, {})
            gathered = []
    yield _batch(source, word, gathered, dict(left_out))


def _batch(source: str, word: str, rows: list[TokenRow], left_out: Mapping[str, int]) -> TokenBatch:
    scored = [row for row in rows if row.log_probability is not None]
    return TokenBatch(
        source,
        word,
        np.array([row.number for row in scored], np.int64),
        np.array([row.position for row in scored], np.int64),
        pa.array([row.document for row in scored], pa.string()),
        np.array([row.log_probability for row in scored], np.float64),
        np.array([row.counts for row in scored], np.int64).reshape(len(scored), len(UNITS)),
        [row.text for row in scored],
        tuple(Unscored(row.document, 1, row.counts[3]) for row in rows if row.log_probability is None),
        left_out,
    )
