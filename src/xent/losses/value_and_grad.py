"""Losses of NumPy arrays with their gradients, for optimisers that ask for both."""

import inspect
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from xent._arrays import Array
from xent.autodiff import arrays, linear_arrays, sigmoid_arrays
from xent.autodiff.linear_arrays import Wanted
from xent.autodiff.numpy import machine
from xent.errors import ArgumentTypeError, OptionError
from xent.formulas.rows import softcap_slope, weighted
from xent.formulas.sigmoid import weights_of
from xent.kernels import choice
from xent.kernels.blockwise import LinearArrays
from xent.kernels.pool import available_cpus
from xent.losses import linear, sigmoid, softmax
from xent.losses.options import Options
from xent.losses.reduction import shaped

__all__ = ["value_and_grad"]

Gradients = dict[str, Array]


def value_and_grad(
    loss: Callable[..., Array], *, wrt: Sequence[str] | None = None
) -> Callable[..., tuple[Array, Gradients]]:
    """Make of a loss a function that returns its value and its gradients, on NumPy arrays.

    PyTorch and JAX have `backward` and `jax.value_and_grad`, to which the losses are known.

    Args:
        loss: `xent.softmax_cross_entropy`, `xent.sigmoid_cross_entropy` or `xent.linear_cross_entropy`.
        wrt: names of the arguments to differentiate by: "logits", or some of "features", "weight" and "bias"; None: all
            of them that are given. What is left out is not computed.

    Returns:
        A function of the loss's own arguments that gives the loss and a dict of gradients by argument name, each in the
        shape and dtype of its argument. For reduction="none" they are the gradients of the sum.

    Raises:
        OptionError: `loss` is another function, or `wrt` names what is no argument to differentiate by.
        ArgumentTypeError: when called on arrays that are not NumPy's.

    Source:
        ∂nll/∂z_j = softmax(z)_j, less 1 at the label, without the difference: `xent.formulas.rows`.

    Example:
        >>> import numpy as np, xent
        >>> value, gradients = xent.value_and_grad(xent.softmax_cross_entropy)(np.zeros((1, 2)), [0])
        >>> round(float(value), 3), gradients["logits"].tolist()
        (0.693, [[-0.5, 0.5]])
    """
    known: dict[Any, tuple[Callable[..., tuple[Array, Gradients]], tuple[str, ...]]] = {
        softmax.softmax_cross_entropy: (_softmax, ("logits",)),
        sigmoid.sigmoid_cross_entropy: (_sigmoid, ("logits",)),
        linear.linear_cross_entropy: (_linear, ("features", "weight", "bias")),
    }
    if loss not in known:
        losses = ", ".join(function.__name__ for function in known)
        raise OptionError(f"loss is {loss!r}, but must be one of xent's: {losses}.\nPass one of them.")
    compute, names = known[loss]
    wrt = (wrt,) if isinstance(wrt, str) else wrt
    if wrt is not None and not set(wrt) <= set(names):
        raise OptionError(f"wrt is {wrt!r}, but {loss.__name__} can be differentiated by {names}.\nPass some of these.")
    signature = inspect.signature(loss)
    chosen = tuple(names if wrt is None else wrt)

    def with_gradients(*args: Any, **options: Any) -> tuple[Array, Gradients]:
        given = signature.bind(*args, **options)
        given.apply_defaults()
        return compute(chosen, **given.arguments)

    return with_gradients


def _softmax(
    wrt: tuple[str, ...], logits: Any, labels: Any, softcap: float | None, **options: Any
) -> tuple[Array, Gradients]:
    made = Options(**options)
    logits, asked, _ = softmax.prepared(_numpy("logits", logits), labels, softcap, made)
    rows = softmax.bent(logits, asked.targets.labels, softcap)
    kernels, threads = choice.row_kernels(rows.size), available_cpus()
    out = np.empty(rows.shape, arrays.stored(rows)) if wrt else None
    over = float(asked.denominator)
    value, losses = arrays.loss(rows, asked.targets, asked.weights, over, out, kernels, threads)
    if made.reduction == "none":
        value = shaped(losses, asked.shape)
    if out is None:
        return value, {}
    if softcap is not None:
        out *= softcap_slope(rows, softcap)
    return value, {"logits": out.reshape(logits.shape).astype(logits.dtype, copy=False)}


def _sigmoid(
    wrt: tuple[str, ...], logits: Any, labels: Any, pos_weight: Any, class_weight: Any, **options: Any
) -> tuple[Array, Gradients]:
    made = Options(**options)
    asked = sigmoid.prepared(_numpy("logits", logits), labels, pos_weight, class_weight, made)
    logits, questions, weight, denominator, _ = asked
    kernels, threads = choice.row_kernels(logits.size), available_cpus()
    out = np.empty(logits.shape, arrays.stored(logits)) if wrt else None
    over = float(denominator)
    value = sigmoid_arrays.loss(logits, questions, weight, over, out, kernels, threads)
    found = {} if out is None else {"logits": out.astype(logits.dtype, copy=False)}
    if made.reduction != "none":
        return arrays.result(value, logits), found
    nll = sigmoid_arrays.forward(logits, *weights_of(questions), kernels, threads)
    return nll if weight is None else weighted(weight, nll), found


def _linear(
    wrt: tuple[str, ...],
    features: Any,
    weight: Any,
    labels: Any,
    bias: Any,
    softcap: Any,
    max_memory: Any,
    **options: Any,
) -> tuple[Array, Gradients]:
    made = Options(**options)
    layer, asked, _ = linear.prepared(_numpy("features", features), weight, labels, bias, softcap, max_memory, made)
    given = LinearArrays(*layer)
    engine = machine(layer, max_memory or linear.MAX_MEMORY)
    wanted = Wanted(*(name in wrt for name in ("features", "weight", "bias")))
    over = float(asked.denominator)
    total, losses, gradients = linear_arrays.loss(given, asked.targets, asked.weights, over, engine, wanted)
    value = arrays.result(total, layer.weight)
    if made.reduction == "none":
        value = shaped(losses, asked.shape)
    shapes = {"features": np.shape(features)}
    return value, {
        name: gradient.reshape(shapes.get(name, gradient.shape)).astype(getattr(layer, name).dtype, copy=False)
        for name, gradient in gradients._asdict().items()
        if gradient is not None
    }


def _numpy(name: str, value: Any) -> Any:
    array = value if isinstance(value, np.ndarray) else np.asarray(value) if isinstance(value, list | tuple) else None
    if array is None:
        raise ArgumentTypeError(
            f"{name} is a {type(value).__module__}.{type(value).__name__}, but value_and_grad is for NumPy arrays.\n"
            "Use the loss itself with `backward()` in PyTorch, or `jax.value_and_grad` in JAX."
        )
    return array
