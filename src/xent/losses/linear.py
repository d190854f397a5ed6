"""Cross-entropy of a linear layer's softmax, without ever holding rows × classes numbers."""

from typing import Any, NamedTuple

from xent._arrays import Array, arrays_of, beside
from xent.checks import losses as checks
from xent.formulas.linear import Layer
from xent.formulas.rows import row_loss
from xent.losses.adapters import adapter_of
from xent.losses.options import Options, Problem, flat_rows, problem
from xent.losses.reduction import shaped

__all__ = ["LinearRowStatistics", "linear_cross_entropy", "linear_loss", "linear_row_statistics", "prepared"]

MAX_MEMORY = 28 << 20  # bytes of temporaries


class LinearRowStatistics(NamedTuple):
    """All that a loss needs to know of each row of a linear layer's logits. Each has the shape of the rows."""

    nll: Array  # −log softmax(z)[label], nats, ≥ 0
    logsumexp: Array
    entropy: Array | None  # of softmax(z), if asked for


def linear_cross_entropy(
    features: Any,
    weight: Any,
    labels: Any,
    bias: Any = None,
    *,
    class_weight: Any = None,
    sample_weight: Any = None,
    ignore_index: int | None = None,
    label_smoothing: float = 0.0,
    z_loss: float = 0.0,
    softcap: float | None = None,
    reduction: str = "mean",
    denominator: Any = None,
    max_memory: int | None = None,
) -> Array:
    """`softmax_cross_entropy(features @ weight.T + bias, labels)` in bounded memory: logits exist a block at a time.

    Args:
        features: (..., dim), floating.
        weight: (classes, dim), as `torch.nn.Linear` keeps it.
        labels: (...) classes as integers of any dtype, or (..., classes) weights that sum to 1.
        bias: (classes,) or None.
        class_weight, sample_weight, ignore_index, label_smoothing, z_loss, softcap, reduction, denominator: as in
            `softmax_cross_entropy`. Skipped rows cost no matrix product.
        max_memory: bytes of temporaries to stay within, at least one row of logits; None: 28 MiB.

    Returns:
        A scalar, or (...) for "none", in nats; float32 for 16-bit features. The mean over nothing is 0.

    Raises:
        LabelError, ProbabilityError, ShapeError, OptionError, ArgumentTypeError: as `softmax_cross_entropy`.

    Source:
        Wijmans et al., "Cut Your Losses in Large-Vocabulary Language Models" (2024), section 3.

    Example:
        >>> import numpy as np, xent
        >>> features, weight = np.eye(2), np.array([[2.0, 0.0], [0.0, 2.0], [0.0, 0.0]])
        >>> round(float(xent.linear_cross_entropy(features, weight, [0, 1])), 4)
        0.2395
    """
    options = Options(class_weight, sample_weight, ignore_index, label_smoothing, z_loss, reduction, denominator)
    return linear_loss(features, weight, labels, bias, softcap, max_memory, options)


def linear_loss(
    features: Any, weight: Any, labels: Any, bias: Any, softcap: float | None, max_memory: int | None, options: Options
) -> Array:
    """`linear_cross_entropy` with its options in one value."""
    layer, asked, adapter = prepared(features, weight, labels, bias, softcap, max_memory, options)
    memory = max_memory or MAX_MEMORY
    if options.reduction == "none":
        statistics = adapter.linear_statistics(layer, asked.targets, memory)
        return shaped(row_loss(statistics, asked.weights), asked.shape)
    return adapter.linear_loss(layer, asked.targets, asked.weights, asked.denominator, memory)


def linear_row_statistics(
    features: Any,
    weight: Any,
    labels: Any,
    bias: Any = None,
    *,
    entropy: bool = False,
    ignore_index: int | None = None,
    softcap: float | None = None,
    max_memory: int | None = None,
) -> LinearRowStatistics:
    """What each row of a linear layer's logits means to a loss, per row and differentiable, without the logits.

    For reinforcement learning (−nll is the label's log-probability), distillation and monitoring.

    Args:
        features: (..., dim), floating.
        weight: (classes, dim).
        labels: (...) classes as integers of any dtype, or (..., classes) weights that sum to 1.
        bias: (classes,) or None.
        entropy: whether to compute the entropy of each row's softmax too.
        ignore_index: label of the rows to skip; their statistics are 0.
        softcap: k bends the logits into (−k, k) first.
        max_memory: bytes of temporaries to stay within, at least one row of logits; None: 28 MiB.

    Returns:
        LinearRowStatistics(nll, logsumexp, entropy), each (...), in nats; entropy is None if not asked for.

    Raises:
        LabelError, ProbabilityError, ShapeError, OptionError, ArgumentTypeError: as `softmax_cross_entropy`.

    Source:
        Wijmans et al. (2024), section 3; entropy without logits as reinforcement learning needs it.

    Example:
        >>> import numpy as np, xent
        >>> rows = xent.linear_row_statistics(np.eye(2), np.zeros((4, 2)), [0, 1], entropy=True)
        >>> rows.nll.round(4), rows.entropy.round(4)
        (array([1.3863, 1.3863]), array([1.3863, 1.3863]))
    """
    options = Options(ignore_index=ignore_index, reduction="none")
    layer, asked, adapter = prepared(features, weight, labels, bias, softcap, max_memory, options)
    memory = max_memory or MAX_MEMORY
    rows = adapter.linear_statistics(layer, asked.targets, memory)
    uncertain = adapter.linear_entropy(layer, asked.targets.labels, memory) if entropy else None
    return LinearRowStatistics(
        shaped(rows.nll, asked.shape),
        shaped(rows.logsumexp, asked.shape),
        None if uncertain is None else shaped(uncertain, asked.shape),
    )


def prepared(
    features: Any, weight: Any, labels: Any, bias: Any, softcap: float | None, max_memory: int | None, options: Options
) -> tuple[Layer, Problem, Any]:
    """Check the arguments; give the layer on (rows, dim), what the options mean, and the adapter."""
    features, weight = arrays_of(features=features, weight=weight)
    bias = None if bias is None else beside("bias", bias, weight)
    checks.layer(features, weight, bias)
    checks.positive_option("softcap", softcap)
    checks.positive_option("max_memory", max_memory)
    checks.whole_option("max_memory", max_memory, "a number of bytes")
    adapter = adapter_of(features)
    shape, classes = tuple(features.shape[:-1]), int(weight.shape[0])
    asked = problem(labels, features, shape, classes, options, adapter, "weight")
    return Layer(flat_rows(features), weight, bias, softcap), asked, adapter
