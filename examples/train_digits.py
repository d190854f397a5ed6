"""Train on the loss, judge by the loss: the last training loss and the report on the same rows are one number.

Two classifiers of scikit-learn's handwritten digits: multinomial logistic regression in plain NumPy, fitted by SciPy's
L-BFGS to the gradients of `xent.value_and_grad`, and a small network in PyTorch, trained by autograd. Each is scored by
`xent.evaluate` on its logits, on the rows it was trained on and on the others.

A mean of floats depends, in its last digits, on the order in which they are added. `xent.evaluate` adds without
rounding; so does `math.fsum` here, over the training loss of each row. What is left of a difference is the rounding of
the rows themselves, counted below in ulps: steps from one float64 to the next.

Needs scikit-learn, SciPy and PyTorch: pip install 'xent[examples,torch]'.
"""

import argparse
import math

import numpy as np
import torch
from scipy.optimize import minimize
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

import xent

CLASSES, PIXELS = 10, 64
SHRINK = 1e-3  # pull of the weights towards 0: digits can be separated, so without it they would grow for ever


def digits():
    """Pixels in [0, 1] and digits, half to train on and half to judge by."""
    pixels, labels = load_digits(return_X_y=True)
    return train_test_split(pixels / 16.0, labels, test_size=0.5, random_state=0, stratify=labels)


def in_numpy(features, labels, steps):
    """Logistic regression: gives the function from features to logits."""
    loss_and_gradients = xent.value_and_grad(xent.linear_cross_entropy, wrt=("weight", "bias"))

    def layer(parameters):
        return parameters[CLASSES:].reshape(CLASSES, PIXELS), parameters[:CLASSES]

    def objective(parameters):
        weight, bias = layer(parameters)
        loss, gradients = loss_and_gradients(features, weight, labels, bias)
        slope = np.concatenate([gradients["bias"], (gradients["weight"] + SHRINK * weight).ravel()])
        return float(loss) + 0.5 * SHRINK * np.sum(weight**2), slope

    start = np.zeros(CLASSES + CLASSES * PIXELS)
    found = minimize(objective, start, jac=True, method="L-BFGS-B", options={"maxiter": steps})
    weight, bias = layer(found.x)
    return lambda features: features @ weight.T + bias


def in_torch(features, labels, steps):
    """A network with one hidden layer: gives the function from features to logits."""
    torch.manual_seed(0)
    network = torch.nn.Sequential(torch.nn.Linear(PIXELS, 64), torch.nn.ReLU(), torch.nn.Linear(64, CLASSES)).double()
    optimizer = torch.optim.AdamW(network.parameters(), lr=1e-2, weight_decay=0.1)
    features, labels = torch.from_numpy(features), torch.from_numpy(labels)
    for _ in range(steps):
        optimizer.zero_grad()
        xent.softmax_cross_entropy(network(features), labels).backward()
        optimizer.step()
    return lambda features: network(torch.from_numpy(features)).detach().numpy()


def exact_mean(nats):
    """The mean of the rows' losses, rounded once."""
    return math.fsum(nats.tolist()) / len(nats)


def main():
    """Train both, print both tables."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="a few steps only")
    steps = 20 if parser.parse_args().quick else 200
    train_features, test_features, train_labels, test_labels = digits()
    models = {
        "numpy": in_numpy(train_features, train_labels, steps),
        "torch": in_torch(train_features, train_labels, steps),
    }

    print(f"On the {len(train_labels)} rows trained on, nats:")
    print(
        f"{'model':<8}{'training loss, mean':<24}{'of its rows, exact':<24}{'xent.evaluate':<24}ulps between these two"
    )
    for name, logits_of in models.items():
        logits = logits_of(train_features)
        loss = float(xent.softmax_cross_entropy(logits, train_labels))
        exact = exact_mean(xent.softmax_cross_entropy(logits, train_labels, reduction="none"))
        report = xent.evaluate(train_labels, logits, kind="logits")
        ulps = abs(exact - report.loss) / math.ulp(exact)
        print(f"{name:<8}{loss!r:<24}{exact!r:<24}{report.loss!r:<24}{ulps:.0f}")

    print(f"\nOn the {len(test_labels)} others:")
    print(f"{'model':<8}{'loss':<8}{'95 % interval':<16}{'baseline':<10}{'skill':<8}accuracy")
    for name, logits_of in models.items():
        report = xent.evaluate(test_labels, logits_of(test_features), kind="logits")
        interval = "{:.3f}–{:.3f}".format(*report.interval)
        print(
            f"{name:<8}{report.loss:<8.3f}{interval:<16}{report.baseline:<10.3f}{report.skill:<8.3f}{report.accuracy:.3f}"
        )


if __name__ == "__main__":
    main()
