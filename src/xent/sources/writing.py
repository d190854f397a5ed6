"""Tables written batch by batch: Parquet, CSV or Arrow, by the file's name."""

import os
from contextlib import suppress
from types import TracebackType
from typing import Any

import pyarrow as pa

from xent.errors import OptionError
from xent.sources.failures import reading
from xent.sources.types import value_type

__all__ = ["TableWriter"]

_FORMATS = (".parquet", ".pq", ".csv", ".arrow", ".feather")


class TableWriter:
    """A file that comes to be whole, or not at all.

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
        self.partial = f"{path}.partial"
        self.writer: Any = None

    def __enter__(self) -> "TableWriter":
        """Open the file beside its place."""
        with reading(self.path, "Check the folder and its permissions.", "written"):
            self.writer = self._opened()
        return self

    def _opened(self) -> Any:
        if self.suffix in (".parquet", ".pq"):
            import pyarrow.parquet  # heavy, as the others are

            return pyarrow.parquet.ParquetWriter(self.partial, self.schema)
        if self.suffix == ".csv":
            import pyarrow.csv

            return pyarrow.csv.CSVWriter(self.partial, self.schema)
        return pa.ipc.new_file(self.partial, self.schema)

    def write(self, batch: pa.RecordBatch) -> None:
        """Append rows."""
        with reading(self.path, "Check the free space.", "written"):
            self.writer.write_batch(batch)

    def __exit__(self, kind: type[BaseException] | None, _: BaseException | None, __: TracebackType | None) -> None:
        """Put the file in its place; after an error, take it away."""
        self.writer.close()
        if kind is None:
            os.replace(self.partial, self.path)
        else:
            with suppress(FileNotFoundError):
                os.unlink(self.partial)
