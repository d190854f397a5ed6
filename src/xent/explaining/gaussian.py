"""Mean squared error as the cross-entropy of Gaussians."""

import math
from typing import Any, NamedTuple

import numpy as np

from xent import gaussian
from xent.errors import OptionError, ShapeError
from xent.explaining.given import Floats, at_most, floats_of, numbers, refuse_outside, spoken
from xent.report.explanation import Explanation
from xent.report.figures import figure, signed
from xent.report.steps import Cell, Curve, Step, Table, Values
from xent.texts.catalogue import Say, sentence, speaker
from xent.units import unit_base

__all__ = ["explain_gaussian"]

REACH = 1.2  # of the curve, beyond the largest error
HALF = 60  # points of it, to each side
MOST = float(np.finfo(np.float64).max)


class Errors(NamedTuple):
    """Values, what was predicted, and how far off that is."""

    true: Floats
    predicted: Floats
    std: float
    mse: float
    unit: str
    say: Say

    def cost(self, square: Any, std: float | None = None) -> Any:
        """What a squared error costs, in the unit."""
        return gaussian.from_mean_squared_error(square, std or self.std, base=unit_base(self.unit))

    @property
    def constant(self) -> float:
        """What an exact prediction costs."""
        return float(self.cost(0.0))

    @property
    def factor(self) -> float:
        """What a squared error of 1 costs beyond that."""
        return float(self.cost(1.0)) - self.constant

    def table(self, header: tuple[str, ...], columns: tuple[Any, ...], foot: tuple[Cell, ...]) -> Table:
        """A row for each value shown, and one for how many are not."""
        worst = np.argsort(-np.abs(self.true - self.predicted), kind="stable").tolist()
        shown = at_most([], worst)
        rows: list[tuple[Cell, ...]] = [(str(i), *(column[i] for column in columns)) for i in shown]
        if len(shown) < len(self.true):
            rows.append((self.say("others", count=len(self.true) - len(shown)), *[None] * len(columns)))
        return Table((self.say("gaussian.column.value"), *header), tuple(rows), (), foot)


def explain_gaussian(true: Any, predicted: Any, std: Any, unit: str, lang: str) -> Explanation:
    """Values and predictions, each read as a Gaussian of standard deviation `std` around the prediction.

    Raises:
        ProbabilityError: a number is not finite, or `std` not above 0.
        ShapeError: there are not as many values as predictions.
    """
    unit_base(unit)
    y, guess = numbers("values", true), numbers("predictions", predicted)
    if y.size != guess.size:
        raise ShapeError(f"there are {y.size} values and {guess.size} predictions. Pass one prediction for each value.")
    for name, given_values in (("values", y), ("predictions", guess)):
        refuse_outside(name, given_values, -MOST, MOST, "finite", "Put a finite number in its place, or leave it out.")
    if np.size(std) != 1 or isinstance(std, str):
        raise OptionError(f"std is {std!r}, but must be one number above 0: the spread that every prediction claims.")
    with np.errstate(invalid="ignore", over="ignore"):  # refused below
        mse = float(np.mean((y - guess) ** 2))
    given = Errors(y, guess, float(std), mse, unit, speaker(lang))
    loss, say = float(given.cost(mse)), given.say
    title = say("gaussian.title", mse=figure(mse), loss=figure(loss), unit=say(f"unit.{unit}"), std=spoken(given.std))
    return Explanation(
        title, loss, unit, lang, (_errors(given), _costs(given, loss), _loss(given, loss), _spread(given, loss))
    )


def _errors(given: Errors) -> Step:
    say, error = given.say, given.true - given.predicted
    header = tuple(say(f"gaussian.column.{name}") for name in ("true", "predicted", "error", "square"))
    columns = (given.true.tolist(), given.predicted.tolist(), list(map(signed, error.tolist())), (error**2).tolist())
    table = given.table(header, columns, (say("mean"), None, None, None, given.mse))
    text = say("gaussian.errors.text", mse=figure(given.mse), root=figure(math.sqrt(given.mse)))
    values: Values = {"squares": floats_of(error**2), "mse": given.mse}
    return Step("errors", say("gaussian.errors.title"), (text,), values, table)


def _costs(given: Errors, loss: float) -> Step:
    say, square = given.say, (given.true - given.predicted) ** 2
    costs = np.asarray(given.cost(square))
    unit, factor = say(f"unit.{given.unit}"), figure(given.factor)
    text = say("gaussian.costs.text", std=spoken(given.std), factor=factor, unit=unit)
    header = (
        say("gaussian.column.constant"),
        say("gaussian.column.scaled", factor=factor),
        say("gaussian.column.cost"),
    )
    columns = ([given.constant] * len(costs), (given.factor * square).tolist(), costs.tolist())
    foot = (say("mean"), given.constant, given.factor * given.mse, loss)
    values: Values = {"costs": floats_of(costs), "constant": given.constant, "factor": given.factor}
    table = given.table(header, columns, foot)
    return Step("costs", say("gaussian.costs.title"), (text,), values, table, _curve(given, costs))


def _curve(given: Errors, costs: Floats) -> Curve:
    error = given.true - given.predicted
    far = REACH * max(float(np.abs(error).max()), given.std)
    x = np.arange(-HALF, HALF + 1) / HALF * far
    points = tuple(zip(floats_of(error), floats_of(costs), strict=True))
    axes = sentence("gaussian.chart.x"), sentence("gaussian.chart.y", unit=sentence(f"unit.{given.unit}"))
    return Curve(floats_of(x), floats_of(given.cost(x**2)), points, *axes)


def _loss(given: Errors, loss: float) -> Step:
    say = given.say
    found = {"loss": loss, "constant": given.constant, "factor": given.factor, "mse": given.mse}
    text = say("gaussian.loss.text", unit=say(f"unit.{given.unit}"), **{k: figure(v) for k, v in found.items()})
    values = {"cross_entropy": loss}
    return Step("loss", say("gaussian.loss.title"), (text, say("gaussian.loss.density")), values)


def _spread(given: Errors, loss: float) -> Step:
    """H(P, Q) = H(P) + KL(P‖Q), P being as wide as the errors are."""
    say, base, title = given.say, unit_base(given.unit), given.say("gaussian.spread.title")
    root = math.sqrt(given.mse)
    if root == 0.0:
        return Step("spread", title, (say("gaussian.spread.exact"),), {})
    entropy = float(gaussian.entropy(root, base=base))
    divergence = float(gaussian.kl_divergence(0.0, root, 0.0, given.std, base=base))
    unit = say(f"unit.{given.unit}")
    said = {"root": figure(root), "std": spoken(given.std)}
    text = say("gaussian.spread.text", loss=figure(loss), entropy=figure(entropy), divergence=figure(divergence),
               unit=unit, **said)  # fmt: skip
    rows = tuple(
        (say(f"gaussian.quantity.{name}", **said), value)
        for name, value in (("entropy", entropy), ("kl", divergence), ("cross", loss))
    )
    table = Table((say("gaussian.column.quantity"), say("gaussian.column.amount", unit=unit)), rows, (2,))
    return Step("spread", title, (text,), {"entropy": entropy, "kl": divergence}, table)
