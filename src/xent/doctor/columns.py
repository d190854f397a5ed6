"""Columns that belong to other classes than their names or places say."""

import numpy as np
from numpy.typing import NDArray

from xent.doctor.findings import finding
from xent.doctor.labels import Matched
from xent.doctor.reordering import Reordering, in_words
from xent.doctor.table import CostTable
from xent.report.checkup import Finding
from xent.report.numbers import decimals
from xent.scoring.assignment import assignment
from xent.scoring.confusion_costs import Evidence, evidence, log_choices
from xent.texts.catalogue import sentence

__all__ = ["MOST_CLASSES", "misaligned_rows", "own_columns", "permuted_columns"]

Int64 = NDArray[np.int64]
MOST_CLASSES = 64  # the assignment takes classes³ steps


def own_columns(matched: Matched) -> Int64:
    """The column of costs of each label; −1 for a label that names no class."""
    order = np.array(_order(matched), np.int64)
    return np.where(matched.class_of >= 0, order[np.maximum(matched.class_of, 0)], -1)


def _order(matched: Matched) -> tuple[int, ...]:
    """The column of costs of each class; a single column of predictions has costs for both."""
    return matched.order if len(matched.order) > 1 else (0, 1)


def permuted_columns(
    table: CostTable, matched: Matched, names: tuple[str, ...], class_names: tuple[str, ...] | None
) -> list[Finding]:
    """Whether another way to match classes and columns would cost much less than theirs."""
    classes = len(matched.classes)
    if not table.complete or not 2 <= classes <= MOST_CLASSES or not table.rows.sum():
        return []
    own = own_columns(matched)
    best = _best(table, matched.class_of, own)
    of_column = {column: code for code, column in enumerate(_order(matched))}
    present = np.flatnonzero((own >= 0) & (table.rows > 0))
    wanted = _completed({int(matched.class_of[i]): of_column[int(best[i])] for i in present}, classes)
    judged = [(cycle, _judged(table, matched, own, best, cycle)) for cycle in _cycles(wanted)]
    moved = [(cycle, found) for cycle, found in judged if found.likely]
    if not moved:
        fine = sentence("fine.permuted_columns")
        return [finding("fine", "permuted-columns", fine)] if table.rows.sum() >= 30 else []
    now = float(table.of("sums", own).sum() / table.rows[own >= 0].sum())
    reordering = Reordering(
        # labels may be positions, whatever the columns are called
        classes=matched.classes if matched.warning is None else tuple(range(classes)),
        wanted={code: wanted[code] for cycle, _ in moved for code in cycle},
        cycles=tuple(cycle for cycle, _ in moved),
        present=frozenset(matched.class_of[present].tolist()),
        now=now,
        then=now - sum(found.now - found.then for _, found in moved),
        sure=any(found.sure for _, found in moved),
        columns=names,
        names=class_names if matched.warning is None else None,
        single=len(matched.order) == 1,
    )
    return [in_words(reordering)]


def _best(table: CostTable, class_of: Int64, own: Int64) -> Int64:
    """The column of each label in the cheapest match; that of its own where it makes no difference."""
    known = (table.rows > 0) & (own >= 0)
    codes, at = np.unique(class_of[known], return_inverse=True)
    costs = np.zeros((len(codes), table.columns))
    np.add.at(costs, at, table.tables["sums"][known])  # a class may be written in several ways
    np.add.at(costs, (at, own[known]), -1e-9)
    others = table.tables["sums"][(table.rows > 0) & (own < 0)]  # of labels that name no column
    if len(costs) + len(others) <= table.columns:
        costs = np.concatenate([costs, others])
    best = own.copy()
    best[known] = assignment(costs)[at]
    return best


def _completed(wanted: dict[int, int], classes: int) -> dict[int, int]:
    """A permutation of all classes: those without rows take what is left, their own where it is."""
    taken: set[int] = set()
    whole: dict[int, int] = {}
    for code, other in wanted.items():
        if other not in taken:
            whole[code] = other
            taken.add(other)
    left = [code for code in range(classes) if code not in taken]
    missing = [code for code in range(classes) if code not in whole]
    for code in [code for code in missing if code in left]:
        whole[code] = code
        left.remove(code)
    whole.update(zip([code for code in missing if code not in whole], left, strict=True))
    return whole


def _cycles(wanted: dict[int, int]) -> list[tuple[int, ...]]:
    """Classes that change places among themselves."""
    seen: set[int] = set()
    found = []
    for start in sorted(wanted):
        cycle, code = [], start
        while code not in seen:
            seen.add(code)
            cycle.append(code)
            code = wanted[code]
        if len(cycle) > 1:
            found.append(tuple(cycle))
    return found


def _judged(table: CostTable, matched: Matched, own: Int64, best: Int64, cycle: tuple[int, ...]) -> Evidence:
    inside = np.isin(matched.class_of, cycle) & (table.rows > 0)
    now, then = (np.where(inside, table.of("sums", columns), 0.0) for columns in (own, best))
    squares = np.where(inside, table.of("squares", own) + table.of("squares", best), 0.0)
    rows = int(table.rows[own >= 0].sum())
    choices = log_choices(len(matched.classes), len(cycle))
    local = evidence(now, then, squares, int(table.rows[inside].sum()), choices)
    whole = evidence(now, then, squares, rows, choices)
    every = bool((then[inside] < now[inside]).all())  # of the classes that move, each fits better
    return whole._replace(sure=local.sure and every, likely=local.likely and every)


SHIFTED = 0.9  # of what anyone's labels would cost: a neighbour's that fit no better are no sign of a shift


def misaligned_rows(table: CostTable, matched: Matched) -> list[Finding]:
    """Whether labels fit the predictions of the row before or after better than their own."""
    own = own_columns(matched)
    if not table.complete or table.rows.sum() < 30:
        return []
    now, squares, rows = table.of("sums", own), table.of("squares", own), float(table.rows[own >= 0].sum())
    others = _anyones(table, own, rows)
    for name in ("before", "after"):
        found = evidence(now, table.of(name, own), squares + table.of(f"{name}_squares", own), rows, 1.0)
        if found.sure and found.then < SHIFTED * others:
            losses = {"then": decimals(found.then), "now": decimals(found.now)}
            message = sentence(f"found.shifted_rows.{name}", **losses)
            return [finding("serious", "shifted-rows", message, sentence("change.join_by_id"))]
    return []


def _anyones(table: CostTable, own: Int64, rows: float) -> float:
    """What the predictions would cost with labels of other rows: by class its column's mean, by frequency."""
    means = table.tables["sums"].sum(axis=0) / max(rows, 1.0)
    return float(np.where(own >= 0, table.rows / max(rows, 1.0) * means[np.maximum(own, 0)], 0.0).sum())
