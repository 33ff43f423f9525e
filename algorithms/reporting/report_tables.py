"""The tables of a run's report: the policy, the games against others, sample games; and how its files are read."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from turnwise.algorithms.files import RunFolderError
from turnwise.algorithms.reporting.measures import shown
from turnwise.records import Episode, RecordError

_MOST_STATES, _MOST_GAMES = 200, 12


def policy_rows(policy: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """`states`: a row for each information state, and `states_left_out`: how many more there are."""
    shown_states = [_state(state) for state in policy[:_MOST_STATES]]
    return {"states": shown_states, "states_left_out": len(policy) - len(shown_states)}


def match_row(match: Mapping[str, Any], game: str = "") -> dict[str, str]:
    """Games against one opponent, at a `game` that is named: counts, shares with their 95% intervals, mean return."""
    total = match["total"]
    shares = {
        name: f"{100 * total[f'{name}_rate']:.1f}% ({100 * low:.1f} to {100 * high:.1f})"
        for name, (low, high) in (("not_lost", total["not_lost_interval"]), ("win", total["win_interval"]))
    }
    counts = {name: f"{total[name]:,}" for name in ("games", "wins", "draws", "losses")}
    opponent = f"{match['opponent']} at {game}" if game else str(match["opponent"])
    return {"opponent": opponent, "mean_return": f"{total['mean_return']:+.3f}", **counts, **shares}


def dialogues(path: Path) -> dict[str, Any]:
    """Sample games as dialogues. A last line without its newline is torn, and left out."""
    text = read_text(path) or ""
    whole = text[: text.rfind("\n") + 1].split("\n")[:-1]
    try:
        episodes = [Episode.from_json(line) for line in whole[:_MOST_GAMES]]
    except RecordError as error:
        raise RunFolderError(f"{path} holds a line that is no episode ({error}): mend or delete it") from None
    return {"games": [_dialogue(episode) for episode in episodes], "games_left_out": max(0, len(whole) - _MOST_GAMES)}


def _dialogue(episode: Episode) -> dict[str, Any]:
    seats = {seat: number for number, seat in enumerate(episode.seats)}
    return {
        "title": episode.env_id if episode.seed is None else f"{episode.env_id}, seed {episode.seed}",
        "status": episode.status,
        "seats": [(seats[seat], seat, agent, f"{episode.returns[seat]:+g}") for seat, agent in episode.seats.items()],
        "turns": [
            {
                "number": seats[turn.seat] % 4,
                "seat": turn.seat,
                "read": [(message.role, message.content) for message in turn.observation],
                "text": turn.text,
                "action": turn.action,
                "status": turn.status,
                "reward": f"{turn.reward:+g}" if turn.reward else "",
            }
            for turn in episode.turns
        ],
    }


def _state(state: Mapping[str, Any]) -> dict[str, Any]:
    """One row of the policy's table; a band is where an equilibrium may put an action's probability."""
    bands = state.get("equilibrium") or {}
    rows = [
        {
            "action": action,
            "probability": float(p),
            "band": tuple(map(float, bands[action])) if action in bands else None,
        }
        for action, p in state["actions"].items()
    ]
    names = ("key", "seat", "observation")
    illegal = shown("illegal_mass", state.get("illegal_mass"))
    return {name: str(state.get(name, "")) for name in names} | {"rows": rows, "illegal": illegal}


def read_text(path: Path) -> str | None:
    """The file's text, or None where there is no such file."""
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as error:
        raise RunFolderError(f"{path} could not be read: {error}; mend or delete it") from error


def read_object(path: Path) -> dict[str, Any] | None:
    text = read_text(path)
    if text is None:
        return None
    try:
        found = json.loads(text)
    except ValueError as error:
        raise RunFolderError(f"{path} is not JSON ({error}): mend or delete it") from None
    if not isinstance(found, dict):
        raise RunFolderError(f"{path} holds a JSON object: got {type(found).__name__}")
    return found
