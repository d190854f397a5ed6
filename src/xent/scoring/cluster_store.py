"""Sums by cluster that may not fit in memory: kept as columns, then in Arrow files by the hash of the cluster."""

import sys
import threading
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any, TypeVar

import pyarrow as pa

from xent.scoring.cluster_sums import ClusterSums, added, bytes_of
from xent.scoring.spill import LEVELS, SMALL, Partition, Scratch, Spool

__all__ = ["ClusterStore", "cluster_parts", "with_clusters", "without_clusters"]

Found = TypeVar("Found", bound=Any)
_SHARE = 32  # of the memory is for what is held: to add it up takes some ten times as much again


class ClusterStore:
    """Exact sums by cluster, as `Sums.clusters` has them, of any number of parts.

    Args:
        max_memory: bytes; beyond its share of them, sums go to files in a temporary folder (`tempfile`, environment
            variable TMPDIR), which `close` removes.

    Example:
        >>> from xent.scoring.cluster_store import ClusterStore
        >>> from xent.scoring.cluster_sums import ClusterSums
        >>> with ClusterStore(1_000_000) as store:
        ...     store.add(ClusterSums.of({'["user 1"]': (2, 3, 0), '["user 2"]': (1, 1, 0)}))
        ...     store.add(ClusterSums.of({'["user 1"]': (1, 1, 1)}))
        ...     sorted(store)
        [('["user 1"]', (3, 4, 1)), ('["user 2"]', (1, 1, 0))]
    """

    def __init__(self, max_memory: int) -> None:
        self.most = max(1, max_memory // _SHARE)
        self._adding = threading.Lock()  # for several threads that score
        self._scratch = Scratch()
        self._held: list[ClusterSums] = []
        self._spools: dict[tuple[str, ...], Spool] = {}  # by the columns that there are

    def alike(self) -> "ClusterStore":
        """Another one, for a part of the rows; each thread may have one, so it has an eighth of the memory."""
        return ClusterStore(self.most * _SHARE // 8)

    def __enter__(self) -> "ClusterStore":
        """Nothing is written yet."""
        return self

    def __exit__(self, *_: object) -> None:
        """Remove the files."""
        self.close()

    def close(self) -> None:
        """Remove the files, and forget all sums."""
        self._scratch.close()
        self._held, self._spools = [], {}

    def __bool__(self) -> bool:
        """Whether there are any."""
        return bool(self._held or self._spools)

    def __iter__(self) -> Iterator[tuple[str, tuple[int, int, int]]]:
        """Every cluster, once, with its sums."""
        for part in self.parts():
            yield from part.items()

    def add(self, clusters: ClusterSums) -> None:
        """Add sums by cluster, or by group and cluster. All must be added before any is looked at."""
        if not clusters:
            return
        with self._adding:
            self._held = added(self._held, clusters)
            if bytes_of(self._held) > self.most:
                self._spill()

    def parts(self) -> Iterator[ClusterSums]:
        """All sums, merged; what is of one cluster, in whichever groups, is in one part."""
        if not self._spools:
            self._held = [ClusterSums.gather(self._held)] if self._held else []
            yield from self._held
            return
        self._spill()
        for alike in zip(*(spool.partitions() for spool in self._spools.values()), strict=True):
            yield from self._merged(alike)

    def _spill(self) -> None:
        whole = ClusterSums.gather(self._held).table
        self._held = []
        if whole is None:
            return
        columns = tuple(whole.column_names)
        if columns not in self._spools:
            self._spools[columns] = Spool(self._scratch, "cluster")
            self._spools[columns].spill()
        for batch in whole.to_batches():
            self._spools[columns].add(batch)

    def _merged(self, alike: Sequence[Partition]) -> Iterator[ClusterSums]:
        """The same clusters of each spool."""
        held: list[ClusterSums] = []
        splittable = any(partition.path is not None for partition in alike) and alike[0].spool.level < LEVELS
        most = max(self.most, SMALL) if splittable else sys.maxsize
        for partition in alike:
            for batch in partition.batches():
                held = added(held, ClusterSums.once(pa.Table.from_batches([batch])))
                if bytes_of(held) > most:
                    held = [ClusterSums.gather(held)]
                if bytes_of(held) > most:
                    held.clear()
                    for finer in zip(*(partition.split(keep=True) for partition in alike), strict=True):
                        yield from self._merged(finer)
                    return
        if held:
            yield ClusterSums.gather(held)


def cluster_parts(clusters: ClusterSums | ClusterStore) -> Iterator[ClusterSums]:
    """Sums by cluster, part by part; what is of one cluster is in one part."""
    return clusters.parts() if isinstance(clusters, ClusterStore) else iter([clusters])


def without_clusters(found: Found, store: ClusterStore | None) -> Found:
    """The same sums, a dataclass, of which those by cluster have gone to the store, if there is one."""
    if store is None or not found.clusters:
        return found
    store.add(found.clusters)
    return replace(found, clusters=ClusterSums())


def with_clusters(found: Found, store: ClusterStore | None) -> Found:
    """The same sums, whose sums by cluster are those in the store, if it has any."""
    return replace(found, clusters=store) if store else found
