"""Files that come to be whole or not at all, and tables in them: Parquet, CSV or Arrow, by the file's name."""

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import TracebackType
from typing import Any

import pyarrow as pa

from xent.errors import OptionError, SourceError
from xent.sources.failures import reading, shown
from xent.sources.types import value_type

__all__ = ["TableWriter", "refuse_no_file", "replacing"]

_FORMATS = (".parquet", ".pq", ".csv", ".arrow", ".feather")


def refuse_no_file(path: str) -> None:
    """Refuse to put a file in the place of a device, a pipe or a folder, or on another machine.

    Raises:
        SourceError: the path is of such a thing.
    """
    if "://" in path:
        raise SourceError(
            f"{shown(path)} cannot be written: it is no file of this machine.\nWrite one, and copy it there."
        )
    if os.path.exists(path) and not os.path.isfile(path):
        raise SourceError(f"{path} cannot be written: it is there, and is no file.\nName another.")


@contextmanager
def replacing(path: str) -> Iterator[str]:
    """The name of a file to write beside another, whose place it takes at the end; after an error nothing is left of it.

    Raises:
        SourceError: there is something that is no file.
    """
    refuse_no_file(path)
    partial = f"{path}.{os.getpid()}-{threading.get_ident()}.partial"
    try:
        yield partial
        os.replace(partial, path)
    except BaseException:
        with suppress(FileNotFoundError):
            os.unlink(partial)
        raise


class TableWriter:
    """A table that is written batch by batch.

    Raises:
        OptionError: the name does not tell a format that can be written, or one that cannot hold these columns.
    """

    def __init__(self, path: str, schema: pa.Schema) -> None:
        self.path, self.schema = path, schema
        self.suffix = os.path.splitext(path)[1].lower()
        if self.suffix not in _FORMATS:
            raise OptionError(f"{path} names no format that can be written; use one of {', '.join(_FORMATS)}.")
        lists = [field.name for field in schema if pa.types.is_nested(value_type(field.type))]
        if self.suffix == ".csv" and lists:
            raise OptionError(
                f"{path} cannot be written as CSV: column {lists[0]!r} has a list in each row, and CSV has none. Name a "
                ".parquet or .arrow file."
            )
        self.replacing = replacing(path)
        self.writer: Any = None

    def __enter__(self) -> "TableWriter":
        """Open the file beside its place."""
        with reading(self.path, "Check the folder and its permissions.", "written"):
            self.writer = self._opened(self.replacing.__enter__())
        return self

    def _opened(self, name: str) -> Any:
        if self.suffix in (".parquet", ".pq"):
            import pyarrow.parquet  # heavy, as the others are

            return pyarrow.parquet.ParquetWriter(name, self.schema)
        if self.suffix == ".csv":
            import pyarrow.csv

            return pyarrow.csv.CSVWriter(name, self.schema)
        return pa.ipc.new_file(name, self.schema)

    def write(self, batch: pa.RecordBatch) -> None:
        """Append rows."""
        with reading(self.path, "Check the free space.", "written"):
            self.writer.write_batch(batch)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Put the file in its place; after an error, take it away."""
        self.writer.close()
        self.replacing.__exit__(kind, error, trace)
