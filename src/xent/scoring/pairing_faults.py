"""What is wrong with rows that belong together: found part by part, told as if they had been looked at as a whole."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from xent.errors import LabelError, SourceError, WeightError
from xent.scoring.compare_rows import GroupCodes, ModelRows
from xent.scoring.plan import Label
from xent.sources.arrays import numpy_array

__all__ = ["Faults"]

_Where = tuple[Any, ...]  # the row of the fault, which tells the first from the others, and what is said of it


class Faults:
    """Counts of each kind of fault, and the first of its kind.

    Args:
        models: whose rows they are.
        classes: of the first model.
        on: the key's name, for messages; None where rows belong together by position.
        groups: what the numbers of groups stand for.
    """

    def __init__(
        self, models: Sequence[ModelRows], classes: tuple[Label, ...], on: str | None, groups: GroupCodes
    ) -> None:
        self.models = models
        self.classes = classes
        self.on = on
        self.groups = groups
        self._found: dict[tuple[str, int], tuple[int, _Where]] = {}

    def __bool__(self) -> bool:
        """Whether there is any."""
        return bool(self._found)

    def _note(self, kind: str, model: int, count: int, where: _Where) -> None:
        known = self._found.get((kind, model))
        self._found[kind, model] = (count, where) if known is None else (known[0] + count, min(known[1], where))

    def refuse_other_targets(self) -> None:
        """Raise where one model has one label a row, and another several.

        Raises:
            LabelError: naming both.
        """
        single, several = ([one.name for one in self.models if one.several == asked] for asked in (False, True))
        if single and several:
            raise LabelError(
                f"{single[0]} has one label a row and {several[0]} several, or shares.\nGive both the same."
            )

    def note_repeats(self, model: int, part: pa.RecordBatch) -> None:
        """Keys that a model has twice."""
        keys = part.column("on")
        distinct = pc.count_distinct(keys).as_py()
        if distinct == len(keys):
            return
        rows = numpy_array(part.column("row"))
        order = np.argsort(rows)
        codes = numpy_array(keys.dictionary_encode().indices)[order]
        at = int(np.argmax(np.bincount(codes)[codes] > 1))
        again = at + 1 + int(np.argmax(codes[at + 1 :] == codes[at]))
        where = int(rows[order[at]]), int(rows[order[again]]), keys[int(order[at])].as_py()
        self._note("repeats", model, len(keys) - distinct, where)

    def note_labels(self, parts: Sequence[pa.RecordBatch]) -> None:
        """Rows that belong together but have other labels."""
        first = parts[0]
        for i, other in enumerate(parts[1:], 1):
            wrong = numpy_array(first.column("truth")) != numpy_array(other.column("truth"))
            if wrong.any():
                self._note("labels", i, int(wrong.sum()), _row_of(first, other, wrong, "truth"))

    def note_weights(self, parts: Sequence[pa.RecordBatch]) -> None:
        """Rows that belong together but have other weights."""
        holders = [(i, part) for i, part in enumerate(parts) if "weight" in part.schema.names]
        for i, other in holders[1:]:
            first = holders[0][1]
            wrong = numpy_array(first.column("weight")) != numpy_array(other.column("weight"))
            if wrong.any():
                self._note("weights", i, int(wrong.sum()), _row_of(first, other, wrong, "weight"))

    def note_keys(self, parts: Sequence[pa.RecordBatch]) -> None:
        """Rows that belong together but have other clusters or groups."""
        for name, differ in (("cluster", _other_clusters), ("group", self._other_groups)):
            holders = [(i, part) for i, part in enumerate(parts) if name in part.schema.names]
            for i, other in holders[1:]:
                first = holders[0][1]
                wrong = differ(first.column(name), other.column(name))
                if wrong.any():
                    self._note(name, i, int(wrong.sum()), _row_of(first, other, wrong, name))

    def _other_groups(self, first: pa.Array, other: pa.Array) -> NDArray[np.bool_]:
        codes, others = numpy_array(first), numpy_array(other)
        if (codes == others).all():
            return np.zeros(len(codes), np.bool_)
        as_text = np.unique([str(name) for name in self.groups.names], return_inverse=True)[1]  # CSV has 1, another "1"
        return np.asarray(as_text[codes] != as_text[others])

    def note_missing_clusters(self, model: int, part: pa.RecordBatch) -> None:
        """Rows without a cluster, where others have one."""
        if part.column("cluster").null_count:
            missing = numpy_array(part.column("cluster").is_null())
            row = int(numpy_array(part.column("row"))[missing].min())
            self._note("clusters", model, int(missing.sum()), (row,))

    def refuse(self, matched: int, weighted: int) -> None:
        """Raise about the worst fault; `matched` rows belong together, `weighted` of them have a weight above 0.

        Raises:
            SourceError: a key occurs twice, no key is in all models, a cluster is missing, or matched rows have different
                clusters or groups.
            LabelError, WeightError: matched rows have different labels, or weights, or no weight above 0.
        """
        for (kind, model), (count, where) in sorted(self._found.items()):
            if kind == "repeats":
                self._refuse_repeats(self.models[model], count, *where)
        if matched == 0:
            self._refuse_none()
        for kind, tell in (
            ("labels", self._refuse_labels),
            ("weights", self._refuse_weights),
            ("cluster", self._refuse_clusters),
            ("group", self._refuse_groups),
        ):
            for i in range(len(self.models)):
                if (kind, i) in self._found:
                    count, where = self._found[kind, i]
                    tell(self.models[i], count, matched, *where)
        if weighted == 0:
            raise WeightError(
                "sample_weight is 0 in every row: nothing is left to compare. Give some a weight above 0."
            )
        for i, model_rows in enumerate(self.models):
            if ("clusters", i) in self._found:
                place = model_rows.place(self._found["clusters", i][1][0])
                raise SourceError(f"the cluster is missing in {place}.\nFill it in or remove the row.")

    def _refuse_repeats(self, model: ModelRows, count: int, row: int, again: int, key: Any) -> None:
        first = model.place(row).removesuffix(" (rows counted from 0)")  # which is said once
        raise SourceError(
            f"{self.on!r} is {key!r} in {first} and again in {model.place(again)}; "
            f"{count:,} of {model.rows:,} rows repeat a key.\nGive each row a key of its own."
        )

    def _refuse_none(self) -> None:
        first = ", ".join(f"{model.first_key!r} in {model.name}" for model in self.models)
        raise SourceError(
            f"no row is in all models: not one {self.on!r} is the same. The first rows have {first}.\n"
            "Pass on= (--on) with a column that names the same rows alike everywhere."
        )

    def _refuse_labels(
        self, other: ModelRows, count: int, matched: int, here: int, there: int, truth: int, others: int, key: Any
    ) -> None:
        first = self.models[0]
        labels = "other labels"
        if not first.several:
            labels = f"label {self.classes[truth]!r} here and {self.classes[others]!r} there"
        row = first.place(here) if self.on is None else f"{self.on} {key!r} ({first.place(here)}, {other.place(there)})"
        step = "Pass on= (--on) with a column that names each row: the rows may be in another order."
        if self.on is not None:
            step = f"Keys must name the same example everywhere: check {self.on!r} and the labels."
        raise LabelError(
            f"{first.name} and {other.name} disagree about the truth: {row} has {labels}; "
            f"{count:,} of {matched:,} rows differ.\n{step}"
        )

    def _refuse_weights(
        self, other: ModelRows, count: int, _matched: int, _: int, there: int, weight: float, others: float, _key: Any
    ) -> None:
        first = next(model for model in self.models if model.weighted)
        raise WeightError(_disagreement("sample_weight", first, f"{weight:g}", other, f"{others:g}", there, count))

    def _refuse_clusters(
        self, other: ModelRows, count: int, _matched: int, _: int, there: int, here: Any, others: Any, _key: Any
    ) -> None:
        self._refuse_key("cluster", other, count, there, here, others)

    def _refuse_groups(
        self, other: ModelRows, count: int, _matched: int, _: int, there: int, here: int, others: int, _key: Any
    ) -> None:
        names = self.groups.names
        self._refuse_key("group", other, count, there, names[here], names[others])

    def _refuse_key(self, key: str, other: ModelRows, count: int, there: int, here: Any, others: Any) -> None:
        first = next(model for model in self.models if key in model.model.data.keys)
        said = ["missing" if value is None else repr(value) for value in (here, others)]
        raise SourceError(_disagreement(key, first, said[0], other, said[1], there, count))


def _disagreement(what: str, first: ModelRows, here: str, other: ModelRows, others: str, there: int, count: int) -> str:
    return (
        f"{what} is {here} in {first.name} and {others} in {other.name} for the same row ({other.place(there)}); "
        f"{count:,} rows differ.\nGive a row one {what.removeprefix('sample_')}."
    )


def _other_clusters(first: pa.Array, other: pa.Array) -> NDArray[np.bool_]:
    """Where they differ; a cluster that the first lacks is told elsewhere."""
    if first.type != other.type:
        first, other = first.cast(pa.large_string()), other.cast(pa.large_string())
    return numpy_array(pc.coalesce(pc.not_equal(first, other), first.is_valid())).astype(np.bool_)


def _row_of(first: pa.RecordBatch, other: pa.RecordBatch, wrong: NDArray[np.bool_], column: str) -> _Where:
    """The first row that is wrong: its number here and there, what both say, and its key."""
    picked = np.flatnonzero(wrong)
    at = int(picked[np.argmin(numpy_array(first.column("row"))[picked])])
    key = first.column("on")[at].as_py() if "on" in first.schema.names else None
    here, there = (part.column("row")[at].as_py() for part in (first, other))
    return here, there, *(part.column(column)[at].as_py() for part in (first, other)), key
