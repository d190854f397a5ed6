"""Tables of exact sums, a row a key: quantities are columns of limbs, named "quantity:j", and add up key by key."""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from xent.scoring.limbs import Limbs, carried, floats_of, limb_sums
from xent.sources.arrays import numpy_array

__all__ = ["KEYS", "WHOLE", "columns_of", "floats_in", "limb_columns", "limbs_in", "paired", "summed"]

Float64 = NDArray[np.float64]
Int64 = NDArray[np.int64]
KEYS = ("cluster", "group", "class")
WHOLE = 34  # the limb of whole numbers below 2^32


def limb_columns(name: str, values: Float64, codes: Int64, count: int) -> dict[str, Int64]:
    """The columns of a quantity's sums, by code (rows,) below `count`; values (rows,) are finite."""
    return columns_of(name, limb_sums(values, codes, count), count)


def columns_of(name: str, limbs: Limbs, count: int) -> dict[str, Int64]:
    """The same of given sums; at least one column, which tells that there are sums."""
    columns = carried(limbs, count) or {WHOLE: np.zeros(count, np.int64)}
    return {f"{name}:{j}": column for j, column in columns.items()}


def limbs_in(table: pa.Table, name: str) -> Limbs:
    """A quantity's limbs."""
    return {
        int(column.partition(":")[2]): numpy_array(table.column(column).combine_chunks())
        for column in table.column_names
        if column.startswith(f"{name}:")
    }


def floats_in(table: pa.Table, name: str) -> Float64:
    """(rows,) the float64 nearest to each of a quantity's sums."""
    return floats_of(limbs_in(table, name), table.num_rows)


def paired(keys: Sequence[tuple[Int64, pa.Array]]) -> tuple[Int64, list[pa.Array]]:
    """(rows,) which distinct keys each row has, and a column of these for each; given so for one key at a time."""
    codes, first = keys[0]
    found = [first]
    for more, names in keys[1:]:
        pairs = pa.array(codes * len(names) + more).dictionary_encode()
        codes, both = numpy_array(pairs.indices).astype(np.int64), numpy_array(pairs.dictionary)
        found = [column.take(pa.array(both // len(names))) for column in found]
        found.append(names.take(pa.array(both % len(names))))
    return codes, found


def summed(tables: Sequence[pa.Table], keys: Sequence[str]) -> pa.Table:
    """One row for each of the `keys`, all sums added up; a column that a table lacks is 0 there."""
    table = pa.concat_tables(tables, promote_options="default")
    encoded = [table.column(key).combine_chunks().dictionary_encode() for key in keys]
    codes, found = paired([(numpy_array(one.indices).astype(np.int64), one.dictionary) for one in encoded])
    count = len(found[0])
    columns: dict[str, Int64] = {}
    limbs: dict[str, Limbs] = {}
    for name in table.column_names:
        if name in KEYS:
            continue
        values = numpy_array(pc.fill_null(table.column(name).combine_chunks(), 0))
        total = np.bincount(codes, weights=values, minlength=count).astype(np.int64)  # exact: carried limbs, few tables
        quantity, _, j = name.partition(":")
        if j:
            limbs.setdefault(quantity, {})[int(j)] = total
        else:
            columns[name] = total
    for quantity, sums in limbs.items():
        columns |= columns_of(quantity, sums, count)
    return pa.table(dict(zip(keys, found, strict=True)) | {name: pa.array(column) for name, column in columns.items()})
