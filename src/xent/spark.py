"""Spark DataFrames that exist only as a plan: their rows are scored where Spark has them, and only sums come back.

Rows that are in files are scored several times faster from there: `xent.scan(files, engine=spark)`.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import chain
from typing import Any, Literal, NamedTuple

import pyarrow as pa

from xent.engines.spark import RESULTS, collected, merged_by_place, result_batch
from xent.errors import ArgumentTypeError, OptionError, ShapeError, XentError
from xent.report.model import Report
from xent.scoring.cluster_store import ClusterStore
from xent.scoring.data import FIRST_ROWS
from xent.scoring.judge import judged
from xent.scoring.labels import in_order
from xent.scoring.passes import Failure, Labels, Outcome, Reading, merged
from xent.scoring.plan import Kind, Label, Task
from xent.scoring.row_reader import Order, RowReader
from xent.scoring.totals import Total
from xent.sources.columns import choose_columns
from xent.sources.frames import open_frame
from xent.sources.names import find_column, narrowed
from xent.sources.table import BATCH_BYTES, Batch, resized

__all__ = ["evaluate"]


def evaluate(
    frame: Any,
    *,
    label: str | Sequence[str] | None = None,
    prediction: str | Sequence[str] | None = None,
    sample_weight: str | None = None,
    kind: Kind | Literal["auto"] = "auto",
    task: Task | Literal["auto"] = "auto",
    classes: Sequence[Label] | None = None,
    group: str | None = None,
    cluster: str | None = None,
    unit: str | None = None,
    normalize: bool = False,
    clip: float | None = None,
    top: int = 10,
    brief: bool | None = None,
    holdout: bool = False,
) -> Report:
    """Judge the rows of a Spark DataFrame, classic or Connect.

    Each pass over the rows is a job: one if `brief`, some more for what the loss is made of. Cache the DataFrame if
    its plan is dear. Its rows have no numbers, so the worst are listed without. However Spark cuts the rows, all
    else is the same, bit for bit.

    Args:
        frame: the DataFrame. Columns of Spark ML vectors are read as lists.
        label, prediction, sample_weight, group, cluster: its columns, as in `xent.scan`.
        kind, task, classes, unit, normalize, clip, top, brief: as in `xent.evaluate`.
        holdout: as there; needs `cluster`, by which the rows are then halved.

    Returns:
        The report.

    Raises:
        XentError: as `xent.scan`; a message counts rows from 0 in the DataFrame's partition that it names.
        EngineError: the job failed.
    """
    if holdout and cluster is None:
        raise OptionError(
            "holdout halves the rows by their number, which those of a DataFrame do not have. Pass cluster= as well, or "
            "write the rows to Parquet files for xent.scan."
        )
    keys = {name: column for name, column in (("group", group), ("cluster", cluster)) if column is not None}
    data = _InSpark(frame, label, prediction, sample_weight, keys)
    options = {"normalize": normalize, "clip": clip, "top": top, "brief": brief}
    return judged(data, kind, task, classes, unit, holdout, options)


class _InSpark:
    """The rows of a DataFrame, as `xent.scoring.data.Reducible` asks for them."""

    def __init__(
        self,
        frame: Any,
        label: str | Sequence[str] | None,
        prediction: str | Sequence[str] | None,
        weight: str | None,
        keys: dict[str, str],
    ) -> None:
        self.frame = _without_vectors(frame)
        beginning = self.frame.limit(FIRST_ROWS).toArrow()
        if beginning.num_rows == 0:
            raise ShapeError("the DataFrame has no rows: there is nothing to score. Pass at least one row.")
        self.beginning = open_frame(beginning)
        self.schema = self.beginning.schema
        columns = choose_columns(self.schema, label=label, prediction=prediction, weight=weight)
        found = {name: find_column(self.schema, column, f"{name}=") for name, column in keys.items()}
        self.reader = RowReader(columns, found)
        self.names, self.kind, self.notes = columns.class_names, columns.kind, columns.notes
        self.label_names, self.weighted = columns.label_names, columns.weight is not None
        self.rows: int | None = None
        self.skipped: tuple[tuple[str, str], ...] = ()

    def first(self) -> tuple[Any, Any]:
        """Enough to see what they are."""
        found = self.reader.first(self.beginning)
        if found is None:
            raise ShapeError("the DataFrame has no rows: there is nothing to score. Pass at least one row.")
        if found[1].ndim == 2 and len(self.reader.columns.predictions) == 1:
            self.reader = replace(self.reader, list_size=found[1].shape[1])
        return found

    def distinct_labels(self) -> list[Any]:
        """A job that reads the label column alone."""
        return in_order(self._over(self.reader.labels_alone, Labels()))

    def reduce(
        self,
        find: Any,
        order: Order,
        half: bool | None = None,
        checkpoint: Any = None,  # noqa: ARG002  (a job is run anew)
        clusters: ClusterStore | None = None,  # noqa: ARG002  (sums by cluster are merged by Spark)
    ) -> Any:
        """A job."""
        find = replace(find, numbered=False) if isinstance(find, Total) else find
        return self._over(self.reader.ordered(order), find, half)

    def _over(self, reader: RowReader, find: Any, half: bool | None = None) -> Any:
        schema = narrowed(self.schema, reader.needed)
        reading = Reading(reader, schema, None, find, half)
        # Spark's own functions stumble over dots in names.
        frame = self.frame.selectExpr(*[f"{_quoted(name)} as c{index}" for index, name in enumerate(schema.names)])
        merge = partial(merged, find)
        found = collected(merged_by_place(frame.mapInArrow(_Partition(reading), RESULTS), merge))
        outcome = merge([result for _, result in found])
        for failure in outcome.failures:
            raise failure.error
        return outcome.value


@dataclass(frozen=True)
class _Partition:
    """A partition's rows → what was found out about them."""

    reading: Reading

    def __call__(self, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        from pyspark import TaskContext  # here is a worker of Spark

        rows = filter(len, batches)
        first = next(rows, None)
        if first is None:
            return
        place, counted = TaskContext.get().partitionId(), [0]
        try:
            value = self.reading.of_table(_BatchTable(self.reading.schema, chain((first,), rows)), counted)
            outcome = Outcome(value, counted[0], ())
        except XentError as error:
            where = f"{error}\nRows are counted from 0 in partition {place} of the DataFrame."
            outcome = Outcome(None, 0, (Failure("", f"partition {place}", type(error)(where)),))
        yield result_batch(place, ([place], outcome))


class _BatchTable(NamedTuple):
    """A partition's batches as a table that is read once."""

    schema: pa.Schema
    given: Iterator[pa.RecordBatch]
    rows: None = None
    bytes: None = None

    def batches(self, columns: Sequence[str], *, batch_bytes: int = BATCH_BYTES) -> Iterator[Batch]:
        """Read the columns, in batches larger than Spark's."""
        first_row = 0
        named = (pa.RecordBatch.from_arrays(batch.columns, names=self.schema.names) for batch in self.given)
        for data in resized((batch.select(list(columns)) for batch in named), batch_bytes):
            yield Batch(None, first_row, data)
            first_row += data.num_rows


def _without_vectors(frame: Any) -> Any:
    """Columns of Spark ML's vectors as lists."""
    if not hasattr(frame, "mapInArrow"):
        raise ArgumentTypeError(f"a {type(frame).__name__} is no Spark DataFrame. xent.scan takes other tables.")
    vectors = [field.name for field in frame.schema if type(field.dataType).__name__ == "VectorUDT"]
    if vectors:
        from pyspark.ml.functions import vector_to_array

        frame = frame.withColumns({name: vector_to_array(frame[_quoted(name)]) for name in vectors})
    return frame


def _quoted(name: str) -> str:
    return "`" + name.replace("`", "``") + "`"
