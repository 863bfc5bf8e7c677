"""Random numbers as a function of their place: no state, no order, no shared stream.

In: a seed, a path of names (table, column, purpose) and row numbers. Out: 64-bit words, numbers below a bound
and permutations, as NumPy arrays. Always holds: the word of a row depends on seed, path and row number alone,
so that blocks come out the same in any order, process and machine. Only integer arithmetic is used.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

Rows = NDArray[np.int64]
Words = NDArray[np.uint64]

_GOLDEN: Final = np.uint64(0x9E3779B97F4A7C15)
_FIRST: Final = np.uint64(0xBF58476D1CE4E5B9)
_SECOND: Final = np.uint64(0x94D049BB133111EB)
_LOW: Final = np.uint64(0xFFFFFFFF)
_HALF: Final = np.uint64(32)
_MASK64: Final = (1 << 64) - 1
_NARROW: Final = 1 << 20
_ROUNDS: Final = 6


def mix64(words: Words) -> Words:
    """Scrambles `words` in place and returns them.

    The finalizer of SplitMix64 (Steele, Lea, Flood: Fast Splittable Pseudorandom Number Generators, 2014),
    a bijection of 64-bit words.
    """
    words ^= words >> np.uint64(30)
    words *= _FIRST
    words ^= words >> np.uint64(27)
    words *= _SECOND
    words ^= words >> np.uint64(31)
    return words


@lru_cache(maxsize=4096)
def _key(seed: int, path: tuple[str, ...]) -> int:
    """The 64-bit key of a stream: BLAKE2b over the length-prefixed seed and names."""
    state = hashlib.blake2b(digest_size=8, person=b"tdv.stream.v1")
    for part in (str(seed), *path):
        data = part.encode("utf-8")
        state.update(len(data).to_bytes(8, "little"))
        state.update(data)
    return int.from_bytes(state.digest(), "little")


@dataclass(frozen=True, slots=True)
class Stream:
    """An endless array of words, one per row number, named by a seed and a path."""

    seed: int
    path: tuple[str, ...]

    def named(self, *names: str) -> Stream:
        """The stream of that name below this one, independent of it."""
        return Stream(self.seed, (*self.path, *names))

    @property
    def key(self) -> int:
        """The 64-bit key that tells this stream from all others."""
        return _key(self.seed, self.path)

    def words(self, rows: Rows) -> Words:
        """One uniform 64-bit word per row number; distinct rows have distinct words."""
        words = rows.astype(np.uint64)
        words += np.uint64(1)
        words *= _GOLDEN
        words += np.uint64(self.key)
        return mix64(words)

    def word(self, row: int) -> int:
        """The word of one row as a Python integer, equal to ``words([row])[0]``."""
        word = ((row + 1) * int(_GOLDEN) + self.key) & _MASK64
        word = ((word ^ (word >> 30)) * int(_FIRST)) & _MASK64
        word = ((word ^ (word >> 27)) * int(_SECOND)) & _MASK64
        return word ^ (word >> 31)


def bounded(words: Words, size: int) -> Rows:
    """Maps uniform words to ``0 … size-1`` (1 ≤ size ≤ 2**63) by multiplication.

    Lemire, Fast Random Integer Generation in an Interval, 2019, without the rejection: the bias is below
    size/2**32 for sizes up to 2**20 and below size/2**64 above.
    """
    if size <= _NARROW:
        return (((words >> _HALF) * np.uint64(size)) >> _HALF).astype(np.int64)
    return _high_product(words, size).astype(np.int64)


def _high_product(words: Words, size: int) -> Words:
    """The upper 64 bits of ``words * size``, by four products of 32-bit halves."""
    high, low = words >> _HALF, words & _LOW
    size_high, size_low = np.uint64(size >> 32), np.uint64(size & 0xFFFFFFFF)
    middle = high * size_low + ((low * size_low) >> _HALF)
    carry = (middle & _LOW) + low * size_high
    product: Words = high * size_high + (middle >> _HALF) + (carry >> _HALF)
    return product


def unit(words: Words) -> NDArray[np.float64]:
    """Uniform numbers in (0, 1], exact multiples of 2**-53."""
    numbers = ((words >> np.uint64(11)) + np.uint64(1)).astype(np.float64)
    numbers *= 2.0**-53
    return numbers


def permuted(rows: Rows, size: int, stream: Stream) -> Rows:
    """The images of `rows` under a pseudorandom permutation of ``0 … size-1``; every row must be below `size`.

    An alternating Feistel network over the next power of two, walked until the image is in range (Black and
    Rogaway, Ciphers with Arbitrary Finite Domains, 2002). The permutation depends on `size` and the stream only.
    """
    bits = max((size - 1).bit_length(), 2)
    left_bits = bits // 2
    right_bits = bits - left_bits
    keys = [np.uint64(stream.named(f"round {number}").key) for number in range(_ROUNDS)]
    images = rows.astype(np.uint64)
    pending = np.arange(len(rows))
    while len(pending):
        images[pending] = _feistel(images[pending], left_bits, right_bits, keys)
        pending = pending[images[pending] >= np.uint64(size)]
    return images.astype(np.int64)


def _feistel(values: Words, left_bits: int, right_bits: int, keys: list[np.uint64]) -> Words:
    left_mask = np.uint64((1 << left_bits) - 1)
    right_mask = np.uint64((1 << right_bits) - 1)
    left, right = values >> np.uint64(right_bits), values & right_mask
    for number, key in enumerate(keys):
        if number % 2:
            right = right ^ (mix64((left + np.uint64(1)) * _GOLDEN + key) & right_mask)
        else:
            left = left ^ (mix64((right + np.uint64(1)) * _GOLDEN + key) & left_mask)
    return (left << np.uint64(right_bits)) | right
