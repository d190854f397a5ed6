"""The linear layer's loss by products of our own, for class labels where the processor is one that they are made for.

There are two ways. In float32 the logits of some rows are kept, where memory is enough for many: three products, and
the weight and its gradient are read once more for every such rows. Else tiles of logits never leave the cache and are
made twice, for the sums and for the slopes: four products, but all rows at a time, so that the weight's gradient is
complete when it is written, and can be rounded. bfloat16 is multiplied as it is, with sums in float32.
"""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xent.autodiff import arrays, linear_again, linear_kept
from xent.autodiff.linear_again import KEPT, PACKED
from xent.autodiff.linear_arrays import Machine, Wanted
from xent.autodiff.linear_passes import UNITS, Block, Plan, fold_all, up
from xent.formulas import rows as formulas
from xent.formulas.rows import RowWeights, Targets
from xent.kernels import choice, rows_numpy
from xent.kernels.blockwise import Gradients, LinearArrays

__all__ = ["loss", "serves"]

Array = NDArray[Any]
LEAST_ROWS = 48  # at a time
KEPT_ROWS = 96  # whole panels, and rows of registers; a product less is worth so few passes over the weight
KEPT_CLASSES = 1920  # shared out among the threads
THREADS = 2  # whose memory is counted: results do not depend on how many there are


def serves(layer: LinearArrays, targets: Targets, machine: Machine) -> bool:
    """Whether they do: labels are classes, nothing bends the logits, processor and memory are enough."""
    usual = layer.weight.dtype != np.float64 and layer.weight.size > 0
    plain = usual and targets.soft is None and layer.softcap is None
    return plain and choice.tiles() is not None and _again(layer, len(layer.features), machine.max_memory) is not None


@arrays.silent
def loss(
    layer: LinearArrays, targets: Targets, weights: RowWeights, divisor: Any, machine: Machine, wanted: Wanted
) -> tuple[float, Array, Gradients]:
    """As `linear_arrays.loss`; 16-bit gradients that are written once come rounded."""
    labels = np.ascontiguousarray(targets.labels)
    layer = layer._replace(weight=np.ascontiguousarray(layer.weight))  # once for all blocks
    counted = np.flatnonzero(labels >= 0)
    given = layer, len(counted), machine.max_memory
    kept = _kept(*given) if any(wanted) else None
    plan = kept or _again(*given)
    assert plan is not None
    gradients = _gradients(layer, wanted, len(counted), plan.rows)
    logits = kept and kept.memory(len(layer.weight) * up(kept.rows, choice.tiles().COLUMNS))
    losses, totals = np.zeros(len(labels), np.float32), []
    for start in range(0, len(counted), plan.rows):
        stop = min(start + plan.rows, len(counted))
        rows = slice(start, stop) if len(counted) == len(labels) else counted[start:stop]
        block = _block(layer, rows, labels[rows], plan, machine.threads, logits)
        normaliser, at = fold_all(block)
        statistics = formulas.index_statistics(normaliser, at)
        some = arrays.part_of_weights(weights, rows)
        losses[rows] = of_rows = formulas.row_loss(statistics, some)
        totals.append(float(of_rows.sum()) / divisor)
        if any(wanted):
            share = np.full_like(statistics.nll, 1.0 / divisor)
            on = formulas.row_loss_gradient(statistics, some, share)
            slope = formulas.index_gradient(normaliser, statistics.nll, *on)
            on_features = None if gradients.features is None else np.zeros((stop - start, block.dim), np.float32)
            way = linear_again if logits is None else linear_kept
            way.slopes_of_all(block, normaliser.peak, slope, gradients._replace(features=on_features), start == 0)
            if gradients.features is not None and on_features is not None:
                gradients.features[rows] = rows_numpy.rounded(on_features, gradients.features.dtype)
    return math.fsum(totals), losses, gradients


def _kept(layer: LinearArrays, rows: int, max_memory: int) -> Plan | None:
    """As many rows at a time as the logits of fit into memory, if they are all or many."""
    kernels, (classes, dim) = choice.tiles(), layer.weight.shape
    if layer.weight.dtype != np.float32 or classes < KEPT_CLASSES:
        return None
    padded = up(dim, kernels.COLUMNS)
    room = max_memory // 4 - kernels.HEIGHT * padded - THREADS * 3 * kernels.WIDE
    fit = room // (classes + 2 * padded + dim + UNITS * 3) // kernels.COLUMNS * kernels.COLUMNS
    if fit < rows:
        fit = fit // KEPT_ROWS * KEPT_ROWS
    return Plan(False, False, _evened(rows, fit)) if fit > 0 else None


def _evened(rows: int, fit: int) -> int:
    """As few as go as often as what fits, in whole panels."""
    times = max(1, -(-rows // fit))
    return min(fit, up(max(1, -(-rows // times)), choice.tiles().COLUMNS))


def _again(layer: LinearArrays, rows: int, max_memory: int) -> Plan | None:
    """The most rows at a time, since each time costs two passes over the weight."""
    kernels, dim = choice.tiles(), layer.features.shape[1]
    pairs = layer.weight.dtype == np.uint16 and dim % 2 == 0 and kernels.pairs_available()
    wide = not pairs and layer.weight.dtype != np.float32
    size, padded = 2 if pairs else 4, up(dim, kernels.COLUMNS)
    widening = 4 * dim if wide else 0
    room = max_memory - PACKED * kernels.CLASSES * (padded * size + widening)
    of_row = 2 * padded * size + 4 * dim + widening + KEPT * kernels.CLASSES * size + UNITS * 12
    of_thread = 4 * kernels.HEIGHT + size * kernels.CLASSES  # for each row that it takes
    fit = (room - THREADS * kernels.WIDE * of_thread) // of_row
    fit = max(fit, min(kernels.WIDE, room // (of_row + THREADS * of_thread))) // kernels.COLUMNS * kernels.COLUMNS
    return Plan(pairs, wide, max(1, min(rows, fit))) if fit >= min(rows, LEAST_ROWS) else None


def _block(layer: LinearArrays, rows: Any, labels: Array, plan: Plan, threads: int, logits: Array | None) -> Block:
    """The layer's numbers as the kernels know them, the features packed."""
    kernels, dim = choice.tiles(), layer.features.shape[1]
    features, weight = _numbers(layer.features[rows]), _numbers(layer.weight)
    steps = features.view(np.int32) if plan.pairs else plan.widened(features)
    by_rows = plan.memory(plan.steps(dim) * up(len(labels), kernels.COLUMNS))
    kernels.pack_rows(steps.reshape(len(labels), -1), by_rows)
    bias = np.zeros(len(layer.weight), np.float32) if layer.bias is None else np.ascontiguousarray(layer.bias)
    return Block(features, by_rows, labels, weight, bias, dim, plan, threads, logits, [])


def _gradients(layer: LinearArrays, wanted: Wanted, rows: int, at_a_time: int) -> Gradients:
    """Features' in their own dtype, the weight's too where it is written once, else float32; the first rows fill it."""
    features, weight, bias = layer[:3]
    dtype = arrays.stored(weight) if rows <= at_a_time else np.float32
    on_weight = np.empty(weight.shape, dtype) if rows > 0 else np.zeros(weight.shape, dtype)
    return Gradients(
        np.zeros(features.shape, arrays.stored(features)) if wanted.features else None,
        on_weight if wanted.weight else None,
        None if bias is None or not wanted.bias else np.zeros(bias.shape, np.float32),
    )


def _numbers(rows: Array) -> Array:
    flat = np.ascontiguousarray(rows).reshape(-1)
    return flat.view(np.int16) if flat.dtype == np.float16 else flat  # that kernels know it by
