"""Raw arrays in, raw arrays out: no options, no checks.

`elementary` holds log, log1p and exp as formulas that use exactly rounded operations only. `score_numpy` is the
specification of the scoring kernels, on `elementary_numpy`; `score_numba`, `sums_numba` and `elementary_numba` are the same functions
compiled. Both give the same bits, so `choice` decides by time alone.
"""
