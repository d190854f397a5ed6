"""JAX arrays: the formulas with derivatives as rules, and a linear layer's rows a block at a time.

Row statistics have a forward rule that is itself differentiable, so all of JAX's transformations work on them.
What belongs to a linear layer has a reverse rule with products of its own, and no forward one: JAX says so.
"""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax.custom_derivatives import SymbolicZero

from xent._arrays import Array, widen
from xent.formulas import logits as formulas, rows as row_formulas, sigmoid
from xent.formulas.linear import Layer
from xent.formulas.rows import Normaliser, RowStatistics, RowWeights, Targets, row_loss, softcap

__all__ = ["linear_entropy", "linear_loss", "linear_statistics", "readable", "sigmoid_nll", "statistics"]

sigmoid_nll = jax.jit(sigmoid.sigmoid_nll)


@jax.jit
def statistics(logits: Array, targets: Targets) -> RowStatistics:
    """Row statistics of logits (rows, classes)."""
    logits = widen(logits)
    peak = _counted(jax.lax.stop_gradient(jnp.max(logits, axis=-1)), targets.labels)
    nll, tail = _nll_and_tail(logits, peak, targets)
    return RowStatistics(nll, formulas.logsumexp(Normaliser(peak, tail)))


@jax.custom_jvp
def _nll_and_tail(logits: Array, peak: Array, targets: Targets) -> tuple[Array, Array]:
    """The two numbers of a row that change with its logits; the peak is a constant by which they are told."""
    rows = formulas.normaliser(logits, peak, jax.lax.optimization_barrier(peak))
    nll = formulas.nll(logits, rows, targets)
    return _counted(nll, targets.labels), _counted(rows.tail, targets.labels)


def _push(primals: Any, tangents: Any) -> tuple[Any, Any]:
    logits, peak, targets = primals
    nll, tail = _nll_and_tail(*primals)
    on_logits, _, on_targets = jax.tree.map(
        lambda tangent: None if isinstance(tangent, SymbolicZero) else tangent,
        tangents,
        is_leaf=lambda tangent: isinstance(tangent, SymbolicZero),
    )
    # Checkpointed: what a reverse pass keeps is the logits, not their slopes.
    pushed = jax.checkpoint(_pushed)(logits, Normaliser(peak, tail), nll, targets, on_logits, on_targets)
    return (nll, tail), pushed


_nll_and_tail.defjvp(_push, symbolic_zeros=True)


def _pushed(
    logits: Array, rows: Normaliser, nll: Array, targets: Targets, on_logits: Array | None, on_targets: Targets
) -> tuple[Array, Array]:
    """What changes of logits, soft targets and the labels' weights do to nll and tail."""
    labels, soft, on_label = targets
    to_nll, to_tail = jnp.zeros_like(nll), jnp.zeros_like(nll)
    if on_logits is not None:
        to_nll += jnp.sum(formulas.nll_by_logits(logits, rows, nll, targets) * on_logits, axis=-1)
        to_tail += jnp.sum(formulas.terms(logits, rows.peak) * on_logits, axis=-1)
    if on_targets.soft is not None:
        to_nll += jnp.sum(formulas.nll_by_soft(logits, rows, soft) * on_targets.soft, axis=-1)
    if on_targets.on_label is not None:
        to_nll += formulas.nll_by_on_label(logits, rows, labels, on_label) * on_targets.on_label
    return _counted(to_nll, labels), _counted(to_tail, labels)


def _counted(values: Array, labels: Array | None) -> Array:
    return values if labels is None else jnp.where(labels < 0, 0.0, values)


class _Rows(NamedTuple):
    """What a block takes of each row beside its features. What is None has no part in the loss."""

    labels: Array  # (rows,); a negative one marks a row to skip
    soft: Array | None = None  # (rows, classes), or (1, classes) for all rows
    on_label: Array | None = None  # (rows,)
    on_nll: Array | None = None  # (rows,)
    on_square: Array | None = None  # (rows,)


class _Inputs(NamedTuple):
    """All that derivatives are taken by."""

    features: Array  # (rows, dim)
    weight: Array  # (classes, dim)
    bias: Array | None  # (classes,)
    rows: _Rows


class _Plan(NamedTuple):
    """What is known when a program is compiled."""

    of_block: Callable[[Array, _Rows], tuple[Array, ...]]  # (rows, classes) → (rows,) each
    softcap: float | None
    rows: int  # a block
    classes: int  # of the weight gradient at a time


def linear_statistics(layer: Layer, targets: Targets, max_memory: int) -> RowStatistics:
    """Row statistics of a linear layer's logits."""
    inputs = _inputs(layer, targets)
    return RowStatistics(*_outputs(_plan(_statistics_of_block, layer, inputs, 2, max_memory), inputs))


def linear_entropy(layer: Layer, labels: Array | None, max_memory: int) -> Array:
    """Entropy of each row's softmax, 0 for rows whose label is below 0: (rows,)."""
    inputs = _inputs(layer, Targets(labels))
    (entropy,) = _outputs(_plan(_entropy_of_block, layer, inputs, 6, max_memory), inputs)
    return entropy


def linear_loss(layer: Layer, targets: Targets, weights: RowWeights, max_memory: int) -> Array:
    """Σ of the rows' losses."""
    inputs = _inputs(layer, targets, weights)
    return _total(_plan(_loss_of_block, layer, inputs, 2, max_memory), inputs)


def _statistics_of_block(logits: Array, rows: _Rows) -> tuple[Array, ...]:
    return statistics(logits, Targets(rows.labels, rows.soft, rows.on_label))


def _entropy_of_block(logits: Array, rows: _Rows) -> tuple[Array, ...]:
    return (_counted(row_formulas.entropy(logits), rows.labels),)


def _loss_of_block(logits: Array, rows: _Rows) -> tuple[Array, ...]:
    of_rows = RowStatistics(*_statistics_of_block(logits, rows))
    return (row_loss(of_rows, RowWeights(rows.on_nll, rows.on_square)),)


def _inputs(layer: Layer, targets: Targets, weights: RowWeights = RowWeights()) -> _Inputs:
    rows = layer.features.shape[0]
    labels, soft, on_label = targets
    if labels is None:
        labels = jnp.zeros(rows, jnp.int32)
    of_rows = (None if value is None else jnp.broadcast_to(value, rows) for value in (on_label, *weights))
    return _Inputs(layer.features, layer.weight, layer.bias, _Rows(labels, soft, *of_rows))


def _plan(of_block: Any, layer: Layer, inputs: _Inputs, copies: int, max_memory: int) -> _Plan:
    """Blocks of equal numbers of rows, each of whose rows takes up `copies` rows of logits."""
    rows, dim = layer.features.shape
    classes = layer.weight.shape[0]
    number = jnp.finfo(layer.features.dtype).bits // 8
    number = max(4, number)
    per_chunk = max_memory // 4
    of_classes = max(1, min(classes, per_chunk // (number * dim)))
    most = max(1, (max_memory - per_chunk) // (number * copies * classes))
    blocks = max(1, -(-rows // most))
    return _Plan(of_block, layer.softcap, max(1, -(-rows // blocks)), of_classes)


@partial(jax.jit, static_argnums=0)
@partial(jax.custom_vjp, nondiff_argnums=(0,))
def _outputs(plan: _Plan, inputs: _Inputs) -> tuple[Array, ...]:
    """What `of_block` gives for all rows."""

    def step(outputs: tuple[Array, ...], index: Array) -> tuple[tuple[Array, ...], None]:
        def counted(outputs: tuple[Array, ...]) -> tuple[Array, ...]:
            features, rows = _block(inputs, index)
            found = plan.of_block(_logits(plan, features, inputs), rows)
            return _put(outputs, index, found)

        return jax.lax.cond(_any_counted(inputs, index), counted, lambda outputs: outputs, outputs), None

    zero = jnp.zeros(inputs.features.shape[0], widen(inputs.features[:0]).dtype)
    return jax.lax.scan(step, (zero,) * _count(plan), _order(plan, inputs))[0]
