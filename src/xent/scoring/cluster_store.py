"""Sums by cluster that may not fit in memory: kept as a mapping, then in Arrow files by the hash of the cluster."""

import threading
from collections.abc import Iterator, Mapping
from operator import add

import pyarrow as pa

from xent.scoring import exact
from xent.scoring.keyed import cluster_text, key_of
from xent.scoring.spill import LEVELS, Partition, Scratch, Spool
from xent.scoring.sums import Keyed

__all__ = ["ClusterStore", "cluster_parts"]

_SIZE = 700  # bytes of a cluster in a mapping: its text, two integers of 1,100 digits, and their places
_SHARE = 4  # what is added, what is merged, and Arrow's copies are held at a time
_BATCH = 1 << 16  # clusters


class ClusterStore:
    """Exact sums by cluster, as `Sums.clusters` has them, of any number of parts.

    Args:
        max_memory: bytes; beyond its share of them, sums go to files in a temporary folder (`tempfile`, environment
            variable TMPDIR), which `close` removes.

    Example:
        >>> from xent.scoring.cluster_store import ClusterStore
        >>> with ClusterStore(1_000_000) as store:
        ...     store.add({'["user 1"]': (2, 3, 0), '["user 2"]': (1, 1, 0)})
        ...     store.add({'["user 1"]': (1, 1, 1)})
        ...     sorted(store)
        [('["user 1"]', (3, 4, 1)), ('["user 2"]', (1, 1, 0))]
    """

    def __init__(self, max_memory: int) -> None:
        self.most = max(1, max_memory // (_SHARE * _SIZE))  # clusters in memory
        self._adding = threading.Lock()  # for several threads that score
        self._scratch = Scratch()
        self._held: dict[str, Keyed] = {}
        self._spool: Spool | None = None

    def __enter__(self) -> "ClusterStore":
        """Nothing is written yet."""
        return self

    def __exit__(self, *_: object) -> None:
        """Remove the files."""
        self.close()

    def close(self) -> None:
        """Remove the files, and forget all sums."""
        self._scratch.close()
        self._held, self._spool = {}, None

    def __bool__(self) -> bool:
        """Whether there are any."""
        return bool(self._held) or self._spool is not None

    def __iter__(self) -> Iterator[tuple[str, Keyed]]:
        """Every cluster, once, with its sums."""
        for part in self.parts():
            yield from part.items()

    def add(self, clusters: Mapping[str, Keyed]) -> None:
        """Add sums by cluster, or by group and cluster: `key_text` of these. All must be added before any is looked at."""
        with self._adding:
            for text, more in clusters.items():
                known = self._held.get(text)
                self._held[text] = more if known is None else tuple(map(add, known, more))
            if len(self._held) > self.most:
                self._spill()

    def parts(self) -> Iterator[dict[str, Keyed]]:
        """All sums, merged; what is of one cluster, in whichever groups, is in one part."""
        if self._spool is None:
            yield self._held
            return
        self._spill()
        for partition in self._spool.partitions():
            yield from self._merged(partition)

    def _spill(self) -> None:
        if self._spool is None:
            self._spool = Spool(self._scratch, "cluster")
            self._spool.spill()
        texts = list(self._held)
        for start in range(0, len(texts), _BATCH):
            self._spool.add(_record({text: self._held[text] for text in texts[start : start + _BATCH]}))
        self._held = {}

    def _merged(self, partition: Partition) -> Iterator[dict[str, Keyed]]:
        found: dict[str, Keyed] = {}
        for batch in partition.batches():
            for text, more in _sums(batch):
                known = found.get(text)
                found[text] = more if known is None else tuple(map(add, known, more))
            if len(found) > self.most and partition.path is not None and partition.spool.level < LEVELS:
                found.clear()
                for finer in partition.split(keep=True):
                    yield from self._merged(finer)
                return
        if found:
            yield found


def cluster_parts(clusters: Mapping[str, Keyed] | ClusterStore) -> Iterator[Mapping[str, Keyed]]:
    """Sums by cluster, part by part; what is of one cluster is in one part."""
    return clusters.parts() if isinstance(clusters, ClusterStore) else iter([clusters])


def _record(clusters: Mapping[str, Keyed]) -> pa.RecordBatch:
    weights, losses, rows = zip(*clusters.values(), strict=True)
    grouped = len(key_of(next(iter(clusters)))) > 1
    columns = {
        "cluster": pa.array([cluster_text(text, grouped) for text in clusters], pa.large_string()),
        "text": pa.array(list(clusters), pa.large_string()),
        "weight": pa.array(map(exact.encode, weights), pa.large_string()),
        "loss": pa.array(map(exact.encode, losses), pa.large_string()),
        "rows": pa.array(rows, pa.int64()),
    }
    return pa.RecordBatch.from_arrays(list(columns.values()), names=list(columns))


def _sums(batch: pa.RecordBatch) -> Iterator[tuple[str, Keyed]]:
    columns = [batch.column(name).to_pylist() for name in ("text", "weight", "loss", "rows")]
    for text, weight, loss, rows in zip(*columns, strict=True):
        yield text, (exact.decode(weight), exact.decode(loss), rows)
