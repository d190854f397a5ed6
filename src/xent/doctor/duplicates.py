"""Rows and ids that occur more than once, by 64-bit hashes: 8 bytes a row are kept, and some 30 at the end."""

from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from xent.checks.predictions import Place
from xent.doctor.findings import Places, finding
from xent.report.checkup import Finding, Severity
from xent.sources.arrays import numpy_array
from xent.texts.catalogue import Sentence, counted, sentence

__all__ = ["Hashes", "duplicate_ids", "duplicate_rows", "hash_ids", "hash_rows"]

Hash = NDArray[np.uint64]
GOLDEN = np.uint64(0x9E3779B97F4A7C15)  # of splitmix64 (Steele, Lea and Flood 2014), as the two below
FACTORS = (np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB))
NO_HASH = np.uint64(0)


class Repeats(NamedTuple):
    """What occurs more than once."""

    extra: int  # rows beyond the first of each
    groups: int  # of rows that are alike
    distinct: int
    first: tuple[str, int]  # the first row that occurs again
    again: tuple[str, int]


class Hashes:
    """One hash a row, and which row of which file it belongs to."""

    def __init__(self) -> None:
        self.parts: list[Hash] = []
        self.places = Places()

    def add(self, hashes: Hash, place: Place) -> None:
        """Keep a batch's."""
        self.parts.append(hashes)
        self.places.add(place, len(hashes))

    def repeats(self) -> Repeats | None:
        """The hashes that occur more than once; None if there are none. Hashes of 0 stand for nothing."""
        every = np.concatenate([np.zeros(0, np.uint64), *self.parts])
        self.parts = [every]
        ordered = np.sort(every)
        ordered = ordered[ordered != NO_HASH]
        same = ordered[1:] == ordered[:-1]
        if not same.any():
            return None
        starts = same & ~np.concatenate([[False], same[:-1]])
        twice = np.isin(every, ordered[1:][same])
        first = int(np.argmax(twice))
        again = first + 1 + int(np.argmax(every[first + 1 :] == every[first]))
        extra = int(same.sum())
        return Repeats(extra, int(starts.sum()), len(ordered) - extra, self.places.of(first), self.places.of(again))


def _mixed(values: Hash) -> Hash:
    with np.errstate(over="ignore"):
        values = values + GOLDEN
        values = (values ^ (values >> np.uint64(30))) * FACTORS[0]
        values = (values ^ (values >> np.uint64(27))) * FACTORS[1]
        return values ^ (values >> np.uint64(31))


def hash_rows(block: NDArray[np.float64], codes: NDArray[np.int64]) -> Hash:
    """A hash of each row of predictions and its label; 0 for rows of 0, 1 and NaN only, which are often alike."""
    wide = block if block.ndim == 2 else block[:, None]
    hashes = _mixed(codes.astype(np.int64).view(np.uint64))
    for column in (wide + 0.0).T:  # −0 is 0
        hashes = _mixed(hashes ^ np.ascontiguousarray(column).view(np.uint64))
    hard = (np.isnan(wide) | (wide == 0.0) | (wide == 1.0)).all(axis=1)
    return np.where(hard, NO_HASH, np.maximum(hashes, np.uint64(1)))


def hash_ids(column: Any) -> Hash:
    """A hash of each id; 0 where it is missing."""
    if isinstance(column, pa.ExtensionArray):
        column = column.storage
    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    if pa.types.is_integer(column.type) and not column.null_count:
        return np.maximum(_mixed(numpy_array(column).astype(np.int64).view(np.uint64)), np.uint64(1))
    if pa.types.is_nested(column.type):
        column = pa.array([None if value is None else str(value) for value in column.to_pylist()], pa.string())
    encoded = pc.dictionary_encode(column.cast(pa.string()) if pa.types.is_string_view(column.type) else column)
    at = numpy_array(pc.fill_null(encoded.indices, len(encoded.dictionary))).astype(np.int64)
    of_values = [hash(str(value)) & 0x7FFFFFFFFFFFFFFF for value in encoded.dictionary.to_pylist()]
    hashes = np.maximum(_mixed(np.array(of_values, np.uint64)), np.uint64(1))
    return np.concatenate([hashes, np.array([NO_HASH])])[at]


def duplicate_rows(hashes: Hashes, continuous: bool) -> list[Finding]:
    """Rows whose label and predictions are those of another row."""
    found = hashes.repeats()
    if not continuous:
        return []  # round numbers, decisions and the same everywhere repeat by themselves
    if found is None:
        return [finding("fine", "duplicated-rows", sentence("fine.duplicated_rows"))]
    rows = hashes.places.rows
    message = counted("found.duplicated_rows", found.extra, rows=rows, first=_two(found))
    step = sentence("change.remove_copies")
    if found.extra < 0.01 * rows:
        return [finding("fine", "duplicated-rows", message)]
    few = found.distinct < 0.1 * rows
    if few:
        message = counted("found.few_different_rows", found.distinct, rows=rows, first=_two(found))
        step = sentence("change.check_examples")
    severity: Severity = "serious" if found.extra + found.groups > 0.5 * rows and not few else "worth a look"
    source, row = found.first
    return [
        Finding(
            severity, "duplicated-rows", sentence("finding.end", text=message), step, found.extra, row, source or None
        )
    ]


def duplicate_ids(hashes: Hashes, name: str, missing: int) -> list[Finding]:
    """Ids that occur more than once."""
    found = hashes.repeats()
    result = []
    if missing:
        message = counted("found.missing_ids", missing, rows=hashes.places.rows, name=repr(name))
        result.append(finding("worth a look", "missing-ids", message, sentence("change.give_ids"), rows=missing))
    if found is None:
        return result or [finding("fine", "duplicated-ids", sentence("fine.duplicated_ids", name=repr(name)))]
    rows = hashes.places.rows
    message = counted("found.duplicated_ids", found.extra, rows=rows, name=repr(name), first=_two(found))
    step = sentence("change.keep_one")
    first = found.first
    return [*result, Finding("serious", "duplicated-ids", message, step, found.extra, first[1], first[0] or None)]


def _two(found: Repeats) -> Sentence:
    (source, row), (other, again) = found.first, found.again
    if source != other:
        return sentence("rows.two_files", row=row, source=source, again=again, other=other)
    both = sentence("rows.two", row=row, again=again)
    return sentence("place.of", place=both, source=source) if source else both
