"""Keys of rows, such as their group or cluster, as text: the same in every file, state and process."""

import json
from typing import Any

__all__ = ["key_of", "key_text"]


def key_text(*values: Any) -> str:
    """Keys as one text: a number stays one, whole ones alike of any type; dates are text, a missing value is null."""
    return json.dumps([_plain(value) for value in values])


def key_of(text: str) -> list[Any]:
    """The keys that `key_text` was given."""
    found: list[Any] = json.loads(text)
    return found


def _plain(value: Any) -> Any:
    if isinstance(value, float):
        return int(value) if value.is_integer() else value
    return value if value is None or isinstance(value, bool | int) else str(value)
