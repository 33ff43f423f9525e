"""Agents that follow a rule: random, first legal, optimal or expert where that is known, OpenSpiel's tree search."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from turnwise.envs.core import TextGame, Unsupported
from turnwise.envs.opponents import POLICIES
from turnwise.envs.parsing import write_action
from turnwise.near import near
from turnwise.records import Reply, Request

Choice = Callable[[TextGame, np.random.Generator], str]


class ScriptedAgent:
    """Replies with the action that `choose(game, rng)` picks; `talk` puts the game's lead-in (say, its card) first."""

    def __init__(self, name: str, choose: Choice, *, talk: bool = False) -> None:
        self.name, self.choose, self.talk = name, choose, talk

    def act(self, requests: Sequence[Request]) -> list[Reply]:
        """One reply per request; all chance comes from the request's seed."""
        return [self._reply(request.game, request.seed) for request in requests]

    def _reply(self, game: TextGame, seed: int) -> Reply:
        action = self.choose(game, np.random.default_rng(seed))
        text = write_action(action, game.legal())
        return Reply(text=game.lead_in() + text if self.talk else text)


def optimal_action(game: TextGame, rng: np.random.Generator) -> str:
    """An action of a known optimal policy. Raises Unsupported where none is known."""
    from turnwise.envs.openspiel.optimal import optimal_action as choose

    return choose(game, rng)


def expert_action(game: TextGame, rng: np.random.Generator) -> str:
    """The next action of the solution that a game of one seat tells. Raises Unsupported where it tells none."""
    plan = game.solution()
    if not plan:
        raise Unsupported(f"{type(game).__name__} tells a solution, but none from this state on")
    return plan[0]


def mcts(simulations: int = 100) -> Choice:
    """OpenSpiel's Monte-Carlo tree search with random rollouts, for perfect-information games of its own.

    Raises ValueError on fewer than 1 simulation; the choice raises Unsupported on any other game.
    """
    if simulations < 1:
        raise ValueError(f"mcts(N) needs at least 1 simulation: got {simulations}")

    def choose(game: Any, rng: np.random.Generator) -> str:
        import pyspiel

        kind = game.spiel_game.get_type() if hasattr(game, "spiel_game") else None
        if kind is None or kind.information != pyspiel.GameType.Information.PERFECT_INFORMATION:
            what = kind.short_name if kind else type(game).__name__
            raise Unsupported(
                f"mcts plays OpenSpiel's games of perfect information, since it sees the state: got {what}"
            )
        seed = int(rng.integers(2**31))
        evaluator = pyspiel.RandomRolloutEvaluator(1, seed)
        bot = pyspiel.MCTSBot(game.spiel_game, evaluator, 2.0, simulations, 100, True, seed, False)
        name: str = game.action_name(bot.step(game.state))
        return name

    return choose


SCRIPTED: dict[str, Choice] = {
    **POLICIES,
    "optimal": optimal_action,
    "expert": expert_action,
    "mcts": mcts(),
}


def scripted_agent(name: str, *, talk: bool = False) -> ScriptedAgent:
    """The scripted agent of that name; `mcts(400)` sets the number of simulations. Raises ValueError if unknown."""
    if name.startswith("mcts(") and name.endswith(")") and name[5:-1].isdigit():
        return ScriptedAgent(name, mcts(int(name[5:-1])), talk=talk)
    if name not in SCRIPTED:
        hint = near(name.partition("(")[0], SCRIPTED)
        raise ValueError(f"scripted agents are {', '.join(SCRIPTED)}, mcts(N): got {name!r}{hint}")
    return ScriptedAgent(name, SCRIPTED[name], talk=talk)
