"""One pass over the rows: what is done with each fragment, and how that is merged, wherever it happens."""

import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple, Protocol, TypeVar

import pyarrow as pa

from xent.errors import EngineError, XentError
from xent.scoring.cluster_store import ClusterStore
from xent.scoring.holdout import half_of
from xent.scoring.inputs import Rows, rows_of
from xent.scoring.labels import distinct
from xent.scoring.row_reader import RowReader
from xent.sources.fragments import Fragment
from xent.sources.known import fragment_table
from xent.sources.layouts import Layout
from xent.sources.table import BATCH_BYTES, LONE_BATCH_BYTES, Table
from xent.version import __version__

__all__ = ["Failure", "Labels", "OneAtATime", "Outcome", "Pass", "Progress", "Reading", "merged"]

Result = TypeVar("Result")
# Told how many rows were read since it was last called; its method `fragments`, if it has one, how many of a pass are done,
# and of how many.
Progress = Callable[[int], None]


class Pass(Protocol[Result]):
    """Something to find out about rows. It can be pickled, and so can its results."""

    @property
    def long_calls(self) -> bool:
        """Whether what NumPy does in it is done in long calls."""

    def of(self, rows: Iterable[Rows], workers: int | None) -> Result:
        """The result for some rows, found by that many threads; None takes what the machine has."""

    def merge(self, parts: Iterable[Result]) -> Result:
        """The result for the rows of all parts, in whatever order these come."""


class Failure(NamedTuple):
    """A fragment that was refused."""

    file: str
    fragment: str
    error: XentError


class Outcome(NamedTuple):
    """What came of some fragments."""

    value: Any  # a pass's result; None if every fragment failed
    rows: int
    failures: tuple[Failure, ...]


@dataclass(frozen=True)
class Labels:
    """All labels that occur."""

    long_calls = True

    def of(self, rows: Iterable[Rows], workers: int | None) -> set[Any]:  # noqa: ARG002
        """Chunk by chunk, so that memory stays bounded."""
        found: set[Any] = set()
        for part in rows:
            found.update(distinct(part.labels))
        return found

    def merge(self, parts: Iterable[set[Any]]) -> set[Any]:
        """Those of any part."""
        return set().union(*parts)


@dataclass(frozen=True)
class Reading:
    """The work on one fragment. What is wrong with its rows comes back as a failure, as trying again is no use."""

    reader: RowReader
    schema: pa.Schema  # of the files' columns that are needed
    layout: Layout | None  # in which they are laid out
    find: Any  # a Pass
    half: bool | None = None  # which half of the rows; None: all
    clusters: ClusterStore | None = None  # where, in this process, sums by cluster go of what could be read to its end
    workers: int | None = 0  # none beside the thread, process or task that was asked
    progress: Progress | None = None  # in this process only
    version: str = __version__

    def __call__(self, fragment: Fragment) -> Outcome:
        """Read it, and find out.

        Raises:
            EngineError: this is another version of xent than the one that asks.
        """
        if self.version != __version__:
            raise EngineError(
                f"a worker has xent {__version__}, but {self.version} asks.\nInstall the same version on both."
            )
        counted = [0]
        try:
            value = self._found(fragment_table(fragment, self.schema, self.layout), counted)
        except XentError as error:
            return Outcome(None, 0, (Failure(fragment.part.name, fragment.name, error),))
        return Outcome(value, counted[0], ())

    def _found(self, table: Table, counted: list[int]) -> Any:
        if self.clusters is None:
            return self.of_table(table, counted)
        with self.clusters.alike() as own:
            value = replace(self, find=replace(self.find, clusters=own)).of_table(table, counted)
            for part in own.parts():
                self.clusters.add(part)
        return value

    def of_table(self, table: Table, counted: list[int]) -> Any:
        """Find out about a table; `counted` is told the rows."""
        batch_bytes = BATCH_BYTES if self.workers != 0 else LONE_BATCH_BYTES
        rows = self._counted(self.reader.rows(table, batch_bytes), counted)
        return self.find.of(rows if self.half is None else half_of(rows, self.half), self.workers)

    def _counted(self, rows: Iterable[Rows], counted: list[int]) -> Iterator[Rows]:
        for part in rows:
            yield part
            counted[0] += rows_of(part.labels)
            if self.progress is not None:
                self.progress(rows_of(part.labels))


def merged(find: Pass[Any], outcomes: Sequence[Outcome]) -> Outcome:
    """Outcomes of several fragments as one."""
    values = [outcome.value for outcome in outcomes if outcome.value is not None]
    return Outcome(
        find.merge(values) if values else None,
        sum(outcome.rows for outcome in outcomes),
        tuple(failure for outcome in outcomes for failure in outcome.failures),
    )


class OneAtATime:
    """A progress, or none, that several threads may tell."""

    def __init__(self, progress: Progress | None) -> None:
        self._progress = progress
        self._lock = threading.Lock()

    def __call__(self, rows: int) -> None:
        """Rows that were read."""
        if self._progress is not None:
            with self._lock:
                self._progress(rows)

    def fragments(self, done: int, total: int) -> None:
        """Fragments that are done, if it wants to know."""
        told = getattr(self._progress, "fragments", None)
        if told is not None:
            with self._lock:
                told(done, total)
