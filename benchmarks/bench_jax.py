"""Loss and gradients of a linear layer in JAX, compiled: xent's linear loss against optax on the logits, in the same run.

To reach: time at most 1.1 times optax's, at most a seventh of its extra memory. Memory is what XLA sets aside for
temporaries (`temp_mb`, exact), and by how much a fresh process grows in its first call (`peak_mb`: the gradients, and
the buffers of the matrix products, too).
"""

import argparse
import subprocess
import sys
from functools import partial
from importlib.metadata import version

import jax
import jax.numpy as jnp
import numpy as np
import optax
from measure import extra_memory, in_turns, ratio, report

import xent

CASES = [(1024, 512, 32000), (512, 768, 50257), (2048, 256, 32000)]  # rows, dim, classes


def by_optax(features, weight, labels):
    """Mean loss from logits that exist all at once."""
    return optax.softmax_cross_entropy_with_integer_labels(features @ weight.T, labels).mean()


def by_xent(features, weight, labels):
    """Mean loss from a block of logits at a time."""
    return xent.linear_cross_entropy(features, weight, labels)


LOSSES = {"optax": by_optax, "xent": by_xent}


def case(rows, dim, classes):
    """Features, weight and labels."""
    r = np.random.default_rng(0)
    features = jnp.asarray(r.normal(size=(rows, dim)), jnp.float32)
    weight = jnp.asarray(r.normal(size=(classes, dim)) / dim**0.5, jnp.float32)
    return jax.block_until_ready((features, weight, jnp.asarray(r.integers(0, classes, rows))))


def compiled(loss, arrays):
    """The loss with its gradients by features and weight, as one program."""
    return jax.jit(jax.value_and_grad(loss, argnums=(0, 1))).lower(*arrays).compile()


def run(program, arrays):
    """Loss and gradients, computed when this returns."""
    return jax.block_until_ready(program(*arrays))


def peak(name, shape):
    """Megabytes by which a fresh process grows in its first call."""
    words = [sys.executable, __file__, "--peak", name, *map(str, shape)]
    return float(subprocess.run(words, capture_output=True, text=True, check=True).stdout)


def print_peak(name, shape):
    """What `peak` reads."""
    arrays = case(*shape)
    print(extra_memory(partial(run, compiled(LOSSES[name], arrays), arrays)))


def compare(shape, rounds):
    """Print a line."""
    arrays = case(*shape)
    programs = {name: compiled(loss, arrays) for name, loss in LOSSES.items()}
    truth, found = (jax.tree.leaves(program(*arrays)) for program in programs.values())
    for name, one, other in zip(("loss", "by features", "by weight"), truth, found, strict=True):
        assert float(jnp.max(jnp.abs(one - other))) <= 1e-5 * float(jnp.max(jnp.abs(one))), name
    del truth, found
    temporary = {name: program.memory_analysis().temp_size_in_bytes / 1e6 for name, program in programs.items()}
    peaks = {name: peak(name, shape) for name in LOSSES}
    steps = {name: partial(run, program, arrays) for name, program in programs.items()}
    seconds = in_turns(steps, rounds)
    rows, dim, classes = shape
    report(
        f"linear loss + gradients, {rows} rows, {dim} features, {classes} classes, float32",
        time_ratio=1.0 / ratio(seconds["optax"], seconds["xent"]),
        temp_ratio=temporary["optax"] / temporary["xent"],
        **{f"temp_mb_{name}": megabytes for name, megabytes in temporary.items()},
        **{f"peak_mb_{name}": megabytes for name, megabytes in peaks.items()},
        **{f"seconds_{name}": each for name, each in seconds.items()},
        jax=version("jax"),
        optax=version("optax"),
    )


def main() -> None:
    """Print a line a case."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scale", type=float, default=1.0, help="share of the rows")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--peak", nargs=4, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.peak:
        print_peak(options.peak[0], tuple(map(int, options.peak[1:])))
        return
    for rows, dim, classes in CASES:
        compare((max(1, int(rows * options.scale)), dim, classes), options.rounds)


if __name__ == "__main__":
    main()
