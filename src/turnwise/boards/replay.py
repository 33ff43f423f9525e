"""`replay`: the boards of an episode that was played before, made by playing it again."""

from __future__ import annotations

from turnwise.agents.replay import play_again
from turnwise.boards.drawing import board_of, marked
from turnwise.boards.shapes import Board
from turnwise.envs.core import EnvFailure, TextGame
from turnwise.envs.referee import Referee
from turnwise.envs.registry import make_game
from turnwise.records import Episode

_POLICIES = ("noop", "random_legal")
"""What an invalid reply led to is not written down: with one of these every game goes on as it did."""


def replay(episode: Episode) -> list[Board | None]:
    """The board before every turn as all seats know it together, and the last one: one more than there are turns.

    Nothing but the game is asked: no agent, no tool of the run. Where the game does not follow what is written down,
    the boards from there on are None; so are all of a game without boards. Raises what making the game raises.
    """
    if episode.seed is None:
        return [None] * (len(episode.turns) + 1)
    clean = all(turn.status == "ok" for turn in episode.turns)
    tries = [_replayed(episode, policy, episode.seed) for policy in (_POLICIES[:1] if clean else _POLICIES)]
    return max(tries, key=lambda boards: sum(board is not None for board in boards))


def _replayed(episode: Episode, policy: str, seed: int) -> list[Board | None]:
    game = make_game(episode.env_id, **episode.env_kwargs)
    boards: list[Board | None] = []
    try:
        referee = Referee(game, invalid=policy)
        referee.start(seed)
        for turn in episode.turns:
            if referee.failure is not None:
                break
            boards.append(_marked(game, boards))
            play_again(referee, [turn])
        if referee.failure is None:
            boards.append(_marked(game, boards))
    except EnvFailure:
        pass  # the boards so far are shown
    finally:
        game.close()
    return boards + [None] * (len(episode.turns) + 1 - len(boards))


def _marked(game: TextGame, boards: list[Board | None]) -> Board | None:
    return marked(board_of(game, None), boards[-1] if boards else None)
