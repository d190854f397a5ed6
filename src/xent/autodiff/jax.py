"""The losses on JAX arrays: row statistics by the formulas, with derivatives as rules.

The rules are forward ones and differentiable themselves, so all of JAX's transformations work on what is made of
logits. The linear layer's functions have a reverse rule with matrix products of its own (`jax_linear`), and no forward
one: JAX says so when asked.
"""

from typing import Any

import jax
import jax.numpy as jnp
from jax.custom_derivatives import SymbolicZero

from xent._arrays import Array, widen
from xent.autodiff import jax_linear
from xent.formulas import logits as formulas
from xent.formulas import sigmoid
from xent.formulas.linear import Layer
from xent.formulas.rows import Normaliser, RowStatistics, RowWeights, Targets, entropy_of, row_loss, weighted
from xent.formulas.sigmoid import Questions

__all__ = [
    "linear_entropy",
    "linear_loss",
    "linear_statistics",
    "loss",
    "readable",
    "sigmoid_loss",
    "sigmoid_nll",
    "statistics",
]

PIECE = 1 << 18  # logits


@jax.jit
def sigmoid_loss(logits: Array, questions: Questions, weight: Array | None, divisor: Any) -> Array:
    """Σ of what the logits cost, times their weights, over the divisor."""
    nll = sigmoid_nll(logits, *sigmoid.weights_of(questions))
    return jnp.sum(nll if weight is None else weighted(weight, nll)) / divisor


@jax.jit
def sigmoid_nll(logits: Array, positive: Array, negative: Array) -> Array:
    """What yes and no cost, times what they weigh. Any shape."""
    return _sigmoid_nll(widen(logits), positive, negative)


@jax.jit
def statistics(logits: Array, targets: Targets) -> RowStatistics:
    """Row statistics of logits (rows, classes)."""
    logits = widen(logits)
    peak = _counted(_peak(logits), targets.labels)
    nll, tail = _nll_and_tail(logits, peak, targets)
    return RowStatistics(nll, formulas.logsumexp(Normaliser(peak, tail)))


def loss(logits: Array, targets: Targets, weights: RowWeights, divisor: Any) -> Array:
    """Σ of the rows' losses, over the divisor."""
    return jnp.sum(row_loss(statistics(logits, targets), weights)) / divisor


def linear_statistics(layer: Layer, targets: Targets, max_memory: int) -> RowStatistics:
    """Row statistics of a linear layer's logits."""
    plan = jax_linear.plan(_statistics_of, 2, layer, targets, max_memory, PIECE)
    return RowStatistics(*jax_linear.of_rows(plan, jax_linear.inputs_of(layer, targets, RowWeights())))


def linear_entropy(layer: Layer, labels: Array | None, max_memory: int) -> Array:
    """Entropy of each row's softmax, 0 for rows whose label is below 0: (rows,)."""
    plan = jax_linear.plan(_entropy_of, 1, layer, Targets(labels), max_memory, 2 * PIECE)
    return jax_linear.of_rows(plan, jax_linear.inputs_of(layer, Targets(labels), RowWeights()))[0]


def linear_loss(layer: Layer, targets: Targets, weights: RowWeights, divisor: Any, max_memory: int) -> Array:
    """Σ of the rows' losses, over the divisor. Gradients are computed with the loss: three matrix products in all.

    The divisor goes into the rows' weights, so that a gradient as large as the weight is not divided when it is there.
    """
    plan = jax_linear.plan(_loss_of, 1, layer, targets, max_memory, PIECE)
    share = jnp.ones((), jnp.promote_types(layer.features.dtype, jnp.float32)) / divisor
    on_nll = share if weights.nll is None else weights.nll * share
    shares = RowWeights(on_nll, None if weights.square is None else weights.square * share)
    return jax_linear.total(plan, jax_linear.inputs_of(layer, targets, shares))


def readable(*arrays: Array) -> bool:
    """Whether values can be looked at without waiting for a device: on the CPU, outside of all transformations."""
    return all(
        not isinstance(array, jax.core.Tracer) and all(device.platform == "cpu" for device in array.devices())
        for array in arrays
    )


def _statistics_of(logits: Array, rows: jax_linear.Rows) -> tuple[Array, ...]:
    return tuple(statistics(logits, Targets(rows.labels, rows.soft, rows.on_label)))


def _loss_of(logits: Array, rows: jax_linear.Rows) -> tuple[Array, ...]:
    of_rows = RowStatistics(*_statistics_of(logits, rows))
    return (row_loss(of_rows, RowWeights(rows.on_nll, rows.on_square)),)


def _entropy_of(logits: Array, rows: jax_linear.Rows) -> tuple[Array, ...]:
    entropy, *_ = _entropy_tail_spread(logits, _peak(logits))
    return (_counted(entropy, rows.labels),)


_sigmoid_nll = jax.custom_jvp(sigmoid.sigmoid_nll)


def _push_sigmoid_nll(primals: Any, tangents: Any) -> tuple[Array, Array]:
    logits = primals[0]
    on_logits, on_positive, on_negative = (None if _is_symbolic(tangent) else tangent for tangent in tangents)
    nll = _sigmoid_nll(*primals)
    one, zero = jnp.ones_like(nll), jnp.zeros_like(nll)
    pushed = zero
    if on_logits is not None:
        pushed += sigmoid.sigmoid_gradient(*primals) * on_logits
    if on_positive is not None:
        pushed += _sigmoid_nll(logits, one, zero) * on_positive
    if on_negative is not None:
        pushed += _sigmoid_nll(logits, zero, one) * on_negative
    return nll, pushed


_sigmoid_nll.defjvp(_push_sigmoid_nll, symbolic_zeros=True)


@jax.custom_jvp
def _nll_and_tail(logits: Array, peak: Array, targets: Targets) -> tuple[Array, Array]:
    """The two numbers of a row that change with its logits; the peak is a constant by which they are told."""

    def of_piece(logits: Array, peak: Array, targets: Targets) -> tuple[Array, Array]:
        rows = formulas.normaliser(logits, peak)
        nll = formulas.nll(logits, rows, targets)
        return _counted(nll, targets.labels), _counted(rows.tail, targets.labels)

    return _by_pieces(of_piece, logits, peak, targets)


def _push_nll_and_tail(primals: Any, tangents: Any) -> tuple[Any, Any]:
    logits, peak, targets = primals
    nll, tail = _nll_and_tail(*primals)
    on_logits, _, on_targets = jax.tree.map(
        lambda tangent: None if isinstance(tangent, SymbolicZero) else tangent, tangents, is_leaf=_is_symbolic
    )

    @jax.checkpoint  # a reverse pass keeps the logits, not their slopes
    def push(logits: Array, rows: Normaliser, nll: Array, targets: Targets) -> tuple[Array, Array]:
        labels, soft, on_label = targets
        to_nll, to_tail = jnp.zeros_like(nll), jnp.zeros_like(nll)
        if on_logits is not None:
            to_nll += _along(formulas.nll_by_logits(logits, rows, nll, targets), on_logits, labels)
            to_tail += _along(formulas.terms(logits, rows.peak), on_logits, labels)
        if on_targets.soft is not None:
            to_nll += _along(formulas.nll_by_soft(logits, rows, soft), on_targets.soft, labels)
        if on_targets.on_label is not None:
            slope = _counted(formulas.nll_by_on_label(logits, rows, labels, on_label), labels)
            to_nll += _counted(slope * on_targets.on_label, labels)
        return to_nll, to_tail

    return (nll, tail), push(logits, Normaliser(peak, tail), nll, targets)


_nll_and_tail.defjvp(_push_nll_and_tail, symbolic_zeros=True)


@jax.custom_jvp
def _entropy_tail_spread(logits: Array, peak: Array) -> tuple[Array, Array, Array]:
    """The entropy of softmax(z), and the numbers that tell its slope. The peak is a constant."""

    def of_piece(logits: Array, peak: Array) -> tuple[Array, Array, Array]:
        rows = formulas.normaliser(logits, peak)
        spread = formulas.spread(logits, rows)
        return entropy_of(rows, spread), rows.tail, spread

    return _by_pieces(of_piece, logits, peak)


@_entropy_tail_spread.defjvp
def _push_entropy_tail_spread(primals: Any, tangents: Any) -> tuple[Any, Any]:
    logits, peak = primals
    entropy, tail, spread = _entropy_tail_spread(*primals)

    @jax.checkpoint
    def push(logits: Array, rows: Normaliser, spread: Array) -> tuple[Array, ...]:
        slopes = (
            formulas.entropy_by_logits(logits, rows, spread),
            formulas.terms(logits, rows.peak),
            formulas.spread_by_logits(logits, rows.peak),
        )
        return tuple(jnp.sum(slope * tangents[0], axis=-1) for slope in slopes)

    return (entropy, tail, spread), push(logits, Normaliser(peak, tail), spread)


def _by_pieces(of_piece: Any, logits: Array, *others: Any) -> Any:
    """`of_piece` of all rows, a cache's worth at a time: XLA on a CPU stores what it sums."""
    rows, classes = logits.shape
    size = max(1, PIECE // classes)
    if rows <= size:
        return of_piece(logits, *others)
    logits, *others = jax_linear.on_one_mesh((logits, *others))

    def step(piece: Array, whole: Any) -> Any:
        start = jnp.minimum(piece * size, rows - size)  # the last one begins early and finds some of it again
        parts = jax.tree.map(
            lambda array: jax.lax.dynamic_slice_in_dim(array, start, size) if array.shape[0] == rows else array,
            (logits, *others),
        )
        return jax.tree.map(
            lambda array, part: jax.lax.dynamic_update_slice_in_dim(array, part, start, 0), whole, of_piece(*parts)
        )

    found = jax.eval_shape(of_piece, logits, *others)
    whole = jax.tree.map(lambda part: jnp.zeros_like(logits[:, 0], part.dtype), found)
    return jax.lax.fori_loop(0, -(-rows // size), step, whole)


def _is_symbolic(tangent: Any) -> bool:
    return isinstance(tangent, SymbolicZero)


def _peak(logits: Array) -> Array:
    return jax.lax.stop_gradient(jnp.max(logits, axis=-1))


def _along(slope: Array, tangent: Array, labels: Array | None) -> Array:
    """Σ_j slope_j·tangent_j, neither of which matters in a row to skip, be it NaN."""
    if labels is not None:
        slope = jnp.where(labels[:, None] < 0, 0.0, slope)
    return _counted(jnp.sum(slope * tangent, axis=-1), labels)


def _counted(values: Array, labels: Array | None) -> Array:
    return values if labels is None else jnp.where(labels < 0, 0.0, values)
