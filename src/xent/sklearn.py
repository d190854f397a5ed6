"""scikit-learn's names and arguments, translated to what xent computes: `log_loss`, and a scorer for cross-validation."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, NoReturn

import numpy as np

from xent.checks.names import by_name, text_forms
from xent.checks.predictions import Place, weights
from xent.errors import ArgumentTypeError, LabelError, OptionError, ShapeError, WeightError, XentError
from xent.scoring import exact
from xent.scoring.classes import resolve
from xent.scoring.data import InMemory
from xent.scoring.inputs import as_array, as_labels
from xent.scoring.labels import Vocabulary, distinct, kind_of
from xent.scoring.plan import Label, Plan, Task, listed
from xent.scoring.row_reader import Order
from xent.scoring.sums import Sums
from xent.scoring.targets import as_targets
from xent.scoring.totals import total

__all__ = ["NegLogLossScorer", "log_loss", "neg_log_loss_scorer"]

Classes = tuple[Label, ...]


def log_loss(
    y_true: Any,
    y_proba: Any = None,
    *,
    normalize: bool = True,
    sample_weight: Any = None,
    labels: Any = None,
    y_pred: Any = None,
) -> float:
    """Cross-entropy of predictions, in nats, called as `sklearn.metrics.log_loss` is; nothing is clipped.

    Args:
        y_true: (rows,) classes as integers, whole floats, text or booleans; or (rows, classes) of 0 and 1, where a row
            costs the sum over its ones, or of shares that sum to 1.
        y_proba: (rows, classes), or (rows,) for the second of two classes; probabilities of any float dtype. Columns of
            a data frame are matched to the classes by name; without names they are the classes in sorted order.
        normalize: True for the mean over the rows, False for their sum.
        sample_weight: (rows,), 0 or more.
        labels: every class; needed where `y_true` lacks one and no column names tell it. Sorted, unless columns have names.
        y_pred: what `y_proba` was called before scikit-learn 1.9.

    Returns:
        A Python float; inf if the probability of what happened was 0.

    Raises:
        ProbabilityError: a prediction is NaN or outside [0, 1], or a row is off by more than 1e-3 from a sum of 1.
        LabelError: a label is missing or names no class, or classes and columns do not settle each other.
        OptionError: `labels` do not fit the columns, or are unsorted beside columns without names.
        WeightError: a weight is negative or NaN, or all are 0.
        ShapeError, SourceError, ArgumentTypeError: arguments that do not fit together, or cannot be read.

    Source:
        Good, "Rational Decisions" (1952); the arguments are those of `sklearn.metrics.log_loss`, 1.9.

    Example:
        >>> from xent.sklearn import log_loss
        >>> round(log_loss(["spam", "ham", "ham", "spam"], [[0.1, 0.9], [0.9, 0.1], [0.8, 0.2], [0.35, 0.65]]), 5)
        0.21616
        >>> round(log_loss([1, 0], [1e-300, 0.5], normalize=False), 2)
        691.47
    """
    if (y_proba is None) == (y_pred is None):
        raise OptionError("y_proba and y_pred are two names of the same argument: pass one of them.")
    if not isinstance(normalize, bool | np.bool_):
        raise OptionError(f"normalize is {normalize!r}, but must be True (the mean) or False (the sum).")
    y_proba = y_pred if y_proba is None else y_proba
    with _in_the_callers_words():
        data = InMemory(y_true, y_proba, sample_weight)
        score = _of_columns if getattr(data.labels, "ndim", 1) == 2 else _of_classes
        return _answer(score(data, y_proba, labels), bool(normalize))


@dataclass(frozen=True)
class NegLogLossScorer:
    """−`log_loss` of a fitted classifier, for `scoring=`; classes absent from `y` or from the training rows are no fault.

    `neg_log_loss_scorer` is one. Columns of `predict_proba` are those of `estimator.classes_`, whatever `y` lacks.

    Args:
        requests: whether scikit-learn's metadata routing hands `sample_weight` over, as its `set_score_request` has it.

    Example:
        >>> from sklearn.dummy import DummyClassifier
        >>> from xent.sklearn import neg_log_loss_scorer
        >>> model = DummyClassifier().fit([[0], [0], [0], [0]], ["cat", "cat", "dog", "owl"])
        >>> round(neg_log_loss_scorer(model, [[0], [0]], ["cat", "dog"]), 4)
        -1.0397
        >>> neg_log_loss_scorer(model, [[0]], ["eel"])
        -inf
    """

    requests: bool | str | None = None

    def __call__(self, estimator: Any, X: Any, y: Any, sample_weight: Any = None) -> float:  # noqa: N803
        """Score `estimator` on `X` (rows, features) and `y` (rows,); −inf if `y` has a class it never saw.

        Raises:
            ArgumentTypeError: the estimator has no `classes_` or no `predict_proba`.
            XentError: as `log_loss`.
        """
        with _in_the_callers_words("y", "predict_proba(X)"):
            labels = as_labels(y)
            if getattr(labels, "ndim", 1) == 2:
                raise LabelError("labels have a column a class, but the scorer needs one class a row, (rows,).")
            classes, block = _predicted(estimator, X)
            unseen = _unseen(labels, classes)
            impossible = np.zeros((len(block), len(unseen)), block.dtype)
            data = InMemory(labels, np.hstack((block, impossible)), sample_weight)
            return 0.0 - _answer(_total(data, classes + unseen), normalize=True)

    def set_score_request(self, *, sample_weight: bool | str | None) -> "NegLogLossScorer":
        """A scorer to which routing passes `sample_weight` (True, or by another name), does not (False), or may not (None)."""
        return NegLogLossScorer(sample_weight)

    def get_metadata_routing(self) -> Any:
        """What scikit-learn's metadata routing asks of a scorer."""
        from sklearn.utils.metadata_routing import MetadataRequest  # which asked, so it is loaded

        request = MetadataRequest(owner=self)
        request.score.add_request(param="sample_weight", alias=self.requests)
        return request

    def _accept_sample_weight(self) -> bool:
        """What scikit-learn's searches ask of each of several scorers where metadata are not routed."""
        return True


neg_log_loss_scorer = NegLogLossScorer()


def _of_classes(data: InMemory, y_proba: Any, labels: Any) -> Sums:
    """Labels that are one class a row."""
    first, block = data.first()
    columns = 1 if block.ndim == 1 else block.shape[1]
    given = None if labels is None else listed(labels)
    found = _occurring(data, first, max(2, columns)) if given is None else given
    names = _names(data, y_proba, found)
    if names is not None and columns == 1:
        for classes in (found, found[::-1]):
            if len(found) == 2 and names[0] in text_forms(classes[1]):
                return _total(data, classes)
        if given is None:
            return _total(data, *resolve(names, 1, None, first, data.distinct_labels)[:2])
    elif names is not None:
        resolved = resolve(names, columns, given, first, data.distinct_labels)
        if resolved.warning or (given is not None and by_name(given, names) is None):
            _refuse_names(names, found)
        return _total(data, *resolved[:2])
    if given is not None:
        _refuse_unsorted(given)
    elif len(found) != max(2, columns):
        Vocabulary(found).codes(first, Place())  # refuses what is missing or not whole
        _refuse_count(found, max(2, columns))
    return _total(data, *resolve(None, columns, found, first, data.distinct_labels)[:2])


def _occurring(data: InMemory, first: Any, size: int) -> Classes:
    """The labels that occur, sorted as scikit-learn does: False, True, and text by its letters ("10" before "9")."""
    if kind_of(first) == "boolean":
        return (False, True)
    found = {*distinct(first), *distinct(data.labels[-len(first) :])}  # the last rows too, should they be sorted
    return tuple(sorted(found if len(found) >= size else data.distinct_labels()))


def _names(data: InMemory, y_proba: Any, found: Classes) -> tuple[str, ...] | None:
    """The classes that columns are named after; None where they are only counted, by their library or by the caller."""
    columns = data.columns or ()
    counted = tuple(map(str, range(len(columns))))
    made_up = type(getattr(y_proba, "columns", None)).__name__ == "RangeIndex" and columns == counted
    if made_up or columns == tuple(f"column_{j}" for j in counted):
        return None
    for names in (columns, data.names or ()):  # "class_a" itself before the "a" behind the stem
        if (any if len(names) == 1 else all)({*text_forms(label)} & {*names} for label in found):
            return names
    return None if data.names == counted else data.names


def _of_columns(data: InMemory, y_proba: Any, labels: Any) -> Sums:
    """Labels with a column a class: a row costs the sum over its ones, as in scikit-learn."""
    if labels is not None:
        raise OptionError("labels= is for y_true of one class a row, but y_true has a column a class. Leave it out.")
    block = data.first()[1]
    classes = tuple(range(2 if block.ndim == 1 else block.shape[1]))
    order: tuple[int, ...] | None = classes
    names = _names(data, y_proba, data.label_names or ())
    if names and data.label_names:
        order = by_name(data.label_names, names) or _refuse_names(names, data.label_names)
    targets = as_targets(data.labels, len(classes), False, Place())
    ones = np.count_nonzero(targets, axis=1)
    if ((targets != 0.0) & (targets != 1.0)).any():
        return _total(data, classes, order)
    if (ones == 1).all():
        data.labels = targets.argmax(axis=1)
        return _total(data, classes, order)
    # any number of ones: shares of 1/ones, at a weight of `ones`; a row without any costs nothing
    given = np.ones(len(ones)) if data.weights is None else data.weights
    weights(given, Place())
    data.weights = given * ones
    targets[ones == 0, 0] = 1.0
    data.labels = targets / np.maximum(ones, 1)[:, None]
    return replace(_total(data, classes, order), weight=exact.total(given))


def _total(data: InMemory, classes: Classes, order: tuple[int, ...] | None = None) -> Sums:
    task: Task = "binary" if len(classes) == 2 else "multiclass"
    batches = data.batches(Order(order or tuple(range(len(classes)))))
    return total(Plan(classes, task=task, top=0, brief=True), batches, numbered=False)


def _answer(sums: Sums, normalize: bool) -> float:
    if not sums.weight:
        raise WeightError("sample_weight is 0 in every row: nothing is left to score. Give some rows a weight above 0.")
    if sums.infinite_rows:
        return float("inf")
    return sums.loss / sums.weight if normalize else exact.to_float(sums.loss)


def _predicted(estimator: Any, X: Any) -> tuple[Classes, Any]:  # noqa: N803
    """The classes that an estimator knows, and their probabilities (rows, classes)."""
    for name in ("classes_", "predict_proba"):
        if not hasattr(estimator, name):
            raise ArgumentTypeError(f"{type(estimator).__name__} has no {name}. Pass a fitted classifier that has it.")
    classes = listed(estimator.classes_)
    block = as_array("predictions", estimator.predict_proba(X))
    if block.ndim != 2 or block.shape[1] != len(classes):
        raise ShapeError(f"predictions has shape {block.shape}, but classes_ has {len(classes)} classes.")
    return classes, block


def _unseen(labels: Any, classes: Classes) -> Classes:
    """Classes that the estimator gives no probability to; at least one, where it knows a single class."""
    unseen = tuple(label for label in distinct(labels) if label not in classes)
    if len(classes) == 1 and not unseen:
        known = classes[0]
        return (f"not {known}" if isinstance(known, str) else not known if isinstance(known, bool) else known + 1,)
    return unseen


def _refuse_names(names: tuple[str, ...], classes: Classes) -> NoReturn:
    raise LabelError(
        f"columns of predictions are named {_shown(names)}, but the classes are {_shown(classes)}.\n"
        "Name each column after its class, or pass an array with the columns in sorted order of the classes."
    )


def _refuse_unsorted(classes: Classes) -> None:
    try:
        ascending = tuple(sorted(classes))
    except (TypeError, ValueError) as error:
        raise OptionError(f"labels= cannot be sorted: {error}. Pass classes of one type.") from error
    if ascending != classes:
        raise OptionError(
            f"labels= is {_shown(classes)}, which is not sorted, and the columns of y_proba have no names. scikit-learn "
            f"would take them for {_shown(ascending)} in this order.\nPass labels= sorted and the columns in the same "
            "order, or a data frame whose columns are named after the classes."
        )


def _refuse_count(found: Classes, columns: int) -> None:
    raise LabelError(
        f"the number of classes in labels is {len(found)} ({_shown(found)}), that in predictions {columns}.\n"
        "Pass labels=[...] with every class, sorted, or a data frame whose columns are named after the classes."
    )


_TRANSLATIONS = (
    (r" \(--[^)]*\)", ""),
    (r"\blabels(?!=)\b", "{y_true}"),
    (r"\bpredictions\b", "{y_proba}"),
    (r"\bclasses(=| has | is | must )", r"labels\1"),
    (r"(?m)^.*\b(kind|task|normalize)=.*$", "Here a row is of one class and its probabilities sum to 1; xent.evaluate also "
     "takes logits (kind=), rows to divide by their sum (normalize=) and several labels a row (task=)."),
)  # fmt: skip


@contextmanager
def _in_the_callers_words(y_true: str = "y_true", y_proba: str = "y_proba") -> Iterator[None]:
    """Raise xent's errors with the names that the arguments have here."""
    try:
        yield
    except XentError as error:
        text = str(error)
        for pattern, words in _TRANSLATIONS:
            text = re.sub(pattern, words, text)
        raise type(error)(text.replace("{y_true}", y_true).replace("{y_proba}", y_proba)) from None


def _shown(values: Any) -> str:
    return ", ".join(map(repr, values[:8])) + (", …" if len(values) > 8 else "")
