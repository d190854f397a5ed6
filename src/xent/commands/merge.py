"""`xent merge`: add up the states of parts that were scored apart."""

import argparse
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from xent.commands.options import add_shown, language, refuse_to_overwrite
from xent.commands.shown import add_thresholds, missed, show
from xent.texts.catalogue import speaker

if TYPE_CHECKING:
    from xent.scoring.state import State

__all__ = ["add", "run"]

EXAMPLES = """examples:
  xent score part-17.parquet --label y --state s17.state     a part, anywhere
  xent merge s*.state --html report.html                     the report of all parts
  xent merge s*.state -o monday.state                        and their state, to be merged again
"""


def add(commands: Any) -> None:
    """The arguments of `xent merge`."""
    parser = commands.add_parser(
        "merge",
        help="add up the states of parts that were scored apart",
        description="Report on the rows of several states together: the same numbers as if one run had scored them all.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.set_defaults(run=run)
    parser.add_argument("files", nargs="+", metavar="STATE", help="what xent score --state wrote")
    parser.add_argument("-o", "--output", metavar="OUT", help="write the state of all")
    add_shown(parser)
    add_thresholds(parser)


def run(options: argparse.Namespace) -> int:
    """Merge, write, show, and look at the thresholds."""
    from xent.scoring.state import State
    from xent.scoring.state_files import write_state
    from xent.sources.detect import names_of

    refuse_to_overwrite(options.files, options.html)
    refuse_to_overwrite(options.files, options.output, "-o")
    files = names_of(options.files)
    state = State.merge(_states(files, language(options)), names=files)
    if options.output is not None:
        write_state(options.output, state)
    report = state.report(unit=options.unit)
    show(report, options)
    return missed(report, options)


def _states(files: list[str], lang: str) -> "Iterator[State]":
    """One after the other, so that only one is in memory."""
    from xent.scoring.state_files import saved_state

    seen: dict[str, str] = {}
    for file in files:
        saved = saved_state(file)
        same = seen.setdefault(saved.digest, file)
        if same != file and saved.state.rows:
            text = speaker(lang)("merge.same", first=same, second=file)
            sys.stderr.write(f"xent: {text}\n")
        yield saved.state
