"""Entropy and its relatives for Gaussians: scalar, diagonal and full covariance.

Which of the three is meant is said by the arguments, never guessed from a shape:

* `std`, and `axis=None` (the default): every element is a Gaussian of its own; results are elementwise.
* `std`, and `axis=-1` or another: independent variables along it (a diagonal covariance); results lose it.
* `cov`: full covariance matrices, shape (..., n, n); means are (..., n); results are (...).

All broadcast, work on the arrays that `xent.entropy` works on, and are in nats unless `base` is given.
These are entropies of densities: they depend on the unit that x is measured in, and may be negative.
"""

import math
from typing import Any, NamedTuple

from xent._arrays import Array, arrays_of, log, namespace_of, widen
from xent.checks import distributions as checks
from xent.errors import OptionError, ShapeError
from xent.formulas import distributions as formulas
from xent.units import from_nats

__all__ = ["cross_entropy", "entropy", "from_mean_squared_error", "kl_divergence"]

LOG_SQRT_TAU = 0.5 * math.log(2.0 * math.pi)


def entropy(std: Any = None, *, cov: Any = None, axis: int | None = None, base: float | None = None) -> Array:
    """Differential entropy of a Gaussian, ½ log(2πe·std²) for a scalar, ½ log det(2πe·cov) for a vector.

    Args:
        std: any shape, standard deviations, > 0. Give either `std` or `cov`.
        cov: (..., n, n), covariance matrices, symmetric and positive definite.
        axis: None takes each element of `std` as a Gaussian of its own; an axis takes the elements along
            it as
            one Gaussian with a diagonal covariance.
        base: of the logarithm; None gives nats, 2 gives bits.

    Returns:
        `std`'s shape (without `axis`, if given), or (...) for `cov`, in their library and dtype.

    Raises:
        ProbabilityError: `std` is not positive and finite, or `cov` not symmetric and positive definite.
        OptionError: neither or both of `std` and `cov` are given, or `axis` does not go with them.

    Source:
        Cover and Thomas, "Elements of Information Theory" (2006), theorem 8.4.1.

    Example:
        >>> from xent import gaussian
        >>> float(gaussian.entropy(1.0, base=2).round(3))
        2.047
    """
    if _is_full({"std": std}, {"cov": cov}, axis):
        (cov,) = arrays_of(cov=cov)
        factor = _cholesky("cov", cov)
        std, axis = namespace_of(factor).linalg.diagonal(factor), -1
    else:
        (std,) = arrays_of(std=std)
        checks.positive("std", std)
        std = widen(std)
    return from_nats(_summed(_message_length(std, namespace_of(std).ones_like(std)), axis), base)


def cross_entropy(
    mean_p: Any,
    std_p: Any = None,
    mean_q: Any = None,
    std_q: Any = None,
    *,
    cov_p: Any = None,
    cov_q: Any = None,
    axis: int | None = None,
    base: float | None = None,
) -> Array:
    """Cross-entropy of Gaussians: mean cost −E_P log q(x) of draws from P under a code made for Q.

    Args:
        mean_p: any shape, the mean of P: what happens.
        std_p: any shape, its standard deviation, > 0.
        mean_q: any shape, the mean of Q: what was expected.
        std_q: any shape, its standard deviation, > 0.
        cov_p: (..., n, n), instead of `std_p`: P's covariance; means are then (..., n).
        cov_q: (..., n, n), instead of `std_q`: Q's covariance.
        axis: None is elementwise; an axis takes the elements along it as one Gaussian with diagonal
            covariance.
        base: of the logarithm; None gives nats, 2 gives bits.

    Returns:
        The broadcast shape (without `axis`, if given), or (...) for covariances; library and widest dtype
        kept.

    Raises:
        ProbabilityError: a mean is not finite, a `std` not positive, a `cov` not symmetric positive definite.
        OptionError: neither or both of a `std` and a `cov` are given, or `axis` does not go with them.
        ShapeError: the arguments do not broadcast.

    Source:
        Rasmussen and Williams, "Gaussian Processes for Machine Learning" (2006), appendix A.5.

    Example:
        >>> from xent import gaussian
        >>> float(gaussian.cross_entropy(0.0, 1.0, 1.0, 1.0) - gaussian.entropy(1.0))
        0.5
    """
    pair = _pair(mean_p, std_p, mean_q, std_q, cov_p, cov_q, axis)
    nats = _message_length(pair.std_q, (pair.std_p / pair.std_q) ** 2 + pair.shift**2)
    return from_nats(_summed(nats, pair.axis) + pair.mixing, base)


def kl_divergence(
    mean_p: Any,
    std_p: Any = None,
    mean_q: Any = None,
    std_q: Any = None,
    *,
    cov_p: Any = None,
    cov_q: Any = None,
    axis: int | None = None,
    base: float | None = None,
) -> Array:
    """KL divergence of Gaussians: what it costs beyond the entropy of P to expect Q when P is true.

    A sum of terms that are each ≥ 0 and found without cancellation: never negative, and exactly 0 for P = Q.
    Arguments, shapes and errors are those of `cross_entropy`.

    Returns:
        The broadcast shape (without `axis`, if given), or (...) for covariances; library and widest dtype
        kept.

    Source:
        Kullback, "Information Theory and Statistics" (1959), chapter 9.

    Example:
        >>> from xent import gaussian
        >>> float(gaussian.kl_divergence(0.0, 1.0, 1.0, 1.0))
        0.5
        >>> unit = [[1, 0], [0, 1]]
        >>> float(gaussian.kl_divergence([0, 0], mean_q=[1, 1], cov_p=unit, cov_q=unit))
        1.0
    """
    pair = _pair(mean_p, std_p, mean_q, std_q, cov_p, cov_q, axis)
    nats = _excess(pair.std_p, pair.std_q) + 0.5 * pair.shift**2
    return from_nats(_summed(nats, pair.axis) + pair.mixing, base)


def from_mean_squared_error(mse: Any, std: Any = 1.0, *, base: float | None = None) -> Array:
    """Cross-entropy per value that a mean squared error stands for: log(std·√(2π)) + mse/(2·std²).

    The bridge between regression and cross-entropy. Predicting f(x) and scoring the squared error is
    predicting the Gaussian N(f(x), std²) and scoring −log density: the mean of that is a constant plus
    mse/(2·std²). With std = 1, two mean squared errors differ by twice what their cross-entropies differ
    by, so both have the same minimum. At the best std, √mse, it is the entropy of a Gaussian of that
    spread.

    Args:
        mse: any shape, mean squared errors, ≥ 0.
        std: broadcasts with `mse`; the standard deviation that the predicted Gaussians have, > 0.
        base: of the logarithm; None gives nats, 2 gives bits.

    Returns:
        The broadcast shape, in the arrays' library and widest dtype, per predicted value.

    Raises:
        ProbabilityError: `mse` is negative or not finite, or `std` not positive and finite.

    Source:
        Bishop, "Pattern Recognition and Machine Learning" (2006), section 1.2.5.

    Example:
        >>> from xent import gaussian
        >>> float(gaussian.from_mean_squared_error(3.0) - gaussian.from_mean_squared_error(1.0))
        1.0
    """
    mse, std = arrays_of(mse=mse, std=std)
    checks.broadcast_shape(mse=mse, std=std)
    checks.not_negative("mse", mse)
    checks.positive("std", std)
    mse, std = widen(mse), widen(std)
    return from_nats(_message_length(std, mse / std / std), base)


class _Pair(NamedTuple):
    """P and Q as independent scalars; of full covariances, the diagonals of the Cholesky factors."""

    std_p: Array
    std_q: Array
    shift: Array  # mean_p − mean_q in units of Q's deviations
    mixing: Array | float  # from full covariances: half the squares of A (below) off its diagonal
    axis: int | None


def _message_length(std: Array, mean_square: Array) -> Array:
    """−E log density, the squared distance from the mean being mean_square·std² on average."""
    return LOG_SQRT_TAU + log(std) + 0.5 * mean_square


def _excess(std_p: Array, std_q: Array) -> Array:
    """½·(r² − 1 − log r²) ≥ 0 for r = std_p/std_q, without cancellation where r ≈ 1."""
    xp = namespace_of(std_p, std_q)
    huge = std_p / std_q > math.sqrt(float(xp.finfo(std_p.dtype).max)) / 4.0  # whose square is no number of the dtype
    std_p = xp.where(huge, std_q, std_p)
    ratio = std_p / std_q
    step = ((std_p - std_q) / std_q) * (ratio + 1.0)
    nats = 0.5 * formulas.divergence(xp.ones_like(ratio), ratio**2, step, 2.0 * formulas.log_ratio(std_q, std_p))
    return xp.where(huge, xp.full_like(nats, math.inf), nats)


def _pair(mean_p: Any, std_p: Any, mean_q: Any, std_q: Any, cov_p: Any, cov_q: Any, axis: int | None) -> _Pair:
    if mean_p is None or mean_q is None:
        raise OptionError("mean_p or mean_q is missing.\nPass both means; 0.0 stands for a centred Gaussian.")
    if _is_full({"std_p": std_p, "std_q": std_q}, {"cov_p": cov_p, "cov_q": cov_q}, axis):
        return _full_pair(mean_p=mean_p, mean_q=mean_q, cov_p=cov_p, cov_q=cov_q)
    given = {"mean_p": mean_p, "std_p": std_p, "mean_q": mean_q, "std_q": std_q}
    arrays = dict(zip(given, arrays_of(**given), strict=True))
    checks.broadcast_shape(**arrays)
    for name, array in arrays.items():
        (checks.positive if name.startswith("std") else checks.finite)(name, array)
    mean_p, std_p, mean_q, std_q = map(widen, arrays.values())
    return _Pair(std_p, std_q, (mean_p - mean_q) / std_q, 0.0, axis)


def _full_pair(**given: Any) -> _Pair:
    """Write P in coordinates where Q is the unit Gaussian; its factor there is A = Lq⁻¹·Lp, lower triangular.

    trace(Q⁻¹P) is the sum of the squares in A and det P/det Q the product of its squared diagonal, so
    what depends on the diagonal is a sum over scalars, and the rest a sum of squares. A − 1 = Lq⁻¹·(Lp −
    Lq) is exactly 0 for P = Q.
    """
    mean_p, mean_q, cov_p, cov_q = arrays_of(**given)
    for name, mean in (("mean_p", mean_p), ("mean_q", mean_q)):
        checks.finite(name, mean)
    factor_p, factor_q = _cholesky("cov_p", cov_p), _cholesky("cov_q", cov_q)
    xp = namespace_of(factor_p)
    std_p, std_q = xp.linalg.diagonal(factor_p), xp.linalg.diagonal(factor_q)  # (..., n)
    step = widen(mean_p) - widen(mean_q)
    size = checks.broadcast_shape(means=step, cov_p=std_p, cov_q=std_q)[-1]
    if not size == std_p.shape[-1] == std_q.shape[-1]:
        raise ShapeError(
            f"the means have {size} variables, cov_p {std_p.shape[-1]} and cov_q {std_q.shape[-1]}.\n"
            "Pass means (..., n) and covariances (..., n, n) of the same n."
        )
    step, _ = xp.broadcast_arrays(step, std_q)
    shift = xp.linalg.solve(factor_q, step[..., None])[..., 0]
    off_diagonal = xp.tril(xp.linalg.solve(factor_q, factor_p - factor_q), k=-1)
    return _Pair(std_p, std_q, shift, 0.5 * xp.sum(off_diagonal**2, axis=(-2, -1)), -1)


def _cholesky(name: str, cov: Array) -> Array:
    checks.covariance(name, cov)
    cov = widen(cov)
    return namespace_of(cov).linalg.cholesky(cov)


def _is_full(stds: dict[str, Any], covs: dict[str, Any], axis: int | None) -> bool:
    """Say whether covariances are given rather than standard deviations, and refuse anything in between."""
    std_count, cov_count = (sum(value is not None for value in values.values()) for values in (stds, covs))
    if (std_count, cov_count) not in ((len(stds), 0), (0, len(covs))):
        got = [name for name, value in {**stds, **covs}.items() if value is not None]
        raise OptionError(
            f"got {' and '.join(got) or 'nothing'}; needs {' and '.join(stds)}, or {' and '.join(covs)}.\n"
            "For a diagonal covariance, pass standard deviations and axis=-1."
        )
    if cov_count and axis is not None:
        raise OptionError(f"axis is {axis}, but covariances lie in the last two axes.\nLeave axis out.")
    return cov_count > 0


def _summed(nats: Array, axis: int | None) -> Array:
    """Sum independent variables along an axis; None keeps the elements apart."""
    if axis is None:
        return nats
    if not -nats.ndim <= axis < nats.ndim:
        raise OptionError(
            f"axis is {axis}, but the arguments broadcast to shape {tuple(nats.shape)}, so it must be in "
            f"[{-nats.ndim}, {nats.ndim}).\nPass the axis along which the variables of one Gaussian lie."
        )
    return namespace_of(nats).sum(nats, axis=axis)
