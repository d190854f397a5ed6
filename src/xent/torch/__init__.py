"""PyTorch's names and arguments for cross-entropy, translated to xent's losses: change the import and nothing else.

Shapes, defaults and the rules of the mean are PyTorch's: classes on axis 1, a mean over nothing is NaN. On purpose
different are: the result is float32 for 16-bit inputs; a tiny loss is not rounded to 0; a soft target of 0 on a logit
of −inf costs 0, not NaN; the gradient of a mean over nothing is 0; targets may be of any integer dtype; class weights
get gradients; errors are xent's, each a ValueError or a TypeError.
"""

import importlib
from typing import TYPE_CHECKING, Any

from xent.errors import MissingPackageError

try:
    importlib.import_module("torch")
except ImportError as error:
    raise MissingPackageError(
        f"xent.torch needs PyTorch, but importing torch fails: {error}.\nInstall it with pip install 'xent[torch]'."
    ) from error

from xent.torch.functional import binary_cross_entropy_with_logits, cross_entropy, linear_cross_entropy
from xent.torch.modules import BCEWithLogitsLoss, CrossEntropyLoss, LinearCrossEntropyLoss

if TYPE_CHECKING:
    from xent.torch.evaluation import Metric

__all__ = [
    "BCEWithLogitsLoss",
    "CrossEntropyLoss",
    "LinearCrossEntropyLoss",
    "Metric",
    "binary_cross_entropy_with_logits",
    "cross_entropy",
    "linear_cross_entropy",
]


def __getattr__(name: str) -> Any:
    """Load what judges when it is first asked for: it takes longer than what trains."""
    if name != "Metric":
        raise AttributeError(f"module 'xent.torch' has no attribute {name!r}")
    globals()[name] = importlib.import_module("xent.torch.evaluation").Metric
    return globals()[name]
