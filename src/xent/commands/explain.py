"""`xent explain`: a cross-entropy step by step, with the numbers given."""

import argparse
from typing import Any

import xent
from xent.commands.options import (
    add_language,
    class_list,
    language,
    let_numbers_be_negative,
    print_text,
    write_out,
)
from xent.commands.tokens import choices_or_files, is_token_log
from xent.errors import OptionError
from xent.report.explanation_text import print_explanation

__all__ = ["EXAMPLES", "add", "numbers", "run", "show"]

EXAMPLES = """examples:
  xent explain --logits 4.334 2.90 0.01 --label 0 --names basketball tennis football
  xent explain --p 0.10 0.40 0.50 --q 0.80 0.15 0.05 --unit bits
  xent explain --q 0.3 0.6 0.1 --label 1           one row: what happened, and the probabilities given
  xent explain --binary 1 0.8                      or 1,1,0 0.8,0.9,0.1 for several rows
  xent explain --multilabel 0,1,1 0.1,0.7,0.8
  xent explain --gaussian 3.0,1.5 2.5,2.0 --std 1  mean squared error as cross-entropy
  xent explain predictions.csv --row 17
exit status: 0 done, 2 the input or the options were refused
"""


def add(commands: Any) -> None:
    """The arguments of `xent explain`."""
    parser = commands.add_parser(
        "explain",
        help="explain a cross-entropy step by step, with your own numbers",
        description="Explain a cross-entropy step by step: what is done, why, and what comes out.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.set_defaults(run=run)
    let_numbers_be_negative(parser)
    what = parser.add_argument_group("what to explain (one of these)")
    what.add_argument("source", nargs="*", metavar="FILE", help="a row of a table of predictions, with --row")
    what.add_argument("--logits", nargs="+", type=numbers, metavar="Z", help="softmax cross-entropy, with --label")
    what.add_argument("--p", nargs="+", type=numbers, metavar="P", help="what happens: entropy; with --q cross-entropy")
    what.add_argument("--q", nargs="+", type=numbers, metavar="Q", help="what was expected; with --p, or with --label")
    pairs = ("binary", "LABELS", "PROBABILITIES"), ("multilabel", "LABELS", "PROBABILITIES"), ("gaussian", "VALUES",
             "PREDICTIONS")  # fmt: skip
    for name, *metavar in pairs:
        what.add_argument(f"--{name}", nargs=2, type=numbers, metavar=tuple(metavar), help=PAIRS[name])
    more = parser.add_argument_group("more of it")
    more.add_argument("--label", metavar="K", help="the class that happened: its position from 0, or its name; with FILE "
                      "the column of the labels")  # fmt: skip
    more.add_argument("--names", nargs="+", metavar="NAME", help="of the classes or outcomes")
    more.add_argument("--std", type=float, metavar="S", help="of the Gaussians (1)")
    more.add_argument("--row", type=int, metavar="N", help="of FILE, counted from 0 within the data set")
    more.add_argument("--prediction", metavar="NAMES", help="of FILE: 'p_*', or a,b,c, or one column")
    more.add_argument("--classes", metavar="A,B,…", help="of FILE: every label, in the order of the columns")
    more.add_argument("--kind", choices=("auto", "probabilities", "logits", "log_probabilities"), default="auto")
    more.add_argument("--task", choices=("auto", "binary", "multiclass", "multilabel"), default="auto")
    shown = parser.add_argument_group("what to show")
    shown.add_argument("--unit", choices=("nats", "bits"), default="nats")
    shown.add_argument("--json", action="store_true", help="print the steps as JSON in place of the text")
    add_language(shown)


PAIRS = {
    "binary": "binary cross-entropy: a label and a probability of yes, or lists a,b,c",
    "multilabel": "labels of one row (0 or 1) and probabilities, as lists a,b,c",
    "gaussian": "mean squared error as cross-entropy, lists a,b,c",
}


def numbers(text: str) -> list[float]:
    """A number, or several joined by commas."""
    try:
        return [float(part) for part in text.split(",") if part.strip()]
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no number, nor numbers joined by commas") from None


def run(options: argparse.Namespace) -> int:
    """Explain, and print."""
    given = {name: getattr(options, name) for name in ("row", "std", "names", "prediction", "kind", "task", "unit")}
    for name in ("logits", "p", "q"):
        lists = getattr(options, name)
        given[name] = None if lists is None else [value for part in lists for value in part]
    for name in PAIRS:
        pair = getattr(options, name)
        given[name] = None if pair is None else tuple(pair)
    if options.row is None and options.source and not any(given[name] for name in ("logits", "p", "q", *PAIRS)):
        raise OptionError("which row of the file? Pass --row N; rows are counted from 0.")
    if options.source and is_token_log(options.source):
        raise OptionError("these are logs of tokens, and a row of predictions of classes is explained. Use xent score.")
    for name in ("logits", "p", "q"):
        if options.source and given[name]:
            raise OptionError(
                f"{' '.join(options.source)!r} is taken for a FILE, beside --{name}, but one thing is explained at a time.\n"
                f"The numbers of --{name} follow it (--{name} -1 2), or are joined by commas (--{name}=-1,2)."
            )
    explanation = xent.explain(
        choices_or_files(options.source) if options.source else None,
        **given,
        label=options.label,
        classes=class_list(options.classes),
        lang=language(options),
    )
    return show(explanation, options)


def show(explanation: Any, options: argparse.Namespace) -> int:
    """As JSON or as text."""
    if options.json:
        write_out(explanation.json())
    else:
        print_text(lambda console: print_explanation(explanation, console))
    return 0
