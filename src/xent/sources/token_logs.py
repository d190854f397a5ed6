"""Logs of language models with a log-probability per token or per text: which kind a file is, and its records."""

import glob
import json
import os
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from xent.errors import SourceError
from xent.sources import lm_eval, openai_logprobs
from xent.sources.failures import reading
from xent.sources.json_table import is_json_table
from xent.sources.token_rows import TokenBatch, batched
from xent.texts.catalogue import sentence

__all__ = ["TokenTable", "open_token_log", "open_token_logs"]

LM_EVAL = "samples of lm-evaluation-harness"
OPENAI = "responses with logprobs"
_COMPRESSIONS = {b"\x1f\x8b": "gzip", b"\x28\xb5\x2f\xfd": "zstd", b"BZh": "bz2"}
_CHUNK = 1 << 20
_BOM = b"\xef\xbb\xbf"


@dataclass(frozen=True)
class TokenTable:
    """One log."""

    name: str
    path: str
    compression: str | None
    format: str  # LM_EVAL or OPENAI
    choices: bool  # several log-likelihoods per sample: `choice_table` reads them, not `batches`
    lines: bool  # one record per line; otherwise the whole file is one JSON value

    def batches(self) -> Iterator[TokenBatch]:
        """Read all rows, a batch at a time; may be called again.

        Raises:
            SourceError: a line is no JSON, or is not what the first is; names the file, the line and the token.
        """
        left_out: Counter[str] = Counter()
        rows = lm_eval.sample_rows if self.format == LM_EVAL else openai_logprobs.response_rows
        yield from batched(self.name, self.word, rows(self._records(), left_out), left_out)

    def choice_table(self) -> tuple[pa.Table, tuple[str, ...]]:
        """Read all samples of a multiple-choice task as a table for scoring classes, and what was left out of it.

        Raises:
            SourceError: as `batches`; or the samples differ in their number of choices.
        """
        left_out: Counter[str] = Counter()
        table = lm_eval.choice_table(self._records(), left_out)
        return table, tuple(sentence("note.left_out", count=count, reason=reason) for reason, count in left_out.items())

    @property
    def kind(self) -> str:
        """What it holds, in words."""
        return f"{self.format} with choices" if self.choices else self.format

    @property
    def of_texts(self) -> bool:
        """Whether a row is a text with the sum over its tokens, and not a token."""
        return self.format == LM_EVAL

    @property
    def word(self) -> str:
        """What a record is called in messages."""
        return "line" if self.lines else "entry"

    def _records(self) -> Iterator[tuple[str, int, Any]]:
        for number, record in _records(self.name, self.path, self.compression, self.lines):
            yield f"{self.name}, {self.word} {number}", number, record


def open_token_log(path: str | os.PathLike[str]) -> TokenTable | None:
    """Open a file if it is a log of token log-probabilities, by what its first record is.

    Args:
        path: JSON Lines of samples of lm-evaluation-harness; or responses with `logprobs` as JSON Lines, as one JSON
            object, or as an array of them; .gz, .zst and .bz2 too.

    Returns:
        The log, or None where the file is something else (or is no file, such as standard input).

    Raises:
        SourceError: the file cannot be read, or has samples of generated text.
    """
    name = os.fspath(path)
    if not os.path.isfile(name):
        return None
    with reading(name):
        compression = _compression(name)
        first = _first_record(name, compression)
    if first is None:
        return None
    record, lines = first
    if lm_eval.is_sample(record):
        place = f"{name}, {'line' if lines else 'entry'} 1"
        return TokenTable(name, name, compression, LM_EVAL, lm_eval.has_choices(place, record), lines)
    if openai_logprobs.is_response(record):
        return TokenTable(name, name, compression, OPENAI, False, lines)
    return None


def open_token_logs(paths: Sequence[str | os.PathLike[str]]) -> list[TokenTable]:
    """Open files as logs of one kind; none if no file is a log.

    Args:
        paths: file names and patterns; as for `open_token_log`.

    Raises:
        SourceError: some are logs and others not, or of two kinds; a file is given twice.
    """
    names = [name for path in paths for name in _expanded(os.fspath(path))]
    logs = [open_token_log(name) for name in names]
    found = [log for log in logs if log is not None]
    for name, log in zip(names, logs, strict=True):
        if found and (log is None or (log.format, log.choices) != (found[0].format, found[0].choices)):
            other = "another kind of file" if log is None else log.kind
            raise SourceError(f"{name} is {other}, unlike {found[0].name}.\nScore files of one kind at a time.")
    for place, name in enumerate(names):
        if found and any(os.path.samefile(name, other) for other in names[:place]):
            raise SourceError(f"{name} is given twice, so its rows would count double.\nName each file once.")
    return found


def _expanded(given: str) -> list[str]:
    if not glob.has_magic(given) or os.path.exists(given):
        return [given]
    return sorted(name for name in glob.glob(given, recursive=True) if os.path.isfile(name))


def _compression(path: str) -> str | None:
    with open(path, "rb") as file:
        head = file.read(4)
    return next((kind for magic, kind in _COMPRESSIONS.items() if head.startswith(magic)), None)


def _first_record(path: str, compression: str | None) -> tuple[Any, bool] | None:
    """The first record, and whether the file has one per line; None if it does not begin as such."""
    with pa.input_stream(path, compression=compression) as stream:
        head = stream.read(64).removeprefix(_BOM).lstrip()
    if not head.startswith((b"{", b"[")) or (head.startswith(b"{") and is_json_table(path, compression)):
        return None
    line = next(_lines(path, compression), (0, b""))[1]
    try:
        record = json.loads(line)
        if isinstance(record, dict):
            return record, True
    except (ValueError, RecursionError):  # a value spread over several lines, or no JSON at all
        pass
    try:
        record = _whole(path, compression)
    except (ValueError, RecursionError):
        return None
    return (next(iter(record), None) if isinstance(record, list) else record), False


def _records(name: str, path: str, compression: str | None, lines: bool) -> Iterator[tuple[int, Any]]:
    if not lines:
        with reading(name):
            value = _whole(path, compression)
        yield from enumerate(value if isinstance(value, list) else [value], 1)
        return
    with reading(name):
        for number, line in _lines(path, compression):
            try:
                record = json.loads(line)
            except (ValueError, RecursionError) as error:
                raise SourceError(
                    f"{name}, line {number} is no JSON: {error}.\n"
                    "Correct that line; the last line of a log that was cut short is often such."
                ) from error
            yield number, record


def _whole(path: str, compression: str | None) -> Any:
    with pa.input_stream(path, compression=compression) as stream:
        return json.loads(stream.read().removeprefix(_BOM))


def _lines(path: str, compression: str | None) -> Iterator[tuple[int, bytes]]:
    """Lines that are not blank, with their numbers from 1."""
    number, pieces = 0, [b""]
    with pa.input_stream(path, compression=compression) as stream:
        while more := stream.read(_CHUNK):
            if b"\n" not in more:
                pieces.append(more)  # one long line is joined once, not chunk by chunk
                continue
            *whole, rest = (b"".join(pieces) + more).split(b"\n")
            pieces = [rest]
            for line in whole:
                number += 1
                if line.strip():
                    yield number, line.removeprefix(_BOM)
    last = b"".join(pieces)
    if last.strip():
        yield number + 1, last.removeprefix(_BOM)
