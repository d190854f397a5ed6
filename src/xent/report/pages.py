"""Pages from templates: one file each, which asks for no other and says everything in each language."""

import os
from collections.abc import Callable
from functools import lru_cache, partial
from importlib import metadata, resources
from pathlib import Path
from typing import Any

from xent.errors import SourceError
from xent.report.typeset import FILTERS, SPACE, kept
from xent.texts.catalogue import CATALOGUES, LANGUAGES, Sentence, said, texts_of

__all__ = ["filled", "page", "write_page"]


def page(template: str, lang: str, title: Sentence, **what: Any) -> str:
    """A page that opens in `lang` and can switch to the other languages: the template's blanks filled in each.

    Raises:
        OptionError: `lang` is none of the languages.
    """
    texts_of(lang)  # refuses what is no language
    order = (lang, *(one for one in LANGUAGES if one != lang))
    bodies = [
        {
            "lang": one,
            "title": said(title, one),
            "body": filled(template, one, title=title, **what).replace(f"{SPACE}%", CATALOGUES[one]["percent.sign"]),
        }
        for one in order
    ]
    return str(filled("layout.html.jinja", lang, bodies=bodies, languages=LANGUAGES))


def filled(template: str, lang: str, **what: Any) -> Any:
    """A template with its blanks filled, as one string of HTML; of this folder, or "folder/template" of another."""
    from markupsafe import Markup

    return Markup(_templates(lang).get_template(template).render(**what))


def write_page(page: str, path: str | os.PathLike[str]) -> None:
    """Write a page to a file.

    Raises:
        SourceError: the file cannot be written, as where its directory does not exist.
    """
    try:
        # What UTF-8 cannot hold (half of a surrogate pair in a name) becomes a character reference.
        Path(path).write_text(page, encoding="utf-8", errors="xmlcharrefreplace", newline="\n")
    except OSError as error:
        folder = Path(path).parent
        step = "Name another file." if folder.is_dir() else f"Create the directory {str(folder)!r} or name another."
        raise SourceError(
            f"the page cannot be written to {os.fspath(path)!r}: {error.strerror or error}.\n{step}"
        ) from error


@lru_cache(maxsize=len(LANGUAGES))
def _templates(lang: str) -> Any:
    """Templates in which `say` and every sentence that is put out are in that language."""
    import jinja2  # not before a page is asked for: `import xent` stays light

    def load(name: str) -> str:
        path = name if "/" in name else f"report/{name}"
        return resources.files("xent").joinpath(path).read_text(encoding="utf-8")

    environment = jinja2.Environment(
        loader=jinja2.FunctionLoader(load),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=partial(said, lang=lang),
    )
    environment.filters |= FILTERS | {"said": partial(said, lang=lang), "kept": lambda text: kept(said(text, lang))}
    environment.globals |= {"say": _teller(lang), "lang": lang, "in_language": _teller, "version": _version()}
    return environment


def _teller(lang: str) -> Callable[..., Any]:
    """The text of a name as HTML, which leaves markup that is filled in as it is."""
    from markupsafe import Markup, escape

    def tell(name: str, /, **values: Any) -> Any:
        return Markup(escape(CATALOGUES[lang][name])).format(**{key: said(one, lang) for key, one in values.items()})

    return tell


def _version() -> str:
    try:
        return metadata.version("xent")
    except metadata.PackageNotFoundError:
        return ""
