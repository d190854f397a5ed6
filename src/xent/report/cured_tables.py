"""Tables of predictions, cured: their columns are matched by name, as they were when they were scored."""

import sys
from collections.abc import Sequence
from typing import Any

import numpy as np

from xent.checks.names import order_of, text_forms
from xent.errors import ShapeError
from xent.formulas.cures import Scored, recalibrated

__all__ = ["cured"]


def cured(predictions: Any, scored: Scored) -> Any:
    """An array's cure, or a table of the library and the columns given.

    Raises:
        ShapeError: some of the columns are named after classes, and others are not.
    """
    names = _names(predictions)
    if names is None:
        return recalibrated(predictions, scored)
    columns = [np.asarray(predictions[name]) for name in names]
    if len(columns) == 1:
        return _table_like(predictions, names, recalibrated(columns[0], scored)[:, None])
    order = _order(scored.classes, [str(name) for name in names])
    found = recalibrated(np.column_stack([columns[i] for i in order]), scored)
    return _table_like(predictions, names, found[:, np.argsort(order)])


def _order(classes: Sequence[Any], names: list[str]) -> Sequence[int]:
    """Where each class is among the columns; in the order that they have if none of them is named after a class."""
    order = order_of(classes, names)
    if order is not None:
        return order
    forms = tuple(form for label in classes for form in text_forms(label))
    numbered = names == [str(i) for i in range(len(names))]
    if len(names) == len(classes) and (numbered or not any(name.endswith(forms) for name in names)):
        return range(len(names))
    raise ShapeError(
        f"predictions has the columns {', '.join(names)}, but the report is of the classes "
        f"{', '.join(map(str, classes))}.\nName a column after each class, or pass an array in the order of report.classes."
    )


def _names(predictions: Any) -> list[Any] | None:
    """The columns of a DataFrame or an Arrow table; None for anything else."""
    if hasattr(predictions, "column_names"):
        return list(predictions.column_names)
    return list(predictions.columns) if hasattr(predictions, "columns") else None


def _table_like(table: Any, names: list[Any], values: Any) -> Any:
    pandas = sys.modules.get("pandas")
    if pandas is not None and isinstance(table, pandas.DataFrame):
        return pandas.DataFrame(values, index=table.index, columns=table.columns)
    columns = dict(zip(names, values.T, strict=True))
    return type(table).from_pydict(columns) if hasattr(table, "column_names") else type(table)(columns)
