"""`score_tokens`: from log-probabilities of tokens or texts to the cost per token, word, character and byte."""

import os
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

from xent.errors import OptionError, SourceError
from xent.report.token_report import TokenReport
from xent.scoring.prepare import open_table
from xent.scoring.token_costs import sum_tokens
from xent.scoring.token_summary import summarise_tokens
from xent.sources.detect import detected, names_of
from xent.sources.known import as_written
from xent.sources.token_columns import choose_token_columns, read_token_columns
from xent.sources.token_logs import TokenTable, open_token_logs
from xent.sources.token_rows import TokenBatch
from xent.texts.catalogue import Sentence, sentence

__all__ = ["TokenInput", "open_tokens", "score_tokens"]

Progress = Callable[[int], None]


class TokenInput(NamedTuple):
    """Rows to score, and how they are read."""

    batches: Iterable[TokenBatch]
    notes: tuple[str, ...]


def score_tokens(
    source: Any,
    *,
    log_probability: str | None = None,
    text: str | None = None,
    byte_count: str | None = None,
    token_count: str | None = None,
    document: str | None = None,
    top: int = 5,
    progress: Progress | None = None,
) -> TokenReport:
    """Judge a language model by the log-probabilities it gave to tokens or texts.

    Args:
        source: samples of lm-evaluation-harness, responses with `logprobs` (see `open_token_logs`), or any table that
            `scan` reads; several files are one data set, and a document that goes on in another file is one.
        log_probability: of a table, the column of natural logarithms, 0 or less.
        text: its column of the tokens' text, whose words, characters and bytes are counted.
        byte_count, token_count: its columns of counts; a row is one token unless it says otherwise.
        document: its column of documents, over which errors are computed.
        top: how many of the worst tokens and documents to list.
        progress: called with the number of rows read since its last call.

    Returns:
        The report: nats and bits per unit with 95 % intervals over documents, perplexities, the worst documents.

    Raises:
        ProbabilityError: a log-probability is NaN or above 0; names the file, the line and the token.
        SourceError: a file cannot be read, is of another kind than the first, or a column is missing.
        OptionError, ShapeError: options that do not fit, no rows.

    Source:
        Cochran, "Sampling Techniques" (1977), section 6.4: the ratio estimator. Liang and Zeger (1986): clusters.

    Example:
        >>> from xent.scoring.tokens import score_tokens
        >>> table = {"logprob": [-0.5, -1.5, -1.0], "text": ["The", " cat", " sat"], "story": ["a", "a", "b"]}
        >>> report = score_tokens(table, log_probability="logprob", text="text", document="story")
        >>> round(report.bits_per_byte, 4), report.documents
        (0.3935, 2)
    """
    if top < 0:
        raise OptionError(f"top is {top}, but must be 0 or more.")
    data = open_tokens(
        source,
        log_probability=log_probability,
        text=text,
        byte_count=byte_count,
        token_count=token_count,
        document=document,
        progress=progress,
    )
    sums = sum_tokens(data.batches, top)
    return summarise_tokens(sums, data.notes)


def open_tokens(
    source: Any,
    *,
    log_probability: str | None = None,
    text: str | None = None,
    byte_count: str | None = None,
    token_count: str | None = None,
    document: str | None = None,
    progress: Progress | None = None,
) -> TokenInput:
    """Open logs, or a table with a column of log-probabilities; arguments as in `score_tokens`.

    Raises:
        SourceError: the files are neither, or of several kinds; OptionError: columns named for logs.
    """
    columns = {"text": text, "byte_count": byte_count, "token_count": token_count, "document": document}
    logs = _logs(source) if log_probability is None else []
    if logs:
        flags = {"text": "--text", "byte_count": "--bytes", "token_count": "--tokens", "document": "--cluster"}
        given = [f"{flags[name]} ({name}=)" for name, column in columns.items() if column is not None]
        if given:
            raise OptionError(
                f"{logs[0].name} has no columns, being a log of {logs[0].format}.\nLeave {' and '.join(given)} out."
            )
        return TokenInput(_of_logs(logs, progress), _log_notes(logs))
    if log_probability is None:
        _refuse_missing_files(source)
        raise SourceError(
            "this is no log of token log-probabilities that xent knows.\n"
            "Pass --log-probability NAME (log_probability=) for the column that holds them."
        )
    table = open_table(source)
    chosen = choose_token_columns(table.schema, log_probability, **columns)
    notes = [_column_note("log_probability", chosen.log_probability)]
    if chosen.text is not None:
        notes.append(_column_note("text" if chosen.byte_count else "text_and_bytes", chosen.text))
    notes += [_column_note("bytes", chosen.byte_count)] if chosen.byte_count else []
    notes.append(_column_note("tokens", chosen.token_count))
    notes.append(_column_note("documents", chosen.document))
    table = as_written(table, [name for name in (chosen.document, chosen.text) if name is not None])
    return TokenInput(read_token_columns(table, chosen, progress), tuple(notes))


def _logs(source: Any) -> list[TokenTable]:
    """The logs that file names stand for; none if they are something else."""
    paths = list(source) if isinstance(source, list | tuple) else [source]
    if not all(isinstance(path, str | os.PathLike) for path in paths):
        return []
    logs = open_token_logs(paths)
    if logs and logs[0].choices:
        raise SourceError(
            f"{logs[0].name} has log-likelihoods of choices, which are scored as classes, not per token.\n"
            "Pass it to xent score alone, or TokenTable.choice_table() to xent.scan."
        )
    return logs


def _refuse_missing_files(source: Any) -> None:
    """Say that a file is not there before that its format is unknown."""
    paths = list(source) if isinstance(source, list | tuple) else [source]
    if all(isinstance(path, str | os.PathLike) and os.fspath(path) != "-" for path in paths):
        for name in names_of(paths):
            detected(name)


def _of_logs(logs: list[TokenTable], progress: Progress | None) -> Iterator[TokenBatch]:
    seen: dict[str, str] = {}
    for log in logs:
        found: set[str] = set()
        for batch in log.batches():
            yield batch
            if batch.documents is not None:
                found.update(batch.documents.to_pylist())
            if progress is not None:
                progress(len(batch.numbers))
        twice = next((name for name in sorted(found) if name in seen), None)
        if twice is not None:
            raise SourceError(
                f"{log.name} has document {twice}, which {seen[twice]} has too, so it would count double.\n"
                "Two models or runs are compared, not added up: score one at a time. (Responses without an id are named by "
                "their line: put those of one model into one file.)"
            )
        seen |= dict.fromkeys(found, log.name)


def _column_note(what: str, name: str | None) -> Sentence:
    return sentence(f"note.tokens.{what}" if name else f"note.tokens.no_{what}", name=repr(name))


def _log_notes(logs: list[TokenTable]) -> tuple[Sentence, ...]:
    names = logs[0].name if len(logs) == 1 else sentence("files", count=len(logs))
    of_texts = logs[0].of_texts
    log = sentence("note.tokens.harness" if of_texts else "note.tokens.responses", names=names)
    return (log, sentence("note.tokens.harness.units" if of_texts else "note.tokens.responses.units"))
