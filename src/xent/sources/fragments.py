"""Fragments: consecutive rows of a file that can be read apart from the rest, in another process or on another machine."""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pyarrow as pa

from xent.errors import SourceError
from xent.sources.detect import is_spooled
from xent.sources.names import narrowed
from xent.sources.partitions import Constants
from xent.sources.places import Remote, Version, version_of
from xent.sources.table import BATCH_BYTES, Batch, Part

__all__ = ["FRAGMENT_BYTES", "ChangedError", "Fragment", "FragmentTable", "sendable"]

FRAGMENT_BYTES = 32 << 20


class ChangedError(SourceError):
    """A file is not what it was when it was opened."""

    of_file = False


@dataclass(frozen=True)
class Fragment:
    """A file, or a piece of one: all that is needed to read it, nothing held open, so that it can be pickled."""

    part: Part  # that reads these rows alone
    first_row: int = 0  # how many rows of the file are before it
    extent: str = ""  # which piece, in words; none for a whole file
    constants: Constants | None = None  # columns that its folders tell
    version: Version | None = None  # of the file, when it was opened

    @property
    def name(self) -> str:
        """What it is called in messages."""
        return f"{self.part.name} ({self.extent})" if self.extent else self.part.name

    def batches(self, schema: pa.Schema, batch_bytes: int) -> Iterator[Batch]:
        """Read the columns of `schema`; none for a file without rows.

        Raises:
            SourceError: the file cannot be read.
        """
        first_row = self.first_row
        told = self.constants
        for data in told.read(self.part, schema, batch_bytes) if told else self.part.read(schema, batch_bytes):
            if data.num_rows:
                yield Batch(self.part.name, first_row, data)
                first_row += data.num_rows

    @property
    def is_near(self) -> bool:
        """Whether its file is of this machine."""
        return isinstance(getattr(self.part, "path", None), str)

    def refuse_changed(self) -> None:
        """Refuse rows of a file that is not what it was when it was opened: others may be of another version.

        Raises:
            ChangedError: it has been written to, or is gone.
            SourceError: where it is does not answer.
        """
        path = getattr(self.part, "path", None)
        if self.version is None or path is None or (isinstance(path, Remote) and path.on_web):
            return  # of what several web servers say of one file, nothing follows
        try:
            now = version_of(path)
        except OSError:
            now = None
        if now != self.version:
            raise ChangedError(
                f"{self.part.name} {'is gone' if now is None else 'has been written to'} since it was opened, so what was "
                "read may be of two versions.\nScore it again when nothing writes to it."
            )


@dataclass(frozen=True)
class FragmentTable:
    """A fragment as a table of its own."""

    fragment: Fragment
    schema: pa.Schema

    @property
    def rows(self) -> int | None:
        """Number of rows, where the file tells."""
        return self.fragment.part.rows

    @property
    def bytes(self) -> int:
        """Size on disk."""
        return self.fragment.part.bytes

    def batches(self, columns: Sequence[str], *, batch_bytes: int = BATCH_BYTES) -> Iterator[Batch]:
        """Read the columns; may be called again.

        Raises:
            SourceError: the file cannot be read.
        """
        yield from self.fragment.batches(narrowed(self.schema, columns), batch_bytes)


def sendable(fragment: Fragment, same_machine: bool) -> Fragment:
    """The same for a process in another folder, perhaps on another machine that has the file under the same path.

    Raises:
        SourceError: it is of standard input or a pipe, which only this machine has.
    """
    part: Any = fragment.part  # a dataclass
    if not isinstance(part.path, str):
        return fragment
    if is_spooled(part.path) and not same_machine:
        raise SourceError(
            f"{part.name} is a pipe, or was copied from where it cannot be read in pieces; the workers of a cluster cannot "
            "see the copy.\nWrite it to a file that they see, or leave --engine (engine=) out."
        )
    return replace(fragment, part=replace(part, path=os.path.abspath(part.path)))
