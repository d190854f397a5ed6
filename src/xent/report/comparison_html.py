"""The comparison of models as one self-contained page."""

import os
from typing import TYPE_CHECKING

from xent.report.chart_comparison import MOST_LISTED, differences, losses, where
from xent.report.pages import page, write_page
from xent.report.text import METHODS
from xent.texts.catalogue import Sentence, sentence

if TYPE_CHECKING:
    from xent.report.comparison import Comparison

__all__ = ["render", "write"]

MOST_NAMED = 3  # models in the title


def render(comparison: "Comparison", lang: str = "en") -> str:
    """The page, as one string of HTML that asks for no other file and opens in a language."""
    return page(
        "comparison.html.jinja",
        lang,
        _title(comparison.names),
        comparison=comparison,
        losses=losses(comparison),
        differences=differences(comparison),
        where=where(comparison),
        most=MOST_LISTED,
        methods=METHODS,
    )


def write(comparison: "Comparison", path: str | os.PathLike[str], lang: str = "en") -> None:
    """Write the page to a file.

    Raises:
        OptionError: `lang` is none of the languages.
        SourceError: the file cannot be written, as where its directory does not exist.
    """
    write_page(render(comparison, lang), path)


def _title(names: tuple[str, ...]) -> Sentence:
    more = len(names) - MOST_NAMED
    shown = (*names[:MOST_NAMED], *((sentence("compare.models_more", count=more),) if more > 0 else ()))
    return sentence("compare.title", names=shown[:-1], last=shown[-1])
