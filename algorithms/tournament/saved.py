"""Games that were played elsewhere, such as a person's, read into a tournament."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from turnwise.algorithms.credit.episodes import is_finished
from turnwise.algorithms.tournament.games import Game
from turnwise.records import Episode


def saved_games(path: Path, env_id: str, names: Mapping[str, str]) -> tuple[list[Game], list[str]]:
    """(the finished games of an environment between two different players, who else than the known ones played).

    path: a .parquet or .jsonl file of episodes, or a folder that holds some, at any depth. names: how a seat's agent
    may be called -> the player's name. Every saved game is a deal of its own. Raises ValueError where there is none.
    """
    files = (
        [path] if path.is_file() else sorted(file for end in ("parquet", "jsonl") for file in path.rglob(f"*.{end}"))
    )
    found: list[Game] = []
    for episode in (episode for file in files for episode in _read(file)):
        if episode.env_id != env_id or len(episode.seats) != 2 or not is_finished(episode):
            continue
        (first, first_return), (second, second_return) = (
            (names.get(agent, agent), episode.returns[seat]) for seat, agent in episode.seats.items()
        )
        if first != second:
            deal = f"saved {len(found)}"
            found.append(
                Game(first=first, second=second, deal=deal, first_return=first_return, second_return=second_return)
            )
    if not found:
        raise ValueError(f"{path} holds no finished game of {env_id} between two players")
    known = set(names.values())
    strangers: Sequence[str] = sorted({name for game in found for name in (game.first, game.second)} - known)
    return found, list(strangers)


def _read(file: Path) -> list[Episode]:
    if file.suffix == ".parquet":
        from turnwise.parquet import read_parquet

        return read_parquet(file)
    return [Episode.from_json(line) for line in file.read_text().splitlines() if line]
