"""Clusters of paired rows: their exact sums, of as many at a time as fit in memory."""

from collections.abc import Iterator, Sequence
from itertools import chain
from typing import NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from xent.scoring.keyed_columns import KEYS, floats_in, limb_columns, summed
from xent.scoring.moments import Moments, sum_draws
from xent.scoring.pairing import Paired
from xent.scoring.spill import LEVELS, SMALL, Partition, Spool
from xent.sources.arrays import numpy_array

__all__ = ["ClusterDraws", "Draws", "paired_of", "record_of"]

Float64 = NDArray[np.float64]
Int64 = NDArray[np.int64]


class Draws(NamedTuple):
    """Sums over clusters."""

    family: int  # 0: of a model, 1: of a pair of models, 2 and 3: of a pair by class and by group
    quantity: int  # which model or pair
    moments: dict[int, Moments]  # by slice


def record_of(paired: Paired) -> pa.RecordBatch:
    """Paired rows, to be spooled; a cluster's rows stay together."""
    columns = {f"nats_{i}": pa.array(nats) for i, nats in enumerate(paired.nats)}
    more = {"truth": paired.truth, "weight": paired.weights, "group": paired.groups}
    columns |= {name: pa.array(values) for name, values in more.items() if values is not None}
    if paired.clusters is not None:
        columns["cluster"] = paired.clusters
    return pa.RecordBatch.from_arrays(list(columns.values()), names=list(columns))


def paired_of(record: pa.RecordBatch) -> Paired:
    """What `record_of` was given."""
    found = {name: record.column(name) for name in record.schema.names}
    clusters = found.pop("cluster", None)
    arrays = {name: numpy_array(column) for name, column in found.items()}
    nats = tuple(values for name, values in arrays.items() if name.startswith("nats_"))
    return Paired(nats, arrays.get("truth"), arrays.get("weight"), clusters, arrays.get("group"))


class ClusterDraws:
    """Sums over the clusters of a spool of paired rows, whose key is the cluster.

    Args:
        spool: the rows, some parts in files if they are many.
        couples: the pairs of models.
        class_slices, group_slices: (codes,) which slice each class, or group, is in; None where there are none.
        budget: bytes that the sums of one part may take, unless a single cluster does.
        keep: whether draws of slices are kept where they are few.
    """

    def __init__(
        self,
        spool: Spool,
        couples: Sequence[tuple[int, int]],
        class_slices: Int64 | None,
        group_slices: Int64 | None,
        budget: int,
        keep: bool,
    ) -> None:
        self.spool = spool
        self.couples = couples
        self.slices = {"class": class_slices, "group": group_slices}
        self.budget = budget
        self.keep = keep
        self.clusters = 0

    def draws(self) -> Iterator[Draws]:
        """Of all clusters, part by part."""
        for partition in self.spool.partitions():
            yield from self._of_partition(partition)

    def _of_partition(self, partition: Partition) -> Iterator[Draws]:
        tables: list[pa.Table] = []
        splittable = partition.path is not None and partition.spool.level < LEVELS
        for batch in partition.batches():
            tables.append(self._summed(paired_of(batch)))
            if sum(table.nbytes for table in tables[1:]) > tables[0].nbytes:
                tables = [summed(tables, KEYS)]
            if splittable and sum(table.nbytes for table in tables) > max(self.budget, SMALL):
                tables.clear()
                for finer in partition.split():
                    yield from self._of_partition(finer)
                return
        if tables:
            yield from self._drawn(summed(tables, KEYS))

    def _summed(self, paired: Paired) -> pa.Table:
        """Sums by cluster, class and group: exact, in limbs."""
        assert paired.clusters is not None
        clusters = paired.clusters.dictionary_encode()
        names = clusters.dictionary
        classes, groups = (
            np.zeros(len(names), np.int64)[:0] if of is None or codes is None else of[codes]
            for of, codes in ((self.slices["class"], paired.truth), (self.slices["group"], paired.groups))
        )
        key = numpy_array(clusters.indices).astype(np.int64)
        sizes = [int(codes.max()) + 1 if len(codes) else 1 for codes in (classes, groups)]
        for codes, size in zip((classes, groups), sizes, strict=True):
            key = key * size + (codes if len(codes) else 0)
        present, codes = np.unique(key, return_inverse=True)
        count = len(present)
        columns = {
            "cluster": names.take(pa.array(present // (sizes[0] * sizes[1]))),
            "class": pa.array(present // sizes[1] % sizes[0]),
            "group": pa.array(present % sizes[1]),
            "rows": pa.array(np.bincount(codes, minlength=count)),
        }
        if paired.weights is not None:
            columns |= limb_columns("w", paired.weights, codes, count)
        pairs = [_difference(paired.nats[i], paired.nats[j]) for i, j in self.couples]
        for name, values in chain(
            ((f"m{i}", nats) for i, nats in enumerate(paired.nats)), ((f"p{i}", d) for i, d in enumerate(pairs))
        ):
            finite = np.where(np.isfinite(values), values, 0.0)  # where one is not, nothing is tested
            totals = finite if paired.weights is None else paired.weights * finite
            columns |= limb_columns(name, totals, codes, count)
        return pa.table(columns)

    def _drawn(self, table: pa.Table) -> Iterator[Draws]:
        models = sorted({name.partition(":")[0] for name in table.column_names if name[0] == "m"})
        whole = summed([table], KEYS[:1])
        self.clusters += whole.num_rows
        weighted = any(name.startswith("w:") for name in table.column_names)
        quantities = [(0, int(name[1:]), name) for name in models]
        quantities += [(1, i, f"p{i}") for i in range(len(self.couples))]
        yield from self._moments(whole, quantities, None, weighted)
        for family, name in ((2, "class"), (3, "group")):
            if self.slices[name] is not None:
                by_slice = summed([table], ("cluster", name))
                of_pairs = [(family, i, f"p{i}") for i in range(len(self.couples))]
                yield from self._moments(by_slice, of_pairs, name, weighted)

    def _moments(
        self, table: pa.Table, quantities: Sequence[tuple[int, int, str]], by: str | None, weighted: bool
    ) -> Iterator[Draws]:
        rows = numpy_array(table.column("rows").combine_chunks())
        sizes = floats_in(table, "w") if weighted else rows.astype(np.float64)
        codes = np.zeros(len(rows), np.int64) if by is None else numpy_array(table.column(by).combine_chunks())
        count = int(codes.max()) + 1
        for family, quantity, name in quantities:
            keep = self.keep or by is None
            yield Draws(family, quantity, sum_draws(floats_in(table, name), sizes, codes, count, keep))


def _difference(first: Float64, second: Float64) -> Float64:
    with np.errstate(invalid="ignore"):
        return first - second
