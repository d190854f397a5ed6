"""What a language model's log-probabilities cost, per token, word, character and byte: plain frozen data."""

from dataclasses import dataclass

from xent.report import json, token_text

__all__ = ["TokenComparison", "TokenReport", "UnitCost", "WorstDocument", "WorstToken"]


@dataclass(frozen=True)
class UnitCost:
    """The mean cost of a token, word, character or byte: all nats over all units."""

    unit: str  # "token", "word", "character" or "byte"
    count: int  # of all rows
    nats: float  # inf if a row's cost is
    standard_error: float | None  # of the nats, over documents; None for a single one
    interval: tuple[float, float] | None  # of the nats, 95 %
    bits: float
    bits_interval: tuple[float, float] | None
    perplexity: float  # e^nats; inf where that is above the largest float64
    perplexity_interval: tuple[float, float] | None
    finite_nats: float | None  # of the rows of finite cost


@dataclass(frozen=True)
class WorstDocument:
    """One of the documents that cost most per unit, among those of at least 20 units."""

    document: str
    unit: str
    count: int
    nats: float  # all of it
    nats_per_unit: float
    bits_per_unit: float


@dataclass(frozen=True)
class WorstToken:
    """One of the tokens that cost most."""

    text: str  # its first 40 characters; "" if the source has none
    nats: float
    document: str | None
    source: str | None
    place: str  # "line 3, token 17" or "row 8"


@dataclass(frozen=True)
class TokenReport:
    """What cross-entropy says about a language model's log-probabilities."""

    bits_per_byte: float | None  # None if the bytes are not known
    bits_per_byte_interval: tuple[float, float] | None
    units: tuple[UnitCost, ...]  # those that could be counted
    nats: float  # total
    rows: int  # tokens, or texts where only their sum is known
    documents: int | None  # None if the rows do not know theirs
    infinite: int  # rows of infinite cost
    unscored: int  # tokens that the log gives no log-probability for, such as the first of a prompt
    worst_documents: tuple[WorstDocument, ...]
    worst_tokens: tuple[WorstToken, ...]
    checks: tuple[str, ...]
    warnings: tuple[str, ...]
    notes: tuple[str, ...]  # how the input was read

    @property
    def headline(self) -> tuple[str, float]:
        """The number shown first, and what it is of: bits per byte, nats per token, or all nats."""
        units = {one.unit: one for one in self.units}
        if "byte" in units:
            return "bits per byte", units["byte"].bits
        return (f"nats per {self.units[0].unit}", self.units[0].nats) if self.units else ("nats in all", self.nats)

    def __str__(self) -> str:
        """The report as the command prints it, without colours."""
        return self.text()

    def text(self, lang: str = "en") -> str:
        """The report as the command prints it, in a language: "en" or "zh"."""
        return token_text.render(self, lang)

    def json(self) -> str:
        """The report as JSON: keys are the attribute names, infinity is "inf", undefined is null."""
        return json.render(self)


@dataclass(frozen=True)
class TokenComparison:
    """Two models on the same documents, per byte; a difference below 0 says that the first is better."""

    first: str  # names of the logs
    second: str
    bits_per_byte: tuple[float, float]  # of the first and the second
    difference: float | None  # first − second, bits per byte; None if both are infinite
    standard_error: float | None  # None for a single document
    interval: tuple[float, float] | None  # 95 %, paired by document
    p_value: float | None  # of no difference, two-sided
    documents: int  # in both
    bytes: int  # of the first model's scored tokens in them
    only_in_first: int  # documents left out
    only_in_second: int
    verdict: str
    warnings: tuple[str, ...]

    def __str__(self) -> str:
        """The comparison as the command prints it, without colours."""
        return self.text()

    def text(self, lang: str = "en") -> str:
        """The comparison as the command prints it, in a language: "en" or "zh"."""
        return token_text.render_comparison(self, lang)

    def json(self) -> str:
        """The comparison as JSON."""
        return json.render(self)
