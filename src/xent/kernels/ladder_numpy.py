"""What a cure could change, row by row, spelled out in NumPy: slopes and curvature of the loss.

All in float32, classes first, so that a class's rows lie side by side: sums over rows round nothing away (they are of
whole numbers, `fixed_sums`), and one row's error of 1e-7 does not matter in a mean. The compiled twin gives the same
bits, so nothing here may be reordered or fused.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "FIXED_BITS",
    "LOWEST",
    "centre",
    "cured",
    "exp32",
    "exp_parts",
    "fixed_sums",
    "log1p32",
    "log_parts",
    "moments",
    "moments_count",
    "rest_of",
    "rounded",
]

Float32 = NDArray[np.float32]
Int64 = NDArray[np.int64]

FIXED_BITS = 32  # sums are of whole numbers in units of 2^-32
LOWEST = np.float32(-4000.0)  # log of a probability of 0, in nats behind the largest; 2^19 rows of it are no overflow
NEAR_LOWEST = np.float32(-3999.0)  # where other logits end
SUBNORMAL, SHORT_SUBNORMAL = np.float32(-709.0), np.float32(-95.0)  # logs of subnormal numbers, more or less
UNDERFLOW = np.float32(-87.0)  # exp of anything below is 0

LOG = tuple(
    map(
        np.float32,
        (
            7.0376836292e-2,
            -1.1514610310e-1,
            1.1676998740e-1,
            -1.2420140846e-1,
            1.4249322787e-1,
            -1.6668057665e-1,
            2.0000714765e-1,
            -2.4999993993e-1,
            3.3333331174e-1,
        ),
    )
)  # Moshier's Cephes library (1992), logf.c
EXP = tuple(
    map(
        np.float32,
        (1.9875691500e-4, 1.3981999507e-3, 8.3334519073e-3, 4.1665795894e-2, 1.6666665459e-1, 5.0000001201e-1),
    )
)  # the same, expf.c
LN2_HIGH, LN2_LOW = np.float32(0.693359375), np.float32(-2.12194440e-4)
INVERSE_LN2 = np.float32(1.44269504)
ROUND = np.float32(12582912.0)  # 1.5·2^23: adding and subtracting it rounds to the nearest integer
ROUND_FIXED = np.float64(1.5 * 2.0 ** (52 - FIXED_BITS))  # the same of float64, to multiples of 2^-FIXED_BITS
LARGEST_ROUNDED = 2.0 ** (51 - FIXED_BITS)  # by adding it
HALF, NUMBER_ONE, TWO, NOTHING = np.float32(0.5), np.float32(1.0), np.float32(2.0), np.float32(0.0)
SQRT_HALF = 0x3FE6A09E667F3BCD  # the bits of √½
ONE = 0x3FF0000000000000
SHORT_ONE, SHORT_SQRT_HALF = 0x3F800000, 0x3F3504F3  # the same of float32


def log_parts(f: Any, k: Any) -> Any:
    """log((1 + f)·2^k) for 1 + f in [√½, √2), float32.

    Here and in `exp_parts` pairs of terms come first: in a chain, each step of which waits for the one before, processors idle.
    """
    z = f * f
    w = z * z
    low = (f * LOG[5] + LOG[6]) * z + (f * LOG[7] + LOG[8])
    high = (f * LOG[1] + LOG[2]) * z + (f * LOG[3] + LOG[4])
    y = (w * LOG[0] + high) * w + low
    y = ((y * f) * z + k * LN2_LOW) - z * HALF
    return (f + y) + k * LN2_HIGH


def exp_parts(r: Any) -> Any:
    """exp(r) for |r| ≤ ½·log 2, float32."""
    z = r * r
    y = ((r * EXP[0] + EXP[1]) * z + (r * EXP[2] + EXP[3])) * z + (r * EXP[4] + EXP[5])
    return ((y * z) + r) + NUMBER_ONE


def _log(v: NDArray[Any]) -> Float32:
    """log of float32 or float64 ≥ 0 as float32; LOWEST for 0, near the truth for the subnormal numbers."""
    if v.dtype == np.float32:
        bits = v.view(np.int32)
        k = ((bits + (SHORT_ONE - SHORT_SQRT_HALF)) >> 23) - 127
        f = (bits - (k << 23)).view(np.float32) - NUMBER_ONE
        logs = np.where(k <= -126, SHORT_SUBNORMAL, log_parts(f, k.astype(np.float32)))
    else:
        long_bits = v.view(np.int64)
        exponent = ((long_bits + (ONE - SQRT_HALF)) >> 52) - 1023
        f = ((long_bits - (exponent << 52)).view(np.float64) - 1.0).astype(np.float32)
        logs = np.where(exponent <= -1022, SUBNORMAL, log_parts(f, exponent.astype(np.float32)))
    return np.where(v == 0.0, LOWEST, logs)


def exp32(x: Float32) -> Float32:
    """exp(x) for x ≤ 0, float32; 0 below UNDERFLOW."""
    v = np.maximum(x, UNDERFLOW)
    k = (v * INVERSE_LN2 + ROUND) - ROUND
    y = exp_parts((v - k * LN2_HIGH) - k * LN2_LOW)
    power = ((k.astype(np.int32) + 127) << 23).view(np.float32)
    return np.where(x < UNDERFLOW, NOTHING, y * power)


def log1p32(r: Float32) -> Float32:
    """log(1 + r) for r ≥ 0, float32, with most of the digits that 1 + r loses."""
    u = NUMBER_ONE + r
    bits = u.view(np.int32)
    k = ((bits + (SHORT_ONE - SHORT_SQRT_HALF)) >> 23) - 127
    f = (bits - (k << 23)).view(np.float32) - NUMBER_ONE
    near = np.maximum(TWO - u, NOTHING)  # 1/u where that matters
    return np.asarray(log_parts(f, k.astype(np.float32)) + (r - (u - NUMBER_ONE)) * near)


def centre(block: NDArray[Any], logs: bool, z: Float32, v: Float32, top: NDArray[np.int32]) -> None:
    """Rows of probabilities, or of logits (`logs`), as seen from their most probable class.

    block: (rows, classes); or (rows,), the second of two classes.
    z, v: (classes, rows): log-probabilities less that of the first most probable class, and their exponentials.
    top: (rows,): that class.
    """
    wide: NDArray[Any] = np.array(block.T, np.float32 if block.dtype == np.float32 else np.float64)
    if block.ndim == 1:
        wide = np.stack([np.zeros_like(wide) if logs else wide.dtype.type(1.0) - wide, wide])
    top[:] = wide.argmax(axis=0)
    largest = wide[top, np.arange(len(top))]
    if logs:
        with np.errstate(over="ignore"):
            z[:] = np.where(wide == -np.inf, LOWEST, np.maximum(wide - largest, NEAR_LOWEST))
        v[:] = exp32(z)
        return
    quotient = wide / largest
    v[:] = np.where(quotient < 1e-30, 0.0, quotient)
    found = _log(wide)
    z[:] = np.where(found <= LOWEST, LOWEST, found - _log(largest))


def cured(z: Float32, beta: float, offsets: Float32, w: Float32, v: Float32, top: NDArray[np.int32]) -> Float32:
    """Logits β·z + offsets less the largest of the row into w, their exponentials into v; the largest, of class `top`."""
    for j in range(len(z)):
        w[j] = z[j] * np.float32(beta) + offsets[j]
    top[:] = w.argmax(axis=0)
    largest = w[top, np.arange(len(top))]
    w -= largest
    np.maximum(w, LOWEST, out=w)
    v[:] = exp32(w)
    return np.asarray(largest)


def rest_of(v: Float32, top: NDArray[np.int32]) -> Float32:
    """Σ_j v_j of all classes but `top`, whose v is 1."""
    rest = np.zeros(len(top), np.float32)
    for j in range(len(v)):
        rest = rest + np.where(top == j, NOTHING, v[j])
    return rest


def moments_count(classes: int) -> int:
    """How many numbers `moments` gives."""
    return 3 + 2 * classes + classes * (classes - 1) // 2


def moments(z: Float32, v: Float32, rest: Float32, largest: Float32, out: Float32) -> None:
    """What slopes and curvature of the loss are made of, into out (moments_count, rows).

    z: (classes, rows), of which β is a factor; v, rest, largest: what logits w = β·z + b are, as `cured` and `rest_of`
    give them. With q = softmax(w) and E the mean under it: log Σ_j exp(w_j); E z; E (z − E z)²; then by class q_j;
    q_j·(z_j − E z); and q_j·q_k for j < k.
    """
    classes = len(z)
    whole = rest + NUMBER_ONE
    out[0] = largest + log1p32(rest)
    mean = np.zeros_like(rest)
    for j in range(classes):
        out[3 + j] = v[j] / whole
        mean = mean + out[3 + j] * z[j]
    out[1] = mean
    out[2] = 0.0
    for j in range(classes):
        away = z[j] - mean
        slope = out[3 + j] * away
        out[3 + classes + j] = slope
        out[2] += slope * away
    at = 3 + 2 * classes
    for j in range(classes):
        for k in range(j + 1, classes):
            out[at] = out[3 + j] * out[3 + k]
            at += 1


def rounded(values: Float32) -> Int64:
    """To the nearest whole multiples of 2^-FIXED_BITS, and to even ones where two are as near."""
    wide = values.astype(np.float64)
    if not max(values.max(initial=0.0), -values.min(initial=0.0)) < LARGEST_ROUNDED:
        return np.rint(wide * 2.0**FIXED_BITS).astype(np.int64)
    wide += ROUND_FIXED
    units = wide.view(np.int64)
    units -= ROUND_FIXED.view(np.int64)
    return units


def fixed_sums(values: Float32, sums: Int64) -> None:
    """Add each row of values (numbers, rows), `rounded`, to sums (numbers,)."""
    for i in range(len(values)):
        sums[i] += rounded(values[i]).sum()
