"""Columns as other tools lay them out, turned into what is read here: numbers, lists, a column a class."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import pyarrow as pa

from xent.errors import SourceError
from xent.sources.failures import place
from xent.sources.names import narrowed
from xent.sources.table import BATCH_BYTES, Batch, Table

__all__ = ["Conversion", "Layout", "Meaning", "Place", "Rearranged", "first_batch"]

Place = Callable[[int], str]  # the words for a row of the batch at hand: "preds.parquet, row 7 …, column 'probability'"


@dataclass(frozen=True)
class Meaning:
    """What a layout says of columns of predictions."""

    name: str  # what the caller may call them
    columns: tuple[str, ...]  # what they are called once rearranged
    note: str
    classes: tuple[str, ...] | None = None  # one for each of several columns
    kind: str | None = None
    refusal: str | None = None  # why they cannot be scored


@dataclass(frozen=True)
class Conversion:
    """Columns in place of one."""

    fields: tuple[pa.Field, ...]
    convert: Callable[[pa.Array, Place], Sequence[pa.Array]]


@dataclass(frozen=True)
class Layout:
    """What a tool is known by, and what its columns mean."""

    meanings: tuple[Meaning, ...]  # the first is guessed, the others must be asked for
    conversions: Mapping[str, Conversion] = field(default_factory=dict)  # by the column that they replace
    label: str | None = None  # the column of the labels, where the layout names it
    explained: frozenset[str] = frozenset()  # what else is no prediction, whatever its name

    def origins(self, columns: Sequence[str]) -> list[str]:
        """The columns that these are made of."""
        origin = {one.name: old for old, made in self.conversions.items() for one in made.fields}
        return list(dict.fromkeys(origin.get(name, name) for name in columns))

    def asked(self, name: str | Sequence[str]) -> Meaning | None:
        """What a name of the caller's stands for."""
        return next((one for one in self.meanings if one.name == name or one.columns == tuple(name)), None)


@dataclass(frozen=True)
class Rearranged:
    """A table whose columns are converted batch by batch."""

    table: Table
    layout: Layout
    schema: pa.Schema

    @classmethod
    def of(cls, table: Table, layout: Layout) -> "Rearranged":
        """The table in this layout."""
        fields: list[pa.Field] = []
        for one in table.schema:
            conversion = layout.conversions.get(one.name)
            fields += [one] if conversion is None else conversion.fields
        return cls(table, layout, pa.schema(fields))

    @property
    def rows(self) -> int | None:
        """As the table itself."""
        return self.table.rows

    @property
    def bytes(self) -> int | None:
        """As the table itself."""
        return self.table.bytes

    def batches(self, columns: Sequence[str], *, batch_bytes: int = BATCH_BYTES) -> Iterator[Batch]:
        """Read the columns, converted; may be called again.

        Raises:
            SourceError: a value is not what the layout says; names file, row and column.
        """
        schema = narrowed(self.schema, columns)
        needed = self.layout.origins(schema.names)
        for batch in self.table.batches(needed, batch_bytes=batch_bytes):
            found: dict[str, pa.Array] = {}
            for name in needed:
                conversion = self.layout.conversions.get(name)
                if conversion is None:
                    found[name] = batch.data[name]
                    continue
                arrays = conversion.convert(batch.data[name], _place(batch, name))
                found |= {one.name: array for one, array in zip(conversion.fields, arrays, strict=True)}
            data = pa.RecordBatch.from_arrays([found[name] for name in schema.names], schema=schema)
            yield Batch(batch.source, batch.first_row, data)


def _place(batch: Batch, name: str) -> Place:
    return lambda row: place(batch.source, batch.first_row + row, name)


def first_batch(table: Table, column: str) -> pa.Array:
    """The first rows of a column, for what its values alone tell.

    Raises:
        SourceError: the table has no rows, or cannot be read.
    """
    for batch in table.batches([column], batch_bytes=1 << 16):
        return batch.data[column]
    raise SourceError("the table has no rows.\nA data set needs at least one row.")
