"""The mean by class weights of 16 bits, counted over many labels. Truth is PyTorch on the logits, without weights."""

import pytest
import torch

import xent.torch


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_a_mean_over_many_places_counts_in_float32(dtype):
    """One more is no more in bfloat16 from 256 on; float16 ends at 65,504."""
    generator = torch.Generator().manual_seed(0)
    rows, places, classes = 8000, 10, 200
    x, w = (torch.randn(*shape, generator=generator) for shape in ((rows, 4), (classes, places, 4)))
    y = torch.randint(classes, (rows, places), generator=generator)
    found = xent.torch.linear_cross_entropy(x, w, y, weight=torch.ones(classes, dtype=dtype))
    logits = torch.einsum("rd,cpd->rcp", x, w)
    torch.testing.assert_close(found, torch.nn.functional.cross_entropy(logits, y))
