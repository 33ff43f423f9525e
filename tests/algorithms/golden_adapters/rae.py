"""`rae.json`: games in list order, with turns (`turn_token_counts`) or, keyed by `game`, without."""

from turnwise.algorithms.credit.episodes import spread_over_turns, without_zeros
from turnwise.algorithms.credit.rae import RAESettings, rae
from turnwise.records import Episode, Turn

NAMES = ("order", "decay", "init", "turn_discount", "reward_scaling", "filter_zero")


def outputs(inputs: dict) -> dict:
    settings = RAESettings(**{name: inputs[name] for name in NAMES if name in inputs})
    games, state = [], {}
    for game in inputs["games"]:
        name = game.get("game", "game")
        (advantages,), state = rae([[(f"{name}|{role}", r) for role, r in game["rewards"].items()]], state, settings)
        of_role = dict(zip(game["rewards"], advantages, strict=True))
        trained = {str(role) for role in inputs.get("trained_roles", of_role)}
        games.append(
            {
                "advantages": {role: value for role, value in of_role.items() if role in trained},
                "samples": {role: samples(game, role, of_role, settings, role in trained) for role in of_role},
                "baseline_after": {role: state["baselines"][f"{name}|{role}"] for role in of_role},
            }
        )
    baselines: dict = {}
    for key, value in state.get("baselines", {}).items():
        name, role = key.rsplit("|", 1)
        baselines.setdefault(name, {})[role] = value
    return {
        "games": [{key: game[key] for key in ("samples", "baseline_after")} for game in games],
        "advantages": [game["advantages"] for game in games],
        "baselines": baselines,
    }


def samples(game: dict, role: str, advantages: dict, settings: RAESettings, trained: bool) -> list[dict]:
    """The samples of one role, by way of the records that the trainer uses."""
    counts = game.get("turn_token_counts", {}).get(role, [])
    turns = tuple(
        Turn(seat=role, observation=(), text="", completion_ids=(1,) * count, logprobs=(-1.0,) * count)
        for count in counts
    )
    seats = dict.fromkeys(game["rewards"], "policy" if trained else "fixed")
    episode = Episode(id="0", env_id="game", seats=seats, turns=turns, returns=dict(game["rewards"]))
    (values,) = spread_over_turns([episode], [advantages], "policy", settings.turn_discount)
    values = without_zeros(values) if settings.filter_zero else values
    return [{"turn": turn, "advantage": value} for turn, value in enumerate(values) if value is not None]
