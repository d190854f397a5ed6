"""Cross-entropy of the softmax of logits: the loss of classifiers and language models."""

from typing import Any

from xent._arrays import Array, floats, is_tensor, namespace_of, widen
from xent.checks import losses as checks
from xent.formulas.rows import RowStatistics, row_loss
from xent.formulas.rows import softcap as capped
from xent.losses.adapters import adapter_of
from xent.losses.options import Options, Problem, flat_rows, problem
from xent.losses.reduction import shaped

__all__ = ["bent", "plain_loss", "prepared", "row_statistics", "softmax_cross_entropy", "softmax_loss"]


def softmax_cross_entropy(
    logits: Any,
    labels: Any,
    *,
    class_weight: Any = None,
    sample_weight: Any = None,
    ignore_index: int | None = None,
    label_smoothing: float = 0.0,
    z_loss: float = 0.0,
    softcap: float | None = None,
    reduction: str = "mean",
    denominator: Any = None,
) -> Array:
    """Cross-entropy of softmax(logits) against labels, exact even where the label leads by 80.

    Row loss = s·(Σ_j c_j t_j (logsumexp − z_j) + z_loss·logsumexp²), with c the class_weight, s the sample_weight and
    t the label's distribution.

    Args:
        logits: (..., classes), floating; inputs are never overwritten.
        labels: (...) classes as integers of any dtype, or (..., classes) weights that sum to 1.
        class_weight: (classes,), multiplies each class's term.
        sample_weight: (...), multiplies each row's loss.
        ignore_index: label of the rows to skip: they take no part, whatever their logits are. Any integer; beside
            labels that are weights only a negative one, which does nothing.
        label_smoothing: ε in [0, 1]: t becomes (1 − ε)·t + ε/classes.
        z_loss: weight of the squared log-normaliser.
        softcap: k bends the logits into (−k, k) first: k·tanh(z/k).
        reduction: "mean" (over the denominator), "sum", or "none" for a loss per row.
        denominator: of the mean, a number or an array of one; None: the sum of s·c over the rows counted. Pass the
            count of all micro-batches to accumulate gradients over them.

    Returns:
        A scalar, or (...) for "none", in nats, in the library and dtype of `logits`; float32 for 16-bit logits.
        The mean over nothing is 0; over weights that cancel it is an error, and not finite where none can be raised.

    Raises:
        LabelError: a label names no class (on the CPU; elsewhere its row's loss is NaN).
        ProbabilityError: soft labels have a negative or NaN entry, or do not sum to 1.
        ShapeError, OptionError, ArgumentTypeError: arguments that do not fit together or are out of range.

    Source:
        Shannon (1948), section 6; label smoothing: Szegedy et al. 2016, section 7; z-loss: Chowdhery et al. 2022
        (PaLM), section 5; softcap: Gemma Team 2024 (Gemma 2), section 2.

    Example:
        >>> import numpy as np, xent
        >>> logits = np.array([[20.0, 0.0, 0.0], [0.0, 1.0, 2.0]], np.float32)
        >>> [f"{nats:.5g}" for nats in xent.softmax_cross_entropy(logits, [0, 1], reduction="none")]
        ['4.1223e-09', '1.4076']
    """
    options = Options(class_weight, sample_weight, ignore_index, label_smoothing, z_loss, reduction, denominator)
    return softmax_loss(logits, labels, softcap, options)


def softmax_loss(logits: Any, labels: Any, softcap: float | None, options: Options) -> Array:
    """`softmax_cross_entropy` with its options in one value."""
    loss = plain_loss(logits, labels, options) if softcap is None else None
    if loss is not None:
        return loss
    logits, asked, adapter = prepared(logits, labels, softcap, options)
    rows = bent(logits, asked.targets.labels, softcap)
    if options.reduction != "none":
        return adapter.loss(rows, asked.targets, asked.weights, asked.denominator)
    return shaped(row_loss(adapter.statistics(rows, asked.targets), asked.weights), asked.shape)


def plain_loss(logits: Any, labels: Any, options: Options) -> Array | None:
    """The loss of rows of tensors by classes, without options; None where it is not as plain, or something is amiss.

    A short way to the same kernels: a step on 32 rows of 10 classes consists of nothing but calls.
    """
    if not (is_tensor(logits) and is_tensor(labels) and options.plain and logits.is_floating_point()):
        return None
    shape, marker = logits.shape, options.ignore_index
    if len(shape) != 2 or labels.shape != shape[:1] or 0 in shape:
        return None
    if marker is not None and (type(marker) is not int or 0 <= marker < shape[1]):  # else the labels show it
        return None
    divisor = shape[0] if options.reduction == "mean" else 1
    return adapter_of(logits).plain_loss(logits, labels, divisor, checks.are_plain)


def bent(logits: Array, labels: Array | None, softcap: float | None) -> Array:
    """The rows of logits (rows, classes), bent into (−softcap, softcap); those to skip are 0 first, whatever they are."""
    rows = flat_rows(logits)
    if softcap is None:
        return rows
    rows, xp = widen(rows), namespace_of(rows)
    return capped(rows if labels is None else xp.where((labels < 0)[:, None], xp.zeros_like(rows), rows), softcap)


def prepared(logits: Any, labels: Any, softcap: float | None, options: Options) -> tuple[Array, Problem, Any]:
    """Check the arguments; give the logits, what the options mean, and the adapter."""
    logits = floats("logits", logits)
    checks.has_classes("logits", logits)
    checks.positive_option("softcap", softcap)
    adapter = adapter_of(logits)
    if adapter.readable(logits):
        checks.probabilities_as_logits(logits)
    return logits, problem(labels, logits, tuple(logits.shape[:-1]), int(logits.shape[-1]), options, adapter), adapter


def row_statistics(logits: Any, labels: Any, *, ignore_index: int | None = None) -> RowStatistics:
    """All that a loss needs to know of each row of logits: −log softmax(logits)[label], and the log-normaliser.

    Args:
        logits: (..., classes), floating.
        labels: (...) classes as integers of any dtype, or (..., classes) weights that sum to 1.
        ignore_index: label of the rows to skip; their statistics are 0.

    Returns:
        RowStatistics(nll, logsumexp), each (...), in nats, differentiable, in the library and dtype of `logits`;
        float32 for 16-bit logits.

    Raises:
        LabelError, ProbabilityError, ShapeError, ArgumentTypeError: as `softmax_cross_entropy`.

    Source:
        The log-normaliser as peak + log1p(tail): `xent.formulas.rows`.

    Example:
        >>> import numpy as np, xent
        >>> rows = xent.row_statistics(np.array([[0.0, 0.0], [2.0, 0.0]]), [0, 1])
        >>> rows.nll.round(3), rows.logsumexp.round(3)
        (array([0.693, 2.127]), array([0.693, 2.127]))
    """
    logits, asked, adapter = prepared(logits, labels, None, Options(ignore_index=ignore_index, reduction="none"))
    nll, logsumexp = adapter.statistics(flat_rows(logits), asked.targets)
    return RowStatistics(shaped(nll, asked.shape), shaped(logsumexp, asked.shape))
