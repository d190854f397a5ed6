"""The picture of the house, drawn from the import contract."""

import tomllib
from pathlib import Path

from svg import Drawing, broken

__all__ = ["house", "small_house"]

SAID = {
    "cli": "the command xent: parse, call one function, print",
    "commands": "score, check, compare, merge, recalibrate, explain …",
    "doctor": "what is wrong",
    "explaining": "step by step",
    "playground": "a page to try it on",
    "torch": "PyTorch's names",
    "keras": "Keras's names",
    "sklearn": "scikit-learn's names",
    "spark": "Spark's DataFrames",
    "losses": "softmax, sigmoid, linear: check, choose, apply",
    "scoring": "predictions → nats → exact sums → report",
    "report": "text, page, JSON",
    "sources": "files → batches",
    "engines": "where work is done",
    "information": "distributions",
    "gaussian": "Gaussians",
    "checks": "every question asked of inputs; the only place that refuses values",
    "autodiff": "the kernels as differentiable functions of NumPy, PyTorch and JAX arrays",
    "kernels": "raw arrays in, raw arrays out",
    "formulas": "every formula, once",
    "_arrays": "arrays of any library",
    "units": "nats and bits",
    "texts": "what is said, en and zh",
    "errors": "what xent raises",
    "version": "which xent this is",
}

PAGES = {  # which boxes a page of docs/explanation/house is about, where it is not the one of its name
    "command": ("cli", "commands"),
    "distributions": ("information", "gaussian"),
    "drop-ins": ("torch", "keras", "sklearn", "spark"),
    "leaves": ("errors", "version", "units", "_arrays"),
}


def house(pyproject: Path, narrow: bool) -> str:
    """The layers as the import contract has them, the upper ones resting on the lower; what each is said in it."""
    return _drawn(pyproject, 340.0 if narrow else 700.0, SAID)


def small_house(pyproject: Path, page: str) -> str:
    """The names of the layers alone, those marked that a page is about."""
    return _drawn(pyproject, 340.0, {}, PAGES.get(page, (page,)))


def _drawn(pyproject: Path, width: float, said: dict[str, str], marked: tuple[str, ...] = ()) -> str:
    rows = [row for floor in _floors(pyproject) for row in _rows(floor, 6 if width > 400 else 4)]
    boxes = [
        [(name, broken(said.get(name, ""), (width - 20.0) / len(row) - 8.0, 12.0)) for name in row] for row in rows
    ]
    tall = [24.0 + 16.0 * max(len(lines) for _, lines in row) for row in boxes]
    roof = 40.0 if said else 30.0
    ground = roof + 4 + sum(tall) + 6 * len(tall)
    d = Drawing(width, ground + 6, "The layers of xent, each importing only from those below")
    d.line([(10, roof), (width / 2, 8), (width - 10, roof)], "axis")
    y = roof + 4
    for row, height in zip(boxes, tall, strict=True):
        room = (width - 20.0) / len(row)
        for j, (name, lines) in enumerate(row):
            middle, on = 10 + room * (j + 0.5), " on" if name in marked else ""
            d.box(middle - room / 2 + 2, y, room - 4, height, "marked" if on else "block")
            d.text(middle, y + 17, name, f"bold{on}", "middle")
            for k, line in enumerate(lines):
                d.text(middle, y + 33 + 16 * k, line, "small", "middle")
        y += height + 6
    d.line([(4, ground), (width - 4, ground)], "axis")
    return d.svg()


def _floors(pyproject: Path) -> list[list[str]]:
    contract = tomllib.loads(pyproject.read_text(encoding="utf-8"))["tool"]["importlinter"]["contracts"][0]
    return [[name.strip().removeprefix("xent.") for name in floor.split("|")] for floor in contract["layers"]]


def _rows(floor: list[str], most: int) -> list[list[str]]:
    """A floor of more boxes than fit beside one another is drawn in two rows."""
    half = (len(floor) + 1) // 2
    return [floor] if len(floor) <= most else [floor[:half], floor[half:]]
