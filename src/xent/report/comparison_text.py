"""The comparison for a terminal: which model is better, by how much, how sure that is, and where."""

import io
import math
from typing import TYPE_CHECKING, Any

from xent.report.numbers import decimals, p_value

if TYPE_CHECKING:
    from xent.report.comparison import Comparison, ModelLoss, PairDifference, SliceDifference

__all__ = ["print_comparison", "render", "rounded"]

MOST_SLICES = 4  # named for each side
MOST_PAIRS = 10
NAMES = 13  # columns that the names of the lines take
Line = tuple[str, str, str]


def rounded(count: int) -> str:
    """A whole number to three digits, as an estimate of it deserves: 12,400."""
    digits = max(0, len(str(count)) - 3)
    whole = round(count, -digits)
    return f"{whole:,}" if whole < 10**12 else f"{float(whole):.2g}"


def render(comparison: "Comparison", width: int = 120) -> str:
    """The comparison as plain text."""
    from rich.console import Console

    buffer = io.StringIO()
    print_comparison(comparison, Console(file=buffer, width=width, color_system=None, legacy_windows=False))
    return "\n".join(line.rstrip() for line in buffer.getvalue().splitlines())


def print_comparison(comparison: "Comparison", console: Any) -> None:
    """Print the comparison on a rich console, in colour where it has any."""
    from rich.table import Table
    from rich.text import Text

    grid = Table.grid(padding=(0, 2))
    grid.add_column(style="bold", no_wrap=True, min_width=NAMES - 2)
    grid.add_column()
    for name, line, style in _lines(comparison):
        grid.add_row(name, Text(line, style))
    console.print(grid)


def _lines(comparison: "Comparison") -> list[Line]:
    style = "green" if comparison.best else "yellow"
    lines = [("verdict", comparison.verdict, style)]
    lines += _named("loss", _losses(comparison))
    if len(comparison.pairs) == 1:
        lines += _of_pair(comparison.pairs[0])
        shown = comparison.pairs[0]
    else:
        lines += _named("differences", _pairs(comparison))
        shown = _closest(comparison)
    where = _where(shown, comparison.unit)
    if where and len(comparison.pairs) > 1:
        where.insert(0, f"between the two that cost least, {shown.first} and {shown.second}:")
    lines += _named("where", where)
    lines += _named("rows", [_matched(comparison)])
    lines += [("warning", text, "yellow") for text in comparison.warnings]
    return lines + [(name, line, "dim") for name, line, _ in _named("read", list(comparison.notes))]


def _named(name: str, lines: list[str]) -> list[Line]:
    return [("" if i else name, line, "") for i, line in enumerate(lines)]


def _losses(comparison: "Comparison") -> list[str]:
    width = max(map(len, comparison.names))
    return [f"{one.name.ljust(width)}  {_loss(one, comparison.unit)}" for one in comparison.losses]


def _loss(one: "ModelLoss", unit: str) -> str:
    if one.infinite:
        return f"infinite  ({one.infinite:,} {'row' if one.infinite == 1 else 'rows'} of probability 0)"
    interval = (
        "" if one.interval is None else f"  (95% interval {decimals(one.interval[0])} – {decimals(one.interval[1])})"
    )
    return f"{decimals(one.loss)} {unit}{interval}"


def _of_pair(pair: "PairDifference") -> list[Line]:
    """What the verdict leaves open."""
    wins = f"{pair.first} in {pair.wins_first:,}, {pair.second} in {pair.wins_second:,}, equal in {pair.ties:,}"
    lines = [("rows won", wins, "")]
    if pair.winner is not None and pair.rows_needed is not None:
        needed = f"about {rounded(pair.rows_needed)} rows show a difference of this size 4 times in 5 (80 % power)"
        lines.append(("rows needed", needed, ""))
    return lines


def _difference(pair: "PairDifference", comparison: "Comparison") -> str:
    """One of several pairs."""
    if pair.difference is None or math.isinf(pair.difference):
        said = "undefined, both are infinite" if pair.difference is None else decimals(pair.difference)
        return f"{pair.first} − {pair.second} = {said}"
    said = f"{pair.first} − {pair.second} = {decimals(pair.difference)} {comparison.unit} per row"
    if pair.interval is not None:
        low, high = map(decimals, pair.interval)
        said += f"  ({low} to {high}, {p_value(pair.adjusted_p_value)})"
    if pair.winner is None and pair.rows_needed is not None and pair.rows_needed > comparison.rows:
        said += f"; about {rounded(pair.rows_needed)} rows would settle it"
    return said


def _pairs(comparison: "Comparison") -> list[str]:
    pairs = sorted(comparison.pairs, key=lambda pair: comparison.best not in (pair.first, pair.second))
    lines = [_difference(pair, comparison) for pair in pairs[:MOST_PAIRS]]
    more = f"{len(pairs) - MOST_PAIRS:,} further pairs are in the JSON; " if len(pairs) > MOST_PAIRS else ""
    return [*lines, f"({more}95% intervals; p-values adjusted for {len(pairs)} pairs by Holm's method)"]


def _closest(comparison: "Comparison") -> "PairDifference":
    """The two models of least loss."""
    least = {one.name for one in sorted(comparison.losses, key=lambda one: (one.loss, one.infinite))[:2]}
    return next(pair for pair in comparison.pairs if {pair.first, pair.second} == least)


def _where(pair: "PairDifference", unit: str) -> list[str]:
    """Classes and groups with a winner, a line a model, and how many have none."""
    lines = []
    for word, plural, slices in (("class", "classes", pair.by_class), ("group", "groups", pair.by_group)):
        if len(slices) < 2 or pair.difference == 0.0 == pair.standard_error:
            continue
        for model in (pair.first, pair.second):
            won = [one for one in slices if one.winner == model]
            if won:
                lines.append(f"{model} better in {_spoken(won, word if len(won) == 1 else plural, unit)}")
        undecided = sum(one.winner is None for one in slices)
        if undecided:
            lines.append(f"not decided in {undecided:,} of {len(slices):,} {plural}")
    return lines


def _spoken(won: "list[SliceDifference]", word: str, unit: str) -> str:
    """Those that matter most to the mean first."""
    shown = [f"{' '.join(str(one.name).split())} by {_size(one.difference)}" for one in won[:MOST_SLICES]]
    more = f" (and {len(won) - MOST_SLICES:,} more)" if len(won) > MOST_SLICES else ""
    return f"{word} {', '.join(shown)}{more}" + ("" if shown[-1].endswith("infinity") else f" {unit} per row")


def _size(difference: float | None) -> str:
    return "infinity" if difference is None or math.isinf(difference) else decimals(abs(difference))


def _matched(comparison: "Comparison") -> str:
    clusters = (
        "" if comparison.clusters is None else f" in {comparison.clusters:,} cluster{'s' * (comparison.clusters != 1)}"
    )
    methods = {pair.method for pair in comparison.pairs if pair.method}
    said = f"{comparison.rows:,} compared{clusters}"
    left = [f"{count:,} of {name}" for count, name in zip(comparison.only_in, comparison.names, strict=True) if count]
    said += f"; left out, because not in every model: {', '.join(left)}" if left else ""
    if "bootstrap-t" in methods:
        said += (
            f"; fewer than 200 {'rows' if comparison.clusters is None else 'clusters'}, so intervals are bootstrap-t"
        )
    elif "cluster-robust t" in methods:
        said += "; intervals are cluster-robust"
    return said
