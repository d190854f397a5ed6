"""The losses on JAX arrays that several devices share the rows of: by `jax.shard_map`, and by the types of the arrays.

Truth is the same in JAX's own operations, on one device. The devices are made when JAX starts, so the cases run in a
process of their own, which this file is as a script: it tells by a line of JSON what became of each.
"""

import json
import os
import subprocess
import sys
import traceback

import pytest

DIM = 8


def by_logits(xent, features, weight, bias, labels):
    return xent.softmax_cross_entropy(features @ weight.T + bias, labels)


def by_layer(xent, features, weight, bias, labels):
    return xent.linear_cross_entropy(features, weight, labels, bias, max_memory=1 << 16)


def by_narrow_layer(xent, features, weight, bias, labels):
    narrow = (array.astype("float16") for array in (features, weight))
    return xent.linear_cross_entropy(*narrow, labels, bias, max_memory=1 << 16)


def by_skipping_none(xent, features, weight, bias, labels):
    options = {"ignore_index": -1, "sample_weight": features[:, 0] * 0.0 + 1.0}
    return xent.linear_cross_entropy(features, weight, labels, bias, max_memory=1 << 16, **options)


def by_statistics(xent, features, weight, bias, labels):
    rows = xent.linear_row_statistics(features, weight, labels, bias, max_memory=1 << 16)
    of_label = (features * weight[labels]).sum(axis=1) + bias[labels]
    return 0.5 * (rows.nll + rows.logsumexp - of_label).mean()


CASES = {case.__name__: case for case in (by_logits, by_layer, by_narrow_layer, by_skipping_none, by_statistics)}


SIZES = [(6, 5), (600, 1000)]  # rows and classes: in one piece, and in several
ALL = {
    f"{case}-{rows}x{classes}": (case, rows, classes)
    for case in [*CASES, "by_explicit_sharding"]
    for rows, classes in SIZES
}


@pytest.fixture(scope="module")
def failures():
    """Of each case, the traceback of what went wrong, or nothing."""
    two = {**os.environ, "JAX_PLATFORMS": "cpu", "XLA_FLAGS": "--xla_force_host_platform_device_count=2"}
    done = subprocess.run([sys.executable, __file__], env=two, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize("name", ALL)
def test_devices_that_share_the_rows_agree_with_one_that_has_all(failures, name):
    assert failures[name] == "", failures[name]


def run(case, rows, classes):
    import jax
    import jax.numpy as jnp
    import numpy as np
    from jax.sharding import AxisType, NamedSharding, PartitionSpec

    import xent

    draw = np.random.default_rng(0).normal
    shapes = (rows, DIM), (classes, DIM), (classes,)
    arrays = [jnp.asarray(draw(size=shape), "float16").astype("float32") for shape in shapes]
    labels = jnp.arange(rows) * 7 % classes

    def truth(features, weight, bias, labels):
        logs = jax.nn.log_softmax(features @ weight.T + bias)
        return -jnp.mean(jnp.take_along_axis(logs, labels[:, None], axis=1))

    expected = jax.jit(jax.value_and_grad(truth, (0, 1, 2)))(*arrays, labels)
    ours, whole = PartitionSpec("d"), PartitionSpec()
    if case == "by_explicit_sharding":
        mesh = jax.make_mesh((2,), ("d",), axis_types=(AxisType.Explicit,))

        def loss(features, weight, bias, labels):
            features, labels = (jax.sharding.reshard(array, NamedSharding(mesh, ours)) for array in (features, labels))
            return by_logits(xent, features, weight, bias, labels)

    else:
        mesh = jax.make_mesh((2,), ("d",), axis_types=(AxisType.Auto,))
        loss = jax.shard_map(
            lambda *given: jax.lax.pmean(CASES[case](xent, *given), "d"),
            mesh=mesh,
            in_specs=(ours, whole, whole, ours),
            out_specs=whole,
        )
    with jax.set_mesh(mesh):
        found = jax.jit(jax.value_and_grad(loss, (0, 1, 2)))(*arrays, labels)
    atol = 1e-3 if case == "by_narrow_layer" else 1e-6
    jax.tree.map(lambda one, other: np.testing.assert_allclose(one, other, rtol=2e-5, atol=atol), found, expected)


def failure(*given):
    """What went wrong, in words."""
    try:
        run(*given)
    except Exception:
        return traceback.format_exc()
    return ""


if __name__ == "__main__":
    print(json.dumps({name: failure(*given) for name, given in ALL.items()}))
