"""How far the mean loss can be trusted: its standard error and interval, from sums."""

import math
from fractions import Fraction
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from xent.scoring import exact
from xent.scoring.keyed import key_of, key_text
from xent.scoring.means import LEVEL, mean_of
from xent.scoring.sums import FEW, MEAN_FIELDS, Keyed, Sums
from xent.scoring.tails import t_quantile

__all__ = ["Clusters", "MeanSums", "Uncertain", "cluster_sums", "mean_of_sums", "uncertainty"]

Float64 = NDArray[np.float64]


class Uncertain(NamedTuple):
    """A mean loss in nats."""

    loss: float
    standard_error: float | None
    interval: tuple[float, float] | None  # 95 %, not below 0
    degrees: int
    method: str  # "t", "bootstrap-t" or "cluster-robust t"


class MeanSums(NamedTuple):
    """What a mean and its standard error need: the fields that Sums and its groups share."""

    rows: int
    weight: int
    weight_squared: int
    loss: int
    weighted_loss: int
    loss_squared: int
    infinite_rows: int
    infinite_weight: int

    @classmethod
    def of(cls, sums: Sums) -> "MeanSums":
        """Of all rows."""
        return cls(*(getattr(sums, name) for name in MEAN_FIELDS))

    def without(self, other: Keyed) -> "MeanSums":
        """Of the rows that are not in a part."""
        return MeanSums(*(mine - theirs for mine, theirs in zip(self, other, strict=True)))


class Clusters(NamedTuple):
    """Of each cluster: Σ w and Σ w·x."""

    weight: Float64
    loss: Float64


def cluster_sums(sums: Sums) -> tuple[list[str], Clusters] | None:
    """Names and sums of the clusters, whichever group their rows are in; None if none were asked for."""
    if not sums.clusters:
        return None
    found: dict[str, tuple[int, int]] = {}
    for text, (weight, loss, _) in sums.clusters.items():
        name = key_text(key_of(text)[-1])
        known = found.get(name, (0, 0))
        found[name] = (known[0] + weight, known[1] + loss)
    names = sorted(found)
    columns = (np.array([exact.to_float(found[name][i]) for name in names]) for i in (0, 1))
    return names, Clusters(*columns)


def uncertainty(sums: Sums) -> Uncertain:
    """Of the loss over all rows: by clusters where they are given, by the bootstrap where there are few."""
    clusters = cluster_sums(sums)
    whole = mean_of_sums(MeanSums.of(sums))
    if math.isinf(whole.loss):
        return whole
    if clusters is not None:
        weight, loss = clusters[1]
        found = mean_of(loss / weight, weight)
        method = "bootstrap-t" if found.method == "bootstrap-t" else "cluster-robust t"
        return Uncertain(whole.loss, found.standard_error, _above_zero(found.interval), found.degrees, method)
    if 2 <= sums.rows < FEW:
        nats, weights = zip(*sums.few, strict=True)
        found = mean_of(nats, weights)
        return whole._replace(interval=_above_zero(found.interval), method=found.method)
    return whole


def _above_zero(interval: tuple[float, float] | None) -> tuple[float, float] | None:
    return None if interval is None else (max(0.0, interval[0]), interval[1])


def mean_of_sums(sums: MeanSums) -> Uncertain:
    """Mean of independent rows by Student's t: the linearised ratio estimator, √(n/(n−1) · Σ w²(x − mean)²) / Σ w.

    With equal weights this is s/√n. The sum is one of exact integers, so nothing cancels.

    Source:
        Cochran, "Sampling Techniques" (1977), section 6.
    """
    n = sums.rows
    if sums.infinite_rows:
        return Uncertain(math.inf, math.inf if n > 1 else None, (math.inf, math.inf) if n > 1 else None, n - 1, "t")
    loss = sums.loss / sums.weight
    if n < 2:
        return Uncertain(loss, None, None, 0, "t")
    mean = Fraction(sums.loss, sums.weight)
    squares = sums.loss_squared - 2 * mean * sums.weighted_loss + mean**2 * sums.weight_squared
    scatter = Fraction(squares) * Fraction(1 << exact.UNIT_BITS, sums.weight) / sums.weight
    error = math.sqrt(max(0.0, float(scatter * Fraction(n, n - 1))))
    reach = t_quantile((1.0 + LEVEL) / 2.0, n - 1) * error
    return Uncertain(loss, error, (max(0.0, loss - reach), loss + reach), n - 1, "t")
