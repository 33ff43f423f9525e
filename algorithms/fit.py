"""Whether recipe and curriculum fit the games of a run: asked before anything is built."""

from __future__ import annotations

from turnwise.algorithms.games import arms_of
from turnwise.algorithms.needs import Unfit, able, require_fit
from turnwise.algorithms.settings import RunSettings
from turnwise.envs.registry import make_game


def require_fitting_games(settings: RunSettings) -> None:
    """Raises Unfit, with what to do, unless the recipe fits every game and a curriculum has arms to choose from."""
    for game in settings.env.games:
        require_fit(settings.algorithm, make_game(game.id, **game.kwargs), game.id)
    if settings.curriculum is None:
        return
    arms = arms_of(settings.env.games, every_level=True)
    if len(arms) < 2:
        levelled = ", ".join(able(lambda game: len(game.levels) > 1, settings.env.id))
        raise Unfit(
            f"a curriculum chooses between games or levels: got {arms[0].name} alone; name more in env.others or "
            f"env.levels, or choose an environment with levels: {levelled}"
        )
