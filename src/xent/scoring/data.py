"""Rows to judge, in memory or in files: the first of them, the labels that occur, and all of them in batches."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from typing import Any, Protocol

import numpy as np
import pyarrow as pa

from xent.checks.predictions import Place
from xent.errors import ShapeError
from xent.kernels.pool import available_cpus
from xent.scoring.chunks import MOST_ROWS
from xent.scoring.inputs import (
    Rows,
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
from xent.scoring.memory import reused
from xent.sources.blocks import prediction_block
from xent.sources.columns import Columns, class_names
from xent.sources.rows import read_rows
from xent.sources.table import Batch, Table

__all__ = ["Data", "InFiles", "InMemory", "Progress"]

FIRST_ROWS = 1 << 14
Progress = Callable[[int], None]  # told how many rows were handed out since it was last called


class Data(Protocol):
    """What judging asks of a data set."""

    names: tuple[str, ...] | None  # of the classes, by prediction column
    label_names: tuple[str, ...] | None  # of the classes, by label column
    kind: str | None  # where column names tell it
    notes: tuple[str, ...]
    weighted: bool
    rows: int | None  # where it is known without reading them

    def first(self) -> tuple[Any, Any]:
        """Labels and predictions of some rows, at least one."""

    def distinct_labels(self) -> list[Any]:
        """All labels that occur, sorted."""

    def batches(self, order: tuple[int, ...], label_order: tuple[int, ...] | None) -> Iterator[Rows]:
        """All rows, with the prediction columns (and those of the labels) in this order."""


class InMemory:
    """Arrays, lists, data frames.

    Args:
        keys: what else is known of the rows, such as their "group" or "cluster": (rows,) each.
    """

    def __init__(
        self, labels: Any, predictions: Any, sample_weight: Any, keys: Mapping[str, Any] | None = None
    ) -> None:
        self.predictions = as_predictions(predictions)
        self.label_names, labels = _named_columns(labels)
        self.labels = as_labels(labels)
        rows = common_rows(self.labels, self.predictions)
        if rows == 0:
            raise ShapeError("predictions has no rows: there is nothing to score. Pass at least one row.")
        self.weights = as_weights(sample_weight, rows)
        self.weighted = self.weights is not None
        self.rows: int | None = rows
        self.keys = {name: as_keys(name, values, rows) for name, values in (keys or {}).items()}
        self.kind: str | None = None
        self.names: tuple[str, ...] | None = None
        self.columns: tuple[str, ...] | None = None
        self.notes: tuple[str, ...] = ()
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

    def batches(self, order: tuple[int, ...], label_order: tuple[int, ...] | None) -> Iterator[Rows]:
        """Slices; an array's columns have no names, so its order is that of the classes."""
        columns = None if self.columns is None or len(self.columns) == 1 else tuple(self.columns[i] for i in order)
        rows = rows_of(self.predictions)
        step = min(MOST_ROWS, max(FIRST_ROWS, -(-rows // (2 * available_cpus()))))  # enough for all threads
        columns = columns or self.columns
        for part in row_slices(self.labels, self.predictions, self.weights, columns, step, Place(), self.keys):
            yield part if label_order is None else part._replace(labels=part.labels[:, label_order])


class InFiles:
    """A table read batch by batch.

    Args:
        keys: the columns of what else is asked of the rows, such as {"group": "country"}.
    """

    def __init__(
        self, table: Table, columns: Columns, progress: Progress | None = None, keys: Mapping[str, str] | None = None
    ) -> None:
        self.table = table
        self.keys = dict(keys or {})
        self.columns = columns
        self.progress = progress
        self.names, self.kind, self.notes = columns.class_names, columns.kind, columns.notes
        self.label_names = columns.label_names
        self.list_size: int | None = None  # of list columns, once the first batch told it
        self.weighted = columns.weight is not None
        self.rows = table.rows

    def first(self) -> tuple[Any, Any]:
        """The first rows of the first batch."""
        for read in read_rows(self.table, self.columns):
            batch = replace(read, data=read.data.slice(0, FIRST_ROWS))
            block = self._block(batch, self.columns.predictions)
            return self._labels(batch, self.columns.labels), block
        raise ShapeError("the data have no rows: there is nothing to score. Pass at least one row below the header.")

    def distinct_labels(self) -> list[Any]:
        """Reads the label column alone."""
        found: set[Any] = set()
        for batch in self.table.batches(self.columns.labels):
            found.update(distinct(self._labels(batch, self.columns.labels)))
        return in_order(found)

    def batches(self, order: tuple[int, ...], label_order: tuple[int, ...] | None) -> Iterator[Rows]:
        """Batches as the source gives them, cut to MOST_ROWS."""
        several = len(self.columns.predictions) > 1
        predictions = tuple(self.columns.predictions[i] for i in order) if several else self.columns.predictions
        names = self.columns.labels if label_order is None else tuple(self.columns.labels[i] for i in label_order)
        columns = replace(self.columns, predictions=predictions)
        for batch in read_rows(self.table, columns, also=tuple(self.keys.values())):
            for start in range(0, batch.data.num_rows, MOST_ROWS):
                part = Batch(batch.source, batch.first_row + start, batch.data.slice(start, MOST_ROWS))
                labels, place = self._labels(part, names), Place(part.source or "", part.first_row)
                block = partial(self._block, part, predictions, partial(reused, "predictions"))
                keys = {name: part.data.column(column) for name, column in self.keys.items()}
                yield Rows(block, labels, self._weights(part), place, keys)
            if self.progress is not None:
                self.progress(batch.data.num_rows)

    def _weights(self, batch: Batch) -> Any:
        if self.columns.weight is None:
            return None
        weights = prediction_block(batch.data, self.columns.weight, source=batch.source, first_row=batch.first_row)
        return weights.astype(np.float64, copy=False)

    def _block(self, batch: Batch, names: tuple[str, ...], empty: Any = np.empty) -> Any:
        block = prediction_block(
            batch.data, names, classes=self.list_size, source=batch.source, first_row=batch.first_row, empty=empty
        )
        if block.ndim == 2 and len(names) == 1:
            self.list_size = block.shape[1]
        return block[:, 0] if block.shape[1:] == (1,) else block

    def _labels(self, batch: Batch, names: tuple[str, ...]) -> Any:
        column = batch.data.column(names[0])
        if len(names) == 1 and not pa.types.is_nested(column.type):
            return column
        return prediction_block(batch.data, names, source=batch.source, first_row=batch.first_row)


def _named_columns(labels: Any) -> tuple[tuple[str, ...] | None, Any]:
    """The class names of a table of labels, one column a class; (None, labels) for anything else."""
    if isinstance(labels, np.ndarray) or not hasattr(labels, "__arrow_c_stream__"):
        return None, labels
    table = as_predictions(labels)
    if not isinstance(table, pa.Table) or table.num_columns == 1:
        return None, labels
    names, _ = class_names(table.schema, tuple(table.column_names))
    return names, table
