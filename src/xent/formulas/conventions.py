"""What other libraries compute and call cross-entropy, in their own order and dtype: a loss for each row.

Each is the library's formula as it stands in its source, and gives what the library gives to the rounding of its dtype.
`labels` (rows,) are positions of classes; `p` (rows, classes) and `q` (rows,), the probability of class 1, are NumPy's.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from xent.formulas.sigmoid import sigmoid_nll
from xent.formulas.steps import shifted_softmax_loss

__all__ = [
    "KERAS_EPSILON",
    "TORCH_LEAST_LOG",
    "keras_binary",
    "keras_logits",
    "keras_probabilities",
    "scikit_learn",
    "scikit_learn_epsilon",
    "torch_binary",
    "torch_binary_logits",
    "torch_logits",
    "torch_nll",
]

Floats = NDArray[np.floating[Any]]
Labels = NDArray[np.int64]

KERAS_EPSILON = 1e-7  # keras.config.epsilon()
TORCH_LEAST_LOG = -100.0  # nn.BCELoss cuts logarithms off here


def scikit_learn_epsilon(dtype: Any) -> float:
    """Where `log_loss` clips: at the spacing of numbers at 1."""
    return float(np.finfo(dtype).eps)


def scikit_learn(p: Floats, labels: Labels) -> Floats:
    """`sklearn.metrics.log_loss`: clip to [eps, 1 − eps] of the dtype, no division by the sum. `p` may be (rows,)."""
    two = p if p.ndim == 2 else np.stack([1 - p, p], axis=1)
    eps = np.finfo(two.dtype).eps
    return -np.log(_at(np.clip(two, eps, 1 - eps), labels))


def keras_probabilities(p: Floats, labels: Labels) -> Floats:
    """`keras.losses.CategoricalCrossentropy`: float32; divide each row by its sum, then clip to [1e-7, 1 − 1e-7]."""
    single = p.astype(np.float32)
    with np.errstate(divide="ignore", invalid="ignore"):
        shares = single / single.sum(axis=1, keepdims=True)
    return -np.log(_at(_clipped(shares), labels))


def keras_binary(q: Floats, labels: Labels) -> Floats:
    """`keras.losses.BinaryCrossentropy`: float32, clipped to [1e-7, 1 − 1e-7]."""
    single = _clipped(q.astype(np.float32))
    return -np.where(labels == 1, np.log(single), np.log1p(-single))


def keras_logits(logits: Floats, labels: Labels) -> Floats:
    """The same losses with from_logits=True: log-softmax in float32; (rows,) of logits is binary."""
    single = logits.astype(np.float32)
    return torch_logits(single, labels) if single.ndim == 2 else torch_binary_logits(single, labels)


def torch_nll(p: Floats, labels: Labels) -> Floats:
    """`nn.NLLLoss` of log p: nothing clipped, nothing divided."""
    with np.errstate(divide="ignore"):
        return 0 - np.log(_at(p, labels))


def torch_binary(q: Floats, labels: Labels) -> Floats:
    """`nn.BCELoss`: logarithms no lower than −100."""
    with np.errstate(divide="ignore"):
        logs = np.where(labels == 1, np.log(q), np.log1p(-q))
    return 0 - np.maximum(logs, np.asarray(TORCH_LEAST_LOG, q.dtype))


def torch_logits(logits: Floats, labels: Labels) -> Floats:
    """`nn.CrossEntropyLoss`: log-softmax of whatever it is given, in its dtype."""
    rows = [shifted_softmax_loss(row, int(label)) for row, label in zip(logits, labels, strict=True)]
    return np.array(rows, logits.dtype)


def torch_binary_logits(logits: Floats, labels: Labels) -> Floats:
    """`nn.BCEWithLogitsLoss`: log-sigmoid of whatever it is given, in its dtype."""
    yes = labels.astype(logits.dtype)
    return np.asarray(sigmoid_nll(logits, yes, 1 - yes))


def _at(values: Floats, labels: Labels) -> Floats:
    return np.take_along_axis(values, labels[:, None], axis=1)[:, 0]


def _clipped(values: Floats) -> Floats:
    low, high = np.float32(KERAS_EPSILON), np.float32(1.0 - KERAS_EPSILON)
    return np.clip(values, low, high)
