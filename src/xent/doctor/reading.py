"""Columns of a batch as numbers, whatever is in them: what is missing or no number becomes NaN, and is counted."""

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from xent.checks.predictions import Place
from xent.doctor.findings import Tally, finding
from xent.report.checkup import Finding
from xent.sources.arrays import numpy_array
from xent.sources.types import is_list, is_numeric, is_text
from xent.texts.catalogue import Sentence, sentence

__all__ = ["Part", "Reader"]

Float64 = NDArray[np.float64]
Int64 = NDArray[np.int64]


class Part(NamedTuple):
    """Some consecutive rows."""

    values: Float64  # (rows, columns), or (rows,) of a single column; NaN for what is no number
    place: Place


class Marks(NamedTuple):
    """Rows of a batch that have something in common, and what the first of them holds."""

    rows: Int64
    detail: str


class Reader:
    """Reads the same columns of batch after batch, and remembers what was wrong with them.

    Args:
        what: the columns are, for the messages: "prediction", "label", "weight".
        names: of the columns; a single one may hold lists.
    """

    def __init__(self, what: str, names: Sequence[str]) -> None:
        self.what, self.names = what, tuple(names)
        self.missing, self.text, self.ragged = Tally(), Tally(), Tally()
        self.type: tuple[str, str] | None = None  # name and type of a column that cannot hold numbers
        self.size: int | None = None  # of lists
        self.as_text: str | None = None  # a column of texts
        self.single_precision = True
        self._missing: list[Marks] = []  # of the batch at hand
        self._texts: list[Marks] = []

    def read(self, data: pa.RecordBatch, place: Place) -> Part:
        """The batch's values."""
        columns = [_plain(data[name]) for name in self.names]
        self._missing, self._texts = [], []
        if len(columns) == 1 and is_list(columns[0].type):
            values = self._lists(columns[0], place)
        else:
            every = np.arange(data.num_rows)
            parts = [self._numbers(column, name, every) for column, name in zip(columns, self.names, strict=True)]
            values = parts[0] if len(parts) == 1 else np.stack(parts, axis=1)
        for tally, marks in ((self.missing, self._missing), (self.text, self._texts)):
            if marks:
                _count(tally, marks, data.num_rows, place)
        return Part(values, place)

    def _lists(self, column: Any, place: Place) -> Float64:
        sizes = numpy_array(pc.fill_null(pc.list_value_length(column), -1)).astype(np.int64)
        self._missing.append(Marks(np.flatnonzero(sizes < 0), sentence("column.named", name=repr(self.names[0]))))
        if self.size is None:
            given = sizes[sizes >= 0]
            self.size = max(int(np.bincount(given).argmax()), 1) if len(given) else 1
        self.ragged.add(
            (sizes >= 0) & (sizes != self.size), place, lambda row: sentence("a_list", size=int(sizes[row]))
        )
        right = sizes == self.size
        flat = _plain(column.filter(pa.array(right)).flatten())
        values = np.full((len(column), self.size), np.nan)
        rows = np.repeat(np.flatnonzero(right), self.size)
        values[right] = self._numbers(flat, self.names[0], rows).reshape(-1, self.size)
        return values[:, 0] if self.size == 1 else values

    def _numbers(self, column: Any, name: str, rows: Int64) -> Float64:
        """The values of a column, which are in these `rows` (values,)."""
        if column.null_count:
            missing = column.is_null().to_numpy(zero_copy_only=False)
            self._missing.append(Marks(rows[missing], sentence("column.named", name=repr(name))))
        if is_text(column.type):
            return self._from_text(column.to_pylist(), name, rows)
        if not is_numeric(column.type):
            if not pa.types.is_null(column.type):
                self.type = (name, str(column.type))
            return np.full(len(column), np.nan)
        self.single_precision &= column.type in (pa.float32(), pa.float16())
        if pa.types.is_boolean(column.type):
            column = column.cast(pa.uint8())
        column = column.cast(pa.float64(), safe=False)
        return numpy_array(pc.fill_null(column, math.nan) if column.null_count else column)

    def _from_text(self, texts: list[str | None], name: str, rows: Int64) -> Float64:
        self.as_text, self.single_precision = name, False
        values = np.array([_number(text) for text in texts], np.float64).reshape(len(texts))
        wrong = np.isnan(values) & np.array([text is not None and not _is_nan(text) for text in texts], np.bool_)
        if wrong.any():
            detail = sentence("cell", value=repr(texts[int(np.argmax(wrong))]), name=repr(name))
            self._texts.append(Marks(rows[wrong], detail))
        return values

    def findings(self, rows: int) -> list[Finding]:
        """What was wrong with the columns themselves."""
        found = []
        if self.type is not None:
            name, kind = self.type
            message = sentence("found.type", name=repr(name), type=kind)
            found.append(finding("serious", f"{self.what}-type", message, sentence("change.type", what=self.what)))
        if self.missing.rows:
            step = sentence(f"change.missing.{self.what}")
            found.append(self._finding(f"missing-{self.what}s", self.missing, rows, f"found.missing.{self.what}", step))
        if self.text.rows:
            step = _text_step(self.text.detail)
            found.append(self._finding(f"text-{self.what}s", self.text, rows, f"found.text.{self.what}", step))
        elif self.as_text is not None:
            message = sentence("found.numbers_as_text", name=repr(self.as_text))
            found.append(finding("serious", f"text-{self.what}s", message, sentence("change.as_numbers"), rows=rows))
        if self.ragged.rows:
            step = sentence("change.ragged_lists")
            found.append(self._finding("ragged-lists", self.ragged, rows, "found.ragged_lists", step))
        return found

    def _finding(self, name: str, tally: Tally, rows: int, what: str, step: Sentence) -> Finding:
        first = sentence("first_with", where=tally.where, detail=tally.detail)
        has = {"rows": rows, "first": first, "size": self.size}
        message = sentence(f"{what}.one" if tally.rows == 1 else what, count=tally.rows, **has)
        return finding("serious", name, message, step, tally)


def _count(tally: Tally, marks: list[Marks], rows: int, place: Place) -> None:
    """Count rows once, however many of their columns are marked; the first is told with its column."""
    marked = np.zeros(rows, np.bool_)
    for mark in marks:
        marked[mark.rows] = True
    tally.add(marked, place, lambda row: next(mark.detail for mark in marks if row in mark.rows))


def _text_step(detail: str) -> Sentence:
    text = detail.split("' in column")[0].strip("'\"")
    if "," in text and not math.isnan(_number(text.replace(",", ".", 1))):
        return sentence("change.decimal_point")
    if text.endswith("%"):
        return sentence("change.no_percents")
    return sentence("change.correct_values")


def _number(text: str | None) -> float:
    try:
        return float("nan" if text is None or "_" in text else text)
    except ValueError:
        return math.nan


def _is_nan(text: str) -> bool:
    return text.strip().lower().lstrip("+-") == "nan"


def _plain(column: Any) -> Any:
    if isinstance(column, pa.ExtensionArray):
        return _plain(column.storage)
    return column.dictionary_decode() if pa.types.is_dictionary(column.type) else column
