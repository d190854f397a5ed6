"""Questions asked of predictions, labels and weights; the kernels only say that some row is not legal."""

from typing import Any, NamedTuple, NoReturn

import numpy as np
from numpy.typing import NDArray

from xent.errors import LabelError, ProbabilityError, WeightError

__all__ = [
    "MOST",
    "SUM_TOLERANCE",
    "Place",
    "named_column",
    "refuse",
    "refuse_empty_rows",
    "refuse_entries",
    "refuse_huge",
    "refuse_label",
    "weights",
]

SUM_TOLERANCE = 1e-3
MOST = 1e100  # nats, whose square still is a float64
Floats = NDArray[np.floating[Any]]


class Place(NamedTuple):
    """Where a block of rows comes from."""

    source: str = ""  # the file's name; "" for arrays
    first_row: int = 0
    predictions: tuple[str, ...] = ()  # the names of their columns, where these have names
    labels: tuple[str, ...] = ()  # the same where labels have a column a class

    def row(self, index: int) -> str:
        """The name of the block's row `index` in a message."""
        number = self.first_row + int(index)
        return f"row {number}" + (f" of {self.source} (rows counted from 0)" if self.source else "")

    def after(self, rows: int) -> "Place":
        """Where the rows behind the first few come from."""
        return self._replace(first_row=self.first_row + rows)


def named_column(names: tuple[str, ...], index: int, width: int) -> str:
    """One of `width` columns in a message, behind the row: by its name, or its position where it has none."""
    if len(names) == width:
        return f", column {names[index]!r}"
    if names:
        return f", entry {index} of column {names[0]!r}"
    return f", column {index}" if width > 1 else ""


def refuse(kind: str, block: Floats, place: Place) -> None:
    """Raise about the first row of `block` that is not a legal prediction; return if there is none.

    Raises:
        ProbabilityError: an entry is NaN or out of range, or a row does not sum to 1.
    """
    if kind == "probabilities" and block.ndim == 2:
        _refuse_negative_logits(block, place)
    refuse_entries(kind, block, place, SUM_TOLERANCE if block.ndim == 2 else 0.0)
    if block.ndim == 2 and kind != "logits":
        _refuse_sums(kind, block, place)


def refuse_huge(block: Floats, place: Place) -> None:
    """Raise about finite logits beyond ±1e100, whose squared loss is no float64.

    Raises:
        ProbabilityError: naming the row, the column, the value and the range.
    """
    if block.dtype.itemsize < 8:  # all it can hold is less
        return
    if block.max(initial=0.0) > MOST or (block[np.isfinite(block)] < -MOST).any():
        refuse_entries("logits", block, place)


def refuse_entries(kind: str, block: Floats, place: Place, slack: float = 0.0) -> None:
    """Raise about the first entry that is NaN or out of its range; `kind` "weights" allows any non-negative number.

    `slack` is what round-off may add to the upper bound, where the rows are distributions.

    Raises:
        ProbabilityError: naming the row, the column, the value and the range.
    """
    with np.errstate(invalid="ignore", over="ignore"):
        if kind == "logits":
            bad, allowed = np.isnan(block) | (block > MOST) | ((block < -MOST) & (block > -np.inf)), "finite or −inf"
            if block.ndim == 2 and np.isfinite(block[bad]).any():
                allowed = f"−inf or within ±{MOST:g}"
        elif kind == "log_probabilities":
            bad, allowed = ~(block <= slack), "0 or less"
        elif kind == "probabilities":
            bad, allowed = ~((block >= 0.0) & (block <= 1.0 + slack)), "in [0, 1]"
        else:
            bad, allowed = ~((block >= 0.0) & (block < np.inf)), "0 or more, and finite"
    if bad.any():
        _raise_entry(kind, block, bad, allowed, place)
    if kind == "logits" and block.ndim == 2 and (block == -np.inf).all(axis=1).any():
        row = int(np.argmax((block == -np.inf).all(axis=1)))
        raise ProbabilityError(
            f"predictions {place.row(row)} has no finite logit: every class is impossible. Give at least one class a "
            "finite logit."
        ).of_row(place.first_row + row)


def _raise_entry(kind: str, block: Floats, bad: NDArray[np.bool_], allowed: str, place: Place) -> NoReturn:
    row, index = (int(i) for i in np.argwhere(bad.reshape(len(bad), -1))[0])
    value = float(block.reshape(len(block), -1)[row, index])
    shown = f"{value:.10g}"
    if float(shown) in (0.0, 1.0):  # which are allowed, as this is not
        shown = repr(value)
    where = named_column(place.predictions, index, 1 if block.ndim == 1 else block.shape[1])
    rows = int(bad.reshape(len(bad), -1).any(axis=1).sum())
    what = "logits" if kind == "logits" else "log-probabilities" if kind == "log_probabilities" else "probabilities"
    if np.isnan(value):
        step = "Remove these rows or mend the model that made them; xent never guesses a value."
    elif np.isinf(value):
        step = "Mend the model that made them."
    elif kind == "probabilities":
        step = 'Pass kind="logits" (--kind logits) if these are logits, or kind="log_probabilities" if they are logs.'
    else:
        step = "Check which columns hold the predictions, and their kind."
    raise ProbabilityError(
        f"predictions {place.row(row)}{where} is {shown}, but {what} must be {allowed}; "
        f"{rows:,} of the {len(block):,} rows read with it are outside.\n{step}"
    ).of_row(place.first_row + row)


def _refuse_negative_logits(block: Floats, place: Place) -> None:
    with np.errstate(invalid="ignore"):
        outside = (block < 0.0).any(axis=1) | (block > 1.0 + SUM_TOLERANCE).any(axis=1)
        off = np.abs(block.sum(axis=1, dtype=np.float64) - 1.0) > SUM_TOLERANCE
    if (outside & off).mean() > 0.5:
        row = int(np.argmax(outside & off))
        if (block >= 0.0).all():
            raise ProbabilityError(
                f"predictions {place.row(row)} is {_shown(block[row])}, which sums to {float(block[row].sum()):.4g}, not 1, like "
                f"{int((outside & off).sum()):,} of the {len(block):,} rows read with it. These look like percents or counts.\n"
                "Pass normalize=True (--normalize) to divide each row by its sum; xent check looks into it."
            )
        logs = block.max() <= SUM_TOLERANCE and abs(np.exp(block[row].astype(np.float64)).sum() - 1.0) <= SUM_TOLERANCE
        what, kind = ("log-probabilities", "log_probabilities") if logs else ("logits", "logits")
        raise ProbabilityError(
            f"predictions {place.row(row)} is {_shown(block[row])}: neither in [0, 1] nor summing to 1, like "
            f"{int((outside & off).sum()):,} of the {len(block):,} rows read with it. These look like {what}.\n"
            f'Pass kind="{kind}" (--kind {kind}).'
        )


def _refuse_sums(kind: str, block: Floats, place: Place) -> None:
    values = np.exp(block.astype(np.float64)) if kind == "log_probabilities" else block
    sums = values.sum(axis=1, dtype=np.float64)
    off = np.abs(sums - 1.0)
    wrong = ~(off <= SUM_TOLERANCE)
    if not wrong.any():
        return
    row, worst = int(np.argmax(wrong)), int(np.argmax(off))
    raise ProbabilityError(
        f"predictions {place.row(row)} sums to {sums[row]:.6g}, not 1 ({int(wrong.sum()):,} of {len(block):,} rows are "
        f"off by more than {SUM_TOLERANCE:g}; the largest is row {place.first_row + worst}).\n"
        'Pass normalize=True (--normalize) to divide each row by its sum, or kind="logits" (--kind logits) if these '
        'are logits, or task="multilabel" (--task multilabel) if a row can have several labels.'
    ).of_row(place.first_row + row)


def refuse_empty_rows(sums: NDArray[np.float64], place: Place) -> None:
    """Raise about the first row that sums to 0 and so cannot be normalised."""
    if (sums <= 0.0).any():
        row = int(np.argmax(sums <= 0.0))
        raise ProbabilityError(
            f"predictions {place.row(row)} sums to {float(sums[row]):.6g}, so normalize=True cannot divide it by its sum."
        ).of_row(place.first_row + row)


def refuse_label(value: Any, row: int, wrong: int, rows: int, expected: str, step: str, place: Place) -> NoReturn:
    """Raise about the first label that names no class."""
    raise LabelError(
        f"labels {place.row(row)} is {value!r}, but labels must be {expected}; {wrong:,} of the {rows:,} labels read "
        f"with it are not.\n{step}"
    ).of_row(place.first_row + row)


def weights(values: NDArray[np.float64], place: Place) -> None:
    """Refuse weights that are negative, NaN or infinite.

    Raises:
        WeightError: naming the first row and its weight.
    """
    bad = ~((values == 0.0) | ((values >= 1.0 / MOST) & (values <= MOST)))
    if bad.any():
        row = int(np.argmax(bad))
        raise WeightError(
            f"sample_weight {place.row(row)} is {float(values[row]):g}, but weights must be 0, or from {1.0 / MOST:g} to {MOST:g}; "
            f"{int(bad.sum()):,} of {len(values):,} are not. Use 0 to leave a row out."
        ).of_row(place.first_row + row)


def _shown(row: Floats) -> str:
    shown = ", ".join(f"{float(v):.4g}" for v in row[:5])
    return f"[{shown}{', …' if len(row) > 5 else ''}]"
