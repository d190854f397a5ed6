"""`xent.explore`: the playground as one self-contained page."""

import json
import os
import webbrowser
from importlib import resources
from pathlib import Path
from typing import Any

from xent.checks.distributions import SUM_TOLERANCE
from xent.formulas.conventions import KERAS_EPSILON, scikit_learn_epsilon
from xent.report.pages import filled, write_page
from xent.report.thumb import RULE
from xent.texts.catalogue import CATALOGUES, texts_of

__all__ = ["PAGE", "explore", "playground", "show"]

PAGE = "xent-playground.html"
PARTS = ("two", "logits", "curve", "several", "float")
CLASSES = (2, 3, 10, 1000)  # of the example in float32
NAMES = {"en": "English", "zh": "中文"}  # of the languages, each in itself


def explore(path: str | os.PathLike[str] = PAGE, *, lang: str = "en", open_browser: bool = True) -> Path:
    """Write the playground and open it in a browser: two distributions, logits, the curve, labels and float32 by hand.

    The page is one file that needs no network; what it shows is in its address, after #.

    Args:
        path: of the page, which is overwritten.
        lang: "en" or "zh", which the page starts in; it has a switch.
        open_browser: False writes it only.

    Returns:
        Where the page is.

    Raises:
        OptionError: `lang` is none of the languages.
        SourceError: the page cannot be written.

    Example:
        >>> import tempfile
        >>> from xent import explore
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     page = explore(f"{folder}/playground.html", open_browser=False)
        ...     page.name, page.stat().st_size < 300_000
        ('playground.html', True)
    """
    found = Path(path)
    write_page(playground(lang), found)
    if open_browser:
        show(found)
    return found


def show(path: Path) -> bool:
    """Open a page in a browser; False where there is none."""
    try:
        return webbrowser.open(path.resolve().as_uri())
    except (OSError, webbrowser.Error):
        return False


def playground(lang: str = "en") -> str:
    """The page, in HTML.

    Raises:
        OptionError: `lang` is none of the languages.
    """
    texts_of(lang)  # refuses what is no language
    presets = json.loads(resources.files("xent.playground").joinpath("presets.json").read_text(encoding="utf-8"))
    texts = {code: {name: one for name, one in all_.items() if name.startswith(("explore.", "rule."))}
             for code, all_ in CATALOGUES.items()}  # fmt: skip
    clips = (0, KERAS_EPSILON, scikit_learn_epsilon("float64"))
    data: dict[str, Any] = {
        "lang": lang,
        "languages": list(CATALOGUES),
        "texts": texts,
        "presets": [{name: preset[name] for name in ("id", "part", "inputs")} for preset in presets],
        "tolerance": SUM_TOLERANCE,
        "rule": [bound for bound, _ in RULE],
        "clips": clips,
        "counts": CLASSES,
    }
    found = filled(
        "playground/page.html.jinja",
        lang,
        languages=[(code, NAMES[code]) for code in CATALOGUES],
        texts=texts,
        parts=PARTS,
        presets=presets,
        rule=RULE,
        clips=[(clip, f"explore.curve.clip.{i}") for i, clip in enumerate(clips)],
        counts=[(count, str(count)) for count in CLASSES],
        ways=("exact", "shifted", "textbook"),
        data=data,
    )
    return str(found)
