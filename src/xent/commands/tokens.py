"""What `xent score` asks and does where the input is log-probabilities of tokens."""

import argparse
from typing import TYPE_CHECKING, Any

from xent.commands.options import language, print_text, tell, write_out
from xent.commands.progress import Progress
from xent.errors import OptionError
from xent.texts.catalogue import speaker

if TYPE_CHECKING:
    from xent.report.token_report import TokenReport

__all__ = ["add", "choices_or_files", "is_token_log", "refuse_for_tokens", "refuse_without_tokens", "run"]


ALONE = ("state", "resume", "on_bad_file", "engine", "workers", "address")  # of xent score, for many files
OF_TOKENS = {"text": "--text", "byte_count": "--bytes", "token_count": "--tokens"}


def add(parser: argparse.ArgumentParser) -> None:
    """The arguments, beside the --cluster that the parser has already."""
    group = parser.add_argument_group("tokens of a language model (logs with logprobs are known by their content)")
    group.add_argument(
        "--log-probability", metavar="NAME", help="the column of log-probabilities, a token a row (nats)"
    )
    group.add_argument("--text", metavar="NAME", help="the column of the tokens' text: counts words, characters, bytes")
    group.add_argument("--bytes", metavar="NAME", dest="byte_count", help="the column of the bytes of each row")
    group.add_argument("--tokens", metavar="NAME", dest="token_count", help="the column of the tokens of each row (1)")


def run(options: argparse.Namespace, source: Any = None) -> int:
    """Score the files, or `source` in their place; show, and look at the threshold, which is on the number shown first."""
    from xent.report.token_text import print_token_report
    from xent.scoring.tokens import score_tokens

    refuse_for_tokens(options, (*ALONE, "html", "unit", "fail_below_skill", "group", "holdout", "brief"))
    with Progress(language(options)) as progress:
        report = score_tokens(
            options.files if source is None else source,
            log_probability=options.log_probability,
            text=options.text,
            byte_count=options.byte_count,
            token_count=options.token_count,
            document=options.cluster,
            top=getattr(options, "top", 5),
            progress=progress,
        )
    if options.json:
        write_out(report.json())
    else:
        print_text(lambda console: print_token_report(report, console, language(options)))
    return _missed(report, getattr(options, "fail_above", None), language(options))


def refuse_for_tokens(options: argparse.Namespace, also: tuple[str, ...]) -> None:
    """Refuse options that say nothing about tokens, rather than pass over them.

    Raises:
        OptionError: one of them is given.
    """
    names = ("label", "prediction", "weight", "classes", "clip", "normalize", "kind", "task", "max_memory", *also)
    for name in names:
        value = getattr(options, name, None)
        if value not in (None, False, "auto") and (name, value) not in (("unit", "nats"), ("on_bad_file", "stop")):
            flag = OF_TOKENS.get(name, f"--{name.replace('_', '-')}")
            raise OptionError(f"{flag} has no meaning for log-probabilities of tokens. Leave it out.")
    if getattr(options, "brief", None) is not None and "brief" in also:
        raise OptionError("--brief and --full have no meaning for log-probabilities of tokens. Leave them out.")


def refuse_without_tokens(options: argparse.Namespace) -> None:
    """Refuse options that are about tokens where classes are scored.

    Raises:
        OptionError: one of them is given.
    """
    for name, flag in OF_TOKENS.items():
        if getattr(options, name) is not None:
            raise OptionError(
                f"{flag} is about tokens, and these are predictions of classes. Pass --log-probability NAME too, or leave "
                f"{flag} out."
            )


def is_token_log(files: list[str]) -> bool:
    """Whether the files are logs of tokens, and not of choices."""
    from xent.sources.token_logs import open_token_logs

    logs = [] if "-" in files else [log for file in files for log in open_token_logs([file])]
    return bool(logs) and not logs[0].choices


def choices_or_files(files: list[str]) -> Any:
    """The table of choices that logs hold; the files themselves if they are none."""
    from xent.sources.token_logs import open_token_logs

    logs = [] if "-" in files else open_token_logs(files)
    if not logs:
        return files
    import pyarrow as pa

    return pa.concat_tables([log.choice_table()[0] for log in logs])


def _missed(report: "TokenReport", limit: float | None, lang: str) -> int:
    """1 if the number shown first is above the limit, with a line that says so."""
    if limit is None:
        return 0
    from xent.report.token_text import headline

    value = report.headline[1]
    if value <= limit:
        return 0
    text = speaker(lang)("missed.tokens", loss=headline(report, f"{value:.6g}"), limit=limit)
    tell(text)
    return 1
