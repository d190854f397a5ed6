"""JSON Lines files, one object per line, also compressed.

The file is cut at line ends into chunks that pyarrow parses one by one, with the types settled beforehand.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from xent.errors import SourceError
from xent.sources.detect import File
from xent.sources.failures import place, reading
from xent.sources.places import Address, streamed
from xent.sources.table import resized
from xent.sources.types import wider_type

__all__ = ["JsonLinesPart", "open_json_lines"]

_CHUNK = 4 << 20
_ROW = re.compile(r"\bin row (\d+)")


@dataclass(frozen=True)
class JsonLinesPart:
    """One JSON Lines file."""

    name: str
    path: Address
    compression: str | None
    schema: pa.Schema
    rows: int | None
    bytes: int
    format: str = "json lines"

    def read(self, schema: pa.Schema, batch_bytes: int) -> Iterator[pa.RecordBatch]:
        """Read the columns of `schema`, in its order and as its types."""
        with reading(self.name):
            yield from resized(self._batches(schema), batch_bytes)

    def _batches(self, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
        first_row = 0
        for chunk in _chunks(self.path, self.compression):
            table = _parsed(self.name, chunk, schema, first_row).select(schema.names)
            first_row += table.num_rows
            yield from table.combine_chunks().to_batches()


def open_json_lines(file: File) -> JsonLinesPart:
    """Read the file once, which settles the type of every column and counts the rows."""
    with reading(file.name):
        types: dict[str, pa.DataType] = {}
        rows = 0
        for chunk in _chunks(file.path, file.compression):
            table = _parsed(file.name, chunk, None, rows)
            for field in table.schema:
                known, found = types.get(field.name, pa.null()), _plain(field.type)
                kind = wider_type(known, found)
                if kind is None:
                    row = rows + pc.index(pc.is_valid(table[field.name]), True).as_py()
                    raise SourceError(_changed(place(file.name, row, field.name), known, found))
                types[field.name] = kind
            rows += table.num_rows
        return JsonLinesPart(file.name, file.path, file.compression, pa.schema(types.items()), rows, file.bytes)


def _chunks(path: Address, compression: str | None) -> Iterator[bytes]:
    with streamed(path, compression) as stream:
        rest = b""
        while more := stream.read(_CHUNK):
            whole, end, cut = (rest + more).rpartition(b"\n")
            rest = cut
            if whole.strip():
                yield whole + end
        if rest.strip():
            yield rest


def _parsed(name: str, chunk: bytes, schema: pa.Schema | None, first_row: int) -> pa.Table:
    from pyarrow import json  # needed for this format only

    behaviour = "infer" if schema is None else "ignore"
    options = json.ParseOptions(explicit_schema=schema, unexpected_field_behavior=behaviour)
    try:
        block = json.ReadOptions(block_size=len(chunk) + 1, use_threads=False)
        table = json.read_json(pa.BufferReader(chunk), read_options=block, parse_options=options)
        table.validate(full=True)  # whether text is UTF-8
        return table
    except pa.ArrowInvalid as error:
        raise _translated(name, error, first_row) from error


def _plain(kind: pa.DataType) -> pa.DataType:
    """Leave dates as the text they are."""
    if pa.types.is_list(kind):
        return pa.list_(_plain(kind.value_type))
    return pa.string() if pa.types.is_temporal(kind) else kind


def _changed(where: str, known: pa.DataType, found: pa.DataType) -> str:
    return (
        f"{where} is {found}, but {known} in the rows before.\nWrite one type in all rows, for example all in quotes."
    )


def _translated(name: str, error: pa.ArrowInvalid, first_row: int) -> SourceError:
    text = " ".join(str(error).split()).rstrip(".")
    found = _ROW.search(text)
    row = f", row {first_row + int(found[1])} (counted from 0)" if found else ""
    return SourceError(
        f"{name}{row} cannot be read as JSON Lines: {_ROW.sub('', text).strip(' .')}.\nCorrect that line."
    )
