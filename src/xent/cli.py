"""The command `xent`: parse, call one function, print."""

import argparse
import io
import os
import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager


@contextmanager
def _quietly_interrupted() -> Iterator[None]:
    """End the process at once on Ctrl-C: an exception would be taken for a broken package by some that load others."""

    def end(*_: object) -> None:
        os.write(2, b"xent: interrupted\n")
        os._exit(130)

    usual = signal.getsignal(signal.SIGINT) is signal.default_int_handler
    if not usual or threading.current_thread() is not threading.main_thread():
        yield
        return
    signal.signal(signal.SIGINT, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)


with _quietly_interrupted():  # these take some tenths of a second
    import xent
    from xent.commands import check, compare, conventions, explain, explore, merge, recalibrate, score
    from xent.commands.options import language, refuse
    from xent.errors import XentError
    from xent.texts.catalogue import text

__all__ = ["main", "script"]

COMMANDS = (score, check, compare, merge, recalibrate, explain, conventions, explore)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; the exit status is 0 for success, 1 for a missed threshold, 2 for refused input."""
    try:
        for stream in (sys.stdout, sys.stderr):
            if isinstance(stream, io.TextIOWrapper):
                stream.reconfigure(errors="replace")  # a terminal without − still gets its report
        options = _parsed(arguments)
        if hasattr(options, "lang") and not _can_show(language(options)):
            print(f"xent: {sys.stdout.encoding} cannot show the language asked for, so English is shown; "  # noqa: T201
                  "PYTHONIOENCODING=utf-8 changes that", file=sys.stderr)  # fmt: skip
            options.lang = "en"
        return int(options.run(options))
    except BrokenPipeError:  # nobody reads what goes wrong
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stderr.fileno())
        return 0
    except (XentError, OSError) as error:
        return refuse(error)
    except KeyboardInterrupt as error:
        refuse(error, "interrupted")
        return 130


def script() -> None:
    """`main` as a process of its own; once all is said it ends by itself, and Ctrl-C would only keep it from cleaning up."""
    status = main()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    sys.exit(status)


def _parsed(arguments: Sequence[str] | None) -> argparse.Namespace:
    """The options; files may also stand behind them, where argparse leaves them over."""
    parser = _parser()
    options, left = parser.parse_known_args(arguments)
    files: list[str] = getattr(options, "files", None) or []
    if left and (not files or any(one.startswith("-") and one != "-" for one in left)):
        parser.error(f"unrecognized arguments: {' '.join(left)}")
    if left:
        options.files = [*files, *left]
    return options


def _can_show(lang: str) -> bool:
    """Whether what is printed has the letters of that language, and not a ? for each."""
    try:
        text(lang, "sum").encode(getattr(sys.stdout, "encoding", None) or "utf-8")
    except UnicodeEncodeError:
        return False
    return True


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="xent",
        description="Cross-entropy: what it says about a table of predictions.",
        epilog=score.EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"xent {xent.__version__}")
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    for command in COMMANDS:
        command.add(commands)
    return parser


if __name__ == "__main__":
    script()
