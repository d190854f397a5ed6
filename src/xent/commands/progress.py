"""How far the reading has come, on standard error."""

import sys
from typing import Any

from xent.report.lines import console_on
from xent.texts.catalogue import counted, said, speaker

__all__ = ["Progress"]


class Progress:
    """Rows, fragments and rate on standard error after a second of work; silent where that is no terminal.

    Rows count as often as they are read: cures are found in a few passes, and files compared one after the other.
    Fragments are those of a pass.
    """

    def __init__(self, lang: str) -> None:
        self._lang = lang
        self._bar: Any = None
        self._task: Any = None

    def __enter__(self) -> "Progress":
        """Note the time."""
        import time

        self._started = time.monotonic()
        self._clock = time.monotonic
        self._rows = 0
        self._fragments: tuple[int, int] = (0, 0)
        return self

    def __exit__(self, *_: object) -> None:
        """Take the bar away."""
        if self._bar is not None:
            self._bar.stop()

    def __call__(self, rows: int) -> None:
        """Count rows."""
        self._rows += rows
        self._show()

    def fragments(self, done: int, total: int) -> None:
        """Of this pass."""
        self._fragments = done, total
        self._show()

    def _show(self) -> None:
        if self._bar is None:
            if self._clock() - self._started < 1.0 or not sys.stderr.isatty():
                return
            self._start()
        seconds = self._clock() - self._started
        self._bar.update(self._task, **self._shown(self._rows / seconds / 1e6))

    def _shown(self, millions: float) -> dict[str, Any]:
        say = speaker(self._lang)
        rows = say("progress.read", rows=said(counted("rows", self._rows), self._lang))
        rate = say("progress.rate", millions=millions)
        done, total = self._fragments
        several = total > 1
        fragments = say("progress.fragments", done=done, total=total) if several else ""
        return {
            "rows": rows,
            "rate": rate,
            "fragments": fragments,
            "completed": done,
            "total": total if several else None,
        }

    def _start(self) -> None:
        from rich import progress

        bar = progress.Progress(
            progress.SpinnerColumn(),
            progress.TextColumn("{task.fields[rows]}"),
            progress.TextColumn("{task.fields[rate]}"),
            progress.BarColumn(bar_width=20),
            progress.TextColumn("{task.fields[fragments]}"),
            progress.TimeElapsedColumn(),
            console=console_on(sys.stderr),
            transient=True,
        )
        self._task = bar.add_task("scoring", **self._shown(0.0))
        bar.start()
        self._bar = bar
