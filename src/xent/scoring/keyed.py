"""Sums of nats by group and by cluster: keyed, so that they add up where one straddles files."""

from collections.abc import Mapping
from operator import add

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from xent.kernels import score_numpy
from xent.kernels.choice import score_kernels
from xent.scoring import exact
from xent.scoring.cluster_sums import cluster_sums
from xent.scoring.key_text import key_text
from xent.scoring.squares import squares
from xent.scoring.sums import Keyed, Sums
from xent.sources.arrays import numpy_array

__all__ = ["key_codes", "keyed_sums"]

Float64 = NDArray[np.float64]
Codes = NDArray[np.int64]


def keyed_sums(nats: Float64, weights: Float64 | None, keys: Mapping[str, pa.Array]) -> Sums:
    """Sums of rows by their "group", and by their "cluster" (within the group where there are both)."""
    found = Sums()
    used = None if weights is None or (weights > 0.0).all() else np.flatnonzero(weights > 0.0)
    if used is not None and weights is not None:
        nats, weights = nats[used], weights[used]
        keys = {name: column.take(pa.array(used)) for name, column in keys.items()}
    if "group" in keys:
        found = found + Sums(groups=_by_key(*key_codes(keys["group"]), nats, weights))
    if "cluster" in keys:
        found = found + Sums(clusters=cluster_sums(nats, weights, keys))
    return found


def key_codes(column: pa.Array) -> tuple[NDArray[np.int64], list[str]]:
    """(rows,) which of the texts each row has, and these, each once."""
    found = column if pa.types.is_dictionary(column.type) else pc.dictionary_encode(column)
    values = found.dictionary.to_pylist()
    numbers = pa.types.is_integer(found.dictionary.type) and not found.dictionary.null_count
    texts = [f"[{value}]" for value in values] if numbers else [key_text(value) for value in values]
    texts.append(key_text(None))
    indices = found.indices.fill_null(len(texts) - 1) if found.null_count else found.indices
    code_of = {text: code for code, text in enumerate(dict.fromkeys(texts))}  # a dictionary may repeat a value, or null
    return np.array([code_of[text] for text in texts])[numpy_array(indices)], list(code_of)


def _by_key(codes: Codes, texts: list[str], nats: Float64, weights: Float64 | None) -> dict[str, Keyed]:
    kernels = score_kernels(nats.size)
    if weights is not None or kernels is score_numpy:
        return _one_by_one(codes, texts, nats, weights)
    sums, odd = np.zeros((len(texts), 5), np.int64), np.zeros(len(nats), np.bool_)
    left_out = kernels.accumulate_keyed(nats, codes, sums, odd)
    found = {texts[i]: _exact(sums[i].tolist()) for i in np.flatnonzero(sums[:, 0])}
    if left_out:
        for text, more in _one_by_one(codes[odd], texts, nats[odd], None).items():
            known = found.get(text)
            found[text] = more if known is None else tuple(map(add, known, more))
    return found


def _exact(limbs: list[int]) -> Keyed:
    """What `accumulate_keyed` summed, as MEAN_FIELDS."""
    rows, loss, loss_rest, square, square_rest = limbs
    weight = rows << exact.UNIT_BITS
    cost = (loss << (exact.UNIT_BITS - 36)) + (loss_rest << (exact.UNIT_BITS - 76))
    squared = (square << (exact.UNIT_BITS - 32)) + (square_rest << (exact.UNIT_BITS - 72))
    return rows, weight, weight, cost, cost, squared, 0, 0


def _one_by_one(codes: Codes, texts: list[str], nats: Float64, weights: Float64 | None) -> dict[str, Keyed]:
    weights = np.ones(len(nats)) if weights is None else weights
    finite = nats < np.inf
    x, w, of = nats[finite], weights[finite], codes[finite]
    cost = w * x
    rows, infinite = (np.bincount(c, minlength=len(texts)) for c in (codes, codes[~finite]))
    columns = (
        exact.grouped_sums(weights, codes),
        exact.grouped_sums(weights * weights, codes),
        exact.grouped_sums(cost, of),
        exact.grouped_sums(w * cost, of),
        exact.grouped_sums(squares(cost), of),
        exact.grouped_sums(weights[~finite], codes[~finite]),
    )
    return {
        texts[i]: (int(rows[i]), *(c.get(i, 0) for c in columns[:5]), int(infinite[i]), columns[5].get(i, 0))
        for i in map(int, np.flatnonzero(rows))
    }
