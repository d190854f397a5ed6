"""How PyTorch reads a target: by its shape, with classes on axis 1; and what its mean divides by."""

import re
from typing import NamedTuple

import torch
from torch import Tensor

from xent.autodiff.torch import readable
from xent.checks import losses as checks
from xent.errors import ArgumentTypeError, OptionError, ShapeError, XentError

__all__ = ["Target", "counted", "in_torchs_words", "layout_of", "nan_over_nothing", "refuse_other_than_tensors"]


class Target(NamedTuple):
    """A target as PyTorch takes it."""

    labels: Tensor
    soft: bool  # weights over the classes, not classes
    ignore_index: int | None  # None: no row is skipped
    counts: bool | None  # whether there is a row that is not skipped; None: nobody looked


def refuse_other_than_tensors(**given: Tensor | None) -> None:
    """Refuse what is no tensor, such as NumPy's arrays, which PyTorch's functions do not take either."""
    for name, value in given.items():
        if isinstance(value, torch.fx.Proxy):
            raise ArgumentTypeError(
                f"{name} is a torch.fx.Proxy, which stands for a tensor of any shape, and the shape says what a target is.\n"
                "Use torch.export or torch.compile, or a torch.fx.Tracer to whose is_leaf_module the loss is a leaf."
            )
        if value is not None and not isinstance(value, Tensor):
            raise ArgumentTypeError(
                f"{name} is a {type(value).__module__}.{type(value).__qualname__}, but must be a torch.Tensor.\n"
                f"Pass torch.as_tensor({name}); xent.softmax_cross_entropy and its kin take arrays of NumPy and JAX."
            )


def layout_of(
    shape: tuple[int, ...],
    target: Tensor,
    ignore_index: int | None,
    *,
    class_axis: int = 1,
    linear: bool = False,
) -> Target:
    """Read a target beside logits of that shape."""
    checks.whole_option("ignore_index", ignore_index, "the label of the rows to skip")
    class_axis = min(class_axis, len(shape) - 1)
    if tuple(target.shape) == shape:
        _refuse_as_soft(target, ignore_index, linear)
        return Target(target, True, None, target.numel() > 0)
    rows = (*shape[:class_axis], *shape[class_axis + 1 :])
    if tuple(target.shape) != rows:
        raise ShapeError(
            f"target has shape {tuple(target.shape)}, but the logits have shape {shape} with {shape[class_axis]} classes, so "
            f"target must be {rows} of integers, or {shape} of weights.\nPass one class a row, or one weight for every logit."
        )
    if target.dtype.is_floating_point or target.dtype.is_complex or target.dtype is torch.bool:
        raise ArgumentTypeError(
            f"target has dtype {target.dtype} and shape {rows}, but classes are numbered by integers.\n"
            f"Pass integers, or weights of shape {shape}."
        )
    labels, marker = target.long(), -100 if ignore_index is None else ignore_index
    if target.numel() == 0:
        return Target(labels, False, None, False)
    if not readable(labels):
        return Target(labels, False, marker, None)
    least, most = (int(bound) for bound in labels.aminmax())
    skips = least <= marker <= most
    return Target(labels, False, marker if skips else None, not skips or least < most)


def _refuse_as_soft(target: Tensor, ignore_index: int | None, linear: bool) -> None:
    if not target.dtype.is_floating_point:
        raise ArgumentTypeError(
            f"target has dtype {target.dtype} and the shape of the logits, so it must hold weights over the classes.\n"
            "Pass floats, or one class a row."
        )
    if ignore_index is not None and (linear or ignore_index >= 0):
        raise OptionError(
            f"ignore_index is {ignore_index}, but target holds weights over the classes.\n"
            "Leave it out, or pass one class a row."
        )


def counted(asked: Target, weight: Tensor | None) -> Tensor | int:
    """What PyTorch's mean divides by: the rows for soft targets, else the weights of the labels not skipped."""
    labels, soft, ignore_index, _ = asked
    if soft:
        return labels.numel() // labels.shape[1]
    if weight is None:
        return labels.numel() if ignore_index is None else (labels != ignore_index).sum()
    weights = weight[labels.clamp(0, len(weight) - 1)]
    kept = weights if ignore_index is None else torch.where(labels == ignore_index, 0.0, weights)
    return kept.sum(dtype=torch.promote_types(weight.dtype, torch.float32))


def nan_over_nothing(loss: Tensor, asked: Target, weight: Tensor | None) -> Tensor:
    """Make the mean over nothing NaN as PyTorch's is, where xent's is 0; its gradient stays 0."""
    if asked.counts is not None and (asked.soft or weight is None):
        return loss if asked.counts else loss + torch.nan
    return torch.where(torch.as_tensor(counted(asked, weight) == 0), torch.nan, loss)


def in_torchs_words(error: XentError, **words: str) -> XentError:
    """The same error with the names that the arguments have in PyTorch."""
    words = {"labels": "target", **words}
    names = rf"(?<!\d )\b({'|'.join(words)})\b"  # not "2 of 4 labels"
    return type(error)(re.sub(names, lambda found: words[found[0]], str(error)))
