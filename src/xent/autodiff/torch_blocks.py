"""Whatever rows of logits of a linear layer are good for, on PyTorch tensors, by the formulas and some rows at a time."""

from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

import torch
from torch import Tensor

from xent._arrays import widen
from xent.autodiff.torch_rows import ByRows, over_rows
from xent.autodiff.torch_views import traced
from xent.formulas.linear import Layer
from xent.formulas.rows import Targets

__all__ = ["COPIES", "OfBlock", "by_blocks"]

COPIES = 6  # of a block's logits that the formulas make, as was found by looking
OfBlock = Callable[
    ..., tuple[Tensor, ...]
]  # of a layer in float32 at least, targets, and what else there is of each row


def by_blocks(
    of_block: OfBlock, layer: Layer, targets: Targets, made: tuple[bool, ...], max_memory: int, *of_rows: Tensor
) -> tuple[Tensor, ...]:
    """What `of_block` makes: for each row where `made` says so, else summed over the blocks.

    All rows are one block where there are no values to save.
    """
    features, weight, bias, softcap = layer
    device, rows = features.device.type, len(features)
    shared_soft = targets.soft is not None and len(targets.soft) != rows
    by_row = (True, False, False, True, not shared_soft, True, *(True for _ in of_rows))
    parts = [
        part if part is None or has_rows else widen(part)  # whose gradients are sums over the blocks
        for part, has_rows in zip((features, weight, bias, *targets, *of_rows), by_row, strict=True)
    ]
    there = [i for i, part in enumerate(parts) if part is not None]

    def function(*tensors: Tensor) -> tuple[Tensor, ...]:
        given: list[Any] = [None] * len(parts)
        for i, tensor in zip(there, tensors, strict=True):
            given[i] = tensor
        return of_block(Layer(widen(given[0]), *given[1:3], softcap), Targets(*given[3:6]), *given[6:])

    tensors = [part for part in parts if part is not None]
    if traced(features):
        with nullcontext() if device == "meta" else torch.autocast(device, enabled=False):  # as in `over_rows`
            return function(*tensors)
    size = COPIES * len(weight) * torch.promote_types(weight.dtype, torch.float32).itemsize
    return over_rows(ByRows(function, tuple(by_row[i] for i in there), made, max_memory / size), *tensors)
