"""Labels and the probabilities given to them: one class of several, yes or no, several labels."""

import math
from typing import Any, NamedTuple

import numpy as np

from xent import information
from xent.checks.distributions import distributions
from xent.checks.losses import yes_or_no
from xent.errors import ShapeError
from xent.explaining.given import (
    Floats,
    at_most,
    chance,
    floats_of,
    label_index,
    names_of,
    numbers,
    percent,
    refuse_outside,
)
from xent.formulas import steps as arithmetic
from xent.formulas.conventions import KERAS_EPSILON, scikit_learn_epsilon
from xent.report.explanation import Explanation
from xent.report.figures import figure, signed
from xent.report.steps import Bars, Cell, Curve, Step, Table
from xent.scoring.outcomes import Place, target_outcomes
from xent.scoring.plan import Kind, Plan
from xent.texts.catalogue import Say, sentence, speaker
from xent.units import from_nats, unit_base

__all__ = ["explain_label", "explain_questions"]

CURVE = 100  # points of it
LOGITS = (
    "If it is a logit z, pass the probability of yes, 1 / (1 + exp(-z)), or explain one label y with logits=[0, z], label=y "
    "(--logits 0 z --label y)."
)


def explain_label(
    q: Any, label: Any, names: Any, unit: str, lang: str, *, kind: Kind = "probabilities", place: Place | None = None
) -> Explanation:
    """The log loss of one row: one class of several happened.

    Raises:
        ProbabilityError: the row is no distribution.
        ShapeError, OptionError: a name or the label does not fit it.
    """
    row, say = numbers("q", q), speaker(lang)
    if place is None:
        refuse_outside(
            "q", row, 0.0, 1.0, "a probability, in [0, 1]", "If these are logits, explain them with logits= (--logits)."
        )
        distributions(-1, q=row)  # says what is wrong with its sum
    y, called = label_index(label, names, row.size), names_of(names, row.size, say, "class")
    shown = at_most([y], np.argsort(-row, kind="stable").tolist())
    plan = Plan(tuple(range(row.size)), kind=kind)
    block, targets = np.repeat(row[None, :], len(shown), axis=0), np.eye(row.size)[shown]
    nats = target_outcomes(plan, block, targets, None, place or Place()).nats
    p, costs = np.asarray(arithmetic.probabilities(nats)), from_nats(nats, unit_base(unit))
    own = shown.index(y)
    loss, shown_names = float(costs[own]), [called[j] for j in shown]
    spoken = {"label": called[y], "p": chance(float(nats[own]))}
    money = {"loss": figure(loss), "unit": say(f"unit.{unit}")}
    log = say(f"log.{unit}")
    rest: list[tuple[Cell, ...]] = (
        [] if len(shown) == row.size else [(say("others", count=row.size - len(shown)), None)]
    )

    def table(heading: str, values: Floats) -> Table:
        rows = [(name, float(value)) for name, value in zip(shown_names, values, strict=True)]
        return Table((say("column.class"), heading), (*rows, *rest), (own,))

    best = int(np.argmax(p))
    given = [say("label.given.text", **spoken)]
    if best != own:
        given.append(say("label.given.best", best=shown_names[best], p=figure(float(p[best]))))
    chart = Bars(tuple(shown_names), (("p", floats_of(p)),), sentence("labels.chart.axis"))
    uniform = float(information.surprisal(1.0 / row.size, base=unit_base(unit)))
    bits = float(from_nats(float(nats[own]), 2.0))
    meaning = say("label.meaning.text", nats=figure(float(nats[own])), bits=figure(bits), classes=row.size,
                  uniform=figure(uniform), unit=money["unit"])  # fmt: skip
    steps = (
        Step("probabilities", say("label.given.title"), tuple(given), {"p": floats_of(p)},
             table(say("logits.column.p"), p), chart),
        Step("costs", say("label.costs.title"), (say("label.costs.text", log=log, **money),), {"costs": floats_of(costs)},
             table(say("label.column.cost", log=log), costs)),
        _meaning(say, say("label.meaning.title", **money), (meaning,), loss, {"nats": float(nats[own]), "bits": bits}),
        Step("log_loss", say("distributions.log_loss.title"),
             (say("distributions.log_loss.here", label=called[y], cross=figure(loss), unit=money["unit"]),),
             {"cross_entropy": loss}),
    )  # fmt: skip
    return Explanation(say("label.title", **money, **spoken), loss, unit, lang, steps)


class Questions(NamedTuple):
    """Yes-or-no questions, and what the answers cost."""

    y: Floats
    q: Floats
    yes: Floats  # nats: −log q
    no: Floats  # −log(1 − q)
    costs: Floats  # of what happened
    names: tuple[str, ...]
    shown: list[int]
    several: bool  # labels of one row; else rows of one label
    unit: str
    say: Say

    def table(self, header: tuple[str, ...], columns: tuple[Any, ...], foot: tuple[Cell, ...] | None = None) -> Table:
        """A row for each question shown, and one for how many are not."""
        rows: list[tuple[Cell, ...]] = [(self.names[i], *(column[i] for column in columns)) for i in self.shown]
        if len(self.shown) < len(self.y):
            rows.append((self.say("others", count=len(self.y) - len(self.shown)), *[None] * len(columns)))
        first = self.say("column.class" if self.several else "column.row")
        return Table((first, *header), tuple(rows), (), foot)

    def of(self, nats: Any) -> Any:
        """In the unit asked for."""
        return from_nats(nats, unit_base(self.unit))


def explain_questions(
    labels: Any,
    q: Any,
    names: Any,
    unit: str,
    lang: str,
    *,
    several: bool,
    kind: Kind = "probabilities",
    place: Place | None = None,
    answers: tuple[str, str] | None = None,
) -> Explanation:
    """Binary cross-entropy: rows of one yes-or-no label, or the `several` labels of one row.

    Args:
        answers: what no and yes are called, where they have names.

    Raises:
        ProbabilityError, LabelError: a probability or label is outside of [0, 1].
        ShapeError: there are not as many labels as probabilities, or names.
    """
    asked = _read(labels, q, names, unit, speaker(lang), several, kind, place)
    say, rows = asked.say, len(asked.y)
    total = math.fsum(asked.costs) if np.isfinite(asked.costs).all() else math.inf
    mean, loss = total / rows, total if several else total / rows
    money = {"loss": figure(float(asked.of(loss))), "unit": say(f"unit.{unit}")}
    one = ".one" if rows == 1 else ""
    title = (
        say(f"multilabel.title{one}", labels=rows, **money)
        if several
        else say(f"binary.title{one}", rows=rows, **money)
    )
    steps = (_given(asked, answers), _costs(asked, loss), _loss(asked, total), _what_it_means(asked, mean))
    return Explanation(title, float(asked.of(loss)), unit, lang, steps)


def _read(
    labels: Any, q: Any, names: Any, unit: str, say: Say, several: bool, kind: Kind, place: Place | None
) -> Questions:
    unit_base(unit)
    y, row = numbers("labels", labels), numbers("probabilities", q)
    if y.size != row.size:
        raise ShapeError(
            f"there are {y.size} labels and {row.size} probabilities. Pass one probability for each label."
        )
    yes_or_no(y)
    if place is None:
        refuse_outside("probabilities", row, 0.0, 1.0, "in [0, 1]", LOGITS)
    plan = Plan(tuple(range(y.size)), task="multilabel", kind=kind)
    yes, no, costs = (
        np.asarray(target_outcomes(plan, row[None, :], targets[None, :], None, place or Place()).terms)[0]
        for targets in (np.ones_like(y), np.zeros_like(y), y)
    )
    called = names_of(names, y.size, say, "class" if several else "row")
    shown = at_most([], np.argsort(-costs, kind="stable").tolist())
    probabilities = np.asarray(arithmetic.probabilities(yes))
    return Questions(y, probabilities, yes, no, costs, called, shown, several, unit, say)


def _given(asked: Questions, answers: tuple[str, str] | None) -> Step:
    say, hard = asked.say, (asked.y == 0.0) | (asked.y == 1.0)
    truth = [float(p) if known else None for p, known in zip(arithmetic.probabilities(asked.costs), hard, strict=True)]
    header = tuple(say(f"binary.column.{name}") for name in ("label", "q", "given"))
    columns = ([f"{y:g}" for y in asked.y], asked.q.tolist(), truth)
    text = [say("multilabel.given.text" if asked.several else "binary.given.text")]
    if answers is not None:
        text.append(say("binary.yes", no=answers[0], yes=answers[1]))
    values = {"y": floats_of(asked.y), "q": floats_of(asked.q)}
    return Step("given", say("binary.given.title"), tuple(text), values, asked.table(header, columns), _curve(asked))


def _curve(asked: Questions) -> Curve:
    p = np.arange(1, CURVE + 1) / CURVE
    y = np.asarray(information.surprisal(p, base=unit_base(asked.unit)))
    finite = asked.costs[np.isfinite(asked.costs)]
    points = zip(floats_of(arithmetic.probabilities(finite)), floats_of(asked.of(finite)), strict=True)
    unit = sentence(f"unit.{asked.unit}")
    y_axis = sentence("labels.chart.y", log=sentence(f"log.{asked.unit}"), unit=unit)
    return Curve(floats_of(p), floats_of(y), tuple(points), sentence("labels.chart.x"), y_axis)


def _costs(asked: Questions, loss: float) -> Step:
    say = asked.say
    lacking = np.asarray(arithmetic.probabilities(asked.no))
    slope = np.asarray(asked.of(np.where(asked.y == 1.0, -lacking, asked.q - asked.y)))
    yes, no, costs = (np.asarray(asked.of(nats)) for nats in (asked.yes, asked.no, asked.costs))
    log = say(f"log.{asked.unit}")
    header = (*(say(f"binary.column.{name}", log=log) for name in ("yes", "no", "cost")),
              say(f"binary.column.slope.{asked.unit}"))  # fmt: skip
    columns = (yes.tolist(), no.tolist(), costs.tolist(), [signed(float(one)) for one in slope])
    foot = None
    if len(asked.y) > 1:
        foot = (say("sum" if asked.several else "mean"), None, None, float(asked.of(loss)), None)
    text = [say("binary.costs.text"), say("binary.gradient")]
    if asked.unit == "bits":
        text.append(say("gradient.bits"))
    values = {"costs": floats_of(costs), "gradient": floats_of(slope)}
    return Step("costs", say("binary.costs.title"), tuple(text), values, asked.table(header, columns, foot))


def _loss(asked: Questions, total: float) -> Step:
    say, rows = asked.say, len(asked.y)
    values = {"sum": float(asked.of(total)), "mean": float(asked.of(total / rows)), "nats": total / rows,
              "bits": float(from_nats(total / rows, 2.0))}  # fmt: skip
    if asked.several:
        spoken = {name: figure(values[name]) for name in ("sum", "mean")}
        text = say("multilabel.loss.text", **spoken, labels=rows, unit=say(f"unit.{asked.unit}"))
        return Step("loss", say("multilabel.loss.title"), (text,), values)
    one = ".one" if rows == 1 else ""
    text = say(f"binary.loss.text{one}", rows=rows, nats=figure(values["nats"]), bits=figure(values["bits"]))
    return Step("loss", say(f"binary.loss.title{one}"), (text,), values)


def _what_it_means(asked: Questions, mean: float) -> Step:
    """The mean over rows, or over the labels of a row."""
    say, base, share = asked.say, unit_base(asked.unit), float(asked.y.mean())
    unit = say(f"unit.{asked.unit}")
    typical, coin = chance(mean), figure(float(information.surprisal(0.5, base=base)))
    values = {"typical": float(arithmetic.probabilities(np.asarray(mean)))}
    text = []
    if math.isfinite(mean):
        one = ".one" if len(asked.y) == 1 else ""
        text.append(say(f"binary.meaning.text{one}", typical=typical, coin=coin, unit=unit))
    if not asked.several and 0.0 < share < 1.0:
        values["baseline"] = float(information.entropy([1.0 - share, share], base=base))
        worse = "" if float(asked.of(mean)) < values["baseline"] else ".worse"
        text.append(
            say(f"binary.meaning.baseline{worse}", share=percent(share), baseline=figure(values["baseline"]), unit=unit)
        )
    title = say("label.meaning.title", loss=figure(float(asked.of(mean))), unit=unit)
    return _meaning(say, title, tuple(text), mean, values)


def _meaning(say: Say, title: str, text: tuple[str, ...], loss: float, values: dict[str, float]) -> Step:
    if math.isinf(loss):
        clipped = {"keras": KERAS_EPSILON, "scikit_learn": scikit_learn_epsilon(np.float64)}
        values |= {name: float(information.surprisal(p)) for name, p in clipped.items()}
        text = (
            say("label.zero", keras=figure(values["keras"]), sklearn=figure(values["scikit_learn"])),
            *(text if values.get("baseline") else ()),
        )
    return Step("meaning", title, text, values)
