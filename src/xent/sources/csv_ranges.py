"""A CSV file cut at ends of lines, so that the pieces can be read side by side and every row keeps its number."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
import pyarrow as pa

from xent.sources.csv_text import CsvPart
from xent.sources.failures import reading
from xent.sources.fragments import Fragment

__all__ = ["byte_range_fragments"]

_BOM = b"\xef\xbb\xbf"


def byte_range_fragments(part: CsvPart, columns: Sequence[str], target: int) -> Iterator[Fragment]:  # noqa: ARG001
    """Pieces of about `target` bytes; the whole where it is small, compressed, or has line ends within quotes.

    Lines are counted here, at the speed of memory. What else a line may be (empty lines are no rows) a piece notices
    when it is read, by their number.
    """
    if part.compression is not None or part.bytes < 2 * target:
        yield Fragment(part)
        return
    with reading(part.name):
        pieces = _pieces(part, target)
    if pieces is None:
        yield Fragment(part)
        return
    first_row = 0
    for start, stop, rows in pieces:
        piece = replace(part, span=(start, stop), rows=rows)
        yield Fragment(piece, first_row, f"bytes {start:,} to {stop:,}")
        first_row += rows


def _pieces(part: CsvPart, target: int) -> list[tuple[int, int, int]] | None:
    """(from, to, lines) of each piece behind the header; None if lines cannot be told without parsing."""
    pieces: list[tuple[int, int, int]] = []
    with pa.OSFile(part.path) as file:
        start = len(_BOM) if file.read(len(_BOM)) == _BOM else 0
        file.seek(start)
        while text := file.read(target):
            at_end = start + len(text) >= part.bytes
            end = len(text.rstrip(b"\r\n")) if at_end else text.rfind(b"\n") + 1
            if end == 0 and not at_end:
                return None
            lines = _lines(text[:end])
            if lines is None:
                return None
            lines += at_end and end > 0  # the last line has no end here
            header = 0 if pieces else text.find(b"\n") + 1
            pieces.append((start + header, start + end, lines - bool(header)))
            if at_end:
                break
            start += end
            file.seek(start)
    return [piece for piece in pieces if piece[2]]


def _lines(text: bytes) -> int | None:
    """How many lines end in a text that begins one; None if that depends on quotes, or on old line ends."""
    if b"\r" in text and text.count(b"\r") != text.count(b"\r\n"):
        return None
    if b'"' not in text:
        return text.count(b"\n")
    marks = np.frombuffer(text, np.uint8)
    inside = np.bitwise_xor.accumulate(marks == ord('"'))
    ends = marks == ord("\n")
    return None if (inside & ends).any() or inside[-1] else int(np.count_nonzero(ends))
