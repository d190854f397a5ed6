"""The layer that makes logits of features."""

from typing import NamedTuple

from xent._arrays import Array, namespace_of
from xent.formulas.rows import softcap

__all__ = ["Layer", "logits_of"]


class Layer(NamedTuple):
    """softcap(features·weightᵀ + bias): a linear layer, its outputs bent into (−softcap, softcap) if that is given."""

    features: Array  # (rows, dim)
    weight: Array  # (classes, dim)
    bias: Array | None = None  # (classes,)
    softcap: float | None = None


def logits_of(layer: Layer) -> Array:
    """The layer's outputs: (rows, classes)."""
    logits = layer.features @ namespace_of(layer.weight).matrix_transpose(layer.weight)
    return softcap(logits if layer.bias is None else logits + layer.bias, layer.softcap)
