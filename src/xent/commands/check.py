"""`xent check`: what is wrong with a table of predictions."""

import argparse
from typing import Any

import xent
from xent.commands.options import add_columns, add_language, class_list, language, print_text, write_out
from xent.commands.progress import Progress
from xent.commands.tokens import choices_or_files, is_token_log
from xent.errors import OptionError
from xent.report.checkup import print_checkup

__all__ = ["EXAMPLES", "add", "run"]

EXAMPLES = """examples:
  xent check predictions.csv                       guess the columns, and say all that is wrong
  xent check 'preds/*.parquet' --label y --prediction 'p_*' --on example_id
  xent check logits.parquet --kind logits --json
exit status: 0 nothing serious, 1 something serious, 2 the file cannot be read at all
"""


def add(commands: Any) -> None:
    """The arguments of `xent check`."""
    parser = commands.add_parser(
        "check",
        help="look for what is wrong with predictions: permuted columns, shifted labels, duplicates, rounding, …",
        description="Read a table of predictions once, and say all that is wrong with it and what to do.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.set_defaults(run=run)
    parser.add_argument("files", nargs="+", metavar="FILE", help="CSV, Parquet, Arrow, JSON Lines or .npz; several "
                        "files and patterns are one data set; - is standard input")  # fmt: skip
    columns = add_columns(parser)
    columns.add_argument(
        "--on", metavar="NAME", help="the column that tells rows apart (id, row_id, example_id or uid)"
    )
    reading = parser.add_argument_group("how to read them")
    reading.add_argument("--kind", choices=("auto", "probabilities", "logits", "log_probabilities"), default="auto")
    reading.add_argument("--task", choices=("auto", "binary", "multiclass", "multilabel"), default="auto")
    shown = parser.add_argument_group("what to show")
    shown.add_argument("--json", action="store_true", help="print the findings as JSON in place of the text")
    add_language(shown)


def run(options: argparse.Namespace) -> int:
    """Look, and say what was found; the exit status is 1 if any of it is serious."""
    if is_token_log(options.files):
        raise OptionError(
            "these are logs of tokens, and check looks at predictions of classes. Use xent score for them."
        )
    with Progress(language(options)) as progress:
        checkup = xent.check(
            choices_or_files(options.files),
            label=options.label,
            prediction=options.prediction,
            sample_weight=options.weight,
            on=options.on,
            kind=options.kind,
            task=options.task,
            classes=class_list(options.classes),
            progress=progress,
        )
    if not options.json:
        print_text(lambda console: print_checkup(checkup, console, language(options)))
    else:
        write_out(checkup.json())
    return 1 if checkup.serious else 0
