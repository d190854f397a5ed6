"""A function of rows on PyTorch tensors, some rows at a time, and so are its derivatives, of any order and either mode.

Of each block of rows a function gives something for each row, or something that is summed over all blocks. Its
derivatives are such functions again: what came row by row goes back row by row, and what all rows share gets a sum.
Nothing of a block is kept for the way back, which computes it again.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

__all__ = ["ByRows", "over_rows"]

Function = Callable[..., tuple[Tensor, ...]]
MORE = 1.5  # times the memory for a row that a derivative takes, as was found by looking


@dataclass(frozen=True, eq=False)  # a tuple would be taken apart by torch.func
class ByRows:
    """A function, and how to go over the rows."""

    function: Function  # of as many tensors as `given` tells of: as many as `made` tells of
    given: tuple[bool, ...]  # whether a tensor it is given has a row for each row; else it is the same for all
    made: tuple[bool, ...]  # whether a tensor it makes has; else it is to be summed
    rows: float  # in a block

    def backward(self, wanted: list[int], known: list[int]) -> "ByRows":
        """The gradients of the inputs `wanted`, of the inputs and the gradients of the outputs `known`."""

        def function(*tensors: Tensor) -> tuple[Tensor, ...]:
            of_wanted, inputs, on = _of(self.function, tensors, len(self.given), wanted, known)
            found: tuple[Tensor, ...] = torch.func.vjp(of_wanted, *inputs)[1](on)
            return found

        given, made = [self.made[i] for i in known], [self.given[i] for i in wanted]
        return ByRows(function, (*self.given, *given), tuple(made), self.rows / MORE)

    def forward(self, wanted: list[int]) -> "ByRows":
        """The tangents of the outputs, of the inputs and the tangents of the inputs `wanted`.

        The way back is linear in the gradients it starts from: the way back through it is the way forward.
        """
        known = list(range(len(self.made)))

        def function(*tensors: Tensor) -> tuple[Tensor, ...]:
            of_wanted, inputs, along = _of(self.function, tensors, len(self.given), wanted, known)
            zeros = tuple(torch.zeros_like(value) for value in of_wanted(*inputs))
            pull = torch.func.vjp(lambda *on: torch.func.vjp(of_wanted, *inputs)[1](on), *zeros)[1]
            found: tuple[Tensor, ...] = pull(along)
            return found

        return replace(
            self,
            function=function,
            given=(*self.given, *(self.given[i] for i in wanted)),
            rows=self.rows / MORE,
        )


def _of(
    function: Function, tensors: tuple[Tensor, ...], count: int, wanted: list[int], known: list[int]
) -> tuple[Function, tuple[Tensor, ...], tuple[Tensor, ...]]:
    """The function of some of its inputs alone, those, and what follows the inputs."""
    inputs, rest = tensors[:count], tensors[count:]

    def of_wanted(*chosen: Tensor) -> tuple[Tensor, ...]:
        given = list(inputs)
        for i, value in zip(wanted, chosen, strict=True):
            given[i] = value
        made = function(*given)
        return tuple(made[i] for i in known)

    return of_wanted, tuple(inputs[i] for i in wanted), rest


def over_rows(plan: ByRows, *tensors: Tensor) -> tuple[Tensor, ...]:
    """What the function makes of all rows."""
    found: tuple[Tensor, ...] = _OverRows.apply(plan, *tensors)
    return found


def _whole_of(part: Tensor, by_row: bool, rows: int) -> Tensor:
    """Where the parts go, of which this is the first: small ones kept until the end would hold much memory between them."""
    return part.new_empty((rows, *part.shape[1:])) if by_row else part


def _with_part(whole: Tensor, part: Tensor, by_row: bool, start: int, step: int) -> Tensor:
    """One more part of a tensor that is made; a sum is written over once it is no part itself."""
    if by_row:
        whole[start : start + step].copy_(part)
        return whole
    return part if start == 0 else whole + part if start == step else whole.add_(part)


class _OverRows(torch.autograd.Function):
    generate_vmap_rule = True

    @staticmethod
    def forward(plan: ByRows, *tensors: Tensor) -> tuple[Tensor, ...]:
        rows = next(len(tensor) for tensor, by_row in zip(tensors, plan.given, strict=True) if by_row)
        step = max(1, int(plan.rows))
        whole: list[Tensor] = []
        with torch.autocast(tensors[0].device.type, enabled=False):  # whose products in bfloat16 are not asked for
            for start in range(0, max(rows, 1), step):
                some = (
                    tensor[start : start + step] if by_row else tensor
                    for tensor, by_row in zip(tensors, plan.given, strict=True)
                )
                parts = plan.function(*some)
                whole = whole or [_whole_of(*each, rows) for each in zip(parts, plan.made, strict=True)]
                whole = [_with_part(*each, start, step) for each in zip(whole, parts, plan.made, strict=True)]
        return tuple(whole)

    @staticmethod
    def setup_context(ctx: Any, inputs: Any, output: Any) -> None:  # noqa: ARG004
        ctx.plan, *tensors = inputs
        ctx.save_for_backward(*tensors)
        ctx.save_for_forward(*tensors)
        ctx.set_materialize_grads(False)

    @staticmethod
    def backward(ctx: Any, *on: Tensor | None) -> tuple[Tensor | None, ...]:
        needed = ctx.needs_input_grad[1:]
        wanted = [i for i, needs in enumerate(needed) if needs]
        known = {i: upstream for i, upstream in enumerate(on) if upstream is not None}
        if not wanted or not known:
            return (None, *(None for _ in needed))
        plan = ctx.plan.backward(wanted, list(known))
        found = iter(over_rows(plan, *ctx.saved_tensors, *known.values()))
        return (None, *(next(found) if needs else None for needs in needed))

    @staticmethod
    def jvp(ctx: Any, _: None, *along: Tensor | None) -> tuple[Tensor, ...]:
        known = {i: tangent for i, tangent in enumerate(along) if tangent is not None}
        return over_rows(ctx.plan.forward(list(known)), *ctx.saved_tensors, *known.values())
