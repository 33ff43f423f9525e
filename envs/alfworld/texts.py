"""The texts around the engine's own: how to answer, the commands there are, and the short forms for tiny models."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from turnwise.envs.alfworld.engine import Engine
from turnwise.envs.alfworld.sentences import HELP

RULES = (
    "You are in a house and have a chore to do, by one command a turn. You can carry one thing at a time. Closed "
    "furniture has to be opened before you see or take what is in it. Clean a thing with a sinkbasin, heat it with a "
    "microwave, cool it with a fridge: carry it there first.\n"
    "Answer with one command in square brackets, for example [go to shelf 1] or [take mug 1 from desk 2]. "
    "You have {max_steps} commands in all."
)
DONE = "The chore is done."


def rules(max_steps: int) -> str:
    """How to play, once, before the opening text."""
    return RULES.format(max_steps=max_steps)


def stopped(max_steps: int) -> str:
    """What is said where the limit ends the game."""
    return f"The limit of {max_steps} commands is reached."


def command_line(commands: Iterable[str]) -> str:
    """Every admissible command, whole."""
    return f"Admissible commands: {', '.join(commands)}"


def grouped(commands: Sequence[str]) -> str:
    """Every admissible command, with the places that one can go to drawn together: `go to cabinet 1 3, desk 1`."""
    places: dict[str, list[str]] = {}
    for command in commands:
        if command.startswith("go to "):
            kind, _, number = command.removeprefix("go to ").rpartition(" ")
            places.setdefault(kind, []).append(number)
    going = ", ".join(f"{kind} {' '.join(numbers)}" for kind, numbers in places.items())
    others = [command for command in commands if not command.startswith("go to ")]
    return "; ".join([*others, *([f"go to {going}"] if going else [])])


def compact(engine: Engine, commands: Sequence[str]) -> str:
    """Everything needed for the next command, in few words; `commands` is empty where they are not to be told.

    Where they are told, the long answer to `help` is left out.
    """
    problem, held = engine.world.problem, engine.state.held
    lines = [
        f"task: {problem.sentence}",
        "" if commands and engine.feedback == HELP else _shortened(engine),
        f"carry: {engine.world.names[held] if held else 'nothing'}",
    ]
    if commands:
        lines.append(f"can: {grouped(commands)}")
    return "\n".join([*filter(None, lines), "answer like [look]"])


def _shortened(engine: Engine) -> str:
    """The latest text; of the opening, which names all the furniture, only where one stands."""
    if engine.feedback.startswith("-= "):
        return "You are in the middle of a room." if engine.state.spot not in engine.world.at else "You look around."
    return engine.feedback.strip()


def board(engine: Engine, known: Iterable[str]) -> str:
    """The game as far as the player has seen it. known: receptacles that were looked into."""
    world, state = engine.world, engine.state
    here = [world.names[id] for id in world.at.get(state.spot, ())]
    seen = set(known)
    lines = [
        f"Your task is to: {world.problem.sentence}",
        f"You are at: {', '.join(here) or 'the middle of the room'}",
        f"You carry: {world.names[state.held] if state.held else 'nothing'}",
        "Seen so far:",
        *(f"- {_place(engine, id)}" for id in world.receptacles_in_reach if id in seen),
        f"Not looked into: {', '.join(world.names[id] for id in world.receptacles_in_reach if id not in seen) or '-'}",
    ]
    return "\n".join(lines)


def _place(engine: Engine, id: str) -> str:
    """A receptacle and what is in or on it."""
    world, state = engine.world, engine.state
    things = [world.names[thing] for thing in sorted(state.contents[id])]
    door = "" if not world.receptacles[id].openable else " (open)" if id in state.opened else " (closed)"
    return f"{world.names[id]}{door}: {', '.join(things) or 'nothing'}"
