"""Files as one table: several files, patterns and standard input are one data set."""

import os
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import compress
from typing import TypeVar

import pyarrow as pa

from xent.errors import SourceError
from xent.sources.csv_ranges import byte_range_fragments
from xent.sources.csv_text import CsvPart, open_csv
from xent.sources.detect import File, detected, names_of
from xent.sources.failures import shown
from xent.sources.fragments import FRAGMENT_BYTES, Fragment
from xent.sources.ipc import open_ipc_file, open_ipc_stream
from xent.sources.json_table import open_json
from xent.sources.names import listing, narrowed
from xent.sources.npz import open_npz
from xent.sources.parquet import open_parquet, row_group_fragments
from xent.sources.partitions import Constants, constant_columns
from xent.sources.places import Version
from xent.sources.table import BATCH_BYTES, Batch, Part
from xent.sources.types import is_numeric, wider_type

__all__ = ["FileTable", "open_files"]

Item = TypeVar("Item")
Made = TypeVar("Made")

_OPENERS: Mapping[str, Callable[[File], Part]] = {
    "ipc file": open_ipc_file,
    "ipc stream": open_ipc_stream,
    "json lines": open_json,
    "npz": open_npz,
    "parquet": open_parquet,
}
_SPLITTERS: Mapping[str, Callable[..., Iterator[Fragment]]] = {
    "csv": byte_range_fragments,
    "parquet": row_group_fragments,
}


@dataclass(frozen=True)
class FileTable:
    """Files with the same columns, one after the other."""

    parts: tuple[Part, ...]
    schema: pa.Schema
    refused: tuple[tuple[str, str], ...] = ()  # files left out, as asked, and why
    constants: tuple[Constants | None, ...] = ()  # what folders tell of each part; none of any where empty
    versions: Mapping[str, Version] = field(default_factory=dict)  # of the files, by name, when they were opened

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
        for part, told in self._told:
            whole = Fragment(part, constants=told, version=self.versions.get(part.name))
            for batch in whole.batches(schema, batch_bytes):
                yield batch
                empty = False
            whole.refuse_changed()
        if empty:
            names = listing([part.name for part in self.parts])
            raise SourceError(f"no rows in {names}.\nA data set needs at least one row.")

    def fragments(self, columns: Sequence[str], target: int = FRAGMENT_BYTES) -> Iterator[Fragment]:
        """The rows in pieces that can be read side by side, in order; each about `target` bytes of these columns.

        Raises:
            SourceError: a file cannot be read.
        """
        for part, told in self._told:
            own = [name for name in columns if name in part.schema.names]
            cut = _SPLITTERS[part.format](part, own, target) if part.format in _SPLITTERS else iter([Fragment(part)])
            version = self.versions.get(part.name)
            yield from (replace(piece, constants=told, version=version) for piece in cut)

    def as_written(self, names: Sequence[str]) -> "FileTable":
        """The same with columns as the text that they are in CSV files and names of folders, whatever other rows have.

        Raises:
            SourceError: some files are CSV, and others have another type.
        """
        parts = [
            replace(one, schema=_texts(one.schema, names)) if isinstance(one, CsvPart) else one for one in self.parts
        ]
        own = [name for name in names if name in parts[0].schema.names]
        told = _texts(self.schema, [name for name in names if name not in own])
        schema = pa.schema(
            [field.with_type(_agreed_type(field.name, parts)) if field.name in own else field for field in told]
        )
        constants = tuple(one and one.as_written(names) for one in self.constants)
        return replace(self, parts=tuple(parts), schema=schema, constants=constants)

    def without(self, refused: Mapping[str, str]) -> "FileTable":
        """The same without some files, but with one at least; why each is left out is noted."""
        kept = [part.name not in refused for part in self.parts]
        parts = tuple(compress(self.parts, kept))
        told = [field for field in self.schema if field.name not in parts[0].schema.names]
        schema = pa.schema([*_agreed_schema(parts), *told])
        constants = tuple(compress(self.constants, kept))
        return FileTable(parts, schema, (*self.refused, *refused.items()), constants, self.versions)

    @property
    def _told(self) -> Iterator[tuple[Part, Constants | None]]:
        return zip(self.parts, self.constants or (None,) * len(self.parts), strict=True)


def open_files(
    paths: Sequence[str | os.PathLike[str]], *, settle: bool = True, refused: dict[str, str] | None = None
) -> FileTable:
    """Open files as one table.

    Args:
        paths: file names; patterns (`preds/*.parquet`, `**` for any depth) stand for the files they match, sorted, and
            folders for the files below them, but those named _* or .*; `-` is standard input, kept in a temporary file
            until exit. Addresses (s3://, gs://, abfs://, hdfs://, https://) are files too, see docs/how-to/files.md. CSV, Parquet, Arrow IPC (Feather), JSON Lines
            and .npz are told apart by content, then by name; CSV, JSON Lines and IPC streams may be compressed
            (gzip, zstd, bz2).
        settle: False takes the types of CSV columns from the first block of each file; an UnsettledError says later
            where that was not enough.
        refused: where to note files that cannot be opened, or are unlike most of those that can, and why; None refuses
            to open any then.

    Returns:
        A table that reads every column asked for as one type: files with types must agree on them; those of text
        files are settled on all their rows, and widened where one file has whole numbers and another has fractions.

    Raises:
        SourceError: a file is missing, empty, damaged, of unknown format, given twice, or disagrees with others.
    """
    given = [os.fspath(path) for path in ([paths] if isinstance(paths, str | os.PathLike) else paths)]
    files = list(_kept(names_of(given), detected, shown, refused))
    _refuse_mixed_folders(files, given)
    opened = list(_kept(files, lambda file: _opened(file, settle), lambda file: file.name, refused))
    if not opened:
        raise SourceError("\n".join(["no file can be read.", *(refused or {}).values()]))
    model = _like_most(opened)
    parts = list(_kept(opened, lambda part: _like(model, part), lambda part: part.name, refused))
    schema = _agreed_schema(parts)
    constants, schema = constant_columns([part.name for part in parts], given, schema)
    versions = {file.name: file.version for file in files}
    return FileTable(tuple(parts), schema, tuple((refused or {}).items()), tuple(constants), versions)


def _kept(
    items: Sequence[Item], made: Callable[[Item], Made], name: Callable[[Item], str], refused: dict[str, str] | None
) -> Iterator[Made]:
    """What is made of each; where that fails it is noted, if there is where to."""
    for item in items:
        try:
            yield made(item)
        except SourceError as error:
            if refused is None:
                error.one_of_several = len(items) > 1
                raise
            refused[name(item)] = str(error)


def _opened(file: File, settle: bool) -> Part:
    return open_csv(file, settle=settle) if file.format == "csv" else _OPENERS[file.format](file)


def _like_most(parts: Sequence[Part]) -> Part:
    """The first of those whose columns most files have, whatever numbers these are; files without rows do not count."""
    parts = [part for part in parts if any(not pa.types.is_null(kind) for kind in part.schema.types)] or parts
    looks = [
        frozenset((field.name, "number" if is_numeric(field.type) else str(field.type)) for field in part.schema)
        for part in parts
    ]
    return parts[looks.index(Counter(looks).most_common(1)[0][0])]


def _like(model: Part, part: Part) -> Part:
    """The part, which has the columns of another, of types that can be read as one."""
    _refuse_other_columns(model, part)
    for column in () if part.schema == model.schema else part.schema.names:
        _agreed_type(column, (model, part))
    return part


def _agreed_schema(parts: Sequence[Part]) -> pa.Schema:
    return pa.schema([(name, _agreed_type(name, parts)) for name in parts[0].schema.names])


def _refuse_mixed_folders(files: Sequence[File], given: Sequence[str]) -> None:
    """A folder has the parts of one data set; what lies beside them in another format is not meant, or not all is."""
    for folder in given:
        formats: dict[str, list[str]] = {}
        for file in files:
            if file.name.startswith(f"{shown(folder).rstrip('/')}/"):
                formats.setdefault(file.format, []).append(file.name)
        if len(formats) > 1:
            found = "; ".join(f"{kind}: {listing(names)}" for kind, names in formats.items())
            raise SourceError(
                f"{shown(folder)} has files of several formats. {found}.\n"
                "Pass a pattern such as 'preds/**/*.parquet' that matches those that are meant."
            )


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


def _texts(schema: pa.Schema, names: Sequence[str]) -> pa.Schema:
    return pa.schema([field.with_type(pa.string()) if field.name in names else field for field in schema])


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
