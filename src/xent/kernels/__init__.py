"""Raw arrays in, raw arrays out: no options, no checks.

`elementary` holds log, log1p and exp as formulas that use exactly rounded operations only; `score_numpy` is the
specification of the scoring kernels and `score_numba` the same functions compiled. Both give the same bits.
"""
