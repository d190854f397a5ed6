"""Entropy, cross-entropy and KL divergence of two distributions, and what they say of messages."""

from typing import Any, NamedTuple

import numpy as np

from xent import information
from xent.checks.distributions import SUM_TOLERANCE
from xent.errors import ShapeError
from xent.explaining.given import Floats, at_most, floats_of, listing, names_of, numbers, percent, refuse_outside
from xent.formulas.rows import weighted
from xent.report.explanation import Explanation
from xent.report.figures import figure
from xent.report.steps import Bars, Cell, Step, Table, Values
from xent.texts.catalogue import Say, sentence, speaker
from xent.units import unit_base

__all__ = ["explain_distributions"]

LOGITS = "If these are logits, explain them with logits= (--logits), or pass their softmax."


class Pair(NamedTuple):
    """P, maybe Q, and what their outcomes cost, in the unit asked for."""

    p: Floats
    q: Floats | None
    names: tuple[str, ...]
    shown: list[int]
    unit: str
    lang: str
    cost_p: Floats  # −log P
    cost_q: Floats  # −log Q; −log P where there is no Q

    @property
    def say(self) -> Say:
        """In its language."""
        return speaker(self.lang)

    @property
    def base(self) -> float | None:
        """Of the logarithm."""
        return unit_base(self.unit)

    @property
    def spoken_unit(self) -> str:
        """The unit's name."""
        return self.say(f"unit.{self.unit}")

    def table(self, header: tuple[str, ...], columns: tuple[Floats, ...], foot: tuple[Cell, ...] | None) -> Table:
        """A row for each outcome shown, and one for how many are not."""
        rows: list[tuple[Cell, ...]] = [(self.names[j], *(float(one[j]) for one in columns)) for j in self.shown]
        if len(self.shown) < len(self.p):
            rows.append((self.say("others", count=len(self.p) - len(self.shown)), *[None] * len(columns)))
        return Table((self.say("column.outcome"), *header), tuple(rows), (), foot)


def explain_distributions(p: Any, q: Any, names: Any, unit: str, lang: str) -> Explanation:
    """P alone, or P and Q.

    Raises:
        ProbabilityError: an entry is negative or NaN, or a distribution does not sum to 1.
        ShapeError: P and Q differ in outcomes, or there are more or fewer names.
    """
    pair = _read(p, q, names, unit, lang)
    say, entropy = pair.say, float(information.entropy(pair.p, base=pair.base))
    if pair.q is None:
        title = say("distributions.title.one", entropy=figure(entropy), unit=pair.spoken_unit)
        steps: tuple[Step, ...] = (_given(pair), _surprisal(pair), _entropy(pair, entropy), _reading(pair))
        return Explanation(title, entropy, unit, lang, steps)
    cross = float(information.cross_entropy(pair.p, pair.q, base=pair.base))
    divergence = float(information.kl_divergence(pair.p, pair.q, base=pair.base))
    title = say("distributions.title", cross=figure(cross), unit=pair.spoken_unit, entropy=figure(entropy),
                divergence=figure(divergence))  # fmt: skip
    steps = (_given(pair), _surprisal(pair), _entropy(pair, entropy), _cross(pair, cross),
             _divergence(pair, pair.q), _reading(pair), _log_loss(pair, cross))  # fmt: skip
    return Explanation(title, cross, unit, lang, steps)


def _read(p: Any, q: Any, names: Any, unit: str, lang: str) -> Pair:
    base = unit_base(unit)
    p = _probabilities("p", p)
    information.entropy(p)  # says what is wrong with it
    if q is not None:
        q = _probabilities("q", q)
        if q.size != p.size:
            raise ShapeError(
                f"p has {p.size} outcomes and q has {q.size}. Pass probabilities of the same outcomes, in one order."
            )
        information.cross_entropy(p, q)
    say = speaker(lang)
    cost_p = np.asarray(information.surprisal(p, base=base))
    cost_q = cost_p if q is None else np.asarray(information.surprisal(q, base=base))
    shown = at_most([], np.argsort(-(p if q is None else p + q), kind="stable").tolist())
    return Pair(p, q, names_of(names, p.size, say, "outcome"), shown, unit, lang, cost_p, cost_q)


def _probabilities(name: str, values: Any) -> Floats:
    found = numbers(name, values)
    refuse_outside(name, found, 0.0, 1.0 + SUM_TOLERANCE, "a probability, in [0, 1]", LOGITS)
    return found


def _given(pair: Pair) -> Step:
    say, one = pair.say, "" if pair.q is not None else ".one"
    series = [("P", pair.p)] + ([("Q", pair.q)] if pair.q is not None else [])
    chart = Bars(
        tuple(pair.names[j] for j in pair.shown),
        tuple((name, floats_of(values[pair.shown])) for name, values in series),
        sentence("distributions.chart.axis"),
    )
    values = {name.lower(): floats_of(found) for name, found in series}
    title, text = say(f"distributions.given.title{one}"), say(f"distributions.given.text{one}")
    return Step("distributions", title, (text,), values, None, chart)


def _surprisal(pair: Pair) -> Step:
    say = pair.say
    header, columns = [say("distributions.column.surprisal_p")], [pair.cost_p]
    values = {"surprisal_p": floats_of(pair.cost_p)}
    if pair.q is not None:
        header.append(say("distributions.column.surprisal_q"))
        columns.append(pair.cost_q)
        values["surprisal_q"] = floats_of(pair.cost_q)
    text = say("distributions.surprisal.text" if pair.q is not None else "distributions.surprisal.text.one")
    table = pair.table(tuple(header), tuple(columns), None)
    return Step("surprisal", say("distributions.surprisal.title"), (text,), values, table)


def _entropy(pair: Pair, entropy: float) -> Step:
    say = pair.say
    terms = weighted(pair.p, pair.cost_p)
    uniform = float(information.surprisal(1.0 / pair.p.size, base=pair.base))
    text = [say("distributions.entropy.text", entropy_p=figure(entropy), unit=pair.spoken_unit,
                outcomes=pair.p.size, uniform=figure(uniform))]  # fmt: skip
    values: dict[str, Any] = {"terms": floats_of(terms), "entropy_p": entropy}
    if pair.q is not None:
        values["entropy_q"] = float(information.entropy(pair.q, base=pair.base))
        text.append(say("distributions.entropy.other", entropy_q=figure(values["entropy_q"]), unit=pair.spoken_unit))
    header = ("P", say("distributions.column.surprisal_p"), say("distributions.column.term_p"))
    table = pair.table(header, (pair.p, pair.cost_p, terms), (say("sum"), None, None, entropy))
    return Step("entropy", say("distributions.entropy.title"), tuple(text), values, table)


def _cross(pair: Pair, cross: float) -> Step:
    say = pair.say
    terms = weighted(pair.p, pair.cost_q)
    free = [name for name, p in zip(pair.names, pair.p, strict=True) if p == 0.0]
    if np.isinf(cross):
        impossible = np.flatnonzero((pair.p > 0.0) & np.isinf(pair.cost_q)).tolist()
        named = listing([pair.names[j] for j in impossible], pair.lang)
        text = [say("distributions.cross.text.infinite"), say("distributions.infinite", names=named)]
    else:
        most = int(np.argmax(terms))
        share = percent(float(terms[most]) / cross) if cross else "0"
        text = [say("distributions.cross.text", cross=figure(cross), unit=pair.spoken_unit,
                    largest=pair.names[most], share=share)]  # fmt: skip
    if free:
        text.append(say("distributions.free", names=listing(free, pair.lang)))
    header = ("P", say("distributions.column.surprisal_q"), say("distributions.column.term_q"))
    table = pair.table(header, (pair.p, pair.cost_q, terms), (say("sum"), None, None, cross))
    values: Values = {"terms": floats_of(terms), "cross_entropy": cross}
    return Step("cross_entropy", say("distributions.cross.title"), tuple(text), values, table)


def _divergence(pair: Pair, q: Floats) -> Step:
    say, p, base = pair.say, pair.p, pair.base
    found = {
        "entropy": (information.entropy(p, base=base), information.entropy(q, base=base)),
        "kl": (information.kl_divergence(p, q, base=base), information.kl_divergence(q, p, base=base)),
        "cross": (information.cross_entropy(p, q, base=base), information.cross_entropy(q, p, base=base)),
    }
    js = float(information.js_divergence(p, q, base=base))
    text = [say("distributions.kl.text")]
    if not np.array_equal(p, q):
        with np.errstate(invalid="ignore"):  # ∞ − ∞ where both are 0, which then is not counted
            forth = np.nan_to_num(weighted(p, pair.cost_q) - weighted(p, pair.cost_p), nan=-1.0, posinf=np.inf)
            back = np.nan_to_num(weighted(q, pair.cost_p) - weighted(q, pair.cost_q), nan=-1.0, posinf=np.inf)
        first, second = pair.names[int(np.argmax(forth))], pair.names[int(np.argmax(back))]
        text.append(
            say("distributions.kl.asymmetric", first=first, second=second, js=figure(js), unit=pair.spoken_unit)
        )
    rows: list[tuple[Cell, ...]] = [
        (say(f"distributions.quantity.{name}"), *floats_of(both)) for name, both in found.items()
    ]
    header = tuple(say(f"distributions.column.{name}") for name in ("quantity", "forth", "back"))
    values: dict[str, Any] = {name: floats_of(both) for name, both in found.items()}
    return Step(
        "kl", say("distributions.kl.title"), tuple(text), {**values, "js": js}, Table(header, tuple(rows), (2,))
    )


def _reading(pair: Pair) -> Step:
    say = pair.say
    words = np.asarray(information.surprisal(pair.p, base=2))
    entropy = float(information.entropy(pair.p, base=2))
    often, code_p = say("distributions.column.often"), say("distributions.column.word_p")
    values: dict[str, Any] = {"entropy_bits": entropy}
    if pair.q is None:
        text = say("distributions.reading.text.one", entropy=figure(entropy))
        table = pair.table((often, code_p), (pair.p, words), (say("mean"), None, entropy))
        return Step("reading", say("distributions.reading.title"), (text,), values, table)
    cross = float(information.cross_entropy(pair.p, pair.q, base=2))
    waste = float(information.kl_divergence(pair.p, pair.q, base=2))
    values |= {"cross_entropy_bits": cross, "waste_bits": waste}
    ending = ".infinite" if np.isinf(cross) else ""
    text = say(f"distributions.reading.text{ending}", entropy=figure(entropy), cross=figure(cross), waste=figure(waste))
    others = np.asarray(information.surprisal(pair.q, base=2))
    table = pair.table(
        (often, code_p, say("distributions.column.word_q")),
        (pair.p, words, others),
        (say("mean"), None, entropy, cross),
    )
    return Step("reading", say("distributions.reading.title"), (text,), values, table)


def _log_loss(pair: Pair, cross: float) -> Step:
    say, top = pair.say, int(np.argmax(pair.p))
    text = say("distributions.log_loss.text")
    if pair.p[top] == 1.0:
        text = say("distributions.log_loss.here", label=pair.names[top], cross=figure(cross), unit=pair.spoken_unit)
    return Step("log_loss", say("distributions.log_loss.title"), (text,), {"cross_entropy": cross})
