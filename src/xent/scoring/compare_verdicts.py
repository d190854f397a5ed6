"""The comparison in words: one sentence that says which model is better, or what it would take to tell."""

import math
from collections.abc import Sequence

from xent.report.comparison import ModelLoss, PairDifference
from xent.report.comparison_text import rounded
from xent.report.numbers import decimals, p_value
from xent.texts.catalogue import Sentence, counted, sentence

__all__ = ["best_of", "verdict"]


def best_of(losses: Sequence[ModelLoss], pairs: Sequence[PairDifference]) -> str | None:
    """The model that wins every comparison it is in; None if there is none."""
    for one in losses:
        mine = [pair for pair in pairs if one.name in (pair.first, pair.second)]
        if all(pair.winner == one.name for pair in mine):
            return one.name
    return None


def verdict(losses: Sequence[ModelLoss], pairs: Sequence[PairDifference], unit: str, rows: int) -> Sentence:
    """One sentence that rests on the interval and the adjusted p-values."""
    spoken = sentence(f"unit.{unit}")
    return _of_two(pairs[0], spoken, rows) if len(pairs) == 1 else _of_many(losses, pairs, spoken, rows)


def _of_two(pair: PairDifference, unit: Sentence, rows: int) -> Sentence:
    if pair.ties == rows:
        infinite = counted("rows", pair.infinite_first)
        return sentence("compared.same.infinite", rows=infinite) if pair.infinite_first else sentence("compared.same")
    if pair.infinite_first or pair.infinite_second:
        return _infinite(pair, unit, rows)
    if pair.interval is None:
        return sentence("compared.single_row")
    if pair.winner is not None:
        return sentence("compared.better", name=pair.winner, less=_less(pair, unit))
    numbers = {
        "difference": decimals(pair.difference),
        "unit": unit,
        "low": decimals(pair.interval[0]),
        "high": decimals(pair.interval[1]),
        "p": p_value(pair.adjusted_p_value),
    }
    said = sentence("compared.open", first=pair.first, second=pair.second, **numbers)
    if pair.rows_needed is None or pair.rows_needed <= rows:  # the latter of few rows, or of many pairs
        return said
    return sentence("compared.open.needed", open=said, rows=rounded(pair.rows_needed))


def _less(pair: PairDifference, unit: Sentence) -> Sentence:
    """What the winner of a pair costs less."""
    if pair.difference is None or pair.interval is None or math.isinf(pair.difference):
        return sentence("compared.other_infinite")
    sign = 1.0 if pair.difference > 0.0 else -1.0
    low, high = (decimals(end) for end in sorted(sign * end for end in pair.interval))
    less = decimals(abs(pair.difference))
    return sentence("compared.less", less=less, unit=unit, low=low, high=high, p=p_value(pair.adjusted_p_value))


def _infinite(pair: PairDifference, unit: Sentence, rows: int) -> Sentence:
    """Counts, and the difference where there is one."""
    counts = {pair.first: pair.infinite_first, pair.second: pair.infinite_second}
    more, fewer = sorted(counts, key=lambda name: -counts[name])
    of_fewer = sentence("compared.in", count=counts[fewer]) if counts[fewer] else sentence("compared.in_none")
    zero = sentence(
        "compared.zero", more=more, rows=counted("rows", counts[more]), whole=rows, fewer=fewer, some=of_fewer
    )
    if pair.winner is not None:
        said = sentence("compared.zero.winner", zero=zero, winner=pair.winner, more=more)
    else:
        said = sentence("compared.zero.both", zero=zero)
    if pair.finite_difference is None:
        return said
    sign = pair.finite_difference if more == pair.first else -pair.finite_difference
    costs = "compared.costs.same" if not sign else "compared.costs.more" if sign > 0.0 else "compared.costs.less"
    of_more = sentence(costs, by=decimals(abs(sign)), unit=unit)
    finite = counted("rows", pair.finite_rows)
    return sentence("compared.finite", said=said, rows=finite, more=more, costs=of_more)


def _of_many(losses: Sequence[ModelLoss], pairs: Sequence[PairDifference], unit: Sentence, rows: int) -> Sentence:
    best = best_of(losses, pairs)
    if all(pair.ties == rows for pair in pairs):
        return sentence("compared.same.many")
    if best is not None:
        mine = [pair for pair in pairs if best in (pair.first, pair.second)]
        parts = tuple(sentence("compared.than", name=_other(pair, best), less=_less(pair, unit)) for pair in mine[:3])
        more = (sentence("compared.and_more", count=len(mine) - 3),) if len(mine) > 3 else ()
        return sentence("compared.best", best=best, than=_clauses((*parts, *more)))
    leader = min(losses, key=lambda one: (one.loss, one.infinite)).name
    equals = [_other(pair, leader) for pair in pairs if leader in (pair.first, pair.second) and pair.winner is None]
    worse = [one.name for one in losses if one.name != leader and one.name not in equals]
    said = sentence("compared.no_best", leader=leader, names=_listed(equals))
    return sentence("compared.no_best.but", no_best=said, names=_listed(worse)) if worse else said


def _clauses(parts: Sequence[Sentence]) -> Sentence:
    """With semicolons between them."""
    joined = parts[0]
    for part in parts[1:]:
        joined = sentence("clauses", first=joined, second=part)
    return joined


def _other(pair: PairDifference, name: str) -> str:
    return pair.second if pair.first == name else pair.first


def _listed(names: Sequence[str]) -> Sentence | str:
    shown = [*names[:5], *([sentence("more", count=len(names) - 5)] if len(names) > 5 else [])]
    return shown[0] if len(shown) == 1 else sentence("or", first=tuple(shown[:-1]), last=shown[-1])
