"""Arrow IPC: files (also called Feather version 2) and streams."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from xent.sources.detect import File
from xent.sources.failures import reading
from xent.sources.places import Address, opened, streamed
from xent.sources.plain_types import chosen_columns, plain_schema
from xent.sources.table import resized

__all__ = ["IpcFilePart", "IpcStreamPart", "open_ipc_file", "open_ipc_stream"]

_LARGE_BATCH = 64 << 20


@dataclass(frozen=True)
class IpcFilePart:
    """One file in the IPC file format, which knows where each of its batches is."""

    name: str
    path: Address
    schema: pa.Schema
    rows: int | None
    bytes: int
    mapped: bool  # batches too large to be copied into memory are mapped; their pages are the system's to drop
    format: str = "ipc"

    def read(self, schema: pa.Schema, batch_bytes: int) -> Iterator[pa.RecordBatch]:
        """Read the columns of `schema`, in its order."""
        fields = [self.schema.get_field_index(name) for name in schema.names]
        with reading(self.name), _ipc_file(self.path, self.mapped, fields) as reader:
            batches = map(reader.get_batch, range(reader.num_record_batches))
            yield from resized(_validated(batches, schema), batch_bytes)


@dataclass(frozen=True)
class IpcStreamPart:
    """One file in the IPC stream format, possibly compressed as a whole."""

    name: str
    path: Address
    compression: str | None
    schema: pa.Schema
    bytes: int
    rows: None = None
    format: str = "ipc"

    def read(self, schema: pa.Schema, batch_bytes: int) -> Iterator[pa.RecordBatch]:
        """Read the columns of `schema`, in its order."""
        fields = [self.schema.get_field_index(name) for name in schema.names]
        options = pa.ipc.IpcReadOptions(included_fields=fields)
        with reading(self.name), streamed(self.path, self.compression) as source:
            yield from resized(_validated(pa.ipc.open_stream(source, options=options), schema), batch_bytes)


def _validated(batches: Iterable[pa.RecordBatch], schema: pa.Schema) -> Iterator[pa.RecordBatch]:
    for batch in batches:
        batch.validate(full=True)  # offsets within a text column that is damaged may point anywhere
        yield chosen_columns(batch, schema)


def open_ipc_file(file: File) -> IpcFilePart:
    """Read an IPC file's footer."""
    with reading(file.name), _ipc_file(file.path, True, None) as reader:
        mapped = file.bytes > _LARGE_BATCH * max(reader.num_record_batches, 1)
        rows = reader.count_rows() if hasattr(reader, "count_rows") else None  # since pyarrow 19
        return IpcFilePart(file.name, file.path, _schema(reader), rows, file.bytes, mapped)


def open_ipc_stream(file: File) -> IpcStreamPart:
    """Read an IPC stream's schema."""
    with reading(file.name), streamed(file.path, file.compression) as source:
        schema = _schema(pa.ipc.open_stream(source))
        return IpcStreamPart(file.name, file.path, file.compression, schema, file.bytes)


def _schema(reader: Any) -> pa.Schema:
    """Made anew from its names, which fails here if they are no text."""
    return plain_schema(pa.schema([(field.name, field.type) for field in reader.schema]))


@contextmanager
def _ipc_file(path: Address, mapped: bool, fields: list[int] | None) -> Iterator[Any]:
    options = pa.ipc.IpcReadOptions(included_fields=fields)
    with pa.memory_map(path) if mapped and isinstance(path, str) else opened(path) as source:
        yield pa.ipc.open_file(source, options=options)
