"""The models to compare: their tables opened, their classes brought into one order."""

import os
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from xent.checks.names import by_name
from xent.errors import ArgumentTypeError, LabelError
from xent.scoring.data import Data, InFiles
from xent.scoring.passes import Progress
from xent.scoring.plan import Label
from xent.scoring.prepare import Prepared, open_table
from xent.sources.columns import choose_columns
from xent.sources.known import as_written, layout_of
from xent.sources.names import columns_of, find_column
from xent.sources.sql import Query

__all__ = ["Model", "open_models", "same_classes"]


class Model(NamedTuple):
    """A model's predictions, opened and looked at."""

    name: str
    data: Data
    prepared: Prepared
    order: tuple[int, ...]  # where each class of the first model is among this one's


def open_models(
    models: Sequence[Any],
    names: Sequence[str],
    *,
    label: str | Sequence[str] | None,
    prediction: str | Sequence[str] | None,
    sample_weight: str | None,
    keys: Mapping[str, str | None],
    progress: Progress | None,
) -> list[InFiles]:
    """The tables of all models; a weight, cluster or group is read from those that have it.

    Keys of files without types are whole numbers of 64 bits, or the text that is written there.

    Raises:
        SourceError: a file cannot be read, a column is missing or ambiguous, or no model has it.
        ArgumentTypeError: a model is an array, and there are no labels with it.
    """
    for position, model in enumerate(models):
        _refuse_bare_array(position, model)
    tables = [open_table(model) for model in models]
    asked = {key: column for key, column in {**keys, "weight": sample_weight}.items() if column is not None}
    some_have = {
        key for key, column in asked.items() if key != "on" and any(_has(table.schema, column) for table in tables)
    }
    opened = []
    for name, table in zip(names, tables, strict=True):
        with columns_of(name):
            found = {
                key: find_column(table.schema, column, f"--{key} NAME ({key}=)")
                for key, column in asked.items()
                if key not in some_have or _has(table.schema, column)
            }
            weight = found.pop("weight", None)
            columns = choose_columns(
                table.schema, label=label, prediction=prediction, weight=weight, layout=layout_of(table)
            )
        rounded = {name for name in found.values() if pa.types.is_floating(table.schema.field(name).type)}
        written = as_written(table, [*rounded.difference(columns.names)])
        opened.append(InFiles(written, columns, progress, found))
    return opened


def _has(schema: pa.Schema, column: str) -> bool:
    return column.lower() in map(str.lower, schema.names)


def _refuse_bare_array(position: int, model: Any) -> None:
    paths = model if isinstance(model, list | tuple) else [model]
    is_files = all(isinstance(path, str | os.PathLike) for path in paths) and len(paths) > 0
    if not (is_files or isinstance(model, Mapping | Query) or hasattr(model, "__arrow_c_stream__")):
        raise ArgumentTypeError(
            f"model {position} is of type {type(model).__name__}, which has predictions but no labels.\n"
            "Pass labels=... with arrays of predictions, or files or data frames that hold both."
        )


def same_classes(names: Sequence[str], prepared: Sequence[Prepared]) -> list[tuple[int, ...]]:
    """For each model, where each class of the first is among its own.

    Raises:
        LabelError: the classes are others, or rows have one label here and several there.
    """
    first, orders = prepared[0].plan, []
    for name, one in zip(names, prepared, strict=True):
        if (one.plan.task == "multilabel") != (first.task == "multilabel"):
            raise LabelError(
                f"{names[0]} is {first.task} and {name} {one.plan.task}: they do not predict the same thing.\n"
                "Pass task= (--task) to read both alike."
            )
        orders.append(_order(names[0], first.classes, name, one.plan.classes))
    return orders


def _order(first: str, classes: tuple[Label, ...], name: str, others: tuple[Label, ...]) -> tuple[int, ...]:
    order = by_name(classes, tuple(map(str, others)))
    if order is None:
        inverse = by_name(others, tuple(map(str, classes)))
        order = None if inverse is None else tuple(int(i) for i in np.argsort(inverse))
    if order is None:
        raise LabelError(
            f"{first} has {_shown(classes)} and {name} {_shown(others)}: losses over different classes do not compare.\n"
            "Name the prediction columns after the same classes, or pass classes=[...] (--classes) for all models."
        )
    return order


def _shown(classes: tuple[Label, ...]) -> str:
    return f"{len(classes)} classes ({', '.join(map(str, classes[:8]))}{', …' if len(classes) > 8 else ''})"
