"""What several commands ask and show alike."""

import argparse
import io
import math
import os
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from xent.errors import OptionError, XentError
from xent.report.lines import console_on
from xent.texts.catalogue import LANGUAGES, language_of, printable

__all__ = [
    "add_columns",
    "add_language",
    "add_memory",
    "add_reading",
    "add_shown",
    "class_list",
    "each_done",
    "language",
    "let_numbers_be_negative",
    "number",
    "print_text",
    "read_options",
    "refuse",
    "refuse_to_overwrite",
    "share",
    "tell",
    "write_out",
]


def add_columns(parser: argparse.ArgumentParser) -> Any:
    """Which columns are what."""
    columns = parser.add_argument_group("columns (label and predictions are guessed from their names if left out)")
    columns.add_argument("--label", metavar="NAME", help="the column of the labels; 'y_*' for a column a class")
    columns.add_argument("--prediction", metavar="NAMES", help="'p_*', or a,b,c, or one column")
    columns.add_argument("--weight", metavar="NAME", help="the column of sample weights")
    columns.add_argument(
        "--classes", metavar="A,B,…", help="every label, in the order of the prediction columns (--classes=-1,1)"
    )
    return columns


def add_reading(parser: argparse.ArgumentParser) -> Any:
    """How predictions are read."""
    reading = parser.add_argument_group("how to read them")
    reading.add_argument("--kind", choices=("auto", "probabilities", "logits", "log_probabilities"), default="auto")
    reading.add_argument("--task", choices=("auto", "binary", "multiclass", "multilabel"), default="auto")
    reading.add_argument("--normalize", action="store_true", help="divide each row by its sum (counted)")
    reading.add_argument("--clip", type=float, metavar="P", help="clip probabilities to [P, 1 − P] (counted)")
    return reading


def add_memory(reading: Any, what: str) -> None:
    """How much memory may be used."""
    reading.add_argument("--max-memory", metavar="SIZE", help=f"of {what}, such as 2GB; what does not fit goes to files "
                         "in a temporary folder (half of the machine's memory)")  # fmt: skip


def add_shown(parser: argparse.ArgumentParser) -> Any:
    """How the answer is shown."""
    shown = parser.add_argument_group("what to show")
    shown.add_argument("--unit", choices=("nats", "bits"), default="nats")
    shown.add_argument("--html", metavar="OUT", help="write the report as one self-contained page")
    shown.add_argument("--json", action="store_true", help="print the report as JSON in place of the text")
    add_language(shown)
    return shown


def add_language(group: Any) -> None:
    """The language of what is printed; `language` settles it."""
    group.add_argument(
        "--lang", choices=LANGUAGES, help="language of what is shown (that of LC_ALL, LC_MESSAGES or LANG)"
    )


def let_numbers_be_negative(parser: argparse.ArgumentParser) -> None:
    """Let -1e308, -inf and -1,2,3 be numbers of a list, as -1 is, and not unknown options."""
    parser._negative_number_matcher = re.compile(r"-(?:\.?\d|inf)", re.IGNORECASE)


def language(options: argparse.Namespace) -> str:
    """The language asked for, or that of the environment."""
    return getattr(options, "lang", None) or language_of(os.environ)  # tokens may come with a parser of their own


def read_options(options: argparse.Namespace) -> dict[str, Any]:
    """The arguments of `xent.scan` that `add_columns` and `add_reading` asked for."""
    return {
        "label": options.label,
        "prediction": options.prediction,
        "sample_weight": options.weight,
        "classes": class_list(options.classes),
        "kind": options.kind,
        "task": options.task,
        "normalize": options.normalize,
        "clip": options.clip,
    }


def class_list(text: str | None) -> list[str | int] | None:
    """Classes given on the command line; a whole number is one.

    Raises:
        OptionError: one has no name.
    """
    if text is None:
        return None
    names = [name.strip() for name in text.split(",")]
    if "" in names:
        raise OptionError(
            f"--classes is {text!r}, in which entry {names.index('') + 1} is empty.\n"
            "Write every label, with one comma between two; or leave the option out, and xent finds them."
        )
    return [int(name) if name.lstrip("-").isdigit() else name for name in names]


def number(text: str) -> float:
    """A number that can be compared with."""
    value = float(text)
    if math.isnan(value):
        raise argparse.ArgumentTypeError("nan is no threshold")
    return value


def share(text: str) -> float:
    """A share, not percents."""
    value = number(text)
    if value > 1.0:
        raise argparse.ArgumentTypeError(f"{text} is above 1; a skill of 50 % is 0.5")
    return value


def refuse_to_overwrite(files: Sequence[str], outputs: Mapping[str, str | None]) -> None:
    """Refuse an output that is no file, an input, another output, or cannot be written, before any work is done.

    Args:
        files: the names of the inputs, as `xent.sources.detect.names_of` takes them.
        outputs: by flag.
    """
    written: dict[str, str] = {}
    for flag, output in outputs.items():
        if output is None:
            continue
        _refuse_output(files, output, flag)
        other = written.setdefault(os.path.realpath(output), flag)
        if other != flag:
            raise OptionError(f"{flag} {output} is the file of {other} too. Give each a name of its own.")


def _refuse_output(files: Sequence[str], output: str, flag: str) -> None:
    from xent.sources.detect import local_files  # heavy, as is what it needs
    from xent.sources.failures import shown

    if "://" in output:
        raise OptionError(f"{flag} {shown(output)} is no file of this machine. Write one, and copy it there.")
    if output == "-":
        raise OptionError(f"{flag} - names no file: standard output has what is printed. Name a file.")
    if not os.path.isdir(os.path.dirname(output) or "."):
        raise OptionError(f"{flag} {output} is in a folder that does not exist. Make it first, or name another.")
    if os.path.exists(output) and any(os.path.samefile(name, output) for name in local_files(files)):
        raise OptionError(f"{flag} {output} would overwrite one of the files to read. Give the output another name.")
    _try_to_write(output, flag)


def _try_to_write(output: str, flag: str) -> None:
    """What is there is left as it is, and nothing is left where nothing was."""
    there = os.path.exists(output)
    if there and not os.path.isfile(output) and not os.path.isdir(output):
        return  # a pipe, which waits for its reader
    tried = output if there else f"{output}.{os.getpid()}.partial"
    try:
        with open(tried, "ab"):
            pass
        if not there:
            os.unlink(tried)
    except OSError as error:
        raise OptionError(f"{flag} {output} cannot be written: {error.strerror}. Name another file.") from error


def tell(text: str) -> None:
    """A line beside the output."""
    sys.stderr.write(f"xent: {text}\n")


def refuse(error: BaseException, what: str | None = None) -> int:
    """Say what is wrong, and what else was while that came about, in a line each; the exit status is 2."""
    named = f"{type(error).__name__}: {error}" if isinstance(error, XentError) else str(error)
    for message in (what or named, *getattr(error, "__notes__", ())):
        tell(printable(" ".join(message.split())))
    return 2


def each_done(*outputs: Callable[[], object]) -> int:
    """Make each output, whatever becomes of the others; what cannot be made is said at the end, and the status is 2."""
    failed: list[Exception] = []
    for output in outputs:
        try:
            output()
        except (XentError, OSError) as error:
            failed.append(error)
    return max(map(refuse, failed), default=0)


def write_out(text: str) -> None:
    """Print a line, or lines, where there is a standard output."""
    if sys.stdout is None:
        return
    try:
        sys.stdout.write(text + "\n")
        sys.stdout.flush()
    except BrokenPipeError:  # the reader, such as `head`, has seen enough; a page may still be to be written
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def print_text(show: Callable[[Any], None]) -> None:
    """Print what `show` puts on a rich console: as the terminal has it, or in 120 columns where there is none."""
    if sys.stdout is None:
        return
    screen = console_on(sys.stdout)
    width = screen.width if screen.is_terminal or "COLUMNS" in os.environ else 120
    buffer = io.StringIO()
    show(console_on(buffer, force_terminal=screen.is_terminal, width=width))
    write_out("\n".join(line.rstrip() for line in buffer.getvalue().splitlines()))
