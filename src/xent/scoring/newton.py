"""Class offsets, and offsets with a temperature: Newton's method on sums that merge.

Source:
    Cox, "Two further applications of a model for binary regression" (1958): intercept and slope of a recalibration.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from xent.kernels.ladder_numpy import moments_count
from xent.kernels.temper_numpy import UNTEMPERED
from xent.scoring import exact
from xent.scoring.curves import HIGHEST, LOWEST
from xent.scoring.plan import Plan
from xent.scoring.sums import Sums

__all__ = ["Cure", "Moments", "Problem", "fit_cures", "slope_and_curvature"]

Float64 = NDArray[np.float64]
PASSES = 20
LONGEST = 10.0  # step, in nats
FARTHEST = 2.0**12  # times the logits
ENOUGH = 1e-8  # nats that a further step would gain
EXPECTED = 5.0  # rows of a class that the predictions expect, for an offset of its own (Cochran 1954: χ² needs them)
SEEN = 15.0  # rows of it that are enough however few were expected: by chance there would hardly be so many
Found = tuple[float, Float64, Float64]  # value, slope and curvature
Moments = dict[int, int]  # exact sums, as in Sums.moments


class Cure(NamedTuple):
    """Logits become β·z + offsets."""

    beta: float
    offsets: Float64  # (classes,)


class Problem(NamedTuple):
    """What stays the same whatever the cure."""

    plan: Plan
    weight: float
    label_logit: float  # mean
    frequencies: Float64  # (classes,)
    told: bool  # whether labels name more than one class
    own: NDArray[
        np.bool_
    ]  # (classes,): those with an offset of their own; the rest share one, 0 where differences matter

    @classmethod
    def of(cls, plan: Plan, sums: Sums) -> "Problem":
        """Of sums without infinite losses."""
        classes = len(plan.classes)
        frequencies = np.array([sums.class_weight.get(code, 0) / sums.weight for code in range(classes)])
        several = plan.task == "multilabel"
        places = np.arange(classes) * moments_count(2) + 4 if several else 3 + np.arange(classes)
        expected = sums.rows * np.array([sums.moments.get(int(key), 0) / sums.weight for key in places])
        seen = sums.rows * frequencies
        if several:
            own = _enough(np.minimum(expected, sums.rows - expected), np.minimum(seen, sums.rows - seen))
            told = bool(np.any((frequencies > 0.0) & (frequencies < 1.0)))
        else:
            own = ~_pooled(expected, seen)
            told = bool(np.count_nonzero(frequencies) > 1)
        label_logit = (sums.grid.get(UNTEMPERED, 0) - sums.loss) / sums.weight
        return cls(plan, exact.to_float(sums.weight), label_logit, frequencies, told, own)

    @property
    def parameters(self) -> int:
        """How many offsets are free."""
        return int(self.own.sum())

    def free(self, kind: str) -> NDArray[np.bool_]:
        """(1 + classes,): whether a kind of cure changes β, and which offsets."""
        return np.concatenate([[kind != "class bias"], self.own & (kind != "temperature")])


def _enough(expected: Float64, seen: Float64) -> NDArray[np.bool_]:
    """Whether rows of a class are enough for an offset of its own."""
    return (seen > 0.0) & ((expected >= EXPECTED) | (seen >= SEEN))


def _pooled(expected: Float64, seen: Float64) -> NDArray[np.bool_]:
    """The classes that share an offset, which is 0, as only differences matter: the rare ones, and others until they are enough."""
    rarest_first = np.argsort(np.minimum(expected, seen), kind="stable")
    alone = _enough(expected, seen)[rarest_first]
    before = np.concatenate([[False], _enough(np.cumsum(expected[rarest_first]), np.cumsum(seen[rarest_first]))[:-1]])
    pooled = np.empty(len(expected), bool)
    pooled[rarest_first] = ~(alone & before)
    return pooled


def slope_and_curvature(problem: Problem, moments: Moments, cure: Cure) -> Found:
    """The mean loss less a constant, its slope (1 + classes,) and curvature (…, …) in β and the offsets."""
    classes = len(problem.plan.classes)
    several = problem.plan.task == "multilabel"
    each, size = (classes, 2) if several else (1, classes)
    count = moments_count(size)
    total = exact.from_number(problem.weight)
    means = np.array([moments.get(key, 0) / total for key in range(each * count)]).reshape(each, count)
    slope, curvature = np.zeros(1 + classes), np.zeros((1 + classes, 1 + classes))
    value = means[:, 0].sum() - cure.beta * problem.label_logit - cure.offsets @ problem.frequencies
    slope[0] = means[:, 1].sum() - problem.label_logit
    curvature[0, 0] = means[:, 2].sum()
    if several:
        p, along, spread = means[:, 4], means[:, 6], means[:, 7]
        curvature[1:, 1:] = np.diag(spread)
    else:
        p, along = means[0, 3 : 3 + classes], means[0, 3 + classes : 3 + 2 * classes]
        upper = np.zeros((classes, classes))
        upper[np.triu_indices(classes, 1)] = means[0, 3 + 2 * classes :]
        joint = upper + upper.T
        curvature[1:, 1:] = np.diag(joint.sum(axis=1)) - joint
    slope[1:] = p - problem.frequencies
    curvature[0, 1:] = curvature[1:, 0] = along
    return float(value), slope, curvature


def _step(found: Found, free: NDArray[np.bool_]) -> tuple[Float64, float]:
    """Newton's step in what is free (1 + classes,), and what it should gain."""
    _, slope, curvature = found
    chosen = np.flatnonzero(free)
    step = np.zeros(len(slope))
    if len(chosen):
        step[chosen] = -np.linalg.lstsq(curvature[np.ix_(chosen, chosen)], slope[chosen], rcond=1e-12)[0]
    return step, float(-0.5 * slope @ step)


class Fit(NamedTuple):
    """A cure, and what it gains in nats per row."""

    cure: Cure
    gain: float
    excess: Float64 | None = None  # (classes,): mean probability after it less frequency; None if it was not seen


def fit_cures(
    problem: Problem,
    at_null: Moments,
    start_beta: float,
    look: Callable[[Sequence[Cure]], list[Moments]] | None,
    farthest: float = FARTHEST,
) -> dict[str, Fit]:
    """The best offsets, temperature up to 1/farthest, and both; each look at the rows serves all of them.

    Without `look`, offsets are one Newton step from the predictions as they are, which is right where there is little
    to cure; the temperature is left to the curve.
    """
    null = Cure(1.0, np.zeros(len(problem.plan.classes)))
    known = slope_and_curvature(problem, at_null, null)
    if look is None:
        steps = {kind: _step(known, problem.free(kind)) for kind in ("class bias", "both")}
        return {kind: Fit(Cure(1.0 + float(step[0]), step[1:]), gain) for kind, (step, gain) in steps.items()}
    searches = [
        _Search(problem, "class bias", null, known),
        _Search(problem, "temperature", null, known, start_beta, farthest),
        _Search(problem, "both", null, known, start_beta, farthest),
    ]
    for _ in range(PASSES):
        open_ones = [search for search in searches if not search.done]
        if not open_ones:
            break
        for search, moments in zip(open_ones, look([search.tried for search in open_ones]), strict=True):
            search.told(slope_and_curvature(problem, moments, search.tried))
    found = {search.kind: Fit(search.best, known[0] - search.value, search.slope[1:]) for search in searches}
    if (alike := _alike(problem, known[0])) is not None and alike.gain > found["both"].gain:
        found["both"] = alike
    return found


def _alike(problem: Problem, null: float) -> Fit | None:
    """The same prediction for every row, the frequencies of the classes: where no multiple of the logits is any good."""
    f, own = problem.frequencies, problem.own
    several = problem.plan.task == "multilabel"
    rest = 0.0 if several else float(f[~own].mean()) if not own.all() else 1.0
    whole = 1.0 - f if several else np.full(len(f), rest)
    if not (f[own].all() and whole[own].all()):
        return None
    offsets = np.where(own, np.log(np.where(own, f, 1.0)) - np.log(np.where(own, whole, 1.0)), 0.0)
    value = np.log1p(np.exp(offsets)).sum() if several else np.log(np.exp(offsets).sum())
    return Fit(Cure(0.0, offsets), null - float(value - offsets @ f))


class _Search:
    """One minimisation: the best cure so far, and the one to try next."""

    def __init__(
        self, problem: Problem, kind: str, null: Cure, known: Found, start_beta: float = 1.0, farthest: float = HIGHEST
    ) -> None:
        self.problem, self.kind, self.farthest = problem, kind, farthest
        self.null, self.best, self.value, self.slope = known, null, known[0], known[1]
        self.step = np.zeros(len(known[1]))
        self.step[0] = start_beta - 1.0  # the best temperature alone is known: a first step without a forecast
        self.expected = np.inf
        self.done = False
        if start_beta == 1.0:
            self._forward(known)

    @property
    def tried(self) -> Cure:
        """The best cure and a step."""
        beta = min(max(LOWEST, self.best.beta + float(self.step[0])), self.farthest)
        return Cure(beta, self.best.offsets + self.step[1:])

    def told(self, found: Found) -> None:
        """What the tried cure costs: go on from there, or come half-way back."""
        if found[0] < self.value:
            self.best, self.value = self.tried, found[0]
            self._forward(found)
        elif self.expected == np.inf:
            self._forward(self.null)
        else:
            self.step *= 0.5
            self.expected *= 0.5
            self.done = self.expected < ENOUGH

    def _forward(self, found: Found) -> None:
        self.slope = found[1]
        free = self.problem.free(self.kind)
        step, self.expected = _step(found, free)
        if step[0] and self.best.beta == (LOWEST if step[0] < 0.0 else self.farthest):
            free[0] = False  # the best offsets there
            step, self.expected = _step(found, free)
        # β at most doubles, where that is more than LONGEST
        scale = max(1.0, self.best.beta / LONGEST)
        longest = float(max(abs(step[0]) / scale, np.abs(step[1:]).max(initial=0.0)))
        self.step = step * min(1.0, LONGEST / longest) if longest else step
        self.done = self.expected < ENOUGH
