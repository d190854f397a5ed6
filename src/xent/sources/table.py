"""What every source offers: a schema, and batches of a bounded size as often as they are asked for."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import pyarrow as pa

from xent.sources.places import Address

__all__ = ["BATCH_BYTES", "LONE_BATCH_BYTES", "Batch", "Part", "Table", "bytes_per_value", "resized", "rows_per_batch"]

BATCH_BYTES = 4_000_000  # less than 1,024 rows of 1,000 float32: the Parquet reader reserves powers of two
LONE_BATCH_BYTES = 8 << 20  # where one thread reads and scores: whatever is done by batch is done less often
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


def resized(batches: Iterable[pa.RecordBatch], batch_bytes: int) -> Iterator[pa.RecordBatch]:
    """The same rows in batches of about `batch_bytes`: large ones are cut, without copying, and small ones joined.

    A batch costs some 0.2 ms wherever it goes, however few its rows.
    """
    held: list[pa.RecordBatch] = []
    size = 0
    try:
        for batch in filter(len, batches):
            held.append(batch)
            size += batch.nbytes
            if size >= batch_bytes / 2:
                yield from _cut(_joined(held), size, batch_bytes)
                held, size = [], 0
    except Exception:
        if held:  # rows before the one that cannot be read are read all the same
            yield _joined(held)
        raise
    if held:
        yield _joined(held)


def _joined(batches: list[pa.RecordBatch]) -> pa.RecordBatch:
    return batches[0] if len(batches) == 1 else pa.Table.from_batches(batches).combine_chunks().to_batches()[0]


def _cut(batch: pa.RecordBatch, size: int, batch_bytes: int) -> Iterator[pa.RecordBatch]:
    step = rows_per_batch(size / batch.num_rows, batch_bytes)
    for start in range(0, batch.num_rows, step):
        yield batch.slice(start, step)
