"""What every source offers: a schema, and batches of a bounded size as often as they are asked for."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import pyarrow as pa

from xent.sources.places import Address

__all__ = ["BATCH_BYTES", "Batch", "Part", "Table", "bytes_per_value", "rows_per_batch", "sliced"]

BATCH_BYTES = 8 << 20
MOST_ROWS = 1 << 20


@dataclass(frozen=True)
class Batch:
    """Some consecutive rows of one source."""

    source: str | None  # the file's name as given, "-" for standard input, None for memory
    first_row: int  # number of `data`'s first row within that source, from 0
    data: pa.RecordBatch  # the columns asked for, in the order asked


class Table(Protocol):
    """One data set, whatever holds it."""

    @property
    def schema(self) -> pa.Schema:
        """Names and types of all columns."""

    @property
    def rows(self) -> int | None:
        """Number of rows where it is known without reading them."""

    @property
    def bytes(self) -> int | None:
        """Size on disk where there is one."""

    def batches(self, columns: Sequence[str], *, batch_bytes: int = BATCH_BYTES) -> Iterator[Batch]:
        """Read the columns from the first row on; may be called again."""


class Part(Protocol):
    """One file of a data set: everything needed to read it, nothing held open, so that it can be pickled."""

    @property
    def name(self) -> str:
        """The file's name as given."""

    @property
    def path(self) -> Address:
        """Where it is opened."""

    @property
    def schema(self) -> pa.Schema:
        """Names and types of this file's columns."""

    @property
    def rows(self) -> int | None:
        """Number of rows where it is known without reading them."""

    @property
    def bytes(self) -> int:
        """Size on disk."""

    @property
    def format(self) -> str:
        """What the file is; those of "csv" and "json lines" have types only by inference."""

    def read(self, schema: pa.Schema, batch_bytes: int) -> Iterator[pa.RecordBatch]:
        """Read the columns of `schema`, in its order and (text only) as its types."""


def rows_per_batch(bytes_per_row: float, batch_bytes: int) -> int:
    """Give how many rows of a size fit into a batch: at least 1, at most 2^20."""
    return int(min(max(batch_bytes / max(bytes_per_row, 1 / 8), 1), MOST_ROWS))


def bytes_per_value(kind: pa.DataType) -> float | None:
    """Give the size of one value of a type in memory; None where values differ in size."""
    if isinstance(kind, pa.BaseExtensionType):
        return bytes_per_value(kind.storage_type)
    if pa.types.is_dictionary(kind):
        return bytes_per_value(kind.index_type)
    if pa.types.is_fixed_size_list(kind):
        value = bytes_per_value(kind.value_type)
        return None if value is None else value * int(kind.list_size)
    try:
        return int(kind.bit_width) / 8
    except ValueError:  # strings, lists, structs
        return None


def sliced(batch: pa.RecordBatch, batch_bytes: int) -> Iterator[pa.RecordBatch]:
    """Cut a batch, without copying, into batches of about `batch_bytes`; none for an empty one."""
    if batch.num_rows == 0:
        return
    step = rows_per_batch(batch.get_total_buffer_size() / batch.num_rows, batch_bytes)
    if step < batch.num_rows:  # buffers may be shared with more rows than these: ask for the exact, slower size
        step = rows_per_batch(batch.nbytes / batch.num_rows, batch_bytes)
    for start in range(0, batch.num_rows, step):
        yield batch.slice(start, step)
