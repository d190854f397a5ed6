"""Predictions recalibrated: logits / temperature + offsets, whatever kind they are of."""

from collections.abc import Sequence
from typing import Any, Protocol

from xent._arrays import Array, constant, floats, is_true_or_traced, namespace_of
from xent.errors import ProbabilityError, ShapeError

__all__ = ["Scored", "recalibrated"]


class _Cure(Protocol):
    """What is asked of a cure."""

    @property
    def temperature(self) -> float:
        """Of the logits; inf makes all classes alike but for the offsets."""

    @property
    def offsets(self) -> tuple[float, ...]:
        """(classes,), nats."""


class Scored(Protocol):
    """What is asked of a report."""

    @property
    def classes(self) -> Sequence[Any]:
        """In the order of the predictions."""

    @property
    def kind(self) -> str:
        """Of the predictions."""

    @property
    def task(self) -> str:
        """Whether a row can have several labels."""

    @property
    def clip(self) -> float | None:
        """What probabilities were clipped to."""

    @property
    def normalize(self) -> bool:
        """Whether rows were divided by their sum."""

    @property
    def cure(self) -> _Cure | None:
        """What to do about them."""


def recalibrated(predictions: Any, scored: Scored) -> Array:
    """Predictions (rows, classes), or (rows,) for the second of two, of the same kind after the cure.

    Raises:
        ShapeError: not one column for each class.
        ProbabilityError: probabilities that are none.
    """
    kind, task, clip, cure, classes = scored.kind, scored.task, scored.clip, scored.cure, len(scored.classes)
    p = floats("predictions", predictions)
    column = p.ndim == 1 and classes == 2 and task != "multilabel"
    if not column and (p.ndim != 2 or p.shape[1] != classes):
        raise ShapeError(
            f"predictions has shape {tuple(p.shape)}, but must be (rows, {classes}): one column for each of the classes "
            "scored, in the report's order."
        )
    xp = namespace_of(p)
    divided = kind == "probabilities" and scored.normalize and not column
    most = float("inf") if divided else 1.0 + 1e-3
    if kind == "probabilities" and not is_true_or_traced(xp.all((p >= 0.0) & (p <= most))):
        raise ProbabilityError(
            "predictions has entries outside [0, 1], but probabilities were scored, so that probabilities are cured.\n"
            "Pass predictions of the kind that the report is of."
        )
    if cure is None:
        return p
    if task == "multilabel":
        return _of_odds(p, kind, clip, cure.temperature, _row(p, cure.offsets))
    if column:
        return _of_odds(p, kind, clip, cure.temperature, cure.offsets[1] - cure.offsets[0])
    if divided:
        p = p / xp.sum(p, axis=1, keepdims=True)
    return _of_rows(p, kind, clip, cure.temperature, _row(p, cure.offsets))


def _row(p: Array, offsets: tuple[float, ...]) -> Array:
    xp = namespace_of(p)
    return xp.asarray(offsets, dtype=p.dtype, device=getattr(p, "device", None))


def _of_rows(p: Array, kind: str, clip: float | None, temperature: float, offsets: Array) -> Array:
    xp = namespace_of(p)
    z = _log(xp.clip(p, clip, 1.0 - clip) if clip and kind == "probabilities" else p) if kind == "probabilities" else p
    w = z / temperature + offsets if temperature < float("inf") else xp.zeros_like(z) + offsets
    if kind == "logits":
        return w
    w = w - constant(xp.max(w, axis=1, keepdims=True))
    if kind == "log_probabilities":
        return w - xp.log(xp.sum(xp.exp(w), axis=1, keepdims=True))
    return xp.exp(w) / xp.sum(xp.exp(w), axis=1, keepdims=True)


def _of_odds(p: Array, kind: str, clip: float | None, temperature: float, offset: Any) -> Array:
    """Each number is of a question of its own, with two answers."""
    xp = namespace_of(p)
    if kind == "probabilities":
        p = xp.clip(p, clip, 1.0 - clip) if clip else p
        z = _log(p) - _log(1.0 - p)
    elif kind == "log_probabilities":
        z = p - _log(-xp.expm1(p))
    else:
        z = p
    w = z / temperature + offset if temperature < float("inf") else xp.zeros_like(z) + offset
    if kind == "logits":
        return w
    log_p = -xp.log1p(xp.exp(-xp.abs(w))) + xp.where(w < 0.0, w, xp.zeros_like(w))
    return log_p if kind == "log_probabilities" else xp.exp(log_p)


def _log(p: Array) -> Array:
    """log p, −inf for 0 without a warning."""
    xp = namespace_of(p)
    some = xp.where(p > 0.0, p, xp.ones_like(p))
    return xp.where(p > 0.0, xp.log(some), xp.full_like(p, -float("inf")))
