"""Rows of several models set side by side, part by part: whatever part a row is in, its partners are in it too.

By position and by ascending keys that takes a batch of each model in memory. Keys in any other order are spread over
files by their hash, as soon as they pass what they may take.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from xent.errors import ShapeError
from xent.scoring.compare_rows import ModelRows
from xent.scoring.spill import LEVELS, SMALL, Partition, Scratch, Spool
from xent.sources.arrays import numpy_array

__all__ = ["OrderError", "by_ascending_key", "by_hash", "by_position"]

Batches = Sequence[pa.RecordBatch]  # one a model
_STUBBORN = 3  # splits after which what is still too large is probably one key, again and again


class OrderError(Exception):
    """A key is not above the one before it."""


class _Rest:
    """What is left of a model's batch, and the batches after it."""

    def __init__(self, model: ModelRows) -> None:
        self.stream = model.batches()
        self.batch: pa.RecordBatch | None = None
        self.done = False

    @property
    def rows(self) -> int:
        return 0 if self.batch is None else int(self.batch.num_rows)

    def refill(self) -> bool:
        """Read on where nothing is left; whether it did."""
        if self.rows or self.done:
            return False
        self.batch = next((batch for batch in self.stream if batch.num_rows), None)
        self.done = self.batch is None
        return not self.done

    def take(self, rows: int) -> pa.RecordBatch:
        assert self.batch is not None
        taken, self.batch = self.batch.slice(0, rows), self.batch.slice(rows)
        return taken


def by_position(models: Sequence[ModelRows]) -> Iterator[Batches]:
    """The first rows of all models, the next, …

    Raises:
        ShapeError: the models differ in rows.
    """
    rests = [_Rest(model) for model in models]
    while True:
        for rest in rests:
            rest.refill()
        rows = min(rest.rows for rest in rests)
        if rows == 0:
            break
        yield [rest.take(rows) for rest in rests]
    for rest in rests:
        for _ in rest.stream:
            pass
    first = models[0]
    for other in models[1:]:
        if other.rows != first.rows:
            more, fewer = sorted((first, other), key=lambda model: -model.rows)
            raise ShapeError(
                f"{first.name} has {first.rows:,} rows and {other.name} {other.rows:,}: "
                f"{more.place(fewer.rows)} has no partner.\n"
                "Pass on= (--on) with a column that names each row, and rows will be matched by it."
            )


def by_ascending_key(models: Sequence[ModelRows]) -> Iterator[Batches]:
    """Rows of the least keys of all models, of the next, …: a merge.

    Raises:
        OrderError: a model's keys are not; what was handed out before holds nonetheless.
    """
    rests = [_Rest(model) for model in models]
    last: list[pa.Scalar | None] = [None] * len(rests)
    while True:
        for i, rest in enumerate(rests):
            if rest.refill():
                assert rest.batch is not None
                last[i] = _refuse_descent(rest.batch.column("on"), last[i])
        going_on = [i for i, rest in enumerate(rests) if not rest.done]
        if not going_on:
            return
        ends = [last[i] for i in going_on]
        cut = min(ends, key=_ordered)
        parts = [rest.take(_up_to(rest.batch, cut)) for rest in rests if rest.rows]
        if len(parts) == len(rests) and all(part.num_rows for part in parts):
            yield parts


def _refuse_descent(keys: pa.Array, before: pa.Scalar | None) -> pa.Scalar:
    """The last of the keys."""
    if pa.types.is_int64(keys.type):
        values = numpy_array(keys)
        ascending = bool((values[1:] > values[:-1]).all())
    else:
        ascending = pc.all(pc.greater(keys.slice(1), keys.slice(0, len(keys) - 1))).as_py() is not False
    if not ascending or (before is not None and not pc.greater(keys[0], before).as_py()):
        raise OrderError
    return keys[len(keys) - 1]


def _ordered(key: Any) -> Any:
    """As Arrow orders keys: text by its bytes."""
    value = key.as_py()
    return value.encode() if isinstance(value, str) else value


def _up_to(batch: pa.RecordBatch, cut: pa.Scalar) -> int:
    """How many of the ascending keys are not above the cut."""
    keys = batch.column("on")
    if pa.types.is_int64(keys.type):
        return int(np.searchsorted(numpy_array(keys), cut.as_py(), side="right"))
    return int(pc.sum(pc.less_equal(keys, cut)).as_py() or 0)


def by_hash(models: Sequence[ModelRows], scratch: Scratch, budget: int) -> Iterator[Batches]:
    """Rows of the same hash of their key: all at once if they take no more than `budget` bytes, else by files."""
    spools = [Spool(scratch, "on") for _ in models]
    for model, spool in zip(models, spools, strict=True):
        for batch in model.batches():
            spool.add(batch)
            if sum(one.held_bytes for one in spools) > budget:
                for one in spools:
                    one.spill()
        spool.finish()
    for parts in zip(*(spool.partitions() for spool in spools), strict=True):
        yield from _small_enough(parts, budget)


def _small_enough(parts: Sequence[Partition], budget: int) -> Iterator[Batches]:
    """Partitions of the models that belong together, split until they fit."""
    if not all(part.rows for part in parts) and all(part.rows < 2 for part in parts):
        return
    if parts[0].spool.level >= _STUBBORN:
        first = [next(part.batches()) if part.rows else part.whole() for part in parts]
        if any(pc.count_distinct(batch.column("on")).as_py() < batch.num_rows for batch in first):
            yield first  # which says it: more of the same keys would not fit
            return
    splittable = all(part.path is not None or not part.rows for part in parts) and parts[0].spool.level < LEVELS
    if splittable and sum(part.bytes for part in parts) > max(budget, SMALL):
        for finer in zip(*(part.split() for part in parts), strict=True):
            yield from _small_enough(finer, budget)
    else:
        yield [part.whole() for part in parts]
