"""All that a report needs of any number of rows: exact sums that add up the same in any order."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from operator import add
from typing import Any

from xent.errors import StateError
from xent.scoring import exact
from xent.scoring.cluster_sums import ClusterSums, added

__all__ = ["CLUSTER_FIELDS", "FEW", "MEAN_FIELDS", "Keyed", "Sums", "Worst", "merge_worst"]

Exact = int  # in units of 2^-1074
Keyed = tuple[int, ...]
MEAN_FIELDS = (
    "rows",
    "weight",
    "weight_squared",
    "loss",
    "weighted_loss",
    "loss_squared",
    "infinite_rows",
    "infinite_weight",
)
CLUSTER_FIELDS = ("weight", "loss", "infinite_rows")
FEW = 200
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
    loss_squared: Exact = 0  # Σ (w·x)², each row rounded to 2^-72 if x is from 2^-24 to 16
    hits: Exact = 0  # Σ w of the rows whose first most probable class is the label
    clipped: int = 0  # rows whose cost `clip` changed
    normalized: int = 0  # rows off by more than 1e-3 that `normalize` divided by their sum
    like_probabilities: int = 0  # rows of logits that are probabilities
    bin_rows: dict[int, int] = field(
        default_factory=dict
    )  # by 1/64 bit of x; only multiples of 8 from 1 bit on; by octaves below 1/8 bit
    bin_weight: dict[int, Exact] = field(default_factory=dict)  # Σ w
    bin_loss: dict[int, Exact] = field(default_factory=dict)  # Σ w·x, where x ≥ 2^-24 is rounded to 2^-36
    # what the loss is made of (see kernels/survey_numpy.py), left out where the plan is brief
    grid: dict[int, Exact] = field(default_factory=dict)  # Σ w·(what kernels.temper_numpy gives)
    moments: dict[int, Exact] = field(default_factory=dict)  # Σ w·(what the slopes and the curvature are made of)
    label_entropy: Exact = 0  # Σ w·H(t) of soft labels
    confusion: dict[int, Exact] = field(default_factory=dict)  # by label·classes + class, Σ w·(−log p)
    impossible: dict[int, int] = field(default_factory=dict)  # the same, rows of p = 0, which are not in `confusion`
    reliable_weight: dict[int, Exact] = field(default_factory=dict)  # by class and bin of its odds, Σ w
    reliable_probability: dict[int, Exact] = field(default_factory=dict)  # Σ w·p
    reliable_truth: dict[int, Exact] = field(default_factory=dict)  # Σ w·t
    groups: dict[str, Keyed] = field(default_factory=dict)  # by group as JSON text, MEAN_FIELDS
    clusters: ClusterSums = field(default_factory=ClusterSums)  # by cluster as JSON text, CLUSTER_FIELDS
    few: tuple[tuple[float, float], ...] = ()  # nats and weight of every row, sorted, as long as there are below FEW
    worst: tuple[Worst, ...] = ()
    skipped: tuple[tuple[str, str], ...] = ()  # files that could not be read, and why, sorted
    top: int | None = None  # how many of the worst rows are kept; None in sums that have none

    def __add__(self, other: "Sums") -> "Sums":
        """The sums over both sets of rows."""
        return Sums.gather((self, other))

    @classmethod
    def gather(cls, parts: Iterable["Sums"]) -> "Sums":
        """The sums over all sets of rows."""
        numbers = dict.fromkeys(_COUNTS + _EXACT, 0)
        by_key: dict[str, dict[int, int]] = {name: {} for name in _COUNTS_BY + _EXACT_BY}
        groups: dict[str, Keyed] = {}
        clusters: list[ClusterSums] = []
        few: list[tuple[float, float]] = []
        top: int | None = None
        worst: tuple[Worst, ...] = ()
        skipped: set[tuple[str, str]] = set()
        for part in parts:
            for name in numbers:
                numbers[name] += getattr(part, name)
            for name, sums in by_key.items():
                if more := getattr(part, name):
                    _add_to(sums, more)
            for text, own in part.groups.items():
                known = groups.get(text)
                groups[text] = own if known is None else tuple(map(add, known, own))
            clusters = added(clusters, part.clusters)
            few += part.few if numbers["rows"] < FEW else ()
            top = part.top if top is None else top
            worst = merge_worst(worst + part.worst, top) if part.worst else worst
            skipped.update(part.skipped)
        by_key = {name: {key: value for key, value in sums.items() if value} for name, sums in by_key.items()}
        values: dict[str, Any] = {**numbers, **by_key, "groups": groups, "clusters": ClusterSums.gather(clusters)}
        values["few"] = tuple(sorted(few)) if numbers["rows"] < FEW else ()
        return cls(**values, worst=merge_worst(worst, top), skipped=tuple(sorted(skipped)), top=top)

    @property
    def unweighted(self) -> bool:
        """Whether every row has the weight 1."""
        return self.weight == self.weight_squared == self.rows << exact.UNIT_BITS

    def to_dict(self) -> dict[str, Any]:
        """As JSON has it; `from_dict` gives the same sums back."""
        out: dict[str, Any] = {name: getattr(self, name) for name in _COUNTS} | {"top": self.top}
        out |= {name: exact.encode(getattr(self, name)) for name in _EXACT}
        out |= {name: _by_text(getattr(self, name), int) for name in _COUNTS_BY}
        out |= {name: _by_text(getattr(self, name), exact.encode) for name in _EXACT_BY}
        out |= {
            name: {key: _written(name, values) for key, values in sorted(getattr(self, name).items())}
            for name in _BY_TEXT
        }
        out |= {"skipped": [list(file) for file in self.skipped]}
        out |= {"few": [[repr(nats), repr(weight)] for nats, weight in self.few]}
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
            values |= {name: {key: _read(name, text) for key, text in data[name].items()} for name in _BY_TEXT}
            values["clusters"] = ClusterSums.of(values["clusters"])
            values["few"] = tuple((float(nats), float(weight)) for nats, weight in data["few"])
            values["skipped"] = tuple((str(file), str(reason)) for file, reason in data["skipped"])
            values["worst"] = tuple(
                (float(nats), str(source), int(row), _hashable(label), _hashable(predicted))
                for nats, source, row, label, predicted in data["worst"]
            )
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise StateError(f"the state is damaged or of another version: {error!r}.") from error
        return cls(**values)


_COUNTS = ("rows", "infinite_rows", "clipped", "normalized", "like_probabilities")
_EXACT = (
    "loss",
    "weight",
    "weight_squared",
    "infinite_weight",
    "weighted_loss",
    "loss_squared",
    "hits",
    "label_entropy",
)
_COUNTS_BY = ("class_infinite", "bin_rows", "impossible")
_EXACT_BY = (
    "class_weight",
    "class_loss",
    "bin_weight",
    "bin_loss",
    "grid",
    "moments",
    "confusion",
    "reliable_weight",
    "reliable_probability",
    "reliable_truth",
)
_BY_TEXT = {"groups": MEAN_FIELDS, "clusters": CLUSTER_FIELDS}
if {f.name for f in fields(Sums)} != {
    *_COUNTS,
    *_EXACT,
    *_COUNTS_BY,
    *_EXACT_BY,
    *_BY_TEXT,
    "few",
    "worst",
    "skipped",
    "top",
}:
    raise AssertionError("a field of Sums is missing from the lists that add and store it")


def _add_to(sums: dict[int, int], more: Mapping[int, int]) -> None:
    if not sums:
        sums.update(more)
        return
    for key, value in more.items():
        sums[key] = sums.get(key, 0) + value


def merge_worst(rows: tuple[Worst, ...], top: int | None) -> tuple[Worst, ...]:
    """The `top` rows of largest nats; of equal ones the first by source and row."""
    return tuple(sorted(rows, key=lambda row: (-row[0], *row[1:]))[:top])


def _written(name: str, values: Keyed) -> list[Any]:
    return [v if field in _COUNTS else exact.encode(v) for field, v in zip(_BY_TEXT[name], values, strict=True)]


def _read(name: str, values: list[Any]) -> Keyed:
    found = zip(_BY_TEXT[name], values, strict=True)
    return tuple(int(v) if field in _COUNTS else exact.decode(v) for field, v in found)


def _by_text(values: dict[int, int], write: Any) -> dict[str, Any]:
    return {str(key): write(values[key]) for key in sorted(values)}


def _hashable(code: Any) -> Any:
    return tuple(code) if isinstance(code, list) else int(code)
