"""The brief report (`brief=True`) of arrays in memory against scikit-learn's bare log_loss, in the same run; and the full.

To reach: 8 times faster on core NumPy; with the extra `fast` 25 times (10M binary rows, string labels too) and 40 times
(1M rows of 10 classes); extra memory at most 16 MB. `ratio_summing` is what merely adding up the predictions with two
threads would reach.
"""

import argparse
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from measure import extra_memory, in_turns, kernels, ratio, report
from sklearn.metrics import log_loss

import xent


def cases(scale: float):
    """Name, labels, predictions."""
    r = np.random.default_rng(0)
    rows = int(10_000_000 * scale)
    p = r.uniform(1e-6, 1.0 - 1e-6, rows)
    y = (r.random(rows) < p).astype(np.int64)
    yield "10M binary float64", y, p
    yield "10M binary float32", y, p.astype(np.float32)
    del p
    rows = int(1_000_000 * scale)
    q = np.exp(r.normal(size=(rows, 10)))
    q /= q.sum(axis=1, keepdims=True)
    label = r.integers(0, 10, rows)
    yield "1Mx10 float64", label, q
    yield "1Mx10 float32", label, q.astype(np.float32)
    p = r.uniform(1e-6, 1.0 - 1e-6, rows)
    texts = np.where(r.random(rows) < p, "yes", "no")
    yield "1M binary float64, string labels (objects, as in pandas)", texts.astype(object), p
    yield "1M binary float64, string labels (NumPy text)", texts, p


def main() -> None:
    """Print a line a case."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scale", type=float, default=1.0, help="share of the rows")
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    pool = ThreadPoolExecutor(2)
    for name, labels, predictions in cases(options.scale):

        def score(labels=labels, predictions=predictions):
            return xent.evaluate(labels, predictions, kind="probabilities", brief=True)

        def full(labels=labels, predictions=predictions):
            return xent.evaluate(labels, predictions, kind="probabilities", brief=False)

        def summed(predictions=predictions):
            return list(pool.map(np.sum, np.array_split(predictions, 2)))

        truth = log_loss(labels, predictions)
        figures = {}
        for which in ("core", "fast"):
            with kernels(which):
                found = score()
                assert abs(found.loss - truth) <= 1e-6 * truth, (name, found.loss, truth)
                figures[f"extra_memory_mb_{which}"] = extra_memory(score)

        def timed(which, score=score):
            with kernels(which):
                score()

        seconds = in_turns(
            {
                "scikit_learn": lambda labels=labels, predictions=predictions: log_loss(labels, predictions),
                "core": lambda timed=timed: timed("core"),
                "fast": lambda timed=timed: timed("fast"),
                "full": full,
                "summed": summed,
            },
            options.rounds,
        )
        report(
            name,
            ratio_core=ratio(seconds["scikit_learn"], seconds["core"]),
            ratio_fast=ratio(seconds["scikit_learn"], seconds["fast"]),
            ratio_full=ratio(seconds["scikit_learn"], seconds["full"]),
            ratio_summing=ratio(seconds["scikit_learn"], seconds["summed"]),
            **figures,
            **seconds,
        )


if __name__ == "__main__":
    main()
