"""A view in words: for a reader who stands in it, and for one who sees the whole grid."""

from __future__ import annotations

from turnwise.envs.minigrid.view import FACINGS, Thing, View

ACTIONS = ("turn left", "turn right", "forward", "pick up", "drop", "toggle", "done")
"""In MiniGrid's order."""
_MOST_SHORT = 8  # things in a short text
LEGEND = "# wall, . free, / D L open, closed, locked door, k key, o ball, b box, G goal, ~ lava"


def rules(view: str, actions: int) -> str:
    """What is read first. actions: how many of `ACTIONS` the level takes."""
    how = {
        "turn left": "turn left and turn right turn you on the spot",
        "forward": "forward moves you one cell if nothing stands there",
        "pick up": "pick up takes the key, ball or box right in front of you, if your hands are empty",
        "drop": "drop puts it down right in front of you",
        "toggle": "toggle opens or closes a door right in front of you, unlocks it if you carry the key of its colour, "
        "or opens a box",
        "done": "done does nothing",
    }
    told = "; ".join(text for name, text in how.items() if name in ACTIONS[:actions])
    sight = (
        f"You see what is in front of you and beside you, not what is behind you or behind walls. "
        f"In the sketch you are ^ in the lowest row and look up: {LEGEND}, ? unseen."
        if view == "agent"
        else f"You see the whole grid. In the sketch north is up and you are the arrow: {LEGEND}."
    )
    names = ", ".join(f"[{name}]" for name in ACTIONS[:actions])
    return (
        f"You move in a world of square cells. {sight}\nYour actions: {told}. Stepping into lava ends the game. "
        f"The sooner you finish the task, the more it is worth.\nAnswer with one of {names}."
    )


def egocentric(view: View, carrying: str | None) -> str:
    """What the agent sees, nearest first, one line a thing, then the sketch."""
    lines = [holding(carrying), "You see:"]
    lines += [f"{article(name)} {_where(view, at)}" for name, at in nearest(view)]
    if len(lines) == 2:
        lines[1] = "You see nothing but free floor."
    return "\n".join([*lines, *view.sketch])


def from_above(view: View, facing: int, carrying: str | None) -> str:
    """The whole grid: where the agent is, everything with its place, then the sketch."""
    lines = [f"You are at column {view.column}, row {view.row}, and face {FACINGS[facing]}.", holding(carrying)]
    lines += [f"{article(thing.name)} at column {thing.column}, row {thing.row}" for thing in view.things]
    return "\n".join([*lines, *view.sketch])


def short_egocentric(mission: str, view: View, carrying: str | None) -> str:
    """Three short lines: the task, what is carried, what is seen with its distance."""
    seen = [f"{name} {_short_where(view, at)}" for name, at in nearest(view)[:_MOST_SHORT]]
    return "\n".join([*_short_head(mission, carrying), f"see {', '.join(seen) or 'nothing'}"])


def short_from_above(mission: str, view: View, facing: int, carrying: str | None) -> str:
    """Four short lines: the task, what is carried, where the agent is and what is ahead, where things are."""

    def concern(thing: Thing) -> tuple[bool, int]:
        """What the task names comes first, then what is near."""
        return " ".join(thing.name.split()[-2:]) not in mission, _distance(view, (thing.column, thing.row))

    things = sorted(view.things, key=concern)[:_MOST_SHORT]
    placed = [f"{thing.name} {thing.column},{thing.row}" for thing in things]
    column, row = (view.column + (1, 0, -1, 0)[facing], view.row + (0, 1, 0, -1)[facing])
    ahead = next((thing.name for thing in view.things if (thing.column, thing.row) == (column, row)), "free")
    ahead = "wall" if view.is_wall(column, row) else ahead
    here = f"at {view.column},{view.row} facing {FACINGS[facing]}, ahead {ahead}"
    return "\n".join([*_short_head(mission, carrying), here, f"see {', '.join(placed) or 'nothing'}"])


def nearest(view: View) -> list[tuple[str, tuple[int, int]]]:
    """(name, (column, row)) of what is seen and of the first walls ahead, left and right, nearest first."""
    found = [(thing.name, (thing.column, thing.row)) for thing in view.things]
    for across, up in ((0, -1), (-1, 0), (1, 0)):
        at = _first_wall(view, across, up)
        if at is not None:
            found.append(("wall", at))
    return sorted(found, key=lambda pair: (_distance(view, pair[1]), -pair[1][1], pair[1][0], pair[0]))


def holding(carrying: str | None) -> str:
    return f"You carry {article(carrying)}." if carrying else "You carry nothing."


def article(name: str) -> str:
    """The name with a or an; lava has none."""
    return name if name == "lava" else f"{'an' if name[0] in 'aeiou' else 'a'} {name}"


def _first_wall(view: View, across: int, up: int) -> tuple[int, int] | None:
    column, row = view.column + across, view.row + up
    while 0 <= column < len(view.sketch[0]) and 0 <= row < len(view.sketch) and view.sketch[row][column] != "?":
        if view.is_wall(column, row):
            return column, row
        column, row = column + across, row + up
    return None


def _distance(view: View, at: tuple[int, int]) -> int:
    return abs(at[0] - view.column) + abs(at[1] - view.row)


def _steps(view: View, at: tuple[int, int]) -> list[tuple[int, str]]:
    """(cells, direction), the directions that count only."""
    ahead, right = view.row - at[1], at[0] - view.column
    ways = [(ahead, "forward"), (-ahead, "back"), (-right, "left"), (right, "right")]
    return [(cells, way) for cells, way in ways if cells > 0]


def _where(view: View, at: tuple[int, int]) -> str:
    told = [f"{cells} {'step' if cells == 1 else 'steps'} {way}" for cells, way in _steps(view, at)]
    return " and ".join(told) or "where you stand"


def _short_where(view: View, at: tuple[int, int]) -> str:
    return " ".join(f"{cells} {way}" for cells, way in _steps(view, at)) or "here"


def _short_head(mission: str, carrying: str | None) -> list[str]:
    task = [f"task {mission}"] if mission else []
    return [*task, f"carry {carrying or 'nothing'}"]
