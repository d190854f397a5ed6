"""A linear layer of PyTorch tensors as arrays, PyTorch's matrix products, and gradients as tensors again."""

from typing import Any

import torch
from torch import Tensor

from xent._arrays import widen
from xent.autodiff import linear_arrays, linear_tiles
from xent.autodiff.linear_arrays import Machine, Wanted
from xent.autodiff.torch_views import tensor_of, viewed
from xent.formulas.rows import RowWeights, Targets
from xent.kernels import choice
from xent.kernels.blockwise import Gradients, LinearArrays, pieces

__all__ = ["Products", "arrays_of", "as_tensors", "cast", "loss_and_gradients", "machine", "storage"]


class Products:
    """PyTorch's matrix products, 16-bit operands widened where a result is to keep float32's digits."""

    def multiply(self, a: Any, b: Any, out: Any) -> None:
        """a·b into out."""
        left, right, to = tensor_of(a), tensor_of(b), tensor_of(out)
        if left.dtype == right.dtype == to.dtype:
            torch.mm(left, right, out=to)
        elif left.dtype == right.dtype:  # features and weights of 16 bits: the logits keep all digits
            left = left.to(to.dtype)
            for some in pieces(to.shape[1], right.shape[0]):
                torch.mm(left, right[:, some].to(to.dtype), out=to[:, some])
        else:  # gradients of logits and weights of 16 bits: what comes out is rounded to 16 bits anyway
            to.copy_(torch.mm(left.to(right.dtype), right))

    def add(self, a: Any, b: Any, out: Any) -> None:
        """a·b added to out."""
        to = tensor_of(out)
        torch.addmm(to, tensor_of(a).to(to.dtype), tensor_of(b).to(to.dtype), out=to)


def machine(max_memory: int) -> Machine:
    """The kernels, PyTorch's products and its number of threads."""
    return Machine(choice.compiled_rows(), Products(), torch.get_num_threads(), max_memory)


def loss_and_gradients(
    layer: LinearArrays, targets: Targets, weights: RowWeights, divisor: float, max_memory: int, wanted: Wanted
) -> tuple[float, Gradients]:
    """By tiles where they serve, else by PyTorch's products."""
    engine = machine(max_memory)
    way = linear_tiles if linear_tiles.serves(layer, targets, engine) else linear_arrays
    total, _, gradients = way.loss(layer, targets, weights, divisor, engine, wanted)
    return total, gradients


def arrays_of(tensors: Any, softcap: float | None) -> tuple[LinearArrays, Targets]:
    """features, weight, bias, labels, soft and on_label as the arrays that `linear_arrays` takes."""
    features, weight, bias, labels, soft, on_label = tensors
    wide_bias = None if bias is None else viewed(widen(bias))
    targets = Targets(viewed(labels), viewed(soft), viewed(on_label))
    return LinearArrays(viewed(features), viewed(weight), wide_bias, softcap), targets


def as_tensors(gradients: Gradients, tensors: Any) -> list[Tensor | None]:
    """In the dtype of what they are the gradients of, but for float16, in whose range they may not lie before scaling."""
    pairs = zip(gradients, tensors[:3], strict=True)
    return [None if found is None else tensor_of(found, storage(part.dtype)) for found, part in pairs]


def cast(gradients: Gradients, tensors: Any) -> list[Tensor | None]:
    """In the dtype of what they are the gradients of."""
    pairs = zip(gradients, tensors[:3], strict=True)
    return [None if found is None else tensor_of(found, part.dtype) for found, part in pairs]


def storage(dtype: torch.dtype) -> torch.dtype:
    """The dtype in which gradients wait to be scaled."""
    return torch.float32 if dtype == torch.float16 else dtype
