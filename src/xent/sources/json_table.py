"""JSON files that hold one table: {"columns": ["label", …], "data": [[0, …], …]}, as pandas calls it split.

W&B writes its tables so (`*.table.json`), and MLflow its evaluation tables (`eval_results_table.json`). Rows are parsed
one by one, never the whole file, and the types are settled on all of them.
"""

import codecs
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from xent.errors import SourceError
from xent.sources.detect import File
from xent.sources.failures import reading
from xent.sources.json_lines import open_json_lines
from xent.sources.places import Address, streamed
from xent.sources.table import Part, resized
from xent.sources.types import wider_type

__all__ = ["JsonTablePart", "is_json_table", "open_json"]

_CHUNK = 1 << 20
_VALUES = 1 << 17  # Python objects held at a time
_MOST_HEAD = 1 << 22  # of what comes before the rows, when looking whether there are any
_DECODER = json.JSONDecoder()


@dataclass(frozen=True)
class JsonTablePart:
    """One table in a JSON file."""

    name: str
    path: Address
    compression: str | None
    schema: pa.Schema
    rows: int | None
    bytes: int
    format: str = "json table"

    def read(self, schema: pa.Schema, batch_bytes: int) -> Iterator[pa.RecordBatch]:
        """Read the columns of `schema`, in its order and as its types."""
        at = [self.schema.get_field_index(name) for name in schema.names]
        with reading(self.name):
            yield from resized(self._batches(schema, at), batch_bytes)

    def _batches(self, schema: pa.Schema, at: list[int]) -> Iterator[pa.RecordBatch]:
        for rows in _chunks(self.name, self.path, self.compression, len(self.schema)):
            columns = list(zip(*rows, strict=True))
            arrays = [_array(columns[i], field.type) for i, field in zip(at, schema, strict=True)]
            yield pa.RecordBatch.from_arrays(arrays, schema=schema)


def open_json(file: File) -> Part:
    """Open a file that begins with a brace: one table, or a row per line."""
    with reading(file.name):
        if not is_json_table(file.path, file.compression):
            return open_json_lines(file)
        names = _names(file.path, file.compression)
        kinds: list[pa.DataType] = [pa.null()] * len(names)
        count = 0
        for rows in _chunks(file.name, file.path, file.compression, len(names)):
            for i, values in enumerate(zip(*rows, strict=True)):
                kinds[i] = wider_type(kinds[i], _type(values)) or pa.string()
            count += len(rows)
    return JsonTablePart(
        file.name, file.path, file.compression, pa.schema(zip(names, kinds, strict=True)), count, file.bytes
    )


def is_json_table(path: Address, compression: str | None) -> bool:
    """Whether a file's first object has a list of columns, and then rows that are lists."""
    with streamed(path, compression) as stream:
        text = _Text(stream, most=_MOST_HEAD)
        try:
            return _to_rows(text) is not None and text.next() in ("[", "]")
        except (ValueError, RecursionError):
            return False


class _Text:
    """A stream of JSON, read value by value."""

    def __init__(self, stream: Any, most: int | None = None) -> None:
        self.stream, self.most = stream, most
        self.decode = codecs.getincrementaldecoder("utf-8-sig")()
        self.text, self.at, self.taken = "", 0, 0

    def more(self) -> bool:
        """Read on; what was passed is forgotten."""
        rest = self.text[self.at :]
        chunk = self.stream.read(max(_CHUNK, len(rest)))  # twice as much each time, for the sake of long values
        self.taken += len(chunk)
        if self.most is not None and self.taken > self.most:
            raise ValueError("no row so far")
        self.text, self.at = rest + self.decode.decode(chunk, not chunk), 0
        return bool(chunk)

    def next(self) -> str:
        """The next character that is no space; empty at the end."""
        while True:
            while self.at < len(self.text) and self.text[self.at] in " \t\r\n":
                self.at += 1
            if self.at < len(self.text) or not self.more():
                return self.text[self.at : self.at + 1]

    def skip(self, wanted: str) -> None:
        """Pass one mark."""
        if self.next() != wanted:
            raise ValueError(f"{self.next()!r} where {wanted!r} should be")
        self.at += 1

    def value(self) -> Any:
        """The next value, whole."""
        self.next()
        while True:
            try:
                found, end = _DECODER.raw_decode(self.text, self.at)
            except ValueError:
                if not self.more():
                    raise
                continue
            if end == len(self.text) and self.more():  # a number may go on
                continue
            self.at = end
            return found


def _to_rows(text: _Text) -> list[str] | None:
    """Go to the first row, and give the names of the columns; None where there are none before it."""
    names = None
    text.skip("{")
    while text.next() == '"':
        key = text.value()
        text.skip(":")
        if key == "data":
            text.skip("[")
            return names
        value = text.value()
        if key == "columns" and isinstance(value, list):
            names = [str(one) for one in value]
        if text.next() == ",":
            text.skip(",")
    return None


def _names(path: Address, compression: str | None) -> list[str]:
    with streamed(path, compression) as stream:
        return _to_rows(_Text(stream)) or []


def _chunks(name: str, path: Address, compression: str | None, columns: int) -> Iterator[list[Sequence[Any]]]:
    """Rows, as many at a time as hold about `_VALUES` values."""
    held: list[Sequence[Any]] = []
    size = number = 0
    with streamed(path, compression) as stream:
        text = _Text(stream)
        try:
            _to_rows(text)
            while text.next() != "]":
                row = text.value()
                if not isinstance(row, list) or len(row) != columns:
                    found = f"{len(row)} values" if isinstance(row, list) else f"a {type(row).__name__}"
                    raise SourceError(
                        f"{name}, row {number} (counted from 0) has {found}, but there are {columns} columns.\nCorrect the row."
                    )
                held.append(row)
                number, size = number + 1, size + sum(len(one) if isinstance(one, list) else 1 for one in row)
                if size >= _VALUES:
                    yield held
                    held, size = [], 0
                if text.next() == ",":
                    text.skip(",")
        except (ValueError, RecursionError) as error:
            raise SourceError(
                f"{name}, row {number} (counted from 0) cannot be read as JSON: {error}.\nThe file may be cut short."
            ) from error
    if held:
        yield held


def _type(values: Sequence[Any]) -> pa.DataType:
    """What Arrow makes of the values; text where they go together in no other way."""
    try:
        return pa.array(values).type
    except (pa.ArrowException, OverflowError, TypeError, ValueError):
        return pa.string()


def _array(values: Sequence[Any], kind: pa.DataType) -> pa.Array:
    if pa.types.is_string(kind):
        values = [one if one is None or isinstance(one, str) else json.dumps(one) for one in values]
    return pa.array(values, kind)
