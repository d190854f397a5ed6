"""What a report says of its loss, from the report at hand or from the JSON that it was written as."""

import glob
import json
import math
import os
from pathlib import Path
from typing import Any, NamedTuple

from xent.errors import SourceError
from xent.report.model import Report

__all__ = ["Measured", "measured", "read_report"]

_NEEDED = ("loss", "standard_error", "rows", "unit", "task", "classes", "clip", "weight", "infinite")
_LARGEST = 1 << 28  # bytes of a report; beyond, a file is predictions


class Measured(NamedTuple):
    """What a report says of its loss."""

    loss: float
    standard_error: float | None
    rows: int
    clusters: int | None
    infinite: int
    unit: str
    task: str
    classes: tuple[str, ...]  # sorted
    clip: float | None
    weighted: bool

    @property
    def draws(self) -> int:
        """What is independent: rows, or clusters where there are any."""
        return self.rows if self.clusters is None else self.clusters


def read_report(path: str | os.PathLike[str]) -> Measured | None:
    """What `report.json()` or `xent score --json` wrote; None if it is no JSON, or a pattern: it may be predictions.

    Raises:
        SourceError: it cannot be read, or is JSON but no such report.
    """
    name = os.fspath(path)
    if glob.has_magic(name) and not os.path.exists(name):
        return None
    try:
        if os.path.getsize(name) > _LARGEST:
            return None
        text = Path(name).read_bytes()
    except OSError as error:
        raise SourceError(
            f"{name} cannot be read: {error.strerror}.\nPass a report (xent score … --json), or a file of predictions."
        ) from error
    if not text.lstrip().startswith(b"{"):
        return None
    try:
        data = json.loads(text)
    except ValueError:
        if b"\n" in text.strip() and text.lstrip().split(b"\n")[0].rstrip().endswith(b"}"):
            return None  # an object a line: predictions
        raise SourceError(f"{name} is no complete JSON.\nWrite it again: xent score … --json > {name}") from None
    return _from_json(data, name)


def _from_json(data: dict[str, Any], name: str) -> Measured:
    missing = [key for key in _NEEDED if key not in data]
    if missing:
        raise SourceError(
            f"{name} is no report: it has no {', '.join(map(repr, missing))}.\nWrite one: xent score … --json > {name}"
        )
    try:
        loss, error = float(data["loss"]), data["standard_error"]
        found = Measured(
            loss=loss,
            standard_error=None if error is None else float(error),
            rows=int(data["rows"]),
            clusters=None if data.get("clusters") is None else int(data["clusters"]),
            infinite=int(data["infinite"]),
            unit=data["unit"],
            task=data["task"],
            classes=tuple(sorted(map(str, data["classes"]))),
            clip=data["clip"],
            weighted=data["weight"] is not None,
        )
    except (TypeError, ValueError) as error:
        raise SourceError(f"{name} is no report that xent wrote: {error}.\nWrite it again.") from error
    _refuse_impossible(found, name)
    return found


def _refuse_impossible(found: Measured, name: str) -> None:
    loss, error = found.loss, found.standard_error
    known = loss >= 0.0 and math.isinf(loss) == (found.infinite > 0) and 0 <= found.infinite <= found.rows
    if not known or not (error is None or (error >= 0.0 and found.draws > 1)) or found.draws < 1:
        raise SourceError(
            f"{name} cannot be: it has loss {loss}, standard_error {error}, {found.rows:,} rows, {found.infinite:,} of them "
            "infinite.\nWrite it again."
        )


def measured(report: Report) -> Measured:
    """What a report at hand says of its loss."""
    return Measured(
        report.loss,
        report.standard_error,
        report.rows,
        report.clusters,
        report.infinite,
        report.unit,
        report.task,
        tuple(sorted(map(str, report.classes))),
        report.clip,
        report.weight is not None,
    )
