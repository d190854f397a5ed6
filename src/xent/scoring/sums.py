"""All that a report needs of any number of rows: exact sums that add up the same in any order."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from xent.errors import StateError
from xent.scoring import exact

__all__ = ["Sums", "Worst", "merge_worst"]

Exact = int  # in units of 2^-1074
Worst = tuple[float, str, int, Any, Any]  # nats, source ("" if none), row (-1 if unknown), label, predicted


@dataclass(frozen=True)
class Sums:
    """Sums over rows i with weight w, target t (one-hot, soft or several labels) and cross-entropy x nats.

    An empty `Sums()` adds to nothing. Rows of infinite x are in `rows`, `weight`, `class_weight`, `hits` and the
    counts of infinities; the sums of x leave them out, those by class only the classes that are infinite. A row of
    weight 0 is in none of them.
    """

    rows: int = 0
    weight: Exact = 0  # Σ w
    weight_squared: Exact = 0  # Σ w²
    loss: Exact = 0  # Σ w·x
    class_weight: dict[int, Exact] = field(default_factory=dict)  # by class, Σ w·t
    class_loss: dict[int, Exact] = field(default_factory=dict)  # by class, Σ w·t·x
    class_infinite: dict[int, int] = field(default_factory=dict)  # by class, rows
    infinite_rows: int = 0
    infinite_weight: Exact = 0
    weighted_loss: Exact = 0  # Σ w²·x
    loss_squared: Exact = 0  # Σ (w·x)², each row rounded down to 2^-72 if it is no smaller than 2^-48
    hits: Exact = 0  # Σ w of the rows whose first most probable class is the label
    clipped: int = 0  # rows whose cost `clip` changed
    normalized: int = 0  # rows off by more than 1e-3 that `normalize` divided by their sum
    like_probabilities: int = 0  # rows of logits that are probabilities
    bin_rows: dict[int, int] = field(
        default_factory=dict
    )  # by 1/64 bit of x; only multiples of 8 from 1 bit on; by octaves below 1/8 bit
    bin_weight: dict[int, Exact] = field(default_factory=dict)  # Σ w
    bin_loss: dict[int, Exact] = field(default_factory=dict)  # Σ w·x, where x ≥ 2^-24 is rounded down to 2^-36
    worst: tuple[Worst, ...] = ()
    top: int | None = None  # how many of the worst rows are kept; None in sums that have none

    def __add__(self, other: "Sums") -> "Sums":
        """The sums over both sets of rows."""
        return Sums.gather((self, other))

    @classmethod
    def gather(cls, parts: Iterable["Sums"]) -> "Sums":
        """The sums over all sets of rows."""
        numbers = dict.fromkeys(_COUNTS + _EXACT, 0)
        by_key: dict[str, dict[int, int]] = {name: {} for name in _COUNTS_BY + _EXACT_BY}
        top: int | None = None
        worst: tuple[Worst, ...] = ()
        for part in parts:
            for name in numbers:
                numbers[name] += getattr(part, name)
            for name, sums in by_key.items():
                for key, value in getattr(part, name).items():
                    sums[key] = sums.get(key, 0) + value
            top = part.top if top is None else top
            worst = merge_worst(worst + part.worst, top)
        values: dict[str, Any] = {**numbers, **by_key}
        return cls(**values, worst=worst, top=top)

    def to_dict(self) -> dict[str, Any]:
        """As JSON has it; `from_dict` gives the same sums back."""
        out: dict[str, Any] = {name: getattr(self, name) for name in _COUNTS} | {"top": self.top}
        out |= {name: exact.encode(getattr(self, name)) for name in _EXACT}
        out |= {name: _by_text(getattr(self, name), int) for name in _COUNTS_BY}
        out |= {name: _by_text(getattr(self, name), exact.encode) for name in _EXACT_BY}
        return out | {"worst": [[repr(nats), *rest] for nats, *rest in self.worst]}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> "Sums":
        """The sums that `to_dict` wrote.

        Raises:
            StateError: a field is missing or malformed.
        """
        try:
            values: dict[str, Any] = {name: int(data[name]) for name in _COUNTS}
            values["top"] = None if data["top"] is None else int(data["top"])
            values |= {name: exact.decode(data[name]) for name in _EXACT}
            values |= {name: {int(k): int(v) for k, v in data[name].items()} for name in _COUNTS_BY}
            values |= {name: {int(k): exact.decode(v) for k, v in data[name].items()} for name in _EXACT_BY}
            values["worst"] = tuple(
                (float(nats), str(source), int(row), _hashable(label), _hashable(predicted))
                for nats, source, row, label, predicted in data["worst"]
            )
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise StateError(f"the state is damaged or of another version: {error!r}.") from error
        return cls(**values)


_COUNTS = ("rows", "infinite_rows", "clipped", "normalized", "like_probabilities")
_EXACT = ("loss", "weight", "weight_squared", "infinite_weight", "weighted_loss", "loss_squared", "hits")
_COUNTS_BY = ("class_infinite", "bin_rows")
_EXACT_BY = ("class_weight", "class_loss", "bin_weight", "bin_loss")
if {f.name for f in fields(Sums)} != {*_COUNTS, *_EXACT, *_COUNTS_BY, *_EXACT_BY, "worst", "top"}:
    raise AssertionError("a field of Sums is missing from the lists that add and store it")


def merge_worst(rows: tuple[Worst, ...], top: int | None) -> tuple[Worst, ...]:
    """The `top` rows of largest nats; of equal ones the first by source and row."""
    return tuple(sorted(rows, key=lambda row: (-row[0], *row[1:]))[:top])


def _by_text(values: dict[int, int], write: Any) -> dict[str, Any]:
    return {str(key): write(values[key]) for key in sorted(values)}


def _hashable(code: Any) -> Any:
    return tuple(code) if isinstance(code, list) else int(code)
