"""`xent score`: judge a table of predictions."""

import argparse
from typing import TYPE_CHECKING, Any

import xent
from xent.commands import baseline, engine, sql, state, tokens
from xent.commands.options import (
    add_columns,
    add_memory,
    add_reading,
    add_shown,
    each_done,
    language,
    read_options,
    refuse,
    refuse_to_overwrite,
)
from xent.commands.progress import Progress
from xent.commands.shown import add_thresholds, missed, outputs
from xent.errors import UnsavedError

if TYPE_CHECKING:
    from xent.report.model import Report
    from xent.sources.sql import Query

__all__ = ["EXAMPLES", "add", "run"]

EXAMPLES = """examples:
  xent score predictions.csv                       guess the columns, and say which were taken
  xent score 'preds/*.parquet' --label y --prediction 'p_*' --html report.html
  xent score logits.parquet --kind logits --unit bits --json
  xent score tags.csv --task multilabel --label 'y_*' --prediction 'p_*'
  zcat predictions.csv.gz | xent score - --fail-above 0.3
  xent score --sql 'select label, p_0, p_1 from predictions' --connect postgresql://user@host/database
  xent score new.parquet --baseline-report old.json --fail-if-worse
  xent score part-17.parquet --state s17.state && xent merge s*.state
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
    parser.add_argument("files", nargs="*", metavar="FILE", help="CSV, Parquet, Arrow, JSON Lines or .npz; several "
                        "files and patterns are one data set; - is standard input")  # fmt: skip
    sql.add(parser)
    columns = add_columns(parser)
    columns.add_argument("--group", metavar="NAME", help="which groups differ from the rest")
    columns.add_argument(
        "--cluster", metavar="NAME", help="rows that belong together, such as a user's or a document's"
    )
    add_memory(add_reading(parser), "sums by cluster")
    tokens.add(parser)
    engine.add(parser)
    shown = add_shown(parser)
    shown.add_argument("--top", type=int, default=5, metavar="N", help="how many of the worst rows (5)")
    shown.add_argument("--holdout", action="store_true", help="fit cures on half of the rows, report on the other")
    depth = shown.add_mutually_exclusive_group()
    depth.add_argument("--brief", action="store_true", default=None, help="without what the loss is made of: faster")
    depth.add_argument("--full", action="store_false", dest="brief", help="with it, however long it takes")
    state.add(parser)
    baseline.add(add_thresholds(parser))


def run(options: argparse.Namespace) -> int:
    """Score, show, and look at the thresholds."""
    query = sql.asked(options)
    old_file = [] if options.baseline_report is None else [options.baseline_report]
    refuse_to_overwrite([*options.files, *old_file], {"--html": options.html, "--state": options.state})
    old = baseline.opened(options)
    if options.log_probability is not None or tokens.is_token_log(options.files):
        baseline.refuse_for_tokens(options)
        return tokens.run(options, query)
    tokens.refuse_without_tokens(options)
    try:
        report, unsaved = _scanned(options, query), None
    except UnsavedError as error:
        report, unsaved = error.report, error
    status = each_done(*outputs(report, options))
    if unsaved is not None:
        status = refuse(unsaved)
    status = max(status, missed(report, options))
    change = baseline.compared(report, old, options, [query] if query else options.files)
    return max(status, baseline.worse(change, options))


def _scanned(options: argparse.Namespace, query: "Query | None") -> "Report":
    with Progress(language(options)) as progress, state.kept(options):
        return xent.scan(
            query or tokens.choices_or_files(options.files),
            **read_options(options),
            group=options.group,
            cluster=options.cluster,
            unit=options.unit,
            top=options.top,
            brief=options.brief,
            holdout=options.holdout,
            on_bad_file=options.on_bad_file,
            state=options.state,
            resume=options.resume,
            max_memory=options.max_memory,
            progress=progress,
            engine=engine.chosen(options),
        )
