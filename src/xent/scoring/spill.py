"""Rows that do not fit in memory: kept as Arrow files, by the hash of a key, in a folder that goes away again."""

import os
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from xent.errors import SourceError
from xent.scoring.key_hash import key_hash
from xent.sources.left_behind import OwnedFolder

__all__ = ["LEVELS", "PARTS", "SMALL", "Partition", "Scratch", "Spool", "together"]

PARTS = 64  # files that rows are spread over at a time
LEVELS = 8  # times a partition that is still too large is spread again, by other bits of the hash
SMALL = 1 << 20  # bytes of a partition that is not spread further: each makes files, and a limit of a few bytes no end
_BITS = 6
_TOGETHER = 1 << 22  # bytes of small batches that are handed out as one


class Scratch:
    """A folder for files that is made when it is first needed, and removed with all that is in it, also on an error.

    It is where Python's `tempfile` puts folders: the environment variable TMPDIR chooses the disk. One that a killed process
    left there is removed by the next process that makes one.
    """

    def __init__(self) -> None:
        self.folder: OwnedFolder | None = None
        self._files: list[_File] = []

    def __enter__(self) -> "Scratch":
        """Nothing is made yet."""
        return self

    def __exit__(self, *_: object) -> None:
        """Remove the folder."""
        self.close()

    def close(self) -> None:
        """Remove the folder, if there is one."""
        for file in self._files:
            with suppress(OSError):  # a full disk: the file goes with the folder
                file.close()
        if self.folder is not None:
            self.folder.remove()
            self.folder = None

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Say what to do where the disk is full.

        Raises:
            SourceError: an OSError within.
        """
        try:
            yield
        except OSError as error:
            where = tempfile.gettempdir() if self.folder is None else self.folder.path
            full = SourceError(
                f"rows that do not fit in memory cannot be written to {where}: {error}.\nSet the environment variable TMPDIR to "
                "a folder on a larger disk, or raise max_memory (--max-memory)."
            )
            full.of_file = False
            raise full from error

    def file(self, schema: pa.Schema) -> "_File":
        """A new file for batches."""
        if self.folder is None:
            self.folder = OwnedFolder()
        self._files.append(_File(os.path.join(self.folder.path, f"{len(self._files)}.arrows"), schema))
        return self._files[-1]


class Partition(NamedTuple):
    """Some of a spool's rows: all those of a key, or none."""

    spool: "Spool"
    held: Sequence[pa.RecordBatch]
    path: str | None
    rows: int
    bytes: int

    def batches(self) -> Iterator[pa.RecordBatch]:
        """The rows, in batches of some megabytes."""
        if self.path is None:
            yield from self.held
            return
        with pa.OSFile(self.path, "rb") as file, pa.ipc.open_stream(file) as reader:
            kept: list[pa.RecordBatch] = []
            size = 0
            for batch in reader:
                kept.append(batch)
                size += batch.nbytes
                if size >= _TOGETHER:
                    yield together(kept)
                    kept, size = [], 0
            if kept:
                yield together(kept)

    def whole(self) -> pa.RecordBatch:
        """All rows as one batch."""
        return together(list(self.batches()), self.spool.schema)

    def split(self, keep: bool = False) -> list["Partition"]:
        """The same rows, spread by the next bits of the hash; this partition's file is gone then, unless it is to be kept."""
        finer = Spool(self.spool.scratch, self.spool.key, self.spool.level + 1)
        finer.schema = self.spool.schema
        finer.spill()
        for batch in self.batches():
            finer.add(batch)
        finer.finish()
        if self.path is not None and not keep:
            os.remove(self.path)
        return finer.partitions()


class Spool:
    """Batches of rows in memory, until `spill` sends them and all that follow to files.

    Args:
        scratch: where files go.
        key: the column, int64 or large text without missing values, whose hash chooses the file; None for one file.
    """

    def __init__(self, scratch: Scratch, key: str | None, level: int = 0) -> None:
        self.scratch = scratch
        self.key = key
        self.level = level
        self.held: list[pa.RecordBatch] = []
        self.held_bytes = 0
        self.rows = 0
        self.schema: pa.Schema | None = None
        self._files: dict[int, _File] | None = None

    @property
    def spilled(self) -> bool:
        """Whether rows go to files."""
        return self._files is not None

    def add(self, batch: pa.RecordBatch) -> None:
        """Keep a batch."""
        self.schema = self.schema or batch.schema
        self.rows += batch.num_rows
        if self._files is not None:
            self._write(batch)
            return
        self.held.append(batch)
        self.held_bytes += batch.nbytes

    def spill(self) -> None:
        """Write what is held, and from now on what is added."""
        if self._files is None:
            self._files = {}
            held, self.held, self.held_bytes = self.held, [], 0
            while held:
                self._write(held.pop())

    def finish(self) -> None:
        """Nothing will be added any more (though what is held may still be spilled)."""
        with self.scratch.writing():
            for file in (self._files or {}).values():
                file.close()

    def partitions(self) -> list[Partition]:
        """All rows: PARTS of them, some empty, after `spill` by a key; else one. Nothing can be added any more."""
        if self._files is None:
            return [Partition(self, self.held, None, self.rows, self.held_bytes)]
        self.finish()
        parts = range(PARTS if self.key is not None else 1)
        return [self._files[i].partition(self) if i in self._files else Partition(self, (), None, 0, 0) for i in parts]

    def _write(self, batch: pa.RecordBatch) -> None:
        assert self._files is not None
        with self.scratch.writing():
            for part, rows in self._spread(batch):
                if part not in self._files:
                    self._files[part] = self.scratch.file(batch.schema)
                self._files[part].write(rows)

    def _spread(self, batch: pa.RecordBatch) -> Iterator[tuple[int, pa.RecordBatch]]:
        if self.key is None:
            yield 0, batch
            return
        shift = np.uint64(58 - _BITS * self.level)
        part = ((key_hash(batch.column(self.key)) >> shift) & np.uint64(PARTS - 1)).astype(np.uint8)
        ordered = batch.take(pa.array(np.argsort(part, kind="stable")))
        ends = [0, *np.cumsum(np.bincount(part, minlength=PARTS)).tolist()]
        for i, (start, stop) in enumerate(pairwise(ends)):
            if stop > start:
                yield i, ordered.slice(start, stop - start)


def together(batches: Sequence[pa.RecordBatch], schema: pa.Schema | None = None) -> pa.RecordBatch:
    """Batches as one; none need the schema."""
    found = pa.Table.from_batches(batches, schema).combine_chunks().to_batches()
    return found[0] if found else pa.RecordBatch.from_pylist([], schema=schema or batches[0].schema)


class _File:
    """Batches on their way to a file."""

    def __init__(self, path: str, schema: pa.Schema) -> None:
        self.path = path
        self.rows = self.bytes = 0
        self._file = pa.OSFile(path, "wb")
        self._writer: Any = pa.ipc.new_stream(self._file, schema)

    def write(self, batch: pa.RecordBatch) -> None:
        self._writer.write_batch(batch)
        self.rows += batch.num_rows
        self.bytes += batch.nbytes

    def close(self) -> None:
        if not self._file.closed:
            try:
                self._writer.close()
            finally:
                self._file.close()

    def partition(self, spool: Spool) -> Partition:
        return Partition(spool, (), self.path, self.rows, self.bytes)
