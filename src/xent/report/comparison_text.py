"""The comparison for a terminal: which model is better, by how much, how sure that is, and where."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from xent.report.lines import Line, columns_of, named, on_one_line, print_lines, shown_in
from xent.report.numbers import decimals, p_value
from xent.texts.catalogue import Sentence, counted, printable, said, sentence, speaker

if TYPE_CHECKING:
    from xent.report.comparison import Comparison, ModelLoss, PairDifference, SliceDifference

__all__ = ["print_comparison", "render", "rounded"]

MOST_SLICES = 4  # named for each side
MOST_PAIRS = 10
NAMES = 13  # columns that the names of the lines take


def rounded(count: int) -> str:
    """A whole number to three digits, as an estimate of it deserves: 12,400."""
    digits = max(0, len(str(count)) - 3)
    whole = round(count, -digits)
    return f"{whole:,}" if whole < 10**12 else f"{float(whole):.2g}"


def render(comparison: "Comparison", width: int = 120, lang: str = "en") -> str:
    """The comparison as plain text.

    Raises:
        OptionError: `lang` is none of the languages.
    """
    return shown_in(width, lambda console: print_comparison(comparison, console, lang))


def print_comparison(comparison: "Comparison", console: Any, lang: str = "en") -> None:
    """Print the comparison on a rich console, in colour where it has any."""
    print_lines(_lines(comparison, lang), console, NAMES)


def _lines(comparison: "Comparison", lang: str) -> list[Line]:
    say = speaker(lang)
    style = "green" if comparison.best else "yellow"
    lines = [(say("text.verdict"), said(comparison.verdict, lang), style)]
    lines += named(say("compare.loss"), _losses(comparison, lang))
    if len(comparison.pairs) == 1:
        lines += _of_pair(comparison.pairs[0], lang)
        shown = comparison.pairs[0]
    else:
        lines += named(say("compare.differences"), _pairs(comparison, lang))
        shown = _closest(comparison)
    where = _where(shown, comparison.unit, lang)
    if where and len(comparison.pairs) > 1:
        where.insert(0, say("compare.between", first=shown.first, second=shown.second))
    lines += named(say("text.where"), where)
    lines += named(say("compare.rows"), [_matched(comparison, lang)])
    lines += [(say("text.warning"), said(warning, lang), "yellow") for warning in comparison.warnings]
    return lines + named(say("read"), [said(note, lang) for note in comparison.notes], "dim")


def _losses(comparison: "Comparison", lang: str) -> list[str]:
    names = [printable(one.name) for one in comparison.losses]
    width = max(map(columns_of, names)) + 2
    losses = [_loss(one, comparison.unit, lang) for one in comparison.losses]
    return [name + " " * (width - columns_of(name)) + loss for name, loss in zip(names, losses, strict=True)]


def _loss(one: "ModelLoss", unit: str, lang: str) -> str:
    say = speaker(lang)
    if one.infinite:
        return say("compare.infinite", rows=counted("rows", one.infinite))
    loss = f"{decimals(one.loss)} {say(f'unit.{unit}')}"
    if one.interval is None:
        return loss
    return say("compare.with_interval", loss=loss, low=decimals(one.interval[0]), high=decimals(one.interval[1]))


def _of_pair(pair: "PairDifference", lang: str) -> list[Line]:
    """What the verdict leaves open."""
    say = speaker(lang)
    counts = {"wins_first": pair.wins_first, "wins_second": pair.wins_second, "ties": pair.ties}
    lines = [(say("compare.won"), say("compare.won.by", first=pair.first, second=pair.second, **counts), "")]
    if pair.winner is not None and pair.rows_needed is not None:
        needed = say("compare.needed.about", rows=rounded(pair.rows_needed))
        lines.append((say("compare.needed"), needed, ""))
    return lines


def _difference(pair: "PairDifference", comparison: "Comparison", lang: str) -> str:
    """One of several pairs."""
    say = speaker(lang)
    minus = f"{printable(pair.first)} − {printable(pair.second)} = "
    if pair.difference is None:
        return minus + say("compare.undefined")
    if math.isinf(pair.difference):
        return f"{minus}{said(decimals(pair.difference), lang)}"
    shown = minus + say("compare.per_row", difference=decimals(pair.difference), unit=say(f"unit.{comparison.unit}"))
    if pair.interval is not None:
        low, high = map(decimals, pair.interval)
        shown += say("compare.range", low=low, high=high, p=p_value(pair.adjusted_p_value))
    if pair.winner is None and pair.rows_needed is not None and pair.rows_needed > comparison.rows:
        shown += say("compare.would_settle", rows=rounded(pair.rows_needed))
    return shown


def _pairs(comparison: "Comparison", lang: str) -> list[str]:
    say = speaker(lang)
    pairs = sorted(comparison.pairs, key=lambda pair: comparison.best not in (pair.first, pair.second))
    lines = [_difference(pair, comparison, lang) for pair in pairs[:MOST_PAIRS]]
    more = say("compare.further", count=len(pairs) - MOST_PAIRS) if len(pairs) > MOST_PAIRS else ""
    return [*lines, say("compare.adjusted", more=more, pairs=len(pairs))]


def _closest(comparison: "Comparison") -> "PairDifference":
    """The two models of least loss."""
    least = {one.name for one in sorted(comparison.losses, key=lambda one: (one.loss, one.infinite))[:2]}
    return next(pair for pair in comparison.pairs if {pair.first, pair.second} == least)


def _where(pair: "PairDifference", unit: str, lang: str) -> list[str]:
    """Classes and groups with a winner, a line a model, and how many have none."""
    say = speaker(lang)
    lines = []
    for kind, slices in (("class", pair.by_class), ("group", pair.by_group)):
        if len(slices) < 2 or pair.difference == 0.0 == pair.standard_error:
            continue
        for model in (pair.first, pair.second):
            won = [one for one in slices if one.winner == model]
            if won:
                name = f"compare.better_in.{kind}" if len(won) == 1 else f"compare.better_in.{kind}.several"
                lines.append(say(name, model=model, slices=_spoken(won, unit)))
        undecided = sum(one.winner is None for one in slices)
        if undecided:
            lines.append(say(f"compare.not_decided.{kind}", count=undecided, of=len(slices)))
    return lines


def _spoken(won: "Sequence[SliceDifference]", unit: str) -> Sentence:
    """Those that matter most to the mean first."""
    shown = tuple(sentence("compare.slice", name=_named(one), by=_size(one.difference)) for one in won[:MOST_SLICES])
    more = sentence("compare.and_more", count=len(won) - MOST_SLICES) if len(won) > MOST_SLICES else ""
    last = won[:MOST_SLICES][-1].difference
    infinite = last is None or math.isinf(last)
    per_row = "" if infinite else sentence("compare.unit_per_row", unit=sentence(f"unit.{unit}"))
    return sentence("compare.slices", shown=shown, more=more, per_row=per_row)


def _named(one: "SliceDifference") -> str:
    """The name on one line; what xent calls a slice itself stays a sentence."""
    return one.name if isinstance(one.name, Sentence) else on_one_line(one.name)


def _size(difference: float | None) -> str:
    if difference is None or math.isinf(difference):
        return sentence("compare.infinity")
    return decimals(abs(difference))


def _matched(comparison: "Comparison", lang: str) -> str:
    say = speaker(lang)
    shown = say("compare.compared", rows=comparison.rows)
    if comparison.clusters is not None:
        shown += say(
            "compare.in_cluster" if comparison.clusters == 1 else "compare.in_clusters", count=comparison.clusters
        )
    left = tuple(
        sentence("compare.count_of", count=count, name=name)
        for count, name in zip(comparison.only_in, comparison.names, strict=True)
        if count
    )
    shown += say("compare.left_out", left=left) if left else ""
    methods = {pair.method for pair in comparison.pairs if pair.method}
    if "bootstrap-t" in methods:
        shown += say("compare.few.rows" if comparison.clusters is None else "compare.few.clusters")
    elif "cluster-robust t" in methods:
        shown += say("compare.robust")
    return shown
