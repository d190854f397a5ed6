"""Numbers and tables of the pages, computed by the pages' own Python, and their pictures.

In a page, `0.247<!--= loss -->` is the value of `loss` after the Python blocks above it, with as many digits as are written.
What stands between `<!--[ tables.errors("loss") -->` and `<!--]-->` is the Markdown that the call gives. Pictures are drawn by
figures.py. So a page reads well as it is, on GitHub too, and yet no result in it is typed by hand:

    python docs/_ext/computed.py            # names each number, table and picture that is not what is computed; status 1
    python docs/_ext/computed.py --write    # puts them right

Sphinx computes all of them once more (conf.py), shows what was computed, and warns where a page says something else.
"""

import contextlib
import doctest
import io
import math
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

DOCS = Path(__file__).parents[1]
sys.path[:0] = [str(DOCS / "_ext"), str(DOCS.parent / "benchmarks")]

import figures  # noqa: E402
import tables  # noqa: E402

FENCED = re.compile(r"```python\n(?P<code>.*?)```|```.*?```", re.DOTALL)
NUMBER = re.compile(r"(?P<shown>∞|[−+]?\d[\d,]*(?:\.\d+)?(?:e-?\d+)?)<!--= (?P<expression>.*?) -->")
BLOCK = re.compile(r"<!--\[ (?P<expression>.*?) -->\n(?P<shown>.*?)<!--\]-->", re.DOTALL)
Complain = Callable[[str], None]


def pages() -> list[Path]:
    """Every page."""
    return sorted(DOCS.rglob("*.md"))


def compute(text: str, complain: Complain) -> str:
    """The page with what is computed in its place."""
    if "<!--= " not in text and "<!--[ " not in text:
        return text
    names: dict[str, Any] = {"math": math, "tables": tables}

    def number(found: re.Match[str]) -> str:
        value = written(float(eval(found["expression"], names)), found["shown"])
        if value != found["shown"]:
            complain(f"{found['shown']} is shown where {found['expression']} is {value}")
        return f"{value}<!--= {found['expression']} -->"

    def block(found: re.Match[str]) -> str:
        value = eval(found["expression"], names)
        if value != found["shown"]:
            complain(f"the block {found['expression']} is not what is computed")
        return f"<!--[ {found['expression']} -->\n{value}<!--]-->"

    done, wanted = [], NUMBER.search(text)  # only numbers are made of the page's own names
    for code, part in parts(text):
        if code is None:
            part = BLOCK.sub(block, NUMBER.sub(number, part))
        elif wanted:
            run(code, names)
        done.append(part)
    return "".join(done)


def parts(text: str) -> Iterator[tuple[str | None, str]]:
    """The page cut at its fenced blocks; of these also the code, which only Python's have."""
    end = 0
    for found in FENCED.finditer(text):
        yield None, text[end : found.start()]
        yield found["code"] or "", found[0]
        end = found.end()
    yield None, text[end:]


def run(code: str, names: dict[str, Any]) -> None:
    """A block's examples. What they print is compared by tests/test_examples.py, not here."""
    with contextlib.redirect_stdout(io.StringIO()):
        for example in doctest.DocTestParser().get_examples(code):
            with contextlib.suppress(Exception) if example.exc_msg else contextlib.nullcontext():
                exec(example.source, names)


def written(value: float, shown: str) -> str:
    """The value as the page writes numbers: as many digits after the point, thousands apart, − for minus."""
    if math.isinf(value):
        return "∞"
    digits = len(shown.partition("e")[0].partition(".")[2])
    text = f"{value:.{digits}e}" if "e" in shown else f"{value:,.{digits}f}"
    text = re.sub(r"e([-+])0*", lambda e: "e" + e[1].strip("+"), text)
    sign = "+" if shown[0] == "+" and value >= 0 else ""
    return sign + (f"−{text[1:]}" if text[0] == "-" else text)


def main() -> int:
    """Compare, or write."""
    write = "--write" in sys.argv[1:]
    complaints: list[str] = []
    for path in pages():
        text = path.read_text(encoding="utf-8")
        name = path.relative_to(DOCS.parent)
        found = compute(text, lambda said, name=name: complaints.append(f"{name}: {said}"))
        if write and found != text:
            path.write_text(found, encoding="utf-8")
    for path, picture in figures.pictures(DOCS).items():
        if not path.exists() or path.read_text(encoding="utf-8") != picture:
            complaints.append(f"{path.relative_to(DOCS.parent)}: not the picture that is drawn")
            if write:
                path.parent.mkdir(exist_ok=True)
                path.write_text(picture, encoding="utf-8")
    print(*complaints, sep="\n", end="\n" * bool(complaints))
    return 1 if complaints and not write else 0


if __name__ == "__main__":
    sys.exit(main())
