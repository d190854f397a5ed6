"""Arrays of any library: which library, which dtype, and whether the values can be looked at.

Built on array-api-compat, so NumPy, PyTorch, JAX and every array-API library go the same way. No framework is
imported here: an array brings its own.
"""

import sys
from typing import Any, TypeAlias

import array_api_compat
import numpy as np

from xent.errors import ArgumentTypeError

__all__ = [
    "Array",
    "Namespace",
    "arrays_among",
    "arrays_of",
    "beside",
    "constant",
    "device_of",
    "floats",
    "integers",
    "is_tensor",
    "is_true_or_traced",
    "labels_beside",
    "log",
    "namespace_of",
    "number",
    "positions",
    "refuse_masked",
    "values_of",
    "widen",
]

# Arrays of any library. A name only: the array API has no typing protocols fit for strict checking yet.
Array: TypeAlias = Any
Namespace: TypeAlias = Any


def namespace_of(*arrays: Array) -> Namespace:
    """Give the array-API namespace of the arrays' library.

    NumPy since 2.0 is one itself; array-api-compat's twin of it takes longer to load than all of xent.
    """
    torch = sys.modules.get("torch")
    for array in arrays:
        if torch is None or not isinstance(array, torch.Tensor):
            break
    else:
        return _torch_namespace() if arrays else np
    for array in arrays:
        if not isinstance(array, (np.ndarray, np.generic)):
            return array_api_compat.array_namespace(*arrays)
    return np


def is_tensor(value: Any) -> bool:
    """Whether a value is PyTorch's, asked in a way that `torch.compile` can follow."""
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(value, torch.Tensor)


_torch: Namespace = None  # looked up in sys.modules, torch.compile would find that to change while it looks


def _torch_namespace() -> Namespace:
    global _torch
    if _torch is None:
        import array_api_compat.torch as _torch
    return _torch


def arrays_of(**values: Any) -> tuple[Array, ...]:
    """Bring named arguments to arrays of one library, one device and one floating dtype.

    Arrays keep their library, device and floating dtype (the widest among them). Nested lists and numbers
    follow the arrays beside them, or become NumPy float64 where there are none. Integers and booleans
    take the floating dtype of the arrays beside them, or their library's default.
    """
    given = [value for value in values.values() if _is_array(value)]
    xp = _library(**values)
    if not given:
        return tuple(_from_nested(name, value) for name, value in values.items())
    other = {name: value for name, value in values.items() if not _is_array(value)}
    nested = {name: v if isinstance(v, (int, float)) else _from_nested(name, v).tolist() for name, v in other.items()}
    floating = [_floating_dtype(xp, name, value) for name, value in values.items() if name not in nested]
    known = [dtype.newbyteorder("=") if xp is np else dtype for dtype in floating if dtype is not None]
    dtype = known[0] if known else xp.asarray(0.0).dtype
    for other in known:
        dtype = dtype if other == dtype else _wider(xp, dtype, other)
    device = device_of(given[0])
    return tuple(
        xp.asarray(nested[name], dtype=dtype, device=device) if name in nested else _cast(xp, value, dtype)
        for name, value in values.items()
    )


def beside(name: str, value: Any, array: Array) -> Array:
    """Bring a number, nested lists or an array to the library, device and dtype of `array`, 16-bit dtypes widened."""
    xp = namespace_of(array)
    dtype = xp.float32 if xp.finfo(array.dtype).bits < 32 else array.dtype
    if isinstance(value, (int, float)):
        return xp.asarray(value, dtype=dtype, device=device_of(array))
    if not _is_array(value):
        return xp.asarray(_from_nested(name, value).tolist(), dtype=dtype, device=device_of(array))
    value = _followed(name, value, array)
    _library(**{name: value, "the array beside it": array})
    _floating_dtype(xp, name, value)
    return _cast(xp, value, dtype)


def labels_beside(name: str, value: Any, array: Array) -> Array:
    """Bring nested lists or an array to the library and device of `array`, keeping integers and floats what they are."""
    if is_tensor(value) and is_tensor(array):
        return value
    if _is_array(value):
        value = _followed(name, value, array)
        _library(**{name: value, "the array beside it": array})
        return value
    nested = _nested(name, value)
    given = nested.tolist() if nested.size else nested.astype(np.int64)  # NumPy makes floats of no numbers
    return namespace_of(array).asarray(given, device=device_of(array))


def _followed(name: str, value: Array, array: Array) -> Array:
    """Give a NumPy array beside JAX's as JAX's, as everything in JAX takes both."""
    if not (isinstance(value, np.ndarray) and array_api_compat.is_jax_array(array)):
        return value
    xp = namespace_of(array)
    held = xp.asarray(np.empty(0, value.dtype)).dtype  # int32 for int64, unless JAX is told to keep 64 bits
    if value.size and value.dtype.kind in "iu" and held != value.dtype:
        limits = np.iinfo(held)
        lost = np.flatnonzero((value < limits.min).ravel() | (value > limits.max).ravel())
        if len(lost):
            raise ArgumentTypeError(
                f"{name} has {value.ravel()[lost[0]]} at {lost[0]}, which JAX would make another number of in {held}.\n"
                'Keep integers below 2^31, or call jax.config.update("jax_enable_x64", True) first.'
            )
    return xp.asarray(value)


def device_of(array: Array) -> Any:
    """Give the device to make arrays on that are to go with `array`."""
    if is_tensor(array):
        return array.device
    # A traced JAX array has no device to ask for, and JAX moves uncommitted arrays by itself.
    return None if array_api_compat.is_jax_array(array) else array_api_compat.device(array)


def floats(name: str, value: Any) -> Array:
    """Give a floating array as it is, nested lists as NumPy float64, integers in their library's default dtype."""
    if is_tensor(value) and value.is_floating_point():
        return value
    if isinstance(value, np.ndarray) and value.dtype.kind == "f" and value.dtype.itemsize > 8:
        raise ArgumentTypeError(
            f"{name} has dtype {value.dtype}, but losses have no more digits than float64.\nCast it."
        )
    return arrays_of(**{name: value})[0]


def widen(array: Array) -> Array:
    """Give 16-bit floats as float32, in which their arithmetic is done; leave wider ones alone."""
    xp = namespace_of(array)
    return _cast(xp, array, xp.float32) if xp.finfo(array.dtype).bits < 32 else array


def is_true_or_traced(flag: Array) -> bool:
    """Say whether a boolean scalar is true, and yes where it has no value yet (`jax.jit`, `vmap`, `torch.compile`)."""
    try:
        return (is_tensor(flag) and sys.modules["torch"].compiler.is_compiling()) or bool(flag)
    except TypeError:  # jax.errors.ConcretizationTypeError
        if array_api_compat.is_jax_array(flag):
            return True
        raise
    except RuntimeError as error:  # torch.func.vmap
        if is_tensor(flag) and "vmap" in str(error):
            return True
        raise


def number(scalar: Array) -> float:
    """Give the value of a scalar that gradients may flow through."""
    return float(constant(scalar))


def arrays_among(*values: Any) -> list[Array]:
    """Give those of the values that are arrays."""
    return [value for value in values if _is_array(value)]


def refuse_masked(name: str, value: Any) -> None:
    """Refuse a NumPy array of which some entries are masked: what lies behind them is no value."""
    if isinstance(value, np.ma.MaskedArray) and np.ma.is_masked(value):
        raise ArgumentTypeError(f"{name} is masked in places. Remove those rows first; xent never guesses a value.")


def constant(array: Array) -> Array:
    """Give the array as one through which no gradient flows."""
    if is_tensor(array):
        return array.detach()
    if array_api_compat.is_jax_array(array):
        return sys.modules["jax"].lax.stop_gradient(array)
    return array


def values_of(array: Array) -> Any:
    """Give the values as a NumPy array to look at: integers, or floats of at least 32 bits."""
    if not is_tensor(array):
        return np.asarray(array)
    return (array.float() if array.itemsize == 2 and array.is_floating_point() else array).numpy(force=True)


def integers(array: Array) -> Array:
    """Give integers in the signed dtype of 64 bits, of 32 where JAX has no more; its largest for what is too large."""
    xp = namespace_of(array)
    on_jax = not is_tensor(array) and array_api_compat.is_jax_array(array)
    dtype = xp.result_type(int) if on_jax else xp.int64
    signed, most = _cast(xp, array, dtype), xp.iinfo(dtype).max
    return signed if xp.iinfo(array.dtype).max <= most else xp.where(signed < 0, xp.full_like(signed, most), signed)


def positions(array: Array) -> Array:
    """Give 0, 1, … along the last axis, on the array's device."""
    return namespace_of(array).arange(array.shape[-1], device=device_of(array))


def log(array: Array) -> Array:
    """Take the natural logarithm with log 0 = −inf in silence, where NumPy would warn."""
    if is_tensor(array):  # torch.compile cannot follow what is below
        return array.log()
    with np.errstate(divide="ignore"):
        return namespace_of(array).log(array)


def _is_array(value: Any) -> bool:
    if value is None or isinstance(value, (int, float, list, tuple)):  # torch.compile cannot follow what is below
        return False
    return is_tensor(value) or (array_api_compat.is_array_api_obj(value) and not isinstance(value, np.generic))


def _wider(xp: Namespace, one: Any, other: Any) -> Any:
    """Give the dtype that holds both; `result_type` would, but `torch.compile` cannot follow it."""
    bits, other_bits = xp.finfo(one).bits, xp.finfo(other).bits
    if bits == other_bits:  # bfloat16 and float16
        return xp.float32
    return one if bits > other_bits else other


def _library(**values: Any) -> Namespace:
    """Give the one library of the named arrays, or say that there are several; refuse what NumPy has masked."""
    for name, value in values.items():
        refuse_masked(name, value)
    try:
        return namespace_of(*(value for value in values.values() if _is_array(value)))
    except TypeError as error:
        kinds = ", ".join(f"{name} is a {type(value).__module__} array" for name, value in values.items())
        raise ArgumentTypeError(f"{kinds}; all arrays must come from one library.\nConvert them to one.") from error


def _from_nested(name: str, value: Any) -> Any:
    """Read nested lists or a number as NumPy float64; NumPy scalars and columns keep a floating dtype."""
    array = _nested(name, value)
    return array if array.dtype.kind == "f" else array.astype(np.float64)


def _nested(name: str, value: Any) -> Any:
    """Read nested lists, a number or a column as NumPy numbers."""
    try:
        array = np.asarray(value)
    except (TypeError, ValueError, RuntimeError) as error:
        raise ArgumentTypeError(
            f"{name} cannot be read as an array: {error}.\nPass an array, or nested lists of equal lengths."
        ) from error
    if array.dtype.kind not in "biuf":
        raise ArgumentTypeError(
            f"{name} is a {type(value).__name__} of dtype {array.dtype}, but must hold real numbers.\n"
            "Pass an array, a number or nested lists of numbers."
        )
    return array


def _floating_dtype(xp: Namespace, name: str, array: Array) -> Any:
    """Give the dtype of a floating array, None for integers and booleans, an error for anything else."""
    known = xp is not np or array.dtype.kind in "biuf"  # ml_dtypes' are no NumPy dtypes to isdtype
    if known and xp.isdtype(array.dtype, "real floating"):
        return array.dtype
    if known and xp.isdtype(array.dtype, ("integral", "bool")):
        return None
    raise ArgumentTypeError(
        f"{name} has dtype {array.dtype}, but must hold real numbers.\nPass float16, float32, float64 or integers."
    )


def _cast(xp: Namespace, array: Array, dtype: Any) -> Array:
    if isinstance(array, np.ndarray) and not array.dtype.isnative:
        return array.astype(np.dtype(dtype).newbyteorder("="))
    return array if array.dtype == dtype else xp.astype(array, dtype)
