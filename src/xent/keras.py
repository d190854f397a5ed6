"""Keras 3's cross-entropy losses under their own names and arguments, on the PyTorch and JAX backends.

What differs from `keras.losses`:

- Labels keep their dtype. Keras casts them to the loss's: in bfloat16 label 999 becomes 1000.
- Probabilities are neither clipped at 1e-7 nor divided by their sum. Probability 0 for what happened costs infinity,
  with no gradient, as its slope through a softmax is 0·∞. Rows that are no distribution and labels that name no class
  are errors; where values cannot be read, as in `jit`, their loss is NaN.
- Outputs of a softmax or sigmoid activation are read through their logits where Keras keeps those (`_keras_logits`:
  on PyTorch, without `torch.compile`): exact as with from_logits=True, and the gradient goes to the logits.
- Arithmetic is in float32 or float64, whatever `dtype`: that is what the result is rounded to, once.
- Weight 0 silences an infinite loss. Weights that fit the losses in no way, or in two, are an error, and
  "mean_with_sample_weight" divides by the weights as broadcast. The mean over nothing is 0.
- `axis` holds everywhere: for integer labels on JAX, in label smoothing, and like `dtype` in saved configurations.
"""

import math
import operator
import warnings
from collections.abc import Callable
from typing import Any

from xent._arrays import Array, beside, constant, integers, namespace_of, positions, widen
from xent.checks import losses as checks
from xent.checks.distributions import distributions, probabilities, sum_tolerance
from xent.errors import LabelError, MissingPackageError, OptionError, ShapeError
from xent.formulas import distributions as formulas
from xent.formulas.rows import weighted
from xent.losses.adapters import adapter_of
from xent.losses.options import Options, flat_rows, problem
from xent.losses.reduction import reduced
from xent.losses.sigmoid import sigmoid_cross_entropy
from xent.losses.softmax import softmax_loss

try:
    import keras
    from keras import ops
    from keras.src.backend import get_keras_mask, set_keras_mask  # these have no public name
    from keras.src.losses.loss import squeeze_or_expand_to_same_rank as same_rank
except ImportError as error:
    raise MissingPackageError(
        f"xent.keras needs Keras 3 on PyTorch or JAX, but importing keras fails: {error}.\n"
        "Install keras and one of the two, and set KERAS_BACKEND=torch or =jax before keras is first imported."
    ) from error

if keras.config.backend() not in ("torch", "jax"):
    raise OptionError(
        f"KERAS_BACKEND is {keras.config.backend()!r}, but xent.keras runs on 'torch' and 'jax'.\n"
        "Set it to one of them before keras is first imported, or use keras.losses."
    )

__all__ = ["BinaryCrossentropy", "CategoricalCrossentropy", "SparseCategoricalCrossentropy"]


def _reduced(self: Any, y_true: Any, y_pred: Any, sample_weight: Any = None) -> Array:
    """What `reduction` makes of the losses of the rows, weighted, less those masked."""
    losses = self.call(y_true, y_pred)
    masks = [ops.cast(mask, "bool") for mask in map(get_keras_mask, (y_pred, losses)) if mask is not None]
    counted, weight = math.prod(losses.shape), None
    if masks:
        weight = ops.cast(masks[0] & masks[-1], losses.dtype)
        counted = ops.sum(weight) * (counted / max(1, math.prod(weight.shape)))
    if sample_weight is not None:
        given = ops.convert_to_tensor(sample_weight, dtype=losses.dtype)
        weight = given if weight is None else ops.multiply(*same_rank(weight, given))
    if weight is not None:
        losses, weight = same_rank(losses, weight)
        _check_weight(weight, losses)
        losses = weighted(weight, losses)
        if self.reduction == "mean_with_sample_weight":
            counted = ops.sum(ops.broadcast_to(weight, losses.shape))
    return ops.cast(reduced(losses, tuple(losses.shape), self.reduction or "none", counted), self.dtype)


def _config(self: Any) -> dict[str, Any]:
    """What `from_config` makes the same loss of."""
    names = ("name", "reduction", "from_logits", "label_smoothing", "ignore_class", "axis", "dtype")
    return {name: getattr(self, name) for name in names if hasattr(self, name)}


@keras.saving.register_keras_serializable(package="xent")
class CategoricalCrossentropy(keras.losses.Loss):
    """Cross-entropy against weights over the classes: one-hot labels, or soft ones.

    Args:
        from_logits: whether predictions are logits, not probabilities.
        label_smoothing: ε in [0, 1]: labels t become (1 − ε)·t + ε/classes.
        axis: of the classes.
        reduction: "sum_over_batch_size" or "mean" (over the losses not masked), "sum", "mean_with_sample_weight"
            (over the sum of the weights), "none" or None (a loss for each row).
        name, dtype: of the loss, and of what it returns, where None is `keras.config.floatx()`.

    Returns:
        Of a call with y_true, y_pred and maybe sample_weight: a scalar, or y_pred's shape without `axis`; nats.

    Raises:
        OptionError, ShapeError, ProbabilityError: options, arrays or predicted probabilities that cannot be meant.

    Example:
        >>> loss = CategoricalCrossentropy()
        >>> round(float(loss([[0, 1, 0], [0, 0, 1]], [[0.05, 0.95, 0.0], [0.1, 0.8, 0.1]])), 4)
        1.1769
    """

    def __init__(
        self,
        from_logits: bool = False,
        label_smoothing: float = 0.0,
        axis: int = -1,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = "categorical_crossentropy",
        dtype: Any = None,
    ) -> None:
        super().__init__(name=name, reduction=reduction, dtype=dtype)
        checks.label_smoothing(label_smoothing)
        self.from_logits, self.label_smoothing, self.axis = from_logits, label_smoothing, operator.index(axis)

    __call__, get_config = _reduced, _config

    def call(self, y_true: Any, y_pred: Any) -> Array:
        """The loss of each row."""
        labels, scores, logits = _read(self, y_true, y_pred, lambda z: ops.softmax(z, self.axis))
        labels, rows = _aligned(labels, scores, self.axis)
        if rows.shape[-1] == 1:
            advice = "expected y_pred.shape to be (batch_size, num_classes) with num_classes > 1, or BinaryCrossentropy"
            warnings.warn(advice, SyntaxWarning, stacklevel=4)
        options = Options(label_smoothing=self.label_smoothing, reduction="none", checked=False)
        return softmax_loss(rows, labels, None, options) if logits else _of_probabilities(rows, labels, options)


@keras.saving.register_keras_serializable(package="xent")
class SparseCategoricalCrossentropy(keras.losses.Loss):
    """Cross-entropy against classes numbered from 0, as integers of any dtype or whole floats.

    Args:
        from_logits: whether predictions are logits, not probabilities.
        ignore_class: label of the rows to leave out: they cost 0 and do not count in a mean.
        reduction, axis, name, dtype: as for `CategoricalCrossentropy`, as is what a call returns.

    Raises:
        LabelError: a label names no class; others as for `CategoricalCrossentropy`.

    Example:
        >>> loss = SparseCategoricalCrossentropy(from_logits=True, ignore_class=-1, reduction=None)
        >>> [f"{nats:.4g}" for nats in loss([0, 1, -1], [[20.0, 0.0], [1.0, 0.0], [0.0, 0.0]]).tolist()]
        ['2.061e-09', '1.313', '0']
    """

    def __init__(
        self,
        from_logits: bool = False,
        ignore_class: int | None = None,
        reduction: str | None = "sum_over_batch_size",
        axis: int = -1,
        name: str | None = "sparse_categorical_crossentropy",
        dtype: Any = None,
    ) -> None:
        super().__init__(name=name, reduction=reduction, dtype=dtype)
        self.from_logits, self.axis = from_logits, operator.index(axis)
        self.ignore_class = None if ignore_class is None else operator.index(ignore_class)

    __call__, get_config = _reduced, _config

    def call(self, y_true: Any, y_pred: Any) -> Array:
        """The loss of each row, and as its mask which rows count."""
        labels, scores, logits = _read(self, y_true, y_pred, lambda z: ops.softmax(z, self.axis))
        labels, rows = _classes(labels, scores, self.axis)
        options = Options(ignore_index=self.ignore_class, reduction="none")
        try:
            losses = softmax_loss(rows, labels, None, options) if logits else _of_probabilities(rows, labels, options)
        except LabelError as error:
            raise LabelError(str(error).replace("ignore_index", "ignore_class")) from None
        if self.ignore_class is not None:
            set_keras_mask(losses, labels != self.ignore_class)
        return losses


@keras.saving.register_keras_serializable(package="xent")
class BinaryCrossentropy(keras.losses.Loss):
    """Cross-entropy of yes-or-no questions, labels in [0, 1]: the mean of a row's questions.

    Args:
        from_logits: whether predictions are logits, not probabilities of yes.
        label_smoothing: ε in [0, 1]: labels y become (1 − ε)·y + ε/2.
        axis: of the questions.
        reduction, name, dtype: as for `CategoricalCrossentropy`, as is what a call returns.

    Raises:
        LabelError: a label is outside of [0, 1]; others as for `CategoricalCrossentropy`.

    Example:
        >>> loss = BinaryCrossentropy(from_logits=True)
        >>> round(float(loss([[0, 1], [0, 0]], [[-18.6, 0.51], [2.94, -12.8]])), 4)
        0.8655
    """

    def __init__(
        self,
        from_logits: bool = False,
        label_smoothing: float = 0.0,
        axis: int = -1,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = "binary_crossentropy",
        dtype: Any = None,
    ) -> None:
        super().__init__(name=name, reduction=reduction, dtype=dtype)
        checks.label_smoothing(label_smoothing)
        self.from_logits, self.label_smoothing, self.axis = from_logits, label_smoothing, operator.index(axis)

    __call__, get_config = _reduced, _config

    def call(self, y_true: Any, y_pred: Any) -> Array:
        """The mean loss of each row's questions."""
        labels, scores, logits = _read(self, y_true, y_pred, ops.sigmoid)
        labels, scores = _aligned(labels, scores, self.axis)
        if logits:
            each = sigmoid_cross_entropy(scores, labels, label_smoothing=self.label_smoothing, reduction="none")
            return ops.mean(each, axis=-1)
        if adapter_of(scores).readable(scores, labels):
            probabilities("y_pred", scores)
            checks.yes_or_no(labels)
        yes, labels = widen(scores), beside("y_true", labels, scores)
        rows, labels = (ops.stack([values, 1.0 - values], axis=-1) for values in (yes, labels))
        options = Options(label_smoothing=self.label_smoothing, reduction="none", checked=False)
        return ops.mean(_of_probabilities(rows, labels, options, _from_divergence), axis=-1)


def _read(loss: Any, y_true: Any, y_pred: Any, activation: Callable[[Array], Array]) -> tuple[Array, Array, bool]:
    """Labels, predictions as floats, and whether those are logits: the ones behind probabilities, where they are known."""
    scores, logits = ops.convert_to_tensor(y_pred), loss.from_logits
    kept = getattr(y_pred, "_keras_logits", None)
    if not logits and kept is not None and kept.shape == scores.shape and adapter_of(scores).readable():
        made, seen = activation(constant(kept)), constant(scores)  # by another activation, or along another axis?
        if bool(ops.all((made == seen) | (ops.isnan(made) & ops.isnan(seen)))):
            scores, logits = kept if getattr(scores, "requires_grad", True) else constant(kept), True
    if loss.dtype == "float64" or not keras.backend.is_float_dtype(scores.dtype):
        scores = ops.cast(scores, loss.dtype)
    return *same_rank(ops.convert_to_tensor(y_true), scores), logits


def _aligned(labels: Array, scores: Array, axis: int) -> tuple[Array, Array]:
    """Labels and predictions of one shape, with `axis` last."""
    _same_shape(labels.shape, scores.shape, "For classes as integers, use SparseCategoricalCrossentropy.")
    return ops.moveaxis(labels, axis, -1), ops.moveaxis(scores, axis, -1)


def _classes(labels: Array, scores: Array, axis: int) -> tuple[Array, Array]:
    """Labels (...) as wide integers, and predictions (..., classes)."""
    if labels.ndim == scores.ndim and labels.shape[axis] == 1:
        labels = ops.squeeze(labels, axis=axis)
    rows = ops.moveaxis(scores, axis, -1)
    _same_shape(labels.shape, rows.shape[:-1], "For one-hot labels, use CategoricalCrossentropy.")
    if keras.backend.is_int_dtype(labels.dtype):
        return integers(labels), rows
    whole = ops.cast(labels, "int32")
    broken = ops.cast(whole, labels.dtype) != labels
    if adapter_of(labels).readable(labels) and bool(ops.any(broken)):
        raise LabelError("y_true holds fractions.\nPass whole numbers, or soft labels to CategoricalCrossentropy.")
    return ops.where(broken, rows.shape[-1], whole), rows  # what is broken names no class


def _same_shape(labels: Any, rows: Any, advice: str) -> None:
    if (one := tuple(labels)) != (other := tuple(rows)):
        raise ShapeError(f"y_true has shape {one} for predictions {other}; they must have the same shape.\n{advice}")


def _of_probabilities(rows: Array, labels: Array, options: Options, formula: Any = formulas.cross_entropy) -> Array:
    """Loss of each row of probabilities: (..., classes) → (...)."""
    checks.has_classes("y_pred", rows)
    shape, classes = tuple(rows.shape[:-1]), rows.shape[-1]
    adapter, xp, flat = adapter_of(rows), namespace_of(rows), flat_rows(rows)
    index, target, _ = problem(labels, rows, shape, classes, options, adapter).targets
    if index is not None:
        flat = xp.where((index < 0)[:, None], 1.0 / classes, flat)  # the target of rows to skip is 0
        target = xp.astype(index[:, None] == positions(flat), widen(flat).dtype)
    if adapter.readable(flat):
        distributions(-1, y_pred=flat)
    good = xp.all(flat >= 0, axis=-1) & (xp.abs(xp.sum(widen(flat), axis=-1) - 1.0) <= sum_tolerance(flat, classes))
    good = good if index is None else good & (index < classes)
    flat = widen(flat) * xp.where(good[:, None], xp.ones_like(flat), xp.nan)  # a factor, so that slopes are NaN too
    # Below this, 1/p overflows, and ∞·0 in the gradient of a softmax would be NaN for the whole row.
    flat = xp.where(flat < xp.finfo(flat.dtype).smallest_normal, constant(flat), flat)
    return xp.reshape(xp.where(good, formula(target, flat, -1), xp.nan), shape)


def _from_divergence(target: Array, rows: Array, axis: int) -> Array:
    """H(P, Q) = H(P) + KL(P‖Q), exact even where 1 − p was rounded."""
    return formulas.entropy(target, axis) + formulas.kl_divergence(target, rows, axis)


def _check_weight(weight: Array, losses: Array) -> None:
    """Refuse weights that do not fit the losses, or fit their first axes as well as their last."""
    checks.fits("sample_weight or mask", weight, tuple(losses.shape))
    one, other = tuple(weight.shape), tuple(losses.shape)
    if len(one) < len(other) and one == other[: len(one)] and math.prod(one) != 1:
        raise ShapeError(
            f"sample_weight has shape {one} and the losses {other}: it may mean their first axis or their last.\n"
            "Pass sample_weight[:, None] to weigh by the first, sample_weight[None, :] by the last."
        )
