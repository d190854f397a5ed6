"""`xent.explain`: which of the explanations is asked for."""

from collections.abc import Sequence
from typing import Any, Literal

from xent.errors import OptionError, ShapeError
from xent.explaining.distributions import explain_distributions
from xent.explaining.gaussian import explain_gaussian
from xent.explaining.labels import explain_label, explain_questions
from xent.explaining.logits import explain_logits
from xent.explaining.rows_of_files import explain_row
from xent.report.explanation import Explanation
from xent.scoring.plan import Kind, Label, Task
from xent.texts.catalogue import speaker
from xent.units import unit_base

__all__ = ["explain"]

# What each kind of input goes with; any other option beside it is refused.
GOES_WITH = {
    "source": {"row", "label", "prediction", "kind", "task", "classes"},
    "logits": {"label", "names"},
    "p": {"q", "names"},
    "q": {"label", "names"},
    "binary": set[str](),
    "multilabel": {"names"},
    "gaussian": {"std"},
}
DEFAULTS: dict[str, Any] = {"kind": "auto", "task": "auto"}


def explain(
    source: Any = None,
    *,
    row: int | None = None,
    logits: Any = None,
    p: Any = None,
    q: Any = None,
    binary: tuple[Any, Any] | None = None,
    multilabel: tuple[Any, Any] | None = None,
    gaussian: tuple[Any, Any] | None = None,
    std: float | None = None,
    label: Any = None,
    names: Sequence[Any] | None = None,
    prediction: str | Sequence[str] | None = None,
    kind: Kind | Literal["auto"] = "auto",
    task: Task | Literal["auto"] = "auto",
    classes: Sequence[Label] | None = None,
    unit: str = "nats",
    lang: str = "en",
) -> Explanation:
    """Explain a cross-entropy step by step, with the numbers given: what is done, why, and what comes out.

    Pass one of `logits`, `p`, `q`, `binary`, `multilabel`, `gaussian` and `source`.

    Args:
        source: a table of predictions as for `xent.scan`, with `row`, counted from 0 within the data set.
        row: of the table.
        logits: (classes,), with `label`: softmax cross-entropy.
        p: (outcomes,), what happens; alone for its entropy, with `q` for their cross-entropy and divergences.
        q: (outcomes,), what was expected; with `label` in place of `p`: the log loss of one row.
        binary: (labels, probabilities of yes), numbers or lists of one length: binary cross-entropy.
        multilabel: (labels, probabilities of yes) of one row: a yes-or-no question for each label.
        gaussian: (values, predictions): mean squared error as the cross-entropy of Gaussians.
        std: of those Gaussians; None is 1.
        label: of the class that happened, its position from 0 or its name; of a table, the column of the labels.
        names: of classes or outcomes.
        prediction, kind, task, classes: of a table, as for `xent.scan`.
        unit: "nats" or "bits".
        lang: "en" or "zh".

    Returns:
        The explanation: it prints, shows itself in notebooks, has `.steps`, `.loss`, `.plot()` and `.json()`.

    Raises:
        OptionError: nothing to explain, options that do not go together, or a label that names no class.
        ShapeError: lists of different lengths.
        ProbabilityError: distributions that do not sum to 1, numbers that are NaN or out of range.
        XentError: as `xent.scan`, for a table.

    Source:
        Shannon, "A Mathematical Theory of Communication" (1948), section 6; Kullback and Leibler (1951).

    Example:
        >>> from xent import explain
        >>> found = explain(logits=[4.334, 2.90, 0.01], label=0, names=["basketball", "tennis", "football"])
        >>> print(found.title)
        softmax cross-entropy: 0.2244 nats = 0.3238 bits, as basketball was given probability 0.7990
        >>> [round(value, 4) for value in found.step("exp").values["exp"]]
        [76.2487, 18.1741, 1.0101]
    """
    unit_base(unit)
    speaker(lang)
    given = {
        name: value
        for name, value in locals().items()
        if value is not None
        and name not in ("unit", "lang")
        and not (isinstance(value, str) and value == DEFAULTS.get(name))
    }
    match _what(given):
        case "source":
            table = {"label": label, "prediction": prediction, "kind": kind, "task": task, "classes": classes}
            return explain_row(source, row, unit, lang, table)
        case "logits":
            return explain_logits(logits, label, names, unit, lang)
        case "p":
            return explain_distributions(p, q, names, unit, lang)
        case "q":
            return explain_label(q, label, names, unit, lang)
        case "gaussian":
            values, predictions = _pair("gaussian", gaussian)
            return explain_gaussian(values, predictions, 1.0 if std is None else std, unit, lang)
        case several:
            labels, chances = _pair(several, given[several])
            return explain_questions(labels, chances, names, unit, lang, several=several == "multilabel")


def _what(given: dict[str, Any]) -> str:
    """Which explanation is asked for.

    Raises:
        OptionError: none, several, or with options of another.
    """
    asked = [name for name in GOES_WITH if name in given and not (name == "q" and "p" in given)]
    if not asked:
        raise OptionError(
            "nothing to explain: pass logits= with label=, p= with q=, q= with label=, binary=, multilabel=, gaussian=, "
            "or a file with row= (--logits, --p, --q, --binary, --multilabel, --gaussian, FILE --row N)."
        )
    if len(asked) > 1:
        raise OptionError(f"{' and '.join(asked)} are given together, but one thing is explained at a time. Pass one.")
    strange = sorted(set(given) - GOES_WITH[asked[0]] - {asked[0]})
    if strange:
        allowed = ", ".join(sorted(GOES_WITH[asked[0]])) or "nothing else"
        raise OptionError(
            f"{', '.join(strange)} has no meaning for {asked[0]}, which goes with {allowed}. Leave it out."
        )
    return asked[0]


def _pair(name: str, value: Any) -> tuple[Any, Any]:
    if not isinstance(value, tuple | list) or len(value) != 2:
        raise ShapeError(f"{name} is {value!r}, but must be a pair: what happened, and what was predicted.")
    return value[0], value[1]
