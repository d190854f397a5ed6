"""The report as JSON."""

import json
import math
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from typing import Any

from xent.texts.catalogue import Sentence, said

__all__ = ["render"]


def render(report: Any, lang: str = "en") -> str:
    """Attribute names as keys, numbers in full precision, infinity as the string "inf", undefined as null."""
    return json.dumps(_plain(report, lang), indent=2, allow_nan=False)


def _plain(value: Any, lang: str) -> Any:
    if is_dataclass(value):
        return {field.name: _plain(getattr(value, field.name), lang) for field in fields(value)}
    if isinstance(value, tuple):
        return [_plain(item, lang) for item in value]
    if isinstance(value, Mapping):
        return {name: _plain(item, lang) for name, item in value.items()}
    if isinstance(value, Sentence):
        return said(value, lang)
    if isinstance(value, float) and math.isnan(value):
        return None
    if isinstance(value, float) and math.isinf(value):
        return "inf" if value > 0 else "-inf"
    return value
