"""How a finding is made: rows that share a fault are counted, and the first of them is remembered."""

from collections.abc import Callable
from typing import Any

import numpy as np

from xent.checks.predictions import Place
from xent.errors import XentError
from xent.report.checkup import Finding, Severity
from xent.texts.catalogue import Sentence, sentence

__all__ = ["Places", "Tally", "finding", "from_error", "spoken"]


class Tally:
    """Rows that have something in common."""

    def __init__(self) -> None:
        self.rows = 0
        self.first: tuple[str, int] | None = None  # file and row
        self.detail = ""  # of the first row

    def add(self, which: Any, place: Place, detail: Callable[[int], str] | None = None) -> None:
        """Count the rows of a batch that `which` (rows,) marks."""
        found = int(np.count_nonzero(which))
        if found and self.first is None:
            row = int(np.argmax(which))
            self.first = (place.source, place.first_row + row)
            self.detail = detail(row) if detail is not None else ""
        self.rows += found

    @property
    def where(self) -> Sentence:
        """The first row, in words."""
        if self.first is None:
            return sentence("row.none")
        row = sentence("row", index=self.first[1])
        return sentence("place.of", place=row, source=self.first[0]) if self.first[0] else row


class Places:
    """Which row of which file each row of the whole is."""

    def __init__(self) -> None:
        self.rows = 0
        self._starts: list[tuple[int, Place]] = []

    def add(self, place: Place, rows: int) -> None:
        """So many rows more."""
        if not self._starts or self._starts[-1][1].source != place.source:
            self._starts.append((self.rows, place))
        self.rows += rows

    def of(self, row: int) -> tuple[str, int]:
        """File and row."""
        start, place = [one for one in self._starts if one[0] <= row][-1]
        return place.source, place.first_row + row - start


def finding(
    severity: Severity, name: str, message: str, change: str = "", tally: Tally | None = None, rows: int | None = None
) -> Finding:
    """A finding about the rows of a tally, or about all of them."""
    source, row = tally.first if tally is not None and tally.first is not None else ("", None)
    return Finding(severity, name, message, change, tally.rows if tally is not None else rows, row, source or None)


def from_error(name: str, error: Exception) -> Finding:
    """What another part of xent refused, in its words: the last line of its message is what to do."""
    if isinstance(error, XentError) and error.said:
        message, change = error.said
        return Finding("serious", name, message, change, None, None, None)
    message, _, change = str(error).strip().partition("\n")
    return Finding("serious", name, " ".join(message.split()), " ".join(change.split()), None, None, None)


def spoken(names: Any, most: int = 8) -> str:
    """Names after commas, the first few of them."""
    shown = [str(name) for name in names]
    listed = ", ".join(shown[:most])
    return sentence("spoken", names=listed, count=len(shown)) if len(shown) > most else listed
