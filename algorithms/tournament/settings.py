"""What a tournament plays, as frozen records."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from turnwise.algorithms.build import build
from turnwise.algorithms.checks import require_between
from turnwise.algorithms.compose import compose
from turnwise.algorithms.evaluation.players import HUMAN, Player
from turnwise.algorithms.settings import EnvSettings
from turnwise.envs.registry import make_game

SEATS = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class TournamentSettings:
    """One tournament."""

    env: EnvSettings
    games: int = 200
    """Games of each pair, the seats swapped in every deal."""
    swiss: int | None = None
    """Rounds in which players that stand alike meet; None: everybody plays everybody."""
    seed: int = 0
    """All pairs play the deals that follow from it."""

    def __post_init__(self) -> None:
        require_between("games", self.games, 2)
        require_between("seed", self.seed, 0)
        if self.games % SEATS:
            raise ValueError(f"--games is even, each deal being played from both seats: got {self.games}")
        if self.swiss is not None:
            require_between("swiss", self.swiss, 1)
        seats = len(make_game(self.env.id, **self.env.kwargs).seats)
        if seats != SEATS:
            what = "turnwise eval A B suite=... compares agents there" if seats == 1 else "choose a game of two seats"
            raise ValueError(f"a tournament is of games between two players: {self.env.id} has {seats}; {what}")


def env_settings(env: str, people: Sequence[Player], overrides: Sequence[str]) -> EnvSettings:
    """The rules of a game for these players, worded as the weights among them were trained to read.

    Raises ValueError where they were trained to read different wordings and `model.prompt` does not say which is taken.
    """
    given = any(word.startswith(("model.prompt=", "env.kwargs.prompt=")) for word in overrides)
    wanted = {one.prompt: one.word for one in people if one.prompt is not None}
    if len(wanted) > 1 and not given:
        read = ", ".join(f"{word} reads {prompt}" for prompt, word in wanted.items())
        raise ValueError(f"all players read one wording of the game: {read}; give model.prompt=full or compact")
    prompt = next(iter(wanted), "full")
    if prompt == "compact" and any(one.kind in ("api", HUMAN) for one in people) and not given:
        raise ValueError(
            f"{wanted['compact']} reads the compact wording, without rules, which models behind an API and people "
            "cannot play by; give model.prompt=full or compact"
        )
    config = compose([f"env={env}", f"model.prompt={prompt}", *overrides])
    return replace(build(EnvSettings, config["env"], "env"), levels=(), others=())
