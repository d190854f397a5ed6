"""Units of information: nats inside, another unit only at the edge."""

import math
from numbers import Real
from typing import Any

from xent.errors import OptionError

__all__ = ["UNITS", "from_nats", "to_nats", "unit_base"]

# The units that a report can be written in, and the base of the logarithm that each one stands for.
UNITS: dict[str, float | None] = {"nats": None, "bits": 2.0}


def from_nats(value: Any, base: float | None = None) -> Any:
    """Express a number or array of nats in the unit whose logarithm has this base.

    Args:
        value: any shape, nats.
        base: None for nats, 2 for bits, 10 for hartleys (bans), any finite number above 1.

    Returns:
        `value / ln(base)`, in `value`'s library and dtype; `value` itself for None.

    Raises:
        OptionError: `base` is not a finite number above 1.

    Source:
        Shannon, "A Mathematical Theory of Communication" (1948), section 1.

    Example:
        >>> from xent.units import from_nats
        >>> from_nats(1.3862943611198906, base=2)
        2.0
    """
    if base is None:
        return value
    if not isinstance(base, Real) or isinstance(base, bool) or not 1.0 < base < math.inf:
        raise OptionError(
            f"base is {base!r}, but the base of the logarithm must be a finite number above 1.\n"
            "Pass base=2 for bits, base=10 for hartleys, or leave it out for nats."
        )
    return value / math.log(base)


def to_nats(value: float, unit: str) -> float:
    """Express a number of nats or bits in nats.

    Raises:
        OptionError: `unit` is neither "nats" nor "bits".

    Example:
        >>> from xent.units import to_nats
        >>> round(to_nats(1.0, "bits"), 4)
        0.6931
    """
    base = unit_base(unit)
    return value if base is None else value * math.log(base)


def unit_base(unit: str) -> float | None:
    """Give the base of the logarithm that a unit's name stands for: None for nats, 2.0 for bits.

    Raises:
        OptionError: `unit` is neither "nats" nor "bits".

    Source:
        Cover and Thomas, "Elements of Information Theory" (2006), section 2.1.

    Example:
        >>> from xent.units import unit_base
        >>> unit_base("bits")
        2.0
    """
    if not isinstance(unit, str) or unit not in UNITS:
        raise OptionError(
            f'unit is {unit!r}, but must be "nats" or "bits".\n'
            "For another unit, divide nats by the natural logarithm of its base."
        )
    return UNITS[unit]
