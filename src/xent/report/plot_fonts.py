"""Fonts in which matplotlib can write Chinese, of those that this machine has."""

import re
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from xent.report.lines import WIDE

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["chinese_fonts", "is_chinese", "legible"]

# Of each family the name that matplotlib has for it: it sees one face of a collection.
FAMILIES = (
    "Noto Sans CJK SC",
    "Noto Sans SC",
    "Source Han Sans SC",
    "PingFang SC",
    "Hiragino Sans GB",
    "Heiti SC",
    "Microsoft YaHei",
    "SimHei",
    "WenQuanYi Micro Hei",
    "WenQuanYi Zen Hei",
    "Noto Sans CJK JP",
    "Arial Unicode MS",
)
FILES = re.compile(r"(Noto|Source).*(CJK|SC|Han)|PingFang|Hiragino|Heiti|msyh|simhei|wqy", re.IGNORECASE)


@cache
def chinese_fonts() -> tuple[str, ...]:
    """Those that are here, the best first."""
    from matplotlib import font_manager

    known = font_manager.fontManager
    if not any(font.name in FAMILIES for font in known.ttflist):  # its list is older than a font that was added since
        for path in font_manager.findSystemFonts():
            if FILES.search(Path(path).name):
                known.addfont(path)
    here = {font.name for font in known.ttflist}
    return tuple(name for name in FAMILIES if name in here)


def is_chinese(text: str) -> bool:
    """Whether it has characters that the fonts of matplotlib lack."""
    return re.search(WIDE, text) is not None


def legible(ax: "Axes") -> "Axes":
    """The same axes, whose texts take what their font lacks from one that has Chinese."""
    from matplotlib.text import Text

    for text in ax.findobj(Text):
        if is_chinese(text.get_text()):
            text.set_fontfamily([*text.get_fontfamily(), *chinese_fonts()])
    return ax
