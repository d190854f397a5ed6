"""Which tool wrote a table, as far as its columns need another reading."""

from xent.sources.bigquery import bigquery_layout
from xent.sources.layouts import Layout, Rearranged
from xent.sources.spark import spark_layout
from xent.sources.table import Table

__all__ = ["layout_of", "rearranged"]


def rearranged(table: Table) -> Table:
    """The table as the rest of xent reads it; itself, where no layout is known.

    Raises:
        SourceError: the layout is known by its columns, and the first rows contradict it.
    """
    layout = spark_layout(table) or bigquery_layout(table)
    return table if layout is None else Rearranged.of(table, layout)


def layout_of(table: Table) -> Layout | None:
    """What is known of the columns beside their names and types."""
    return table.layout if isinstance(table, Rearranged) else None
