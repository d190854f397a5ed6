"""Spark, classic or Connect: a table of fragments, worked on and merged by `mapInArrow`."""

import pickle
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn, TypeVar

import pyarrow as pa

from xent.engines.contract import FAN_IN, SHIP, Task, gathered, named, tasks_of
from xent.errors import EngineError, MissingPackageError

__all__ = ["RESULTS", "Spark", "collected", "merged_by_place", "result_batch", "session_at"]

Fragment = TypeVar("Fragment")
Result = TypeVar("Result")
RESULTS = "place long, result binary"  # what partitions are told apart by, and pickles
EACH = 10  # fragments of a task, some 320 MB: beside the work a task takes a tenth of a second
_RAISED = re.compile(r"^xent\.errors\.EngineError: (.*)", re.MULTILINE)
_DIED = re.compile(r"Task (\d+) in stage \S+ failed \d+ times, most recent failure: ([^\n]*)")


@dataclass(frozen=True)
class Spark:
    """The executors of a Spark session, which try a fragment `spark.task.maxFailures` (4) times.

    Args:
        session: classic or Connect; None takes `address`, or else what `SparkSession.builder.getOrCreate()` gives.
        address: of a Connect server ("sc://HOST:15002"), or a master ("spark://HOST:7077", "yarn", "local[2,4]").
    """

    session: Any = None
    address: str | None = None

    def run(
        self,
        work: Callable[[Fragment], Result],
        fragments: Sequence[Fragment],
        merge: Callable[[Sequence[Result]], Result],
    ) -> Iterator[tuple[Sequence[int], Result]]:
        """Results at the end of the job, merged on the executors if there are many.

        Raises:
            EngineError: a fragment failed after all tries, or there is no cluster.
            MissingPackageError: Spark is not installed.
        """
        session = self.session or session_at(self.address)
        tasks = tasks_of(len(fragments), EACH)
        frame = _worked(session, Task(work, merge), [fragments[some.start : some.stop] for some in tasks])
        if len(tasks) > FAN_IN:
            frame = merged_by_place(frame, merge, min(FAN_IN, -(-len(tasks) // FAN_IN)))
        try:
            found = list(_collected(frame))
        except _DeathError as death:
            some = tasks[death.task] if death.task < len(tasks) else range(0)
            _name_the_killer(session, Task(work, merge), fragments[some.start : some.stop], death)
        for places, result in found:
            yield [index for place in places for index in tasks[place]], result


class _DeathError(Exception):
    """A task whose worker died at each try."""

    def __init__(self, task: int, what: str) -> None:
        super().__init__(what)
        self.task = task

    def of(self, whose: str) -> EngineError:
        """What to say of it."""
        return EngineError(
            f"the worker that {whose} died, and so did those that tried again: {self}\n"
            "Give workers more memory, if they were killed for want of it."
        )


def _worked(session: Any, task: Task, parts: Sequence[Sequence[Any]]) -> Any:
    """A table of RESULTS, a row and a partition for each of the parts, which has its number however often it is tried."""
    work = _Working(task, [pickle.dumps(part) for part in parts])
    return session.range(0, len(parts), 1, len(parts)).mapInArrow(work, RESULTS)


def _name_the_killer(session: Any, task: Task, suspects: Sequence[Any], death: _DeathError) -> NoReturn:
    """Try the fragments of a task whose worker died one by one: Spark tells the number of the task alone."""
    try:
        if suspects:
            list(_collected(_worked(session, task, [[fragment] for fragment in suspects])))
    except _DeathError as again:
        raise again.of(f"had {named([suspects[again.task]])}") from death
    raise death.of("had several fragments, or merged results,") from death


@dataclass(frozen=True)
class _Working:
    """A partition with the number of a part → what its fragments give."""

    task: Task
    parts: list[bytes]

    def __call__(self, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            for place in batch.column(0).to_pylist():
                yield result_batch(place, ([place], self.task(pickle.loads(self.parts[place]))))


@dataclass(frozen=True)
class _Merging:
    """Results of several partitions → that of all."""

    merge: Callable[[Sequence[Any]], Any]

    def __call__(self, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        found: list[Any] = []
        first = 0

        def results() -> Iterator[Any]:
            nonlocal first
            for place, (some, result) in _rows(batches):
                first = place
                found.extend(some)
                yield result

        result = gathered(results(), self.merge)
        if found:
            yield result_batch(first, (found, result))


def result_batch(place: int, result: Any) -> pa.RecordBatch:
    """A row of a table of RESULTS."""
    return pa.record_batch(
        {"place": pa.array([place], pa.int64()), "result": pa.array([pickle.dumps(result)], pa.binary())}
    )


def _rows(batches: Iterable[pa.RecordBatch]) -> Iterator[tuple[int, Any]]:
    for batch in batches:
        for place, pickled in zip(batch.column("place"), batch.column("result"), strict=True):
            yield place.as_py(), pickle.loads(pickled.as_py())


def merged_by_place(frame: Any, merge: Callable[[Sequence[Any]], Any], partitions: int | None = None) -> Any:
    """A table of RESULTS with fewer rows: at most one for each of so many partitions.

    None makes as many partitions as their bytes are worth (one, if that is below a megabyte; by adaptive execution,
    without which they are `spark.sql.shuffle.partitions`, 200). Where each goes is by the hash of a number that is the same at each try,
    so that none is lost or doubled if some are tried again.
    """
    places = frame.repartition("place") if partitions is None else frame.repartition(partitions, "place")
    return places.mapInArrow(_Merging(merge), RESULTS)


def collected(frame: Any) -> Iterator[tuple[list[int], Any]]:
    """The rows of a table of RESULTS: what each is of, and a result.

    Raises:
        EngineError: the job failed.
    """
    try:
        yield from _collected(frame)
    except _DeathError as death:
        raise death.of(f"had task {death.task}") from death


def _collected(frame: Any) -> Iterator[tuple[list[int], Any]]:
    try:
        rows = frame.collect()
    except Exception as error:
        _refuse(error)
    for row in rows:
        yield pickle.loads(row["result"])


def _refuse(error: Exception) -> NoReturn:
    text = str(error)
    if raised := _RAISED.search(text):
        raise EngineError(raised[1]) from error
    if died := _DIED.search(text):
        raise _DeathError(int(died[1]), died[2]) from error
    if "No module named 'xent'" in text:
        raise EngineError(f"Spark's workers have no xent.\n{SHIP}") from error
    raise EngineError(f"Spark gave up the job: {text[:1000]}") from error


def session_at(address: str | None) -> Any:
    """A Spark session, made if there is none.

    Raises:
        EngineError: there is no cluster.
        MissingPackageError: Spark is not installed.
    """
    try:
        from pyspark.sql import SparkSession
    except ImportError as error:
        raise MissingPackageError(
            "engine 'spark' needs PySpark, which is not installed.\npip install 'xent[spark]' (and Java 17 or newer)"
        ) from error
    builder: Any = SparkSession.builder
    if address is not None:
        builder = builder.remote(address) if address.startswith("sc://") else builder.master(address)
    try:
        return builder.getOrCreate()
    except Exception as error:
        raise EngineError(
            f"there is no Spark to work on: {error}.\nPass a session (engine=spark), or an address (--address "
            "spark://HOST:7077, or sc://HOST:15002 of a Connect server)."
        ) from error
