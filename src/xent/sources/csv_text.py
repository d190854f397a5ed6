"""CSV files, also with tabs or semicolons, also compressed.

pyarrow infers types from the first block only. Columns whose first block leaves a doubt (integers, booleans,
nothing at all) are therefore read once more to the end, before anything is computed; numbers with a point and text
cannot widen. Where all can start again, that is put off until a value turns up that does not fit. Every column keeps
its text unless it is a number or a boolean: no dates.
"""

import io
import re
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, TypeVar

import pyarrow as pa

from xent.errors import SourceError
from xent.sources.detect import File, copied_once
from xent.sources.failures import named, place, reading
from xent.sources.places import Address, streamed
from xent.sources.table import resized
from xent.sources.types import narrowest_type, wider_type

__all__ = ["CsvPart", "UnsettledError", "open_csv", "settling"]

T = TypeVar("T")

_BLOCK = 1 << 20  # larger ones parse no faster, and the reader holds some 70 at a time
_LINES_PER_BLOCK = 8
_COUNTED = 1 << 18  # stays in the cache
_CELL = re.compile(
    r"In CSV column #(\d+): Row #(\d+): CSV conversion error to (.+?): (?:invalid value )?(.*)", re.DOTALL
)
_LINE = re.compile(r"CSV parse error: Row #(\d+): Expected (\d+) columns, got (\d+)")


class UnsettledError(SourceError):
    """A CSV file is not as its beginning looked: open it again with `settle=True`, which will do, or say what is wrong."""

    of_file = False


def settling(work: Callable[[bool], T]) -> T:
    """What comes of `work(settle)`, tried without settling the types first: rarely do later lines differ from the first."""
    with copied_once():
        try:
            return work(False)
        except UnsettledError:
            return work(True)


@dataclass(frozen=True)
class CsvPart:
    """One CSV file, or some of its lines."""

    name: str
    path: Address
    compression: str | None
    delimiter: str
    block: int
    schema: pa.Schema
    rows: int | None
    bytes: int
    settled: bool = True  # whether types are those of all rows
    span: tuple[int, int] | None = None  # from which byte to which; None: all, with the header
    format: str = "csv"

    def read(self, schema: pa.Schema, batch_bytes: int) -> Iterator[pa.RecordBatch]:
        """Read the columns of `schema`, in its order and as its types."""
        rows = 0
        stream = streamed(self.path, self.compression, self.span)
        # Arrow reads ahead: from an object of Python, if only the first rows are wanted, perhaps until Python has ended.
        again = isinstance(self.path, str) and self.compression is None
        stream = stream if self.span is not None or again else _Quoted(stream)
        with reading(self.name), closing(stream):
            types = {field.name: field.type for field in schema}
            for batch in resized(_batches(self, types, stream), batch_bytes):
                rows += batch.num_rows
                yield batch
            if self.span is None and (_quotes(self.path) if again else stream.quotes) % 2:
                _refuse_open_quote(self, rows)
        if self.span is not None and rows != self.rows:
            raise UnsettledError(f"{self.name} has other lines than rows: {self.rows} lines make {rows} rows.")


def open_csv(file: File, *, settle: bool = True) -> CsvPart:
    """Read the header and settle the type of every column; without `settle`, as the first block has it."""
    with reading(file.name):
        header = _header(file)
        _refuse_other_encodings(file.name, header)
        block = max(_BLOCK, _LINES_PER_BLOCK * len(header))
        nothing = pa.schema([])
        part = CsvPart(file.name, file.path, file.compression, _delimiter(header), block, nothing, None, file.bytes)
        with _translating(part), _opened(part, {}) as reader:
            part = replace(part, schema=pa.schema([(field.name, _plain(field.type)) for field in reader.schema]))
        if not file.compression and file.bytes <= block:
            return replace(part, settled=settle)
        # A column that is empty at first may turn out to be numbers, and so be a guess for a prediction: look further.
        if settle or pa.null() in part.schema.types:
            part = _settled(part)
        return replace(part, settled=settle)


def _header(file: File) -> bytes:
    with streamed(file.path, file.compression) as stream:
        text = b""
        while b"\n" not in text and (more := stream.read(1 << 16)):
            text += more
    return bytes(text.split(b"\n", 1)[0])


def _refuse_other_encodings(name: str, header: bytes) -> None:
    try:
        header.decode()
    except UnicodeDecodeError as error:
        raise SourceError(f"the header of {name} is not UTF-8 text.\nWrite the file again as UTF-8.") from error


def _delimiter(header: bytes) -> str:
    """Take tabs where the header has any, else commas, else semicolons."""
    bare = re.sub(rb'"[^"]*"', b"", header)  # names in quotes may have any of them
    return next((mark for mark in "\t,;" if mark.encode() in bare), ",")


def _plain(kind: pa.DataType) -> pa.DataType:
    """Keep numbers and booleans; leave dates, times and the like as the text they are."""
    known = pa.types.is_null(kind) or pa.types.is_integer(kind) or pa.types.is_boolean(kind)
    return kind if known or pa.types.is_floating(kind) else pa.string()


def _settled(part: CsvPart) -> CsvPart:
    """Read the columns that could still widen to the end, which also counts the rows."""
    names = part.schema.names
    fields = {field.name: field.type for field in part.schema if names.count(field.name) == 1}
    unsure = {name: kind for name, kind in fields.items() if kind not in (pa.float64(), pa.string())}
    if not unsure:
        return part
    try:
        with _opened(part, unsure) as reader:
            return replace(part, rows=sum(batch.num_rows for batch in reader))
    except pa.ArrowInvalid:  # some value does not fit its column's type
        rows = 0
        for batch in _batches(part, dict.fromkeys(unsure, pa.string())):
            rows += batch.num_rows
            for name, kind in unsure.items():
                unsure[name] = wider_type(kind, narrowest_type(batch[name], kind)) or pa.string()
    types = [(field.name, unsure.get(field.name, field.type)) for field in part.schema]
    return replace(part, schema=pa.schema(types), rows=rows)


class _Quoted:
    """A stream whose quotes are counted as it is read."""

    def __init__(self, stream: Any) -> None:
        self.stream, self.quotes, self.closed = stream, 0, False

    def read(self, size: int = -1) -> bytes:
        """As a file's."""
        block: bytes = self.stream.read(size)
        self.quotes += block.count(b'"')
        return block

    def close(self) -> None:
        """As a file's."""
        self.closed = True
        self.stream.close()


def _quotes(path: Address) -> int:
    with streamed(path, None) as stream:
        return sum(block.count(b'"') for block in iter(partial(stream.read, _COUNTED), b""))


def _refuse_open_quote(part: CsvPart, rows: int) -> None:
    """A quote that is never closed, which makes one cell of all lines behind it; marks within a cell may be odd, too."""
    with streamed(part.path, part.compression) as stream:
        lines = sum(bool(line.strip()) for line in io.BufferedReader(stream)) - 1
    if lines > rows:
        raise SourceError(
            f"{named(part.name)} has a quote that is never closed: it has {lines:,} lines behind the header, and only {rows:,} rows.\n"
            "Close it, or remove it."
        )


def _batches(part: CsvPart, types: dict[str, pa.DataType], stream: Any = None) -> Iterator[pa.RecordBatch]:
    with _translating(part), _opened(part, types, stream) as reader:
        yield from reader


def _opened(part: CsvPart, types: dict[str, pa.DataType], stream: Any = None) -> Any:
    from pyarrow import csv  # needed for this format only

    names = None if part.span is None else part.schema.names
    return csv.open_csv(
        streamed(part.path, part.compression, part.span) if stream is None else stream,
        # One thread is as fast in this reader (measured), and only then do its errors know the row.
        read_options=csv.ReadOptions(block_size=part.block, use_threads=False, column_names=names),
        # Pieces have none within quotes, or are refused.
        parse_options=csv.ParseOptions(delimiter=part.delimiter, newlines_in_values=part.span is None),
        # An empty cell is missing. "NA" and "null" are text: a class may be called so, and a number may not.
        convert_options=csv.ConvertOptions(
            include_columns=list(types),
            column_types=types,
            null_values=[""],
            strings_can_be_null=True,
            quoted_strings_can_be_null=False,
        ),
    )


@contextmanager
def _translating(part: CsvPart) -> Iterator[None]:
    try:
        yield
    except pa.ArrowInvalid as error:
        if part.span is not None or not part.settled:  # where exactly, and whether at all, all rows in order will tell
            raise UnsettledError(f"{named(part.name)} is not as it began: {error}.") from error
        raise SourceError(_explained(part, str(error))) from error


def _explained(part: CsvPart, text: str) -> str:
    """Say in which row, counted from 0 without the header, the reader gave up."""
    names = part.schema.names
    if (cell := _CELL.search(text)) and int(cell[1]) < len(names):
        where = place(part.name, int(cell[2]) - 2, names[int(cell[1])])
        if cell[4] == "invalid UTF8 data":
            return f"{where} is not UTF-8 text.\nWrite the file again as UTF-8."
        return f"{where} is {cell[4]}, not a {_spoken(cell[3])}.\nCorrect or remove the row."
    if line := _LINE.search(text):
        counts = f"row {int(line[1]) - 2} (counted from 0) has {_fields(line[3])} where the header has {line[2]}"
        return f"{named(part.name)}, {counts}.\nCorrect the row, or check the quotes before it."
    if "straddling" in text:
        return f"{named(part.name)} has a row too long to read.\nCheck for a quote that is never closed."
    if "Empty CSV" in text:
        return f"{named(part.name)} has no row below its first line.\nA file needs a header line and at least one row."
    return f"{named(part.name)} cannot be read as CSV: {' '.join(text.split())[:300]}.\nCheck the file."


def _fields(count: str) -> str:
    return "1 field" if count == "1" else f"{count} fields"


def _spoken(kind: str) -> str:
    return {"double": "number", "int64": "whole number", "bool": "boolean", "null": "missing value"}.get(kind, kind)
