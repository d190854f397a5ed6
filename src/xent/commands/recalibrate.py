"""`xent recalibrate`: apply the cure that a report recommends."""

import argparse
from typing import Any

from xent.commands.options import add_language, language, refuse_to_overwrite, write_out
from xent.commands.progress import Progress
from xent.texts.catalogue import sentence, speaker

__all__ = ["add", "run"]

EXAMPLES = """example:
  xent score validation.parquet --json > report.json
  xent recalibrate test.parquet --with report.json -o cured.parquet
"""


def add(commands: Any) -> None:
    """The arguments of `xent recalibrate`."""
    parser = commands.add_parser(
        "recalibrate",
        help="apply the temperature and the class offsets that a report recommends",
        description="Write a table with its predictions cured, all other columns as they are.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.set_defaults(run=run)
    parser.add_argument("files", nargs="+", metavar="FILE", help="predictions, as for xent score; no labels needed")
    parser.add_argument("--with", dest="report", required=True, metavar="REPORT", help="what xent score --json printed")
    parser.add_argument("-o", "--output", required=True, metavar="OUT", help=".parquet, .csv or .arrow")
    parser.add_argument("--prediction", metavar="NAMES", help="'p_*', or a,b,c, or one column")
    add_language(parser)


def run(options: argparse.Namespace) -> int:
    """Read the report, write the table, say what was done."""
    from xent.scoring.recalibrate import Recipe, recalibrate_table
    from xent.sources.failures import reading

    refuse_to_overwrite([*options.files, options.report], {"-o": options.output})
    with (
        reading(options.report, "Write it with xent score FILE --json > report.json."),
        open(options.report, encoding="utf-8") as file,
    ):
        recipe = Recipe.from_json(file.read(), options.report)
    with Progress(language(options)) as progress:
        rows = recalibrate_table(
            options.files, recipe, options.output, prediction=options.prediction, progress=progress
        )
    cure = recipe.cure
    name = "recalibrated.none" if cure is None else "recalibrated.offsets" if any(cure.offsets) else "recalibrated"
    temperature = 1.0 if cure is None else cure.temperature
    say = speaker(language(options))
    write_out(say(name, rows=sentence("rows", count=rows), temperature=temperature, file=options.output))
    return 0
