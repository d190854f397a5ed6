"""NumPy .npz files, streamed out of the archive a batch at a time."""

import zipfile
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from tokenize import TokenError
from typing import IO, cast

import numpy as np
import pyarrow as pa

from xent.errors import SourceError
from xent.sources.arrays import arrow_array, arrow_type
from xent.sources.detect import File
from xent.sources.failures import reading
from xent.sources.table import rows_per_batch

__all__ = ["NpzPart", "open_npz"]


@dataclass(frozen=True)
class _Header:
    shape: tuple[int, ...]
    fortran: bool
    dtype: np.dtype

    @property
    def bytes_per_row(self) -> int:
        """Size of one row in the archive."""
        return self.dtype.itemsize * int(np.prod(self.shape[1:]))


@dataclass(frozen=True)
class NpzPart:
    """One .npz file; its arrays are the columns."""

    name: str
    path: str
    schema: pa.Schema
    rows: int | None  # None where the arrays differ in length; those read together must not
    bytes: int
    format: str = "npz"

    def read(self, schema: pa.Schema, batch_bytes: int) -> Iterator[pa.RecordBatch]:
        """Read the columns of `schema`, in its order."""
        with reading(self.name), ExitStack() as stack:
            archive = stack.enter_context(zipfile.ZipFile(self.path))
            files = [stack.enter_context(archive.open(f"{name}.npy")) for name in schema.names]
            headers = [_header(self.name, name, file) for name, file in zip(schema.names, files, strict=True)]
            for name, header in zip(schema.names, headers, strict=True):
                _refuse_other_values(self.name, name, header)
            rows = _common_rows(self.name, schema.names, headers)
            columns = [_Column(file, header) for file, header in zip(files, headers, strict=True)]
            step = rows_per_batch(sum(header.bytes_per_row for header in headers), batch_bytes)
            for start in range(0, rows, step):
                count = min(step, rows - start)
                arrays = [
                    arrow_array(column.take(count), field.type) for column, field in zip(columns, schema, strict=True)
                ]
                yield pa.RecordBatch.from_arrays(arrays, schema=schema)


class _Column:
    """Takes an array's rows one after the other."""

    def __init__(self, file: IO[bytes], header: _Header) -> None:
        self.file, self.header = file, header
        self.whole = self._whole() if header.fortran and len(header.shape) == 2 else None
        self.taken = 0

    def take(self, rows: int) -> np.ndarray:
        """Give the next rows."""
        self.taken += rows
        if self.whole is not None:
            return self.whole[self.taken - rows : self.taken]
        shape = (rows, *self.header.shape[1:])
        return np.frombuffer(self._read(rows * self.header.bytes_per_row), self.header.dtype).reshape(shape)

    def _whole(self) -> np.ndarray:
        """Columns after one another (Fortran order) cannot be cut into rows without all of them."""
        size = self.header.shape[0] * self.header.bytes_per_row
        return np.frombuffer(self._read(size), self.header.dtype).reshape(self.header.shape, order="F")

    def _read(self, size: int) -> bytes:
        content = self.file.read(size)
        if len(content) < size:
            raise EOFError(f"an array ends {size - len(content)} bytes early")
        return content


def open_npz(file: File) -> NpzPart:
    """Read the headers of all arrays that can be columns."""
    path = cast(str, file.path)  # what is elsewhere was copied
    with reading(file.name), zipfile.ZipFile(path) as archive:
        members = [member for member in archive.namelist() if member.endswith(".npy")]
        if not members:
            raise SourceError(f"{file.name} is a zip archive without arrays.\nUnpack it, or write it with numpy.savez.")
        headers = {}
        for member in members:
            with archive.open(member) as content:
                headers[member.removesuffix(".npy")] = _header(file.name, member.removesuffix(".npy"), content)
    headers = {name: header for name, header in headers.items() if len(header.shape) in (1, 2)}
    types = [(name, _type_of(name, header)) for name, header in headers.items()]
    lengths = {header.shape[0] for header in headers.values()}
    return NpzPart(file.name, path, pa.schema(types), lengths.pop() if len(lengths) == 1 else None, file.bytes)


def _header(source: str, name: str, file: IO[bytes]) -> _Header:
    try:
        version = np.lib.format.read_magic(file)
        read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        header = _Header(*read(file))
    except (ValueError, SyntaxError, TokenError) as error:
        raise SourceError(f"{source}, array {name!r} cannot be read: {error}.\nWrite the file again.") from error
    return header


def _type_of(name: str, header: _Header) -> pa.DataType:
    """An array's type; null where it can be no column, which matters only where it is asked for."""
    try:
        return arrow_type(name, header.dtype, header.shape)
    except SourceError:
        return pa.null()


def _refuse_other_values(source: str, name: str, header: _Header) -> None:
    if header.dtype.hasobject:
        raise SourceError(
            f"{source}, array {name!r} holds pickled objects, which are not loaded.\nSave it as numbers or strings."
        )
    if pa.types.is_null(_type_of(name, header)):
        step = "Save it as numbers, booleans or strings (array.astype(str))."
        raise SourceError(f"{source}, array {name!r} has dtype {header.dtype}, which cannot be a column.\n{step}")


def _common_rows(source: str, names: list[str], headers: list[_Header]) -> int:
    lengths = {name: header.shape[0] for name, header in zip(names, headers, strict=True)}
    if len(set(lengths.values())) > 1:
        said = ", ".join(f"{name!r} has {length}" for name, length in lengths.items())
        raise SourceError(f"{source}: the arrays differ in rows: {said}.\nAll columns need one value per row.")
    return next(iter(lengths.values()), 0)
