"""A report on the screen, as JSON, as a page, and against the thresholds that were set."""

import argparse
import sys
from typing import TYPE_CHECKING, Any

from xent.commands.options import language, number, print_text, share, write_out
from xent.texts.catalogue import speaker

if TYPE_CHECKING:
    from xent.report.model import Report

__all__ = ["add_thresholds", "missed", "show"]


def add_thresholds(parser: argparse.ArgumentParser) -> Any:
    """What makes the exit status 1."""
    gates = parser.add_argument_group("thresholds (exit status 1)")
    gates.add_argument("--fail-above", type=number, metavar="X", help="when the loss is above X (in the unit)")
    gates.add_argument("--fail-below-skill", type=share, metavar="X", help="when the skill is below X, such as 0.5")
    return gates


def show(report: "Report", options: argparse.Namespace) -> None:
    """Print the report, and write the page if one was asked for: should that fail, the report is not lost."""
    if options.json:
        write_out(report.json())
    else:
        from xent.report.text import print_report

        print_text(lambda console: print_report(report, console, language(options)))
    if options.html is not None:
        report.html(options.html, language(options))


def missed(report: "Report", options: argparse.Namespace) -> int:
    """1 if a threshold is missed, with a line that says which."""
    say, found = speaker(language(options)), []
    if options.fail_above is not None and not report.loss <= options.fail_above:
        unit = say(f"unit.{report.unit}")
        found.append(say("missed.above", loss=report.loss, unit=unit, limit=options.fail_above))
    if options.fail_below_skill is not None and (report.skill is None or report.skill < options.fail_below_skill):
        if report.skill is None:
            found.append(say("missed.skill.undefined"))
        else:
            found.append(say("missed.skill", skill=report.skill, limit=options.fail_below_skill))
    for text in found:
        sys.stderr.write(f"xent: {text}\n")
    return 1 if found else 0
