"""The command `xent`: parse, call one function, print."""

import argparse
import io
import math
import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import xent
from xent.errors import OptionError, XentError

if TYPE_CHECKING:
    from xent.report.model import Report

__all__ = ["main"]

EXAMPLES = """examples:
  xent score predictions.csv                       guess the columns, and say which were taken
  xent score 'preds/*.parquet' --label y --prediction 'p_*' --html report.html
  xent score logits.parquet --kind logits --unit bits --json
  xent score tags.csv --task multilabel --label 'y_*' --prediction 'p_*'
  zcat predictions.csv.gz | xent score - --fail-above 0.3
exit status: 0 done, 1 a threshold is missed, 2 the input or the options were refused
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; the exit status is 0 for success, 1 for a missed threshold, 2 for refused input."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a terminal without − still gets its report
    try:
        options = _parser().parse_args(arguments)
        return int(options.run(options))
    except XentError as error:
        return _refuse(f"{type(error).__name__}: {' '.join(str(error).split())}")
    except BrokenPipeError:  # the reader, such as `head`, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as error:
        return _refuse(f"{error}")
    except KeyboardInterrupt:
        _refuse("interrupted")
        return 130


def _refuse(message: str) -> int:
    print(f"xent: {message}", file=sys.stderr)  # noqa: T201
    return 2


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="xent",
        description="Cross-entropy: what it says about a table of predictions.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"xent {xent.__version__}")
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    score = commands.add_parser(
        "score",
        help="judge predictions: the loss, its interval, the baseline, where it is bad",
        description="Judge a table of predictions by its cross-entropy (log loss).",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    score.set_defaults(run=_score)
    score.add_argument("files", nargs="+", metavar="FILE", help="CSV, Parquet, Arrow, JSON Lines or .npz; several files "
                       "and patterns are one data set; - is standard input")  # fmt: skip
    columns = score.add_argument_group("columns (label and predictions are guessed from their names if left out)")
    columns.add_argument("--label", metavar="NAME", help="the column of the labels; 'y_*' for a column a class")
    columns.add_argument("--prediction", metavar="NAMES", help="'p_*', or a,b,c, or one column")
    columns.add_argument("--weight", metavar="NAME", help="the column of sample weights")
    columns.add_argument(
        "--classes", metavar="A,B,…", help="every label, in the order of the prediction columns (--classes=-1,1)"
    )
    reading = score.add_argument_group("how to read them")
    reading.add_argument("--kind", choices=("auto", "probabilities", "logits", "log_probabilities"), default="auto")
    reading.add_argument("--task", choices=("auto", "binary", "multiclass", "multilabel"), default="auto")
    reading.add_argument("--normalize", action="store_true", help="divide each row by its sum (counted)")
    reading.add_argument("--clip", type=float, metavar="P", help="clip probabilities to [P, 1 − P] (counted)")
    shown = score.add_argument_group("what to show")
    shown.add_argument("--unit", choices=("nats", "bits"), default="nats")
    shown.add_argument("--top", type=int, default=5, metavar="N", help="how many of the worst rows (5)")
    shown.add_argument("--html", metavar="OUT", help="write the report as one self-contained page")
    shown.add_argument("--json", action="store_true", help="print the report as JSON in place of the text")
    gates = score.add_argument_group("thresholds (exit status 1)")
    gates.add_argument("--fail-above", type=_number, metavar="X", help="when the loss is above X (in the unit)")
    gates.add_argument("--fail-below-skill", type=_skill, metavar="X", help="when the skill is below X, such as 0.5")
    return parser


def _score(options: argparse.Namespace) -> int:
    _refuse_to_overwrite(options.files, options.html)
    with _Progress() as progress:
        report = xent.scan(
            options.files,
            label=options.label,
            prediction=options.prediction,
            sample_weight=options.weight,
            kind=options.kind,
            task=options.task,
            classes=None if options.classes is None else [_value(name) for name in options.classes.split(",")],
            unit=options.unit,
            normalize=options.normalize,
            clip=options.clip,
            top=options.top,
            progress=progress,
        )
    if options.html is not None:
        report.html(options.html)
    if sys.stdout is not None:
        sys.stdout.write(report.json() + "\n" if options.json else _text(report))
        sys.stdout.flush()
    return _missed(report, options)


def _refuse_to_overwrite(files: Sequence[str], page: str | None) -> None:
    if page is not None and os.path.exists(page):
        for name in files:
            if os.path.exists(name) and os.path.samefile(name, page):
                raise OptionError(f"--html {page} would overwrite the predictions. Give the page another name.")


def _text(report: "Report") -> str:
    """As the terminal shows it, or in 120 columns where there is none."""
    from rich.console import Console

    from xent.report.text import print_report

    screen = Console(highlight=False)
    width = screen.width if screen.is_terminal or "COLUMNS" in os.environ else 120
    buffer = io.StringIO()
    print_report(report, Console(file=buffer, force_terminal=screen.is_terminal, width=width, highlight=False))
    return "".join(line.rstrip() + "\n" for line in buffer.getvalue().splitlines())


def _missed(report: "Report", options: argparse.Namespace) -> int:
    """1 if a threshold is missed, with a line that says which."""
    missed = []
    if options.fail_above is not None and not report.loss <= options.fail_above:
        missed.append(f"the loss is {report.loss:.6g} {report.unit}, above {options.fail_above:g}")
    if options.fail_below_skill is not None and (report.skill is None or report.skill < options.fail_below_skill):
        if report.skill is None:
            missed.append("the skill is undefined, because only one class is present")
        else:
            missed.append(f"the skill is {report.skill:.6g}, below {options.fail_below_skill:g}")
    for text in missed:
        sys.stderr.write(f"xent: {text}\n")
    return 1 if missed else 0


def _number(text: str) -> float:
    """A number that can be compared with."""
    value = float(text)
    if math.isnan(value):
        raise argparse.ArgumentTypeError("nan is no threshold")
    return value


def _skill(text: str) -> float:
    """A share, not percents."""
    value = _number(text)
    if value > 1.0:
        raise argparse.ArgumentTypeError(f"{text} is above 1; a skill of 50 % is 0.5")
    return value


def _value(name: str) -> str | int:
    """A class given on the command line: a whole number is one."""
    name = name.strip()
    return int(name) if name.lstrip("-").isdigit() else name


class _Progress:
    """Rows and rate on standard error after a second of work; silent where that is no terminal."""

    def __init__(self) -> None:
        self._bar: Any = None
        self._task: Any = None

    def __enter__(self) -> "_Progress":
        """Note the time."""
        import time

        self._started = time.monotonic()
        self._clock = time.monotonic
        self._rows = 0
        return self

    def __exit__(self, *_: object) -> None:
        """Take the bar away."""
        if self._bar is not None:
            self._bar.stop()

    def __call__(self, rows: int) -> None:
        """Count rows."""
        self._rows += rows
        if self._bar is None:
            if self._clock() - self._started < 1.0 or not sys.stderr.isatty():
                return
            self._start()
        seconds = self._clock() - self._started
        self._bar.update(self._task, completed=self._rows, rate=f"{self._rows / seconds / 1e6:.1f}M rows/s")

    def _start(self) -> None:
        from rich.console import Console
        from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

        self._bar = Progress(
            SpinnerColumn(),
            TextColumn("{task.completed:,} rows"),
            TextColumn("{task.fields[rate]}"),
            TimeElapsedColumn(),
            console=Console(stderr=True),
            transient=True,
        )
        self._task = self._bar.add_task("scoring", total=None, rate="")
        self._bar.start()


if __name__ == "__main__":
    sys.exit(main())
