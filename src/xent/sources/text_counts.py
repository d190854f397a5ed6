"""Words, characters and bytes of texts, whole or cut into tokens.

A token may end inside a word or inside a character of UTF-8. A character belongs to the token with its first byte, a
word to the token in which it begins, so that the tokens of a text count what the text does.
"""

import re
from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from xent.sources.arrays import numpy_array
from xent.sources.token_rows import UNKNOWN

__all__ = ["column_counts", "looks_like_vocabulary", "text_counts", "token_counts"]

LOST = "\ufffd"  # what a decoder writes where bytes are no whole character
_PLACEHOLDER = re.compile(r"token_id:\d+")  # vLLM with return_tokens_as_token_ids
_ESCAPED = re.compile(r"bytes:([ -~]*\\x[0-9a-fA-F]{2}[ -~]*)")  # OpenAI's completions, for a part of a character
_WORD = r"[^\s\pZ]"  # RE2 knows only ASCII as \s
_MARKS = r"^[\x{0120}\x{2581}]"  # Ġ and ▁ stand for a space in vocabularies


def text_counts(text: str) -> tuple[int, int, int]:
    """Words, characters and bytes of a text as lm-evaluation-harness counts them.

    Source:
        lm_eval/api/task.py: `len(re.split(r"\\s+", doc))` and `len(doc.encode("utf-8"))`.
    """
    raw = _encoded(text)
    words = len(re.split(r"\s+", text))
    return (words, UNKNOWN, UNKNOWN) if raw is None else (words, len(text), len(raw))


def token_counts(text: str, raw: Sequence[int] | None, inside: bool) -> tuple[tuple[int, int, int], bool]:
    """Words that begin in a token, characters and bytes; and whether the text behind it is inside a word.

    Args:
        text: the token.
        raw: its bytes where the log has them.
        inside: whether the text before it ends inside a word.
    """
    escaped = _ESCAPED.fullmatch(text)
    if raw is None and escaped:
        raw = escaped[1].encode("ascii").decode("unicode_escape").encode("latin-1")
    if _PLACEHOLDER.fullmatch(text):
        return (UNKNOWN, UNKNOWN, UNKNOWN), inside
    data = bytes(raw) if raw is not None else _encoded(text)
    shown = text if raw is None else bytes(raw).decode("utf-8", "replace")
    words = len(shown.split()) - (inside and shown[:1].strip() != "")
    inside = shown[-1:].strip() != "" if shown else inside
    if data is None or (raw is None and LOST in text):
        return (words, UNKNOWN, UNKNOWN), inside
    return (words, sum(byte & 0xC0 != 0x80 for byte in data), len(data)), inside


def column_counts(texts: pa.Array, documents: pa.Array | None) -> NDArray[np.int64]:
    """Words, characters and bytes (rows, 3) of a column of tokens in the order of their text.

    A row continues the word of the row before it, if that is of the same document and neither has a space between.
    """
    counts = np.stack(
        [
            numpy_array(pc.count_substring_regex(texts, pattern=f"{_WORD}+").cast(pa.int64())),
            numpy_array(pc.utf8_length(texts).cast(pa.int64())),
            numpy_array(pc.binary_length(texts).cast(pa.int64())),
        ],
        axis=1,
    )
    filled = np.flatnonzero(counts[:, 2])
    begins = _found(texts, f"^{_WORD}")[filled]
    ends = _found(texts, rf"{_WORD}\z")[filled]
    continued = ends[:-1] & begins[1:]
    if documents is not None:
        codes = numpy_array(documents.dictionary_encode().indices)[filled]
        continued &= codes[1:] == codes[:-1]
    counts[filled[1:][continued], 0] -= 1
    counts[_found(texts, LOST), 1:] = UNKNOWN
    return counts


def looks_like_vocabulary(texts: pa.Array) -> bool:
    """Say whether tokens are entries of a vocabulary (Ġthe, ▁the) and not the text they stand for."""
    return 10 * int(_found(texts, _MARKS).sum()) > len(texts)


def _found(texts: pa.Array, pattern: str) -> NDArray[np.bool_]:
    return numpy_array(pc.match_substring_regex(texts, pattern=pattern))


def _encoded(text: str) -> bytes | None:
    try:
        return text.encode("utf-8")
    except UnicodeEncodeError:  # half of a surrogate pair, which JSON can hold
        return None
