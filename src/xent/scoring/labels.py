"""Labels → codes: which class each label names, whatever the type it is written in."""

import math
from collections.abc import Sequence
from contextlib import suppress
from functools import cached_property
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from xent.checks.names import text_forms
from xent.checks.predictions import Place, refuse_label
from xent.errors import LabelError
from xent.scoring.plan import Label
from xent.scoring.text_labels import codes_of, few_distinct
from xent.sources.arrays import first_null, numpy_array

__all__ = ["Vocabulary", "as_number", "chunks_of", "distinct", "in_order", "kind_of"]

Int64 = NDArray[np.int64]
FEW = 24  # classes
CLOSE = 1 << 16  # whole numbers that are counted rather than hashed


def kind_of(values: Any) -> str:
    """ "text", "boolean", "integer" or "float": how labels are written.

    Raises:
        LabelError: none of these.
    """
    if isinstance(values, np.ndarray):
        if values.dtype.kind == "O":
            return kind_of(_to_arrow(values[:1000]))
        found = {"b": "boolean", "i": "integer", "u": "integer", "f": "float", "U": "text"}.get(values.dtype.kind)
        if found:
            return found
        raise LabelError(_unfit(f"dtype {values.dtype}", values.dtype.kind == "S"))
    type_ = values.type.value_type if pa.types.is_dictionary(values.type) else values.type
    for name, matches in _ARROW_KINDS:
        if matches(type_):
            return name
    raise LabelError(_unfit(f"type {type_}", pa.types.is_binary(type_) or pa.types.is_large_binary(type_)))


def _unfit(what: str, of_bytes: bool) -> str:
    step = "decode them, if these bytes are UTF-8" if of_bytes else "write them as text, if each is a class"
    return (
        f"labels have {what}, but must be integers, booleans, text or whole floats.\nChoose another column, or {step}."
    )


_ARROW_KINDS = (
    ("boolean", pa.types.is_boolean),
    ("integer", pa.types.is_integer),
    ("float", pa.types.is_floating),
    ("float", pa.types.is_decimal),
    ("text", lambda t: pa.types.is_string(t) or pa.types.is_large_string(t) or pa.types.is_string_view(t)),
)


def _to_arrow(values: NDArray[Any]) -> pa.Array:
    try:
        return pa.array(values)
    except (pa.ArrowInvalid, pa.ArrowTypeError, OverflowError, UnicodeEncodeError) as error:
        raise LabelError(
            f"labels cannot be read as one type: {error}. Use one for all, such as text, and remove rows without a label."
        ) from error


def chunks_of(column: Any) -> list[pa.Array]:
    """The arrays that an Arrow column is made of."""
    return column.chunks if isinstance(column, pa.ChunkedArray) else [column]


def _text_array(texts: list[str]) -> pa.StringArray:
    """As pa.array(texts), which would load pandas where it is installed, in 0.2 s."""
    encoded = [text.encode() for text in texts]
    ends = np.cumsum([0, *map(len, encoded)], dtype=np.int32)
    return pa.StringArray.from_buffers(len(texts), pa.py_buffer(ends), pa.py_buffer(b"".join(encoded)))


def distinct(values: Any) -> list[Any]:
    """The labels that occur, sorted, as Python values; whole floats as integers.

    Raises:
        LabelError: a label is missing, or a float that is not whole.
    """
    if isinstance(values, np.ndarray) and values.dtype.kind in "biufU":
        few = few_distinct(values, FEW) if values.dtype.kind == "U" else None
        found = _distinct_values(values).tolist() if few is None else few
    else:
        column = _to_arrow(values) if isinstance(values, np.ndarray) else values
        found = [v for v in pc.unique(column).to_pylist() if v is not None]
    whole = [int(v) if isinstance(v, float) and v.is_integer() else v for v in found]
    return in_order(set(whole))


def _distinct_values(values: NDArray[Any]) -> NDArray[Any]:
    """By counting where they lie close together, which is five times as fast as hashing."""
    if not len(values) or values.dtype.kind not in "iu":
        return np.unique(values)
    low, high = int(values.min()), int(values.max())
    if high - low >= CLOSE or high >= 1 << 63:
        return np.unique(values)
    return np.flatnonzero(np.bincount(values.astype(np.int64) - low)) + low


def in_order(labels: set[Any]) -> list[Any]:
    """Sorted: numbers by value, also those written as text, then text."""
    return sorted(labels, key=_sorting)


def _sorting(label: Any) -> tuple[bool, float, str]:
    number = as_number(label)
    return (number is None, number or 0.0, str(label))


def as_number(label: Label) -> float | None:
    """A label that is a finite number, or text that reads as one, whole ones exactly; "nan" and "inf" are names."""
    with suppress(ValueError):
        if not isinstance(label, float):
            return int(label)  # beyond 2^53 several have one float
    with suppress(ValueError):
        return float(label) if math.isfinite(float(label)) else None
    return None


def _as_numbers(classes: tuple[Label, ...]) -> list[float] | None:
    """Classes that are numbers, or text that all reads as one: "0", "1.0", "true"."""
    words = {"true": 1.0, "false": 0.0}
    numbers = [words.get(str(label).lower(), as_number(label)) for label in classes]
    known = [number for number in numbers if number is not None]
    return known if len(known) == len(classes) else None


class Vocabulary:
    """The classes of a plan, and how labels name them.

    Text labels name a class by its text; numbers name the class of that value, or, where the classes are text, the
    class at that position.
    """

    def __init__(self, classes: tuple[Label, ...]) -> None:
        self.classes = classes
        self.by_text = {form: code for code, label in reversed(list(enumerate(classes))) for form in text_forms(label)}
        numbers = _as_numbers(classes)
        self.positions = numbers is None
        self._values: Sequence[Any] = range(len(classes)) if numbers is None else numbers
        self.is_range = list(self._values) == list(range(len(classes)))

    @cached_property
    def order(self) -> Int64:
        """The classes by their value."""
        return np.argsort(np.array(self._values), kind="stable")

    @cached_property
    def values(self) -> NDArray[Any]:
        """Their values, sorted."""
        found: NDArray[Any] = np.array(self._values)[self.order]
        return found

    @cached_property
    def texts(self) -> pa.StringArray:
        """The forms in `by_text`."""
        return _text_array(list(self.by_text))

    @cached_property
    def text_codes(self) -> Int64:
        """The class of each of `texts`."""
        return np.fromiter(self.by_text.values(), np.int64, len(self.by_text))

    def codes(self, labels: Any, place: Place) -> Int64:
        """The class of each label (rows,).

        Raises:
            LabelError: a label is missing or names no class; the first such row is named.
        """
        if not isinstance(labels, np.ndarray):
            return self._of_arrow(labels, place)
        if labels.dtype.kind in "biuf":
            return self._of_numbers(labels, place)
        if labels.dtype.kind == "U" and len(self.by_text) <= FEW:
            return self._of_few_texts(labels, place)
        return self._of_arrow(_to_arrow(labels), place)

    def _of_few_texts(self, labels: NDArray[Any], place: Place) -> Int64:
        """By comparison: up to 3 ns a row and class, where turning NumPy's text into Arrow's takes 70."""
        codes = codes_of(labels, self.by_text)
        if codes.min(initial=0) < 0:
            row = int(np.argmin(codes))
            self._refuse(str(labels[row]), row, int((codes < 0).sum()), len(labels), place)
        return codes

    def _of_arrow(self, labels: Any, place: Place) -> Int64:
        if isinstance(labels, pa.ChunkedArray):
            labels = labels.combine_chunks() if labels.num_chunks != 1 else labels.chunk(0)
        if labels.null_count:
            self._refuse(None, first_null(labels), labels.null_count, len(labels), place)
        if pa.types.is_dictionary(labels.type):
            values = labels.dictionary
            values = values.cast(pa.string()) if pa.types.is_string_view(values.type) else values
            labels = values.take(labels.indices)
        if kind_of(labels) == "text":
            return self._of_text(labels, place)
        if pa.types.is_decimal(labels.type):
            labels = labels.cast(pa.float64())
        return self._of_numbers(numpy_array(labels), place)

    def _of_text(self, labels: pa.Array, place: Place) -> Int64:
        if pa.types.is_string_view(labels.type):
            labels = labels.cast(pa.string())
        found = pc.index_in(labels, value_set=self.texts.cast(labels.type))
        if found.null_count:
            missing = found.is_null().to_numpy(zero_copy_only=False)
            row = int(np.argmax(missing))
            self._refuse(labels[row].as_py(), row, int(missing.sum()), len(labels), place)
        codes: Int64 = self.text_codes[numpy_array(found)]
        return codes

    def _of_numbers(self, labels: NDArray[Any], place: Place) -> Int64:
        if labels.dtype.kind == "f":
            self._refuse_fractions(labels, place)
        if self.is_range:
            if _all_below(labels, len(self.classes)):
                return labels.astype(np.int64, copy=False)
            codes, known = labels, (labels >= 0) & (labels < len(self.classes))
        else:
            at = np.minimum(np.searchsorted(self.values, labels), len(self.values) - 1)
            known = self.values[at] == labels
            codes = self.order[at]
        if not known.all():
            row = int(np.argmin(known))
            self._refuse(labels[row].item(), row, int((~known).sum()), len(labels), place, labels)
        return codes.astype(np.int64)

    def whole(self, labels: Any) -> None:
        """Refuse floats that are missing or not whole.

        Raises:
            LabelError: naming the first such row.
        """
        if isinstance(labels, np.ndarray) and labels.dtype.kind == "O":
            labels = _to_arrow(labels)
        if not isinstance(labels, np.ndarray):
            if labels.null_count:
                self._of_arrow(labels, Place())
            labels = np.concatenate([numpy_array(part.cast(pa.float64())) for part in chunks_of(labels)])
        self._refuse_fractions(labels, Place())

    def _refuse_fractions(self, labels: NDArray[Any], place: Place) -> None:
        with np.errstate(invalid="ignore"):
            fractional = ~((labels == np.floor(labels)) & np.isfinite(labels))
        if fractional.any():
            row = int(np.argmax(fractional))
            self._refuse(float(labels[row]), row, int(fractional.sum()), len(labels), place)
        self._refuse_rounded(labels)

    def _refuse_rounded(self, labels: NDArray[Any]) -> None:
        exact = 2 << np.finfo(labels.dtype).nmant
        largest = float(np.abs(labels).max(initial=0))
        if largest >= exact:
            raise LabelError(
                f"labels have dtype {labels.dtype} and reach {largest:,.0f}, but in that dtype whole numbers "
                f"from {exact:,} on are rounded. Pass integer labels."
            )

    def _refuse(self, value: Any, row: int, wrong: int, rows: int, place: Place, labels: Any = None) -> None:
        size = len(self.classes)
        if self.is_range and not (self.positions and isinstance(value, str | None)):
            expected = f"in [0, {size}) because there are {size} classes"
        else:
            shown = ", ".join(repr(c) for c in self.classes[:10]) + (", …" if size > 10 else "")
            expected = f"one of the classes {shown}"
        step = "Check the labels, or pass predictions with a column for each of them."
        if value is None or value != value:
            expected = "present"
            step = "Remove the rows without a label."
        elif isinstance(value, float) and not value.is_integer():
            expected = "whole numbers, booleans or text"
            step = "For soft labels pass a row of probabilities for each example, (rows, classes)."
        elif labels is not None and self.is_range and labels.max() == size and labels.min() >= 1:
            step = (
                f"The labels seem to count from 1: subtract 1, or pass classes=[1, …, {size}] (--classes 1,…,{size}) if "
                "the first column is class 1."
            )
        refuse_label(value, row, wrong, rows, expected, step, place)


def _all_below(labels: NDArray[Any], size: int) -> bool:
    """Whether all are from 0 to size − 1."""
    if labels.dtype == np.int64:
        return bool(labels.view(np.uint64).max(initial=0) < size)  # where negative ones are large: one pass
    return bool(labels.min(initial=0) >= 0 and labels.max(initial=0) < size)
