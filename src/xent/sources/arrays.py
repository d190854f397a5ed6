"""NumPy arrays as Arrow columns: one dimension is a column, two are a column of fixed-size lists."""

import numpy as np
import pyarrow as pa

from xent.errors import SourceError

__all__ = ["arrow_array", "arrow_type", "first_null", "numpy_array"]


def arrow_type(name: str, dtype: np.dtype, shape: tuple[int, ...]) -> pa.DataType:
    """Give the Arrow type of an array's rows."""
    if len(shape) not in (1, 2):
        raise SourceError(
            f"array {name!r} has shape {shape}.\nA column is 1-D; predictions may be 2-D (rows, classes)."
        )
    if dtype.kind == "U":
        value = pa.string()
    elif dtype.kind in "biuf" and dtype.itemsize <= 8:
        value = pa.from_numpy_dtype(dtype.newbyteorder("="))
    else:
        raise SourceError(f"array {name!r} has dtype {dtype}.\nPass numbers, booleans or strings.")
    return value if len(shape) == 1 else pa.list_(value, shape[1])


def arrow_array(array: np.ndarray, kind: pa.DataType) -> pa.Array:
    """Give rows as an Arrow array of their `arrow_type`; no copy of C-contiguous numbers."""
    if isinstance(array, np.ma.MaskedArray) and array.ndim == 1:
        return pa.array(array.data, mask=np.ma.getmaskarray(array))
    native = np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("="))
    if native.ndim == 1:
        return pa.array(native, type=kind)
    flat = pa.array(native.reshape(-1), type=kind.value_type)
    if isinstance(array, np.ma.MaskedArray):
        flat = pa.array(native.reshape(-1), mask=np.ma.getmaskarray(array).reshape(-1))
    return pa.FixedSizeListArray.from_arrays(flat, type=kind)


def numpy_array(column: pa.Array) -> np.ndarray:
    """Give a column of numbers or booleans, none of them missing, as NumPy has it; numbers are not copied.

    What `column.to_numpy()` does, which would load pandas where it is installed, in 0.2 s.
    """
    if pa.types.is_boolean(column.type):
        return np.from_dlpack(column.cast(pa.uint8())).view(np.bool_)
    return np.from_dlpack(column)


def first_null(column: pa.Array) -> int:
    """The first row where a column has no value; it has one."""
    return int(np.argmax(numpy_array(column.is_null())))
