"""`turnwise tournament`: play what is missing, rate everybody, write tournament.json."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from turnwise.algorithms.evaluation.players import Ask, Player, require_able
from turnwise.algorithms.evaluation.store import EPISODES, Store, env_version
from turnwise.algorithms.files import write_atomically
from turnwise.algorithms.reporting.runlog import lock_run
from turnwise.algorithms.tournament.exploit import nash_convs
from turnwise.algorithms.tournament.games import Game
from turnwise.algorithms.tournament.play import Hall, Pairing, Say, play_all
from turnwise.algorithms.tournament.saved import saved_games
from turnwise.algorithms.tournament.settings import TournamentSettings
from turnwise.algorithms.tournament.standings import standings, with_columns
from turnwise.envs.registry import make_game

RESULT = "tournament.json"


def tournament(
    settings: TournamentSettings,
    people: Sequence[Player],
    folder: Path,
    *,
    say: Say,
    ask: Ask | None = None,
    saved: Path | None = None,
) -> dict[str, Any]:
    """The result, as tournament.json in the folder holds it. Pairs that have played there before do not play again.

    saved: games played elsewhere, which count for the ratings too. Raises ValueError on fewer than two players, or a
    pair that cannot play; RunFolderError where the folder is in use.
    """
    if len(people) < 2:
        raise ValueError(f"a tournament needs at least two players: got {len(people)}")
    require_able(people, make_game(settings.env.id, **settings.env.kwargs), settings.env.id)
    folder.mkdir(parents=True, exist_ok=True)
    with lock_run(folder):
        hall = Hall(settings, people, Store(folder), say, ask)
        try:
            pairings = play_all(hall)
            exact = nash_convs(hall, people)
        finally:
            hall.close()
        result = _result(settings, people, pairings, saved)
        exploitability = {name: value / 2 for name, value in exact.items()}
        invalid = _invalid_rates(pairings)
        with_columns(result, {"invalid_rate": invalid, "nash_conv": exact, "exploitability": exploitability})
        result["games_played_now"] = hall.played
        write_atomically(folder / RESULT, json.dumps(result, indent=1) + "\n")
    return result


def _result(
    settings: TournamentSettings, people: Sequence[Player], pairings: Sequence[Pairing], saved: Path | None
) -> dict[str, Any]:
    games: list[Game] = [game for pairing in pairings for game in pairing.games()]
    names = [one.name for one in people]
    if saved is not None:
        called = {name: one.name for one in people for name in (one.word, one.name)}
        more, strangers = saved_games(saved, settings.env.id, called)
        games, names = [*games, *more], [*names, *strangers]
    found = standings(games, names, settings.seed)
    known = {one.name: one for one in people}
    described = {
        name: {"player": one.word, "kind": one.kind, "fingerprint": one.fingerprint} for name, one in known.items()
    }
    for row in found["players"]:
        row |= described.get(row["name"], {"player": None, "kind": "saved", "fingerprint": None})
    failed = sum(pairing.failed for pairing in pairings)
    if failed:
        found["notes"].append(f"{failed} games are left out, as a game of their deal failed")
    return {
        "env": env_version(settings.env.id),
        "env_kwargs": dict(settings.env.kwargs),
        "invalid": settings.env.invalid,
        "max_turns": settings.env.max_turns,
        "games_per_pair": settings.games,
        "swiss_rounds": settings.swiss,
        "seed": settings.seed,
        "episodes": [f"{EPISODES}/{pairing.batch.key}.parquet" for pairing in pairings],
        "usage": _usage(pairings),
        **found,
    }


def _invalid_rates(pairings: Sequence[Pairing]) -> dict[str, float]:
    """Player -> mean over its pairings of the share of replies that were not valid."""
    shares: dict[str, list[float]] = {}
    for pairing in pairings:
        for name, share in pairing.invalid.items():
            shares.setdefault(name, []).append(share)
    return {name: sum(values) / len(values) for name, values in shares.items()}


def _usage(pairings: Sequence[Pairing]) -> dict[str, float]:
    """What servers were asked for in all of them, `api/NAME` -> number."""
    total: dict[str, float] = {}
    for pairing in pairings:
        for name, value in pairing.batch.figures.items():
            if name.startswith("api/"):
                total[name] = total.get(name, 0) + value
    return total
