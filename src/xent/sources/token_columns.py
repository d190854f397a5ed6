"""Log-probabilities of tokens in a column of any table."""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from xent.errors import SourceError
from xent.sources.arrays import first_null
from xent.sources.blocks import prediction_block
from xent.sources.failures import place
from xent.sources.names import find_column
from xent.sources.table import Batch, Table
from xent.sources.text_counts import column_counts, looks_like_vocabulary
from xent.sources.token_rows import UNKNOWN, TokenBatch
from xent.sources.types import is_numeric

__all__ = ["TokenColumns", "choose_token_columns", "read_token_columns"]


class TokenColumns(NamedTuple):
    """The columns of a table of tokens, by their part."""

    log_probability: str
    text: str | None
    byte_count: str | None
    token_count: str | None
    document: str | None


class Before(NamedTuple):
    """The last text of a source so far that is not empty, and its document: one row each."""

    source: str | None
    text: Any = None
    document: Any = None


def choose_token_columns(
    schema: pa.Schema,
    log_probability: str,
    text: str | None = None,
    byte_count: str | None = None,
    token_count: str | None = None,
    document: str | None = None,
) -> TokenColumns:
    """Find the columns by name.

    Raises:
        SourceError: one is not there, is no number where it must be one, or has two parts.
    """
    flags = {
        "--log-probability NAME (log_probability=)": log_probability,
        "--text NAME (text=)": text,
        "--bytes NAME (byte_count=)": byte_count,
        "--tokens NAME (token_count=)": token_count,
        "--cluster NAME (document=)": document,
    }
    found = [None if name is None else find_column(schema, name, flag) for flag, name in flags.items()]
    chosen = TokenColumns(*found)  # type: ignore[arg-type]
    for flag, name in zip(flags, found, strict=True):
        if name is not None and flag.startswith(("--log", "--bytes", "--tokens")):
            kind = schema.field(name).type
            if not is_numeric(kind):
                raise SourceError(f"column {name!r} is of type {kind}, but must be numbers.\nPass another {flag}.")
        twice = [other.split()[0] for other, column in zip(flags, found, strict=True) if name == column is not None]
        if len(twice) > 1:
            raise SourceError(f"column {name!r} is given as {' and '.join(twice)}.\nPass a column for each.")
    return chosen


def read_token_columns(
    table: Table, columns: TokenColumns, progress: Callable[[int], None] | None = None
) -> Iterator[TokenBatch]:
    """Read the rows, a batch at a time.

    Words are counted in the order of the rows: those of a document belong one after another, in the order of its text.

    Raises:
        SourceError: a value is missing, or a count is no whole number; names the file and the row.
    """
    before = Before(None)
    for batch in table.batches(list(dict.fromkeys(name for name in columns if name is not None))):
        rows = batch.data.num_rows
        documents = _text(batch, columns.document)
        texts = _text(batch, columns.text, required=False)
        counts = np.full((rows, 4), UNKNOWN, np.int64)
        counts[:, 0] = 1 if columns.token_count is None else _whole(batch, columns.token_count)
        if texts is not None:
            if columns.token_count is None and looks_like_vocabulary(texts.drop_null()):
                raise SourceError(
                    f"column {columns.text!r} has entries of a vocabulary (with Ġ or ▁ for a space), so its bytes are "
                    "not those of the text.\nWrite decoded tokens, or leave --text out and pass --bytes."
                )
            before = before if before.source == batch.source else Before(batch.source)
            counts[:, 1:], before = _counted(texts, documents, before)
        if columns.byte_count is not None:
            counts[:, 3] = _whole(batch, columns.byte_count)
        numbers = np.arange(batch.first_row, batch.first_row + rows)
        yield TokenBatch(
            batch.source or "",
            "row",
            numbers,
            np.full(rows, -1, np.int64),
            documents,
            _floats(batch, columns.log_probability),
            counts,
            texts,
        )
        if progress is not None:
            progress(rows)


def _counted(texts: pa.Array, documents: pa.Array | None, before: Before) -> tuple[NDArray[np.int64], Before]:
    """Counts of a batch (rows, 3), whose first row may continue the word of the last text before it."""
    rows, unknown = len(texts), _mask(pc.is_null(texts))
    texts = pc.fill_null(texts, "")
    if before.text is not None:
        texts = pa.concat_arrays([before.text, texts])
        documents = None if documents is None else pa.concat_arrays([before.document, documents])
    counts = column_counts(texts, documents)
    filled = np.flatnonzero(counts[:, 2])
    if filled.size:
        last = slice(filled[-1], filled[-1] + 1)
        before = Before(before.source, texts[last], None if documents is None else documents[last])
    counts = counts[-rows:]
    counts[unknown] = UNKNOWN
    return counts, before


def _mask(column: pa.Array) -> NDArray[np.bool_]:
    return np.asarray(column.to_numpy(zero_copy_only=False), np.bool_)


def _text(batch: Batch, name: str | None, *, required: bool = True) -> pa.Array | None:
    if name is None:
        return None
    column = batch.data[name]
    if required and column.null_count:
        row = first_null(column)
        where = place(batch.source, batch.first_row + row, name)
        raise SourceError(f"{where} is missing (null or empty).\nFill it in or remove the row; xent does not guess.")
    column = column.dictionary_decode() if pa.types.is_dictionary(column.type) else column
    return pc.cast(column, pa.string())


def _floats(batch: Batch, name: str) -> NDArray[np.float64]:
    block: NDArray[Any] = prediction_block(batch.data, name, source=batch.source, first_row=batch.first_row)
    return block.astype(np.float64, copy=False)


def _whole(batch: Batch, name: str) -> NDArray[np.int64]:
    values = _floats(batch, name)
    wrong = ~((values >= 0) & (values == np.floor(values)) & (values < 2.0**53))
    if wrong.any():
        row = int(np.argmax(wrong))
        where = place(batch.source, batch.first_row + row, name)
        raise SourceError(f"{where} is {values[row]:g}, but a count is a whole number, 0 or more.\nCorrect the row.")
    return values.astype(np.int64)
