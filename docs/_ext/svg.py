"""A drawing as SVG text: what the figures are made of. Colours are classes, so that a page can be light or dark."""

from xml.sax.saxutils import escape

__all__ = ["Drawing"]

STYLE = """<style>
svg { --ink: #1f2328; --faint: #8a9099; --line: #d3d7dc; --one: #2f6fde; --two: #d2691e; --three: #2e8b57; }
@media (prefers-color-scheme: dark) {
svg { --ink: #e6e8eb; --faint: #98a0aa; --line: #3d434b; --one: #6ea2ff; --two: #f0a060; --three: #63c48e; } }
text { font: 13px system-ui, "Noto Sans CJK SC", "PingFang SC", "Microsoft YaHei", sans-serif; fill: var(--ink); }
.small { font-size: 12px; fill: var(--faint); } .bold { font-weight: 600; }
.line { stroke: var(--line); fill: none; } .axis { stroke: var(--faint); fill: none; }
.one { stroke: var(--one); fill: var(--one); } .two { stroke: var(--two); fill: var(--two); }
.three { stroke: var(--three); fill: var(--three); } .thick { stroke-width: 2.5; fill: none; }
.area { fill-opacity: 0.28; } .dashed { stroke-dasharray: 5 4; fill: none; } text.one, text.two, text.three { stroke: none; }
</style>
"""


class Drawing:
    """Marks in a box of pixels, drawn in the order in which they are added."""

    def __init__(self, width: int, height: int, title: str) -> None:
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

    def text(self, x: float, y: float, words: str, style: str = "", anchor: str = "start") -> None:
        """Words whose baseline begins, ends or has its middle at a point."""
        self.marks.append(
            f'<text x="{x:.1f}" y="{y:.1f}" class="{style}" text-anchor="{anchor}">{escape(words)}</text>'
        )

    def svg(self) -> str:
        """The file."""
        width, height = self.size
        head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" role="img">\n'
        return f"{head}<title>{escape(self.title)}</title>\n{STYLE}" + "\n".join(self.marks) + "\n</svg>\n"
