"""PyTorch's own samples for these losses, from the installed PyTorch: values, gradients and errors of the drop-ins.

Truth is PyTorch in float64 on the same numbers; in float32 ours may be off by what PyTorch is off in float32, and a
little that any float32 may.
"""

import random

import pytest
import torch
from torch.nn import functional

import xent.torch
from xent.errors import XentError

MODULES = {
    "nn.BCEWithLogitsLoss": (torch.nn.BCEWithLogitsLoss, xent.torch.BCEWithLogitsLoss),
    "nn.CrossEntropyLoss": (torch.nn.CrossEntropyLoss, xent.torch.CrossEntropyLoss),
    "nn.LinearCrossEntropyLoss": (torch.nn.LinearCrossEntropyLoss, xent.torch.LinearCrossEntropyLoss),
}
FUNCTIONS = {
    f"nn.functional.{name}": (getattr(functional, name), getattr(xent.torch, name))
    for name in ("binary_cross_entropy_with_logits", "cross_entropy", "linear_cross_entropy")
}
# How many samples of a dtype PyTorch has at least: fewer would be a sign that they are no longer found.
LEAST = {
    "nn.BCEWithLogitsLoss": 6,
    "nn.CrossEntropyLoss": 100,
    "nn.LinearCrossEntropyLoss": 800,
    "nn.functional.binary_cross_entropy_with_logits": 25,
    "nn.functional.cross_entropy": 20,
    "nn.functional.linear_cross_entropy": 300,
}
DTYPES = pytest.mark.parametrize("dtype", [torch.float64, torch.float32], ids=lambda dtype: str(dtype)[6:])


@pytest.fixture(autouse=True, scope="module")
def one_thread():
    """Small tensors gain nothing by PyTorch's threads, which wait long for each other on a busy machine."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def infos():
    """By name what PyTorch knows of its losses; it takes seconds to load, which who runs no test of these need not wait."""
    from torch.testing._internal.common_methods_invocations import op_db
    from torch.testing._internal.common_modules import module_db

    return {name: [info for info in (*module_db, *op_db) if info.name == name] for name in (*MODULES, *FUNCTIONS)}


def module_samples(info, dtype):
    for sample in info.module_inputs_func(info, "cpu", dtype, requires_grad=True, training=True):
        yield sample.constructor_input, sample.forward_input


def function_samples(info, dtype):
    for sample in info.sample_inputs("cpu", dtype, requires_grad=True):
        yield (sample.input, *sample.args), sample.kwargs


def drawn(infos, samples, dtype):
    """The same samples in every run, and the random numbers of others as they were."""
    found, random_state = [], random.getstate()
    with torch.random.fork_rng():
        for info in infos:
            torch.manual_seed(7)
            random.seed(7)
            found += samples(info, dtype)
    random.setstate(random_state)
    return found


def on_each(check, samples):
    """Check all samples; a failure tells which it was."""
    for number, sample in enumerate(samples):
        try:
            check(*sample)
        except BaseException as error:
            error.add_note(f"(sample {number}: {sample})")
            raise


def in_float64(value):
    """A leaf of the same numbers in float64, if that is what the argument holds."""
    if isinstance(value, torch.Tensor) and value.is_floating_point():
        return value.detach().double().requires_grad_(value.requires_grad)
    return value


def without_chunks(arguments):
    """PyTorch's reference way; its chunked one is for memory, warns and is not exact."""
    return {name: None if name == "options" else value for name, value in arguments.items()}


def value_and_gradients(loss, inputs):
    """The loss and its gradients under an upstream gradient that is no constant."""
    upstream = torch.linspace(0.5, 1.5, loss.numel(), dtype=loss.dtype).reshape(loss.shape)
    return loss, *torch.autograd.grad(loss, [each for each in inputs if each.requires_grad], upstream)


def assert_as_exact(ours, torchs, truth):
    for mine, theirs, exact in zip(ours, torchs, truth, strict=True):
        assert mine.shape == theirs.shape
        assert mine.dtype == theirs.dtype
        precision = 1e-13 if mine.dtype == torch.float64 else 5e-7
        allowed = largest(theirs - exact) + precision * max(largest(exact), 1.0)
        torch.testing.assert_close(mine.double(), exact, rtol=0.0, atol=allowed, equal_nan=True)


def largest(values):
    """The largest magnitude among those that are numbers."""
    return max(values.abs().nan_to_num(0.0).flatten().tolist(), default=0.0)


def tensors_of(*arguments):
    return [value for value in arguments if isinstance(value, torch.Tensor)]


@DTYPES
@pytest.mark.parametrize("name", MODULES)
def test_modules_on_pytorchs_samples(infos, name, dtype):
    theirs_of, ours_of = MODULES[name]

    def check(constructor, forward):
        theirs, ours = (
            made(*constructor.args, **arguments)
            for made, arguments in (
                (theirs_of, without_chunks(constructor.kwargs)),
                (ours_of, constructor.kwargs),
            )
        )
        exact = theirs_of(*constructor.args, **without_chunks(constructor.kwargs)).double()
        for other in (ours, exact):
            other.load_state_dict(theirs.state_dict())
        results = []
        for module, inputs in ((ours, forward.args), (theirs, forward.args), (exact, [*map(in_float64, forward.args)])):
            results.append(value_and_gradients(module(*inputs), [*tensors_of(*inputs), *module.parameters()]))
        assert_as_exact(*results)

    samples = drawn(infos[name], module_samples, dtype)
    assert len(samples) >= LEAST[name]
    on_each(check, samples)


@DTYPES
@pytest.mark.parametrize("name", FUNCTIONS)
def test_functions_on_pytorchs_samples(infos, name, dtype):
    theirs, ours = FUNCTIONS[name]

    def check(arguments, keywords):
        exact_keywords = {name: in_float64(value) for name, value in without_chunks(keywords).items()}
        exact_arguments = [in_float64(value) for value in arguments]
        results = [
            value_and_gradients(function(*given, **named), tensors_of(*given, *named.values()))
            for function, given, named in (
                (ours, arguments, keywords),
                (theirs, arguments, without_chunks(keywords)),
                (theirs, exact_arguments, exact_keywords),
            )
        ]
        assert_as_exact(*results)

    samples = drawn(infos[name], function_samples, dtype)
    assert len(samples) >= LEAST[name]
    on_each(check, samples)


def test_modules_refuse_what_pytorchs_refuse(infos):
    samples = [
        (MODULES[name], case.module_error_input)
        for name in MODULES
        for info in infos[name]
        for case in (info.module_error_inputs_func or no_cases)(info, "cpu", torch.float32, False, True)
    ]
    assert len(samples) >= 2

    def check(modules, sample):
        constructor, forward = sample.constructor_input, sample.forward_input
        assert_both_refuse(modules, lambda module: module(*constructor.args, **constructor.kwargs)(*forward.args))

    on_each(check, samples)


def test_functions_refuse_what_pytorchs_refuse(infos):
    samples = [
        (FUNCTIONS[name], case.sample_input)
        for name in FUNCTIONS
        for info in infos[name]
        for case in (info.error_inputs_func or no_cases)(info, "cpu")
    ]
    assert len(samples) >= 18

    def check(functions, sample):
        assert_both_refuse(functions, lambda function: function(sample.input, *sample.args, **sample.kwargs))

    on_each(check, samples)


def no_cases(*_):
    """Of a loss of which PyTorch has no errors to show."""
    return ()


def assert_both_refuse(both, call):
    """PyTorch's and ours, each with errors of its own."""
    for each, errors in zip(both, ((RuntimeError, ValueError), XentError), strict=True):
        with pytest.raises(errors):
            call(each)
