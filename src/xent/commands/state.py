"""What `xent score` does to be stopped, to go on, and to be one of many."""

import argparse
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager

from xent.commands.options import language, tell
from xent.texts.catalogue import speaker

__all__ = ["add", "kept"]


def add(parser: argparse.ArgumentParser) -> None:
    """The arguments."""
    group = parser.add_argument_group("many files, long runs")
    group.add_argument("--on-bad-file", choices=("stop", "skip"), default="stop", help="skip: leave out files that "
                       "cannot be read, and list them")  # fmt: skip
    group.add_argument("--state", metavar="OUT", help="write the sums over all rows, for xent merge; those so far are "
                       "kept there while it runs")  # fmt: skip
    group.add_argument("--resume", action="store_true", help="go on from what the file of --state has")


@contextmanager
def kept(options: argparse.Namespace) -> Iterator[None]:
    """With --state, a scheduler's request to end is an interruption like Ctrl-C, and either says how to go on."""
    if options.state is None:
        yield
        return
    before, there = signal.signal(signal.SIGTERM, signal.default_int_handler), _writing(options.state)
    try:
        yield
    except KeyboardInterrupt as error:
        now = _writing(options.state)
        some = now is not None and (options.resume or now != there)
        text = speaker(language(options))("kept" if some else "kept.nothing", file=options.state)
        if not hasattr(error, "__notes__"):  # which say why it could not be written
            tell(text)
        raise
    finally:
        signal.signal(signal.SIGTERM, before)


def _writing(path: str) -> tuple[int, int] | None:
    """What tells one writing of a file from the next; None if it is not there."""
    if not os.path.exists(path):
        return None
    found = os.stat(path)
    return found.st_ino, found.st_mtime_ns
