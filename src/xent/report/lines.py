"""Lines of text for a terminal, each with its name beside it, in languages with spaces between words and without."""

import io
import re
from collections.abc import Callable, Sequence
from typing import IO, Any

__all__ = [
    "WIDE",
    "Line",
    "broken",
    "columns_of",
    "console_on",
    "named",
    "on_one_line",
    "print_lines",
    "shown_in",
    "wrapped",
]

Line = tuple[str, str, str]  # name, text, style
WIDE = r"[\u2e80-\u9fff\uff00-\uffef]"
CLOSING = r"[，。：；？！、）”》]"
# a wide character, or a word, with the opening marks before it and the closing ones and spaces behind it
PIECES = re.compile(rf"[（“《]*(?:(?!{CLOSING}){WIDE}|(?:(?!{WIDE}|[“”]|\s).)+){CLOSING}*\s*|{CLOSING}+\s*|\s+|.")


def on_one_line(name: Any) -> str:
    """A name as text; quoted where nothing else would be seen of it."""
    return " ".join(str(name).split()) or repr(name)


def named(name: str, lines: Sequence[str], style: str = "") -> list[Line]:
    """Lines of which the first has the name beside it."""
    return [("" if i else name, line, style) for i, line in enumerate(lines)]


def print_lines(lines: Sequence[Line], console: Any, names: int) -> None:
    """Print lines on a rich console, beside their names, which take that many columns or more."""
    from rich.cells import cell_len
    from rich.table import Table
    from rich.text import Text

    grid = Table.grid(padding=(0, 2))
    grid.add_column(style="bold", no_wrap=True, min_width=names - 2)
    grid.add_column()
    width = console.width - max([names, *(cell_len(name) + 2 for name, _, _ in lines)])
    for name, line, style in lines:
        grid.add_row(name, Text(broken(line, width), style))
    console.print(grid)


def broken(line: str, width: int) -> str:
    """A line with breaks where it has characters that no spaces part; others are broken by the console."""
    return "\n".join(wrapped(line, width)) if re.search(WIDE, line) else line


def columns_of(text: str) -> int:
    """How many letters it is as wide as; a Chinese character is two."""
    return len(text) + len(re.findall(WIDE, text))


def console_on(file: IO[str], **options: Any) -> Any:
    """A rich console that shows text as it is: names come from data, and [red] or :cat: in one is no markup."""
    from rich.console import Console

    return Console(file=file, markup=False, emoji=False, highlight=False, **options)


def shown_in(width: int, show: Callable[[Any], None]) -> str:
    """What is put on a console of that width, as plain text."""
    buffer = io.StringIO()
    show(console_on(buffer, width=width, color_system=None, legacy_windows=False))
    return "\n".join(line.rstrip() for line in buffer.getvalue().splitlines())


def wrapped(paragraph: str, width: int) -> list[str]:
    """Lines of at most that many columns, broken at spaces and, as Chinese is written, between characters."""
    from rich.cells import cell_len

    lines, line = [], ""
    for piece in PIECES.findall(paragraph):
        if line and cell_len((line + piece).rstrip()) > width:
            lines.append(line.rstrip())
            line = ""
        line += piece if line else piece.lstrip()
    return [*lines, line.rstrip()]
