"""Which tool wrote a table, as far as its columns need another reading."""

from collections.abc import Sequence

import pyarrow as pa

from xent.errors import SourceError
from xent.sources.bigquery import bigquery_layout
from xent.sources.columns import Columns
from xent.sources.files import FileTable
from xent.sources.fragments import Fragment, FragmentTable
from xent.sources.layouts import Layout, Rearranged
from xent.sources.rows import refuse_text
from xent.sources.spark import spark_layout
from xent.sources.table import Table
from xent.sources.types import is_text

__all__ = ["as_written", "files_of", "fragment_table", "layout_of", "rearranged", "without_text"]


def rearranged(table: Table) -> Table:
    """The table as the rest of xent reads it; itself, where no layout is known.

    Raises:
        SourceError: the layout is known by its columns, and the first rows contradict it.
    """
    layout = spark_layout(table) or bigquery_layout(table)
    return table if layout is None else Rearranged.of(table, layout)


def as_written(table: Table, names: Sequence[str]) -> Table:
    """The table with keys as the text that files have, where types are only inferred: a key is the same in any file."""
    if isinstance(table, Rearranged):
        return Rearranged.of(as_written(table.table, names), table.layout)
    return table.as_written(names) if isinstance(table, FileTable) else table


def without_text(table: Table, columns: Columns) -> Table:
    """The table without files that have text in columns in which others have numbers to score, and with why that is so."""
    if not isinstance(table, FileTable):
        return table
    texts: dict[str, str] = {}
    numbers = [*columns.predictions, *filter(None, (columns.weight,))]
    for name in [name for name in numbers if is_text(table.schema.field(name).type)]:  # as soon as one file has text
        for part in table.parts:
            if name in part.schema.names and is_text(part.schema.field(name).type):
                try:
                    refuse_text(FileTable((part,), part.schema), name, lists=True)
                except SourceError as error:
                    texts.setdefault(part.name, str(error))
    return table.without(texts) if 0 < len(texts) < len(table.parts) else table


def files_of(table: Table) -> FileTable | None:
    """The files of a table, if it has any."""
    below = table.table if isinstance(table, Rearranged) else table
    return below if isinstance(below, FileTable) else None


def fragment_table(fragment: Fragment, schema: pa.Schema, layout: Layout | None) -> Table:
    """A fragment as a table of its own: `schema` are the file's columns, `layout` is the whole table's."""
    table = FragmentTable(fragment, schema)
    return table if layout is None else Rearranged.of(table, layout)


def layout_of(table: Table) -> Layout | None:
    """What is known of the columns beside their names and types."""
    return table.layout if isinstance(table, Rearranged) else None
