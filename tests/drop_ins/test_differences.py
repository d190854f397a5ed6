"""Where a peer and xent differ, as docs/reference/peers.md has it: each row of its tables is run, and says what it gives.

Keras runs in a process of its own, as what it runs on is chosen when it is first imported: this file as a script.
"""

import json
import math
import os
import re
import subprocess
import sys
import warnings
from pathlib import Path

import pytest

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "peers.md"
INF = math.inf


def said(call):
    """What a call gives, in the words of the page: a number of three digits, a word, or the name of its error."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            value = call()
        except Exception as error:
            return type(error).__name__
    if isinstance(value, str):
        return value
    number = float(value)
    return "NaN" if math.isnan(number) else f"{number + 0.0:.3g}"


def torch_cases():
    import torch
    from torch.nn import LinearCrossEntropyOptions, functional

    import xent.torch

    def tensor(*rows, dtype=torch.float32, leaf=False):
        return torch.tensor(rows, dtype=dtype, requires_grad=leaf)

    def pair(name, *arguments, **options):
        return [lambda m=module: getattr(m, name)(*arguments, **options) for module in (functional, xent.torch)]

    def slope(name, values, labels, place, **options):
        def of(module):
            leaf = values.clone().requires_grad_()
            return torch.autograd.grad(getattr(module, name)(leaf, labels, **options), leaf)[0][place]

        return [lambda m=module: of(m) for module in (functional, xent.torch)]

    first, ahead = torch.tensor([0]), tensor([20.0, 0.0, 0.0])
    wide = torch.randn(64, 2048, generator=torch.Generator().manual_seed(0)).bfloat16()
    targets, nothing = torch.arange(64), torch.full((2,), -100)
    masked, soft = tensor([0.0, 1.0, -INF]), tensor([0.5, 0.5, 0.0])
    features, layer = torch.eye(3), torch.eye(3)
    chunks = LinearCrossEntropyOptions(batch_chunk_size=8, chunking_method=None)

    def linear(do, labels=None, dtype=torch.float32):
        labels = torch.arange(3) if labels is None else labels

        def made(module, **options):
            return lambda x: module.linear_cross_entropy(x.to(dtype), layer.to(dtype), labels, **options)

        return [lambda: do(made(functional, options=chunks)), lambda: do(made(xent.torch))]

    def error_of(loss, rows, weight, labels):
        exact = functional.cross_entropy(rows.double() @ weight.double().T, labels)
        return f"{'less' if abs(loss.double() - exact) < 1e-4 else 'more'} than 1e-4 off"

    def chunked(module, **options):
        random = torch.Generator().manual_seed(0)
        rows, weight = (torch.randn(n, 64, generator=random).bfloat16() for n in (512, 4000))
        labels = torch.randint(4000, (512,), generator=random)
        return error_of(module.linear_cross_entropy(rows, weight, labels, **options), rows, weight, labels)

    def gradient_error(module):
        leaf = wide.clone().requires_grad_()
        module.cross_entropy(leaf, targets).backward()
        exact = wide.double().requires_grad_()
        functional.cross_entropy(exact, targets).backward()
        return f"{'one rounding' if ((leaf.grad - exact.grad).abs() / exact.grad.abs()).max() < 2**-8 else 'several'}"

    def narrow(module):
        return str(module.cross_entropy(wide, targets).dtype).removeprefix("torch.")

    def jvp(loss):
        return torch.func.jvp(loss, (features,), (torch.eye(3),))[1]

    def all_ignored(loss):
        leaf = features.clone().requires_grad_()
        return torch.autograd.grad(loss(leaf), leaf)[0][0, 0]

    def of_target(module):
        target = soft.clone().requires_grad_()
        return torch.autograd.grad(module.cross_entropy(masked, target), target)[0][0, 2]

    def of_weight(module):
        weight = torch.ones(3, requires_grad=True)
        module.cross_entropy(ahead, first, weight, reduction="sum", label_smoothing=0.5).backward()
        return weight.grad[1]

    return {
        "label ahead by 20": pair("cross_entropy", ahead, first),
        "the same, its slope": slope("cross_entropy", ahead, first, (0, 0)),
        "bfloat16 logits, dtype of the loss": [lambda: narrow(functional), lambda: narrow(xent.torch)],
        "bfloat16 logits, the gradient": [lambda: gradient_error(functional), lambda: gradient_error(xent.torch)],
        "soft target 0 at logit −inf": pair("cross_entropy", masked, soft),
        "the same, slope by that target": [lambda m=module: of_target(m) for module in (functional, xent.torch)],
        "`label_smoothing=1`, the label at logit −inf": pair(
            "cross_entropy", masked, torch.tensor([2]), label_smoothing=1.0
        ),
        "class weight 0 of an infinite loss": pair(
            "cross_entropy", masked, torch.tensor([2]), tensor(1.0, 1.0, 0.0), reduction="sum"
        ),
        "yes at logit inf": pair("binary_cross_entropy_with_logits", tensor(INF), tensor(1.0)),
        "yes at logit −inf": pair("binary_cross_entropy_with_logits", tensor(-INF), tensor(1.0)),
        "NaN in a row to skip, its slope": slope(
            "cross_entropy", tensor([math.nan, 0.0], [0.0, 0.0]), torch.tensor([-100, 0]), (0, 0)
        ),
        "mean over nothing": [
            lambda loss=loss: loss(tensor([1.0, 2.0], [3.0, 4.0]), nothing, ignore_index=-100)
            for loss in (functional.cross_entropy, xent.softmax_cross_entropy)
        ],
        "label too large": pair("cross_entropy", ahead, torch.tensor([3])),
        "int32 labels": pair("cross_entropy", ahead, first.int()),
        "integer targets, yes or no": pair("binary_cross_entropy_with_logits", tensor(0.0), torch.tensor([1])),
        "float64 targets, float32 logits": pair("cross_entropy", ahead, tensor([1.0, 0.0, 0.0]).double()),
        "slope of a class weight": [lambda: of_weight(functional), lambda: of_weight(xent.torch)],
        "chunked linear, bfloat16": [
            lambda: chunked(functional, options=LinearCrossEntropyOptions(chunking_method=None, batch_chunk_size=32)),
            lambda: chunked(xent.torch),
        ],
        "chunked linear, forward mode": linear(jvp),
        "chunked linear, `torch.func.grad`": linear(lambda loss: torch.func.grad(loss)(features)[0, 0]),
        "chunked linear, all rows skipped, slope": linear(all_ignored, torch.full((3,), -100)),
        "chunked linear, int32 labels": linear(lambda loss: loss(features), torch.arange(3).int()),
    }


def optax_cases():
    import jax
    import jax.numpy as jnp
    import optax

    import xent

    ahead, behind = jnp.asarray([[20.0, 0.0, 0.0]]), jnp.asarray([[0.0, 1.0, 2.0]])
    masked, twice = jnp.asarray([[0.0, 1.0, -INF]]), jnp.asarray([[0.5, 0.5, 0.0], [0.0, 0.0, 0.0]])

    def classes(logits, label):
        labels = jnp.asarray([label])
        return [
            lambda: optax.softmax_cross_entropy_with_integer_labels(logits, labels)[0],
            lambda: xent.softmax_cross_entropy(logits, labels),
        ]

    def soft(logits, labels):
        return [
            lambda: optax.softmax_cross_entropy(logits, labels)[0],
            lambda: xent.softmax_cross_entropy(logits, labels, reduction="none")[0],
        ]

    def binary(logit, label):
        arrays = jnp.asarray([logit]), jnp.asarray([label])
        return [lambda: optax.sigmoid_binary_cross_entropy(*arrays)[0], lambda: xent.sigmoid_cross_entropy(*arrays)]

    traced = (
        lambda labels: optax.softmax_cross_entropy_with_integer_labels(behind, labels)[0],
        lambda labels: xent.softmax_cross_entropy(behind, labels),
    )
    return {
        "label ahead by 20": classes(ahead, 0),
        "bfloat16 logits, dtype of the loss": [
            lambda f=f: str(f().dtype)
            for f in (
                lambda: optax.softmax_cross_entropy_with_integer_labels(ahead.astype(jnp.bfloat16), jnp.asarray([0])),
                lambda: xent.softmax_cross_entropy(ahead.astype(jnp.bfloat16), jnp.asarray([0])),
            )
        ],
        "label −1": classes(behind, -1),
        "label −1 in `jax.jit`": [lambda f=f: jax.jit(f)(jnp.asarray([-1])) for f in traced],
        "label too large": classes(behind, 3),
        "another class's logit inf": classes(jnp.asarray([[0.0, INF]]), 0),
        "soft label 0 at logit −inf": soft(masked, twice[:1]),
        "soft labels that do not sum to 1": soft(behind, 2.0 * twice[:1]),
        "yes at logit inf": binary(INF, 1.0),
        "yes or no, label 2": binary(0.5, 2.0),
    }


def sklearn_cases():
    import numpy as np
    import pandas as pd
    from sklearn.datasets import load_iris
    from sklearn.linear_model import LogisticRegression
    from sklearn.metrics import log_loss
    from sklearn.model_selection import PredefinedSplit, cross_val_score

    import xent.sklearn

    def both(*arguments, **options):
        return [lambda: log_loss(*arguments, **options), lambda: xent.sklearn.log_loss(*arguments, **options)]

    features, kinds = load_iris(return_X_y=True)
    folds = PredefinedSplit([kind if row % 50 < 10 else -1 for row, kind in enumerate(kinds)])
    named, rows = pd.DataFrame({"p_b": [0.9, 0.2], "p_a": [0.1, 0.8]}), [[0.9, 0.1], [0.2, 0.8]]

    def scored(scoring):
        return cross_val_score(LogisticRegression(max_iter=500), features, kinds, cv=folds, scoring=scoring)[0]

    return {
        "probability 1e-300 of what happened": both([1, 0], [1e-300, 0.0], normalize=False),
        "probability 0 of what happened": both([1, 0], [0.0, 0.0], normalize=False),
        "1e-10 in float32": both([1, 0], np.float32([1e-10, 0.0]), normalize=False),
        "columns named in another order": both(["b", "a"], named),
        "columns named otherwise": both(["b", "a"], named.set_axis(["x", "y"], axis=1)),
        "`labels=` not sorted": both(["b", "a"], rows, labels=["b", "a"]),
        "rows that sum to 1.1": both([1, 0], [[0.5, 0.6], [0.5, 0.6]]),
        "a negative weight": both([0, 1], rows, sample_weight=[1.0, -0.5]),
        "shares of classes as labels": both([[0.3, 0.7], [1.0, 0.0]], [[0.5, 0.5], [0.5, 0.5]]),
        "a fold that lacks a class": [lambda: scored("neg_log_loss"), lambda: scored(xent.sklearn.neg_log_loss_scorer)],
    }


def keras_cases():
    import keras
    import numpy as np
    from keras import ops

    import xent.keras

    libraries = (keras.losses, xent.keras)

    def both(name, labels, predictions, weight=None, **options):
        def called(library):
            given = ops.convert_to_tensor(np.float32(predictions))
            loss = getattr(library, name)(**options)
            value = ops.convert_to_numpy(ops.cast(loss(np.asarray(labels), given, weight), "float32"))
            return value.mean()

        return [lambda library=library: called(library) for library in libraries]

    sparse, several, binary = "SparseCategoricalCrossentropy", "CategoricalCrossentropy", "BinaryCrossentropy"
    many = np.zeros((1, 1001), "float32")
    many[0, 999], many[0, 1000] = 3.0, -50.0
    square, moved = np.zeros((2, 2, 4)), np.arange(12.0).reshape(1, 4, 3)
    logits, steps = {"from_logits": True}, np.zeros((2, 3), int)

    def through_softmax(library):
        made = keras.activations.softmax(ops.convert_to_tensor(np.float32([[-200.0, 0.0]])))
        return ops.convert_to_numpy(getattr(library, sparse)()(np.array([0]), made))

    def kept_axis(library):
        loss = getattr(library, sparse)(axis=1, **logits)
        return str(loss.get_config().get("axis"))

    shared = {
        "label ahead by 20": both(sparse, [0], [[20.0, 0.0, 0.0]], **logits),
        'label 999 of 1001, `dtype="bfloat16"`': both(sparse, [999], many, dtype="bfloat16", **logits),
        "probability 1e-30 of what happened": both(sparse, [0], [[1e-30, 1.0]]),
        "probability 0 of what happened": both(sparse, [0], [[0.0, 1.0]]),
        "probability 1 of what did not": both(binary, [[0.0]], [[1.0]]),
        "softmax of logits (−200, 0)": [lambda library=library: through_softmax(library) for library in libraries],
        "probabilities that sum to 1.3": both(several, np.float32([[1, 0]]), [[0.5, 0.8]]),
        "label −1": both(sparse, [-1], [[0.5, 0.8]], **logits),
        "label too large": both(sparse, [2], [[0.5, 0.8]], **logits),
        "label 1.5": both(sparse, np.float32([1.5]), [[2.0, 0.0]], **logits),
        "yes at logit inf": both(binary, np.float32([[1]]), [[INF]], **logits),
        "yes or no, label 2": both(binary, np.float32([[2.0]]), [[1.0]], **logits),
        "soft label 0 at logit −inf": both(several, np.float32([[1, 0]]), [[1.0, -INF]], **logits),
        "weight 0 of an infinite loss": both(sparse, [0, 0], [[-INF, 0.0], [0.5, 0.5]], np.float32([0, 1]), **logits),
        "weights (2, 1) for losses (2, 3), `mean_with_sample_weight`": both(
            sparse, steps, np.zeros((2, 3, 4)), np.ones((2, 1)), reduction="mean_with_sample_weight", **logits
        ),
        "weights (2,) for losses (2, 2)": both(sparse, steps[:, :2], square, np.float32([1, 0]), **logits),
        "`label_smoothing=0.1` on another axis": both(
            several, np.float32(np.eye(4)[:, :3][None]), moved, axis=1, label_smoothing=0.1, **logits
        ),
        "`axis=1` in what `get_config` gives": [lambda library=library: kept_axis(library) for library in libraries],
    }
    on_jax = {
        "label −1, on JAX": both(sparse, [-1], [[0.5, 0.8]], **logits),
        "logit −inf of another class, on JAX": both(sparse, [0], [[0.0, 1.0, -INF]], **logits),
        "label too large, on JAX": both(sparse, [2], [[0.5, 0.8]], **logits),
        "classes on `axis=1`, on JAX": both(sparse, [[0, 1, 2]], moved, axis=1, **logits),
    }
    return on_jax if keras.config.backend() == "jax" else shared


def found(library, engine=""):
    """What the cases of that library give, in a process of its own."""
    done = subprocess.run(
        [sys.executable, __file__, library],
        capture_output=True,
        text=True,
        env={**os.environ, "KERAS_BACKEND": engine},
    )
    assert not done.returncode, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def told(title):
    """What the page says below that title: configuration → [peer, xent]."""
    (section,) = re.findall(
        rf"^## {title}$(.*?)(?=^## |\Z)", PAGE.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE
    )
    rows = [line.strip("| ").split(" | ") for line in section.splitlines() if line.startswith("| ")]
    return {configuration: values for configuration, *values, _ in rows if configuration != "configuration"}


@pytest.mark.parametrize(
    ("title", "runs"),
    [
        ("PyTorch", [("torch", "")]),
        ("optax", [("optax", "")]),
        ("Keras", [("keras", "torch"), ("keras", "jax")]),
        ("scikit-learn", [("sklearn", "")]),
    ],
)
def test_the_page_says_what_peer_and_xent_give(title, runs):
    rows = {}
    for library, engine in runs:
        rows |= found(library, engine)
    assert told(title) == rows
    assert all(peer != ours for peer, ours in rows.values())


if __name__ == "__main__":
    rows = globals()[f"{sys.argv[1]}_cases"]()
    print(json.dumps({name: [said(call) for call in calls] for name, calls in rows.items()}))
