"""Keys of rows, such as their group or cluster, as text: the same in every file, state and process."""

import json
from typing import Any

__all__ = ["key_of", "key_text"]


def key_text(*values: Any) -> str:
    """Keys as one text: a number stays one, dates are text, a missing value is null."""
    return json.dumps([v if v is None or isinstance(v, bool | int | float) else str(v) for v in values])


def key_of(text: str) -> list[Any]:
    """The keys that `key_text` was given."""
    found: list[Any] = json.loads(text)
    return found
