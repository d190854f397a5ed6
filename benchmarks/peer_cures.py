"""Four models of handwritten digits, and the cures that scikit-learn and SciPy find for them; `independent.py` uses it."""

import math
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow.parquet as pq
from scipy.optimize import minimize, minimize_scalar
from scipy.special import log_softmax, softmax
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.calibration import CalibratedClassifierCV
from sklearn.datasets import load_digits
from sklearn.exceptions import ConvergenceWarning
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier
from sklearn.preprocessing import StandardScaler

Array = np.ndarray[Any, Any]
DATA = Path(__file__).parents[1] / "examples" / "data"


class Model(NamedTuple):
    """Predictions and what was true."""

    name: str
    labels: Array  # (rows,)
    p: Array  # (rows, classes)

    @property
    def nats(self) -> Array:
        """The loss of each row."""
        return -np.log(self.p[np.arange(len(self.p)), self.labels])

    @property
    def logits(self) -> Array:
        """log p, −10,000 for 0: e to a sixteenth of it is still nothing."""
        return np.log(self.p, where=self.p > 0.0, out=np.full(self.p.shape, -1e4))

    @property
    def cluster(self) -> Array:
        """Three neighbours each: 300, as with fewer than 200 the report's interval is that of the bootstrap."""
        return np.arange(len(self.p)) // 3


def models() -> Iterator[Model]:
    """The four."""
    for name in ("logistic_regression", "naive_bayes", "random_forest"):
        table = pq.read_table(DATA / f"digits_{name}.parquet")
        p = np.column_stack([table[f"p_{digit}"].to_numpy() for digit in range(10)])
        yield Model(name.replace("_", " "), table["label"].to_numpy(), p)
    digits = load_digits()
    train_x, test_x, train_y, test_y = train_test_split(
        digits.data, digits.target, test_size=0.5, random_state=0, stratify=digits.target
    )
    random = np.random.default_rng(0)
    noisy = np.where(random.random(len(train_y)) < 0.15, random.integers(0, 10, len(train_y)), train_y)
    scaler = StandardScaler().fit(train_x)
    warnings.simplefilter("ignore", ConvergenceWarning)  # that it is trained too long is the point
    net = MLPClassifier((64,), alpha=0.0, max_iter=500, tol=0.0, n_iter_no_change=500, random_state=0)
    p = net.fit(scaler.transform(train_x), noisy).predict_proba(scaler.transform(test_x))
    yield Model("neural net trained too long", test_y, p)


class Given(ClassifierMixin, BaseEstimator):
    """A classifier whose inputs are its logits."""

    def fit(self, _: Array, labels: Array) -> "Given":
        """Nothing to learn but the classes."""
        self.classes_ = np.unique(labels)
        return self

    def decision_function(self, logits: Array) -> Array:
        """As they come."""
        return logits

    def predict(self, logits: Array) -> Array:
        """The likeliest class."""
        return logits.argmax(axis=1)


def by_scikit_learn(model: Model) -> tuple[float, float]:
    """Temperature calibration: the mean loss after it, and the temperature."""
    logits = model.logits
    given = FrozenEstimator(Given().fit(logits, model.labels))
    cured = CalibratedClassifierCV(given, method="temperature").fit(logits, model.labels)
    p = cured.predict_proba(logits)
    temperature = 1.0 / cured.calibrated_classifiers_[0].calibrators[0].beta_
    return -float(np.log(p[np.arange(len(p)), model.labels]).mean()), temperature


def loss_after(model: Model, beta: float, offsets: Array) -> float:
    """Mean nats at logits β·log p + offsets."""
    log_p = log_softmax(beta * model.logits + offsets, axis=1)
    return -float(log_p[np.arange(len(log_p)), model.labels].mean())


def by_scipy(model: Model) -> dict[str, tuple[float, float, Array]]:
    """Least mean loss, β and offsets of each kind of cure, from the loss alone."""
    z, n, k = model.logits, len(model.p), model.p.shape[1]
    truth = np.eye(k)[model.labels]

    def slope(beta: float, offsets: Array) -> Array:
        away = softmax(beta * z + offsets, axis=1) - truth
        return np.concatenate([[(away * z).sum() / n], away.mean(axis=0)])

    def alone(log_beta: float) -> float:
        return loss_after(model, math.exp(log_beta), np.zeros(k))

    one = minimize_scalar(alone, bounds=(-6, 6), method="bounded", options={"xatol": 1e-12})
    beta = math.exp(one.x)
    unit = np.array([beta, *np.ones(k)])  # so that both kinds of parameter are of order 1
    exact = {"method": "BFGS", "options": {"gtol": 1e-9, "maxiter": 2000}}
    bias = minimize(lambda b: loss_after(model, 1.0, b), np.zeros(k), jac=lambda b: slope(1.0, b)[1:], **exact)
    start = np.array([1.0, *np.zeros(k)])
    both = minimize(
        lambda t: loss_after(model, t[0] * beta, t[1:]), start, jac=lambda t: slope(t[0] * beta, t[1:]) * unit, **exact
    )
    found = {"class bias": (1.0, bias.x), "temperature": (beta, np.zeros(k)), "both": (both.x[0] * beta, both.x[1:])}
    return {name: (loss_after(model, *cure), *cure) for name, cure in found.items()}
