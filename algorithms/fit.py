"""Whether recipe and curriculum fit the games and the agents of a run: asked before anything is built or written."""

from __future__ import annotations

from turnwise.algorithms.explore import EXPLORERS
from turnwise.algorithms.games import arms_of
from turnwise.algorithms.launch.fit import require_launchable
from turnwise.algorithms.league import OPPONENT
from turnwise.algorithms.needs import Unfit, able, require_fit
from turnwise.algorithms.settings import RunSettings, require_player
from turnwise.envs.registry import make_game


def require_fitting_games(settings: RunSettings) -> None:
    """Raises ValueError, with what to do, unless the recipe fits every game, its group size and the agents of the run,
    and a curriculum has arms to choose from."""
    for game in settings.env.games:
        require_fit(settings.algorithm, make_game(game.id, **game.kwargs), game.id)
    _require_exploring(settings)
    require_launchable(settings)
    if settings.curriculum is not None:
        _require_arms(settings)


def _require_exploring(settings: RunSettings) -> None:
    """What the way of sampling asks of groups, replies and agents."""
    recipe = settings.algorithm
    entry, chosen = EXPLORERS[recipe.explore], recipe.explore_record()
    if entry.check is not None:
        entry.check(chosen, recipe.group_size, settings.agent.sampling.entropy_tokens)
    fixed = settings.agent.opponent not in ("self", "league")
    for name in () if entry.players is None else entry.players(chosen):
        for game in settings.env.games:
            if not (fixed and name == OPPONENT):
                require_player(name, make_game(game.id, **game.kwargs), "algorithm.explore_settings")


def _require_arms(settings: RunSettings) -> None:
    arms = arms_of(settings.env.games, every_level=True)
    if len(arms) < 2:
        levelled = ", ".join(able(lambda game: len(game.levels) > 1, settings.env.id))
        raise Unfit(
            f"a curriculum chooses between games or levels: got {arms[0].name} alone; name more in env.others or "
            f"env.levels, or choose an environment with levels: {levelled}"
        )
