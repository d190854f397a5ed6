"""A linear layer's rows on JAX arrays, a block of logits at a time, with matrix products of our own on the way back.

Rows to skip go last and a block of nothing else costs nothing. A product that adds to the weight's gradient takes a few
classes at a time, in place; 16-bit factors are summed in float32.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from xent._arrays import Array
from xent.formulas.linear import Layer
from xent.formulas.rows import RowWeights, Targets, softcap

__all__ = ["Inputs", "Plan", "Rows", "inputs_of", "of_rows", "on_one_mesh", "plan", "total"]


class Rows(NamedTuple):
    """What a block takes of each row beside its features. What is None has no part in the loss."""

    labels: Array  # (rows,); a negative one marks a row to skip
    soft: Array | None = None  # (rows, classes), or (1, classes) for all rows
    on_label: Array | None = None  # (rows,)
    on_nll: Array | None = None  # (rows,)
    on_square: Array | None = None  # (rows,)


class Inputs(NamedTuple):
    """All that derivatives are taken by."""

    features: Array  # (rows, dim)
    weight: Array  # (classes, dim)
    bias: Array | None  # (classes,)
    rows: Rows


class Plan(NamedTuple):
    """What is known when a program is compiled."""

    of_block: Callable[[Array, Rows], tuple[Array, ...]]  # logits (rows, classes) → (rows,) each
    outputs: int  # how many it gives
    softcap: float | None
    rows: int  # in a block
    classes: int  # whose weights' gradient is computed at a time


def inputs_of(layer: Layer, targets: Targets, weights: RowWeights) -> Inputs:
    """A label and a weight for each row."""
    rows = layer.features.shape[0]
    labels, soft, on_label = targets
    labels = jnp.zeros(rows, jnp.int32) if labels is None else labels
    of_rows = (None if value is None else jnp.broadcast_to(value, rows) for value in (on_label, *weights))
    inputs: Inputs = on_one_mesh(Inputs(layer.features, layer.weight, layer.bias, Rows(labels, soft, *of_rows)))
    return inputs


def on_one_mesh(arrays: Any) -> Any:
    """The arrays, each varying over all axes of a mesh that one of them varies over, as loops and rules ask.

    Outside of `jax.shard_map` none does. There the way back adds up what each device says of an array they share.
    """
    zeros = [jnp.zeros_like(array, jnp.int32, shape=()) for array in jax.tree.leaves(arrays)]
    if len({jax.typeof(zero) for zero in zeros}) == 1:
        return arrays
    zero = sum(zeros[1:], zeros[0])  # varies over all of them
    return jax.tree.map(lambda array: array + zero.astype(array.dtype), arrays)


def plan(of_block: Any, outputs: int, layer: Layer, targets: Targets, max_memory: int, piece: int) -> Plan:
    """Blocks of nearly equal numbers of rows, so many that all copies of a block's logits stay within the memory.

    How many copies XLA makes on a CPU was found by looking (`memory_analysis`): what is added to the products or bends
    them costs one, 16-bit factors another, targets that are not a class more; and two of a `piece` of logits.
    """
    copies = 1 + (layer.bias is not None or layer.softcap is not None)
    copies += _accurate(layer.features) != layer.features.dtype
    (rows, dim), classes = layer.features.shape, layer.weight.shape[0]
    if targets.soft is not None:
        copies += 4 if targets.soft.shape[0] == 1 else 6
    size = _accurate(layer.features).itemsize
    room = max_memory // size
    share = room // 24  # of a chunk of the weight's gradient, which comes when the pieces are gone and fits a cache
    most = max((room - max(2 * piece, share)) // (copies * classes), (room - share) // ((copies + 2) * classes), 1)
    blocks = max(1, -(-rows // most))
    in_block = max(1, -(-rows // blocks))
    chunk = max(1, min(classes, share // (2 * dim + in_block)))
    return Plan(of_block, outputs, layer.softcap, in_block, chunk)


def _of_rows(plan: Plan, inputs: Inputs) -> tuple[Array, ...]:
    """What `of_block` gives for all rows; the way back computes the logits again."""

    def of_block(whole: tuple[Array, ...], index: Array) -> tuple[Array, ...]:
        features, rows = _block(inputs, index)
        found = plan.of_block(softcap(_logits(plan, features, inputs), plan.softcap), rows)
        return tuple(_put(all_of_it, index, part) for all_of_it, part in zip(whole, found, strict=True))

    return _over_blocks(plan, inputs, of_block, _no_outputs(plan, inputs))


def _of_rows_forward(plan: Plan, inputs: Inputs) -> tuple[tuple[Array, ...], Inputs]:
    return _of_rows(plan, inputs), inputs


def _of_rows_backward(plan: Plan, inputs: Inputs, on_outputs: tuple[Array, ...]) -> tuple[Inputs]:
    _, gradients = _gradients(plan, inputs, _zeros(inputs), on_outputs)
    return (_as_given(gradients, inputs),)


_of_rows_with_rule = jax.custom_vjp(_of_rows, nondiff_argnums=(0,))
_of_rows_with_rule.defvjp(_of_rows_forward, _of_rows_backward)
of_rows = jax.jit(_of_rows_with_rule, static_argnums=0)


def _total(plan: Plan, inputs: Inputs) -> Array:
    """Σ over the rows of what `of_block` gives; gradients are computed on the way forward, those that are asked for."""
    return jnp.sum(_of_rows(plan, inputs)[0])


def _total_forward(plan: Plan, inputs: Any) -> tuple[Array, Any]:
    values = jax.tree.map(lambda leaf: leaf.value, inputs)
    zeros = jax.tree.map(lambda leaf, zero: zero if leaf.perturbed else None, inputs, _zeros(values))
    (of_row, *_), gradients = _gradients(plan, values, zeros, (jnp.ones_like(_no_outputs(plan, values)[0]),))
    return jnp.sum(of_row), (gradients, values)


def _total_backward(plan: Plan, kept: Any, on_total: Array) -> tuple[Inputs]:
    gradients, inputs = kept
    return (_as_given(jax.tree.map(lambda gradient: on_total * gradient, gradients), inputs),)


_total_with_rule = jax.custom_vjp(_total, nondiff_argnums=(0,))
_total_with_rule.defvjp(_total_forward, _total_backward, symbolic_zeros=True)
total = _total_with_rule  # not under jit: what it keeps for the way back depends on what is differentiated by


def _gradients(plan: Plan, inputs: Inputs, zeros: Any, on_outputs: tuple[Array, ...]) -> tuple[tuple[Array, ...], Any]:
    """`of_rows`, and the gradients of Σ on_outputs·outputs by all that `zeros` has an array of zeros for."""

    def of_block(whole: Any, index: Array) -> Any:
        outputs, (by_features, by_weight, by_bias, by_rows) = whole
        features, rows = _block(inputs, index)
        found, pull = jax.vjp(
            lambda logits, rows: plan.of_block(softcap(logits, plan.softcap), rows),
            _logits(plan, features, inputs),
            rows,
        )
        on_logits, on_rows = pull(tuple(_take(value, index, 0) for value in on_outputs))
        if by_features is not None:
            by_features = _put(by_features, index, _by_features(plan, on_logits, inputs))
        if by_weight is not None:
            by_weight = _with_weight_part(plan, by_weight, on_logits, features)
        if by_bias is not None:
            by_bias = by_bias + jnp.sum(on_logits, axis=0)
        outputs = tuple(_put(all_of_it, index, part) for all_of_it, part in zip(outputs, found, strict=True))
        by_rows = _with_rows_part(by_rows, index, on_rows, inputs.features.shape[0])
        return outputs, Inputs(by_features, by_weight, by_bias, by_rows)

    return _over_blocks(plan, inputs, of_block, (_no_outputs(plan, inputs), zeros))


def _over_blocks(plan: Plan, inputs: Inputs, of_block: Any, whole: Any) -> Any:
    """Fold `of_block(whole, index)` over blocks of rows."""
    labels = inputs.rows.labels
    rows = labels.shape[0]
    if not rows:
        return whole
    blocks = -(-rows // plan.rows)
    # Rows to skip go last, and after them rows there are not, which are filled when taken and dropped when put.
    order = jnp.concatenate([jnp.argsort(labels < 0, stable=True), jnp.arange(rows, blocks * plan.rows)])

    def step(whole: Any, index: Array) -> tuple[Any, None]:
        some = jnp.any(_take(labels, index, -1) >= 0)
        return jax.lax.cond(some, of_block, lambda whole, _: whole, whole, index), None

    return jax.lax.scan(jax.checkpoint(step), whole, jnp.reshape(order, (blocks, plan.rows)))[0]


def _block(inputs: Inputs, index: Array) -> tuple[Array, Rows]:
    """Features and all else of those rows; features are 0 in rows to skip, lest a NaN there gets into a product."""
    labels, soft, *others = inputs.rows
    if soft is not None and soft.shape[0] == labels.shape[0]:
        soft = _take(soft, index, 0)
    weights = (None if other is None else _take(other, index, 0) for other in others)
    labels = _take(labels, index, -1)
    return jnp.where(labels[:, None] < 0, 0, _take(inputs.features, index, 0)), Rows(labels, soft, *weights)


def _take(array: Array, index: Array, fill: int) -> Array:
    return array.at[index].get(mode="fill", fill_value=fill, unique_indices=True)


def _put(array: Array, index: Array, part: Array) -> Array:
    return array.at[index].set(part.astype(array.dtype), mode="drop", unique_indices=True)


def _logits(plan: Plan, features: Array, inputs: Inputs) -> Array:
    """features·weightᵀ + bias of a block, before the softcap."""

    def of_classes(logits: Array, start: Any, size: int, _: Array) -> Array:
        weight = jax.lax.dynamic_slice_in_dim(inputs.weight, start, size)
        return jax.lax.dynamic_update_slice_in_dim(logits, _product(features, weight, 1, 1), start, 1)

    logits = jnp.zeros_like(features, _accurate(features), (features.shape[0], inputs.weight.shape[0]))
    logits = _over_classes(_chunk(plan, inputs.weight), of_classes, logits, inputs.weight.shape[0])
    return logits if inputs.bias is None else logits + inputs.bias


def _by_features(plan: Plan, on_logits: Array, inputs: Inputs) -> Array:
    def of_classes(sums: Array, start: Any, size: int, fresh: Array) -> Array:
        weight = jax.lax.dynamic_slice_in_dim(inputs.weight, start, size)
        part = jax.lax.dynamic_slice_in_dim(on_logits, start, size, 1)
        return sums + _product(jnp.where(fresh, part, 0.0), weight, 1, 0)

    sums = jnp.zeros_like(on_logits, shape=(on_logits.shape[0], inputs.weight.shape[1]))
    return _over_classes(_chunk(plan, inputs.weight), of_classes, sums, inputs.weight.shape[0])


def _with_weight_part(plan: Plan, sums: Array, on_logits: Array, features: Array) -> Array:
    def of_classes(sums: Array, start: Any, size: int, fresh: Array) -> Array:
        part = _product(jax.lax.dynamic_slice_in_dim(on_logits, start, size, 1), features, 0, 0)
        part = jax.lax.dynamic_slice_in_dim(sums, start, size) + jnp.where(fresh[:, None], part, 0.0)
        return jax.lax.dynamic_update_slice_in_dim(sums, part, start, 0)

    return _over_classes(plan.classes, of_classes, sums, sums.shape[0])


def _with_rows_part(sums: Any, index: Array, parts: Rows, rows: int) -> Rows:
    """A row's own gradient is put; that of soft targets which all rows share is added up."""

    def joined(whole: Array | None, part: Array) -> Array | None:
        if whole is None:
            return None
        return _put(whole, index, part) if whole.shape[0] == rows else whole + part

    return Rows(*(joined(whole, part) for whole, part in zip(sums, parts, strict=True)))


def _over_classes(size: int, of_classes: Any, state: Any, classes: int) -> Any:
    """Fold `of_classes(state, start, size, fresh)`: the last chunk starts early, and its first classes are not fresh."""

    def step(chunk: Any, state: Any) -> Any:
        start = jnp.minimum(chunk * size, classes - size)
        return of_classes(state, start, size, start + jnp.arange(size) >= chunk * size)

    if size == classes:
        return of_classes(state, 0, size, jnp.ones(size, bool))
    return jax.lax.fori_loop(0, -(-classes // size), step, state)


def _chunk(plan: Plan, weight: Array) -> int:
    """How many classes' weights a product takes at a time: all, but for those that are widened for it."""
    return plan.classes if weight.dtype == jnp.float16 else weight.shape[0]


def _product(one: Array, other: Array, along: int, other_along: int) -> Array:
    """Matrix product summed in float32 at least; bfloat16 factors stay what they are, float16 ones are widened."""
    dtype = other.dtype if other.dtype == jnp.bfloat16 else _accurate(other)
    axes = (((along,), (other_along,)), ((), ()))
    return jax.lax.dot_general(one.astype(dtype), other.astype(dtype), axes, preferred_element_type=_accurate(other))


def _accurate(array: Array) -> Any:
    """The dtype that products of such arrays are summed in."""
    return jnp.promote_types(array.dtype, jnp.float32)


def _no_outputs(plan: Plan, inputs: Inputs) -> tuple[Array, ...]:
    """What `of_block` gives for rows to skip."""
    return (jnp.zeros_like(inputs.rows.labels, _accurate(inputs.features)),) * plan.outputs


def _zeros(inputs: Inputs) -> Any:
    """Where gradients are summed. A row's features get theirs once; labels have none."""
    zeros = jax.tree.map(lambda array: jnp.zeros_like(array, _accurate(array)), inputs)
    return zeros._replace(features=jnp.zeros_like(inputs.features), rows=zeros.rows._replace(labels=None))


def _as_given(gradients: Any, inputs: Inputs) -> Any:
    """In the dtypes of the inputs; None for what has no gradient or needs none."""
    return jax.tree.map(
        lambda array, gradient: None if gradient is None else gradient.astype(array.dtype), inputs, gradients
    )
