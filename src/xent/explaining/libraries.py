"""The same losses by the libraries themselves, where they are installed: the mean over rows, and the version."""

import importlib
import importlib.util
import os
import sys
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

from xent.formulas.distributions import surprisal

__all__ = ["CALLS", "CHECKED", "installed"]

# The versions that the formulas were checked against, and what each library is imported as.
CHECKED = {"scikit-learn": "1.9.1", "Keras": "3.15.1", "PyTorch": "2.13.0"}
MODULES = {"scikit-learn": "sklearn", "Keras": "keras", "PyTorch": "torch"}


def installed(library: str) -> str | None:
    """Its version; None where it is not installed, or is Keras without a KERAS_BACKEND to run on.

    Keras that is imported without one looks for TensorFlow, and cannot be imported again after that fails.
    """
    name = MODULES[library]
    if name not in sys.modules:
        if name == "keras" and not os.environ.get("KERAS_BACKEND"):
            return None
        if importlib.util.find_spec(name) is None:
            return None
    try:
        return str(importlib.import_module(name).__version__).partition("+")[0]
    except ImportError:  # something that it needs is missing
        return None


def _scikit_learn(predictions: Any, labels: Any) -> float:
    from sklearn.metrics import log_loss

    classes = 2 if predictions.ndim == 1 else predictions.shape[1]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # rows that do not sum to 1, which the explanation speaks of
        return float(log_loss(labels, predictions, labels=list(range(classes))))


def _keras(predictions: Any, labels: Any, from_logits: bool = False) -> float:
    import keras

    if predictions.ndim == 1:
        loss, truth, given = keras.losses.BinaryCrossentropy(from_logits), labels[:, None], predictions[:, None]
    else:
        loss, given = keras.losses.CategoricalCrossentropy(from_logits), predictions
        truth = np.eye(predictions.shape[1])[labels]
    return float(loss(truth.astype(np.float32), given.astype(np.float32)))


def _keras_logits(predictions: Any, labels: Any) -> float:
    return _keras(predictions, labels, from_logits=True)


def _torch_nll(predictions: Any, labels: Any) -> float:
    import torch

    return float(torch.nn.NLLLoss()(-surprisal(torch.tensor(predictions)), torch.tensor(labels)))


def _torch_binary(predictions: Any, labels: Any) -> float:
    import torch

    given = torch.tensor(predictions)
    return float(torch.nn.BCELoss()(given, torch.tensor(labels).to(given.dtype)))


def _torch_logits(predictions: Any, labels: Any) -> float:
    import torch

    return float(torch.nn.CrossEntropyLoss()(torch.tensor(predictions), torch.tensor(labels)))


def _torch_binary_logits(predictions: Any, labels: Any) -> float:
    import torch

    given = torch.tensor(predictions)
    return float(torch.nn.BCEWithLogitsLoss()(given, torch.tensor(labels).to(given.dtype)))


# By the name of the formula in `xent.formulas.conventions`.
CALLS: dict[str, Callable[[Any, Any], float]] = {
    "scikit_learn": _scikit_learn,
    "keras_probabilities": _keras,
    "keras_binary": _keras,
    "keras_logits": _keras_logits,
    "torch_nll": _torch_nll,
    "torch_binary": _torch_binary,
    "torch_logits": _torch_logits,
    "torch_binary_logits": _torch_binary_logits,
}
