"""A table of predictions, cured: `xent recalibrate`."""

import json
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from xent.checks.names import order_of
from xent.checks.predictions import Place, refuse, refuse_empty_rows, refuse_entries
from xent.errors import ShapeError, StateError
from xent.formulas.cures import recalibrated
from xent.report.model import Cure
from xent.scoring.prepare import open_table
from xent.sources.blocks import prediction_block
from xent.sources.columns import choose_predictions
from xent.sources.known import layout_of
from xent.sources.types import is_list, value_type
from xent.sources.writing import TableWriter

__all__ = ["Recipe", "recalibrate_table"]


class Recipe(NamedTuple):
    """What a report says of how to cure the predictions it was made of."""

    classes: tuple[Any, ...]
    kind: str
    task: str
    clip: float | None
    normalize: bool
    cure: Cure | None

    @classmethod
    def from_json(cls, text: str, name: str) -> "Recipe":
        """Of a report's JSON; `name` is what messages call it.

        Raises:
            StateError: the text is no such report.
        """
        try:
            found: Mapping[str, Any] = json.loads(text)
            cure = found["cure"]
            cured = None if cure is None else Cure(float(cure["temperature"]), tuple(map(float, cure["offsets"])))
            return cls(tuple(found["classes"]), found["kind"], found["task"], found["clip"], found["normalize"], cured)
        except (ValueError, KeyError, TypeError) as error:
            raise StateError(
                f"{name} is no report that xent wrote: {error!r}.\nWrite one with xent score FILE --json > report.json."
            ) from error


def recalibrate_table(
    source: Any, recipe: Recipe, output: str, *, prediction: Any = None, progress: Callable[[int], None] | None = None
) -> int:
    """Write the table with its predictions cured and all else as it was; how many rows it has.

    Raises:
        SourceError: the table cannot be read, or its predictions not found.
        ShapeError: they are not of the classes that the cure is for.
    """
    table = open_table(source)
    names, found = choose_predictions(table.schema, prediction, layout_of(table))
    order = _order(recipe, names, found)
    rows = 0
    schema = pa.schema([_widened(field) if field.name in names else field for field in table.schema])
    with TableWriter(output, schema) as writer:
        for batch in table.batches(table.schema.names):
            block = prediction_block(batch.data, names, source=batch.source, first_row=batch.first_row)
            wide = block.astype(np.float64)
            _refuse(recipe, wide, Place(batch.source or "", batch.first_row, names))
            cured = recalibrated(wide if order is None else wide[:, order], recipe)
            back = cured if order is None else cured[:, np.argsort(order)]
            writer.write(_replaced(batch.data, schema, names, back))
            rows += batch.data.num_rows
            if progress is not None:
                progress(batch.data.num_rows)
    return rows


def _order(recipe: Recipe, names: tuple[str, ...], found: tuple[str, ...] | None) -> list[int] | None:
    """Where each class of the recipe is among the columns; None where they need no order."""
    if len(names) == 1:
        return None
    order = order_of(recipe.classes, names, found)
    if order is None:
        raise ShapeError(
            f"predictions have the columns {', '.join(names)}, but the report is of the classes "
            f"{', '.join(map(str, recipe.classes))}.\nRename the columns after the classes."
        )
    return list(order)


def _refuse(recipe: Recipe, block: NDArray[np.float64], place: Place) -> None:
    """Predictions that are not of the kind that was scored."""
    if recipe.normalize and block.ndim == 2 and recipe.kind == "probabilities":
        refuse_entries("weights", block, place)
        refuse_empty_rows(block.sum(axis=1), place)
    elif block.ndim == 2 and recipe.task != "multilabel":
        refuse(recipe.kind, block, place)
    else:
        refuse_entries(recipe.kind, block, place)


def _widened(field: pa.Field) -> pa.Field:
    """Whole numbers become floats when they are cured."""
    kind = value_type(field.type)
    if is_list(kind):
        return field if pa.types.is_floating(kind.value_type) else field.with_type(pa.list_(pa.float64()))
    return field if pa.types.is_floating(kind) else field.with_type(pa.float64())


def _replaced(data: pa.RecordBatch, schema: pa.Schema, names: tuple[str, ...], cured: Any) -> pa.RecordBatch:
    columns = dict(zip(data.schema.names, data.columns, strict=True))
    for i, name in enumerate(names):
        kind = schema.field(name).type
        if is_list(value_type(kind)):
            flat = pa.array(cured.reshape(-1))
            offsets = pa.array(np.arange(len(cured) + 1, dtype=np.int32) * cured.shape[1])
            columns[name] = pa.ListArray.from_arrays(offsets, flat).cast(kind)
        else:
            columns[name] = pa.array(cured if cured.ndim == 1 else cured[:, i]).cast(kind)
    return pa.RecordBatch.from_arrays([columns[field.name] for field in schema], schema=schema)
