"""Which adapter an array gets: the kernels, or the formulas, as differentiable functions of its library's arrays."""

from types import ModuleType

import array_api_compat
import numpy as np

from xent._arrays import Array, is_tensor
from xent.autodiff import plain

__all__ = ["adapter_of"]


def adapter_of(array: Array) -> ModuleType:
    """The module of `xent.autodiff` for that array."""
    if is_tensor(array):
        from xent.autodiff import torch

        return torch
    if isinstance(array, np.ndarray):
        from xent.autodiff import numpy

        return numpy
    if array_api_compat.is_jax_array(array):
        from xent.autodiff import jax

        return jax
    return plain
