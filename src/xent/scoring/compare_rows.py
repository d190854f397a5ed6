"""Each model's rows → nats per row, batch by batch, with what they are matched and split by."""

import itertools
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from xent.checks.predictions import Place
from xent.errors import SourceError, XentError
from xent.kernels.choice import score_kernels, scoring_threads
from xent.scoring.chunks import blocks
from xent.scoring.compare_models import Model
from xent.scoring.faults import first_fault
from xent.scoring.inputs import Rows
from xent.scoring.key_hash import plain_keys
from xent.scoring.labels import Vocabulary
from xent.scoring.memory import forget
from xent.scoring.outcomes import index_outcomes, target_outcomes
from xent.scoring.parallel import ordered_map
from xent.scoring.plan import Label
from xent.scoring.totals import as_chunk
from xent.sources.arrays import numpy_array

__all__ = ["GroupCodes", "ModelRows"]

Float64 = NDArray[np.float64]
Int64 = NDArray[np.int64]


class GroupCodes:
    """Numbers for the values that groups have, in the order they are met."""

    def __init__(self) -> None:
        self._codes: dict[Any, int] = {}

    @property
    def names(self) -> tuple[Label | None, ...]:
        """What the codes stand for; None for rows without a group."""
        names = (None if name == _MISSING else name for name in self._codes)
        return tuple(one if isinstance(one, str | int | float | None) else str(one) for one in names)

    def of(self, column: pa.DictionaryArray) -> pa.Array:
        """(rows,) int32."""
        values = [_hashable(value) for value in column.dictionary.to_pylist()] + [_MISSING]
        indices = numpy_array(column.indices.fill_null(len(values) - 1)).astype(np.int64)
        present = np.bincount(indices, minlength=len(values)) > 0
        codes = np.zeros(len(values), np.int32)
        for i in np.flatnonzero(present).tolist():
            codes[i] = self._codes.setdefault(values[i], len(self._codes))
        return pa.array(codes[indices])


_MISSING = ("missing",)
_NAN = float("nan")


def _hashable(value: Any) -> Any:
    """A value that equals itself."""
    return _MISSING if value is None else _NAN if value != value else value


class ModelRows:
    """A model's rows, scored as they are read; what was found on the way is told by the attributes.

    Args:
        with_keys: which of the model's keys to hand out: "on", "cluster", "group".
        groups: gives groups their numbers.
    """

    def __init__(self, model: Model, with_keys: Sequence[str], groups: GroupCodes, on: str | None) -> None:
        self.model = model
        self.name = model.name
        self.on = on
        self.text_keys = False  # whether keys that are numbers are matched as text
        self._with_keys = with_keys
        self._groups = groups
        self._start()

    def _start(self) -> None:
        self.rows = 0
        self.places: list[tuple[int, Place]] = []  # the rows that batches begin with, and where these are from
        self.several = False
        self.weighted = False
        self.first_key: int | str | None = None
        self._counts = np.zeros(3, np.int64)

    @property
    def counts(self) -> tuple[int, int, int]:
        """How many rows were clipped, normalized, and are logits like probabilities."""
        clipped, normalized, alike = self._counts.tolist()
        return clipped, normalized, alike

    def place(self, row: int) -> str:
        """Where a row is from, for a message."""
        first, place = next((first, place) for first, place in reversed(self.places) if first <= row)
        return place.row(row - first) if place.source else f"row {row} of {self.name}"

    def batches(self) -> Iterator[pa.RecordBatch]:
        """All rows, from the first on: row, nats, truth (the label's place among the first model's classes, or a fingerprint of several), weight, on, cluster, group.

        Raises:
            XentError: as `evaluate`, naming the file and the row; a key is missing.
        """
        self._start()
        data, prepared = self.model.data, self.model.prepared
        workers = scoring_threads()
        scorer = _Scorer(self.model, self._with_keys, self.on)
        try:
            parts = ordered_map(scorer.score, data.batches(prepared.order), workers)
            for part in parts:
                self.places.append((self.rows, part.place))
                if "on" in part.columns and part.columns["on"].null_count:
                    self._refuse_missing(itertools.chain([part], parts))
                yield self._batch(part)
        finally:
            forget()

    def _batch(self, part: "_Part") -> pa.RecordBatch:
        columns = dict(part.columns)
        rows = len(columns["nats"])
        columns["row"] = pa.array(np.arange(self.rows, self.rows + rows))
        if "group" in columns:
            columns["group"] = self._groups.of(columns["group"])
        if "on" in columns and self.text_keys:
            columns["on"] = columns["on"].cast(pa.large_string())
        if "on" in columns and self.rows == 0 and rows:
            self.first_key = columns["on"][0].as_py()
        self.rows += rows
        self.several = part.several
        self.weighted = "weight" in columns
        self._counts += part.counts
        return pa.RecordBatch.from_arrays(list(columns.values()), names=list(columns))

    def _refuse_missing(self, parts: Iterator["_Part"]) -> None:
        missing, row, before = 0, -1, self.rows
        for part in parts:
            found = numpy_array(part.columns["on"].is_null())
            if row < 0:
                row = before + int(np.argmax(found))
            missing += int(np.count_nonzero(found))
        raise SourceError(
            f"{self.on!r} is missing in {self.place(row)} ({missing:,} rows in all have none).\n"
            "Give each row a key, or remove it."
        )


class _Part(NamedTuple):
    columns: Mapping[str, pa.Array]
    several: bool
    place: Place
    counts: NDArray[np.int64]


class _Scorer:
    """Scores a model's batches, side by side."""

    def __init__(self, model: Model, with_keys: Sequence[str], on: str | None) -> None:
        self.model = model
        self.on = on
        self.with_keys = with_keys
        self.vocabulary = Vocabulary(model.prepared.plan.classes)
        self.code_of = np.argsort(model.order)  # of this model's classes, among the first model's

    def score(self, rows: Rows) -> _Part:
        try:
            return self._scored(rows)
        except XentError as error:
            raise first_fault(error, rows, self._scored) from error.__cause__

    def _scored(self, rows: Rows) -> _Part:
        plan = self.model.prepared.plan
        chunk = as_chunk(plan, self.vocabulary, rows)
        kernels = score_kernels(chunk.predictions.size)
        several = chunk.labels.ndim == 2
        nats, counts = np.empty(len(chunk.labels)), np.zeros(3, np.int64)
        for start, part in blocks(chunk, kernels):
            used = None if part.weights is None else part.weights > 0.0
            if several:
                found = target_outcomes(plan, part.predictions, part.labels, used, part.place)
            else:
                found = index_outcomes(plan, part.predictions, part.labels, used, part.place, kernels)
            nats[start : start + len(found.nats)] = found.nats
            counts += found.clipped, found.normalized, found.like_probabilities
        truth = _fingerprint(chunk.labels[:, self.model.order]) if several else self.code_of[chunk.labels]
        columns = {"nats": pa.array(nats), "truth": pa.array(truth if several else truth.astype(np.int32))}
        if chunk.weights is not None:
            columns["weight"] = pa.array(chunk.weights.copy())
        for name in self.with_keys:
            columns[name] = self._key(name, rows.keys[name])
        return _Part(columns, several, rows.place, counts)

    def _key(self, name: str, column: pa.Array) -> pa.Array:
        column = column.storage if isinstance(column, pa.ExtensionArray) else column
        if name == "on":
            _refuse_key_type(column, self.model, self.on)
        if name != "group":
            return _copied(plain_keys(column))
        column = column if not pa.types.is_string_view(column.type) else column.cast(pa.large_string())
        return column if pa.types.is_dictionary(column.type) else column.dictionary_encode()


def _copied(column: pa.Array) -> pa.Array:
    """A slice would hold on to the whole batch."""
    return column.take(pa.array(np.arange(len(column))))


def _refuse_key_type(column: pa.Array, model: Model, on: str | None) -> None:
    kind = column.type.value_type if pa.types.is_dictionary(column.type) else column.type
    if pa.types.is_floating(kind) or pa.types.is_nested(kind):
        raise SourceError(f"{on!r} is of type {kind} in {model.name}, but keys must be whole numbers or text.\n"
                          "Write the column again as one of these.")  # fmt: skip


def _fingerprint(targets: Float64) -> Int64:
    """(rows,) numbers that tell rows of targets (rows, classes) apart, all but 1 of 2^64 times."""
    bits = np.ascontiguousarray(targets + 0.0).view(np.uint64)
    mixed = bits ^ (bits >> np.uint64(52))  # whole targets have their bits at the top, where products lose them
    factors = np.random.Generator(np.random.PCG64(0)).integers(0, 1 << 63, targets.shape[1], np.uint64)
    sums = (mixed * (2 * factors + np.uint64(1))).sum(axis=1, dtype=np.uint64)
    return np.asarray(sums, np.uint64).view(np.int64)
