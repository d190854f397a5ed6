"""Predictions to find faults in."""

import numpy as np
import polars as pl
import pytest

ANIMALS = ("cat", "dog", "bird", "cow")


class Zoo:
    """Good predictions of four classes: labels `y` (rows,), logits `z` and probabilities `p` (rows, 4)."""

    def __init__(self, rows=300, strength=4.0, seed=0):
        random = np.random.default_rng(seed)
        self.y = random.integers(0, 4, rows)
        self.z = random.normal(size=(rows, 4))
        self.z[np.arange(rows), self.y] += strength
        self.p = np.exp(self.z) / np.exp(self.z).sum(axis=1, keepdims=True)
        self.text = np.array(ANIMALS)[self.y]
        self.loss = float(-np.log(self.p[np.arange(rows), self.y]).mean())

    def frame(self, label=None, p=None, names=ANIMALS, prefix="p_", **more):
        label, p = self.text if label is None else label, self.p if p is None else p
        columns = {f"{prefix}{name}": p[:, j] for j, name in enumerate(names)}
        return pl.DataFrame({"label": label, **columns, **more})


@pytest.fixture(scope="session")
def zoo():
    return Zoo()
