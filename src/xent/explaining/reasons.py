"""Why libraries differ on the rows at hand: a paragraph for each way of computing the loss."""

from typing import TYPE_CHECKING, Any

import numpy as np

from xent import information
from xent.formulas import conventions as formulas
from xent.report.figures import figure

if TYPE_CHECKING:
    from xent.explaining.conventions import Asked

__all__ = ["reasons"]


def reasons(asked: "Asked") -> tuple[str, ...]:
    """What each library does to these rows."""
    say = asked.say
    found = [say("conventions.why.xent")]
    dtype = str(asked.predictions.dtype)
    if asked.logits:
        mistake = "conventions.why.keras_binary_mistake" if asked.binary else "conventions.why.keras_mistake"
        found += [say("conventions.why.logits", dtype=dtype), say(mistake), say("conventions.why.scikit_learn.logits")]
        return tuple(found)
    if asked.off.any():
        row = int(np.argmax(asked.off != 0.0))
        total = figure(1.0 + float(asked.off[row]))
        found.append(say("conventions.why.xent.refuses", row=say("row", index=row), sum=total))
    found += [_scikit_learn(asked, dtype), _keras(asked)]
    if asked.binary:
        least = float(formulas.torch_binary_logits(np.ones(1), np.ones(1, np.int64))[0])
        found += [say("conventions.why.torch_binary"), say("conventions.why.torch_binary_mistake", least=figure(least))]
        return tuple(found)
    classes = asked.predictions.shape[1]
    least = float(formulas.torch_logits(np.eye(1, classes), np.zeros(1, np.int64))[0])
    found += [
        say("conventions.why.torch", dtype=dtype),
        say("conventions.why.torch_mistake", classes=classes, least=figure(least)),
    ]
    return tuple(found)


def _label_probability(asked: "Asked", p: Any) -> Any:
    if asked.binary:
        return np.where(asked.labels == 1, p, 1.0 - p)
    return p[np.arange(len(p)), asked.labels]


def _scikit_learn(asked: "Asked", dtype: str) -> str:
    eps = formulas.scikit_learn_epsilon(asked.predictions.dtype)
    p = _label_probability(asked, asked.predictions)
    return asked.say(
        "conventions.why.scikit_learn",
        eps=f"{eps:.2g}",
        dtype=dtype,
        most=figure(float(information.surprisal(eps))),
        clipped=_outside(p, eps),
        rows=len(p),
    )


def _keras(asked: "Asked") -> str:
    eps, p = formulas.KERAS_EPSILON, asked.predictions.astype(np.float64)
    shown = {"most": figure(float(information.surprisal(eps))), "rows": len(p)}
    if asked.binary:
        return asked.say("conventions.why.keras_binary", **shown, clipped=_outside(_label_probability(asked, p), eps))
    sums = p.sum(axis=1, keepdims=True)
    divided = int((np.abs(sums - 1.0) > np.finfo(np.float32).eps).sum())
    clipped = _outside(_label_probability(asked, p / sums), eps)
    return asked.say("conventions.why.keras", **shown, divided=divided, clipped=clipped)


def _outside(p: Any, eps: float) -> int:
    return int(((p < eps) | (p > 1.0 - eps)).sum())
