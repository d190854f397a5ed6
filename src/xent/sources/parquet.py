"""Parquet files."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from xent.sources.detect import File
from xent.sources.failures import reading
from xent.sources.table import bytes_per_value, rows_per_batch
from xent.sources.types import is_list

__all__ = ["ParquetPart", "open_parquet"]

_SAMPLED_ROW_GROUPS = 16


@dataclass(frozen=True)
class ParquetPart:
    """One Parquet file."""

    name: str
    path: str
    schema: pa.Schema
    rows: int
    bytes: int
    format: str = "parquet"

    def read(self, schema: pa.Schema, batch_bytes: int) -> Iterator[pa.RecordBatch]:
        """Read the columns of `schema`, in its order."""
        with reading(self.name), _parquet_file(self.path) as file:
            size = sum(_bytes_per_row(file.metadata, field) for field in schema)
            rows = rows_per_batch(size, batch_bytes)
            for batch in file.iter_batches(batch_size=rows, columns=schema.names, use_threads=True):
                yield batch.select(schema.names)


def open_parquet(file: File) -> ParquetPart:
    """Read a Parquet file's footer."""
    with reading(file.name), _parquet_file(file.path) as parquet:
        return ParquetPart(
            file.name,
            file.path,
            parquet.schema_arrow.remove_metadata(),
            parquet.metadata.num_rows,
            file.bytes,
        )


def _parquet_file(path: str) -> Any:
    import pyarrow.parquet  # heavy, and needed for this format only

    # Without these two settings whole row groups are held in memory.
    return pyarrow.parquet.ParquetFile(path, buffer_size=1 << 20, pre_buffer=False, page_checksum_verification=True)


def _bytes_per_row(metadata: Any, field: pa.Field) -> float:
    """Give a column's size per row in memory, for strings and lists from the first row groups' metadata."""
    fixed = bytes_per_value(field.type)
    if fixed is not None:
        return fixed
    value = bytes_per_value(field.type.value_type) if is_list(field.type) else None
    rows, size = 0, 0.0
    for group in map(metadata.row_group, range(min(metadata.num_row_groups, _SAMPLED_ROW_GROUPS))):
        rows += group.num_rows
        for chunk in map(group.column, range(group.num_columns)):
            if f"{chunk.path_in_schema}.".startswith(f"{field.name}."):
                size += value * chunk.num_values if value else max(chunk.total_uncompressed_size, 16 * group.num_rows)
    return size / max(rows, 1)
