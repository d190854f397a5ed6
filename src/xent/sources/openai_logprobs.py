"""Responses with `logprobs`, as the OpenAI API and the servers that speak like it write them.

Chat completions (`choices[].logprobs.content[]`: token, logprob, bytes), their chunks when streamed, completions
(`choices[].logprobs.tokens` and `.token_logprobs`), and the lines of a batch's output around either.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from xent.errors import SourceError
from xent.sources.text_counts import token_counts
from xent.sources.token_rows import TokenRow
from xent.texts.catalogue import sentence

__all__ = ["EMPTY", "is_response", "response_rows"]

EMPTY = sentence("left_out.empty")
_FORMAT = 'An entry of logprobs.content is {"token": …, "logprob": …, "bytes": […]}.'


class Token(NamedTuple):
    """A token as the response has it."""

    text: str
    log_probability: float | None
    raw: list[int] | None  # its bytes


class Reached(NamedTuple):
    """How far a document has come: chunks of a streamed response continue it."""

    tokens: int = 0
    inside: bool = False  # a word


def is_response(record: Any) -> bool:
    """Say whether a JSON value is such a response, or a batch's line with one."""
    body = _body(record)
    choices = body.get("choices") if body is not None else None
    if body is None or not isinstance(choices, list) or not (choices or "object" in body):
        return False
    return all(isinstance(one, Mapping) and ("logprobs" in one or "delta" in one) for one in choices)


def response_rows(records: Iterable[tuple[str, int, Any]], left_out: Counter[str]) -> Iterator[TokenRow]:
    """Rows of all tokens; every choice of every response is a document.

    Raises:
        SourceError: a response has no log-probabilities, or one that is no number; names the line and the token.
    """
    documents: dict[str, Reached] = {}
    for place, number, record in records:
        body = _body(record)
        if body is None or not is_response(record):
            raise SourceError(
                f"{place} is no response with choices[].logprobs{_failure(record)}.\n"
                "Ask for them with logprobs=true, or remove that line."
            )
        for position, choice in enumerate(body["choices"]):
            document = _document(record, body, choice.get("index", position), number)
            tokens = _tokens(place, choice.get("logprobs"), streamed="delta" in choice)
            progress = documents.get(document, Reached())
            if "delta" not in choice and document in documents:
                raise SourceError(
                    f"{place} is document {document} a second time, so it would count double.\n"
                    "Keep one of the two, or give each a name of its own (custom_id or id)."
                )
            if "delta" not in choice and not tokens:
                left_out[EMPTY] += 1
            for token in tokens:
                row, progress = _row(place, number, document, token, progress)
                yield row
            documents[document] = progress


def _row(place: str, number: int, document: str, token: Token, progress: Reached) -> tuple[TokenRow, Reached]:
    counts, inside = token_counts(token.text, token.raw, progress.inside)
    value = token.log_probability
    if value is None and progress.tokens:
        raise SourceError(
            f"{place}, token {progress.tokens} ({token.text!r}) has no log-probability (null).\n"
            "Only the first token of an echoed prompt may lack one."
        )
    row = TokenRow(number, progress.tokens, document, value, (1, *counts), token.text)
    return row, Reached(progress.tokens + 1, inside)


def _body(record: Any) -> Mapping[str, Any] | None:
    """The response itself; in a batch's output it lies in response.body."""
    if not isinstance(record, Mapping):
        return None
    outer = record.get("response")
    inner = outer.get("body") if isinstance(outer, Mapping) else None
    return inner if isinstance(inner, Mapping) else record


def _failure(record: Any) -> str:
    error = record.get("error") if isinstance(record, Mapping) else None
    return f" but an error: {str(error)[:80]}" if error else ""


def _document(record: Mapping[str, Any], body: Mapping[str, Any], choice: Any, number: int) -> str:
    """A name: the custom_id that a batch was given, the response's id, or the line's number."""
    name = str(record.get("custom_id") or body.get("id") or number)
    name = f"{name}/{choice}" if choice else name
    return name.encode("utf-8", "replace").decode()  # JSON can hold half of a surrogate pair


def _tokens(place: str, logprobs: Any, streamed: bool) -> list[Token]:
    if logprobs is None and streamed:  # the chunks that open and close a stream have none
        return []
    if isinstance(logprobs, Mapping) and ("content" in logprobs or "refusal" in logprobs):
        content, refusal = logprobs.get("content") or [], logprobs.get("refusal") or []
        if not isinstance(content, list) or not isinstance(refusal, list):
            raise SourceError(f"{place} has logprobs.content that is no list: {str(content)[:40]}.\n{_FORMAT}")
        entries = [*content, *refusal]
        return [_chat_token(place, index, entry) for index, entry in enumerate(entries)]
    if isinstance(logprobs, Mapping) and isinstance(logprobs.get("token_logprobs"), list):
        values = logprobs["token_logprobs"]
        texts = logprobs.get("tokens")
        if not isinstance(texts, list) or len(texts) != len(values):
            raise SourceError(
                f"{place} has {len(values)} token_logprobs but {len(texts) if isinstance(texts, list) else 'no'} tokens."
                "\nBoth lists need one entry per token."
            )
        pairs = enumerate(zip(texts, values, strict=True))
        return [Token(str(text), _number(place, index, str(text), value), None) for index, (text, value) in pairs]
    raise SourceError(f"{place} has no log-probabilities (logprobs is {str(logprobs)[:40]}).\nAsk for logprobs=true.")


def _chat_token(place: str, index: int, entry: Any) -> Token:
    if not isinstance(entry, Mapping) or not isinstance(entry.get("token"), str) or entry.get("logprob") is None:
        raise SourceError(f"{place}, token {index} has no token or no logprob: {str(entry)[:60]}.\n{_FORMAT}")
    raw = entry.get("bytes")
    if raw is not None and not (isinstance(raw, list) and all(type(one) is int and 0 <= one < 256 for one in raw)):
        raise SourceError(f"{place}, token {index} has bytes {str(raw)[:60]}, but they must be whole numbers 0 to 255.")
    return Token(entry["token"], _number(place, index, entry["token"], entry["logprob"]), raw)


def _number(place: str, index: int, text: str, value: Any) -> float | None:
    if value is None:
        return None
    try:
        if isinstance(value, int | float) and not isinstance(value, bool):
            return float(value)
    except OverflowError:
        pass
    raise SourceError(
        f"{place}, token {index} ({text!r}) has the log-probability {str(value)[:40]!r}, which is no number.\nCorrect it."
    )
