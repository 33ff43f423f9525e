"""The kitchens: drawings, and what stands where.

`#` counter, `O` onions, `P` pot, `D` plates, `S` hatch, blank floor; digits are where cooks start.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

Cell = tuple[int, int]
"""(row, column), both from 0 at the top left."""

DIRECTIONS = {"north": (-1, 0), "south": (1, 0), "east": (0, 1), "west": (0, -1)}
COUNTER, ONIONS, POT, PLATES, HATCH, FLOOR = "#OPDS "

DRAWINGS = {
    # one small room, in which cooks are always in each other's way
    "cramped": """
#O#PP#
#1  2S
#3  4#
##D#O#
""",
    # a way round a block of counters: there are always two ways to go
    "ring": """
##P##P##
#1    2#
O  ##  S
O  ##  S
#4    3#
###DD###
""",
    # two rooms that share two pots; on the left the hatch is near and the onions are far, on the right the reverse
    "split": """
#O####D####
#   3#2   #
#    P    O
S 1  P  4 #
#D#######S#
""",
    # onions and plates on the left, pots and the hatch on the right: everything goes over the counters between
    "pass": """
#######
O1 # 2P
O  #  #
D3 # 4P
####S##
""",
    # two long corridors around two blocks, two of everything
    "hall": """
##O##P##P##O##
#1          2#
# ###    ### #
#3          4#
##D##S##S##D##
""",
}


@dataclass(frozen=True, slots=True)
class Layout:
    """One kitchen."""

    name: str
    rows: tuple[str, ...]
    """The drawing without the cooks."""
    starts: tuple[Cell, ...]
    pots: tuple[Cell, ...]

    def at(self, cell: Cell) -> str:
        """What stands in a cell."""
        return self.rows[cell[0]][cell[1]]


@cache
def layout_of(name: str) -> Layout:
    """The kitchen of that name. Raises KeyError."""
    drawn = DRAWINGS[name].strip("\n").split("\n")
    signs = {(r, c): sign for r, row in enumerate(drawn) for c, sign in enumerate(row)}
    starts = sorted((sign, cell) for cell, sign in signs.items() if sign.isdigit())
    rows = tuple("".join(FLOOR if sign.isdigit() else sign for sign in row) for row in drawn)
    pots = tuple(cell for cell, sign in signs.items() if sign == POT)
    return Layout(name, rows, tuple(cell for _, cell in starts), pots)
