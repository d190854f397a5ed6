"""The labels that occur, and which of them name a prediction column."""

import difflib
import math
from collections.abc import Sequence
from decimal import Decimal
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from xent.checks.predictions import Place
from xent.doctor.findings import Tally, finding, from_error, spoken
from xent.errors import LabelError, XentError
from xent.report.checkup import Finding
from xent.scoring.classes import Resolved, resolve
from xent.scoring.labels import Vocabulary, as_number, in_order, kind_of
from xent.scoring.plan import Label
from xent.sources.arrays import numpy_array
from xent.texts.catalogue import Sentence, counted, sentence

__all__ = ["NOTHING", "LabelBook", "Matched", "label_findings", "match"]

MOST_LABELS = 1 << 16
MISSING = {"", "na", "n/a", "nan", "null", "none", "missing", "unknown", "?", "-"}


class LabelBook:
    """Every label that occurs, numbered as it comes: memory grows with the labels, up to 65,536 of them."""

    def __init__(self) -> None:
        self.codes_of: dict[Any, int] = {}
        self.counts = np.zeros(0, np.int64)
        self.first: list[tuple[str, int]] = []  # file and row of each label
        self.missing, self.more = Tally(), Tally()
        self.type: pa.DataType | None = None

    def add(self, column: Any, place: Place) -> NDArray[np.int64]:
        """The number of each label (rows,); −1 where it is missing or beyond the 65,536.

        Raises:
            LabelError: the column is of a type that is no label.
        """
        if isinstance(column, pa.ExtensionArray):
            column = column.storage
        plain = column.dictionary_decode() if pa.types.is_dictionary(column.type) else column
        if pa.types.is_null(plain.type):
            plain = plain.cast(pa.string())
        kind_of(plain)
        self.type = plain.type
        encoded = pc.dictionary_encode(plain.cast(pa.string()) if pa.types.is_string_view(plain.type) else plain)
        at = numpy_array(pc.fill_null(encoded.indices, len(encoded.dictionary))).astype(np.int64)
        numbers = self._numbers(encoded.dictionary.to_pylist(), at, place)
        codes: NDArray[np.int64] = numbers[at]
        self.missing.add(codes == -1, place)
        self.more.add(codes == -2, place)
        self.counts = np.pad(self.counts, (0, len(self.codes_of) - len(self.counts)))
        self.counts += np.bincount(codes[codes >= 0], minlength=len(self.counts))
        return np.maximum(codes, -1)

    def _numbers(self, values: list[Any], at: NDArray[np.int64], place: Place) -> NDArray[np.int64]:
        """The number of each value of a batch, and −1 for none."""
        keys = [_whole(value) for value in values]
        new = [i for i, key in enumerate(keys) if key is not None and key not in self.codes_of]
        if new:
            found, rows = np.unique(at, return_index=True)
            first = dict(zip(found.tolist(), rows.tolist(), strict=True))
            for i in new:
                if keys[i] not in self.codes_of and len(self.codes_of) < MOST_LABELS:
                    self.codes_of[keys[i]] = len(self.codes_of)
                    self.first.append((place.source, place.first_row + first.get(i, 0)))
        return np.array([-1 if key is None else self.codes_of.get(key, -2) for key in keys] + [-1], np.int64)

    @property
    def labels(self) -> list[Any]:
        """As they were numbered."""
        return list(self.codes_of)

    def column(self) -> Any:
        """The labels as a column of the type they were read as."""
        kind = self.type
        if kind is not None and (pa.types.is_decimal(kind) or pa.types.is_floating(kind)):
            kind = kind if kind == pa.float32() else pa.float64()
            return pa.array([float(label) for label in self.labels], kind)
        return pa.array(self.labels, pa.string() if self.type == pa.string_view() else self.type)


def _whole(value: Any) -> Any:
    """Whole floats as integers, NaN as None."""
    value = float(value) if isinstance(value, Decimal) else value
    if isinstance(value, float):
        return None if math.isnan(value) else int(value) if value.is_integer() else value
    return value


class Matched(NamedTuple):
    """Labels and columns, matched."""

    classes: tuple[Label, ...]
    order: tuple[int, ...]  # the column of each class
    class_of: NDArray[np.int64]  # the class of each label of the book; −1 for none
    error: XentError | None  # where `xent score` would refuse to match them
    note: str
    warning: Sentence | None


NOTHING = Matched((), (), np.zeros(0, np.int64), None, "", None)


def match(book: LabelBook, names: tuple[str, ...] | None, columns: int, classes: Sequence[Any] | None) -> Matched:
    """Which class each label names, as `xent score` would have it, or in sorted order where it refuses."""
    labels, column = book.labels, book.column()
    none = np.full(len(labels), -1, np.int64)
    try:
        found = resolve(names, columns, classes, column, lambda: in_order(set(labels)))
    except XentError as error:
        if classes is not None:
            return match(book, names, columns, None)._replace(error=error)
        size, ordered = max(columns, 2), in_order(set(labels))
        if len(ordered) != size:
            return Matched((), (), none, error, "", None)
        at = {label: i for i, label in enumerate(ordered)}
        order = tuple(range(columns))
        return Matched(tuple(ordered), order, np.array([at[label] for label in labels], np.int64), error, "", None)
    return _coded(found, column, none)


def _coded(found: Resolved, column: Any, codes: NDArray[np.int64]) -> Matched:
    vocabulary = Vocabulary(found.classes)

    def code(start: int, stop: int) -> None:
        try:
            codes[start:stop] = vocabulary.codes(column.slice(start, stop - start), Place())
        except LabelError:
            if stop - start > 1:  # halve until those that name no class are alone
                code(start, (start + stop) // 2)
                code((start + stop) // 2, stop)

    if len(column):
        code(0, len(column))
    return Matched(found.classes, found.order, codes, None, found.note, found.warning)


def label_findings(book: LabelBook, matched: Matched, rows: int) -> list[Finding]:
    """What is wrong with labels of one class a row."""
    found = []
    if book.missing.rows:
        message = counted("found.missing_labels", book.missing.rows, rows=rows, first=book.missing.where)
        found.append(finding("serious", "missing-labels", message, sentence("change.missing_labels"), book.missing))
    fractions = [label for label in book.labels if isinstance(label, float)]
    if fractions or book.more.rows:
        found.append(_not_classes(book, fractions))
    elif matched.error is not None:
        found.append(_refused(book, matched.error))
    if not fractions:
        found += _unknown(book, matched)
    found += _like_missing(book)
    if matched.warning:
        message = sentence("found.order_of_columns", **matched.warning.values)
        found.append(finding("worth a look", "order-of-columns", message, ""))
    return found + _absent(book, matched, rows)


def _like_missing(book: LabelBook) -> list[Finding]:
    """Words for a missing label that were read as a class, beside others that occur more often."""
    words = [label for label in book.labels if isinstance(label, str) and label.strip().lower() in MISSING]
    tally = Tally()
    tally.rows = int(sum(book.counts[book.codes_of[word]] for word in words))
    if not words or len(words) == len(book.labels) or tally.rows > 0.5 * book.counts.sum():
        return []
    tally.first = book.first[book.codes_of[words[0]]]
    labels = spoken(map(repr, words))
    message = counted("found.labels_like_missing", tally.rows, labels=labels, first=tally.where)
    return [finding("worth a look", "labels-like-missing", message, sentence("change.labels_like_missing"), tally)]


def _not_classes(book: LabelBook, fractions: list[Any]) -> Finding:
    tally = Tally()
    wrong = fractions or book.labels
    tally.first = book.first[book.codes_of[wrong[0]]]
    tally.rows = int(sum(book.counts[book.codes_of[label]] for label in wrong))
    if not fractions:
        what = sentence("found.no_classes", most=MOST_LABELS)
        return finding("serious", "labels-are-no-classes", what, sentence("change.other_label"))
    first = sentence("first_with", where=tally.where, detail=f"{wrong[0]:g}")
    message = sentence("found.fractional_labels", rows=counted("rows", tally.rows), first=first)
    return finding("serious", "fractional-labels", message, sentence("change.other_label.soft"), tally)


def _refused(book: LabelBook, error: XentError) -> Finding:
    whole = sorted(label for label in book.labels if isinstance(label, int) and not isinstance(label, bool))
    from_one = bool(whole) and len(whole) == len(book.labels) and whole == list(range(1, len(whole) + 1))
    return from_error("labels-from-1" if from_one else "labels-and-columns", error)


def _unknown(book: LabelBook, matched: Matched) -> list[Finding]:
    """Labels that name no column."""
    if not matched.classes or matched.error is not None:
        return []
    labels = [label for label, code in zip(book.labels, matched.class_of, strict=True) if code < 0]
    if not labels:
        return []
    tally = Tally()
    tally.rows = int(book.counts[matched.class_of < 0].sum())
    tally.first = book.first[book.codes_of[labels[0]]]
    names = [str(name) for name in matched.classes]
    if not all(as_number(label) is not None for label in labels):
        hint, step = _meant(labels, names), sentence("change.unknown_labels")
    else:
        hint, step = _counted(book, matched, labels, names)
    shown = {"labels": spoken(map(repr, labels)), "first": tally.where, "names": spoken(names)}
    hint = sentence("in_brackets", text=hint) if hint else ""
    message = counted("found.unknown_labels", tally.rows, **shown, hint=hint)
    return [finding("serious", "unknown-labels", message, step, tally)]


def _meant(labels: list[Any], names: list[str]) -> Any:
    """Labels and the columns whose names are like them."""
    folded = [_folded(name) for name in names]
    near = [(label, difflib.get_close_matches(_folded(label), folded, 1)) for label in labels[:8]]
    return tuple(
        sentence("may_be", label=repr(label), name=repr(names[folded.index(found[0])]))
        for label, found in near
        if found
    )


def _counted(book: LabelBook, matched: Matched, labels: list[Any], names: list[str]) -> tuple[Any, Sentence]:
    """Whether numbers start at 1 where 0 is meant, and what to do."""
    size = len(names)
    from_zero = matched.warning is not None or names == [str(i) for i in range(size)]
    if from_zero and labels == [size] and not book.counts[matched.class_of == 0].sum():
        every = ",".join(map(str, range(1, size + 1))) if size <= 12 else f"1,2,…,{size}"
        return sentence("labels_from_1", size=size), sentence("change.labels_from_1", every=every)
    return "", sentence("change.unknown_labels")


def _folded(name: Any) -> str:
    return " ".join(str(name).lower().replace("_", " ").replace("-", " ").split())


def _absent(book: LabelBook, matched: Matched, rows: int) -> list[Finding]:
    if len(book.labels) == 1:
        message = sentence("found.one_class", label=repr(book.labels[0]))
        return [finding("worth a look", "one-class", message, sentence("change.one_class"), rows=rows)]
    present = set(matched.class_of.tolist())
    absent = [label for code, label in enumerate(matched.classes) if code not in present]
    if absent and matched.error is None:
        message = sentence("found.absent_classes", labels=spoken(absent))
        return [finding("worth a look", "absent-classes", message, sentence("change.absent_classes"), rows=0)]
    if book.type is not None and pa.types.is_floating(book.type) and all(isinstance(v, int) for v in book.labels):
        return [finding("fine", "float-labels", sentence("fine.float_labels"))]
    return []
