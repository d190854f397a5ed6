"""Types of columns read from text: which is the narrowest that fits, and which holds two."""

from collections.abc import Sequence

import pyarrow as pa
import pyarrow.compute as pc

__all__ = ["first_uncastable", "is_list", "is_numeric", "is_text", "narrowest_type", "value_type", "wider_type"]


def wider_type(one: pa.DataType, other: pa.DataType) -> pa.DataType | None:
    """Give the type that holds the values of both without loss; None where only text could."""
    if one == other or pa.types.is_null(other):
        return one
    if pa.types.is_null(one):
        return other
    if {one, other} == {pa.int64(), pa.float64()}:
        return pa.float64()
    if pa.types.is_list(one) and pa.types.is_list(other):
        value = wider_type(one.value_type, other.value_type)
        return None if value is None else pa.list_(value)
    if pa.types.is_struct(one) and pa.types.is_struct(other):
        return _wider_struct(one, other)
    return None


def _wider_struct(one: pa.DataType, other: pa.DataType) -> pa.DataType | None:
    """Fields of both; JSON leaves out those that are null."""
    kinds = {one.field(i).name: one.field(i).type for i in range(one.num_fields)}
    for field in (other.field(i) for i in range(other.num_fields)):
        kind = wider_type(kinds.get(field.name, pa.null()), field.type)
        if kind is None:
            return None
        kinds[field.name] = kind
    return pa.struct(list(kinds.items()))


def narrowest_type(values: pa.Array, expected: pa.DataType) -> pa.DataType:
    """Give the first type that text can be read as: the expected one, integer, number, boolean, or text itself."""
    if values.null_count == len(values):
        return pa.null()
    trimmed = pc.utf8_trim_whitespace(values)
    for kind in (expected, pa.int64(), pa.float64(), pa.bool_()):
        if not pa.types.is_null(kind) and _castable(trimmed, kind):
            return kind
    return pa.string()


def first_uncastable(values: pa.Array, kind: pa.DataType) -> int | None:
    """Find, by halving, the first value that cannot be read as a type."""
    if _castable(values, kind):
        return None
    good, bad = 0, len(values)  # values[:good] can be read, values[:bad] cannot
    while bad - good > 1:
        middle = (good + bad) // 2
        good, bad = (middle, bad) if _castable(values[good:middle], kind) else (good, middle)
    return good


def value_type(kind: pa.DataType) -> pa.DataType:
    """Look through dictionaries and extension types at the type of the values themselves."""
    if isinstance(kind, pa.BaseExtensionType):
        return value_type(kind.storage_type)
    return value_type(kind.value_type) if pa.types.is_dictionary(kind) else kind


def is_list(kind: pa.DataType) -> bool:
    """Say whether a column has a list in each row, of whichever kind Arrow has."""
    return isinstance(
        kind, (pa.ListType, pa.LargeListType, pa.FixedSizeListType, pa.ListViewType, pa.LargeListViewType)
    )


def is_text(kind: pa.DataType) -> bool:
    """Say whether a type is one of Arrow's three kinds of strings."""
    kind = value_type(kind)
    return kind in (pa.string(), pa.large_string(), pa.string_view())


def is_numeric(kind: pa.DataType) -> bool:
    """Say whether values of a type can be predictions: integers, floats, decimals, booleans."""
    kind = value_type(kind)
    tests: Sequence[bool] = (
        pa.types.is_integer(kind),
        pa.types.is_floating(kind),
        pa.types.is_decimal(kind),
        pa.types.is_boolean(kind),
    )
    return any(tests)


def _castable(values: pa.Array, kind: pa.DataType) -> bool:
    try:
        pc.cast(values, kind)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        return False
    return True
