"""Labels with a column a class: soft, one-hot, or several a row."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from xent.checks.predictions import Place, named_column
from xent.errors import LabelError, ShapeError

__all__ = ["as_targets"]


def as_targets(labels: NDArray[Any], columns: int, one_of_many: bool, place: Place) -> NDArray[np.float64]:
    """Soft, one-hot or several labels (rows, classes) as float64.

    Raises:
        ShapeError: not one column a class.
        LabelError: an entry outside [0, 1], or a row of one_of_many that does not sum to 1.
    """
    if labels.shape[1] != columns:
        raise ShapeError(
            f"labels have {labels.shape[1]} columns and predictions {columns}; pass one column a class in both."
        )
    try:
        targets = labels.astype(np.float64)
    except ValueError as error:
        raise LabelError(f"labels {place.row(0)} are text, but several labels a row must be 0 or 1 each.") from error
    bad = ~((targets >= 0.0) & (targets <= 1.0))
    if bad.any():
        row, index = (int(i) for i in np.argwhere(bad)[0])
        raise LabelError(
            f"labels {place.row(row)}{named_column(place.labels, index, columns)} is {float(targets[row, index]):g}, but soft and one-hot labels "
            f"must be in [0, 1]; {int(bad.any(axis=1).sum()):,} of {len(targets):,} rows are outside.\n"
            "Divide counts by their sum, and remove the rows without labels."
        ).of_row(place.first_row + row)
    if one_of_many:
        sums = targets.sum(axis=1)
        off = np.abs(sums - 1.0) > 1e-3
        if off.any():
            row = int(np.argmax(off))
            raise LabelError(
                f"labels {place.row(row)} sums to {sums[row]:.6g}, not 1 ({int(off.sum()):,} of {len(sums):,} rows are "
                'off by more than 1e-3).\nPass task="multilabel" (--task multilabel) if a row can have several labels.'
            ).of_row(place.first_row + row)
    return targets
