"""`gather`: the info dicts of many envs as Gymnasium's one dict of arrays."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import NDArray

_NUMBERS = (int, float, bool)


def gather(infos: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Per key an array with one entry per env, and under `_key` the mask of the envs that have it.

    Numbers of one type make an array of that type (int and float together: float), arrays of one shape are stacked,
    dicts are gathered in turn, anything else makes an object array. Envs without the key hold 0 or None.
    """
    batch: dict[str, Any] = {}
    keys = dict.fromkeys(chain.from_iterable(infos))
    alike = set(map(len, infos)) == {len(keys)}
    for key in keys:
        if alike:
            values, mask = [info[key] for info in infos], np.ones(len(infos), dtype=np.bool_)
            batch[key] = _column(values, set(map(type, values)), mask)
        else:
            values, mask = [info.get(key) for info in infos], np.array([key in info for info in infos])
            batch[key] = _column(values, {type(info[key]) for info in infos if key in info}, mask)
        batch[f"_{key}"] = mask
    return batch


def _column(values: Sequence[Any], kinds: set[type], mask: NDArray[np.bool_]) -> Any:
    """One array. kinds: the types of the values where the mask is True; elsewhere values are None."""
    if kinds == {dict}:
        return gather([value or {} for value in values])
    number = _number_type(kinds)
    if number is not None:
        return np.array([0 if value is None else value for value in values], dtype=number)
    if kinds == {np.ndarray}:
        present = [value for value in values if value is not None]
        if len({(array.shape, array.dtype) for array in present}) == 1:
            stacked = np.zeros((len(values), *present[0].shape), dtype=present[0].dtype)
            stacked[mask] = present
            return stacked
    return np.fromiter(values, dtype=object, count=len(values))


def _number_type(kinds: set[type]) -> Any:
    """The type of an array that holds them all, or None."""
    if kinds == {int, float}:
        return float
    if len(kinds) > 1:
        return None
    (kind,) = kinds
    return kind if kind in _NUMBERS or issubclass(kind, np.number) else None
