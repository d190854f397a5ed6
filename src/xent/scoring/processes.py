"""The sums of all processes of `torch.distributed`, in every one of them."""

from dataclasses import replace
from types import ModuleType
from typing import TYPE_CHECKING, Any

import numpy as np

from xent.errors import MissingPackageError, OptionError
from xent.scoring.frame import Frame, gathered
from xent.scoring.state_limbs import Int64, common_layout, from_limbs, layout_of, to_limbs
from xent.scoring.sums import Sums

if TYPE_CHECKING:
    import torch

__all__ = ["all_reduced"]


def all_reduced(frame: Frame, sums: Sums, group: Any) -> tuple[Frame, Sums]:
    """Frame and sums over the processes of the group, the same in each; what was given where there is but one.

    Two rounds. First every process tells the others what no addition can settle: its frame, its worst rows, its keys and
    how wide its numbers are. So each of them finds the same misfit, and none waits for numbers that another does not
    send. Then all numbers are added as int64 limbs.

    Raises:
        StateError: in all processes, naming the first of them that does not fit those before it.
        OptionError: this process is not in the group.
        MissingPackageError: PyTorch is absent.
    """
    distributed = _distributed()
    if distributed is None:
        return frame, sums
    size = distributed.get_world_size(group)
    if size < 1:
        raise OptionError("group is a process group without this process. Call all_reduce in its processes only.")
    if size == 1:
        return frame, sums
    own = Sums(rows=sums.rows, few=sums.few, worst=sums.worst, skipped=sums.skipped, top=sums.top)
    told: list[Any] = [None] * size
    distributed.all_gather_object(told, (frame, own, layout_of(sums)), group=group)
    whole, rest = gathered(
        (f"the state of process {i} of the group", other, part) for i, (other, part, _) in enumerate(told)
    )
    layout = common_layout([layout for *_, layout in told])
    limbs = _added(to_limbs(sums, layout), distributed, group)
    return whole or frame, replace(rest, **from_limbs(limbs, layout))


def _distributed() -> ModuleType | None:
    """`torch.distributed` where it is in use."""
    try:
        from torch import distributed
    except ImportError as error:
        raise MissingPackageError("all_reduce adds over torch.distributed: pip install 'xent[torch]'.") from error
    return distributed if distributed.is_available() and distributed.is_initialized() else None


def _added(limbs: Int64, distributed: ModuleType, group: Any) -> Int64:
    from torch import from_numpy

    tensor = from_numpy(limbs).to(_device(distributed.get_backend_config(group)))
    distributed.all_reduce(tensor, group=group)
    return np.asarray(tensor.cpu())


def _device(served: str) -> "torch.device":
    """The host if the group's backends serve it, else the current one of the first kind they do: "cuda:nccl"."""
    import torch

    kinds = [pair.partition(":")[0] for pair in served.split(",")]
    if "cpu" in kinds:
        return torch.device("cpu")
    return torch.device(kinds[0], torch.get_device_module(kinds[0]).current_device())
