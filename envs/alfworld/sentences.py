"""What the game says: every text is the stock engine's, to the byte."""

from __future__ import annotations

from collections.abc import Iterable

from turnwise.envs.alfworld.commands import Action
from turnwise.envs.alfworld.state import State
from turnwise.envs.alfworld.world import World

WELCOME = "-= Welcome to TextWorld, ALFRED! =-"
NOTHING_HAPPENS = "Nothing happens."
HELP = "\n".join(
    (
        "Available commands:",
        "  look:                             look around your current location",
        "  inventory:                        check your current inventory",
        "  go to (receptacle):               move to a receptacle",
        "  open (receptacle):                open a receptacle",
        "  close (receptacle):               close a receptacle",
        "  take (object) from (receptacle):  take an object from a receptacle",
        "  move (object) to (receptacle):  place an object in or on a receptacle",
        "  examine (something):              examine a receptacle or an object",
        "  use (object):                     use an object",
        "  heat (object) with (receptacle):  heat an object using a receptacle",
        "  clean (object) with (receptacle): clean an object using a receptacle",
        "  cool (object) with (receptacle):  cool an object using a receptacle",
        "  slice (object) with (object):     slice an object using a sharp object",
        "",
    )
)

# The first whose marks are all there is told.
_LOOKS = (
    (("isclean", "ishot", "issliced"), "hot and clean sliced"),
    (("isclean", "iscool", "issliced"), "cool and clean sliced"),
    (("isclean", "issliced"), "clean sliced"),
    (("ishot", "issliced"), "hot sliced"),
    (("iscool", "issliced"), "cool sliced"),
    (("isclean", "ishot"), "hot and clean"),
    (("isclean", "iscool"), "cool and clean"),
    (("ishot",), "hot"),
    (("isclean",), "clean"),
    (("iscool",), "cold"),
)


def introduction(world: World, state: State) -> str:
    """The text that a game opens with."""
    first = _facing(world, state) or _room(_listed(world, world.receptacles_in_reach))
    return f"{WELCOME}\n\n{first}\n\nYour task is to: {world.problem.sentence}"


def answer(world: World, state: State, action: Action) -> str:
    """What the game says after an action; `state` is the one that it led to."""
    verb, id, other = action
    thing, place = world.names.get(id, ""), world.names.get(other, "")
    match verb:
        case "look":
            return _facing(world, state) or _room("nothing")
        case "inventory":
            held = state.held
            return f"You are carrying: a {world.names[held]}." if held else "You are not carrying anything."
        case "go":
            return f"You arrive at {place}. {_inside(world, state, other)}"
        case "open":
            return f"You open the {place}. {_inside(world, state, other)}"
        case "close":
            return f"You close the {place}."
        case "take":
            return f"You pick up the {thing} from the {place}."
        case "move":
            return f"You move the {thing} to the {place}."
        case "examine":
            return _inside(world, state, other)
        case "study":
            return _about(world, state, id)
        case "use":
            return f"You turn on the {thing}."
        case "slice":
            return f"You sliced the {thing} with the {place}."
        case "help":
            return HELP
    return f"You {verb} the {thing} using the {place}."


def _room(listed: str) -> str:
    return f"You are in the middle of a room. Looking quickly around you, you see {listed}."


def _facing(world: World, state: State) -> str:
    """What one stands at, and what lies beside it; empty where one stands at nothing.

    Beside it lies, for the stock engine, what can be reached from here and was once taken out of a receptacle here.
    """
    here = world.at.get(state.spot, ())
    if not here:
        return ""
    near = sorted(state.near.get(state.spot, ()))
    beside = [thing for thing in near for receptacle in here if (thing, receptacle) in state.taken]
    places = _joined([world.names[receptacle] for receptacle in here])
    return f"You are facing the {places}. Next to it, you see {_listed(world, beside)}."


def _inside(world: World, state: State, id: str) -> str:
    """What is in or on a receptacle."""
    name = world.names[id]
    if not world.receptacles[id].openable:
        return f"On the {name}, you see {_listed(world, sorted(state.contents[id]))}."
    if id not in state.opened:
        return f"The {name} is closed."
    return f"The {name} is open. In it, you see {_listed(world, sorted(state.contents[id]))}."


def _about(world: World, state: State, id: str) -> str:
    """What a thing looks like."""
    name = world.names[id]
    if id in world.with_trait["isreceptacleobject"]:
        return f"This is a normal {name}. In it, you see {_listed(world, sorted(world.things[id].contents))}."
    for marks, look in _LOOKS:
        if all(id in state.marks[mark] for mark in marks):
            return f"This is a {look} {name}."
    if id in world.with_trait["toggleable"] and id in state.marks["istoggled"]:
        return f"This {name} is on."
    if id in world.with_trait["sliceable"] and id in state.marks["issliced"]:
        return f"This is a sliced {name}."
    return f"There's nothing special about {name}."


def _listed(world: World, ids: Iterable[str]) -> str:
    return _joined([f"a {world.names[id]}" for id in ids]) or "nothing"


def _joined(texts: list[str]) -> str:
    """`a`; `a, and b`; `a, b, and c`; empty for none."""
    if len(texts) < 2:
        return "".join(texts)
    return f"{', '.join(texts[:-1])}, and {texts[-1]}"
