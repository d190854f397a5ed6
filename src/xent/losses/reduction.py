"""From the losses of rows to what is returned."""

from typing import Any

from xent._arrays import Array, beside, namespace_of

__all__ = ["divisor", "reduced"]


def reduced(loss: Array, shape: tuple[int, ...], reduction: str, denominator: Any) -> Array:
    """The loss per row in the rows' own shape, its sum, or its sum over the denominator."""
    xp = namespace_of(loss)
    if reduction == "none":
        return loss if tuple(loss.shape) == shape else xp.reshape(loss, shape)
    total = xp.sum(loss)
    return total if reduction == "sum" else total / divisor(loss, denominator)


def divisor(loss: Array, denominator: Any) -> Any:
    """The denominator, and 1 for 0: where nothing was counted, the sum is 0 and so is the mean."""
    if isinstance(denominator, int | float):
        return denominator if denominator else 1.0
    denominator = beside("denominator", denominator, loss)
    return namespace_of(loss).where(denominator == 0, 1.0, denominator)
