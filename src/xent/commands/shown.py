"""A report on the screen, as JSON, as a page, and against the thresholds that were set."""

import argparse
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from xent.commands.options import language, number, print_text, share, tell, write_out
from xent.texts.catalogue import speaker

if TYPE_CHECKING:
    from xent.report.model import Report

__all__ = ["add_thresholds", "missed", "outputs"]


def add_thresholds(parser: argparse.ArgumentParser) -> Any:
    """What makes the exit status 1."""
    gates = parser.add_argument_group("thresholds (exit status 1)")
    gates.add_argument("--fail-above", type=number, metavar="X", help="when the loss is above X (in the unit)")
    gates.add_argument("--fail-below-skill", type=share, metavar="X", help="when the skill is below X, such as 0.5")
    return gates


def outputs(report: "Report", options: argparse.Namespace) -> list[Callable[[], object]]:
    """What prints the report, and what writes the page if one was asked for."""
    page = [] if options.html is None else [partial(report.html, options.html, language(options))]
    return [partial(_print, report, options), *page]


def _print(report: "Report", options: argparse.Namespace) -> None:
    if options.json:
        write_out(report.json())
        return
    from xent.report.text import print_report

    print_text(lambda console: print_report(report, console, language(options)))


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
        tell(text)
    return 1 if found else 0
