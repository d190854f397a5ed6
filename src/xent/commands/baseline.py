"""`xent score --baseline-report`: is the model worse than it was?"""

import argparse
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from xent.commands.options import language, read_options, tell
from xent.errors import OptionError
from xent.texts.catalogue import said

if TYPE_CHECKING:
    from xent.report.model import Report
    from xent.scoring.gate import Change
    from xent.scoring.measured import Measured

__all__ = ["add", "compared", "opened", "refuse_for_tokens", "worse"]


def add(gates: Any) -> None:
    """The arguments, in the group of the thresholds."""
    gates.add_argument("--fail-if-worse", action="store_true", help="when the loss is worse than the old one, at 5 %%")
    gates.add_argument("--baseline-report", metavar="OLD", help="the old report (of --json), or the old predictions, "
                       "which are then compared row by row")  # fmt: skip
    gates.add_argument("--on", metavar="NAME", help="beside old predictions: the column that names each row")


def opened(options: argparse.Namespace) -> "Measured | None":
    """The old report, looked at before the work begins; None for old predictions, or without any."""
    if options.baseline_report is None:
        given = [flag for flag, value in (("--fail-if-worse", options.fail_if_worse), ("--on", options.on)) if value]
        if given:
            raise OptionError(f"{given[0]} needs --baseline-report OLD: the old report, or the old predictions.")
        return None
    from xent.scoring.measured import read_report

    found = read_report(options.baseline_report)
    if found is not None and options.on is not None:
        raise OptionError(
            f"--on names a column of rows, but {options.baseline_report} is a report, which carries none. "
            "Pass the old predictions in its place, or leave --on out."
        )
    return found


def refuse_for_tokens(options: argparse.Namespace) -> None:
    """Refuse to compare the costs of tokens here."""
    if options.baseline_report is not None:
        raise OptionError("--baseline-report is for predictions, not for tokens. Pass both files to xent compare.")


def compared(
    report: "Report", old: "Measured | None", options: argparse.Namespace, sources: Sequence[Any]
) -> "Change | None":
    """The new report against the old one, or against the old predictions; None if there are neither."""
    if options.baseline_report is None:
        return None
    from xent.scoring.gate import against_predictions, against_report
    from xent.scoring.measured import measured

    if old is not None:
        return against_report(measured(report), old, options.baseline_report)
    again = {**read_options(options), "cluster": options.cluster}
    return against_predictions(report, sources, options.baseline_report, options.on, again)


def worse(change: "Change | None", options: argparse.Namespace) -> int:
    """1 if the loss is worse and must not be; says in a line what was tested and found."""
    if change is None:
        return 0
    tell(said(change.spoken(), language(options)))
    return 1 if options.fail_if_worse and change.outcome == "worse" else 0
