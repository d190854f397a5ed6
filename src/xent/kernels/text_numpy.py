"""Which of a few names each text is, spelled out in NumPy: texts of one length are rows of integers."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["same_words", "text_codes"]

Words = NDArray[Any]
Int64 = NDArray[np.int64]


def same_words(words: Words, name: Words) -> NDArray[np.bool_]:
    """Which rows of words (rows, words) are this name (words,)."""
    same: NDArray[np.bool_] = words[:, 0] == name[0]
    for place in range(1, len(name)):
        same &= words[:, place] == name[place]
    return same


def text_codes(words: Words, names: Words, of_name: Int64, codes: Int64) -> None:
    """Write the code of each row's name, and −1 where it is none of them.

    words: (rows, words), uint32 or uint64. names: (names, words), no two alike. of_name: (names,), from 0 to 126.
    codes: (rows,).
    """
    counted = np.zeros(len(words), np.int8)  # from 1 on, as the bytes of truth values are counts
    for name, code in zip(names, of_name, strict=True):
        counted += same_words(words, name).view(np.int8) * np.int8(code + 1)
    np.subtract(counted, 1, out=codes)
