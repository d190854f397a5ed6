"""Pages from templates: one file each, which asks for no other."""

import os
from functools import lru_cache
from importlib import metadata, resources
from pathlib import Path
from typing import Any

from xent.errors import SourceError
from xent.report.typeset import FILTERS

__all__ = ["filled", "write_page"]


def filled(template: str, **what: Any) -> str:
    """A template with its blanks filled, as one string of HTML; of this folder, or "folder/template" of another."""
    return str(_templates().get_template(template).render(version=_version(), **what))


def write_page(page: str, path: str | os.PathLike[str]) -> None:
    """Write a page to a file.

    Raises:
        SourceError: the file cannot be written, as where its directory does not exist.
    """
    try:
        # What UTF-8 cannot hold (half of a surrogate pair in a name) becomes a character reference.
        Path(path).write_text(page, encoding="utf-8", errors="xmlcharrefreplace", newline="\n")
    except OSError as error:
        raise SourceError(
            f"the page cannot be written to {os.fspath(path)!r}: {error.strerror or error}.\n"
            f"Create the directory {str(Path(path).parent)!r} or name a file in one that can be written to."
        ) from error


@lru_cache(maxsize=1)
def _templates() -> Any:
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
    )
    environment.filters |= FILTERS
    return environment


def _version() -> str:
    try:
        return metadata.version("xent")
    except metadata.PackageNotFoundError:
        return ""
