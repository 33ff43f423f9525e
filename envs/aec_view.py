"""`TextGameAEC`: a text game as a `pettingzoo.AECEnv`."""

from __future__ import annotations

from functools import partial
from typing import Any, ClassVar

import numpy as np
from pettingzoo import AECEnv

from turnwise.envs.core import EnvFailure, TextGame
from turnwise.envs.history import WithHistory
from turnwise.envs.parsing import write_action
from turnwise.envs.referee import Referee
from turnwise.envs.registry import as_game
from turnwise.envs.spaces import FreeText, TextObservation


class TextGameAEC(AECEnv):  # type: ignore[misc]  # PettingZoo is not typed for this
    """Observations and actions are texts; an action is the seat's whole reply, such as `I raise. [bet]`.

    game: an id of the registry or a `TextGame`. invalid, max_turns: see `Referee`. Other arguments go to the game.
    An observation is all that the seat has read since its last reply. The info of a seat holds `legal_actions` (None
    where the action is free text) while it acts, `status` of its last reply, and after an invalid one `reason`.
    Where the environment itself fails, every seat is truncated with `status` "env_error" and `reason`.
    """

    metadata: ClassVar[dict[str, Any]] = {"render_modes": ["ansi"], "render_fps": 4, "is_parallelizable": False}

    def __init__(
        self,
        game: str | TextGame,
        *,
        invalid: object = "forfeit",
        max_turns: int | None = None,
        render_mode: str | None = None,
        **game_kwargs: Any,
    ) -> None:
        super().__init__()
        self.game = as_game(game, game_kwargs)
        self.referee = Referee(self.game, invalid=invalid, max_turns=max_turns)
        if render_mode not in (None, *self.metadata["render_modes"]):
            raise ValueError(f"render_mode is ansi or None: got {render_mode!r}")
        self.render_mode = render_mode
        self.possible_agents = list(self.game.seats)
        self.agents: list[str] = []
        self.observation_spaces = {seat: FreeText() for seat in self.possible_agents}
        self.action_spaces = {seat: FreeText() for seat in self.possible_agents}
        self._link_samplers()
        self._self_contained = isinstance(self.game, WithHistory) and self.game.self_contained
        self._rng: np.random.Generator | None = None
        self._read: dict[str, TextObservation] = {}
        self._replies: list[str] = []

    def reset(self, seed: int | None = None, options: dict[str, Any] | None = None) -> None:
        """Begin an episode; without a seed the next one of the stream that the last seed began."""
        if seed is not None or self._rng is None:
            self._rng = np.random.default_rng(seed)
        self.referee.start(int(self._rng.integers(2**63)))
        self.agents = self.possible_agents[:]
        self.rewards = dict.fromkeys(self.agents, 0.0)
        self._cumulative_rewards = dict.fromkeys(self.agents, 0.0)
        self.terminations = dict.fromkeys(self.agents, False)
        self.truncations = dict.fromkeys(self.agents, False)
        self.infos: dict[str, dict[str, Any]] = {seat: {"status": "ok"} for seat in self.agents}
        self._skip_agent_selection = None
        self._read = {}
        self._replies = []
        if self.referee.seat is None:
            self._end()
        self._select()

    def step(self, action: str | None) -> None:
        """Play the reply of `agent_selection`; None where its episode is over, as PettingZoo asks."""
        seat = self.agent_selection
        if self.terminations[seat] or self.truncations[seat]:
            self._was_dead_step(action)
            return
        if not isinstance(action, str):
            raise TypeError(f"step needs the reply of {seat} as a str: got {type(action).__name__}")
        outcome = self.referee.submit(action)
        rewards = outcome.rewards
        self._cumulative_rewards[seat] = 0.0
        self.rewards = {name: rewards.get(name, 0.0) for name in self.agents}
        if rewards:
            self._accumulate_rewards()
        self._read.pop(seat, None)
        self._replies.append(f"{seat}: {action}")
        self.infos[seat] = {**outcome.info, "status": outcome.status}
        if outcome.terminated or outcome.truncated:
            self._end()
        self._select()

    def observe(self, agent: str) -> TextObservation:
        """All that the seat may know since its last reply. Asking twice changes nothing."""
        news, known = self.referee.observe(agent), self._read.get(agent)
        if known is None or (news and self._self_contained):
            known = self._read[agent] = TextObservation(news)
        elif news:
            known = self._read[agent] = TextObservation(f"{known}\n{news}")
        if self.referee.failure is not None and self.agents and not self.truncations[agent]:
            self._end()  # the environment failed as it was asked
        return known

    def observation_space(self, agent: str) -> FreeText:
        """Every text."""
        return self.observation_spaces[agent]

    def action_space(self, agent: str) -> FreeText:
        """Every text; samples are legal moves while the seat acts."""
        return self.action_spaces[agent]

    def render(self) -> str | None:
        """The replies of this episode, one a line, in mode ansi."""
        return "\n".join(self._replies) if self.render_mode else None

    def close(self) -> None:
        """Let go of what the game holds."""
        self.game.close()

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Copied spaces have lost the game that they sample from: give them this one."""
        self.__dict__.update(state)
        self._link_samplers()

    def _link_samplers(self) -> None:
        for seat, space in self.action_spaces.items():
            space.sampler = partial(self._sample_reply, seat)

    def _sample_reply(self, seat: str, rng: np.random.Generator) -> str | None:
        if self.referee.seat != seat:
            return None
        try:
            return write_action(self.game.sample_action(rng), self.game.legal())
        except EnvFailure:  # the next step reports it
            return None

    def _end(self) -> None:
        """The episode is over for every seat: terminated by the rules, or else truncated."""
        if self.referee.status == "ok":
            self.terminations = dict.fromkeys(self.agents, True)
            return
        self.truncations = dict.fromkeys(self.agents, True)
        if self.referee.failure is not None:
            for info in self.infos.values():
                info.update(status="env_error", reason=self.referee.failure)

    def _select(self) -> None:
        """Hand the turn over; when the episode is over, to the first seat that has to leave."""
        seat = self.referee.seat
        if seat is None:
            self.agent_selection = self.agents[0]
            return
        self.agent_selection = seat
        legal = self.game.legal()
        self.infos[seat]["legal_actions"] = None if legal is None else tuple(legal)
