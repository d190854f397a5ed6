"""Batches of a table's columns → rows ready to be scored: how, and nothing of where, so that it can be sent anywhere."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from xent.checks.predictions import Place
from xent.kernels.by_column import ByColumn, stacked
from xent.scoring.chunks import MOST_ROWS
from xent.scoring.inputs import Rows
from xent.scoring.key_columns import countable
from xent.sources.blocks import prediction_block
from xent.sources.columns import Columns
from xent.sources.failures import place
from xent.sources.rows import read_rows
from xent.sources.table import BATCH_BYTES, Batch, Table, bytes_per_value
from xent.sources.types import is_list

__all__ = ["FIRST_ROWS", "Order", "RowReader"]

FIRST_ROWS = 1 << 14  # that kinds and labels are guessed from


class Order(NamedTuple):
    """Where each class's column is."""

    predictions: tuple[int, ...]
    labels: tuple[int, ...] | None = None  # where labels have a column a class, not in the classes' order


@dataclass(frozen=True)
class RowReader:
    """Which columns of a table are what, in the order of the classes."""

    columns: Columns
    keys: Mapping[str, str] = field(default_factory=dict)  # "group", "cluster": their columns
    label_columns: tuple[str, ...] | None = None  # those of the labels in the order of the classes; None: as they are
    list_size: int | None = None  # of list columns, once the first batch told it

    @property
    def needed(self) -> tuple[str, ...]:
        """All columns that are read."""
        return tuple(dict.fromkeys([*self.columns.names, *self.keys.values()]))

    def ordered(self, order: Order) -> "RowReader":
        """The same with the columns in this order."""
        columns, labels = self.columns, None
        if len(columns.predictions) > 1:
            columns = replace(columns, predictions=tuple(columns.predictions[i] for i in order.predictions))
        if order.labels is not None:
            labels = tuple(columns.labels[i] for i in order.labels)
        return replace(self, columns=columns, label_columns=labels)

    @property
    def labels_alone(self) -> "RowReader":
        """The same for who asks for labels only."""
        return replace(self, columns=replace(self.columns, predictions=(), weight=None), keys={})

    def first(self, table: Table) -> tuple[Any, Any] | None:
        """Labels and predictions of a table's first rows; None if it has none."""
        sizes = [
            bytes_per_value(table.schema.field(name).type) or BATCH_BYTES for name in replace(self, keys={}).needed
        ]
        enough = 2 * FIRST_ROWS * sum(sizes)  # sources that join small batches give half of what they are asked for
        for read in read_rows(table, self.columns, batch_bytes=int(min(BATCH_BYTES, enough))):
            batch = replace(read, data=read.data.slice(0, FIRST_ROWS))
            return self._labels(batch, self.columns.labels), self._block(batch)
        return None

    def rows(self, table: Table, batch_bytes: int = BATCH_BYTES) -> Iterator[Rows]:
        """Batches as the table gives them, cut to MOST_ROWS; predictions are made when they are asked for.

        Raises:
            SourceError: as `read_rows`.
        """
        names = self.label_columns or self.columns.labels
        for batch in read_rows(table, self.columns, also=tuple(self.keys.values()), batch_bytes=batch_bytes):
            for part in _parts(batch):
                labels = self._labels(part, names)
                where = Place(part.source or "", part.first_row, self.columns.predictions, names)
                block = partial(self._block, part, ByColumn)
                keys = {name: _key(part, column) for name, column in self.keys.items()}
                yield Rows(block, labels, self._weights(part), where, keys)

    def _weights(self, batch: Batch) -> Any:
        if self.columns.weight is None:
            return None
        weights = prediction_block(batch.data, self.columns.weight, source=batch.source, first_row=batch.first_row)
        return weights.astype(np.float64, copy=False)

    def _block(self, batch: Batch, join: Any = stacked, stop: int | None = None) -> Any:
        block = prediction_block(
            batch.data if stop is None else batch.data.slice(0, stop),
            self.columns.predictions,
            classes=self.list_size,
            source=batch.source,
            first_row=batch.first_row,
            join=join,
        )
        return block[:, 0] if block.shape[1:] == (1,) else block

    def _labels(self, batch: Batch, names: tuple[str, ...]) -> Any:
        column = batch.data.column(names[0])
        if len(names) == 1 and is_list(column.type) and pc.all(pc.equal(pc.list_value_length(column), 1)).as_py():
            return column.flatten()  # as an array (rows, 1)
        if len(names) == 1 and not pa.types.is_nested(column.type):
            return column
        return prediction_block(batch.data, names, source=batch.source, first_row=batch.first_row)


def _parts(batch: Batch) -> list[Batch]:
    """Up to MOST_ROWS rows each."""
    if batch.data.num_rows <= MOST_ROWS:
        return [batch]
    starts = range(0, batch.data.num_rows, MOST_ROWS)
    return [Batch(batch.source, batch.first_row + start, batch.data.slice(start, MOST_ROWS)) for start in starts]


def _key(batch: Batch, name: str) -> pa.Array:
    metadata = batch.data.schema.field(name).metadata
    cell = partial(_cell, batch, name)
    return countable(f"column {name!r}", batch.data.column(name), cell, metadata)


def _cell(batch: Batch, column: str, row: int) -> str:
    return place(batch.source, batch.first_row + row, column)
