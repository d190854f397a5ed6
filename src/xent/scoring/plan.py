"""What is scored and how: the part of a state that two states must share to be added."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from numbers import Real
from typing import Any, Literal

import numpy as np

from xent.errors import OptionError

__all__ = ["KINDS", "TASKS", "Kind", "Label", "Plan", "Task", "listed"]

Kind = Literal["probabilities", "logits", "log_probabilities"]
Task = Literal["binary", "multiclass", "multilabel"]
Label = str | int | float | bool
KINDS = ("probabilities", "logits", "log_probabilities")
TASKS = ("binary", "multiclass", "multilabel")


@dataclass(frozen=True)
class Plan:
    """The classes in the order of the prediction columns, and how the predictions are read.

    For one column of a binary task, `classes` is (the other class, the class the column speaks of).
    """

    classes: tuple[Label, ...]
    task: Task = "multiclass"
    kind: Kind = "probabilities"
    normalize: bool = False
    clip: float | None = None
    top: int = 10
    brief: bool = False  # without what the loss is made of: faster, and a smaller state

    def __post_init__(self) -> None:
        """Refuse options outside their values."""
        _one_of("kind", self.kind, KINDS)
        _one_of("task", self.task, TASKS)
        if not all(isinstance(label, str | int | float) for label in self.classes):
            raise OptionError(f"classes must be text, numbers or booleans, but are {_shown(self.classes)}.")
        if min(len(set(map(str, self.classes))), len(set(self.classes))) < len(self.classes):
            raise OptionError(f"classes has a name twice: {_shown(self.classes)}. Give each class once.")
        least = 1 if self.task == "multilabel" else 2
        if len(self.classes) < least or (self.task == "binary" and len(self.classes) != 2):
            raise OptionError(
                f"classes has {len(self.classes)} entries ({_shown(self.classes)}), but a {self.task} task needs "
                f"{'2' if self.task == 'binary' else f'at least {least}'}. Pass classes=[...] with all of them, also "
                "those that no label names."
            )
        if self.clip is not None and not (isinstance(self.clip, Real) and 0.0 < self.clip < 0.5):
            raise OptionError(
                f"clip is {self.clip!r}, but must be between 0 and 0.5, such as 1e-7; None clips nothing."
            )
        if not isinstance(self.top, int) or self.top < 0:
            raise OptionError(f"top is {self.top!r}, but must be a whole number, 0 or more.")
        for name in ("normalize", "brief"):
            if not isinstance(getattr(self, name), bool):
                raise OptionError(f"{name} is {getattr(self, name)!r}, but must be True or False.")
        if self.normalize and self.kind == "logits":
            raise OptionError(
                "normalize=True divides probabilities by their sum, and logits need none: leave it out, or pass "
                'kind="probabilities" (--kind probabilities) if they are none.'
            )
        if self.normalize and self.task == "multilabel":
            raise OptionError("normalize=True needs rows that sum to 1; those of several labels do not. Leave it out.")

    def to_dict(self) -> dict[str, Any]:
        """As JSON has it: Plan(**plan.to_dict()) is the same plan."""
        return asdict(self) | {"classes": list(self.classes)}


def _one_of(name: str, value: str, allowed: tuple[str, ...]) -> None:
    if value not in allowed:
        raise OptionError(f"{name} is {value!r}, but must be one of {', '.join(map(repr, allowed))}.")


def _shown(classes: tuple[Label, ...]) -> str:
    shown = ", ".join(repr(c) for c in classes[:10])
    return shown + (", …" if len(classes) > 10 else "")


def listed(classes: Any) -> tuple[Label, ...]:
    """The caller's classes in their order, NumPy scalars as the Python values that JSON knows.

    Raises:
        OptionError: they have no order, or are a text.
    """
    if isinstance(classes, str | set | frozenset) or not isinstance(classes, Iterable):
        raise OptionError(f"classes is {classes!r}, but must be a list, in the order of the prediction columns.")
    return tuple(label.item() if isinstance(label, np.generic) else label for label in classes)
