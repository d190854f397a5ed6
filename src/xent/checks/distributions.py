"""What is asked of probabilities and of the parameters of Gaussians before anything is computed from them.

Shapes are always checked. Values are checked where they can be read: not inside `jax.jit`, `vmap` or `torch.compile`.
"""

import math
from numbers import Integral
from typing import Any

import numpy as np

from xent._arrays import Array, arrays_of, is_true_or_traced, namespace_of, number, widen
from xent.errors import OptionError, ProbabilityError, ShapeError

__all__ = [
    "SUM_TOLERANCE",
    "broadcast_shape",
    "covariance",
    "distributions",
    "finite",
    "joint_distribution",
    "not_negative",
    "positive",
    "probabilities",
    "sum_tolerance",
]

# Sums off by more than this are refused. float32 round-off stays far below; 16 bits get what they need.
SUM_TOLERANCE = 1e-3


def sum_tolerance(p: Array, outcomes: int) -> float:
    """How far from 1 the probabilities of so many outcomes may sum in the dtype of `p`.

    A softmax in 16 bits rounds its powers, their sum, maybe the reciprocal of that, and the probabilities: each moves
    the sum by at most eps/2 of itself, or where numbers are subnormal, powers and probabilities, each entry by half
    of the smallest. The sum is 1, so that comes to 2·eps + outcomes·smallest; bfloat16 gets 0.016.
    """
    xp = namespace_of(p)
    if not xp.isdtype(p.dtype, "real floating"):
        return SUM_TOLERANCE
    limits = xp.finfo(p.dtype)
    eps = float(limits.eps)
    return max(SUM_TOLERANCE, 2 * eps + outcomes * eps * float(limits.smallest_normal))


def probabilities(name: str, values: Any) -> Array:
    """Refuse entries outside [0, 1], allowing for the rounding of a sum that came out just above 1."""
    (p,) = arrays_of(**{name: values})
    highest = 1 + 16 * float(namespace_of(p).finfo(p.dtype).eps)
    _every(name, p, (p >= 0) & (p <= highest), "probabilities must be in [0, 1]", _LOGITS)
    return widen(p)


def distributions(axis: int, **given: Any) -> tuple[int, list[Array]]:
    """Refuse distributions that do not fit together, have negative or NaN entries or do not sum to 1.

    Returns the arrays in the dtype to compute in, and the axis counted from the end, where broadcasting
    lines them up.
    """
    arrays = dict(zip(given, arrays_of(**given), strict=True))
    shape = broadcast_shape(**arrays)
    if not shape:
        numbers = " and ".join(f"{name} is {number(array):.6g}" for name, array in arrays.items())
        raise ShapeError(
            f"{numbers}: a number, not a distribution, which is a probability for each outcome.\n"
            "Pass all of them, such as [0.3, 0.7]; surprisal takes the probability of one."
        )
    if not isinstance(axis, Integral) or not -len(shape) <= axis < len(shape):
        raise OptionError(
            f"axis is {axis!r}, but the arrays broadcast to shape {shape}, so it must be an integer in "
            f"[{-len(shape)}, {len(shape)}).\nPass the axis along which each distribution's outcomes lie."
        )
    axis = axis if axis < 0 else axis - len(shape)
    for name, array in arrays.items():
        _distribution(name, array, axis)
    if len({array.shape[axis] for array in arrays.values()}) > 1:
        counts = " and ".join(f"{name} has {array.shape[axis]} outcomes" for name, array in arrays.items())
        raise ShapeError(f"{counts} along axis {axis}.\nPass probabilities of the same outcomes.")
    return axis, [widen(array) for array in arrays.values()]


def _distribution(name: str, p: Array, axis: int) -> None:
    if p.ndim < -axis or p.shape[axis] == 0:
        raise ShapeError(
            f"{name} has shape {tuple(p.shape)}, so no outcomes along axis {axis}.\n"
            "Pass an array with the probabilities of one distribution along that axis."
        )
    _sums_to_one(name, p, (axis,), "row", "rows")


def joint_distribution(name: str, table: Any) -> Array:
    """Refuse negative or NaN entries, and tables over the last two axes that do not sum to 1."""
    (pxy,) = arrays_of(**{name: table})
    if pxy.ndim < 2 or 0 in pxy.shape[-2:]:
        raise ShapeError(
            f"{name} has shape {tuple(pxy.shape)}, but must be (..., x, y) with at least one x and one y.\n"
            "Pass a table with x along axis -2 and y along axis -1."
        )
    _sums_to_one(name, pxy, (-2, -1), "table", "tables")
    return widen(pxy)


def finite(name: str, values: Array) -> None:
    """Refuse NaN and infinite entries."""
    xp = namespace_of(values)
    _every(name, values, xp.isfinite(values), "must be finite", "Remove or replace the entries that are not.")


def positive(name: str, std: Array) -> None:
    """Refuse standard deviations that are not finite and above 0."""
    ok = namespace_of(std).isfinite(std) & (std > 0)
    allowed = "standard deviations must be finite and above 0"
    _every(name, std, ok, allowed, "If these are logarithms, pass their exp.")


def not_negative(name: str, values: Array) -> None:
    """Refuse squares that are not finite and at least 0."""
    ok = namespace_of(values).isfinite(values) & (values >= 0)
    _every(name, values, ok, "must be finite and at least 0", "Pass a mean of squares.")


def covariance(name: str, cov: Array) -> None:
    """Refuse matrices that are not square, finite, symmetric and positive definite beyond rounding."""
    xp = namespace_of(cov)
    if cov.ndim < 2 or cov.shape[-1] != cov.shape[-2] or cov.shape[-1] == 0:
        raise ShapeError(
            f"{name} has shape {tuple(cov.shape)}, but must be (..., n, n) with n at least 1.\n"
            "For a diagonal covariance, pass the standard deviations and axis=-1."
        )
    finite(name, cov)
    cov = widen(cov)
    variances = xp.linalg.diagonal(cov)  # (..., n)
    _every(f"diagonal of {name}", variances, variances > 0, "variances must be above 0", _COVARIANCE)
    eps = float(xp.finfo(cov.dtype).eps)
    scale = xp.sqrt(variances)
    correlation = cov / scale[..., :, None] / scale[..., None, :]
    skew = xp.abs(correlation - xp.matrix_transpose(correlation))
    allowed = "covariances must be symmetric"
    _every(name, cov, skew <= 1e3 * eps, allowed, "Pass (cov + cov.T)/2 if the difference is rounding.")
    lowest = xp.min(xp.linalg.eigvalsh(correlation), axis=-1)  # (...)
    what = f"smallest eigenvalue of the correlations in {name}"
    _every(what, lowest, lowest > cov.shape[-1] * eps, "it must be positive", _COVARIANCE)


_LOGITS = "If these are logits, pass their softmax; if log-probabilities, their exp."
_COVARIANCE = "Remove variables that others determine, or add a small multiple of the identity."


def _every(name: str, values: Array, ok: Array, allowed: str, next_step: str) -> None:
    """Raise about the first entry of `values` that is not ok."""
    xp = namespace_of(ok)
    if is_true_or_traced(xp.all(ok)):
        return
    index, count, total = _first(~ok)
    verb = "is" if count == 1 else "are"
    raise ProbabilityError(
        f"{name}{_subscript(index)} is {_shown(number(values[index]))}, but {allowed}; "
        f"{count:,} of {total:,} values {verb} outside.\n{next_step}"
    )


def _shown(value: float) -> str:
    """Six digits, or all of them where six are those of 0 or 1, which are allowed."""
    shown = f"{value:.6g}"
    return repr(value) if float(shown) in (0.0, 1.0) and float(shown) != value else shown


def _sums_to_one(name: str, p: Array, axes: tuple[int, ...], row: str, rows: str) -> None:
    xp = namespace_of(p)
    _every(name, p, p >= 0, "probabilities must be in [0, 1]", _LOGITS)
    sums = xp.sum(widen(p), axis=axes, keepdims=True)
    tolerance = sum_tolerance(p, math.prod([p.shape[axis] for axis in axes]))
    off = xp.abs(sums - 1)
    if is_true_or_traced(xp.all(off <= tolerance)):
        return
    index, count, total = _first(~(off <= tolerance))
    largest = np.unravel_index(int(xp.argmax(xp.reshape(off, (-1,)))), tuple(off.shape))
    where, worst = (_subscript(_over(place, axes)) for place in (index, largest))
    many = f" ({count:,} of {total:,} {rows} are off by more than {tolerance:.3g}; the largest is {name}{worst})"
    raise ProbabilityError(
        f"{name}{where} sums to {number(sums[index]):.6g}, not 1{many if total > 1 else ''}.\n"
        f"Divide each {row} by its sum if that is what you mean. {_LOGITS}"
    )


def _first(bad: Array) -> tuple[tuple[int, ...], int, int]:
    """Give the index of the first true entry, how many there are, and of how many."""
    xp = namespace_of(bad)
    flat = xp.astype(xp.reshape(bad, (-1,)), xp.int32)
    index = np.unravel_index(int(xp.argmax(flat)), tuple(bad.shape))
    return tuple(int(i) for i in index), int(xp.sum(flat)), int(flat.shape[0])


def _over(index: Any, axes: tuple[int, ...]) -> list[int | str]:
    """Write ':' for the axes that were summed; a leading place tells a row, so the last ones are left out."""
    places: list[int | str] = [int(i) for i in index]
    for axis in axes:
        places[axis] = ":"
    while places and places[-1] == ":":
        places.pop()
    return places


def _subscript(index: Any) -> str:
    return f"[{', '.join(map(str, index))}]" if len(index) else ""


def broadcast_shape(**arrays: Array) -> tuple[int, ...]:
    """Give the shape that named arrays broadcast to, or say which shapes do not fit."""
    try:
        return np.broadcast_shapes(*(tuple(array.shape) for array in arrays.values()))
    except ValueError as error:
        shapes = ", ".join(f"{name} has shape {tuple(array.shape)}" for name, array in arrays.items())
        raise ShapeError(f"{shapes}; these do not broadcast.\nMake them equal, or 1, in every axis.") from error
