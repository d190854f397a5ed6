"""How many digits of a float32 cross-entropy are right: xent, PyTorch, Keras, optax and scikit-learn, in Markdown tables.

A row has normal logits; the label's is `lead` above the largest of the others (below it, if negative). Errors are relative,
|found − truth| / |truth|, the worst of all rows, for the loss of a row and for its gradient by the logits, entry by entry;
1 means that no digit is right. Gradient entries below float32's smallest normal number are left out: no float32 number is near
them. The truth is computed in float64 from the float32 logits in the form log1p(Σ exp(z_j − z_label)), which takes no
difference of rounded numbers, and is itself checked against mpmath at 50 digits.

Last, `--first-call`: what the first training step of a process costs, with an empty cache of compiled code and with a full one.

To reach: 1e-6 · (1 + lead/8) for leads up to 80 and 262,144 classes; 3 s for the first step ever.
"""

import argparse
import datetime
import json
import os
import platform
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Callable
from importlib.metadata import version
from typing import Any

import numpy as np

os.environ.setdefault("KERAS_BACKEND", "torch")

import jax
import keras
import mpmath
import optax
import tables
import torch
from scipy.special import softmax
from sklearn.metrics import log_loss

import xent

Array = np.ndarray[Any, Any]
Found = tuple[Array, Array | None]  # loss (rows,) and gradient (rows, classes)
LEADS = [-80, -20, -5, 0, 2, 5, 10, 15, 20, 40, 80]
CLASSES = [10, 1000, 32000, 262144]
LEAST = float(np.finfo(np.float32).tiny)


def by_torch(loss: Callable[[torch.Tensor, torch.Tensor], torch.Tensor]) -> Callable[[Array, Array], Found]:
    """A loss per row of tensors, differentiated."""

    def function(logits: Array, labels: Array) -> Found:
        z = torch.tensor(logits, requires_grad=True)
        rows = loss(z, torch.from_numpy(labels))
        rows.sum().backward()
        assert z.grad is not None
        return rows.detach().numpy(), z.grad.numpy()

    return function


def by_jax(loss: Callable[[Any, Any], Any]) -> Callable[[Array, Array], Found]:
    """A loss per row of JAX arrays, differentiated."""

    def function(logits: Array, labels: Array) -> Found:
        y = jax.numpy.asarray(labels)
        rows, back = jax.vjp(lambda z: loss(z, y), jax.numpy.asarray(logits))
        return np.asarray(rows), np.asarray(back(jax.numpy.ones_like(rows))[0])

    return function


def scikit_learn(logits: Array, labels: Array) -> Found:
    """`log_loss` of each row, given the softmax as float32 probabilities. It has no gradient."""
    probabilities = softmax(logits, axis=1)
    names = np.arange(logits.shape[1])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that rows of float32 do not sum to 1
        pairs = zip(labels, probabilities, strict=True)
        return np.array([log_loss([label], row[None], labels=names) for label, row in pairs]), None


FUNCTIONS: dict[str, Callable[[Array, Array], Found]] = {
    "xent": by_torch(lambda z, y: xent.softmax_cross_entropy(z, y, reduction="none")),
    "xent on JAX": by_jax(lambda z, y: xent.softmax_cross_entropy(z, y, reduction="none")),
    "PyTorch": by_torch(lambda z, y: torch.nn.functional.cross_entropy(z, y, reduction="none")),
    "Keras": by_torch(lambda z, y: keras.losses.sparse_categorical_crossentropy(y, z, from_logits=True)),
    "optax": by_jax(optax.softmax_cross_entropy_with_integer_labels),
    "scikit-learn": scikit_learn,
}


def rows(classes: int, lead: float) -> tuple[Array, Array]:
    """float32 logits and labels: as many rows as make about 2^18 numbers, from 2 to 256."""
    r = np.random.default_rng(classes)
    count = min(256, max(2, (1 << 18) // classes))
    logits = r.normal(size=(count, classes)).astype(np.float32)
    labels = r.integers(0, classes, count)
    at = np.arange(count), labels
    logits[at] = -np.inf
    logits[at] = logits.max(axis=1) + np.float32(lead)
    return logits, labels


def truth(logits: Array, labels: Array) -> tuple[Array, Array]:
    """Loss and gradient in float64."""
    z = logits.astype(np.float64)
    at = np.arange(len(z)), labels
    odds = np.exp(z - z[at][:, None])
    odds[at] = 0.0
    tail = odds.sum(axis=1)
    gradient = odds / (1.0 + tail)[:, None]
    gradient[at] = -tail / (1.0 + tail)
    return np.log1p(tail), gradient


def check_truth(logits: Array, labels: Array) -> None:
    """The first row against mpmath."""
    z, y = logits[0], int(labels[0])
    nll, gradient = truth(logits[:1], labels[:1])
    with mpmath.workdps(50):
        terms = [mpmath.exp(mpmath.mpf(float(v))) for v in z]
        total = mpmath.fsum(terms)
        exact = mpmath.log(total) - mpmath.mpf(float(z[y]))
        slopes = [term / total - (j == y) for j, term in enumerate(terms)]
        assert abs(nll[0] / exact - 1) < 1e-14
        assert all(abs(found / slope - 1) < 1e-13 for found, slope in zip(gradient[0], slopes, strict=True))


def worst(found: Array, exact: Array) -> float:
    """The largest relative error among what float32 can hold."""
    held = np.abs(exact) >= LEAST
    return float((np.abs(found.astype(np.float64) - exact)[held] / np.abs(exact)[held]).max())


def measure(leads: list[int], classes: list[int]) -> dict[tuple[str, str, int, int], float]:
    """Errors by (name, "loss" or "gradient", lead, classes)."""
    errors = {}
    for count in classes:
        for lead in leads:
            logits, labels = rows(count, lead)
            if count <= 1000:  # mpmath takes its time
                check_truth(logits, labels)
            nll, slopes = truth(logits, labels)
            for name, function in FUNCTIONS.items():
                loss, gradient = function(logits, labels)
                errors[name, "loss", lead, count] = worst(loss, nll)
                if gradient is not None:
                    errors[name, "gradient", lead, count] = worst(gradient, slopes)
    return errors


def check(errors: dict[tuple[str, str, int, int], float]) -> None:
    """xent's, against what is to be reached."""
    missed = {
        key: error for key, error in errors.items() if key[0] == "xent" and error > 1e-6 * (1 + max(key[2], 0) / 8)
    }
    if missed:
        raise SystemExit(f"\nxent is less exact than it should be: {missed}")


def saved(errors: dict[tuple[str, str, int, int], float]) -> list[dict[str, Any]]:
    """A line for each error."""
    keys = ("of", "what", "lead", "classes")
    return [{**dict(zip(keys, key, strict=True)), "error": float(f"{error:.3g}")} for key, error in errors.items()]


def limits() -> tuple[list[dict[str, Any]], str]:
    """Where each stops: three logits, 0 but for the label's; and the truth."""
    leads = np.arange(-120.0, 120.25, 0.25, dtype=np.float32)
    logits = np.zeros((len(leads), 3), np.float32)
    logits[:, 1] = leads
    labels = np.ones(len(leads), np.int64)
    nll, _ = truth(logits, labels)
    lines = []
    for name, function in FUNCTIONS.items():
        loss, gradient = function(logits, labels)
        line = [name, beyond(leads, np.abs(loss / nll - 1.0) > 0.01)]
        line.append(beyond(leads, loss <= 0.0))
        line.append("" if gradient is None else beyond(leads, gradient[:, 1] == 0.0))
        line.append(f"{loss[-1] + 0.0:.2g}")
        line.append(f"{loss[0]:.5g}")
        lines.append(line)
    truths = f"The truth at 120 is {nll[-1]:.1e}, at −120 it is {nll[0]:.5g}; float32's least number is 1.4e-45."
    return [{"limits": line} for line in lines], truths


def beyond(leads: Array, wrong: Array) -> str:
    """The least lead that is wrong."""
    found = leads[wrong & (leads > 0)]
    return f"{found.min():g}" if len(found) else "never"


FIRST = {
    "softmax": "xent.softmax_cross_entropy(features @ weight.T, labels)",
    "softmax of 10 classes": "xent.softmax_cross_entropy(features @ weight[:10].T, labels % 10)",
    "linear": "xent.linear_cross_entropy(features, weight.repeat(2, 1), labels)",
    "linear in bfloat16": "xent.linear_cross_entropy(features.bfloat16(), weight.bfloat16(), labels)",
    "linear of fewer classes": "xent.linear_cross_entropy(features, weight, labels)",
    "sigmoid": "xent.sigmoid_cross_entropy(features @ weight.T, targets)",
    "PyTorch's softmax": "torch.nn.functional.cross_entropy(features @ weight.T, labels)",
}
STEP = """
import json, sys, time
import torch
features, weight = (torch.randn(rows, 64, requires_grad=True) for rows in (256, 1000))
labels, targets = torch.randint(1000, (256,)), torch.zeros(256, 1000)
optimizer = torch.optim.SGD([weight], lr=0.1)
(features @ weight.T).sum().backward()
start = time.perf_counter()
if "xent" in sys.argv[1]:
    import xent
for _ in range(2):
    begin = time.perf_counter()
    optimizer.zero_grad()
    eval(sys.argv[1]).backward()
    optimizer.step()
    if _ == 0:
        first = time.perf_counter() - start
print(json.dumps([first, time.perf_counter() - begin]))
"""


def print_first_calls(rounds: int) -> None:
    """Seconds to the end of the first training step, PyTorch being loaded: `import xent`, compiling, and the step."""
    lines = []
    for name, loss in FIRST.items():
        seconds = []
        for _ in range(rounds):
            with tempfile.TemporaryDirectory() as cache:
                command = [sys.executable, "-c", STEP, loss]
                environment = {**os.environ, "NUMBA_CACHE_DIR": cache}
                for _ in range(2):
                    done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
                    seconds.append(json.loads(done.stdout))
        cold, warm = np.median(seconds[0::2], axis=0), np.median(seconds[1::2], axis=0)
        lines.append([name, f"{cold[0]:.2f}", f"{warm[0]:.2f}", f"{warm[1]:.4f}"])
    print(f"\nSeconds from `import xent` to the end of the first training step; medians of {rounds} processes:\n")
    print(tables.markdown(["loss", "first process", "next process", "second step"], lines))
    print(f"\nLoad average {os.getloadavg()[0]:.1f}.")


def about() -> dict[str, Any]:
    """What was measured, when and where."""
    names = ("xent", "torch", "keras", "jax", "optax", "scikit-learn", "numpy")
    versions = {name: version(name) for name in names}
    return {
        "date": datetime.date.today().isoformat(),
        "machine": f"{platform.machine()}, {platform.system()}",
        "versions": versions,
    }


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="few leads, up to 1,000 classes")
    parser.add_argument("--save", action="store_true", help="keep the errors, from which the docs make their tables")
    parser.add_argument("--first-call", action="store_true", help="only the cost of the first call")
    parser.add_argument("--rounds", type=int, default=3, help="of first calls")
    options = parser.parse_args()
    if not options.first_call:
        leads = [-80, 0, 20, 80] if options.quick else LEADS
        classes = CLASSES[:2] if options.quick else CLASSES
        errors = measure(leads, classes)
        stops, truths = limits()
        found = [about(), *saved(errors), *stops]
        for what in ("loss", "gradient"):
            print(f"\nRelative error of the {what}, by lead; the worst of {', '.join(map(str, classes))} classes:\n")
            print(tables.errors(what, found))
            print(f"Relative error of the {what}, by number of classes; lead 0:\n")
            print(tables.errors_by_classes(what, found))
        print(f"Three logits, two of them 0:\n\n{tables.limits(found)}\n{truths}")
        check(errors)
        if options.save:
            tables.save("accuracy", found)
            return
    print_first_calls(1 if options.quick else options.rounds)


if __name__ == "__main__":
    main()
