"""`xent compare`: is one model really better than another?"""

import argparse
import math
from functools import partial
from typing import TYPE_CHECKING, Any

import xent
from xent.commands import tokens
from xent.commands.options import (
    add_columns,
    add_memory,
    add_reading,
    add_shown,
    each_done,
    language,
    print_text,
    read_options,
    refuse_to_overwrite,
    tell,
    write_out,
)
from xent.commands.progress import Progress
from xent.commands.tokens import choices_or_files, is_token_log, refuse_for_tokens, refuse_without_tokens
from xent.errors import OptionError
from xent.report.comparison_text import print_comparison
from xent.report.numbers import decimals, p_value
from xent.texts.catalogue import speaker

if TYPE_CHECKING:
    from xent.report.comparison import Comparison

__all__ = ["EXAMPLES", "add", "run"]

EXAMPLES = """examples:
  xent compare old.parquet new.parquet --on id
  xent compare a.csv b.csv c.csv --group country --unit bits
  xent compare 'a/*.parquet' 'b/*.parquet' --on id --cluster document
  xent compare new.parquet old.parquet --on id --names new,old --fail-if-worse
exit status: 0 done, 1 the first model is worse (with --fail-if-worse), 2 the input or the options were refused
"""


def add(commands: Any) -> None:
    """The arguments of `xent compare`."""
    parser = commands.add_parser(
        "compare",
        help="tell which of several models is better on the same rows, and how sure that is",
        description="Compare the cross-entropy (log loss) of models row by row: difference, interval, p-value, and how "
        "many rows would settle it.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.set_defaults(run=run)
    parser.add_argument("files", nargs="+", metavar="FILE", help="a file or a quoted pattern for each model: CSV, "
                        "Parquet, Arrow, JSON Lines or .npz, with labels and predictions")  # fmt: skip
    columns = add_columns(parser)
    columns.add_argument(
        "--on", metavar="NAME", help="the column that names each row; left out: rows match by position"
    )
    columns.add_argument("--cluster", metavar="NAME", help="what rows belong together in, such as documents or users")
    columns.add_argument("--group", metavar="NAME", help="what to split the difference by")
    add_memory(add_reading(parser), "matching rows")
    tokens.add(parser)
    shown = add_shown(parser)
    shown.add_argument("--names", metavar="A,B,…", help="what to call the models, in place of the files' names")
    gates = parser.add_argument_group("thresholds (exit status 1)")
    gates.add_argument("--fail-if-worse", action="store_true", help="when the first model is worse than any other, "
                       "at 5 %% adjusted for their number")  # fmt: skip


def run(options: argparse.Namespace) -> int:
    """Compare, show, and look whether the first is worse."""
    names = _names(options)
    keys = {"on": options.on, "cluster": options.cluster, "group": options.group}
    refuse_to_overwrite(options.files, {"--html": options.html})
    if options.log_probability is not None or is_token_log(options.files):
        return _of_tokens(options)
    refuse_without_tokens(options)
    with Progress(language(options)) as progress:
        found = xent.compare(
            *(choices_or_files([file]) for file in options.files),
            **read_options(options),
            **keys,
            names=names,
            unit=options.unit,
            max_memory=options.max_memory,
            progress=progress,
        )
    page = [] if options.html is None else [partial(found.html, options.html, language(options))]
    status = each_done(partial(_show, found, options), *page)
    return max(status, _worse(found, language(options)) if options.fail_if_worse else 0)


def _names(options: argparse.Namespace) -> list[str]:
    from xent.scoring.compare_names import model_names

    given = None if options.names is None else [name.strip() for name in options.names.split(",")]
    return model_names(options.files, given, in_memory=False)


def _of_tokens(options: argparse.Namespace) -> int:
    """Two logs of tokens, per byte on the same documents."""
    from xent.scoring.compare_tokens import compare_tokens

    refuse_for_tokens(options, ("html", "unit", "on", "group", "token_count"))
    if len(options.files) != 2:
        raise OptionError(
            f"{len(options.files)} logs of tokens are given, but two can be compared at a time. Pass two."
        )
    names = _names(options)
    found = compare_tokens(
        *options.files,
        names=(names[0], names[1]),
        log_probability=options.log_probability,
        text=options.text,
        byte_count=options.byte_count,
        document=options.cluster,
    )
    _show(found, options)
    infinite = found.difference == math.inf
    shown = found.p_value is not None and found.p_value < 0.05 and (found.difference or 0.0) > 0.0
    if options.fail_if_worse and (infinite or shown):
        say, two = speaker(language(options)), {"first": names[0], "second": names[1]}
        text = say("worse.infinite", **two) if infinite else say("worse.tokens", **two, p=p_value(found.p_value))
        tell(text)
        return 1
    return 0


def _show(found: Any, options: argparse.Namespace) -> int:
    from xent.report.token_report import TokenComparison
    from xent.report.token_text import print_token_comparison

    if options.json:
        write_out(found.json())
        return 0
    shown = print_token_comparison if isinstance(found, TokenComparison) else print_comparison
    print_text(lambda console: shown(found, console, language(options)))
    return 0


def _worse(found: "Comparison", lang: str) -> int:
    """1 if the first model is worse than another, with a line for each."""
    say, first = speaker(lang), found.names[0]
    worse = [pair for pair in found.pairs if pair.first == first and pair.winner == pair.second]
    for pair in worse:
        names = {"first": first, "second": pair.second}
        if pair.interval is None:
            text = say("worse.infinite", **names)
        else:
            p, unit = p_value(pair.adjusted_p_value), say(f"unit.{found.unit}")
            text = say("worse.by", **names, difference=decimals(pair.difference), unit=unit, p=p)
        tell(text)
    return 1 if worse else 0
