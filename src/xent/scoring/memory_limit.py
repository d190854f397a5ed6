"""How much memory may be used: what the caller says, else a share of what the machine has."""

import os
import re

from xent.errors import OptionError

__all__ = ["memory_limit"]

_UNITS = {"": 1, "b": 1}
_UNITS |= {f"{letter}b": 1000**power for power, letter in enumerate("kmgt", 1)}
_UNITS |= {f"{letter}ib": 1024**power for power, letter in enumerate("kmgt", 1)}
_SHARE = 2  # half of the machine's
_UNKNOWN = 8 << 30  # of machines that do not tell
_CONTAINERS = ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")


def memory_limit(given: int | str | None) -> int:
    """Bytes, from a number or a text such as "2GB" or "512 MiB"; None: half of what the machine (or container) has.

    Raises:
        OptionError: it is no amount above 0.
    """
    if given is None:
        return _of_machine() // _SHARE
    found = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([a-z]*)\s*", str(given), re.IGNORECASE)
    unit = None if found is None else _UNITS.get(found[2].lower())
    if found is None or unit is None or isinstance(given, bool) or float(found[1]) * unit < 1:
        raise OptionError(
            f"max_memory is {given!r}, but must be a number of bytes above 0, or a text with kB, MB, GB, KiB, MiB or GiB.\n"
            'Pass 2_000_000_000 or "2GB" (--max-memory 2GB), or leave it out for half of what the machine has.'
        )
    return int(float(found[1]) * unit)


def _of_machine() -> int:
    try:
        whole = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):  # Windows has no such question
        whole = _UNKNOWN
    return min([whole, *filter(None, map(_of_container, _CONTAINERS))])


def _of_container(path: str) -> int | None:
    try:
        with open(path, encoding="ascii") as file:
            text = file.read().strip()
    except OSError:
        return None
    return int(text) if text.isdigit() else None
