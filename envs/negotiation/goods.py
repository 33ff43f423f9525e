"""What each seat starts with and what it is worth to it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

Goods = Mapping[str, int]
"""Resource -> number of units, or resource -> price of a unit."""

TWO = ("Wood", "Gold")
TWO_UNITS = 10
FIXED_PRICES = ({"Wood": 5, "Gold": 15}, {"Wood": 15, "Gold": 5})
FIVE_PRICES = {"Wheat": 5, "Wood": 10, "Sheep": 15, "Brick": 25, "Ore": 40}
FIVE_UNITS = (5, 25)
PRICE_SPREAD = 0.2


@dataclass(frozen=True, slots=True)
class Endowment:
    """Units and private prices of one seat at the start."""

    units: Goods
    prices: Goods


def worth(units: Goods, prices: Goods) -> int:
    """The value of an inventory at these prices."""
    return sum(count * prices[resource] for resource, count in units.items())


def draw_endowments(resources: int, values: str, rng: np.random.Generator) -> tuple[Endowment, Endowment]:
    """The start of both seats. Nothing in the draw tells the seats apart but the fixed prices.

    Two resources: ten of each for both; `values` "fixed" or "random". Five: 5 to 25 units each, prices of
    `FIVE_PRICES` plus or minus 20%, drawn for each seat alone. Prices always leave gains from trade.
    """
    if resources == 5:
        return _draw_five(rng)
    prices = FIXED_PRICES if values == "fixed" else _two_prices(rng)
    units = dict.fromkeys(TWO, TWO_UNITS)
    return Endowment(units, prices[0]), Endowment(units, prices[1])


def _two_prices(rng: np.random.Generator) -> tuple[Goods, Goods]:
    """Each seat pays 11 to 20 for its favourite and 1 to 10 for the other; the favourites differ."""
    favourites = TWO if rng.random() < 0.5 else TWO[::-1]
    drawn = []
    for favourite in favourites:
        high, low = int(rng.integers(11, 21)), int(rng.integers(1, 11))
        drawn.append({resource: high if resource == favourite else low for resource in TWO})
    return drawn[0], drawn[1]


def _draw_five(rng: np.random.Generator) -> tuple[Endowment, Endowment]:
    while True:
        first, second = _one_of_five(rng), _one_of_five(rng)
        if _gains_exist(first.prices, second.prices):
            return first, second


def _one_of_five(rng: np.random.Generator) -> Endowment:
    low, high = FIVE_UNITS
    units = {resource: int(rng.integers(low, high + 1)) for resource in FIVE_PRICES}
    prices = {}
    for resource, base in FIVE_PRICES.items():
        spread = int(PRICE_SPREAD * base)
        prices[resource] = int(rng.integers(base - spread, base + spread + 1))
    return Endowment(units, prices)


def _gains_exist(first: Goods, second: Goods) -> bool:
    """Whether some pair of resources has different relative prices for the two seats."""
    return any(first[a] * second[b] != first[b] * second[a] for a in first for b in first)
