"""`text_numpy.text_codes` compiled with Numba."""

from typing import Any

import numpy as np

from xent.kernels.elementary_numba import compiled
from xent.kernels.sums_numba import ROWS

__all__ = ["text_codes"]

Array = Any


def text_codes(words: Array, names: Array, of_name: Array, codes: Array) -> None:
    """As text_numpy.text_codes."""
    _text_codes(words, names, of_name, codes, np.empty(ROWS, words.dtype), np.empty((len(names), ROWS), words.dtype))


@compiled
def _text_codes(words: Array, names: Array, of_name: Array, codes: Array, word: Array, apart: Array) -> None:
    """Word by word, so that names are compared as vectors; `apart` has the bits in which a row and a name differ."""
    for start in range(0, codes.shape[0], ROWS):
        own, out = words[start : start + ROWS], codes[start : start + ROWS]
        rows = out.shape[0]
        apart[:] = 0
        for place in range(names.shape[1]):
            for i in range(rows):
                word[i] = own[i, place]
            for k in range(names.shape[0]):
                name, bits = names[k, place], apart[k]
                for i in range(rows):
                    bits[i] |= word[i] ^ name
        out[:] = -1
        for k in range(names.shape[0]):
            code, bits = of_name[k], apart[k]
            for i in range(rows):
                out[i] = out[i] if bits[i] else code
