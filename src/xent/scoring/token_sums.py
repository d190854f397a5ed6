"""All that a report on tokens needs, by document: exact sums that add up the same in any split and any order."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from operator import add
from typing import Any, NamedTuple

from xent.errors import StateError
from xent.scoring import exact
from xent.scoring.per_unit import Moments, moments
from xent.sources.token_rows import UNITS

__all__ = ["Document", "Loose", "TokenSums", "WorstCost", "merge_worst_costs"]

Units = tuple[int, ...]  # by UNITS
NONE: Units = (0,) * len(UNITS)
# nats, source, number of the line or row, index of the token (-1 if not known), "line" or "row", document, text
WorstCost = tuple[float, str, int, int, str, str, str]


class Document(NamedTuple):
    """Sums over the rows of one document; `nats` and `units` are those of the rows of finite cost."""

    rows: int = 0
    infinite: int = 0  # rows of infinite cost
    nats: int = 0  # exact, in units of 2^-1074
    units: Units = NONE
    infinite_units: Units = NONE  # of the rows of infinite cost
    unknown: Units = NONE  # rows whose count of the unit is not known
    unscored: int = 0  # tokens without a log-probability
    unscored_bytes: int = 0

    def plus(self, other: "Document") -> "Document":
        """The sums over the rows of both."""
        return Document(
            self.rows + other.rows,
            self.infinite + other.infinite,
            self.nats + other.nats,
            _plus(self.units, other.units),
            _plus(self.infinite_units, other.infinite_units),
            _plus(self.unknown, other.unknown),
            self.unscored + other.unscored,
            self.unscored_bytes + other.unscored_bytes,
        )


class Loose(NamedTuple):
    """What rows without a document need beside their sums, each being a cluster of its own (finite costs only)."""

    nats_squared: int = 0  # Σ y² of float64 squares, exact in units of 2^-1074
    nats_units: Units = NONE  # Σ y·x by unit, in units of 2^-1074
    units_squared: Units = NONE

    def plus(self, other: "Loose") -> "Loose":
        """The sums over the rows of both."""
        return Loose(
            self.nats_squared + other.nats_squared,
            _plus(self.nats_units, other.nats_units),
            _plus(self.units_squared, other.units_squared),
        )


NO_ROWS, NO_LOOSE = Document(), Loose()


@dataclass(frozen=True)
class TokenSums:
    """Sums over rows of tokens or texts. An empty `TokenSums()` adds to nothing."""

    documents: dict[str, Document] = field(default_factory=dict)
    rest: Document = NO_ROWS  # rows without a document
    loose: Loose = NO_LOOSE
    left_out: dict[str, int] = field(default_factory=dict)  # what else was in the sources
    worst: tuple[WorstCost, ...] = ()  # tokens
    top: int | None = None  # how many of them are kept; None in sums that have none

    def __add__(self, other: "TokenSums") -> "TokenSums":
        """The sums over both sets of rows; a document that is in both is one."""
        return TokenSums.gather((self, other))

    @classmethod
    def gather(cls, parts: Iterable["TokenSums"]) -> "TokenSums":
        """The sums over all sets of rows."""
        documents: dict[str, Document] = {}
        left_out: dict[str, int] = {}
        rest, loose = NO_ROWS, NO_LOOSE
        worst: tuple[WorstCost, ...] = ()
        top: int | None = None
        for part in parts:
            for name, document in part.documents.items():
                known = documents.get(name)
                documents[name] = document if known is None else known.plus(document)
            for reason, count in part.left_out.items():
                left_out[reason] = left_out.get(reason, 0) + count
            rest, loose = rest.plus(part.rest), loose.plus(part.loose)
            top = part.top if top is None else top
            worst = merge_worst_costs(worst + part.worst, top)
        return cls(documents, rest, loose, left_out, worst, top)

    def whole(self) -> Document:
        """The sums over all rows."""
        total = self.rest
        for document in self.documents.values():
            total = total.plus(document)
        return total

    def moments(self, unit: int) -> Moments:
        """The sums of nats and of one of UNITS over the clusters: documents, and each row without one."""
        of_documents = moments((one.nats, one.units[unit]) for one in self.documents.values())
        of_rows = Moments(
            self.rest.rows - self.rest.infinite,
            self.rest.nats,
            self.rest.units[unit],
            self.loose.nats_squared << exact.UNIT_BITS,
            self.loose.nats_units[unit],
            self.loose.units_squared[unit],
        )
        return Moments(*map(add, of_documents, of_rows))

    def to_dict(self) -> dict[str, Any]:
        """As JSON has it; `from_dict` gives the same sums back."""
        return {
            "documents": {name: _written(self.documents[name]) for name in sorted(self.documents)},
            "rest": _written(self.rest),
            "nats_squared": exact.encode(self.loose.nats_squared),
            "nats_units": [exact.encode(value) for value in self.loose.nats_units],
            "units_squared": list(self.loose.units_squared),
            "left_out": self.left_out,
            "worst": [[repr(nats), *others] for nats, *others in self.worst],
            "top": self.top,
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> "TokenSums":
        """The sums that `to_dict` wrote.

        Raises:
            StateError: a field is missing or malformed.
        """
        try:
            return cls(
                {str(name): _read(document) for name, document in data["documents"].items()},
                _read(data["rest"]),
                Loose(
                    exact.decode(data["nats_squared"]),
                    tuple(exact.decode(value) for value in data["nats_units"]),
                    _units(data["units_squared"]),
                ),
                {str(reason): int(count) for reason, count in data["left_out"].items()},
                tuple(
                    (float(nats), str(source), int(number), int(index), str(word), str(document), str(text))
                    for nats, source, number, index, word, document, text in data["worst"]
                ),
                None if data["top"] is None else int(data["top"]),
            )
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise StateError(f"the sums of tokens are damaged or of another version: {error!r}.") from error


def merge_worst_costs(rows: tuple[WorstCost, ...], top: int | None) -> tuple[WorstCost, ...]:
    """The `top` tokens of largest cost; of equal ones the first by source, line and token."""
    return tuple(sorted(rows, key=lambda row: (-row[0], *row[1:]))[:top])


def _plus(one: Units, other: Units) -> Units:
    return tuple(map(add, one, other))


def _written(document: Document) -> list[Any]:
    return [
        exact.encode(value) if name == "nats" else list(value) if isinstance(value, tuple) else value
        for name, value in document._asdict().items()
    ]


def _read(values: list[Any]) -> Document:
    rows, infinite, nats, units, infinite_units, unknown, unscored, unscored_bytes = values
    return Document(
        int(rows),
        int(infinite),
        exact.decode(nats),
        _units(units),
        _units(infinite_units),
        _units(unknown),
        int(unscored),
        int(unscored_bytes),
    )


def _units(values: Iterable[Any]) -> Units:
    found = tuple(int(value) for value in values)
    if len(found) != len(UNITS):
        raise ValueError(f"{len(found)} counts in place of {len(UNITS)}")
    return found
