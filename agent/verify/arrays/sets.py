"""Growing columns, and sets that number their members: what numpy lacks for an exploration."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .machine_code import compiled

Keys = NDArray[np.uint64]
Numbers = NDArray[np.int64]
Rows = NDArray[np.uint32]

_EMPTY = np.uint64(0xFFFF_FFFF_FFFF_FFFF)
_MULTIPLIER = np.uint64(0x9E37_79B9_7F4A_7C15)  # Knuth's multiplicative hash: 2**64 divided by the golden ratio
_FULL = 0.5
_BLOCK = 256
_PRIME = np.uint64(0x100_0000_01B3)  # FNV-1a
_OFFSET = np.uint64(0xCBF2_9CE4_8422_2325)
_ONE = np.uint64(1)


class TooLargeError(Exception):
    """The exploration exceeds a limit: its memory, or the bits of a key."""


class Column:
    """An array that grows: one attribute of all numbered items."""

    def __init__(self, dtype: Any, size: int = 1024) -> None:
        self._array = np.zeros(size, dtype)
        self._length = 0

    def __len__(self) -> int:
        return self._length

    @property
    def bytes(self) -> int:
        """The memory it takes, in bytes."""
        return self._array.nbytes

    def bytes_after(self, more: int) -> int:
        """The peak memory, in bytes, while it grows to hold `more` values."""
        size = self._size_for(more)
        return self.bytes + (0 if size == len(self._array) else size * self._array.itemsize)

    def _size_for(self, more: int) -> int:
        size, needed = len(self._array), self._length + more
        return size if needed <= size else max(2 * size, needed)

    @property
    def all(self) -> NDArray[Any]:
        """The values so far; an array that later growth does not change."""
        return self._array[: self._length]

    def append(self, value: Any) -> None:
        """Add one value."""
        self.reserve(1)[0] = value
        self._length += 1

    def extend(self, values: NDArray[Any]) -> None:
        """Add values."""
        self.reserve(len(values))[: len(values)] = values
        self._length += len(values)

    def reserve(self, more: int) -> NDArray[Any]:
        """Room for at least `more` values after the present ones; `extend_reserved` adds them once they are written."""
        size = self._size_for(more)
        if size != len(self._array):
            bigger = np.zeros(size, self._array.dtype)
            bigger[: self._length] = self.all
            self._array = bigger
        return self._array[self._length :]

    def extend_reserved(self, more: int) -> None:
        """Add the first `more` values that were written into the reserved room."""
        self._length += more


class KeySet:
    """A set of 64-bit keys, numbered in the order in which they are added: an open-addressing hash table.

    The key of all ones is reserved: it marks an empty slot.
    """

    def __init__(self, bits: int = 12) -> None:
        self._resize(bits)
        self.keys = Column(np.uint64)

    def __len__(self) -> int:
        return len(self.keys)

    @property
    def bytes(self) -> int:
        """The memory it takes, in bytes."""
        return self._slots.nbytes + self.keys.bytes

    def bytes_after(self, more: int) -> int:
        """The peak memory, in bytes, while it grows to hold `more` keys."""
        bits = self._bits_for(more)
        grown = 0 if bits == self._bits else 16 * (1 << bits)
        return self._slots.nbytes + grown + self.keys.bytes_after(more)

    def _bits_for(self, more: int) -> int:
        bits = self._bits
        while len(self) + more > _FULL * (1 << bits):
            bits += 1
        return bits

    def _resize(self, bits: int) -> None:
        self._bits = bits
        self._shift = np.uint64(64 - bits)
        self._slots = np.full((1 << bits, 2), _EMPTY)  # the key, and its number

    def add(self, keys: Keys) -> tuple[Numbers, NDArray[np.bool_]]:
        """Add keys: the number of each, and which of them are new (of equal new keys, the first)."""
        bits = self._bits_for(len(keys))
        if bits != self._bits:
            self._resize(bits)
            self._insert(self.keys.all, 0, self.keys.all)
        numbers, is_new, count = self._insert(keys, len(self), self.keys.reserve(len(keys)))
        self.keys.extend_reserved(count)
        return numbers, is_new

    def _insert(self, keys: Keys, first: int, new: Keys) -> tuple[Numbers, NDArray[np.bool_], int]:
        numbers, is_new = np.empty(len(keys), np.int64), np.empty(len(keys), np.bool_)
        count, _ = _insert(keys, self._slots, self._shift, first, new, numbers, is_new)
        return numbers, is_new, count


@compiled
def _insert(  # pragma: no cover - runs as machine code, which is not traced
    keys: Keys,
    slots: NDArray[np.uint64],
    shift: np.uint64,
    first: int,
    new: Keys,
    numbers: Numbers,
    is_new: NDArray[np.bool_],
) -> tuple[int, np.uint64]:
    """Number the keys, new ones from `first` on, and write the new ones into `new`. Returns how many were new.

    In each block, all slots are read once before the first one is needed, so that their memory accesses overlap. The
    sum of these reads is returned as well; it has no meaning, but without it the compiler would drop the reads.
    """
    mask = np.int64(len(slots) - 1)
    at = np.empty(_BLOCK, np.int64)
    count, read = 0, np.uint64(0)
    for start in range(0, len(keys), _BLOCK):
        end = min(len(keys), start + _BLOCK)
        for row in range(start, end):
            at[row - start] = np.int64((keys[row] * _MULTIPLIER) >> shift)
        for row in range(start, end):
            read += slots[at[row - start], 0]
        for row in range(start, end):
            slot, key = at[row - start], keys[row]
            while slots[slot, 0] != key and slots[slot, 0] != _EMPTY:
                slot = (slot + 1) & mask
            is_new[row] = slots[slot, 0] == _EMPTY
            if is_new[row]:
                slots[slot, 0], slots[slot, 1], new[count] = key, first + count, key
                count += 1
            numbers[row] = slots[slot, 1]
    return count, read


class HashCollisionError(TooLargeError):
    """Two different rows have the same 64-bit hash, so they would get the same number."""


class RowSet:
    """A set of rows of small numbers, numbered in the order in which they are added and found by a 64-bit hash.

    Each row is compared with the row whose number it gets, so a collision cannot go unnoticed.
    """

    def __init__(self, width: int) -> None:
        self._rows: Rows = np.zeros((64, width), np.uint32)
        self._hashes = KeySet(8)

    def __len__(self) -> int:
        return len(self._hashes)

    @property
    def bytes(self) -> int:
        """The memory it takes, in bytes."""
        return self._rows.nbytes + self._hashes.bytes

    @property
    def all(self) -> Rows:
        """The rows so far; an array that later growth does not change."""
        return self._rows[: len(self)]

    def add(self, rows: Rows) -> tuple[Numbers, NDArray[np.bool_]]:
        """Add rows: the number of each, and which are new (of equal new rows, the first).

        Raises `HashCollisionError` if two different rows have the same hash.
        """
        hashes = np.full(len(rows), _OFFSET, np.uint64)
        for column in range(rows.shape[1]):
            hashes = (hashes ^ rows[:, column]) * _PRIME
            hashes ^= hashes >> np.uint64(29)
        numbers, is_new = self._hashes.add(hashes & ~(_ONE << np.uint64(63)))
        if len(self) > len(self._rows):
            grown = np.zeros((2 * len(self), rows.shape[1]), np.uint32)
            grown[: len(self._rows)] = self._rows
            self._rows = grown
        self._rows[numbers[is_new]] = rows[is_new]
        if not np.array_equal(self._rows[numbers], rows):
            raise HashCollisionError("two different states have the same 64-bit hash")
        return numbers, is_new
