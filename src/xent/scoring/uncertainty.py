"""How far the mean loss can be trusted: its standard error and interval, from sums."""

import math
from typing import NamedTuple

import numpy as np

from xent.scoring import exact
from xent.scoring.cluster_store import cluster_parts
from xent.scoring.keyed_columns import floats_in
from xent.scoring.means import LEVEL, mean_of, mean_of_moments
from xent.scoring.moments import Moments, linearised_error, sum_draws, telling_draws
from xent.scoring.sums import FEW, MEAN_FIELDS, Keyed, Sums
from xent.scoring.tails import t_quantile

__all__ = ["MeanSums", "Uncertain", "cluster_moments", "mean_of_sums", "uncertainty"]


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


def cluster_moments(sums: Sums) -> Moments | None:
    """The sums over clusters, whichever group their rows are in; None if none were asked for."""
    if not sums.clusters:
        return None
    found = Moments(sums.rows, sums.weight, sums.loss)
    for part in cluster_parts(sums.clusters):
        table = part.summed_by("cluster")
        weights, losses = floats_in(table, "weight"), floats_in(table, "loss")
        means = losses / weights
        more = sum_draws(losses, weights, np.zeros(len(weights), np.int64), 1)[0]
        found = found.plus(more._replace(low=float(means.min()), high=float(means.max())))
    return found


def uncertainty(sums: Sums) -> Uncertain:
    """Of the loss over all rows: by clusters where they are given, by the bootstrap where there are few."""
    whole = mean_of_sums(MeanSums.of(sums))
    if math.isinf(whole.loss):
        return whole
    clusters = cluster_moments(sums)
    if clusters is not None:
        found = mean_of_moments(clusters, clustered=True)
        return Uncertain(whole.loss, found.standard_error, _above_zero(found.interval), found.degrees, found.method)
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
    sizes = sums.weight_squared << exact.UNIT_BITS
    telling = telling_draws(n, sums.weight, sizes)
    if telling < 2:
        return Uncertain(loss, None, None, 0, "t")
    squared, product = sums.loss_squared << exact.UNIT_BITS, sums.weighted_loss << exact.UNIT_BITS
    error = linearised_error(n, sums.weight, sums.loss, squared, product, sizes)
    reach = t_quantile((1.0 + LEVEL) / 2.0, telling - 1) * error
    return Uncertain(loss, error, (max(0.0, loss - reach), loss + reach), telling - 1, "t")
