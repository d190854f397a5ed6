"""A CSV file cut at ends of lines, so that the pieces can be read side by side and every row keeps its number."""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from xent.kernels.pool import available_cpus
from xent.sources.csv_text import CsvPart
from xent.sources.failures import reading
from xent.sources.fragments import Fragment
from xent.sources.places import opened

__all__ = ["byte_range_fragments"]

_BOM = b"\xef\xbb\xbf"
_TAIL = 1 << 12
_STRETCH = 8  # pieces whose lines one thread counts; the same everywhere, so that the pieces are too
_BLOCK = 1 << 18  # stays in the cache while it is looked through: ten times faster than pieces of 32 MB


def byte_range_fragments(part: CsvPart, columns: Sequence[str], target: int) -> Iterator[Fragment]:  # noqa: ARG001
    """Pieces of about `target` bytes; the whole where it is small, compressed, or has line ends within quotes.

    Lines are counted here, at the speed of memory. What else a line may be (empty lines are no rows) a piece notices
    when it is read, by their number. A file whose pieces were not what they seemed is opened again with `settle=True`,
    and then read as a whole.
    """
    if part.settled or part.compression is not None or part.bytes < 2 * target:
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


@dataclass
class _Lines:
    """Counts lines; no longer `countable` if that depends on quotes, or on old line ends."""

    ended: int = 0
    countable: bool = True
    _quotes: int = 0
    _held: bool = False  # whether the text so far ends in \r

    def add(self, block: bytes) -> int:
        """Count a block's, and give where in it the last of them ends; 0 if none does."""
        marks = np.frombuffer(block, np.uint8)
        if b'"' in block or self._quotes % 2:
            quotes, ends = np.flatnonzero(marks == ord('"')), np.flatnonzero(marks == ord("\n"))
            self.countable &= not ((np.searchsorted(quotes, ends) + self._quotes) % 2).any()
            self._quotes += len(quotes)
        if b"\r" in block or self._held:
            pairs = block.count(b"\r\n") + (self._held and block.startswith(b"\n"))
            self.countable &= block.count(b"\r") + self._held == pairs + block.endswith(b"\r")
            self._held = block.endswith(b"\r")
        self.ended += int(np.count_nonzero(marks == ord("\n")))
        return block.rfind(b"\n") + 1

    @property
    def open(self) -> bool:
        """Whether a quote or an old line end is left open."""
        return self._quotes % 2 == 1 or self._held


def _pieces(part: CsvPart, target: int) -> list[tuple[int, int, int]] | None:
    """(from, to, lines) of each piece behind the header; None if lines cannot be told without parsing."""
    with opened(part.path) as file:
        header = _header_end(file.read(part.block))
        if header is None:
            return None
        stop = _text_end(file, part.bytes)
        if stop <= header:  # nothing behind the header
            return None
        starts = [header]
        for near in range(header + _STRETCH * target, stop, _STRETCH * target):
            start = _line_behind(file, max(near, starts[-1]))
            if starts[-1] < start < stop:
                starts.append(start)
    stretches = list(zip(starts, [*starts[1:], stop], strict=True))
    with ThreadPoolExecutor(available_cpus(), thread_name_prefix="xent-lines") as pool:
        found = list(pool.map(lambda stretch: _pieces_within(part, stretch[0], stretch[1], target), stretches))
    return None if any(pieces is None for pieces in found) else [piece for pieces in found for piece in pieces or ()]


def _pieces_within(part: CsvPart, start: int, stop: int, target: int) -> list[tuple[int, int, int]] | None:
    """The same for a stretch that begins with a line."""
    pieces: list[tuple[int, int, int]] = []
    lines = _Lines()
    with opened(part.path) as file:
        file.seek(start)
        end = position = start
        while block := file.read(min(_BLOCK, target, stop - position)):
            if last := lines.add(block):
                end = position + last
            position += len(block)
            if not lines.countable:
                return None
            if end - start >= target:
                pieces.append((start, end, lines.ended))
                start, lines.ended = end, 0
    if lines.open:
        return None
    rest = lines.ended + (position > end)  # the last line may have no end
    return [*pieces, (start, position, rest)] if rest else pieces


def _line_behind(file: Any, position: int) -> int:
    """Where the first line ends that ends behind a position."""
    file.seek(position)
    while block := file.read(_TAIL):
        if end := block.find(b"\n") + 1:
            return position + int(end)
        position += len(block)
    return position


def _text_end(file: Any, size: int) -> int:
    """Where the last line ends: empty lines behind it are none."""
    start = max(0, size - _TAIL)
    file.seek(start)
    return start + len(file.read(_TAIL).rstrip(b"\r\n"))


def _header_end(text: bytes) -> int | None:
    """How many bytes the first line has; None if it is blank, or ends somewhere else than in its \\n."""
    end = text.find(b"\n") + 1
    line = text[:end].removeprefix(_BOM)
    lines = _Lines()
    lines.add(line)
    return end if line.strip() and lines.countable else None
