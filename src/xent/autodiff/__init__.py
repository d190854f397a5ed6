"""The kernels as differentiable functions of each library's arrays; the formulas themselves where there is no kernel.

Each module has the same functions: `statistics`, `sigmoid_nll`, `linear_statistics`, `linear_entropy`, `linear_loss`.
"""
