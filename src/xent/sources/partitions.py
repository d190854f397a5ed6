"""Columns that the names of folders tell: `day=2026-01-01/part-0.parquet`, as Hive and Spark write them."""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from urllib.parse import unquote

import pyarrow as pa
import pyarrow.compute as pc

from xent.errors import SourceError
from xent.sources.failures import shown
from xent.sources.names import listing
from xent.sources.places import address_of
from xent.sources.table import Part
from xent.sources.types import is_numeric

__all__ = ["Constants", "constant_columns", "folder_above"]

_MISSING = "__HIVE_DEFAULT_PARTITION__"


@dataclass(frozen=True)
class Constants:
    """What the folders of one file tell: the same value in each of its rows."""

    values: tuple[tuple[str, int | str | None], ...]
    beside: pa.Field  # a column of the file, read where no other is, as it tells the number of rows
    twice: tuple[tuple[str, str | None], ...] = ()  # what they tell of columns that the file has itself

    def read(self, part: Part, schema: pa.Schema, batch_bytes: int) -> Iterator[pa.RecordBatch]:
        """Read a file's columns, with these among them.

        Raises:
            SourceError: the file cannot be read, or has another value than its folder says.
        """
        told = dict(self.values)
        wanted = pa.schema([field for field in schema if field.name not in told] or [self.beside])
        for batch in part.read(wanted, batch_bytes):
            for key, text in self.twice:
                if key in schema.names:
                    _refuse_another(part.name, key, text, batch.column(key))
            columns = [
                pa.repeat(pa.scalar(told[field.name], field.type), batch.num_rows)
                if field.name in told
                else batch.column(field.name)
                for field in schema
            ]
            yield pa.RecordBatch.from_arrays(columns, names=schema.names)

    def as_written(self, names: Sequence[str]) -> "Constants":
        """The same with the text that the folders have for these columns."""
        texts = tuple((key, str(one) if key in names and isinstance(one, int) else one) for key, one in self.values)
        return replace(self, values=texts)


def constant_columns(
    names: Sequence[str], given: Sequence[str], schema: pa.Schema
) -> tuple[list[Constants | None], pa.Schema]:
    """What the folders below those given tell of each file, and the columns that this adds to the schema.

    Whole numbers are numbers where all are, and written without leading zeros; all else is text. A column that the files
    have too is theirs, and must say the same.

    Raises:
        SourceError: some files are in such folders and others are not.
    """
    folders = [f"{_path(folder).rstrip('/')}/" for folder in given]
    told = [_keys(_path(name), folders) for name in names]
    for name, keys in zip(names, told, strict=True):
        if keys.keys() != told[0].keys():
            raise SourceError(
                f"folders tell {listing(list(told[0]))} of {shown(names[0])}, but {listing(list(keys))} of {shown(name)}.\n"
                "Pass folders of one depth, or a pattern for the files, which reads no columns from folders."
            )
    added = [key for key in told[0] if key not in schema.names]
    if not told[0]:
        return [None] * len(names), schema
    whole = {key: all(keys[key] is None or _is_whole(keys[key]) for keys in told) for key in added}
    values = [
        tuple((key, int(text) if whole[key] and text is not None else text) for key in added for text in [keys[key]])
        for keys in told
    ]
    fields = [*schema, *(pa.field(key, pa.int64() if whole[key] else pa.string()) for key in added)]
    twice = [tuple((key, text) for key, text in keys.items() if key not in added) for keys in told]
    found: list[Constants | None] = [
        Constants(one, schema.field(0), both) for one, both in zip(values, twice, strict=True)
    ]
    return found, pa.schema(fields)


def folder_above(column: str, names: Sequence[str]) -> str | None:
    """The folder above those of the first file that tell columns, this one among them."""
    for name in names:
        folders = shown(name).replace("\\", "/").split("/")[:-1]
        telling = [unquote(folder).partition("=")[:2] for folder in folders]
        if (column, "=") in telling:
            first = next(depth for depth, (key, mark) in enumerate(telling) if key and mark)
            return "/".join(folders[:first]) or "."
    return None


def _refuse_another(name: str, key: str, text: str | None, column: pa.Array) -> None:
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    first = pc.index(_says(column, text), False).as_py()
    if first >= 0:
        raise SourceError(
            f"{name} has {column[first].as_py()!r} in its column {key!r}, but is in a folder that says {text!r}.\nRename one of "
            "them, or pass a pattern for the files, which reads no columns from folders."
        )


def _says(column: pa.Array, text: str | None) -> pa.Array:
    """Where a column has what a text means, as its own type or as a number; of types that no text is made into, everywhere."""
    if text is None:
        return column.is_null(nan_is_null=True)
    found = []
    for kind in (column.type, pa.float64()):
        with suppress(pa.ArrowInvalid, pa.ArrowNotImplementedError, pa.ArrowTypeError):
            found.append(pc.equal(column.cast(kind), pa.scalar(text).cast(kind)).fill_null(False))
    if not found:
        return pa.repeat(not (is_numeric(column.type) or pa.types.is_boolean(column.type)), len(column))
    return found[0] if len(found) == 1 else pc.or_(*found)


def _path(name: str) -> str:
    """A name as the file system has it: addresses are quoted once more."""
    if name.lower().startswith("file://"):
        return str(address_of(name))
    return unquote(shown(name)) if "://" in name else name


def _keys(name: str, folders: Sequence[str]) -> dict[str, str | None]:
    folder = next((folder for folder in folders if name.startswith(folder)), None)
    if folder is None:
        return {}
    pairs = [part.partition("=") for part in name[len(folder) :].replace("\\", "/").split("/")[:-1]]
    return {unquote(key): None if value == _MISSING else unquote(value) for key, mark, value in pairs if mark and key}


def _is_whole(text: str | None) -> bool:
    return text is not None and text.removeprefix("-").isdecimal() and str(int(text)) == text and abs(int(text)) < 2**63
