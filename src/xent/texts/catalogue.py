"""One sentence by its name, in one of the languages."""

import re
import unicodedata
from collections.abc import Mapping
from functools import partial
from typing import Any, Protocol

from xent.errors import OptionError
from xent.texts import en, zh

__all__ = [
    "CATALOGUES",
    "LANGUAGES",
    "Say",
    "Sentence",
    "counted",
    "language_of",
    "printable",
    "said",
    "sentence",
    "speaker",
    "text",
    "texts_of",
]

CATALOGUES: Mapping[str, Mapping[str, str]] = {"en": en.TEXTS, "zh": zh.TEXTS}
LANGUAGES = tuple(CATALOGUES)
# Chinese has a space between a blank and what is beside it only where the blank is filled with something else.
EDGE = "\N{INFORMATION SEPARATOR ONE}"  # of a blank
GAP = re.compile(f"(?<=[一-鿿]{EDGE}) (?={EDGE}?[一-鿿])|(?<=[一-鿿]) (?={EDGE}[一-鿿])")


class Say(Protocol):
    """`text` in a language that is settled."""

    def __call__(self, name: str, /, **values: Any) -> str:
        """The sentence of that name."""


def texts_of(lang: str) -> Mapping[str, str]:
    """The catalogue of a language.

    Raises:
        OptionError: `lang` is none of the languages.
    """
    if lang not in CATALOGUES:
        raise OptionError(f"lang is {lang!r}, but must be one of {', '.join(map(repr, LANGUAGES))}.")
    return CATALOGUES[lang]


def text(lang: str, name: str, /, **values: Any) -> str:
    """The sentence of that name, with its blanks filled: with names as they can be printed.

    Raises:
        OptionError: `lang` is none of the languages.

    Example:
        >>> text("en", "unit.bits"), text("zh", "unit.bits")
        ('bits', '比特')
    """
    spoken = ((key, said(value, lang)) for key, value in values.items())
    filled = {key: printable(one) if isinstance(one, str) else one for key, one in spoken}
    if lang != "zh":
        return texts_of(lang)[name].format(**filled)
    marked = {key: f"{EDGE}{one}{EDGE}" if isinstance(one, str) else one for key, one in filled.items()}
    return GAP.sub("", texts_of(lang)[name].format(**marked)).replace(EDGE, "")


class Sentence(str):
    """What is said, in English, that knows its name and values: whoever shows it can say it in another language.

    Example:
        >>> found = sentence("verdict.single_row")
        >>> found
        'no verdict: a single row, or one that outweighs all others, says nothing about the model'
        >>> said(found, "zh")
        '无法判断：单独一行（或权重压过其他所有行的一行）说明不了模型的好坏'
    """

    name: str
    values: Mapping[str, Any]

    def __new__(cls, name: str, values: Mapping[str, Any]) -> "Sentence":
        """The text of that name with its blanks filled; values may be sentences, or tuples of them, which are listed."""
        made = super().__new__(cls, text("en", name, **values))
        made.name, made.values = name, values
        return made

    def __getnewargs__(self) -> tuple[str, Mapping[str, Any]]:  # type: ignore[override]
        """To be pickled and copied."""
        return self.name, self.values


def sentence(name: str, /, **values: Any) -> Sentence:
    """The sentence of that name."""
    return Sentence(name, values)


def counted(name: str, count: int, /, **values: Any) -> Sentence:
    """The sentence of that name about so many, or the one of that name and `.one` about a single one.

    Example:
        >>> counted("rows", 1), counted("rows", 1200)
        ('1 row', '1,200 rows')
    """
    return Sentence(f"{name}.one" if count == 1 else name, {"count": count, **values})


def said(value: Any, lang: str) -> Any:
    """A sentence in that language, a tuple as a list of what is in it; anything else, such as a name, as it is."""
    if isinstance(value, Sentence):
        return text(lang, value.name, **value.values)
    if isinstance(value, tuple):
        return CATALOGUES[lang]["list"].join(said(one, lang) for one in value)
    return value


def speaker(lang: str) -> Say:
    """`text` in that language.

    Raises:
        OptionError: `lang` is none of the languages.
    """
    texts_of(lang)
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


def printable(text: str) -> str:
    """A text with its line breaks and other control characters written out, so that none reaches a terminal.

    Example:
        >>> print(printable("\\x1b[31mred"))
        \\x1b[31mred
    """
    return text if text.isprintable() else "".join(map(_written_out, text))


def _written_out(one: str) -> str:
    """Spaces of all kinds are left, and what joins letters and emoji into one."""
    kept = one.isprintable() or one in "\u200c\u200d" or unicodedata.category(one) == "Zs"
    return one if kept else repr(one)[1:-1]
