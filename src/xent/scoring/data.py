"""Rows to judge, in memory or in files: the first of them, the labels that occur, and all of them in batches."""

from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from functools import cached_property
from typing import Any, Protocol

import numpy as np
import pyarrow as pa

from xent.checks.predictions import Place
from xent.engines.contract import Engine
from xent.engines.local import Local
from xent.errors import ArgumentTypeError, ShapeError, SourceError
from xent.kernels.pool import available_cpus
from xent.scoring.checkpoint import Checkpoint
from xent.scoring.chunks import MOST_ROWS
from xent.scoring.cluster_store import ClusterStore, with_clusters
from xent.scoring.holdout import half_of
from xent.scoring.inputs import (
    Rows,
    as_arrow,
    as_keys,
    as_labels,
    as_predictions,
    as_weights,
    common_rows,
    prediction_slices,
    row_slices,
    rows_of,
    slice_of,
)
from xent.scoring.labels import distinct, in_order
from xent.scoring.passes import Labels, Progress, Reading
from xent.scoring.row_reader import FIRST_ROWS, Order, RowReader
from xent.scoring.side_by_side import over_fragments
from xent.sources.columns import Columns, class_names
from xent.sources.fragments import FRAGMENT_BYTES, Fragment, sendable
from xent.sources.known import files_of, fragment_table, layout_of
from xent.sources.names import narrowed
from xent.sources.table import Table
from xent.texts.catalogue import Sentence, sentence

__all__ = ["FIRST_ROWS", "Data", "InFiles", "InMemory", "Progress", "Reducible"]

WHOLE = 1 << 62  # bytes of a fragment, for files that are not to be cut


class Reducible(Protocol):
    """What judging asks of a data set."""

    names: tuple[str, ...] | None  # of the classes, by prediction column
    label_names: tuple[str, ...] | None  # of the classes, by label column
    kind: str | None  # where column names tell it
    notes: tuple[str, ...]
    weighted: bool
    rows: int | None  # where it is known without reading them
    skipped: tuple[tuple[str, str], ...]  # files that could not be read, and why

    def first(self) -> tuple[Any, Any]:
        """Labels and predictions of some rows, at least one."""

    def distinct_labels(self) -> list[Any]:
        """All labels that occur, sorted."""

    def reduce(
        self,
        find: Any,
        order: Order,
        half: bool | None = None,
        checkpoint: Checkpoint | None = None,
        clusters: ClusterStore | None = None,
    ) -> Any:
        """A pass over all rows, or over one half of them (by a hash), with the columns in this order."""


class Data(Reducible, Protocol):
    """The same of rows that this process can read in order."""

    keys: Mapping[str, Any]  # what else is known of the rows: columns, or their names

    def batches(self, order: Order) -> Iterator[Rows]:
        """All rows, with the columns in this order."""


class InMemory:
    """Arrays, lists, data frames.

    Args:
        keys: what else is known of the rows, such as their "group" or "cluster": (rows,) each.
    """

    def __init__(
        self, labels: Any, predictions: Any, sample_weight: Any, keys: Mapping[str, Any] | None = None
    ) -> None:
        self.predictions = as_predictions(predictions)
        self.notes: tuple[str, ...] = _by_position(labels, predictions)
        self.label_names, labels = _named_columns(labels)
        self.label_columns = tuple(labels.column_names) if isinstance(labels, pa.Table) else ()
        self.labels = as_labels(labels)
        rows = common_rows(self.labels, self.predictions)
        if rows == 0:
            raise ShapeError("predictions has no rows: there is nothing to score. Pass at least one row.")
        self.weights = as_weights(sample_weight, rows)
        self.weighted = self.weights is not None
        self.rows: int | None = rows
        self.keys: Mapping[str, Any] = {name: as_keys(name, values, rows) for name, values in (keys or {}).items()}
        self.kind: str | None = None
        self.names: tuple[str, ...] | None = None
        self.columns: tuple[str, ...] | None = None
        self.skipped: tuple[tuple[str, str], ...] = ()
        if isinstance(self.predictions, pa.Table):
            self.columns = tuple(self.predictions.column_names)
            self.names, self.kind = class_names(self.predictions.schema, self.columns)

    def first(self) -> tuple[Any, Any]:
        """Enough to see what they are."""
        _, block = next(prediction_slices(self.predictions, self.columns, FIRST_ROWS))
        return slice_of(self.labels, 0, FIRST_ROWS), block

    def distinct_labels(self) -> list[Any]:
        """Chunk by chunk, so that memory stays bounded."""
        found: set[Any] = set()
        for start in range(0, rows_of(self.labels), MOST_ROWS):
            found.update(distinct(slice_of(self.labels, start, start + MOST_ROWS)))
        return in_order(found)

    def batches(self, order: Order) -> Iterator[Rows]:
        """Slices; an array's columns have no names, so its order is that of the classes."""
        columns = (
            None
            if self.columns is None or len(self.columns) == 1
            else tuple(self.columns[i] for i in order.predictions)
        )
        rows = rows_of(self.predictions)
        step = min(MOST_ROWS, max(FIRST_ROWS, -(-rows // available_cpus())))  # one for each thread at least
        columns = columns or self.columns
        place = Place(labels=tuple(self.label_columns[i] for i in order.labels or range(len(self.label_columns))))
        for part in row_slices(self.labels, self.predictions, self.weights, columns, step, place, self.keys):
            yield part if order.labels is None else part._replace(labels=part.labels[:, order.labels])

    def reduce(
        self,
        find: Any,
        order: Order,
        half: bool | None = None,
        checkpoint: Checkpoint | None = None,  # noqa: ARG002  (what is in memory is scored at once)
        clusters: ClusterStore | None = None,  # noqa: ARG002
    ) -> Any:
        """In the threads of this process."""
        rows = self.batches(order)
        return find.of(rows if half is None else half_of(rows, half), None)


class InFiles:
    """A table read batch by batch, or its fragments side by side.

    Args:
        keys: the columns of what else is asked of the rows, such as {"group": "country"}.
        progress: told how many rows were read; one call at a time.
        engine: where fragments of files are read and scored; None for the threads of this process.
        skip: leave out files that cannot be read.
    """

    def __init__(
        self,
        table: Table,
        columns: Columns,
        progress: Progress | None = None,
        keys: Mapping[str, str] | None = None,
        engine: Engine | None = None,
        skip: bool = False,
    ) -> None:
        self.table = table
        self.keys: Mapping[str, Any] = dict(keys or {})
        self.progress = progress
        self.engine = engine or Local()
        self._skip = skip
        self._files = files_of(table)
        self._skipped = {} if self._files is None else dict(self._files.refused)
        self.skipped: tuple[tuple[str, str], ...] = tuple(sorted(self._skipped.items()))
        if not isinstance(self.engine, Local) and self._files is None:
            raise ArgumentTypeError(
                "an engine on other machines reads files, and this is a query, or a table in the memory of this process.\nWrite it "
                "to Parquet files that the workers see too and pass their names, or leave engine (--engine) out; a "
                "Spark DataFrame goes to xent.spark.evaluate."
            )
        self.reader = RowReader(columns, dict(keys or {}))
        self.names, self.kind, self.notes = columns.class_names, columns.kind, columns.notes
        self.label_names = columns.label_names
        self.weighted = columns.weight is not None
        self.rows = table.rows

    def first(self) -> tuple[Any, Any]:
        """The first rows of the first batch."""
        try:
            found = self._first_of_any() if self._skip else self.reader.first(self.table)
        except SourceError as error:
            error.one_of_several = self._files is not None and len(self._files.parts) > 1
            raise
        if found is None:
            raise ShapeError(
                "the data have no rows: there is nothing to score. Pass at least one row below the header."
            )
        if found[1].ndim == 2 and len(self.reader.columns.predictions) == 1:
            self.reader = replace(self.reader, list_size=found[1].shape[1])
        return found

    def _first_of_any(self) -> tuple[Any, Any] | None:
        """The first batch that can be read."""
        for fragment in self._fragments:
            with suppress(SourceError):
                table = fragment_table(fragment, self._schema, layout_of(self.table))
                if (found := self.reader.first(table)) is not None:
                    return found
        return self.reader.first(self.table)

    def distinct_labels(self) -> list[Any]:
        """Reads the label column alone."""
        return in_order(self._over(self._reading(self.reader.labels_alone, Labels())))

    def batches(self, order: Order) -> Iterator[Rows]:
        """Batches as the source gives them, cut to MOST_ROWS."""
        for rows in self.reader.ordered(order).rows(self.table):
            yield rows
            if self.progress is not None:
                self.progress(rows_of(rows.labels))

    def reduce(
        self,
        find: Any,
        order: Order,
        half: bool | None = None,
        checkpoint: Checkpoint | None = None,
        clusters: ClusterStore | None = None,
    ) -> Any:
        """Fragment by fragment, wherever the engine reads them."""
        found = self._over(self._reading(self.reader.ordered(order), find, half), checkpoint, clusters)
        return with_clusters(found, clusters)

    def _reading(self, reader: RowReader, find: Any, half: bool | None = None) -> Reading:
        return Reading(reader, self._schema, layout_of(self.table), find, half)

    @property
    def _columns(self) -> list[str]:
        """Those of the files."""
        layout, needed = layout_of(self.table), self.reader.needed
        return list(needed) if layout is None else layout.origins(needed)

    @property
    def _schema(self) -> pa.Schema:
        return self.table.schema if self._files is None else narrowed(self._files.schema, self._columns)

    def _over(
        self, reading: Reading, checkpoint: Checkpoint | None = None, clusters: ClusterStore | None = None
    ) -> Any:
        if self._files is None:
            if checkpoint is not None:
                checkpoint.start(reading.find.plan, reading.reader, [])
            threads = self.engine.workers if isinstance(self.engine, Local) else None
            find = reading.find if clusters is None else replace(reading.find, clusters=clusters)
            return replace(reading, find=find, workers=threads, progress=self.progress).of_table(self.table, [0])
        skipped = self._skipped if self._skip else None
        found = over_fragments(self.engine, reading, self._fragments, self.progress, skipped, checkpoint, clusters)
        if self._skipped:  # of a file all rows are in what is found, or none, and the same in every pass
            self.skipped = tuple(sorted(self._skipped.items()))
            self._fragments = [fragment for fragment in self._fragments if fragment.part.name not in self._skipped]
        return found

    @cached_property
    def _fragments(self) -> list[Fragment]:
        """Whole files where some may be skipped: their rows are all in, or all out."""
        target = WHOLE if self._skip else FRAGMENT_BYTES
        found = () if self._files is None else self._files.fragments(self._columns, target)
        if not isinstance(self.engine, Local):
            return [sendable(fragment, same_machine=False) for fragment in found]
        return [sendable(fragment, same_machine=True) for fragment in found] if self.engine.processes else list(found)


def _by_position(labels: Any, predictions: Any) -> tuple[Sentence, ...]:
    """A note where pandas names the rows of both, and in another way: names are not looked at."""
    one: Any = getattr(labels, "index", None)
    other: Any = getattr(predictions, "index", None)
    if not hasattr(one, "equals") or not hasattr(other, "equals") or one.equals(other):
        return ()
    return (sentence("note.index"),)


def _named_columns(labels: Any) -> tuple[tuple[str, ...] | None, Any]:
    """The class names of a table of labels, one column a class; (None, labels) for anything else."""
    if isinstance(labels, np.ndarray):
        return None, labels
    table = as_arrow("labels", labels)
    if not isinstance(table, pa.Table) or table.num_columns == 1:
        return None, labels
    names, _ = class_names(table.schema, tuple(table.column_names))
    return names, table
