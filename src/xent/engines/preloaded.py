"""Imported by the server from which processes are forked, so that none of them has to load Numba's kernels."""

from xent.kernels.choice import score_kernels, survey_kernels

__all__ = ["KERNELS"]

KERNELS = score_kernels(1 << 62), survey_kernels(1 << 62)
