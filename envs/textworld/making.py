"""From a recipe and a seed to a compiled game. The same seed gives the game that `tw-make --seed` makes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from turnwise.envs.core import EnvFailure
from turnwise.envs.textworld.engine import Engine
from turnwise.envs.textworld.recipes import Recipe
from turnwise.envs.textworld.undisturbed import undisturbed

ATTEMPTS = 10
_LONGEST_PLAN = 500  # commands
_NEXT_ATTEMPT = 1_000_003  # added to a seed that makes no game


def make_game_file(recipe: Recipe, seed: int, target: Path) -> None:
    """Write the game to `target` (.z8) and what TextWorld knows of it beside it (.json).

    Every game can be won: its walkthrough has been played. A seed under which TextWorld finds no such game is replaced,
    always by the same one. Raises ValueError where ten seeds make no game: the settings ask for too much; EnvFailure
    if the compiler that comes with TextWorld does not run.
    """
    with undisturbed():
        from textworld.generator import CouldNotCompileGameError, QuestGenerationError

        for attempt in range(ATTEMPTS):
            try:
                _make(recipe, seed + attempt * _NEXT_ATTEMPT, target)
            except (QuestGenerationError, AssertionError):  # how its generators say that they found nothing
                continue
            except (CouldNotCompileGameError, OSError) as error:
                raise EnvFailure(f"TextWorld could not compile {recipe}: {str(error)[:500]}") from error
            if _mend_walkthrough(target):
                return
    raise ValueError(f"TextWorld finds no game for {recipe}: ask for a shorter quest, or more rooms and objects")


def _make(recipe: Recipe, seed: int, target: Path) -> None:
    import textworld
    from textworld.generator import compile_game

    before = textworld.g_rng.seed
    textworld.g_rng.set_seed(seed)
    try:
        game, options = _generate(recipe, seed)
        options.path, options.force_recompile = str(target), True
        compile_game(game, options)
    finally:
        textworld.g_rng.set_seed(before)
    target.with_suffix(".ni").unlink(missing_ok=True)


def _mend_walkthrough(target: Path) -> bool:
    """Keep what the world allows of the walkthrough, and write it down; False where the game cannot be won.

    TextWorld's own walkthroughs open doors that are open. Where one does not win, TextWorld's plan takes its place.
    """
    commands = _allowed(target) or _planned(target)
    if commands:
        facts = target.with_suffix(".json")
        told = json.loads(facts.read_text())
        told["metadata"]["walkthrough"] = commands
        facts.write_text(json.dumps(told))
    return bool(commands)


def _allowed(target: Path) -> list[str]:
    """The commands of the walkthrough that are admissible when their turn comes, if they win; else none."""
    engine = Engine(target, frozenset({"admissible_commands"}))
    kept: list[str] = []
    for command in engine.walkthrough:
        if command in engine.scene.commands and not engine.scene.over:
            engine.step(command)
            kept.append(command)
    engine.close()
    return kept if engine.scene.won else []


def _planned(target: Path) -> list[str]:
    """TextWorld's plan, asked for anew at every turn, if it wins; else none."""
    engine = Engine(target, frozenset({"policy_commands"}))
    kept: list[str] = []
    while engine.scene.policy and not engine.scene.over and len(kept) < _LONGEST_PLAN:
        kept.append(engine.scene.policy[0])
        engine.step(kept[-1])
    engine.close()
    return kept if engine.scene.won else []


def _generate(recipe: Recipe, seed: int) -> tuple[Any, Any]:
    """(game, options) of TextWorld."""
    import textworld
    from textworld.challenges import CHALLENGES
    from textworld.generator import make_game

    options = textworld.GameOptions()
    options.seeds = seed
    settings = dict(recipe.settings)
    options.grammar.only_last_action = recipe.kind != "simple" and settings.get("goal") == "brief"
    if recipe.kind == "custom":
        options.nb_rooms, options.nb_objects = settings["rooms"], settings["objects"]
        options.nb_parallel_quests = settings["parallel_quests"]
        options.quest_length, options.quest_breadth = settings["quest_length"], 1  # wider ones take for ever
        return make_game(options), options
    _, make, _ = CHALLENGES[f"tw-{recipe.kind}"]
    return make(_challenge_settings(recipe.kind, settings), options), options


def _challenge_settings(kind: str, settings: dict[str, Any]) -> dict[str, Any]:
    """Our settings under the names that TextWorld's challenges use."""
    if kind == "cooking":
        return settings | {"recipe_seed": 0}
    if kind == "simple":
        return {"rewards": settings["scoring"], "goal": settings["goal"], "test": settings["split"] == "test"}
    return {"level": settings["difficulty"]}
