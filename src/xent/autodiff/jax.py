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

    labels: Array | None  # (rows,); a negative one marks a row to skip
    soft: Array | None = None  # (rows, classes), or (1, classes) for all rows
    on_label: Array | None = None  # (rows,)
    on_nll: Array | None = None  # (rows,)
    on_square: Array | None = None  # (rows,)


class _Inputs(NamedTuple):
    """All that derivatives are taken by, or those derivatives."""

    features: Array | None  # (rows, dim)
    weight: Array | None  # (classes, dim)
    bias: Array | None  # (classes,)
    rows: _Rows


class _Plan(NamedTuple):
    """What is known when a program is compiled."""

    of_block: Callable[[Array, _Rows], tuple[Array, ...]]  # logits (rows, classes) → (rows,) each
    outputs: int
    softcap: float | None
    rows: int  # in a block
    classes: int  # whose weights' gradient is computed at a time


def linear_statistics(layer: Layer, targets: Targets, max_memory: int) -> RowStatistics:
    """Row statistics of a linear layer's logits."""
    inputs = _inputs(layer, targets, RowWeights())
    return RowStatistics(*_outputs(_plan(_statistics_of_block, 2, layer, max_memory, 2), inputs))


def linear_entropy(layer: Layer, labels: Array | None, max_memory: int) -> Array:
    """Entropy of each row's softmax, 0 for rows whose label is below 0: (rows,)."""
    inputs = _inputs(layer, Targets(labels), RowWeights())
    return _outputs(_plan(_entropy_of_block, 1, layer, max_memory, 6), inputs)[0]


def linear_loss(layer: Layer, targets: Targets, weights: RowWeights, max_memory: int) -> Array:
    """Σ of the rows' losses. Differentiated, it takes three matrix products: gradients are computed with the loss."""
    return _total(_plan(_loss_of_block, 1, layer, max_memory, 2), _inputs(layer, targets, weights))


def _statistics_of_block(logits: Array, rows: _Rows) -> tuple[Array, ...]:
    return tuple(statistics(logits, Targets(rows.labels, rows.soft, rows.on_label)))


def _entropy_of_block(logits: Array, rows: _Rows) -> tuple[Array, ...]:
    return (_counted(row_formulas.entropy(logits), rows.labels),)


def _loss_of_block(logits: Array, rows: _Rows) -> tuple[Array, ...]:
    of_rows = RowStatistics(*_statistics_of_block(logits, rows))
    return (row_loss(of_rows, RowWeights(rows.on_nll, rows.on_square)),)


def _inputs(layer: Layer, targets: Targets, weights: RowWeights) -> _Inputs:
    rows = layer.features.shape[0]
    labels, soft, on_label = targets
    labels = jnp.zeros(rows, jnp.int32) if labels is None else labels
    of_rows = (None if value is None else jnp.broadcast_to(value, rows) for value in (on_label, *weights))
    return _Inputs(layer.features, layer.weight, layer.bias, _Rows(labels, soft, *of_rows))


def _plan(of_block: Any, outputs: int, layer: Layer, max_memory: int, copies: int) -> _Plan:
    """Blocks of nearly equal numbers of rows, so many that `copies` of a block's logits stay within the memory."""
    (rows, dim), classes = layer.features.shape, layer.weight.shape[0]
    size = _accurate(layer.features).itemsize
    most = max(1, max_memory * 3 // 4 // (size * copies * classes))
    blocks = max(1, -(-rows // most))
    chunk = max(1, min(classes, max_memory // 4 // (size * (2 * dim + -(-rows // blocks)))))
    return _Plan(of_block, outputs, layer.softcap, max(1, -(-rows // blocks)), chunk)


def _accurate(array: Array) -> Any:
    """The dtype that products of such arrays are summed in."""
    return jnp.promote_types(array.dtype, jnp.float32)


@partial(jax.jit, static_argnums=0)
@partial(jax.custom_vjp, nondiff_argnums=(0,))
def _outputs(plan: _Plan, inputs: _Inputs) -> tuple[Array, ...]:
    """What `of_block` gives for all rows."""

    def of_block(outputs: tuple[Array, ...], index: Array) -> tuple[Array, ...]:
        features, rows = _block(inputs, index)
        found = plan.of_block(softcap(_logits(plan, features, inputs), plan.softcap), rows)
        return tuple(_put(whole, index, part) for whole, part in zip(outputs, found, strict=True))

    return _over_blocks(plan, inputs, of_block, _no_outputs(plan, inputs))


def _outputs_forward(plan: _Plan, inputs: _Inputs) -> tuple[tuple[Array, ...], _Inputs]:
    return _outputs(plan, inputs), inputs


def _outputs_backward(plan: _Plan, inputs: _Inputs, on_outputs: tuple[Array, ...]) -> tuple[_Inputs]:
    _, gradients = _gradients(plan, inputs, _zeros(inputs), on_outputs)
    return (_as_given(gradients, inputs),)


_outputs.__wrapped__.defvjp(_outputs_forward, _outputs_backward)


@partial(jax.jit, static_argnums=0)
@partial(jax.custom_vjp, nondiff_argnums=(0,))
def _total(plan: _Plan, inputs: _Inputs) -> Array:
    """Σ of the rows' losses."""
    return jnp.sum(_outputs(plan, inputs)[0])


def _total_forward(plan: _Plan, inputs: Any) -> tuple[Array, Any]:
    wanted = jax.tree.map(lambda leaf: leaf.perturbed, inputs, is_leaf=lambda leaf: hasattr(leaf, "perturbed"))
    inputs = jax.tree.map(lambda leaf: leaf.value, inputs, is_leaf=lambda leaf: hasattr(leaf, "perturbed"))
    zeros = jax.tree.map(lambda zero, asked: zero if asked else None, _zeros(inputs), wanted._replace(rows=wanted.rows._replace(labels=None)))
    ones = jnp.ones(inputs.features.shape[0], _accurate(inputs.features))
    (losses,), gradients = _gradients(plan, inputs, zeros, (ones,))
    return jnp.sum(losses), (gradients, inputs)


def _total_backward(plan: _Plan, kept: Any, on_total: Array) -> tuple[_Inputs]:
    gradients, inputs = kept
    return (_as_given(jax.tree.map(lambda gradient: on_total * gradient, gradients), inputs),)


_total.__wrapped__.defvjp(_total_forward, _total_backward, symbolic_zeros=True)


def _gradients(
    plan: _Plan, inputs: _Inputs, zeros: _Inputs, on_outputs: tuple[Array, ...]
) -> tuple[tuple[Array, ...], _Inputs]:
    """`_outputs`, and the gradients of Σ on_outputs·outputs by all that `zeros` has an array of zeros for."""

    def of_block(whole: Any, index: Array) -> Any:
        outputs, sums = whole
        features, rows = _block(inputs, index)
        found, pull = jax.vjp(
            lambda logits, rows: plan.of_block(softcap(logits, plan.softcap), rows),
            _logits(plan, features, inputs),
            rows,
        )
        on_logits, on_rows = pull(tuple(_take(value, index, 0) for value in on_outputs))
        outputs = tuple(_put(whole, index, part) for whole, part in zip(outputs, found, strict=True))
        return outputs, _Inputs(
            _by_features(plan, sums.features, index, on_logits, inputs),
            _by_weight(plan, sums.weight, on_logits, features),
            None if sums.bias is None else sums.bias + jnp.sum(on_logits, axis=0),
            _by_rows(sums.rows, index, on_rows),
        )

    return _over_blocks(plan, inputs, of_block, (_no_outputs(plan, inputs), zeros))


def _over_blocks(plan: _Plan, inputs: _Inputs, of_block: Any, whole: Any) -> Any:
    """Fold `of_block(whole, index)` over blocks of rows, those to skip last: a block of nothing else costs nothing."""
    labels = inputs.rows.labels
    rows = labels.shape[0]
    order = jnp.argsort(labels < 0, stable=True)
    blocks = -(-rows // plan.rows)
    order = jnp.concatenate([order, jnp.arange(rows, blocks * plan.rows)])  # rows there are not: dropped when put

    def step(whole: Any, index: Array) -> tuple[Any, None]:
        some = jnp.any(_take(labels, index, -1) >= 0)
        return jax.lax.cond(some, of_block, lambda whole, index: whole, whole, index), None

    return jax.lax.scan(step, whole, jnp.reshape(order, (blocks, plan.rows)))[0]


def _block(inputs: _Inputs, index: Array) -> tuple[Array, _Rows]:
    """Features and all else of those rows."""
    labels, soft, *others = inputs.rows
    if soft is not None and soft.shape[0] == labels.shape[0]:
        soft = _take(soft, index, 0)
    return _take(inputs.features, index, 0), _Rows(
        _take(labels, index, -1), soft, *(None if other is None else _take(other, index, 0) for other in others)
    )


def _take(array: Array, index: Array, fill: int) -> Array:
    return array.at[index].get(mode="fill", fill_value=fill, unique_indices=True)


def _put(array: Array, index: Array, part: Array) -> Array:
    return array.at[index].set(part.astype(array.dtype), mode="drop", unique_indices=True)


def _logits(plan: _Plan, features: Array, inputs: _Inputs) -> Array:
    """features·weightᵀ + bias of a block, before the softcap."""
    logits = jnp.zeros((features.shape[0], inputs.weight.shape[0]), _accurate(features))

    def of_classes(logits: Array, start: Any, size: int) -> Array:
        weight = jax.lax.dynamic_slice_in_dim(inputs.weight, start, size)
        return jax.lax.dynamic_update_slice_in_dim(logits, _product(features, weight, 1, 1), start, 1)

    logits = _over_classes(plan, inputs.weight, of_classes, logits, whole=True)
    return logits if inputs.bias is None else logits + inputs.bias


def _by_features(plan: _Plan, whole: Array | None, index: Array, on_logits: Array, inputs: _Inputs) -> Array | None:
    if whole is None:
        return None

    def of_classes(sums: Array, start: Any, size: int) -> Array:
        weight = jax.lax.dynamic_slice_in_dim(inputs.weight, start, size)
        return sums + _product(jax.lax.dynamic_slice_in_dim(on_logits, start, size, 1), weight, 1, 0)

    zero = jnp.zeros((index.shape[0], whole.shape[1]), _accurate(whole))
    return _put(whole, index, _over_classes(plan, inputs.weight, of_classes, zero, whole=True))


def _by_weight(plan: _Plan, sums: Array | None, on_logits: Array, features: Array) -> Array | None:
    if sums is None:
        return None

    def of_classes(sums: Array, start: Any, size: int) -> Array:
        part = _product(jax.lax.dynamic_slice_in_dim(on_logits, start, size, 1), features, 0, 0)
        part = part + jax.lax.dynamic_slice_in_dim(sums, start, size)
        return jax.lax.dynamic_update_slice_in_dim(sums, part, start, 0)

    return _over_classes(plan, sums, of_classes, sums, whole=False)


def _by_rows(sums: _Rows, index: Array, on_rows: _Rows) -> _Rows:
    def added(whole: Array | None, part: Array) -> Array | None:
        if whole is None:
            return None
        return whole + part if part.shape[0] != index.shape[0] else _put(whole, index, part)

    return _Rows(*(added(whole, part) for whole, part in zip(sums, on_rows, strict=True)))


def _over_classes(plan: _Plan, array: Array, of_classes: Any, whole_state: Any, *, whole: bool) -> Any:
    """Fold `of_classes(state, start, size)` over the classes."""
    classes = array.shape[0]
    size = classes if whole and array.dtype != jnp.float16 else plan.classes
    state = jax.lax.fori_loop(0, classes // size, lambda k, state: of_classes(state, k * size, size), whole_state)
    rest = classes % size
    return of_classes(state, classes - rest, rest) if rest else state


def _product(one: Array, other: Array, along: int, other_along: int) -> Array:
    """Matrix product summed in float32 at least; bfloat16 factors stay what they are, float16 ones are widened."""
    dtype = other.dtype if other.dtype == jnp.bfloat16 else _accurate(other)
    return jax.lax.dot_general(
        one.astype(dtype),
        other.astype(dtype),
        (((along,), (other_along,)), ((), ())),
        preferred_element_type=_accurate(other),
    )


def _no_outputs(plan: _Plan, inputs: _Inputs) -> tuple[Array, ...]:
    return (jnp.zeros(inputs.features.shape[0], _accurate(inputs.features)),) * plan.outputs


def _zeros(inputs: _Inputs) -> _Inputs:
    """Where gradients are summed; a row's features get theirs once."""
    zeros = jax.tree.map(lambda array: jnp.zeros(array.shape, _accurate(array)), inputs)
    return zeros._replace(features=jnp.zeros_like(inputs.features), rows=zeros.rows._replace(labels=None))


def _as_given(gradients: _Inputs, inputs: _Inputs) -> _Inputs:
    """In the inputs' dtypes; None for what has no gradient."""
    return jax.tree.map(
        lambda array, gradient: None if gradient is None else gradient.astype(array.dtype), inputs, gradients, is_leaf=lambda x: x is None)


def readable(*arrays: Array) -> bool:
    """Whether values can be looked at without waiting for a device: on the CPU, outside of all transformations."""
    return all(
        not isinstance(array, jax.core.Tracer) and all(device.platform == "cpu" for device in array.devices())
        for array in arrays
    )
