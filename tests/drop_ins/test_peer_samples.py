"""PyTorch's own samples for these losses, from the installed PyTorch: values, gradients and errors of the drop-ins.

Truth is PyTorch in float64 on the same numbers; in float32 ours may be off by what PyTorch is off in float32, and a
little that any float32 may.
"""

import random
from collections import Counter

import pytest
import torch
from torch.nn import functional
from torch.testing._internal.common_methods_invocations import op_db
from torch.testing._internal.common_modules import module_db

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
MODULE_INFOS = [info for info in module_db if info.name in MODULES]
FUNCTION_INFOS = [info for info in op_db if info.name in FUNCTIONS]
DTYPES = (torch.float64, torch.float32)


@pytest.fixture(autouse=True, scope="module")
def one_thread():
    """Small tensors gain nothing by PyTorch's threads, which wait long for each other on a busy machine."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def module_samples(info, dtype):
    for sample in info.module_inputs_func(info, "cpu", dtype, requires_grad=True, training=True):
        yield sample.constructor_input, sample.forward_input


def function_samples(info, dtype):
    for sample in info.sample_inputs("cpu", dtype, requires_grad=True):
        yield (sample.input, *sample.args), sample.kwargs


def drawn(infos, samples):
    """(name and number, info, sample) in both dtypes, the same in every process."""
    random_state = random.getstate()
    with torch.random.fork_rng():
        for dtype in DTYPES:
            for info in infos:
                torch.manual_seed(7)
                random.seed(7)
                name = "-".join(filter(None, (info.name, getattr(info, "variant_test_name", ""), str(dtype)[6:])))
                for number, sample in enumerate(samples(info, dtype)):
                    yield pytest.param(info.name, sample, id=f"{name}-{number}")
    random.setstate(random_state)


MODULE_SAMPLES = list(drawn(MODULE_INFOS, module_samples))
FUNCTION_SAMPLES = list(drawn(FUNCTION_INFOS, function_samples))


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


def test_the_samples_are_about_all_that_pytorch_has():
    count = Counter(parameter.values[0] for parameter in MODULE_SAMPLES + FUNCTION_SAMPLES)
    assert count["nn.CrossEntropyLoss"] >= 200
    assert count["nn.BCEWithLogitsLoss"] >= 12
    assert count["nn.LinearCrossEntropyLoss"] >= 1600
    assert count["nn.functional.cross_entropy"] >= 40
    assert count["nn.functional.binary_cross_entropy_with_logits"] >= 50
    assert count["nn.functional.linear_cross_entropy"] >= 600


@pytest.mark.parametrize(("name", "sample"), MODULE_SAMPLES)
def test_modules_on_pytorchs_samples(name, sample):
    constructor, forward = sample
    theirs, ours = (
        made(*constructor.args, **arguments)
        for made, arguments in zip(MODULES[name], (without_chunks(constructor.kwargs), constructor.kwargs), strict=True)
    )
    exact = MODULES[name][0](*constructor.args, **without_chunks(constructor.kwargs)).double()
    for other in (ours, exact):
        other.load_state_dict(theirs.state_dict())
    results = []
    for module, inputs in ((ours, forward.args), (theirs, forward.args), (exact, [*map(in_float64, forward.args)])):
        results.append(value_and_gradients(module(*inputs), [*tensors_of(*inputs), *module.parameters()]))
    assert_as_exact(*results)


@pytest.mark.parametrize(("name", "sample"), FUNCTION_SAMPLES)
def test_functions_on_pytorchs_samples(name, sample):
    arguments, keywords = sample
    theirs, ours = FUNCTIONS[name]
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


def error_samples():
    for info in MODULE_INFOS:
        cases = info.module_error_inputs_func
        for number, case in enumerate(cases(info, "cpu", torch.float32, False, True) if cases else ()):
            yield pytest.param(MODULES[info.name], case.module_error_input, id=f"{info.name}-{number}")


@pytest.mark.parametrize(("modules", "sample"), list(error_samples()))
def test_modules_refuse_what_pytorchs_refuse(modules, sample):
    constructor, forward = sample.constructor_input, sample.forward_input
    for module, errors in zip(modules, ((RuntimeError, ValueError), XentError), strict=True):
        with pytest.raises(errors):
            module(*constructor.args, **constructor.kwargs)(*forward.args)


def function_error_samples():
    for info in FUNCTION_INFOS:
        for number, case in enumerate(info.error_inputs("cpu") if info.error_inputs_func else ()):
            sample = case.sample_input
            yield pytest.param(
                FUNCTIONS[info.name], (sample.input, *sample.args), sample.kwargs, id=f"{info.formatted_name}-{number}"
            )


@pytest.mark.parametrize(("functions", "arguments", "keywords"), list(function_error_samples()))
def test_functions_refuse_what_pytorchs_refuse(functions, arguments, keywords):
    for function, errors in zip(functions, ((RuntimeError, ValueError), XentError), strict=True):
        with pytest.raises(errors):
            function(*arguments, **keywords)
