"""What xent, scikit-learn, Keras and PyTorch compute for the same numbers, and why they differ."""

import math
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from xent import information
from xent.checks import predictions as checks
from xent.errors import LabelError, OptionError, ShapeError
from xent.explaining.given import Floats, at_most, floats_of, refuse_outside
from xent.explaining.libraries import CALLS, CHECKED, installed
from xent.explaining.reasons import reasons
from xent.formulas import conventions as formulas
from xent.report.explanation import Explanation
from xent.report.figures import figure
from xent.report.steps import Cell, Step, Table
from xent.scoring.inputs import as_array
from xent.scoring.judge import evaluate
from xent.scoring.plan import Kind
from xent.texts.catalogue import Say, speaker

__all__ = ["Asked", "compare_conventions"]

DTYPES = ("float64", "float32")
SAME = 5e-5  # relative: agreement to four digits


class Convention(NamedTuple):
    """One way of computing it."""

    name: str
    library: str | None  # None: xent's
    formula: str  # in `xent.formulas.conventions`, or "" for xent's own


class Asked(NamedTuple):
    """The rows to be scored, as the libraries take them."""

    predictions: NDArray[np.floating[Any]]  # (rows, classes), or (rows,) for the second of two
    labels: NDArray[np.int64]
    logits: bool
    off: Floats  # (rows,) what the sums of probabilities lack to 1; 0 for one column and for logits
    say: Say

    @property
    def binary(self) -> bool:
        """Whether there is one column."""
        return self.predictions.ndim == 1

    @property
    def conventions(self) -> list[Convention]:
        """Those that take such predictions, and the usual mistake with them."""
        own = [Convention("xent", None, "")]
        if self.logits:
            kind = "torch_binary_logits" if self.binary else "torch_logits"
            mistake = "keras_binary" if self.binary else "keras_probabilities"
            return [*own, Convention("keras_logits", "Keras", "keras_logits"), Convention(kind, "PyTorch", kind),
                    Convention("keras_mistake", "Keras", mistake)]  # fmt: skip
        if self.off.any():
            own += [Convention("xent_normalized", None, ""), Convention("as_given", None, "")]
        scikit_learn = Convention("scikit_learn", "scikit-learn", "scikit_learn")
        names = ("keras_binary", "torch_binary", "torch_binary_mistake", "torch_binary_logits")
        if not self.binary:
            names = ("keras_probabilities", "torch_nll", "torch_mistake", "torch_logits")
        keras, torch, mistake, formula = names
        return [*own, scikit_learn, Convention(keras, "Keras", keras), Convention(torch, "PyTorch", torch),
                Convention(mistake, "PyTorch", formula)]  # fmt: skip


def compare_conventions(
    labels: Any,
    predictions: Any,
    *,
    kind: str = "probabilities",
    dtype: str = "float64",
    libraries: bool = True,
    lang: str = "en",
) -> Explanation:
    """Show what xent, scikit-learn, Keras and PyTorch compute for the same rows, and why they differ.

    Args:
        labels: (rows,) positions of classes, from 0; or (rows, classes) with a single 1 in each row.
        predictions: (rows, classes), or (rows,) for the second of two classes.
        kind: "probabilities", which need not sum to 1 here, or "logits".
        dtype: "float64" or "float32", what the predictions are given to the libraries in.
        libraries: ask those that are installed; False computes all by formula. Keras is asked where it is imported, or
            the environment variable KERAS_BACKEND says what it is to run on.
        lang: "en" or "zh".

    Returns:
        The comparison, with the steps "values", "rows", "why" and "reductions".

    Raises:
        ProbabilityError: a probability is outside of [0, 1], or a logit not finite.
        LabelError, ShapeError, OptionError: labels, predictions and options that do not fit together.

    Source:
        `sklearn.metrics.log_loss`, `keras.losses` and `torch.nn` at the versions in `xent.explaining.libraries`.

    Example:
        >>> from xent import compare_conventions
        >>> found = compare_conventions([1, 2], [[0.05, 0.95, 0.05], [0.1, 0.8, 0.1]], libraries=False)
        >>> values = found.step("values").values
        >>> [round(values[name], 3) for name in ("as_given", "keras_probabilities", "torch_mistake")]
        [1.177, 1.201, 0.992]
    """
    asked = _asked(labels, predictions, kind, dtype, speaker(lang))
    say, rows = asked.say, len(asked.labels)
    each = {one.name: _row_losses(asked, one) for one in asked.conventions}
    means, versions = {}, {}
    for one in asked.conventions:
        version = installed(one.library) if libraries and one.library else None
        if one.library is None:
            means[one.name], versions[one.name] = _own(asked, one.name), say("conventions.own")
        elif version is not None:
            means[one.name] = CALLS[one.formula](asked.predictions, asked.labels)
            versions[one.name] = f"{one.library} {version}"
        else:
            means[one.name] = float(each[one.name].mean(dtype=each[one.name].dtype))
            versions[one.name] = say("conventions.by_formula", version=f"{one.library} {CHECKED[one.library]}")
    steps = [_values(asked, means, versions), _rows(asked, each)]
    why = reasons(asked)
    if libraries and installed("Keras") is None:
        why = (*why, say("conventions.why.keras_formula"))
    steps.append(Step("why", say("conventions.why.title"), why, {}))
    exact = means["xent_normalized"] if asked.off.any() else means["xent"]
    steps.append(_reductions(asked, exact))
    title = say("conventions.title" if rows > 1 else "conventions.title.one", rows=rows)
    return Explanation(title, exact, "nats", lang, tuple(steps))


def _asked(labels: Any, predictions: Any, kind: str, dtype: str, say: Say) -> Asked:
    if kind not in ("probabilities", "logits"):
        raise OptionError(f"kind is {kind!r}, but must be 'probabilities' or 'logits'.")
    if dtype not in DTYPES:
        raise OptionError(f"dtype is {dtype!r}, but must be one of {', '.join(map(repr, DTYPES))}.")
    block = as_array("predictions", predictions)
    if block.dtype.kind not in "fiu" or block.ndim not in (1, 2) or 0 in block.shape or block.shape[1:] == (1,):
        raise ShapeError(
            f"predictions has shape {block.shape}, but must be (rows, classes) of numbers, or (rows,) for two classes."
        )
    block = block.astype(dtype)
    if kind == "probabilities":
        step = 'Pass kind="logits" (--kind logits) if these are logits.'
        refuse_outside("predictions", block, 0.0, 1.0, "a probability, in [0, 1]", step)
    else:
        checks.refuse_entries(kind, block, checks.Place())
    off = np.zeros(len(block))
    if block.ndim == 2 and kind == "probabilities":
        off = block.sum(axis=1, dtype=np.float64) - 1.0
        checks.refuse_empty_rows(off + 1.0, checks.Place())
        off = np.where(np.abs(off) > checks.SUM_TOLERANCE, off, 0.0)
    return Asked(block, _codes(labels, block), kind == "logits", off, say)


def _codes(labels: Any, block: NDArray[Any]) -> NDArray[np.int64]:
    """Positions of classes, of labels that are these or one-hot."""
    array, classes = as_array("labels", labels), 2 if block.ndim == 1 else block.shape[1]
    if array.shape == block.shape and array.ndim == 2 and ((array == 0) | (array == 1)).all():
        if (array.sum(axis=1) != 1).any():
            raise LabelError(
                "a one-hot label must have a single 1 in each row. Pass positions of classes, or one-hot rows."
            )
        array = array.argmax(axis=1)
    if array.shape != (len(block),):
        raise ShapeError(
            f"labels has shape {array.shape} for {len(block)} rows of predictions. Pass a class for each row."
        )
    if (
        array.dtype.kind not in "fiub"
        or not ((array >= 0) & (array < classes) & (array == array.astype(np.int64))).all()
    ):
        raise LabelError(f"labels are {array.tolist()[:8]}, but must be whole numbers in [0, {classes}).")
    return array.astype(np.int64)


def _row_losses(asked: Asked, one: Convention) -> NDArray[np.floating[Any]]:
    """(rows,); NaN where a row is refused."""
    if one.formula:
        found: NDArray[np.floating[Any]] = getattr(formulas, one.formula)(asked.predictions, asked.labels)
        return found
    if one.name == "as_given":
        return np.asarray(information.surprisal(asked.predictions.astype(np.float64)))[
            np.arange(len(asked.labels)), asked.labels
        ]
    refused = (asked.off != 0.0) & (one.name == "xent")
    losses = np.full(len(asked.labels), np.nan)
    for row in np.flatnonzero(~refused):
        losses[row] = _evaluated(asked, slice(row, row + 1), one.name)
    return losses


def _evaluated(asked: Asked, rows: slice, name: str) -> float:
    classes = range(2 if asked.binary else asked.predictions.shape[1])
    kind: Kind = "logits" if asked.logits else "probabilities"
    report = evaluate(asked.labels[rows], asked.predictions[rows], classes=classes, kind=kind, brief=True,
                           normalize=name == "xent_normalized")  # fmt: skip
    return report.loss


def _own(asked: Asked, name: str) -> float:
    """The mean that xent gives; NaN where it refuses."""
    if name == "as_given":
        return float(_row_losses(asked, Convention(name, None, "")).mean())
    if name == "xent" and asked.off.any():
        return math.nan
    return _evaluated(asked, slice(None), name)


def _values(asked: Asked, means: dict[str, float], versions: dict[str, str]) -> Step:
    say = asked.say
    right = [value for name, value in means.items() if "mistake" not in name and not math.isnan(value)]
    least, most = min(right), max(right)
    same = least == most or (math.isfinite(most) and most - least <= SAME * most)
    spread = say(
        "conventions.values.same" if same else "conventions.values.differ", least=figure(least), most=figure(most)
    )
    rows: list[tuple[Cell, ...]] = [
        (
            say(f"conventions.name.{name}"),
            say("conventions.refused") if math.isnan(value) else _digits(value),
            versions[name],
        )
        for name, value in means.items()
    ]
    header = tuple(say(f"conventions.column.{name}") for name in ("name", "loss", "version"))
    marked = tuple(i for i, name in enumerate(means) if name in ("xent", "xent_normalized"))
    return Step(
        "values",
        say("conventions.values.title"),
        (spread, say("conventions.values.mistake")),
        means,
        Table(header, tuple(rows), marked),
    )


def _digits(value: float) -> str:
    """More than elsewhere, as small differences are the subject."""
    return f"{value:.8f}" if 1e-3 <= value < 1e4 else figure(value)


def _rows(asked: Asked, each: dict[str, Any]) -> Step:
    """Each row by each convention, the worst of many."""
    say, labels = asked.say, asked.labels
    chosen = {name: losses for name, losses in each.items() if name not in ("as_given", "xent_normalized")}
    spread = np.nan_to_num(
        np.ptp(np.nan_to_num(np.stack(list(chosen.values())).astype(np.float64)), axis=0), posinf=1e300
    )
    shown = at_most([], np.argsort(-spread, kind="stable").tolist())
    sums = asked.off.any()
    rows: list[tuple[Cell, ...]] = []
    for i in shown:
        losses = (say("conventions.refused") if np.isnan(one[i]) else float(one[i]) for one in chosen.values())
        total = (float(asked.predictions[i].sum(dtype=np.float64)),) if sums else ()
        rows.append((say("row", index=i), str(labels[i]), *total, *losses))
    if len(shown) < len(labels):
        width = 2 + bool(sums) + len(chosen)
        rows.append((say("others", count=len(labels) - len(shown)), *[None] * (width - 1)))
    short = [say(f"conventions.short.{name}") for name in chosen]
    header = (say("column.row"), say("column.label"), *([say("sum")] if sums else []), *short)
    values = {name: floats_of(losses) for name, losses in each.items()}
    text = say("conventions.rows.text" if sums else "conventions.rows.text.plain")
    return Step("rows", say("conventions.rows.title"), (text,), values, Table(header, tuple(rows)))


def _reductions(asked: Asked, mean: float) -> Step:
    say, total = asked.say, mean * len(asked.labels)
    rows = tuple(
        (say(f"conventions.reduction.{name}"), _digits(value), say(f"conventions.reduction.{name}.where"))
        for name, value in (("mean", mean), ("sum", total))
    )
    header = tuple(say(f"conventions.column.{name}") for name in ("reduction", "value", "where"))
    text = (say("conventions.reductions.text"),)
    values = {"mean": mean, "sum": total}
    return Step("reductions", say("conventions.reductions.title"), text, values, Table(header, rows))
