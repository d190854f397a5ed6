"""`xent score`: judge a table of predictions."""

import argparse
import sys
from typing import TYPE_CHECKING, Any

import xent
from xent.commands import baseline, engine, tokens
from xent.commands.options import (
    add_columns,
    add_reading,
    add_shown,
    number,
    print_text,
    read_options,
    refuse_to_overwrite,
    share,
    write_out,
)
from xent.commands.progress import Progress

if TYPE_CHECKING:
    from xent.report.model import Report

__all__ = ["EXAMPLES", "add", "run"]

EXAMPLES = """examples:
  xent score predictions.csv                       guess the columns, and say which were taken
  xent score 'preds/*.parquet' --label y --prediction 'p_*' --html report.html
  xent score logits.parquet --kind logits --unit bits --json
  xent score tags.csv --task multilabel --label 'y_*' --prediction 'p_*'
  zcat predictions.csv.gz | xent score - --fail-above 0.3
  xent score new.parquet --baseline-report old.json --fail-if-worse
exit status: 0 done, 1 a threshold is missed, 2 the input or the options were refused
"""


def add(commands: Any) -> None:
    """The arguments of `xent score`."""
    parser = commands.add_parser(
        "score",
        help="judge predictions: the loss, its interval, the baseline, where it is bad",
        description="Judge a table of predictions by its cross-entropy (log loss).",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.set_defaults(run=run)
    parser.add_argument("files", nargs="+", metavar="FILE", help="CSV, Parquet, Arrow, JSON Lines or .npz; several "
                        "files and patterns are one data set; - is standard input")  # fmt: skip
    columns = add_columns(parser)
    columns.add_argument("--group", metavar="NAME", help="which groups differ from the rest")
    columns.add_argument(
        "--cluster", metavar="NAME", help="rows that belong together, such as a user's or a document's"
    )
    add_reading(parser)
    tokens.add(parser)
    engine.add(parser)
    shown = add_shown(parser)
    shown.add_argument("--top", type=int, default=5, metavar="N", help="how many of the worst rows (5)")
    shown.add_argument("--holdout", action="store_true", help="fit cures on half of the rows, report on the other")
    depth = shown.add_mutually_exclusive_group()
    depth.add_argument("--brief", action="store_true", default=None, help="without what the loss is made of: faster")
    depth.add_argument("--full", action="store_false", dest="brief", help="with it, however long it takes")
    gates = parser.add_argument_group("thresholds (exit status 1)")
    gates.add_argument("--fail-above", type=number, metavar="X", help="when the loss is above X (in the unit)")
    gates.add_argument("--fail-below-skill", type=share, metavar="X", help="when the skill is below X, such as 0.5")
    baseline.add(gates)


def run(options: argparse.Namespace) -> int:
    """Score, show, and look at the thresholds."""
    refuse_to_overwrite(options.files, options.html)
    old = baseline.opened(options)
    if options.log_probability is not None or tokens.is_token_log(options.files):
        baseline.refuse_for_tokens(options)
        return tokens.run(options)
    with Progress() as progress:
        report = xent.scan(
            tokens.choices_or_files(options.files),
            **read_options(options),
            group=options.group,
            cluster=options.cluster,
            unit=options.unit,
            top=options.top,
            brief=options.brief,
            holdout=options.holdout,
            progress=progress,
            engine=engine.chosen(options),
        )
    change = baseline.compared(report, old, options)
    if options.html is not None:
        report.html(options.html)
    if options.json:
        write_out(report.json())
    else:
        from xent.report.text import print_report

        print_text(lambda console: print_report(report, console))
    return max(_missed(report, options), baseline.worse(change, options))


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
