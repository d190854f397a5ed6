"""A drawing as SVG text: what the figures are made of. Colours are classes, so that a page can be light or dark."""

from xml.sax.saxutils import escape

__all__ = ["Drawing", "broken", "length"]

# The palette is that of the reports (src/xent/report/style.css), its fonts too.
STYLE = """<style>
svg { --ink: #1d1b18; --soft: #5d5950; --line: #ddd8cc; --panel: #f3f0e9; --paper: #fbfaf7; --one: #4b6a7d; --two: #a33a0c; --three: #5f6b2d; }
@media (prefers-color-scheme: dark) {
svg { --ink: #ece8e0; --soft: #aaa499; --line: #3a3731; --panel: #211f1c; --paper: #161513; --one: #8fb4c9; --two: #f49a68; --three: #b5bf7d; } }
text { font: 13px system-ui, -apple-system, "Segoe UI", Roboto, "Liberation Sans", "PingFang SC", "Microsoft YaHei", "Noto Sans CJK SC", sans-serif; fill: var(--ink); }
.small { font-size: 12px; fill: var(--soft); } .bold { font-weight: 600; }
.line { stroke: var(--line); fill: none; } .axis { stroke: var(--soft); fill: none; }
.one { stroke: var(--one); fill: var(--one); } .two { stroke: var(--two); fill: var(--two); }
.three { stroke: var(--three); fill: var(--three); } .thick { stroke-width: 2.5; fill: none; }
.area { fill-opacity: 0.28; } .dashed { stroke-dasharray: 5 4; fill: none; } text.one, text.two, text.three { stroke: none; }
.block { fill: var(--panel); stroke: var(--line); } .marked { fill: var(--two); stroke: none; } text.on { fill: var(--paper); }
</style>
"""


def length(words: str, size: float = 13.0, bold: bool = False) -> float:
    """About how long the words are in pixels, in the widest of the fonts."""
    return size * sum(1.0 if letter > "\N{CJK RADICAL REPEAT}" else 0.66 if bold else 0.59 for letter in words)


def broken(words: str, room: float, size: float = 13.0, bold: bool = False) -> list[str]:
    """Words in lines that are no longer than the room, if no single word is."""
    lines: list[str] = []
    for word in words.split():
        longer = f"{lines[-1]} {word}" if lines else word
        if lines and length(longer, size, bold) <= room:
            lines[-1] = longer
        else:
            lines.append(word)
    return lines


class Drawing:
    """Marks in a box of pixels, drawn in the order in which they are added."""

    def __init__(self, width: float, height: float, title: str) -> None:
        self.size = width, height
        self.title = title
        self.marks: list[str] = []

    def line(self, points: list[tuple[float, float]], style: str) -> None:
        """Straight from point to point."""
        path = " ".join(f"{'L' if i else 'M'}{x:.1f} {y:.1f}" for i, (x, y) in enumerate(points))
        self.marks.append(f'<path d="{path}" class="{style}"/>')

    def box(self, x: float, y: float, width: float, height: float, style: str) -> None:
        """A rectangle by its upper left corner."""
        size = f'width="{width:.1f}" height="{height:.1f}"'
        self.marks.append(f'<rect x="{x:.1f}" y="{y:.1f}" {size} class="{style}"/>')

    def dot(self, x: float, y: float, style: str) -> None:
        """A point that is meant to be seen."""
        self.marks.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4.5" class="{style}"/>')

    def text(
        self, x: float, y: float, words: str, style: str = "", anchor: str = "start", turned: bool = False
    ) -> None:
        """Words whose baseline begins, ends or has its middle at a point; turned, they go upwards."""
        turn = f' transform="rotate(-90 {x:.1f} {y:.1f})"' if turned else ""
        self.marks.append(
            f'<text x="{x:.1f}" y="{y:.1f}" class="{style}" text-anchor="{anchor}"{turn}>{escape(words)}</text>'
        )

    def lines(self, x: float, y: float, words: str, room: float, style: str = "", anchor: str = "start") -> float:
        """Words in as many lines as the room takes; where the next line would stand."""
        size = 12.0 if "small" in style else 13.0
        for line in broken(words, room, size, "bold" in style):
            self.text(x, y, line, style, anchor)
            y += size + 4.0
        return y

    def svg(self) -> str:
        """The file."""
        width, height = self.size
        head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:g} {height:g}" width="{width:g}" role="img">\n'
        return f"{head}<title>{escape(self.title)}</title>\n{STYLE}" + "\n".join(self.marks) + "\n</svg>\n"
