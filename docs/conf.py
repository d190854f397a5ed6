"""Sphinx: what `make docs` builds into out/docs."""

import os
import re
import sys
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util import logging

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE / "_ext"))
os.environ.setdefault("KERAS_BACKEND", "torch")

import computed  # noqa: E402
from directives import CommandHelp, Fields  # noqa: E402
from house import small_house  # noqa: E402

import xent  # noqa: E402

project = "xent"
release = version = xent.__version__
copyright = "the authors of xent, BSD-3-Clause"  # noqa: A001  (Sphinx's name)
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx_copybutton"]
exclude_patterns = ["_ext"]
suppress_warnings = ["config.cache"]

myst_heading_anchors = 4
copybutton_prompt_text = r">>> |\.\.\. |\$ "
copybutton_prompt_is_regexp = True

default_role = "code"  # `x` in docstrings
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_typehints_format = "short"
autodoc_preserve_defaults = True
napoleon_custom_sections = [("Source", "notes_style"), ("To reach", "notes_style")]
napoleon_use_rtype = False

nitpicky = True
nitpick_ignore_regex = [  # types in signatures: of other libraries, and of modules that are not public
    (r"py:(class|exc)", r"(torch|keras|jax|numpy|collections|os|pathlib|mlflow)\..*"),
    ("py:class", r"xent\.(formulas|losses|report|scoring|sources)\..*"),
    ("py:class", "Axes|Plots"),  # of matplotlib, which need not be there
]

TEN_ROWS = (
    "part=several&y=1,1,1,1,1,0,0,0,0,0&given=q0.8,q0.9,q0.9,q0.6,q0.8,q0.1,q0.4,q0.2,q0.1,q0.3&labels="
    + ",".join(f"row%20{i}" for i in range(10))
)
PARTS = {
    "1-information": "part=curve", "2-entropy": "part=two", "3-cross-entropy": "part=two", "4-as-a-loss": "part=logits",
    "5-reading": TEN_ROWS,
}  # fmt: skip
PLAYGROUND = {
    "index": '<a href="playground.html">Open the playground.</a>',
    "zh/index": '<a href="playground.html">打开演练场。</a>',
    "how-to/playground": '<a href="../playground.html">Open the playground</a> that was built with these pages.',
    **{f"tutorial/{page}": f'<a href="../playground.html#{part}">Open it there.</a>' for page, part in PARTS.items()},
    **{f"zh/tutorial/{page}": f'<a href="../playground.html#{part}">在那里打开。</a>' for page, part in PARTS.items()},
    "tutorial/index": 'To try it by hand, move sliders on the <a href="../playground.html">playground</a>.',
    "zh/tutorial/index": '想亲手试一试，可以在<a href="../playground.html">演练场</a>里拖动滑块。',
}

CHINESE = {  # what the theme says
    "Search": "搜索", "Next": "下一页", "Previous": "上一页", "Home": "首页", "On this page": "本页内容",
    "Copyright &#169; %(copyright)s": "版权所有 &#169; %(copyright)s", "Back to top": "回到顶部",
    "Toggle Light / Dark / Auto color theme": "切换浅色、深色、自动配色", "Toggle site navigation sidebar": "打开或收起导航栏",
    "Toggle table of contents sidebar": "打开或收起本页目录", "Skip to content": "跳到正文", "Table of Contents": "目录",
}  # fmt: skip

html_theme = "furo"
html_title = "xent"
html_static_path = ["_static"]
html_css_files = ["xent.css"]
html_copy_source = False
html_theme_options = {"top_of_page_buttons": []}


def compute(app: Sphinx, name: str, source: list[str]) -> None:
    """Numbers and tables as they are computed now."""
    warn = logging.getLogger(__name__).warning
    source[0] = computed.compute(source[0], lambda said: warn("%s; python docs/_ext/computed.py --write", said))


def offer_playground(app: Sphinx, name: str, source: list[str]) -> None:
    """A link to the page that `write_playground` writes; on GitHub there is none to link to."""
    source[0] = source[0].replace("<!-- playground -->", PLAYGROUND.get(name, ""))


def write_playground(app: Sphinx, error: Exception | None) -> None:
    """What `xent explore` writes, beside the pages, in both languages."""
    if error is None and app.builder.format == "html":
        for language, folder in (("en", app.outdir), ("zh", app.outdir / "zh")):
            xent.explore(folder / "playground.html", lang=language, open_browser=False)


def draw(app: Sphinx) -> None:
    """The pictures as they are drawn now."""
    for path, picture in computed.figures.pictures(HERE).items():
        if path.read_text(encoding="utf-8") != picture:
            logging.getLogger(__name__).warning("%s is not what is drawn; python docs/_ext/computed.py --write", path)


def inline(app: Sphinx, tree: nodes.document) -> None:
    """SVG in the page itself, where its style gives it the colours of the theme, light or dark; no empty line ends a block."""
    for image in list(tree.findall(nodes.image)):
        if image["uri"].endswith(".svg"):
            shown = "".join(drawn(kind, picture, image) for kind, picture in pictures(app, HERE / image["uri"]).items())
            image.replace_self(nodes.raw("", shown, format="html"))
    for block in tree.findall(nodes.literal_block):  # the line that ends a doctest in Markdown
        block.rawsource = block.astext().rstrip("\n")
        block[:] = [nodes.Text(block.rawsource)]


def pictures(app: Sphinx, path: Path) -> dict[str, str]:
    """A drawing for wide screens and one for phones; on the page of a layer, the house with that layer marked."""
    page = Path(app.env.docname)
    if path.name == "house.svg" and page.name != "index":
        return {"small": small_house(HERE.parent / "pyproject.toml", page.name)}
    return {kind: computed.figures.pictures(HERE, kind == "narrow")[path] for kind in ("wide", "narrow")}


def drawn(kind: str, picture: str, image: nodes.image) -> str:
    """A drawing without what the page has already: the style, and the title, which the page says to those who cannot see."""
    picture = re.sub(r"<title>.*?</title>|<style>.*?</style>\n", "", picture, flags=re.DOTALL)
    picture = picture.replace("<svg ", f'<svg aria-label="{image.get("alt", "")}" ', 1)
    return f'<div class="drawn {kind}">{picture}</div>'


def mark_chinese(app: Sphinx, page: str, template: str, context: dict[str, Any], tree: nodes.document | None) -> None:
    """Chinese pages say so, for fonts, hyphens and voices."""
    if page.startswith("zh/"):
        context["language"] = "zh-CN"
        context["_"] = context["gettext"] = lambda said: CHINESE.get(said, said)


def setup(app: Sphinx) -> None:
    """What is ours."""
    app.add_directive("xent-help", CommandHelp)
    app.add_directive("xent-fields", Fields)
    app.connect("builder-inited", draw)
    app.connect("source-read", compute)
    app.connect("source-read", offer_playground)
    app.connect("doctree-read", inline)
    app.connect("html-page-context", mark_chinese)
    app.connect("build-finished", write_playground)
