"""Parquet files."""

import functools
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pyarrow as pa

from xent.sources.detect import File
from xent.sources.failures import reading
from xent.sources.fragments import Fragment
from xent.sources.places import Address, opened
from xent.sources.plain_types import chosen_columns, plain_schema
from xent.sources.table import bytes_per_value, rows_per_batch
from xent.sources.types import is_list

__all__ = ["ParquetPart", "open_parquet", "row_group_fragments"]

_SAMPLED_ROW_GROUPS = 16
_MOST_COMPRESSED = 8  # a file that many times smaller than a fragment is not opened only to see whether to cut it
_BUFFER = 1 << 14  # bytes of a column that are read ahead: few, that all of them stay in the cache
_ELSEWHERE, _LARGEST = 256 << 20, 1 << 20  # where each filling is a request: bytes of all columns, and of one
_NOTHING = pa.schema([])


@dataclass(frozen=True)
class ParquetPart:
    """One Parquet file, or some of its row groups."""

    name: str
    path: Address
    schema: pa.Schema
    rows: int
    bytes: int
    format: str = "parquet"
    row_groups: tuple[int, ...] | None = None  # None: all
    look: str = ""  # at the footer, in which these row groups were found

    def read(self, schema: pa.Schema, batch_bytes: int) -> Iterator[pa.RecordBatch]:
        """Read the columns of `schema`, in its order."""
        try:
            yield from self._batches(schema, batch_bytes)
        except (pa.ArrowException, OSError) as error:
            with reading(f"{self.name}{self._damage(schema.names)}"):
                raise error

    def _batches(self, schema: pa.Schema, batch_bytes: int) -> Iterator[pa.RecordBatch]:
        footer = _footer(self.path, self.look) if self.look else None
        with _parquet_file(self.path, len(schema), footer) as file:
            size = sum(_bytes_per_row(file.metadata, field) for field in schema)
            rows = rows_per_batch(size, batch_bytes)
            some = {} if self.row_groups is None else {"row_groups": self.row_groups}
            for batch in file.iter_batches(batch_size=rows, columns=schema.names, use_threads=not some, **some):
                yield chosen_columns(batch, schema)

    def _damage(self, columns: Sequence[str]) -> str:
        """Which chunk cannot be read, in words; none if that cannot be told."""
        try:
            file = _parquet_file(self.path)
            groups = range(file.metadata.num_row_groups) if self.row_groups is None else self.row_groups
        except (pa.ArrowException, OSError):
            return ""
        for group in groups:
            for column in columns:
                try:
                    for _ in file.iter_batches(row_groups=[group], columns=[column], use_threads=False):
                        pass
                except (pa.ArrowException, OSError):
                    return f", row group {group}, column {column!r}"
        return ""


def open_parquet(file: File) -> ParquetPart:
    """Read a Parquet file's footer."""
    with reading(file.name), _parquet_file(file.path) as parquet:
        return ParquetPart(
            file.name,
            file.path,
            plain_schema(parquet.schema_arrow.remove_metadata()),
            parquet.metadata.num_rows,
            file.bytes,
        )


def row_group_fragments(part: ParquetPart, columns: Sequence[str], target: int) -> Iterator[Fragment]:
    """Consecutive row groups that together have about `target` bytes of these columns."""
    if part.bytes < target // _MOST_COMPRESSED:
        yield Fragment(replace(part, schema=_NOTHING))
        return
    look = os.urandom(8).hex()
    with reading(part.name):
        footer = _footer(part.path, look)
        rows = [footer.row_group(index).num_rows for index in range(footer.num_row_groups)]
        width = sum(_bytes_per_row(footer, part.schema.field(name)) for name in columns)
    first_row, first, wanted = 0, 0, 0
    for last, count in enumerate(rows):
        wanted += count
        if wanted * width < target and last + 1 < len(rows):
            continue
        whole = (first, last + 1) == (0, len(rows))
        groups = None if whole else tuple(range(first, last + 1))
        piece = replace(part, schema=_NOTHING, row_groups=groups, rows=wanted, look=look)
        yield Fragment(piece, first_row, "" if whole else f"row groups {first} to {last}")
        first_row, first, wanted = first_row + wanted, last + 1, 0


@functools.lru_cache(maxsize=2)
def _footer(path: Address, look: str) -> Any:  # noqa: ARG001  (a later look may find another file there)
    """A footer, parsed once for all fragments that a process reads: its size grows with their number."""
    with _parquet_file(path) as file:
        return file.metadata


def _parquet_file(path: Address, columns: int = 1, footer: Any = None) -> Any:
    """A file of which so many columns are read at a time, each through a buffer of its own; its footer if it is known."""
    import pyarrow.parquet  # heavy, and needed for this format only

    local = isinstance(path, str)
    buffer = _BUFFER if local else min(_LARGEST, max(_ELSEWHERE // max(columns, 1), _BUFFER))
    # Without these two settings whole row groups are held in memory.
    source = path if local else opened(path)
    return pyarrow.parquet.ParquetFile(
        source, metadata=footer, buffer_size=buffer, pre_buffer=False, page_checksum_verification=True
    )


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
