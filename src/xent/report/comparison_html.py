"""The comparison of models as one self-contained page."""

import os
from typing import TYPE_CHECKING

from xent.report.chart_comparison import MOST_LISTED, differences, losses, where
from xent.report.pages import filled, write_page

if TYPE_CHECKING:
    from xent.report.comparison import Comparison

__all__ = ["render", "write"]

MOST_NAMED = 3  # models in the title


def render(comparison: "Comparison") -> str:
    """The page, as one string of HTML that asks for no other file."""
    return filled(
        "comparison.html.jinja",
        comparison=comparison,
        title=_title(comparison.names),
        losses=losses(comparison),
        differences=differences(comparison),
        where=where(comparison),
        most=MOST_LISTED,
    )


def write(comparison: "Comparison", path: str | os.PathLike[str]) -> None:
    """Write the page to a file.

    Raises:
        SourceError: the file cannot be written, as where its directory does not exist.
    """
    write_page(render(comparison), path)


def _title(names: tuple[str, ...]) -> str:
    shown = list(names[:MOST_NAMED]) + ([f"{len(names) - MOST_NAMED} more"] if len(names) > MOST_NAMED else [])
    return f"{', '.join(shown[:-1])} and {shown[-1]}"
