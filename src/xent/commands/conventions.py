"""`xent compare-conventions`: what libraries compute for the same numbers."""

import argparse
import importlib.util
import os
from typing import Any

import xent
from xent.commands.explain import numbers, show
from xent.commands.options import add_language, language, let_numbers_be_negative

__all__ = ["EXAMPLES", "add", "run"]

EXAMPLES = """examples:
  xent compare-conventions --labels 1 2 --predictions 0.05,0.95,0.05 0.1,0.8,0.1
  xent compare-conventions --labels 1 1 0 --predictions 0.8 0 0.1          the probability of class 1, a number a row
  xent compare-conventions --labels 0 --predictions 4.334,2.90,0.01 --kind logits
exit status: 0 done, 2 the input or the options were refused
"""


def add(commands: Any) -> None:
    """The arguments of `xent compare-conventions`."""
    parser = commands.add_parser(
        "compare-conventions",
        help="what xent, scikit-learn, Keras and PyTorch compute for the same numbers, and why they differ",
        description="Show what xent, scikit-learn, Keras and PyTorch compute for the same rows, and why they differ.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.set_defaults(run=run)
    let_numbers_be_negative(parser)
    parser.add_argument("--labels", nargs="+", type=numbers, required=True, metavar="K",
                        help="the class of each row, from 0; or a one-hot list 0,1,0 for each")  # fmt: skip
    parser.add_argument("--predictions", nargs="+", type=numbers, required=True, metavar="P",
                        help="a list a,b,c for each row; or a number for each, of class 1 of two")  # fmt: skip
    parser.add_argument("--kind", choices=("probabilities", "logits"), default="probabilities")
    parser.add_argument("--dtype", choices=("float64", "float32"), default="float64")
    shown = parser.add_argument_group("what to show")
    shown.add_argument("--by-formula", action="store_true", help="do not ask the libraries that are installed")
    shown.add_argument("--json", action="store_true", help="print the steps as JSON in place of the text")
    add_language(shown)


def run(options: argparse.Namespace) -> int:
    """Compare, and print."""
    if not options.by_formula:
        _choose_what_keras_runs_on()
    labels, predictions = (_rows(lists) for lists in (options.labels, options.predictions))
    explanation = xent.compare_conventions(
        labels,
        predictions,
        kind=options.kind,
        dtype=options.dtype,
        libraries=not options.by_formula,
        lang=language(options),
    )
    return show(explanation, options)


def _rows(lists: list[list[float]]) -> list[Any]:
    """Numbers where every row has one; `1,1,0` alone are three rows."""
    if len(lists) == 1 and len(lists[0]) > 1:
        return lists
    return [row[0] if len(row) == 1 else row for row in lists]


def _choose_what_keras_runs_on() -> None:
    """Keras looks for TensorFlow unless told otherwise, before it is imported. This process is the command's own."""
    if os.environ.get("KERAS_BACKEND") is None:
        found = next((name for name in ("torch", "jax", "tensorflow") if importlib.util.find_spec(name)), None)
        if found is not None:
            os.environ["KERAS_BACKEND"] = found
