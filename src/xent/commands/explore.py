"""`xent explore`: the playground, written and opened in a browser."""

import argparse
from pathlib import Path
from typing import Any

from xent.commands.options import add_language, language, write_out
from xent.playground.explore import PAGE, explore, show
from xent.texts.catalogue import speaker

__all__ = ["EXAMPLES", "add", "run"]

EXAMPLES = """examples:
  xent explore                                     write the playground here and open it in the browser
  xent explore -o lesson.html --lang zh --no-open  write it in Chinese
exit status: 0 done, 2 the page could not be written
"""


def add(commands: Any) -> None:
    """The arguments of `xent explore`."""
    parser = commands.add_parser(
        "explore",
        help="open the playground: cross-entropy by hand, on one page in the browser",
        description="Write the playground, one page that needs no network, and open it in the browser.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.set_defaults(run=run)
    parser.add_argument("-o", "--output", metavar="OUT", default=PAGE, help=f"where to write the page ({PAGE})")
    parser.add_argument("--no-open", action="store_true", help="write the page and do not open it")
    add_language(parser)


def run(options: argparse.Namespace) -> int:
    """Write the page, say where it is, and open it."""
    say = speaker(language(options))
    page = explore(Path(options.output), lang=language(options), open_browser=False)
    write_out(say("explore.page", file=str(page)))
    if not options.no_open and not show(page):
        write_out(say("explore.no_browser", address=page.resolve().as_uri()))
    return 0
