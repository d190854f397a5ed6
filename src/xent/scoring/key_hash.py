"""Numbers that spread keys over partitions: the same for the same key, in any process and on any machine."""

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from xent.sources.arrays import numpy_array

__all__ = ["is_number_key", "key_hash", "plain_keys"]

UInt64 = NDArray[np.uint64]

_BYTES = 1 << 20  # of text hashed at a time, each taking some 30 bytes meanwhile


def is_number_key(kind: pa.DataType) -> bool:
    """Whether keys of an Arrow type are held as int64, and not as text."""
    if pa.types.is_dictionary(kind):
        return is_number_key(kind.value_type)
    return bool(pa.types.is_integer(kind) and kind != pa.uint64())


def plain_keys(column: pa.Array) -> pa.Array:
    """Keys as int64 or as text, whatever they are stored as; bytes that are no text as Python writes them."""
    if isinstance(column, pa.ExtensionArray):
        column = column.storage
    if pa.types.is_dictionary(column.type):
        return plain_keys(column.dictionary).take(column.indices)
    if is_number_key(column.type):
        return column.cast(pa.int64())
    try:
        return column.cast(pa.large_string())
    except pa.ArrowInvalid:
        return pa.array([None if one is None else _text(one) for one in column.to_pylist()], pa.large_string())


def _text(value: bytes) -> str:
    try:
        return value.decode()
    except UnicodeDecodeError:
        return str(value)


def key_hash(keys: pa.Array) -> UInt64:
    """(rows,) of int64 or large text without missing values."""
    if pa.types.is_int64(keys.type):
        return _mixed(numpy_array(keys).view(np.uint64))
    if len(keys) == 0:
        return np.zeros(0, np.uint64)
    _, ends, data = keys.buffers()
    offsets = np.frombuffer(ends, np.int64)[keys.offset : keys.offset + len(keys) + 1]
    text = np.frombuffer(data, np.uint8) if data is not None else np.zeros(0, np.uint8)
    found = np.empty(len(keys), np.uint64)
    start = 0
    while start < len(keys):
        stop = int(np.searchsorted(offsets, offsets[start] + _BYTES, side="right")) - 1
        stop = min(len(keys), max(start + 1, stop))
        found[start:stop] = _text_sums(text, offsets[start : stop + 1])
        start = stop
    return _mixed(found)


def _text_sums(text: NDArray[np.uint8], offsets: NDArray[np.int64]) -> UInt64:
    """Σ (byte + 1)·factor of its place (Carter and Wegman 1979), modulo 2^64, of the texts between the offsets."""
    lengths = np.diff(offsets)
    first = offsets[:-1] - offsets[0]
    places = np.arange(int(lengths.sum())) - np.repeat(first, lengths)
    terms = text[offsets[0] : offsets[-1]].astype(np.uint64) + np.uint64(1)
    terms *= _FACTORS[places & (len(_FACTORS) - 1)]
    sums = np.add.reduceat(np.append(terms, np.uint64(0)), first)
    return np.where(lengths > 0, sums, np.uint64(0))


def _mixed(values: UInt64) -> UInt64:
    """Each bit of a number spread over all of them (splitmix64)."""
    z = values + np.uint64(0x9E3779B97F4A7C15)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


_FACTORS = _mixed(np.arange(1 << 12, dtype=np.uint64)) | np.uint64(1)
