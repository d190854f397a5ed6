"""Exact sums by cluster, as columns: millions of them add up in seconds, in some 80 bytes each."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from xent.scoring.key_text import key_of, key_text
from xent.scoring.keyed_columns import KEYS, WHOLE, columns_of, limb_columns, limbs_in, paired, summed
from xent.scoring.limbs import integers_of, limbs_of
from xent.sources.arrays import numpy_array

__all__ = ["ClusterSums", "added", "bytes_of", "cluster_sums", "key_texts"]

Float64 = NDArray[np.float64]
Entry = tuple[int, int, int]  # Σ w and Σ w·x in units of 2^-1074, rows of infinite x
Int64 = NDArray[np.int64]
_OBJECTS = 1 << 14  # bytes that a table takes beside its columns
_NOT_PLAIN = r"[^ !#-\[\]-~]"  # what JSON text has to write in another way


@dataclass(frozen=True, eq=False)
class ClusterSums:
    """Sums by cluster, or by group and cluster.

    Args:
        table: "cluster" and perhaps "group", as `key_text` has them but for the brackets; the limbs of "weight" and
            "loss"; and "infinite", a count. None: there are none.
    """

    table: pa.Table | None = None

    @classmethod
    def of(cls, entries: Mapping[str, Sequence[int]]) -> "ClusterSums":
        """From what `items` gives."""
        if not entries:
            return cls()
        keys = [[key_text(value)[1:-1] for value in key_of(text)] for text in entries]
        columns: dict[str, Any] = {"cluster": pa.array([key[-1] for key in keys], pa.large_string())}
        if len(keys[0]) > 1:
            columns["group"] = pa.array([key[0] for key in keys], pa.large_string())
        weights, losses, infinite = zip(*entries.values(), strict=True)
        columns |= columns_of("weight", limbs_of(weights), len(keys))
        columns |= columns_of("loss", limbs_of(losses), len(keys))
        return cls(pa.table(columns | {"infinite": pa.array(infinite, pa.int64())}))

    @classmethod
    def once(cls, table: pa.Table) -> "ClusterSums":
        """Of a table that may have a cluster several times."""
        return cls(summed([table], _keys(table)))

    @classmethod
    def gather(cls, parts: Iterable["ClusterSums"]) -> "ClusterSums":
        """The sums of all parts."""
        tables = [part.table for part in parts if part.table is not None]
        return cls(summed(tables, _keys(tables[0]))) if len(tables) > 1 else cls(*tables)

    def summed_by(self, *keys: str) -> pa.Table:
        """A table of fewer keys; there must be some."""
        return summed([self.table], keys)

    def __bool__(self) -> bool:
        """Whether there are any."""
        return self.table is not None

    def __len__(self) -> int:
        """How many there are."""
        return 0 if self.table is None else int(self.table.num_rows)

    @property
    def bytes(self) -> int:
        """In memory."""
        return 0 if self.table is None else int(self.table.nbytes)

    def __eq__(self, other: object) -> bool:
        """Whether the same clusters have the same sums."""
        return isinstance(other, ClusterSums) and dict(self.items()) == dict(other.items())

    __hash__ = None  # type: ignore[assignment]

    def items(self) -> Iterator[tuple[str, Entry]]:
        """Each cluster's text and sums."""
        if self.table is None:
            return
        texts = [self.table.column(name).to_pylist() for name in ("group", "cluster") if name in _keys(self.table)]
        numbers = [integers_of(limbs_in(self.table, name), len(self)) for name in ("weight", "loss")]
        rows = zip(*texts, strict=True), zip(*numbers, self.table.column("infinite").to_pylist(), strict=True)
        for names, entry in zip(*rows, strict=True):
            yield f"[{', '.join(names)}]", entry


def added(held: list[ClusterSums], more: ClusterSums) -> list[ClusterSums]:
    """Some parts and one more, merged once what came since is as large as what was merged before."""
    if not more:
        return held
    held = [*held, more]
    late = bytes_of(held[1:]) + _OBJECTS * (len(held) - 1)
    return [ClusterSums.gather(held)] if late > bytes_of(held[:1]) else held


def bytes_of(held: Sequence[ClusterSums]) -> int:
    """In memory."""
    return sum(part.bytes for part in held)


def _keys(table: pa.Table) -> tuple[str, ...]:
    return ("cluster", "group") if "group" in table.column_names else ("cluster",)


def cluster_sums(nats: Float64, weights: Float64 | None, keys: Mapping[str, pa.Array]) -> ClusterSums:
    """Of rows of a weight above 0, by their "cluster", and by their "group" too if they have one."""
    if not len(nats):
        return ClusterSums()
    names = [name for name in KEYS if name in keys]
    codes, found = paired([key_texts(keys[name]) for name in names])
    count, infinite = len(found[0]), np.isinf(nats)
    costs = np.where(infinite, 0.0, nats)
    columns: dict[str, Any] = dict(zip(names, found, strict=True))
    if weights is None:
        columns |= columns_of("weight", {WHOLE: np.bincount(codes, minlength=count)}, count)
    else:
        costs = weights * costs
        columns |= limb_columns("weight", weights, codes, count)
    columns |= limb_columns("loss", costs, codes, count)
    return ClusterSums(
        pa.table(columns | {"infinite": np.bincount(codes, weights=infinite, minlength=count).astype(int)})
    )


def key_texts(column: pa.Array) -> tuple[Int64, pa.Array]:
    """(rows,) which of the texts each row has, and these, each once: as `key_text` has them but for the brackets."""
    if pa.types.is_dictionary(column.type) and column.dictionary.null_count:
        column = column.dictionary_decode()
    if pa.types.is_dictionary(column.type):
        used = column.indices.dictionary_encode(null_encoding="encode")
        values = column.dictionary.take(used.dictionary)
    else:
        used = column.dictionary_encode(null_encoding="encode")
        values = used.dictionary
    codes, texts = numpy_array(used.indices).astype(np.int64), _texts(values)
    if pa.types.is_floating(values.type) or pa.types.is_dictionary(column.type):  # 0.0 and -0.0, or a value told twice
        again = texts.dictionary_encode()
        codes, texts = numpy_array(again.indices).astype(np.int64)[codes], again.dictionary
    return codes, texts


def _texts(values: pa.Array) -> pa.Array:
    if pa.types.is_integer(values.type):
        return values.cast(pa.large_string()).fill_null("null")
    text = pa.types.is_string(values.type) or pa.types.is_large_string(values.type)
    if text and not pc.any(pc.match_substring_regex(values, _NOT_PLAIN)).as_py():
        mark, none = (pa.scalar(given, pa.large_string()) for given in ('"', ""))
        quoted = pc.binary_join_element_wise(mark, values.cast(pa.large_string()), mark, none)
        return quoted.fill_null("null")
    return pa.array([key_text(value)[1:-1] for value in values.to_pylist()], pa.large_string())
