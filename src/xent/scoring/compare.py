"""`compare`: is one model really better than another on the same rows?"""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal

from xent import units
from xent.errors import ArgumentTypeError, OptionError
from xent.report.comparison import Comparison
from xent.scoring.compare_gather import MOST_RESAMPLED, Gathered, gather
from xent.scoring.compare_models import Model, open_models, same_classes
from xent.scoring.compare_names import model_names
from xent.scoring.compare_pairs import adjusted, model_loss, pair_difference
from xent.scoring.compare_rows import ModelRows
from xent.scoring.compare_verdicts import best_of, verdict
from xent.scoring.data import Data, InMemory
from xent.scoring.means import FEW
from xent.scoring.memory_limit import memory_limit
from xent.scoring.passes import Progress
from xent.scoring.plan import Kind, Label, Task
from xent.scoring.prepare import Prepared, prepare
from xent.texts.catalogue import sentence

__all__ = ["compare"]

_IDS = ("id", "row_id", "example_id", "uid", "uuid")


def compare(
    *models: Any,
    labels: Any = None,
    on: Any = None,
    names: Sequence[str] | None = None,
    label: str | Sequence[str] | None = None,
    prediction: str | Sequence[str] | None = None,
    sample_weight: Any = None,
    cluster: Any = None,
    group: Any = None,
    kind: Kind | Literal["auto"] = "auto",
    task: Task | Literal["auto"] = "auto",
    classes: Sequence[Label] | None = None,
    normalize: bool = False,
    clip: float | None = None,
    unit: str | None = None,
    max_memory: int | str | None = None,
    progress: Progress | None = None,
) -> Comparison:
    """Tell which model is better on the same rows, by how much, how sure that is, and where.

    Differences are taken row by row, so what makes a row hard for all models cancels. Files of any size: rows matched
    by position, or by keys that ascend in all of them, are read side by side; rows in any other order go to files in a
    temporary folder (`tempfile`, environment variable TMPDIR) once they pass their share of `max_memory`.

    Args:
        models: two or more. Files, patterns, lists of files or data frames as in `scan`, each with its labels; or, with
            `labels`, arrays, lists or frames of predictions as in `evaluate`.
        labels: (rows,) or (rows, classes), the truth of all models.
        on: the column that names each row, whole numbers or text; rows that not all models have are counted and left
            out. None matches by position.
        names: what to call the models; None takes the files' names, or A, B, ….
        label, prediction: the columns, as in `scan`.
        sample_weight: the column of the weights; with `labels` an array (rows,), and so are the next two.
        cluster: what rows belong together in (documents, users): clusters are independent, their rows are not.
        group: what to split the difference by.
        kind, task, classes, normalize, clip: as in `evaluate`, for all models.
        unit: "nats" (None) or "bits".
        max_memory: bytes, or a text such as "2GB", that rows and their sums may take on top of what the process holds;
            None: half of what the machine (or its container) has. No answer depends on it.
        progress: called with the number of rows read since its last call.

    Returns:
        Losses, paired differences with 95 % interval, p-value (Holm over the pairs of more than two models), the rows
        that would settle it, and who wins in which class and group. Below 200 rows (clusters) intervals and p-values
        are those of the studentised bootstrap. Where a loss is infinite, infinite rows are counted, nothing is tested.

    Raises:
        SourceError: a file or column cannot be read, a key is missing or occurs twice, or models have other clusters or
            groups in the same row.
        LabelError: models have other classes, or other labels in the same row.
        ShapeError: without `on`, models differ in rows.
        XentError: as `evaluate` and `scan`.

    Source:
        Cochran (1977), section 6; Liang and Zeger (1986) for clusters; Efron and Tibshirani (1993), section 12.5.

    Example:
        >>> from xent import compare
        >>> truth, old = [1, 1, 1, 1, 0, 0, 0, 0], [0.8, 0.9, 0.6, 0.8, 0.1, 0.4, 0.2, 0.3]
        >>> new = [0.9, 0.9, 0.7, 0.9, 0.1, 0.3, 0.1, 0.2]
        >>> found = compare(old, new, labels=truth, names=["old", "new"])
        >>> round(found.pairs[0].difference, 4), found.best  # eight rows do not settle it
        (0.0994, None)
    """
    base = units.unit_base("nats" if unit is None else unit)
    called = model_names(models, names, labels is not None)
    keys = {"on": on, "cluster": cluster, "group": group}
    options = {"normalize": normalize, "clip": clip}
    if labels is None:
        _refuse_arrays({**keys, "sample_weight": sample_weight})
        opened: Sequence[Data] = open_models(
            models,
            called,
            label=label,
            prediction=prediction,
            sample_weight=sample_weight,
            keys=keys,
            progress=progress,
        )
    else:
        opened = _arrays(models, labels, sample_weight, keys, label, prediction)
    prepared = [prepare(data, kind, task, classes, options) for data in opened]
    orders = same_classes(called, prepared)
    read = [Model(*parts) for parts in zip(called, opened, prepared, orders, strict=True)]
    key = None if on is None else on if isinstance(on, str) else "on"
    gathered = gather(read, prepared[0].plan.classes, key, memory_limit(max_memory))
    found = _judged(gathered, prepared, base, "nats" if unit is None else unit, on)
    unused = _unused_id(opened) if labels is None and on is None else None
    if unused is None:
        return found
    warning = sentence("warning.unused_id", name=repr(unused), flag=unused)
    return replace(found, warnings=(*found.warnings, warning))


def _unused_id(opened: Sequence[Any]) -> str | None:
    """A column of all tables that is named as those that tell rows apart."""
    common = set.intersection(*(set(data.table.schema.names) for data in opened))
    return next((name for name in _IDS if name in common), None)


def _refuse_arrays(columns: Mapping[str, Any]) -> None:
    for name, column in columns.items():
        if column is not None and not isinstance(column, str):
            raise ArgumentTypeError(
                f"{name} is a {type(column).__name__}, but without labels= it names a column of the models' tables.\n"
                f"Pass {name}='name', or arrays for everything: labels=, predictions and {name}=."
            )


def _arrays(
    models: Sequence[Any], labels: Any, weight: Any, keys: dict[str, Any], label: Any, prediction: Any
) -> Sequence[Data]:
    for name, column in {**keys, "labels": labels, "sample_weight": weight}.items():
        if isinstance(column, str):
            raise ArgumentTypeError(
                f"{name} is the text {column!r}, but beside arrays of predictions it must be an array, one entry a row.\n"
                "For tables with a column of labels, pass label='name' and leave labels= out."
            )
    if label is not None or prediction is not None:
        raise OptionError("label= and prediction= name columns of tables; with labels=, models are the predictions.")
    given = {name: values for name, values in keys.items() if values is not None}
    return [InMemory(labels, predictions, weight, given) for predictions in models]


def _judged(gathered: Gathered, prepared: Sequence[Prepared], base: float | None, unit: str, on: Any) -> Comparison:
    def shown(nats: float) -> float:
        return float(units.from_nats(nats, base))

    models, sums = gathered.models, gathered.sums
    names = tuple(one.name for one in models)
    clustered = gathered.clusters is not None
    losses = tuple(model_loss(name, tally, clustered, shown) for name, tally in zip(names, sums.models, strict=True))
    pairs = adjusted([
        pair_difference(
            (names[i], names[j]), sums.pairs[at], gathered.by_class[at], gathered.by_group[at], clustered, shown,
            0 if gathered.crowded else FEW,
        )
        for at, (i, j) in enumerate(sums.couples)
    ])  # fmt: skip
    key = sentence("key.position") if on is None else repr(on) if isinstance(on, str) else "on="
    notes = [sentence("note.matched", key=key), *gathered.notes, *_together(names, [one.notes for one in prepared])]
    if gathered.crowded:
        notes.append(sentence("note.crowded", most=MOST_RESAMPLED))
    if models[0].several:
        notes.append(sentence("note.no_split"))
    rows = sums.models[0].rows
    return Comparison(
        names=names,
        unit=unit,
        rows=rows,
        clusters=gathered.clusters,
        only_in=gathered.left_out,
        losses=losses,
        pairs=pairs,
        verdict=verdict(losses, pairs, unit, rows),
        best=best_of(losses, pairs),
        warnings=tuple(
            _together(names, [(*one.warnings, *_found(rows)) for one, rows in zip(prepared, models, strict=True)])
        ),
        notes=tuple(notes),
    )


def _found(model: ModelRows) -> list[str]:
    """What scoring a model's rows came upon."""
    total, found = model.rows, list[str]()
    clipped, normalized, like_probabilities = model.counts
    if clipped:
        found.append(sentence("compared.clipped", count=clipped, rows=total))
    if normalized:
        found.append(sentence("compared.normalized", count=normalized, rows=total))
    if 10 * like_probabilities > 9 * total:
        found.append(sentence("compared.softmax_twice", count=like_probabilities, rows=total))
    return found


def _together(names: Sequence[str], texts: Sequence[Sequence[str]]) -> list[str]:
    """Each sentence once: as it is where it holds of all models, else with their names."""
    found: list[str] = []
    for text in dict.fromkeys(itertools.chain.from_iterable(texts)):
        of = [name for name, own in zip(names, texts, strict=True) if text in own]
        found.append(text if len(of) == len(names) else sentence("of_models", names=", ".join(of), text=text))
    return found
