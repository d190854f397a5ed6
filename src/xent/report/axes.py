"""Axes of the plots: round numbers and where they stand, in percent of the plot's width or height."""

from typing import NamedTuple

__all__ = ["Tick", "along", "round_step", "ticks", "ticks_between"]


class Tick(NamedTuple):
    """A mark on an axis."""

    at: float  # percent
    text: str


def along(value: float, low: float, high: float) -> float:
    """Where a value stands on an axis from `low` to `high`, percent; nothing stands beyond its ends."""
    return min(100.0, max(0.0, 100.0 * (value - low) / (high - low)))


def ticks(top: float, scale: float = 100.0, most: int = 6, room: float = 0.0) -> tuple[Tick, ...]:
    """Round numbers from 0 to `top`, which stands at `scale` percent; none within `room` percent below it."""
    step = round_step(top / most)
    values = [step * i for i in range(int(top / step * 1.001) + 1)]
    return tuple(Tick(scale * v / top, f"{v:,.10g}") for v in values if v == 0.0 or scale * v / top <= scale - room)


def ticks_between(low: float, high: float, most: int = 5) -> tuple[Tick, ...]:
    """Round numbers from `low` to `high`, where neither need be 0."""
    step = round_step((high - low) / most)
    first, last = round(low / step + 0.499), round(high / step - 0.499)
    return tuple(
        Tick(along(step * i, low, high), f"{step * i:,.10g}".replace("-", "−"))
        for i in range(first, last + 1)
        if low <= step * i <= high
    )


def round_step(least: float) -> float:
    """The first of … 1, 2, 5, 10, 20, 50 … from `least` on."""
    power = float("1e" + f"{least:e}".partition("e")[2])
    return next(factor * power for factor in (1.0, 2.0, 5.0, 10.0) if factor * power >= least * 0.999)
