"""Which adapter an array gets: the kernels, or the formulas, as differentiable functions of its library's arrays."""

from types import ModuleType

import array_api_compat
import numpy as np

from xent._arrays import Array, is_tensor

__all__ = ["adapter_of"]


def adapter_of(array: Array) -> ModuleType:
    """The module of `xent.autodiff` for that array."""
    if is_tensor(array):
        from xent.autodiff import torch as adapter
    elif isinstance(array, np.ndarray):
        from xent.autodiff import numpy as adapter
    elif array_api_compat.is_jax_array(array):
        from xent.autodiff import jax as adapter
    else:
        from xent.autodiff import plain as adapter
    return adapter
