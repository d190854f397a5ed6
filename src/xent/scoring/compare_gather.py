"""All that a comparison says, as sums: models read side by side, rows matched, within a bound on memory."""

import itertools
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from xent.scoring.aligning import Batches, OrderError, by_ascending_key, by_hash, by_position
from xent.scoring.compare_clusters import ClusterDraws, paired_of, record_of
from xent.scoring.compare_models import Model
from xent.scoring.compare_pairs import MANY, Named, Slices, slices_of
from xent.scoring.compare_rows import GroupCodes, ModelRows
from xent.scoring.compare_sums import ComparisonSums, Tally
from xent.scoring.data import InFiles
from xent.scoring.key_hash import is_number_key
from xent.scoring.pairing import Paired, pair, pieces_of
from xent.scoring.pairing_faults import Faults
from xent.scoring.plan import Label
from xent.scoring.spill import Scratch, Spool
from xent.texts.catalogue import sentence

__all__ = ["MOST_RESAMPLED", "Gathered", "gather"]

MOST_RESAMPLED = 200  # slices, each resampled in some 30 ms; of more, those with few rows get Student's t
_PIECE = 1 << 17  # rows summed at a time, so that what is made on the way stays small
_SHARE = 8  # rows to be matched, matched rows and sums of clusters are each held several times over at work


class Gathered(NamedTuple):
    """What `gather` found."""

    models: Sequence[ModelRows]
    sums: ComparisonSums
    by_class: Sequence[Named]  # of each pair of models
    by_group: Sequence[Named]
    clusters: int | None
    left_out: tuple[int, ...]  # by model, rows that not all others have
    crowded: bool  # whether slices are too many to be resampled
    notes: tuple[str, ...]


def gather(models: Sequence[Model], classes: tuple[Label, ...], on: str | None, max_memory: int) -> Gathered:
    """Read, match and sum the rows of all models.

    Args:
        models: two or more.
        classes: those of the first model.
        on: the key's name for messages; None matches by position.
        max_memory: bytes.

    Raises:
        SourceError: a key is missing or occurs twice, no key is in all models, a cluster is missing, or matched rows
            have different clusters or groups.
        ShapeError: without keys, the models differ in rows.
        LabelError: matched rows have different labels.
        WeightError: they have different weights, or none above 0.
    """
    groups = GroupCodes()
    holders = {name: _first_with(models, name) for name in ("cluster", "group")}
    rows = []
    for i, model in enumerate(models):
        keys = [name for name, holder in holders.items() if holder == i or _has_its_own(model, name)]
        rows.append(ModelRows(model, keys if on is None else ["on", *keys], groups, on))
    notes = _match_as_text(rows, on)
    with Scratch() as scratch:
        budget = max(1, max_memory // _SHARE)
        if on is None:
            return _Gathering(rows, classes, on, groups, scratch, budget).run(by_position, notes)
        try:
            return _Gathering(rows, classes, on, groups, scratch, budget).run(by_ascending_key, notes)
        except OrderError:
            aligner = partial(by_hash, scratch=scratch, budget=budget)
            return _Gathering(rows, classes, on, groups, scratch, budget).run(aligner, notes)


def _first_with(models: Sequence[Model], key: str) -> int | None:
    return next((i for i, model in enumerate(models) if key in model.data.keys), None)


def _has_its_own(model: Model, key: str) -> bool:
    """Beside labels= all models have the same keys."""
    return isinstance(model.data, InFiles) and key in model.data.keys


def _match_as_text(models: Sequence[ModelRows], on: str | None) -> list[str]:
    """Numbers become text where they are to match some; a note says so."""
    if on is None:
        return []
    numbers = [is_number_key(_key_type(model.model)) for model in models]
    if len(set(numbers)) == 1:
        return []
    for model in models:
        model.text_keys = True
    return [sentence("note.match_as_text", key=repr(on))]


def _key_type(model: Model) -> pa.DataType:
    column = model.data.keys["on"]
    return model.data.table.schema.field(column).type if isinstance(model.data, InFiles) else column.type


class _Gathering:
    """One go at it: read in an order of keys that turns out not to be there, rows are read again."""

    def __init__(
        self,
        models: Sequence[ModelRows],
        classes: tuple[Label, ...],
        on: str | None,
        groups: GroupCodes,
        scratch: Scratch,
        budget: int,
    ) -> None:
        self.models, self.classes, self.on, self.groups = models, classes, on, groups
        self.scratch, self.budget = scratch, budget
        self.couples = list(itertools.combinations(range(len(models)), 2))
        self.faults = Faults(models, classes, on, groups)
        self.matched = self.used = 0

    def run(self, align: Callable[[Sequence[ModelRows]], Iterator[Batches]], notes: list[str]) -> Gathered:
        """Rows in the order that `align` hands them out, summed as they come, or once it is known what is asked."""
        paired = self._paired(align)
        first = next(paired, None)  # tells what rows have
        by_class, by_group, spool = None, None, None
        if first is not None:
            paired = itertools.chain([first], paired)
            if first.truth is not None:
                by_class = Slices(self.classes, np.arange(len(self.classes)))
            if first.clusters is not None or first.groups is not None or len(self.classes) > MANY:
                spool, by_class, by_group = self._spooled(paired, first)
                self.faults.refuse(self.matched, self.used)
                paired = (paired_of(batch) for part in spool.partitions() for batch in part.batches())
        slices = [None if one is None else one.of_code for one in (by_class, by_group)]
        count = sum(0 if one is None else len(one.names) for one in (by_class, by_group))
        keep = spool is None or len(self.couples) * count <= MOST_RESAMPLED
        clusters = None
        if spool is not None and first is not None and first.clusters is not None:
            clusters = ClusterDraws(spool, self.couples, slices[0], slices[1], self.budget, keep)
        sums = ComparisonSums(len(self.models), self.couples, slices[0], slices[1], clusters, keep)
        for rows in paired:
            if not self.faults:
                sums.add(rows)
        self.faults.refuse(self.matched, self.used)
        sums.finish()
        named = (
            [_named(by_class, found) for found in sums.by_class],
            [_named(by_group, found) for found in sums.by_group],
        )
        crowded = len(self.couples) * sum(len(of[0]) for of in named) > MOST_RESAMPLED
        left_out = tuple(model.rows - self.matched for model in self.models)
        told = tuple(notes + self._holders())
        found = None if clusters is None else clusters.clusters
        return Gathered(self.models, sums, *named, found, left_out, crowded, told)

    def _paired(self, align: Callable[[Sequence[ModelRows]], Iterator[Batches]]) -> Iterator[Paired]:
        for parts in align(self.models):
            rows, matched = pair(parts, self.models, self.on is not None, self.faults, align is by_ascending_key)
            self.matched += matched
            if rows is not None:
                self.used += len(rows.nats[0])
                yield from pieces_of(rows, _PIECE)

    def _spooled(self, paired: Iterator[Paired], first: Paired) -> tuple[Spool, Slices | None, Slices | None]:
        """All rows once more, and the slices that their numbers make."""
        spool = Spool(self.scratch, None if first.clusters is None else "cluster")
        of_class = np.zeros(len(self.classes), np.int64)
        of_group = np.zeros(0, np.int64)
        for rows in paired:
            if self.faults:
                continue
            if rows.truth is not None:
                of_class += np.bincount(rows.truth, minlength=len(of_class))
            if rows.groups is not None:
                more = np.bincount(rows.groups, minlength=len(of_group))
                more[: len(of_group)] += of_group
                of_group = more
            spool.add(record_of(rows))
            if spool.held_bytes > self.budget:
                spool.spill()
        by_class = None if first.truth is None else slices_of(of_class, self.classes, "classes")
        if first.groups is None:
            return spool, by_class, None
        counts = np.zeros(len(self.groups.names), np.int64)
        counts[: len(of_group)] = of_group
        return spool, by_class, slices_of(counts, self.groups.names, "groups")

    def _holders(self) -> list[str]:
        """What not all models have, and whose is taken."""
        weighted = [model for model in self.models if model.weighted]
        notes: list[str] = []
        if 0 < len(weighted) < len(self.models):
            notes.append(sentence("note.weights_of", name=weighted[0].name))
        for name in ("cluster", "group"):
            found = [one for one in self.models if name in one.model.data.keys]
            if 0 < len(found) < len(self.models):
                notes.append(sentence(f"note.{name}s_of", name=found[0].name))
        return notes


def _named(slices: Slices | None, found: dict[int, Tally]) -> Named:
    return () if slices is None else [(slices.names[code], found[code]) for code in sorted(found)]
