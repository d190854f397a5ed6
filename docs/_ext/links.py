"""Every link within the built pages leads somewhere: `python docs/_ext/links.py out/docs`. No network.

Links out of the pages are only counted.
"""

import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit


class Page(HTMLParser):
    """What a page points to, and what in it can be pointed at."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.links: list[str] = []
        self.anchors: set[str] = set()
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Collect."""
        found = dict(attrs)
        self.anchors |= {value for key in ("id", "name") if (value := found.get(key))}
        self.links += [value for key in ("href", "src") if (value := found.get(key))]


def broken(root: Path) -> tuple[list[str], int]:
    """Links that lead nowhere, as "page: link", and how many were followed."""
    pages = {path.resolve(): Page(path) for path in root.rglob("*.html")}
    faults, followed = [], 0
    for path, page in pages.items():
        for link in page.links:
            parts = urlsplit(link)
            if parts.scheme or parts.netloc:
                continue
            followed += 1
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            target = target / "index.html" if target.is_dir() else target
            anchor = "" if "=" in parts.fragment else unquote(parts.fragment)  # what the playground shows is no anchor
            if not target.exists() or (anchor and target in pages and anchor not in pages[target].anchors):
                faults.append(f"{path.relative_to(root.resolve())}: {link}")
    return faults, followed


def main() -> int:
    """Print what is broken."""
    faults, followed = broken(Path(sys.argv[1]))
    if not followed:
        faults = [f"{sys.argv[1]} has no pages with links"]
    print(*faults, sep="\n", end="\n" * bool(faults))
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
