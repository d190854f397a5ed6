"""One sentence by its name, in one of the languages."""

from collections.abc import Mapping
from functools import partial
from typing import Any, Protocol

from xent.errors import OptionError
from xent.texts import en, zh

__all__ = ["CATALOGUES", "LANGUAGES", "Say", "language_of", "speaker", "text"]

CATALOGUES: Mapping[str, Mapping[str, str]] = {"en": en.TEXTS, "zh": zh.TEXTS}
LANGUAGES = tuple(CATALOGUES)


class Say(Protocol):
    """`text` in a language that is settled."""

    def __call__(self, name: str, /, **values: Any) -> str:
        """The sentence of that name."""


def text(lang: str, name: str, /, **values: Any) -> str:
    """The sentence of that name, with its blanks filled.

    Raises:
        OptionError: `lang` is none of the languages.

    Example:
        >>> text("en", "unit.bits"), text("zh", "unit.bits")
        ('bits', '比特')
    """
    if lang not in CATALOGUES:
        raise OptionError(f"lang is {lang!r}, but must be one of {', '.join(map(repr, LANGUAGES))}.")
    return CATALOGUES[lang][name].format(**values)


def speaker(lang: str) -> Say:
    """`text` in that language.

    Raises:
        OptionError: `lang` is none of the languages.
    """
    if lang not in CATALOGUES:
        raise OptionError(f"lang is {lang!r}, but must be one of {', '.join(map(repr, LANGUAGES))}.")
    return partial(text, lang)


def language_of(environment: Mapping[str, str]) -> str:
    """The language that LC_ALL, LC_MESSAGES or LANG ask for, in that order; English where it is another, or none.

    For commands: in the library the language is an argument.

    Example:
        >>> language_of({"LANG": "zh_CN.UTF-8"}), language_of({"LC_ALL": "C", "LANG": "zh_CN.UTF-8"})
        ('zh', 'en')
    """
    asked = next(filter(None, (environment.get(name) for name in ("LC_ALL", "LC_MESSAGES", "LANG"))), "")
    found = asked.replace("-", "_").partition("_")[0].partition(".")[0].lower()
    return found if found in CATALOGUES else "en"
