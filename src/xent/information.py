"""Entropy and its relatives for discrete distributions, on arrays of any library and nested lists.

Nothing is normalised or clipped. 0·log 0 is exactly 0; what happens although its probability is 0 costs
infinity. Gradients flow where the library has them. Where an entry of exactly 0 makes a slope infinite,
as that of p·log p, a finite one is given (0 for `entropy` and for `p` of `kl_divergence`), so that
gradients through a softmax, which multiplies it by that 0, are right. 16-bit floats are computed and
returned as float32. Values are checked where they can be read: not inside `jax.jit`, `vmap` or `torch.compile`.
"""

from typing import Any

from xent._arrays import Array, namespace_of
from xent.checks import distributions as checks
from xent.formulas import distributions as formulas
from xent.units import from_nats

__all__ = [
    "conditional_entropy",
    "cross_entropy",
    "entropy",
    "joint_entropy",
    "js_divergence",
    "kl_divergence",
    "mutual_information",
    "perplexity",
    "surprisal",
]


def surprisal(p: Any, *, base: float | None = None) -> Array:
    """Surprisal −log p: what an event of probability p costs when it happens.

    Args:
        p: any shape, probabilities in [0, 1]; floating or integer dtype.
        base: of the logarithm; None gives nats, 2 gives bits.

    Returns:
        `p`'s shape, in `p`'s library and dtype. Probability 0 costs infinity.

    Raises:
        ProbabilityError: an entry is negative, above 1 or NaN.

    Source:
        Tribus, "Thermostatics and Thermodynamics" (1961), chapter 2; Shannon (1948), section 6.

    Example:
        >>> from xent import surprisal
        >>> surprisal([0.5, 0.25], base=2).tolist()
        [1.0, 2.0]
    """
    return from_nats(formulas.surprisal(checks.probabilities("p", p)), base)


def entropy(p: Any, *, axis: int = -1, base: float | None = None) -> Array:
    """Entropy H(P) = −Σ p log p: the least mean message length for draws from P.

    Args:
        p: (..., outcomes along `axis`, ...), probabilities summing to 1; floating or integer dtype.
        axis: along which the outcomes lie.
        base: of the logarithm; None gives nats, 2 gives bits.

    Returns:
        `p`'s shape without `axis`, in `p`'s library and dtype. 0·log 0 counts as exactly 0.

    Raises:
        ProbabilityError: an entry is negative or NaN, or a distribution's sum is off by more than 1e-3.
        ShapeError: there are no outcomes along `axis`.

    Source:
        Shannon, "A Mathematical Theory of Communication" (1948), section 6.

    Example:
        >>> from xent import entropy
        >>> float(entropy([0.10, 0.40, 0.50], base=2).round(3))
        1.361
    """
    axis, (p,) = checks.distributions(axis, p=p)
    return from_nats(formulas.entropy(p, axis), base)


def cross_entropy(p: Any, q: Any, *, axis: int = -1, base: float | None = None) -> Array:
    """Cross-entropy H(P, Q) = −Σ p log q = H(P) + KL(P‖Q): the mean cost of draws from P under a code for Q.

    Args:
        p: (..., outcomes along `axis`, ...), probabilities summing to 1: what happens.
        q: the same for what was expected; `p` and `q` broadcast, with equal numbers of outcomes.
        axis: along which the outcomes lie, in the shape that both broadcast to.
        base: of the logarithm; None gives nats, 2 gives bits.

    Returns:
        The broadcast shape without `axis`, in the arrays' library and widest dtype. Infinite where p > 0 and
        q = 0; an outcome with p = 0 costs exactly 0, whatever its q.

    Raises:
        ProbabilityError: an entry is negative or NaN, or a distribution's sum is off by more than 1e-3.
        ShapeError: `p` and `q` do not broadcast, or differ in outcomes.

    Source:
        Cover and Thomas, "Elements of Information Theory" (2006), theorem 5.4.3.

    Example:
        >>> from xent import cross_entropy
        >>> float(cross_entropy([0.10, 0.40, 0.50], [0.80, 0.15, 0.05], base=2).round(3))
        3.288
    """
    axis, (p, q) = checks.distributions(axis, p=p, q=q)
    return from_nats(formulas.cross_entropy(p, q, axis), base)


def kl_divergence(p: Any, q: Any, *, axis: int = -1, base: float | None = None) -> Array:
    """KL divergence Σ p log(p/q): what it costs beyond H(P) to expect Q when P is true.

    What is computed is Σ [p log(p/q) − p + q]. For rows of equal sums that is Σ p log(p/q). For rows
    summing to 1 only within round-off it is the divergence of the normalised rows up to products of that
    round-off, where the plain sum would be off by the round-off itself. Every term is ≥ 0 and found
    without cancellation: the result is never negative, keeps its digits for nearly equal rows, and is
    exactly 0 for equal ones.

    Args:
        p: (..., outcomes along `axis`, ...), probabilities summing to 1: what happens.
        q: the same for what was expected; `p` and `q` broadcast, with equal numbers of outcomes.
        axis: along which the outcomes lie, in the shape that both broadcast to.
        base: of the logarithm; None gives nats, 2 gives bits.

    Returns:
        The broadcast shape without `axis`, in the arrays' library and widest dtype; ≥ 0, infinite where p > 0
        and q = 0. The gradient is that of the sum above: log(p/q) for p and 1 − p/q for q.

    Raises:
        ProbabilityError: an entry is negative or NaN, or a distribution's sum is off by more than 1e-3.
        ShapeError: `p` and `q` do not broadcast, or differ in outcomes.

    Source:
        Kullback and Leibler, "On Information and Sufficiency" (1951); with −p + q: Csiszár, "Why Least
        Squares and Maximum Entropy?" (1991).

    Example:
        >>> from xent import kl_divergence
        >>> float(kl_divergence([0.10, 0.40, 0.50], [0.80, 0.15, 0.05], base=2).round(3))
        1.927
    """
    axis, (p, q) = checks.distributions(axis, p=p, q=q)
    return from_nats(formulas.kl_divergence(p, q, axis), base)


def js_divergence(p: Any, q: Any, *, axis: int = -1, base: float | None = None) -> Array:
    """Jensen-Shannon divergence ½KL(P‖M) + ½KL(Q‖M), M = (P + Q)/2: symmetric, never infinite, at most log 2.

    Args:
        p: (..., outcomes along `axis`, ...), probabilities summing to 1.
        q: the same; `p` and `q` broadcast, with equal numbers of outcomes.
        axis: along which the outcomes lie, in the shape that both broadcast to.
        base: of the logarithm; None gives nats, 2 gives bits (then at most 1).

    Returns:
        The broadcast shape without `axis`, in the arrays' library and widest dtype; ≥ 0, and 0 for equal
        rows.

    Raises:
        ProbabilityError: an entry is negative or NaN, or a distribution's sum is off by more than 1e-3.
        ShapeError: `p` and `q` do not broadcast, or differ in outcomes.

    Source:
        Lin, "Divergence Measures Based on the Shannon Entropy" (1991), doi:10.1109/18.61115.

    Example:
        >>> from xent import js_divergence
        >>> float(js_divergence([1, 0], [0, 1], base=2))
        1.0
    """
    axis, (p, q) = checks.distributions(axis, p=p, q=q)
    return from_nats(formulas.js_divergence(p, q, axis), base)


def joint_entropy(pxy: Any, *, base: float | None = None) -> Array:
    """Joint entropy H(X, Y) = −Σ p(x,y) log p(x,y) of a table of two variables.

    Args:
        pxy: (..., x, y), probabilities of which each table sums to 1.
        base: of the logarithm; None gives nats, 2 gives bits.

    Returns:
        `pxy`'s shape without the last two axes, in its library and dtype.

    Raises:
        ProbabilityError: an entry is negative or NaN, or a table's sum is off by more than 1e-3.
        ShapeError: `pxy` has fewer than two axes, or no x or no y.

    Source:
        Cover and Thomas, "Elements of Information Theory" (2006), section 2.2.

    Example:
        >>> from xent import joint_entropy
        >>> float(joint_entropy([[0.25, 0.25], [0.25, 0.25]], base=2))
        2.0
    """
    return from_nats(formulas.entropy(checks.joint_distribution("pxy", pxy), (-2, -1)), base)


def conditional_entropy(pxy: Any, *, base: float | None = None) -> Array:
    """Conditional entropy H(Y|X) = Σ p(x,y) log(p(x)/p(x,y)): what Y still costs once X is known.

    Args:
        pxy: (..., x, y), probabilities of which each table sums to 1.
        base: of the logarithm; None gives nats, 2 gives bits.

    Returns:
        `pxy`'s shape without the last two axes, in its library and dtype; H(X, Y) = H(X) + H(Y|X).

    Raises:
        ProbabilityError: an entry is negative or NaN, or a table's sum is off by more than 1e-3.
        ShapeError: `pxy` has fewer than two axes, or no x or no y.

    Source:
        Cover and Thomas, "Elements of Information Theory" (2006), section 2.2.

    Example:
        >>> from xent import conditional_entropy
        >>> float(conditional_entropy([[0.25, 0.25], [0.5, 0.0]], base=2).round(12))
        0.5
    """
    return from_nats(formulas.conditional_entropy(checks.joint_distribution("pxy", pxy)), base)


def mutual_information(pxy: Any, *, base: float | None = None) -> Array:
    """Mutual information I(X; Y) = H(Y) − H(Y|X): what knowing X saves on Y.

    What is computed is Σ p(x,y) log(p(x,y)·t/(p(x)·p(y))), t = Σ p(x,y): for a table summing to 1 only
    within round-off, t times its normalised information. Never negative; nearly independent variables
    keep their digits.

    Args:
        pxy: (..., x, y), probabilities of which each table sums to 1.
        base: of the logarithm; None gives nats, 2 gives bits.

    Returns:
        `pxy`'s shape without the last two axes, in its library and dtype; ≥ 0.

    Raises:
        ProbabilityError: an entry is negative or NaN, or a table's sum is off by more than 1e-3.
        ShapeError: `pxy` has fewer than two axes, or no x or no y.

    Source:
        Cover and Thomas, "Elements of Information Theory" (2006), section 2.3.

    Example:
        >>> from xent import mutual_information
        >>> float(mutual_information([[0.5, 0.0], [0.0, 0.5]], base=2).round(12))
        1.0
    """
    return from_nats(formulas.mutual_information(checks.joint_distribution("pxy", pxy)), base)


def perplexity(p: Any, q: Any = None, *, axis: int = -1) -> Array:
    """Perplexity exp H(P), or exp H(P, Q): how many equally likely outcomes would be as uncertain.

    Args:
        p: (..., outcomes along `axis`, ...), probabilities summing to 1: what happens.
        q: the same for what was expected; None means P itself.
        axis: along which the outcomes lie, in the shape that both broadcast to.

    Returns:
        The (broadcast) shape without `axis`, in the arrays' library and widest dtype: a number of outcomes,
        ≥ 1, infinite where p > 0 and q = 0.

    Raises:
        ProbabilityError: an entry is negative or NaN, or a distribution's sum is off by more than 1e-3.
        ShapeError: `p` and `q` do not broadcast, or differ in outcomes.

    Source:
        Jelinek et al., "Perplexity: a measure of the difficulty of speech recognition tasks" (1977).

    Example:
        >>> from xent import perplexity
        >>> float(perplexity([0.25, 0.25, 0.25, 0.25]).round(12))
        4.0
    """
    nats = entropy(p, axis=axis) if q is None else cross_entropy(p, q, axis=axis)
    return namespace_of(nats).exp(nats)
