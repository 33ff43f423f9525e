"""What can be played away from the learner, and ahead of it: asked before anything is started."""

from __future__ import annotations

from turnwise.algorithms.needs import Unfit
from turnwise.algorithms.settings import RunSettings


def require_launchable(settings: RunSettings) -> None:
    """Raises Unfit, with what to do, where engines of their own cannot play what the recipe and its agents ask for."""
    launcher, recipe = settings.launcher, settings.algorithm
    if launcher.name != "ray" or not launcher.engines:
        return
    here = "set launcher.engines=0, so that every learner plays its share"
    if recipe.explore == "windows":
        raise Unfit(f"explore=windows keeps unfinished episodes from step to step, in the process that learns: {here}")
    if recipe.explore == "spo_chain" and not recipe.explore_record().every_turn:
        raise Unfit(
            f"explore=spo_chain asks the learner for probabilities while it samples: {here}, or set "
            "algorithm.explore_settings.every_turn=true"
        )
    if settings.agent.opponent == "league" and launcher.mode != "sync":
        raise Unfit(
            f"agent.opponent=league chooses for each step whom it is played against, and launcher.mode={launcher.mode} "
            "plays ahead of that: set launcher.mode=sync"
        )
    if launcher.mode != "sync" and not recipe.weighs_other_weights:
        raise Unfit(
            f"launcher.mode={launcher.mode} trains on episodes of older weights, and with old_logprobs=trainer their "
            "ratio starts at 1 as if they were not; set launcher.mode=sync, or "
            "algorithm.optimisation.old_logprobs=sampler, or add a weight, such as "
            "algorithm.objective.corrections={tis: {cap: 2}}"
        )
