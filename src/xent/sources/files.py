"""Files as one table: several files, patterns and standard input are one data set."""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import pyarrow as pa

from xent.errors import SourceError
from xent.sources.csv_text import open_csv
from xent.sources.detect import File, find_files
from xent.sources.ipc import open_ipc_file, open_ipc_stream
from xent.sources.json_table import open_json
from xent.sources.names import listing, narrowed
from xent.sources.npz import open_npz
from xent.sources.parquet import open_parquet
from xent.sources.table import BATCH_BYTES, Batch, Part, Table
from xent.sources.types import wider_type

__all__ = ["FileTable", "open_files"]

_OPENERS: Mapping[str, Callable[[File], Part]] = {
    "csv": open_csv,
    "ipc file": open_ipc_file,
    "ipc stream": open_ipc_stream,
    "json lines": open_json,
    "npz": open_npz,
    "parquet": open_parquet,
}


@dataclass(frozen=True)
class FileTable:
    """Files with the same columns, one after the other."""

    parts: tuple[Part, ...]
    schema: pa.Schema

    @property
    def rows(self) -> int | None:
        """Number of rows, where every file tells its own."""
        known = [part.rows for part in self.parts if part.rows is not None]
        return sum(known) if len(known) == len(self.parts) else None

    @property
    def bytes(self) -> int:
        """Size on disk."""
        return sum(part.bytes for part in self.parts)

    def batches(self, columns: Sequence[str], *, batch_bytes: int = BATCH_BYTES) -> Iterator[Batch]:
        """Read the columns from the first row of the first file on; may be called again.

        Raises:
            SourceError: a file cannot be read, or there is no row at all.
        """
        schema = narrowed(self.schema, columns)
        empty = True
        for part in self.parts:
            first_row = 0
            for data in part.read(schema, batch_bytes):
                if data.num_rows:
                    yield Batch(part.name, first_row, data)
                    first_row += data.num_rows
                    empty = False
        if empty:
            names = listing([part.name for part in self.parts])
            raise SourceError(f"no rows in {names}.\nA data set needs at least one row.")


def open_files(paths: Sequence[str | os.PathLike[str]]) -> Table:
    """Open files as one table.

    Args:
        paths: file names; patterns (`preds/*.parquet`, `**` for any depth) stand for the files they match, sorted;
            `-` is standard input, kept in a temporary file until exit. CSV, Parquet, Arrow IPC (Feather), JSON Lines
            and .npz are told apart by content, then by name; CSV, JSON Lines and IPC streams may be compressed
            (gzip, zstd, bz2).

    Returns:
        A table that reads every column asked for as one type: files with types must agree on them; those of text
        files are settled on all their rows, and widened where one file has whole numbers and another has fractions.

    Raises:
        SourceError: a file is missing, empty, damaged, of unknown format, given twice, or disagrees with others.
    """
    parts = tuple(_OPENERS[file.format](file) for file in find_files(paths))
    for part in parts[1:]:
        _refuse_other_columns(parts[0], part)
    return FileTable(parts, pa.schema([(name, _agreed_type(name, parts)) for name in parts[0].schema.names]))


def _agreed_type(name: str, parts: Sequence[Part]) -> pa.DataType:
    """Give a column's type in all files: the same in each, or one that text of all of them can be read as."""
    formats = {part.format for part in parts}
    kind = _type_in(parts[0], name)
    for part in parts[1:]:
        found = _type_in(part, name)
        if found == kind:
            continue
        wider = wider_type(kind, found) if formats in ({"csv"}, {"json lines"}, {"json table"}) else None
        if wider is None and formats != {"csv"}:
            raise SourceError(
                f"column {name!r} is {kind} in {parts[0].name} but {found} in {part.name}.\n"
                "Files read as one data set need the same types: write them again, or read them one at a time."
            )
        kind = wider or pa.string()
    return kind


def _type_in(part: Part, name: str) -> pa.DataType:
    return part.schema.field(part.schema.get_all_field_indices(name)[0]).type


def _refuse_other_columns(first: Part, other: Part) -> None:
    """Names must agree; their order need not."""
    here, there = first.schema.names, other.schema.names
    if set(here) == set(there) and len(here) == len(there):
        return
    missing = listing([name for name in here if name not in there])
    more = listing([name for name in there if name not in here])
    raise SourceError(
        f"{other.name} has other columns than {first.name}: missing {missing}; more {more}.\n"
        "Files read as one data set need the same columns."
    )
