"""The kernels as differentiable functions of each library's arrays; the formulas themselves where there is no kernel.

Each module has the same functions: `statistics`, `loss`, `sigmoid_nll`, `sigmoid_loss`, `linear_statistics`,
`linear_entropy`, `linear_loss` and `readable`.
"""
