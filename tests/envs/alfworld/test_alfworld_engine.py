"""The engine on a room small enough to know by heart."""

from __future__ import annotations

import json
import pickle
from dataclasses import FrozenInstanceError, replace
from typing import Any

import pytest

from turnwise.envs.alfworld.anchors import anchor
from turnwise.envs.alfworld.engine import Engine
from turnwise.envs.alfworld.goals import CLEAN, COOL, HEAT, LIGHT, SIMPLE, TASKS, TWO, Aim, read_aim, write_goal
from turnwise.envs.alfworld.plan import plan
from turnwise.envs.alfworld.problem import Problem, ProblemError, Receptacle, Thing
from turnwise.envs.alfworld.world import World, number

TABLE, FRIDGE, SINK = "countertop_bar_1", "fridge_bar_1", "sink_bar_1_bar_sinkbasin"
DESK, HIGH, LOW = "desk_bar_1", "drawer_bar_2", "drawer_bar_1"


def room(aim: Aim, **changes: Any) -> Problem:
    """Six receptacles (both drawers at one spot), two mugs, a lamp, an egg and a knife."""
    problem = Problem(
        name="room",
        sentence="do the chore.",
        start="loc_bar_0",
        receptacles=(
            Receptacle(id=TABLE, kind="countertop", spot="loc_bar_1"),
            Receptacle(id=FRIDGE, kind="fridge", spot="loc_bar_2", openable=True),
            Receptacle(id=SINK, kind="sinkbasin", spot="loc_bar_3"),
            Receptacle(id=DESK, kind="desk", spot="loc_bar_4"),
            Receptacle(id=HIGH, kind="drawer", spot="loc_bar_5", openable=True),
            Receptacle(id=LOW, kind="drawer", spot="loc_bar_5", openable=True),
        ),
        things=(
            mug("mug_bar_1", TABLE, "loc_bar_1"),
            mug("mug_bar_2", HIGH, "loc_bar_5"),
            Thing(id="desklamp_bar_1", kind="desklamp", inside=(DESK,), spots=("loc_bar_4",), traits=("toggleable",)),
            Thing(
                id="egg_bar_1",
                kind="egg",
                inside=(TABLE,),
                spots=("loc_bar_1",),
                traits=("pickupable", "sliceable", "coolable"),
            ),
            Thing(id="knife_bar_1", kind="knife", inside=(TABLE,), spots=("loc_bar_1",)),
        ),
        can_contain=tuple((place, "mug") for place in ("countertop", "desk", "drawer", "fridge")),
        goal=write_goal(aim),
    )
    return replace(problem, **changes)


def mug(id: str, place: str, spot: str) -> Thing:
    return Thing(id=id, kind="mug", inside=(place,), spots=(spot,), traits=("pickupable", "cleanable", "coolable"))


def engine(aim: Aim = Aim(SIMPLE, "mug", "desk"), **changes: Any) -> Engine:  # noqa: B008  # it is frozen
    return Engine(World(room(aim, **changes)))


def told(game: Engine, *commands: str) -> str:
    """The answer to the last of these commands, all of which are admissible."""
    for command in commands:
        assert command in game.actions, (command, game.commands)
        game.step(command)
    return game.feedback


def test_the_opening_lists_the_room_once() -> None:
    game = engine()
    seen = "a countertop 1, a desk 1, a drawer 2, a drawer 1, a fridge 1, and a sinkbasin 1"
    opening = "You are in the middle of a room. Looking quickly around you, you see"
    assert game.reset() == (
        f"-= Welcome to TextWorld, ALFRED! =-\n\n{opening} {seen}.\n\nYour task is to: do the chore."
    )
    assert told(game, "look") == f"{opening} nothing."
    assert told(game, "inventory") == "You are not carrying anything."


def test_numbers_fall_as_ids_rise_and_basins_say_so() -> None:
    assert number(["mug_bar_1", "mug", "mug_bar_2", SINK]) == {
        "mug_bar_1": "mug 2",
        "mug_bar_2": "mug 1",
        SINK: "sinkbasin 1",
        "mug": "mug ",
    }


def test_commands_at_the_start_and_at_a_table() -> None:
    game = engine()
    going = [f"go to {name}" for name in ("countertop 1", "desk 1", "drawer 1", "drawer 2", "fridge 1", "sinkbasin 1")]
    assert game.commands == [*going, "help", "inventory", "look"]
    game.step("go to countertop 1")
    assert game.commands == [
        "examine countertop 1",
        *going[1:],
        *("help", "inventory", "look"),
        *(f"take {name} from countertop 1" for name in ("egg 1", "knife 1", "mug 2")),
    ]


def test_a_simple_chore_from_start_to_end() -> None:
    game = engine()
    assert told(game, "go to countertop 1") == (
        "You arrive at countertop 1. On the countertop 1, you see a egg 1, a knife 1, and a mug 2."
    )
    assert told(game, "take mug 2 from countertop 1") == "You pick up the mug 2 from the countertop 1."
    assert told(game, "inventory") == "You are carrying: a mug 2."
    assert told(game, "examine countertop 1") == "On the countertop 1, you see a egg 1, and a knife 1."
    assert told(game, "go to desk 1") == "You arrive at desk 1. On the desk 1, you see a desklamp 1."
    assert not game.won
    assert told(game, "move mug 2 to desk 1") == "You move the mug 2 to the desk 1."
    assert game.won
    assert told(game, "look") == "You are facing the desk 1. Next to it, you see nothing."


def test_doors_hide_what_is_behind_them() -> None:
    game = engine()
    assert told(game, "go to drawer 1") == "You arrive at drawer 1. The drawer 1 is closed."
    assert "take mug 1 from drawer 1" not in game.actions
    assert told(game, "open drawer 1") == "You open the drawer 1. The drawer 1 is open. In it, you see a mug 1."
    assert told(game, "examine drawer 2") == "The drawer 2 is closed."
    assert told(game, "close drawer 1") == "You close the drawer 1."
    assert "take mug 1 from drawer 1" not in game.actions


def test_two_drawers_share_a_spot_and_look_tells_what_moved_between_them() -> None:
    game = engine()
    told(game, "go to drawer 1", "open drawer 1", "open drawer 2")
    assert "go to drawer 2" not in game.actions
    assert told(game, "look") == "You are facing the drawer 2, and drawer 1. Next to it, you see nothing."
    told(game, "take mug 1 from drawer 1", "move mug 1 to drawer 2")
    assert told(game, "look") == "You are facing the drawer 2, and drawer 1. Next to it, you see a mug 1."


def test_cleaning_needs_the_sink_and_cooling_undoes_heat() -> None:
    game = engine(Aim(CLEAN, "mug", "desk"))
    told(game, "go to countertop 1", "take mug 2 from countertop 1", "go to fridge 1")
    assert "cool mug 2 with fridge 1" in game.actions and "clean mug 2 with fridge 1" not in game.actions
    game.state.marks["ishot"].add("mug_bar_1")
    assert told(game, "examine mug 2") == "This is a hot mug 2."
    assert told(game, "cool mug 2 with fridge 1") == "You cool the mug 2 using the fridge 1."
    assert told(game, "examine mug 2") == "This is a cold mug 2."
    assert (
        told(game, "go to sinkbasin 1", "clean mug 2 with sinkbasin 1") == "You clean the mug 2 using the sinkbasin 1."
    )
    assert told(game, "examine mug 2") == "This is a cool and clean mug 2."
    told(game, "go to desk 1", "move mug 2 to desk 1")
    assert game.won


def test_the_lamp_task_wants_thing_and_light_at_once() -> None:
    game = engine(Aim(LIGHT, "mug", lamp="desklamp"))
    assert told(game, "go to desk 1", "use desklamp 1") == "You turn on the desklamp 1."
    assert "take desklamp 1 from desk 1" not in game.actions and not game.won
    told(game, "go to countertop 1", "take mug 2 from countertop 1")
    assert not game.won
    told(game, "go to desk 1")
    assert game.won


def test_two_things_have_to_be_in_one_place() -> None:
    game = engine(Aim(TWO, "mug", "drawer"))
    told(game, "go to drawer 1", "open drawer 1", "open drawer 2")
    told(game, "go to countertop 1", "take mug 2 from countertop 1", "go to drawer 2", "move mug 2 to drawer 2")
    assert not game.won
    told(game, "take mug 1 from drawer 1", "move mug 1 to drawer 2")
    assert game.won


def test_a_knife_slices_what_lies_near() -> None:
    game = engine()
    told(game, "go to countertop 1", "take knife 1 from countertop 1")
    assert told(game, "slice egg 1 with knife 1") == "You sliced the egg 1 with the knife 1."
    assert told(game, "examine knife 1") == "There's nothing special about knife 1."
    assert "move knife 1 to countertop 1" not in game.actions


NONSENSE = ("", "dance", "GO TO DESK 1", "go to desk 2", "look\ninventory", "\x00", "x" * 100_000)


@pytest.mark.parametrize("command", NONSENSE, ids=range(len(NONSENSE)))
def test_nothing_happens(command: str) -> None:
    game = engine()
    before, commands = anchor(game), game.commands
    assert game.step(command) == "Nothing happens."
    assert (anchor(game), game.commands) == (before, commands)


def test_a_blank_at_either_end_is_forgiven_as_in_the_stock_engine() -> None:
    assert engine().step(" look\n").startswith("You are in the middle")


def test_anchors_forget_the_way_and_tell_states_apart() -> None:
    game, other = engine(), engine()
    start = anchor(game)
    assert start == "room|loc_bar_0|"
    told(game, "go to countertop 1", "take mug 2 from countertop 1")
    carrying = anchor(game)
    assert carrying == "room|loc_bar_1|mug 2|in countertop 1: egg 1, knife 1"
    told(other, "go to desk 1", "look", "inventory", "go to countertop 1", "take mug 2 from countertop 1")
    assert anchor(other) == carrying
    told(game, "move mug 2 to countertop 1")
    told(other, "go to desk 1")
    assert anchor(game) == "room|loc_bar_1|" != anchor(other)


def test_a_copy_plays_on_alone_and_pickle_too() -> None:
    game = engine()
    told(game, "go to countertop 1")
    twin, thawed = game.copy(), pickle.loads(pickle.dumps(game))
    told(game, "take mug 2 from countertop 1")
    for other in (twin, thawed):
        assert "take mug 2 from countertop 1" in other.actions and other.feedback.startswith("You arrive")
        assert told(other, "take egg 1 from countertop 1") == "You pick up the egg 1 from the countertop 1."
    assert told(game, "inventory") == "You are carrying: a mug 2."


@pytest.mark.parametrize("task", TASKS)
def test_goals_read_back_as_their_aims(task: str) -> None:
    aim = Aim(task, "mug", "", "desklamp") if task == LIGHT else Aim(task, "mug", "desk")
    assert read_aim(write_goal(aim)) == aim


@pytest.mark.parametrize(
    "goal",
    [
        ("or", ("isclean", "mug_bar_1"), ("ishot", "mug_bar_1")),
        ("forall", (("?r", "receptacle"),), ("not", ("opened", "?r"))),
        ("exists", (("?o", "object"),), ("and", ("objecttype", "?o", "eggtype"), ("issliced", "?o"))),
    ],
)
def test_other_goals_have_no_aim_and_no_plan_but_can_be_won(goal: tuple[Any, ...]) -> None:
    game = engine(goal=goal)
    assert read_aim(goal) is None and plan(game.world, game.state) is None
    if goal[0] == "forall":
        assert game.won
        told(game, "go to drawer 1", "open drawer 1")
        assert not game.won
        told(game, "close drawer 1")
    elif goal[0] == "exists":
        told(game, "go to countertop 1", "take knife 1 from countertop 1", "slice egg 1 with knife 1")
    else:
        told(
            game,
            "go to countertop 1",
            "take mug 2 from countertop 1",
            "go to sinkbasin 1",
            "clean mug 2 with sinkbasin 1",
        )
    assert game.won


@pytest.mark.parametrize(
    ("goal", "said"),
    [
        (("whenever", "?o"), "a goal may use and"),
        (("isclean", "?o", "?p"), "isclean is said of 1: got 2"),
        (("exists", (("?x", "ghost"),), ("isclean", "?x")), "a variable of a goal is one of object"),
    ],
)
def test_a_goal_that_is_none_is_refused(goal: tuple[Any, ...], said: str) -> None:
    with pytest.raises(ProblemError, match=said):
        engine(goal=goal)


def test_a_thing_in_a_place_that_is_not_there_is_refused() -> None:
    with pytest.raises(ProblemError, match="mug_bar_9 is inside cellar, which is none"):
        engine(things=(mug("mug_bar_9", "cellar", "loc_bar_1"),))


def test_problems_survive_json_and_do_not_change() -> None:
    problem = room(Aim(TWO, "mug", "drawer"), held="egg_bar_1")
    assert Problem.from_json(json.loads(json.dumps(problem.to_json()))) == problem
    with pytest.raises(FrozenInstanceError):
        problem.name = "other"  # type: ignore[misc]
    with pytest.raises(ProblemError, match="as to_json writes them"):
        Problem.from_json({"name": "x"})


def test_plans_by_hand() -> None:
    assert plan(World(room(Aim(COOL, "mug", "desk"))), engine().state) == (
        "go to countertop 1",
        "take mug 2 from countertop 1",
        "go to fridge 1",
        "cool mug 2 with fridge 1",
        "go to desk 1",
        "move mug 2 to desk 1",
    )
    light = World(room(Aim(LIGHT, "egg", lamp="desklamp")))
    game = Engine(light)
    told(game, "go to drawer 1", "open drawer 1", "take mug 1 from drawer 1")
    assert plan(light, game.state) == (  # the mug goes back where it was: the nearest place
        "move mug 1 to drawer 1",
        "go to countertop 1",
        "take egg 1 from countertop 1",
        "go to desk 1",
        "use desklamp 1",
    )
    nothing_heats = World(room(Aim(HEAT, "mug", "desk")))
    assert plan(nothing_heats, nothing_heats.start) is None


def test_a_plan_brings_what_is_in_the_hand_first() -> None:
    game = engine(Aim(TWO, "mug", "desk"))
    told(game, "go to drawer 1", "open drawer 1", "take mug 1 from drawer 1")
    commands = plan(game.world, game.state)
    assert commands is not None and commands[:2] == ("go to desk 1", "move mug 1 to desk 1")
    told(game, *commands)
    assert game.won and plan(game.world, game.state) == ()


def test_a_hand_that_cannot_be_emptied_has_no_plan() -> None:
    game = engine()
    told(game, "go to countertop 1", "take knife 1 from countertop 1")
    assert plan(game.world, game.state) is None
