"""`xent merge`: add up the states of parts that were scored apart."""

import argparse
from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING, Any

from xent.commands.options import add_memory, add_shown, each_done, language, refuse_to_overwrite, tell
from xent.commands.shown import add_thresholds, missed, outputs
from xent.errors import StateError
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
        description="Report on the rows of several states together, as if one run had scored them all, by their sums alone.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.set_defaults(run=run)
    parser.add_argument("files", nargs="+", metavar="STATE", help="what xent score --state wrote")
    parser.add_argument("-o", "--output", metavar="OUT", help="write the state of all, which is then in memory")
    add_memory(parser, "sums by cluster")
    add_shown(parser)
    add_thresholds(parser)


def run(options: argparse.Namespace) -> int:
    """Merge, write, show, and look at the thresholds."""
    from xent.scoring.merged_report import merged_report
    from xent.scoring.state import State
    from xent.scoring.state_files import refuse_no_state, write_state
    from xent.sources.detect import names_of

    refuse_to_overwrite(options.files, {"--html": options.html, "-o": options.output})
    files = names_of(options.files)
    sources: dict[str, tuple[str, str]] = {}
    keys: dict[str, tuple[str, str]] = {}
    states = _states(files, sources, keys, language(options))
    if options.output is None:
        report = merged_report(states, names=files, unit=options.unit, max_memory=options.max_memory)
        return max(each_done(*outputs(report, options)), missed(report, options))
    refuse_no_state(options.output)
    state = State.merge(states, names=files)
    report = state.report(unit=options.unit)
    columns = {word: column for word, (_, column) in keys.items()}
    scan = {"finished": True, "sources": sorted(sources), "keys": columns} if sources else None
    writing = partial(write_state, options.output, state, scan)
    return max(each_done(*outputs(report, options), writing), missed(report, options))


def _states(
    files: list[str], sources: dict[str, tuple[str, str]], keys: dict[str, tuple[str, str]], lang: str
) -> "Iterator[State]":
    """One after the other, so that only one is in memory.

    `sources` is told which files each has rows of, and `keys` of which columns groups and clusters are.
    """
    from xent.scoring.state_files import saved_state

    say = speaker(lang)
    seen: dict[tuple[Any, ...], str] = {}  # by sums that the same rows have under any name
    one_of_each: dict[bool, str] = {}  # by whether its rows have weights
    for file in files:
        saved = saved_state(file)
        for source, name in saved.sources.items():
            if source in sources:
                _refuse_overlap(sources[source], (file, name))
            sources[source] = file, name
        for word, column in (saved.keys or {}).items():
            first, known = keys.setdefault(word, (file, column))
            if known != column:
                raise StateError(
                    f"{first} has its {word}s from column {known!r}, and {file} from {column!r}, so they cannot be "
                    f"added.\nScore all parts with the same --{word}."
                )
        sums = saved.state.sums
        same = seen.setdefault((sums.loss, sums.loss_squared, *sorted(sums.class_weight.items())), file)
        if same != file and sums.rows:
            tell(say("merge.same", first=same, second=file))
        if sums.rows and one_of_each.setdefault(not sums.unweighted, file) == file and len(one_of_each) == 2:
            tell(say("merge.weights", weighted=one_of_each[True], other=one_of_each[False]))
        yield saved.state


def _refuse_overlap(first: tuple[str, str], second: tuple[str, str]) -> None:
    what = second[1] or first[1] or "one file"  # its name is not kept where states were merged
    raise StateError(
        f"{first[0]} and {second[0]} both have the rows of {what}, which would count double.\n"
        "Leave one of them out, or merge the states that they were made of, each once."
    )
