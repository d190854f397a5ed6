"""PyTorch's modules, as `torch.nn` has them."""

import math
from typing import Any

import torch
from torch import Tensor, nn

from xent.checks import losses as checks
from xent.torch import functional

__all__ = ["BCEWithLogitsLoss", "CrossEntropyLoss", "LinearCrossEntropyLoss"]


class CrossEntropyLoss(nn.Module):
    """`xent.torch.cross_entropy` as a module, with the arguments and the state of `torch.nn.CrossEntropyLoss`.

    Args:
        weight, ignore_index, reduction, label_smoothing: as in `xent.torch.cross_entropy`.
        size_average, reduce: PyTorch's old names for `reduction`, which they override.

    Example:
        >>> import torch, xent.torch
        >>> xent.torch.CrossEntropyLoss(reduction="none")(2.0 * torch.eye(3), torch.tensor([0, 1, 0]))
        tensor([0.2395, 0.2395, 2.2395])
    """

    weight: Tensor | None

    def __init__(
        self,
        weight: Tensor | None = None,
        size_average: bool | None = None,
        ignore_index: int = -100,
        reduce: bool | None = None,
        reduction: str = "mean",
        label_smoothing: float = 0.0,
    ) -> None:
        super().__init__()
        self.register_buffer("weight", weight)
        self.ignore_index = ignore_index
        self.reduction = _reduction(size_average, reduce, reduction)
        self.label_smoothing = label_smoothing

    def forward(self, input: Tensor, target: Tensor) -> Tensor:  # noqa: A002
        """The loss of these logits."""
        return functional.cross_entropy(
            input,
            target,
            self.weight,
            ignore_index=self.ignore_index,
            reduction=self.reduction,
            label_smoothing=self.label_smoothing,
        )

    def extra_repr(self) -> str:
        """The options, for print."""
        return f"ignore_index={self.ignore_index}, reduction={self.reduction}, label_smoothing={self.label_smoothing}"


class BCEWithLogitsLoss(nn.Module):
    """`xent.torch.binary_cross_entropy_with_logits` as a module, like `torch.nn.BCEWithLogitsLoss`.

    Args:
        weight, reduction, pos_weight: as in `xent.torch.binary_cross_entropy_with_logits`.
        size_average, reduce: PyTorch's old names for `reduction`, which they override.

    Example:
        >>> import torch, xent.torch
        >>> xent.torch.BCEWithLogitsLoss()(torch.tensor([0.0, 1.5]), torch.tensor([1.0, 1.0]))
        tensor(0.4473)
    """

    weight: Tensor | None
    pos_weight: Tensor | None

    def __init__(
        self,
        weight: Tensor | None = None,
        size_average: bool | None = None,
        reduce: bool | None = None,
        reduction: str = "mean",
        pos_weight: Tensor | None = None,
    ) -> None:
        super().__init__()
        self.register_buffer("weight", weight)
        self.register_buffer("pos_weight", pos_weight)
        self.reduction = _reduction(size_average, reduce, reduction)

    def forward(self, input: Tensor, target: Tensor) -> Tensor:  # noqa: A002
        """The loss of these logits."""
        return functional.binary_cross_entropy_with_logits(
            input, target, self.weight, reduction=self.reduction, pos_weight=self.pos_weight
        )

    def extra_repr(self) -> str:
        """The options, for print."""
        return f"reduction={self.reduction}"


class LinearCrossEntropyLoss(nn.Module):
    """A linear layer and its cross-entropy without the logits, like `torch.nn.LinearCrossEntropyLoss`.

    Args:
        in_features: length of a row of features.
        num_classes: how many classes.
        out_features: places d1, …, each with a layer of its own.
        bias: whether the layer has one.
        device, dtype: of the layer.
        weight, reduction, ignore_index, label_smoothing, options: as in `xent.torch.linear_cross_entropy`.

    Raises:
        ShapeError, OptionError: weight is not (num_classes,), or label_smoothing not in [0, 1].

    Example:
        >>> import torch, xent.torch
        >>> head = xent.torch.LinearCrossEntropyLoss(2, 3)
        >>> sorted(head.state_dict()), head(torch.zeros(4, 2), torch.tensor([0, 1, 2, 0])).detach()
        (['linear.weight'], tensor(1.0986))
    """

    weight: Tensor | None

    def __init__(
        self,
        in_features: int,
        num_classes: int,
        *,
        out_features: tuple[int, ...] = (),
        bias: bool = False,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
        reduction: str = "mean",
        weight: Tensor | None = None,
        ignore_index: int | None = None,
        label_smoothing: float = 0.0,
        options: Any = None,
    ) -> None:
        super().__init__()
        if weight is not None:
            checks.weight_of_classes("weight", weight, num_classes)
        checks.label_smoothing(label_smoothing)
        self.register_buffer("weight", weight)
        self.num_classes, self.out_features = num_classes, tuple(out_features)
        self.reduction, self.ignore_index = reduction, ignore_index
        self.label_smoothing, self.options = label_smoothing, options
        outputs = math.prod(self.out_features, start=num_classes)
        self.linear = nn.Linear(in_features, outputs, bias=bias, device=device, dtype=dtype)

    def forward(self, input: Tensor, target: Tensor) -> Tensor:  # noqa: A002
        """The loss of these features."""
        outputs = (self.num_classes, *self.out_features)
        bias = self.linear.bias
        return functional.linear_cross_entropy(
            input,
            self.linear.weight.reshape(*outputs, self.linear.in_features),
            target,
            linear_bias=None if bias is None else bias.reshape(outputs),
            weight=self.weight,
            reduction=self.reduction,
            ignore_index=self.ignore_index,
            label_smoothing=self.label_smoothing,
            options=self.options,
        )

    def extra_repr(self) -> str:
        """The options, for print."""
        shown = ("num_classes", "out_features", "reduction", "ignore_index", "label_smoothing", "options")
        layer = f"in_features={self.linear.in_features}, bias={self.linear.bias is not None}"
        return ", ".join([layer, *(f"{name}={getattr(self, name)}" for name in shown)])


def _reduction(size_average: bool | None, reduce: bool | None, reduction: str) -> str:
    """What PyTorch's old arguments mean."""
    if size_average is None and reduce is None:
        return reduction
    if reduce is False:
        return "none"
    return "sum" if size_average is False else "mean"
