"""Which adapter an array gets: the kernels, or the formulas, as differentiable functions of its library's arrays."""

import importlib
from types import ModuleType

import array_api_compat
import numpy as np

from xent._arrays import Array
from xent.autodiff import plain

__all__ = ["adapter_of"]


def adapter_of(array: Array) -> ModuleType:
    """The module of `xent.autodiff` for that array."""
    if isinstance(array, np.ndarray):
        return _loaded("numpy")
    if array_api_compat.is_torch_array(array):
        return _loaded("torch")
    if array_api_compat.is_jax_array(array):
        return _loaded("jax")
    return plain


def _loaded(name: str) -> ModuleType:
    return importlib.import_module(f"xent.autodiff.{name}")
