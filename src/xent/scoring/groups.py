"""Which groups differ from the rest, in which direction, and whether that can be chance."""

import math
from collections.abc import Sequence
from fractions import Fraction
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from xent.scoring import exact
from xent.scoring.cluster_store import cluster_parts
from xent.scoring.cluster_sums import ClusterSums
from xent.scoring.key_text import key_of
from xent.scoring.keyed_columns import floats_in, summed
from xent.scoring.moments import linearised_error
from xent.scoring.sums import Sums
from xent.scoring.tails import benjamini_hochberg, t_tails
from xent.scoring.uncertainty import MeanSums, Uncertain, mean_of_sums
from xent.sources.arrays import numpy_array

__all__ = ["Group", "groups_of"]

SMALL = 30  # rows: smaller groups are pooled
LEVEL = 0.05

Float64 = NDArray[np.float64]


class Group(NamedTuple):
    """One group against the rest, nats."""

    name: Any  # its value; None for rows without one
    pooled: int  # how many small groups this is; 0 if it is one
    found: Uncertain
    rows: int
    infinite: int
    share: float | None  # of the loss
    difference: float | None  # its loss − that of the rest
    p_value: float | None
    adjusted_p_value: float | None  # Benjamini–Hochberg over the groups

    @property
    def direction(self) -> str | None:
        """ "worse" or "better" than the rest; None where that may be chance."""
        if self.adjusted_p_value is None or self.adjusted_p_value >= LEVEL or self.difference is None:
            return None
        return "worse" if self.difference > 0.0 else "better"


def groups_of(sums: Sums) -> tuple[Group, ...] | None:
    """Groups of SMALL rows and more, those first that cost most beyond their share; then the small ones as one."""
    if not sums.groups:
        return None
    large = {text: MeanSums(*v) for text, v in sums.groups.items() if v[0] >= SMALL}
    small = [text for text in sums.groups if text not in large]
    if len(small) == 1:
        text = small.pop()
        large[text] = MeanSums(*sums.groups[text])
    slices = [{text} for text in large] + ([set(small)] if small else [])
    robust = _Clustered(sums, slices) if sums.clusters else None
    found = [_compared(sums, key_of(text)[0], part, robust, i) for i, (text, part) in enumerate(large.items())]
    if small:
        pooled = MeanSums(*map(sum, zip(*(sums.groups[text] for text in small), strict=True)))
        found.append(_compared(sums, None, pooled, robust, len(large))._replace(pooled=len(small)))
    tested = [i for i, group in enumerate(found) if group.p_value is not None]
    adjusted = benjamini_hochberg([found[i].p_value or 0.0 for i in tested])
    for i, p in zip(tested, adjusted, strict=True):
        found[i] = found[i]._replace(adjusted_p_value=p)
    return tuple(sorted(found, key=_order))


def _order(group: Group) -> tuple[bool, float, str]:
    excess = (group.difference or 0.0) * group.rows
    return (group.pooled > 0, -math.inf if group.infinite else -excess, str(group.name))


def _compared(sums: Sums, name: Any, part: MeanSums, robust: "_Clustered | None", code: int) -> Group:
    own, rest = mean_of_sums(part), MeanSums.of(sums).without(part)
    share = None if sums.infinite_rows or not sums.loss else part.loss / sums.loss
    found = Group(name, 0, own, part.rows, part.infinite_rows, share, None, None, None)
    if part.infinite_rows or rest.infinite_rows or not rest.rows:
        return found
    other = mean_of_sums(rest)
    difference = own.loss - other.loss
    if robust is not None:
        errors, shared, fewest = robust.errors(code, part, rest)
        own = own._replace(standard_error=errors[0], interval=None, method="cluster-robust t")
    else:
        errors, shared, fewest = (own.standard_error, other.standard_error), 0.0, None
    mine, theirs = errors
    if mine is None or theirs is None:
        return found._replace(found=own, difference=difference)
    error = math.sqrt(max(0.0, mine**2 + theirs**2 - 2.0 * shared))
    p = 1.0 if difference == 0.0 else None
    if error:
        degrees = fewest - 1 if fewest else _welch(mine, part.rows, theirs, rest.rows)
        p = t_tails(difference / error, degrees)
    return found._replace(found=own, difference=difference, p_value=p)


def _welch(one: float, rows: int, other: float, other_rows: int) -> float:
    """Degrees of freedom of a difference of means (Welch 1947)."""
    return (one**2 + other**2) ** 2 / (one**4 / (rows - 1) + other**4 / (other_rows - 1))


_PRODUCTS = ("ll", "lw", "ww", "lL", "lW", "wL", "wW")


class _Clustered:
    """Sums over clusters within and without groups, for errors that clusters make (Liang and Zeger 1986).

    Of a cluster, l and w are a group's Σ w·x and Σ w, L and W those of all groups; their products are summed exactly.

    Args:
        slices: the texts of each group, or of all small groups that are one.
    """

    def __init__(self, sums: Sums, slices: Sequence[set[str]]) -> None:
        self.slice_of = {text: i for i, texts in enumerate(slices) for text in texts}
        self.clusters = 0
        self.inside = np.zeros(len(slices), np.int64)  # clusters with rows of the group
        self.only = np.zeros(len(slices), np.int64)  # and with no others
        self.products = {name: [0] * len(slices) for name in _PRODUCTS}
        self.whole = dict.fromkeys(("LL", "LW", "WW"), 0)
        for part in cluster_parts(sums.clusters):
            self._add(part)

    def _add(self, part: ClusterSums) -> None:
        whole = part.summed_by("cluster")
        inside = part.summed_by("cluster", "group")
        names = inside.column("group").combine_chunks().dictionary_encode()
        slices = np.array([self.slice_of[f"[{name}]"] for name in names.dictionary.to_pylist()])
        group = pa.array(slices[numpy_array(names.indices)])
        inside = summed([inside.set_column(inside.column_names.index("group"), "group", group)], ("cluster", "group"))
        at = numpy_array(pc.index_in(inside.column("cluster"), whole.column("cluster")).combine_chunks())
        codes = numpy_array(inside.column("group").combine_chunks())
        totals = {"L": floats_in(whole, "loss"), "W": floats_in(whole, "weight")}
        columns = {
            "l": floats_in(inside, "loss"),
            "w": floats_in(inside, "weight"),
            "L": totals["L"][at],
            "W": totals["W"][at],
        }
        self.clusters += whole.num_rows
        self.inside += np.bincount(codes, minlength=len(self.inside))
        self.only += np.bincount(codes[columns["w"] == columns["W"]], minlength=len(self.only))
        for name, sums in self.products.items():
            for code, value in exact.grouped_products(columns[name[0]], columns[name[1]], codes).items():
                sums[code] += value
        alone = np.zeros(whole.num_rows, np.int64)
        for name in self.whole:
            self.whole[name] += exact.grouped_products(totals[name[0]], totals[name[1]], alone).get(0, 0)

    def errors(self, code: int, part: MeanSums, rest: MeanSums) -> tuple[tuple[float | None, float | None], float, int]:
        """Of the group and of the rest: standard errors of the means, None for one cluster; covariance; fewest clusters.

        With few, the squares of fewer tell how far the difference may be off: degrees of freedom are counted on that side.
        """
        ll, lw, ww, l_loss, l_weight, w_loss, w_weight = (self.products[name][code] for name in _PRODUCTS)
        whole, inside = self.whole, int(self.inside[code])
        outside = self.clusters - int(self.only[code])
        rest_squares = whole["LL"] - 2 * l_loss + ll
        rest_products = whole["LW"] - l_weight - w_loss + lw
        rest_sizes = whole["WW"] - 2 * w_weight + ww
        mine = linearised_error(inside, part.weight, part.loss, ll, lw, ww) if inside > 1 else None
        theirs = None
        if outside > 1:
            theirs = linearised_error(outside, rest.weight, rest.loss, rest_squares, rest_products, rest_sizes)
        # Σ (l − mean·w)·((L − l) − mean'·(W − w)) over the weights of both
        mean, other = Fraction(part.loss, part.weight), Fraction(rest.loss, rest.weight)
        scatter = (l_loss - ll) - other * (l_weight - lw) - mean * (w_loss - lw) + mean * other * (w_weight - ww)
        factor = Fraction(self.clusters, max(1, self.clusters - 1))
        return (mine, theirs), float(factor * scatter / (part.weight * rest.weight)), min(inside, outside)
