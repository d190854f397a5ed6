"""From logits to the loss, one step at a time."""

from typing import Any, NamedTuple

import numpy as np

from xent import information
from xent.checks import predictions as checks
from xent.errors import ProbabilityError, ShapeError
from xent.explaining.given import (
    Floats,
    at_most,
    chance,
    floats_of,
    label_index,
    names_of,
    numbers,
    refuse_outside,
    spoken,
)
from xent.formulas import steps as arithmetic
from xent.formulas.rows import nats_of_classes
from xent.losses.softmax import row_statistics, softmax_cross_entropy
from xent.losses.value_and_grad import value_and_grad
from xent.report.explanation import Explanation
from xent.report.figures import figure, signed
from xent.report.steps import Bars, Cell, Step, Table
from xent.texts.catalogue import Say, sentence, speaker
from xent.units import from_nats, unit_base

__all__ = ["explain_logits"]

MOVE = 0.1
VISIBLE = 1e-6  # relative errors below this are those of float32 itself
LEAST = float(np.finfo(np.float64).smallest_subnormal)


class Row(NamedTuple):
    """A row of logits, with what the library says of it in float64."""

    logits: Floats
    label: int
    names: tuple[str, ...]
    nats: Floats  # (classes,) −log of each class's probability
    p: Floats
    shown: list[int]  # classes in the tables
    unit: str
    say: Say

    @property
    def loss(self) -> float:
        """Of the label."""
        return float(self.nats[self.label])

    @property
    def spoken_unit(self) -> str:
        """The unit's name."""
        return self.say(f"unit.{self.unit}")

    def of(self, nats: Any) -> Any:
        """In the unit asked for."""
        return from_nats(nats, unit_base(self.unit))

    def table(self, header: tuple[str, ...], columns: tuple[Any, ...], foot: tuple[Cell, ...] | None = None) -> Table:
        """A row for each class shown, and one for how many are not."""
        rows: list[tuple[Cell, ...]] = [
            (self.names[j], *(one if isinstance(one, str) else float(one) for one in (column[j] for column in columns)))
            for j in self.shown
        ]
        rest = len(self.logits) - len(self.shown)
        if rest:
            rows.append((self.say("others", count=rest), *[None] * len(columns)))
        return Table((self.say("column.class"), *header), tuple(rows), (self.shown.index(self.label),), foot)


def explain_logits(logits: Any, label: Any, names: Any, unit: str, lang: str) -> Explanation:
    """The softmax cross-entropy of one row of logits.

    Raises:
        ProbabilityError: a logit is NaN or infinite.
        ShapeError, OptionError: there are too few logits, or a name or label does not fit them.
    """
    row = _read(logits, label, names, unit, speaker(lang))
    say, bits = row.say, float(from_nats(row.loss, 2.0))
    money = {"nats": f"{figure(row.loss)} {say('unit.nats')}", "bits": f"{figure(bits)} {say('unit.bits')}"}
    other = "bits" if unit == "nats" else "nats"
    title = say("logits.title", loss=money[unit], other=money[other], label=row.names[row.label], p=chance(row.loss))
    steps = [_given(row), _exp(row), _softmax(row), _log(row), _loss(row, bits), _gradient(row)]
    if np.isfinite(row.loss):
        steps.append(_moves(row))
    rounding = _float32(row)
    if rounding is not None:
        steps.append(rounding)
    return Explanation(title, float(row.of(row.loss)), unit, lang, tuple(steps))


def _read(logits: Any, label: Any, names: Any, unit: str, say: Say) -> Row:
    z = numbers("logits", logits)
    if z.size < 2:
        raise ShapeError(f"logits has {z.size} number, but must have one for each of at least two classes.")
    real = np.where(z == -np.inf, 0.0, z)  # −∞ is legal, beside any finite logit
    refuse_outside(
        "logits", real, -checks.MOST, checks.MOST, f"-inf or within ±{checks.MOST:g}", "Check what made them."
    )
    if (z == -np.inf).all():
        raise ProbabilityError(
            "logits are all -inf: every class is impossible. Give at least one class a finite logit."
        )
    y = label_index(label, names, z.size)
    nats = np.asarray(nats_of_classes(z[None, :])[0])
    nats[y] = row_statistics(z[None, :], [y]).nll[0]
    p = np.asarray(arithmetic.probabilities(nats))
    shown = at_most([y], np.argsort(-p, kind="stable").tolist())
    return Row(z, y, names_of(names, z.size, say, "class"), nats, p, shown, unit, say)


def _given(row: Row) -> Step:
    say = row.say
    table = row.table((say("logits.column.logit"), ""), (row.logits, _mark(row)))
    text = (say("logits.given.text"),)
    return Step("logits", say("logits.given.title"), text, {"logits": floats_of(row.logits)}, table)


def _mark(row: Row) -> list[str]:
    return [f"← {row.say('label.mark')}" if j == row.label else "" for j in range(len(row.logits))]


def _exp(row: Row) -> Step:
    say, z = row.say, row.logits
    with np.errstate(over="ignore"):
        e = np.asarray(arithmetic.exponentials(z))
    total = float(e.sum())
    text = [say("logits.exp.text")]
    first, second = np.argsort(-z, kind="stable")[:2]
    gap = float(z[first] - z[second])
    if np.isfinite(gap) and gap > 0.0:
        ratio = float(arithmetic.probabilities(np.asarray(-gap))) if gap < 700.0 else np.inf
        named = {"first": row.names[first], "second": row.names[second]}
        text.append(say("logits.exp.here", **named, gap=spoken(round(gap, 6)), ratio=figure(ratio)))
    header, columns = [say("logits.column.logit"), say("logits.column.exp")], [z, e]
    foot: list[Cell] = [say("sum"), None, total]
    if not np.isfinite(total) or total == 0.0:
        text.append(say("logits.exp.overflow"))
        shifted = np.asarray(arithmetic.exponentials(z - z.max()))
        header.append(say("logits.column.shifted"))
        columns.append(shifted)
        foot.append(float(shifted.sum()))
    table = row.table(tuple(header), tuple(columns), tuple(foot))
    return Step("exp", say("logits.exp.title"), tuple(text), {"exp": floats_of(e), "sum": total}, table)


def _softmax(row: Row) -> Step:
    say, z = row.say, row.logits
    with np.errstate(all="ignore"):
        plain, moved = (np.asarray(arithmetic.plain_shares(one)) for one in (z, z + 1.0))
    shares = [figure(float(one)) if np.isfinite(one) else "–" for one in plain]
    why = say("logits.softmax.plain")
    if not np.isfinite(z).all():
        why += say("space") + say("logits.softmax.infinite")
    elif not np.isfinite(plain).all():
        why += say("space") + say("logits.softmax.zero")
    elif (plain < 0.0).any():
        worst = int(np.argmin(plain))
        why += say("space") + say("logits.softmax.negative", value=figure(float(plain[worst])), name=row.names[worst])
    else:
        before, after, p = (figure(float(one[row.label])) for one in (plain, moved, row.p))
        why += say("space") + say("logits.softmax.shift", label=row.names[row.label], before=before, after=after, p=p)
    table = row.table((say("logits.column.softmax"), say("logits.column.plain")), (row.p, shares))
    chart = Bars(
        tuple(row.names[j] for j in row.shown),
        ((say("logits.column.softmax"), floats_of(row.p[row.shown])),),
        sentence("logits.chart.axis"),
    )
    values = {"softmax": floats_of(row.p), "plain": floats_of(plain)}
    return Step("softmax", say("logits.softmax.title"), (say("logits.softmax.text"), why), values, table, chart)


def _log(row: Row) -> Step:
    say = row.say
    logs = 0.0 - np.asarray(row.of(row.nats))
    log = say(f"log.{row.unit}")
    table = row.table((say("logits.column.p"), say("logits.column.log", log=log)), (row.p, logs))
    return Step("log", say("logits.log.title"), (say("logits.log.text"),), {"log": floats_of(logs)}, table)


def _loss(row: Row, bits: float) -> Step:
    say = row.say
    p, nats = chance(row.loss), figure(row.loss)
    classes = len(row.logits)
    perplexity = float(arithmetic.probabilities(np.asarray(-row.loss))) if row.loss < 700.0 else np.inf
    uniform = float(information.surprisal(1.0 / classes, base=unit_base(row.unit)))
    meaning = say("logits.loss.meaning", perplexity=figure(perplexity), classes=classes, uniform=figure(uniform),
                  unit=row.spoken_unit)  # fmt: skip
    if not np.isfinite(row.loss):
        meaning = say("logits.loss.infinite")
    text = [say("logits.loss.text"), say("logits.loss.equal", p=p, nats=nats, bits=figure(bits)), meaning]
    if _underflows(row):
        text.append(say("logits.loss.underflow", least=figure(LEAST)))
    return Step(
        "loss", say("logits.loss.title"), tuple(text), {"nats": row.loss, "bits": bits, "perplexity": perplexity}
    )


def _underflows(row: Row) -> bool:
    """Whether the loss is above 0, but below what float64 can hold."""
    return row.loss == 0.0 and int(np.isfinite(row.logits).sum()) > 1


def _gradient(row: Row) -> Step:
    say = row.say
    _, gradients = value_and_grad(softmax_cross_entropy)(row.logits[None, :], [row.label])
    slope = np.asarray(row.of(gradients["logits"][0]))
    truth = ["1" if j == row.label else "0" for j in range(len(slope))]
    header = (say("logits.column.softmax"), say("logits.column.truth"), say(f"logits.column.slope.{row.unit}"))
    table = row.table(header, (row.p, truth, [signed(float(one)) for one in slope]))
    values = {"gradient": floats_of(slope)}
    text = [say("logits.gradient.text")]
    if row.unit == "bits":
        text.append(say("gradient.bits"))
    return Step("gradient", say("logits.gradient.title"), tuple(text), values, table)


def _moves(row: Row) -> Step:
    say, classes = row.say, len(row.logits)
    up, down = np.full(classes, np.nan), np.full(classes, np.nan)
    for j in row.shown:
        for sign, losses in ((1.0, up), (-1.0, down)):
            moved = row.logits.copy()
            moved[j] += sign * MOVE
            losses[j] = float(row.of(float(softmax_cross_entropy(moved[None, :], [row.label]))))
    changes = [[signed(float(one)) for one in losses - float(row.of(row.loss))] for losses in (up, down)]
    header = tuple(say(f"logits.column.{name}") for name in ("up", "change_up", "down", "change_down"))
    table = row.table(header, (up, changes[0], down, changes[1]))
    values = {"up": floats_of(up[row.shown]), "down": floats_of(down[row.shown])}
    text = say("logits.moves.text", unit=row.spoken_unit)
    return Step("moves", say("logits.moves.title"), (text,), values, table)


def _float32(row: Row) -> Step | None:
    """The usual formulas in float32 beside the exact value, where they differ."""
    say = row.say
    with np.errstate(over="ignore"):
        single = row.logits.astype(np.float32)
    if not np.isfinite(single[np.isfinite(row.logits)]).all():
        return None
    exact = float(softmax_cross_entropy(single.astype(np.float64)[None, :], [row.label]))
    kept = float(softmax_cross_entropy(single[None, :], [row.label]))
    with np.errstate(all="ignore"):
        naive = float(arithmetic.naive_softmax_loss(single, row.label))
        shifted = float(arithmetic.shifted_softmax_loss(single, row.label))
    if not np.isfinite(exact) or all(abs(one - exact) <= VISIBLE * exact for one in (naive, shifted)):
        return None
    nats = {"exact": exact, "xent": kept, "shifted": shifted, "naive": naive}
    ways = {name: float(row.of(value)) for name, value in nats.items()}
    below = say("logits.float32.below", least=figure(LEAST)) if _underflows(row) else None
    rows = tuple((say(f"logits.float32.{name}"), below if name == "exact" and below else value)
                 for name, value in ways.items())  # fmt: skip
    text = [say("logits.float32.text")]
    if shifted == 0.0:
        text.append(say("logits.float32.zero"))
    if kept == 0.0:
        text.append(say("logits.float32.ends", least=figure(float(np.finfo(np.float32).smallest_subnormal))))
    table = Table((say("logits.column.way"), say("logits.column.loss", unit=row.spoken_unit)), rows, (0, 1))
    return Step("float32", say("logits.float32.title"), tuple(text), ways, table)
