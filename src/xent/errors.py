"""Everything xent raises on purpose.

XentError
├── ProbabilityError     (ValueError)   probabilities, logits or log-probabilities that are not
├── LabelError           (ValueError)   labels that name no class, or cannot be read as labels
├── WeightError          (ValueError)   sample weights that are negative, NaN or all zero
├── ShapeError           (ValueError)   arrays that do not fit together, or are empty
├── OptionError          (ValueError)   an option outside its allowed values
├── StateError           (ValueError)   states that cannot be merged or read
├── SourceError          (ValueError)   a file or table that cannot be read as predictions
│   └── UnsavedError                    the state of a scan that cannot be written; its `report` is what was found
├── ArgumentTypeError    (TypeError)    an argument of a type xent cannot take
└── MissingPackageError  (ImportError)  an optional package is needed and absent

A message says what, where (first index), got, allowed, and the next step.
"""

from typing import Any, Self

__all__ = [
    "ArgumentTypeError",
    "EngineError",
    "LabelError",
    "MissingPackageError",
    "OptionError",
    "ProbabilityError",
    "ShapeError",
    "SourceError",
    "StateError",
    "UnsavedError",
    "WeightError",
    "XentError",
]


class XentError(Exception):
    """Base of all errors that xent raises on purpose."""

    said: tuple[str, ...] = ()  # what and what to do, as sentences, where the message can be said in other languages
    row: int | None = None  # the number, in its file or array, of the row that it names

    def of_row(self, row: int) -> Self:
        """The same, knowing its row."""
        self.row = row
        return self


class ProbabilityError(XentError, ValueError):
    """Probabilities, logits or log-probabilities that are not."""


class LabelError(XentError, ValueError):
    """Labels that name no class, or cannot be read as labels."""


class WeightError(XentError, ValueError):
    """Sample weights that are negative, NaN or all zero."""


class ShapeError(XentError, ValueError):
    """Arrays that do not fit together, or are empty."""


class OptionError(XentError, ValueError):
    """An option outside its allowed values."""


class StateError(XentError, ValueError):
    """States that cannot be merged or read."""


class SourceError(XentError, ValueError):
    """A file or table that cannot be read as predictions."""

    of_file: bool = True  # whether it is about what is in a file, which may then be left out
    one_of_several: bool = False  # whether it is about one of the files given, without which the others may be read


class UnsavedError(SourceError):
    """The state of a scan that cannot be written; `report` is what was found all the same."""

    report: Any = None


class EngineError(XentError, RuntimeError):
    """Work on other processes or machines that could not be done."""


class ArgumentTypeError(XentError, TypeError):
    """An argument of a type xent cannot take."""


class MissingPackageError(XentError, ImportError):
    """An optional package is needed and absent; the message says how to install it."""
