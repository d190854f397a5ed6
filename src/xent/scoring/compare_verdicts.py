"""The comparison in words: one sentence that says which model is better, or what it would take to tell."""

import math
from collections.abc import Sequence

from xent.report.comparison import ModelLoss, PairDifference
from xent.report.comparison_text import rounded
from xent.report.numbers import decimals, p_value

__all__ = ["best_of", "verdict"]


def best_of(losses: Sequence[ModelLoss], pairs: Sequence[PairDifference]) -> str | None:
    """The model that wins every comparison it is in; None if there is none."""
    for one in losses:
        mine = [pair for pair in pairs if one.name in (pair.first, pair.second)]
        if all(pair.winner == one.name for pair in mine):
            return one.name
    return None


def verdict(losses: Sequence[ModelLoss], pairs: Sequence[PairDifference], unit: str, rows: int) -> str:
    """One sentence that rests on the interval and the adjusted p-values."""
    return _of_two(pairs[0], unit, rows) if len(pairs) == 1 else _of_many(losses, pairs, unit, rows)


def _of_two(pair: PairDifference, unit: str, rows: int) -> str:
    if pair.ties == rows:
        return "identical: every row costs both the same, the difference is exactly 0" + _both_infinite(pair)
    if pair.infinite_first or pair.infinite_second:
        return _infinite(pair, unit, rows)
    if pair.interval is None:
        return "no verdict: a single row or cluster cannot tell how far the difference is chance"
    if pair.winner is not None:
        return f"{pair.winner} is better: {_less(pair, unit)}"
    low, high = pair.interval
    difference = f"{pair.first} − {pair.second} is {decimals(pair.difference)} {unit} per row"
    said = f"no difference shown: {difference} ({decimals(low)} to {decimals(high)}), {p_value(pair.adjusted_p_value)}"
    if pair.rows_needed is None or pair.rows_needed <= rows:  # the latter of few rows, or of many pairs
        return said
    return f"{said}; about {rounded(pair.rows_needed)} rows would settle a difference of this size (80 % power)"


def _less(pair: PairDifference, unit: str) -> str:
    """What the winner of a pair costs less."""
    if pair.difference is None or pair.interval is None or math.isinf(pair.difference):
        return "the other's loss is infinite"
    sign = 1.0 if pair.difference > 0.0 else -1.0
    low, high = sorted(sign * end for end in pair.interval)
    return (
        f"{decimals(abs(pair.difference))} {unit} per row less ({decimals(low)} to {decimals(high)}), "
        f"{p_value(pair.adjusted_p_value)}"
    )


def _both_infinite(pair: PairDifference) -> str:
    return f" ({_rows(pair.infinite_first)} infinite for both)" if pair.infinite_first else ""


def _infinite(pair: PairDifference, unit: str, rows: int) -> str:
    """Counts, and the difference where there is one."""
    counts = {pair.first: pair.infinite_first, pair.second: pair.infinite_second}
    more, fewer = sorted(counts, key=lambda name: -counts[name])
    of_fewer = f"in {counts[fewer]:,}" if counts[fewer] else "in none"
    said = f"{more} gave probability 0 to what happened in {_rows(counts[more])} of {rows:,}, {fewer} {of_fewer}"
    if pair.winner is not None:
        said += f", so {pair.winner} is better, however well {more} does elsewhere"
    else:
        said += ": both losses are infinite, and their means say nothing"
    if pair.finite_difference is None:
        return said
    sign = pair.finite_difference if more == pair.first else -pair.finite_difference
    word = "the same" if not sign else f"{decimals(abs(sign))} {unit} {'more' if sign > 0.0 else 'less'}"
    return f"{said}; over the {_rows(pair.finite_rows)} where both are finite, {more} costs {word} on average"


def _of_many(losses: Sequence[ModelLoss], pairs: Sequence[PairDifference], unit: str, rows: int) -> str:
    best = best_of(losses, pairs)
    if all(pair.ties == rows for pair in pairs):
        return "identical: every row costs all of them the same, every difference is exactly 0"
    if best is not None:
        parts = [
            f"than {_other(pair, best)}: {_less(pair, unit)}" for pair in pairs if best in (pair.first, pair.second)
        ]
        return f"{best} is better {'; '.join(parts[:3])}" + (f"; and than {len(parts) - 3} more" * (len(parts) > 3))
    leader = min(losses, key=lambda one: (one.loss, one.infinite)).name
    equals = [_other(pair, leader) for pair in pairs if leader in (pair.first, pair.second) and pair.winner is None]
    worse = [one.name for one in losses if one.name != leader and one.name not in equals]
    said = f"no single best model: {leader} costs least, but is not shown to be better than {_listed(equals)}"
    return said + (f"; it is better than {_listed(worse)}" if worse else "")


def _other(pair: PairDifference, name: str) -> str:
    return pair.second if pair.first == name else pair.first


def _listed(names: Sequence[str]) -> str:
    shown = list(names[:5]) + ([f"{len(names) - 5} more"] if len(names) > 5 else [])
    return shown[0] if len(shown) == 1 else f"{', '.join(shown[:-1])} or {shown[-1]}"


def _rows(count: int) -> str:
    return "1 row" if count == 1 else f"{count:,} rows"
