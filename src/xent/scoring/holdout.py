"""Half of the rows to fit cures on, the other half to report on: by a hash, so that neither order nor time matters."""

import zlib
from collections.abc import Iterable, Iterator

import numpy as np
from numpy.typing import NDArray

from xent.scoring.inputs import Rows
from xent.scoring.keyed import key_codes

__all__ = ["half_of"]


def half_of(batches: Iterable[Rows], first: bool) -> Iterator[Rows]:
    """The same rows, those of the other half with weight 0. Rows of one cluster are in the same half."""
    for rows in batches:
        mine = (_hashes(rows) >> np.uint64(63) == 0) == first
        weights = mine.astype(np.float64) if rows.weights is None else np.where(mine, rows.weights, 0.0)
        yield rows._replace(weights=weights)


def _hashes(rows: Rows) -> NDArray[np.uint64]:
    if "cluster" in rows.keys:
        codes, texts = key_codes(rows.keys["cluster"])
        return _mixed(np.array([zlib.crc32(text.encode()) for text in texts], np.uint64)[codes])
    numbers = np.arange(rows.place.first_row, rows.place.first_row + len(rows.labels), dtype=np.uint64)
    return _mixed(numbers + (np.uint64(zlib.crc32(rows.place.source.encode())) << np.uint64(32)))


def _mixed(x: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """SplitMix64 (Steele, Lea and Flood 2014)."""
    x = x + np.uint64(0x9E3779B97F4A7C15)
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))
