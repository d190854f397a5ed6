"""The report as one self-contained page: readable on a phone, in the dark and on paper, without a network."""

import json
import math
import os
from functools import lru_cache
from importlib import metadata, resources
from pathlib import Path
from typing import Any

from xent.errors import SourceError
from xent.report import charts, numbers
from xent.report.model import Label, Report

__all__ = ["render", "write"]

SPACE = "\N{NO-BREAK SPACE}"
SUPERSCRIPT = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
SHORT = 16  # characters of a name in a plot
ENOUGH = 100  # rows, to speak of the worst hundredth or of what is not shown
CONCENTRATED = 0.5  # of the loss in the worst tenth of the rows: few rows cost much, rather than all a little


def render(report: Report) -> str:
    """The page, as one string of HTML that asks for no other file."""
    page = _templates().get_template("page.html.jinja")
    return str(
        page.render(
            report=report,
            title=_title(report),
            alarm=alarm(report),
            findings=findings(report),
            ruler=charts.ruler(report),
            histogram=charts.histogram(report),
            curve=charts.curve(report),
            classes=charts.class_bars(report),
            version=_version(),
        )
    )


def write(report: Report, path: str | os.PathLike[str]) -> None:
    """Write the page to a file.

    Raises:
        SourceError: the file cannot be written, as where its directory does not exist.
    """
    page = render(report)
    try:
        # What UTF-8 cannot hold (half of a surrogate pair in a name) becomes a character reference.
        Path(path).write_text(page, encoding="utf-8", errors="xmlcharrefreplace", newline="\n")
    except OSError as error:
        raise SourceError(
            f"the page cannot be written to {os.fspath(path)!r}: {error.strerror or error}.\n"
            f"Create the directory {str(Path(path).parent)!r} or name a file in one that can be written to."
        ) from error


@lru_cache(maxsize=1)
def _templates() -> Any:
    import jinja2  # not before a page is asked for: `import xent` stays light

    def load(name: str) -> str:
        return resources.files("xent.report").joinpath(name).read_text(encoding="utf-8")

    environment = jinja2.Environment(
        loader=jinja2.FunctionLoader(load),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "number": number,
        "percent": percent,
        "probability": probability,
        "likely": likely,
        "count": count,
        "rows": rows,
        "name": name,
        "short": short,
        "exact": exact,
        "at": at,
    }
    return environment


def number(value: float | None) -> str:
    """As the terminal shows it, with ∞ and powers of ten set as such; – for what is undefined."""
    if value is not None and math.isinf(value):
        return "∞" if value > 0 else "−∞"
    return _set(numbers.decimals(value))


def probability(value: float) -> str:
    """Three decimals, or so many that only 1 shows as 1."""
    if value in (0.0, 1.0):
        return f"{value:.0f}"
    if value < 0.01:
        return number(value)
    return f"{value:.{max(3, math.ceil(-math.log10(1.0 - value)))}f}"


def likely(value: float) -> str:
    """The probability of something that did happen at a finite cost, so not 0 but less than a float64 can hold."""
    return "< 10⁻³²³" if value == 0.0 else probability(value)


def percent(share: float | None) -> str:
    """With the sign of percent; – for what is undefined."""
    if share is None or math.isinf(share):
        return number(share)
    return f"{_set(numbers.percent(share))}{SPACE}%"


def _set(text: str) -> str:
    """1.5e-07 as 1.5 × 10⁻⁷."""
    mantissa, e, power = text.partition("e")
    return f"{mantissa} × 10{str(int(power)).translate(SUPERSCRIPT)}" if e else text


def count(value: float) -> str:
    """A whole number of rows, or their weight."""
    return f"{value:,}" if isinstance(value, int) else number(value)


def rows(value: float) -> str:
    """1 row, 2 rows."""
    return f"{count(value)} row{'' if value == 1 else 's'}"


def name(label: Label | tuple[Label, ...]) -> str:
    """A class, or those that apply to one row."""
    if isinstance(label, tuple):
        return ", ".join(map(name, label)) or "none"
    return str(label) if str(label).strip() else repr(label)


def short(label: Label) -> str:
    """A name cut to fit beside a bar."""
    text = name(label)
    return text if len(text) <= SHORT else text[: SHORT - 1] + "…"


def exact(value: Any) -> str:
    """As JSON has it, without quotes around infinity."""
    return json.dumps(value) if value is None or math.isfinite(value) else str(value)


def at(value: float) -> str:
    """A position, short enough for thousands of them."""
    return f"{value:.2f}".rstrip("0").rstrip(".")


def alarm(report: Report) -> str | None:
    """What to say when the choices are good and the probabilities are not.

    That is: the choices beat the most frequent class, but the loss does not beat the baseline. No calibrated model
    does that; whether it is too sure or too timid shows in how few rows carry the loss.
    """
    if report.skill is None or report.task == "multilabel":
        return None
    most = max(found.frequency for found in report.by_class)
    if report.accuracy <= most:
        return None
    choices = (
        f"The choices are good, the probabilities are not. {percent(report.accuracy)} of the rows are predicted right "
        f"(always naming the most frequent class: {percent(most)}), yet "
    )
    if math.isinf(report.loss):
        return (
            f"{choices}what happened was ruled out with probability 0 at least once, and one such row makes the loss "
            "infinite."
        )
    against = _against_baseline(report)
    return None if against is None else f"{choices}{against} {_cure(report)}"


def _against_baseline(report: Report) -> str | None:
    """That the loss is no better than the baseline; None if it is, or if there are too few rows to tell."""
    if report.skill_interval is None:
        return None
    baseline = f"the baseline of {number(report.baseline)} {report.unit}, which takes no model at all."
    if report.skill_interval[1] < 0.0:
        return f"the loss is above {baseline}"
    if report.skill_interval[0] <= 0.0 and report.rows >= ENOUGH:
        return f"the loss is not shown to be below {baseline}"
    return None


def _cure(report: Report) -> str:
    cure = "Recalibrating, as by temperature scaling, keeps the choices and lowers the loss."
    worst = report.share_of_worst_10_percent or 0.0
    if worst < CONCENTRATED:
        return cure
    return (
        f"The model is overconfident: nearly certain even where it is wrong, so that the worst 10{SPACE}% of the rows "
        f"carry {percent(worst)} of the loss. {cure}"
    )


def findings(report: Report) -> list[str]:
    """The numbers as sentences."""
    things = "labels" if report.task == "multilabel" else "rows"
    right = f"{percent(report.accuracy)} of the {things} are predicted right"
    if math.isinf(report.loss):
        without = f"Without the rows of infinite loss ({report.infinite:,} of {report.rows:,}), the mean would be "
        return [f"{right}."] + (
            [] if report.finite_loss is None else [f"{without}{number(report.finite_loss)} {report.unit}."]
        )
    typical = f"a typical row gave what happened a probability of {likely(report.typical_probability)}"
    return [f"{right}, and {typical} (geometric mean).", *_concentration(report)]


def _concentration(report: Report) -> list[str]:
    """How much of the loss the worst rows carry, where there are rows enough to speak of such a part."""
    parts = [
        f"the worst {part}{SPACE}% of the rows carry {percent(share)}"
        for part, share in ((1, report.share_of_worst_1_percent), (10, report.share_of_worst_10_percent))
        if share is not None and report.rows * part >= ENOUGH
    ]
    return [" of the loss, ".join(parts).capitalize() + (" of the loss." if len(parts) == 1 else ".")] if parts else []


def _title(report: Report) -> str:
    sources = list(dict.fromkeys(row.source for row in report.worst if row.source))
    if not sources:
        return "predictions"
    first = os.path.basename(sources[0]) or sources[0]
    return first if len(sources) == 1 else f"{first} and others"


def _version() -> str:
    try:
        return metadata.version("xent")
    except metadata.PackageNotFoundError:
        return ""
