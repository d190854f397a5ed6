"""What the tests send to workers, which find this module by PYTHONPATH."""

import os
import signal
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Troubled:
    """The same work, but one fragment is trouble: always, or until somebody kills the process that has it."""

    work: Any
    name: str
    how: str  # "raises", "dies" or "waits to be killed"
    marks: Path  # a folder: a file for each try

    def __call__(self, fragment):
        if str(getattr(fragment, "name", fragment)) == self.name:
            tries = len(list(self.marks.iterdir()))
            (self.marks / f"{time.time_ns()}").write_text(str(os.getpid()))
            if self.how == "raises":
                raise OSError("the disk is on fire")
            if self.how == "dies":
                os.kill(os.getpid(), signal.SIGKILL)
            if tries == 0:
                time.sleep(120)
        return self.work(fragment)


@dataclass(frozen=True)
class TroubledEngine:
    """An engine that is given such work."""

    engine: Any
    name: str
    how: str
    marks: Path

    def run(self, work, fragments, merge):
        return self.engine.run(Troubled(work, self.name, self.how, self.marks), fragments, merge)


def squared(number):
    """The work of tests without files: which number, and its square."""
    return {number}, number**2


def together(results):
    """How that is merged."""
    numbers = set().union(*(numbers for numbers, _ in results))
    assert len(numbers) == sum(len(numbers) for numbers, _ in results), "something came twice"
    return numbers, sum(total for _, total in results)
