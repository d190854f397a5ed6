"""Which column is the label, and which hold predictions: as told, or guessed from their names and said so."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import reduce

import pyarrow as pa

from xent.errors import SourceError
from xent.sources.layouts import Layout
from xent.sources.names import columns_found, find_column, listing, refused
from xent.sources.types import is_list, is_numeric, value_type
from xent.texts.catalogue import Sentence, sentence

__all__ = ["Columns", "choose_columns", "choose_predictions", "class_names"]

_LABELS = ("label", "labels", "y", "target", "y_true", "class")
_PREFIXES = {"p_": None, "prob_": None, "proba_": None, "logit_": "logits", "logp_": "log_probabilities"}
_SINGLES = ("p", "score", "probability", "prediction", "y_pred", "y_prob", "y_proba", "y_score")
# Looked for where no column has such a prefix: what Hugging Face, MLflow and W&B tables call them.
_MORE_PREFIXES = ("probability_", "score_")
_MORE_SINGLES = {"logits": "logits", "probabilities": None, "probs": None, "scores": None, "predicted_proba": None}
_PREDICTED = {"prediction", "y_pred"}  # may be the predicted class
_COUNTED = "p0, p1, …"  # prob0 and proba0 likewise
_NUMBERED = "0, 1, …"  # one column a class, named by its number, as pandas names those of an array
_LABEL_FLAG = "--label NAME (label=)"
_PREDICTION_FLAG = "--prediction 'p_*' (prediction=)"
_WEIGHT_FLAG = "--weight NAME (sample_weight=)"


@dataclass(frozen=True)
class Columns:
    """The columns that a score is computed from."""

    labels: tuple[str, ...]  # one column, or one per class
    predictions: tuple[str, ...]  # one column of numbers or of lists, or one column per class
    weight: str | None
    kind: str | None  # "logits" or "log_probabilities" where the names say so
    class_names: tuple[str, ...] | None  # what the predictions' names say behind their prefix: p_cat is "cat"
    label_names: tuple[str, ...] | None  # the same for the labels, where there are several columns of them
    notes: tuple[str, ...]  # what was guessed or left out, one sentence each

    @property
    def names(self) -> tuple[str, ...]:
        """All of them: labels, predictions, and the weight if there is one."""
        return (*self.labels, *self.predictions, *filter(None, (self.weight,)))


def choose_columns(
    schema: pa.Schema,
    *,
    label: str | Sequence[str] | None = None,
    prediction: str | Sequence[str] | None = None,
    weight: str | None = None,
    layout: Layout | None = None,
) -> Columns:
    """Find the columns in a table's schema. Names match exactly, or else whatever their case.

    Args:
        schema: a table's `schema`.
        label: its name; None guesses `label`, `y`, `target`, `y_true` or `class`. A pattern, a list of names, or names
            joined by commas, where each row has a label, or a share of it, for every class.
        prediction: a name, a pattern (`p_*`), a list of names, or names joined by commas; None guesses `p_*`,
            `prob_*`, `proba_*`, `logit_*`, `logp_*`, `p`, `score`, `probability`, `prediction`, `y_pred`, `y_prob`,
            `y_proba` or `y_score`, else `probability_*`, `score_*`, `logits`, `probabilities`, `probs`, `scores`, `predicted_proba`, or `0`, `1`, … or `p0`, `p1`, ….
        weight: its name; None for no weight.
        layout: what is known of the columns beside their names, from `layout_of`.

    Returns:
        The columns, in the order of the schema or of the list; every guess has a sentence in `notes`.

    Raises:
        SourceError: a column is not there, more than one guess fits, or one column is given two parts; lists the
            columns found.
    """
    weights = [find_column(schema, weight, _WEIGHT_FLAG)] if weight is not None else []
    labels = _named(schema, label, weights, [], _LABEL_FLAG)[0] if label is not None else []
    taken, notes = [*labels, *weights], list[str]()
    found: tuple[list[str], str | None] = ([], None)
    meaning = layout.asked(prediction) if layout is not None and prediction is not None else None
    if meaning is not None:
        found = [*meaning.columns], None
    elif prediction is not None:
        found = _named(schema, prediction, taken, notes, _PREDICTION_FLAG)
    if not labels:
        told = [] if found[1] else found[0]  # a pattern may match the label too, a name may not
        labels = [_guess_label(schema, [*weights, *told], notes, layout)]
        found = [name for name in found[0] if name not in labels], found[1]
    if prediction is None:
        found = _guess_predictions(schema, [*labels, *weights], notes, layout)
    predictions, star = found
    _refuse_two_parts(labels, predictions, weights)
    names, kind = class_names(schema, predictions, star)
    if layout is not None and (meaning := layout.asked(predictions)) is not None:
        if meaning.refusal is not None:
            raise SourceError(meaning.refusal)
        names, kind = meaning.classes or names, meaning.kind or kind
        notes.append(meaning.note)
    label_names = class_names(schema, labels)[0] if len(labels) > 1 else None
    return Columns(tuple(labels), tuple(predictions), next(iter(weights), None), kind, names, label_names, tuple(notes))


def choose_predictions(
    schema: pa.Schema, prediction: str | Sequence[str] | None = None, layout: Layout | None = None
) -> tuple[tuple[str, ...], tuple[str, ...] | None]:
    """The columns of predictions alone, as `choose_columns` finds them, and the classes that their names tell.

    Raises:
        SourceError: a column is not there, or more than one guess fits.
    """
    labels = [name for name in schema.names if name.lower() in _LABELS]
    meaning = layout.asked(prediction) if layout is not None and prediction is not None else None
    if meaning is not None:
        names, star = [*meaning.columns], ""
    elif prediction is None:
        names, star = _guess_predictions(schema, labels, [], layout)
    else:
        names, found = _named(schema, prediction, [], [], _PREDICTION_FLAG)
        star = found or ""
    meaning = layout.asked(names) if layout is not None else None
    classes = meaning.classes if meaning is not None else None
    return tuple(names), classes or class_names(schema, names, star or None)[0]


def _named(
    schema: pa.Schema, asked: str | Sequence[str], taken: Sequence[str], notes: list[str], flag: str
) -> tuple[list[str], str | None]:
    """Give the columns meant, and the pattern if it was one."""
    if not isinstance(asked, str) and isinstance(asked, Iterable):
        return [find_column(schema, name, flag) for name in asked], None
    if not isinstance(asked, str) or asked in schema.names:
        return [find_column(schema, asked, flag)], None
    if "," in asked:
        names = [name.strip() for name in asked.split(",") if name.strip()]
        return [find_column(schema, name, flag) for name in names], None
    if not any(mark in asked for mark in "*?"):
        return [find_column(schema, asked, flag)], None
    matches = [name for name in schema.names if _star(asked).fullmatch(name)]
    notes += [sentence("note.no_prediction", name=repr(name), pattern=repr(asked)) for name in matches if name in taken]
    matches = [find_column(schema, name, flag) for name in matches if name not in taken]
    if not matches:
        what = sentence("refused.no_match", pattern=repr(asked), found=columns_found(schema))
        raise refused(what, sentence("refused.pass", flag=flag))
    return matches, asked


def _guess_label(schema: pa.Schema, taken: Sequence[str], notes: list[str], layout: Layout | None) -> str:
    if layout is not None and layout.label is not None and layout.label not in taken:
        notes.append(sentence("note.label.layout", name=repr(layout.label)))
        return layout.label
    found = [name for name in schema.names if name.lower() in _LABELS and name not in taken]
    if len(found) == 1:
        notes.append(sentence("note.label.guessed", name=repr(found[0])))
        return str(found[0])
    other = [name for name in schema.names if name.lower() in _LABELS and name in taken]
    if found:
        what = sentence("refused.label.several", names=listing(found), found=columns_found(schema))
    elif other:
        what = sentence("refused.label.taken", names=listing(other), found=columns_found(schema))
    else:
        what = sentence("refused.label.none", names=", ".join(_LABELS), found=columns_found(schema))
    raise refused(what, sentence("refused.pass", flag=_LABEL_FLAG))


def _guess_predictions(
    schema: pa.Schema, taken: Sequence[str], notes: list[str], layout: Layout | None
) -> tuple[list[str], str]:
    explained = layout.explained if layout is not None else frozenset()
    families = _families([name for name in schema.names if name not in taken and name not in explained])
    for meaning in layout.meanings[:1] if layout is not None else ():
        families[meaning.name] = list(meaning.columns)
    for pattern in [pattern for pattern in families if pattern in _SINGLES and len(families) > 1]:
        reason = _no_prediction(schema, families[pattern][0])  # predicted classes beside their probabilities
        if reason is not None:
            notes.append(sentence(reason, name=repr(families.pop(pattern)[0])))
    if len(families) == 1:
        [(pattern, names)] = families.items()
        names = [find_column(schema, name, _PREDICTION_FLAG) for name in names]
        notes.append(sentence("note.predictions", columns=_spoken(names)))
        return names, pattern
    looked = ", ".join(
        [*(f"{one}*" for one in (*_PREFIXES, *_MORE_PREFIXES)), *_SINGLES, *_MORE_SINGLES, _NUMBERED, _COUNTED]
    )
    if families:
        either = reduce(lambda first, second: sentence("either", first=first, second=second), families)
        what = sentence("refused.predictions.several", names=either, found=columns_found(schema))
    else:
        what = sentence("refused.predictions.none", names=looked, found=columns_found(schema))
    raise refused(what, sentence("refused.pass", flag=_PREDICTION_FLAG))


def _families(names: Sequence[str]) -> dict[str, list[str]]:
    """Group columns by the pattern that their lower-cased name matches."""
    families: dict[str, list[str]] = {}
    for name in dict.fromkeys(names):
        prefix = _prefix_of([name])
        pattern = f"{prefix}*" if prefix else name.lower()
        if prefix or pattern in _SINGLES:
            families.setdefault(pattern, []).append(name)
    if any(pattern.endswith("*") for pattern in families):
        return families
    for name in (name for name in dict.fromkeys(names) if name.lower() in _MORE_SINGLES):
        families.setdefault(name.lower(), []).append(name)
    for prefix in _MORE_PREFIXES:
        some = [name for name in dict.fromkeys(names) if name.lower().startswith(prefix) and len(name) > len(prefix)]
        families |= {f"{prefix}*": some} if len(some) > 1 else {}
    if families.keys() <= _PREDICTED:
        families |= _counting(names)
    return families


def _counting(names: Sequence[str]) -> dict[str, list[str]]:
    """Columns 0, 1, … or p0, p1, …, likewise prob0 and proba0, where no number is missing."""
    numbers: dict[str, dict[str, str]] = {}
    for match in filter(None, (re.fullmatch(r"(p|prob|proba|)(\d+)", name, re.IGNORECASE) for name in names)):
        numbers.setdefault(match[1].lower(), {})[match[0]] = match[2]
    return {
        f"{stem}*" if stem else _NUMBERED: list(found)
        for stem, found in numbers.items()
        if len(found) > 1 and sorted(found.values(), key=int) == [str(number) for number in range(len(found))]
    }


def _no_prediction(schema: pa.Schema, name: str) -> str | None:
    """The note that says why a column beside others is none: text, or whole numbers, where it may be predicted classes."""
    kind = value_type(schema.field(schema.get_all_field_indices(name)[0]).type)
    if pa.types.is_integer(kind) and name.lower() in _PREDICTED:
        return "note.no_prediction.whole"
    return None if is_numeric(kind.value_type if is_list(kind) else kind) else "note.no_prediction.text"


def class_names(
    schema: pa.Schema, names: Sequence[str], pattern: str | None = None
) -> tuple[tuple[str, ...] | None, str | None]:
    """Give the class that each column stands for, and the kind of number that the names tell."""
    prefix = _prefix_of(names)
    kind = _PREFIXES[prefix] if prefix else _MORE_SINGLES.get(names[0].lower()) if len(names) == 1 else None
    if pattern == _NUMBERED:
        return tuple(names), "probabilities"  # else features that are so named would be taken for logits
    lists = [name for name in names if is_list(value_type(schema.field(name).type))]
    if lists and len(names) > 1:
        what = sentence("refused.list_beside", name=repr(lists[0]), names=listing(names))
        raise refused(what, sentence("refused.pass", flag=f"--prediction {lists[0]} (prediction=)"))
    if lists:
        return None, kind
    if pattern is not None and pattern.count("*") == 1 and (len(names) > 1 or prefix is not None):
        matches = [_star(pattern).fullmatch(name) for name in names]
        return tuple(match[1] for match in matches if match), kind
    if prefix is not None:
        return tuple(name[len(prefix) :] for name in names), kind
    if len(names) == 1:
        return None, kind
    cut = _shared_stem(names)
    return tuple(name[cut:] for name in names), kind


def _shared_stem(names: Sequence[str]) -> int:
    """Give how many characters all names share up to an underscore, with something behind it in each."""
    first = names[0]
    cuts = [index + 1 for index, mark in enumerate(first) if mark == "_"]
    return max((cut for cut in cuts if all(n[:cut] == first[:cut] and n[cut:] for n in names)), default=0)


def _prefix_of(names: Sequence[str]) -> str | None:
    """Give the known prefix that all names have, with something behind it."""
    return next((p for p in _PREFIXES if all(n.lower().startswith(p) and len(n) > len(p) for n in names)), None)


def _star(pattern: str) -> re.Pattern[str]:
    """Translate a pattern so that group 1 is what its first star matched."""
    marks = {"*": "(.*)", "?": "."}
    return re.compile("".join(marks.get(mark, re.escape(mark)) for mark in pattern), re.IGNORECASE | re.DOTALL)


def _refuse_two_parts(labels: Sequence[str], predictions: Sequence[str], weights: Sequence[str]) -> None:
    every = [*labels, *predictions, *weights]
    if twice := [name for name in dict.fromkeys(every) if every.count(name) > 1]:
        parts = {"labels": listing(labels), "predictions": listing(predictions), "weights": listing(weights)}
        raise refused(sentence("refused.twice", name=repr(twice[0]), **parts), sentence("refused.once"))
    if not predictions:
        raise refused(sentence("refused.empty"), sentence("refused.pass", flag=_PREDICTION_FLAG))


def _spoken(names: Sequence[str]) -> Sentence:
    if len(names) == 1:
        return sentence("column.named", name=repr(names[0]))
    return sentence("columns.named", count=len(names), first=names[0], last=names[-1])
