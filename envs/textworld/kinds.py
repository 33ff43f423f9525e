"""The five kinds of TextWorld games as functions that return a `TextWorldGame`.

What they share, `play`, are the arguments of `TextWorldGame`: games, first_game, reward, admissible, max_steps, prompt.
Source: Côté et al. 2018, arXiv:1806.11532; the challenges are TextWorld's own (`tw-make`).
"""

from __future__ import annotations

from typing import Any

from turnwise.envs.textworld import recipes
from turnwise.envs.textworld.game import TextWorldGame
from turnwise.envs.textworld.recipes import Recipe, check_number, check_one_of, make_recipe
from turnwise.envs.textworld.sources import GeneratedGames, GivenGame


def coin_collector(
    *, level: str = "easy", difficulty: int | None = None, goal: str | None = None, **play: Any
) -> TextWorldGame:
    """Walk through rooms until you find the coin.

    difficulty: TextWorld's number, 1 to 300: 1 to 100 is the length of the way, 101 to 200 adds one dead end per room,
    201 to 300 two; at most 100 rooms. goal "detailed": the objective tells the way; "brief": only the end.
    Raises ValueError on a bad setting.
    """
    recipe = make_recipe("coin_collector", level, recipes.COIN_COLLECTOR, difficulty=difficulty, goal=goal)
    check_number("difficulty", recipe["difficulty"], 1, 300)
    check_one_of("goal", recipe["goal"], recipes.GOALS)
    rooms = ((recipe["difficulty"] - 1) // 100 + 1) * ((recipe["difficulty"] - 1) % 100 + 1)
    if rooms > recipes.MOST_ROOMS:
        raise ValueError(
            f"difficulty {difficulty} means {rooms} rooms, and a game holds {recipes.MOST_ROOMS}: lower it"
        )
    return _generated(recipe, play)


def treasure_hunter(
    *, level: str = "easy", difficulty: int | None = None, goal: str | None = None, **play: Any
) -> TextWorldGame:
    """Find the thing that the objective names, in a maze; later behind doors, in containers, under lock and key.

    difficulty: TextWorld's number, 1 to 30. goal: as in `coin_collector`. Taking the wrong thing loses the game.
    Raises ValueError on a bad setting.
    """
    recipe = make_recipe("treasure_hunter", level, recipes.TREASURE_HUNTER, difficulty=difficulty, goal=goal)
    check_number("difficulty", recipe["difficulty"], 1, 30)
    check_one_of("goal", recipe["goal"], recipes.GOALS)
    return _generated(recipe, play)


def cooking(
    *,
    level: str = "easy",
    recipe: int | None = None,
    take: int | None = None,
    go: int | None = None,
    open: bool | None = None,
    cook: bool | None = None,
    cut: bool | None = None,
    drop: bool = False,
    split: str | None = None,
    **play: Any,
) -> TextWorldGame:
    """Read the cookbook, gather the ingredients, prepare them as it says, eat the meal. A wrong preparation loses.

    recipe: ingredients (1 to 5). take: how many of them must be found. go: rooms (1, 6, 9 or 12). open, cook, cut:
    whether things must be opened, cooked, cut. drop: hands hold few things. split: foods of "train", "valid" or "test".
    Raises ValueError on a bad setting.
    """
    chosen = make_recipe(
        "cooking", level, recipes.COOKING, recipe=recipe, take=take, go=go, open=open, cook=cook, cut=cut, drop=drop
    )
    check_number("recipe", chosen["recipe"], 1, 5)
    check_number("take", chosen["take"], 0, chosen["recipe"])
    check_one_of("go", chosen["go"], (1, 6, 9, 12))
    for name in ("open", "cook", "cut", "drop"):
        check_one_of(name, chosen[name], (True, False))
    check_one_of("split", split, (None, "train", "valid", "test"))
    whole = tuple(sorted((*chosen.settings, ("split", split))))
    return _generated(Recipe(kind="cooking", level=level, settings=whole), play)


def simple(
    *,
    level: str = "easy",
    goal: str | None = None,
    scoring: str = "dense",
    split: str = "train",
    **play: Any,
) -> TextWorldGame:
    """Get out of the bedroom, find the food in the house, put it on the stove. Eating it loses.

    goal: "detailed" tells every step, "brief" the food, "none" leaves it to a note in the kitchen. scoring: which steps
    score a point, "dense", "balanced" or "sparse". split: games of "train" or "test". Raises ValueError.
    """
    recipe = make_recipe("simple", level, recipes.SIMPLE, goal=goal, scoring=scoring, split=split)
    check_one_of("goal", recipe["goal"], (*recipes.GOALS, "none"))
    check_one_of("scoring", scoring, ("dense", "balanced", "sparse"))
    check_one_of("split", split, ("train", "test"))
    return _generated(recipe, play)


def custom(
    *,
    level: str | None = None,
    rooms: int | None = None,
    objects: int | None = None,
    quest_length: int | None = None,
    parallel_quests: int = 1,
    goal: str | None = None,
    game_file: str | None = None,
    **play: Any,
) -> TextWorldGame:
    """A house with a quest of so many steps, as `tw-make custom` makes it; or the game in `game_file`, a .z8 file.

    level easy, medium, hard: 2, 4, 8 rooms; 3, 6, 12 objects; a quest of 4, 8, 12 steps. parallel_quests:
    quests that share no goal. goal: as in `coin_collector`. The same game as that of
    `tw-make custom --quest-breadth 1` with the seed that is its number. Raises ValueError on a bad setting.
    """
    settings = {"rooms": rooms, "objects": objects, "quest_length": quest_length, "goal": goal}
    if game_file is not None:
        given = [name for name, value in (("level", level), *settings.items()) if value is not None]
        if given or parallel_quests != 1:
            raise ValueError(f"game_file is a game already made: leave out {', '.join(given) or 'parallel_quests'}")
        return TextWorldGame(GivenGame(game_file), **play)
    recipe = make_recipe("custom", level or "easy", recipes.CUSTOM, **settings, parallel_quests=parallel_quests)
    check_number("rooms", recipe["rooms"], 1, recipes.MOST_ROOMS)
    check_number("objects", recipe["objects"], 1, 200)
    check_number("quest_length", recipe["quest_length"], 1, 30)
    check_number("parallel_quests", parallel_quests, 1, 10)
    check_one_of("goal", recipe["goal"], recipes.GOALS)
    return _generated(recipe, play)


def _generated(recipe: Recipe, play: dict[str, Any]) -> TextWorldGame:
    """`games` and `first_game` say which games there are; the rest is how they are played."""
    pool = {name: play.pop(name) for name in ("games", "first_game") if name in play}
    return TextWorldGame(GeneratedGames(recipe, **pool), **play)
