"""What turnwise itself costs per turn: self-play with a model that costs nothing, beside the loops of other packages.

    python benchmarks/turns.py --json benchmarks/results/turns.json
    python benchmarks/turns.py --verifiers PYTHON --kuhn FOLDER      # verifiers too, see below

The stub replies with one of the legal moves, by the request's seed; its own time is taken off. It sits in the three
places where a model can sit:

    text      an agent that reads and writes text
    tokens    a `LanguageAgent` over an engine that samples batches of token ids
    streamed  a `LanguageAgent` over an engine that answers one by one, in its own time

`live` is the number of episodes at once. Every figure is processor time of this process, one thread, in microseconds
per turn: plans in, episodes out, with all records checked. `first_us` and `last_us` are those of the first and the last
hundred games on one set of game objects, medians of the repeats; `train_us` is what a step of training adds on the
host: the plans, credit (RAE), the batch as tensors, metrics and the ledger's line.

Below them the games alone, without records: the ways of `views.py`, and TextArena's own loop, an environment for each
game or one for all of them. Random replies are drawn on either side, which counts. verifiers is measured by its own
Kuhn poker environment in the folder `--kuhn`, with the interpreter of an environment it is installed in; its model is a
server that answers at once.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from common import print_table, save_result
from peer_verifiers import measured_verifiers
from peers import PEERS, Player, textarena_player
from stub import AGENTS, stub_agent
from views import VIEWS, Case

BLOCK = 100
"""Games whose cost is looked at together."""
GAMES = {"KuhnPoker-LLM": "KuhnPoker-v0", "TicTacToe-LLM": "TicTacToe-v0"}
"""Our id -> TextArena's."""
LIVE = (1, 100)
STEP = 512
"""Games of a training step, as in the default run."""
COLUMNS = (
    *("game", "loop", "live", "games", "turns_per_game", "first_us", "last_us", "train_us", "turns_per_s", "ratio"),
    "spread",
)
GOAL = {"us_per_turn": 100, "beyond": 15}


def main(arguments: Sequence[str]) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--games", type=int, default=1000, help="games on one set of objects")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--warmup", type=int, default=5000, help="games before a game alone is measured")
    parser.add_argument("--games-with-one", type=int, default=4 * BLOCK, help="games of one environment of TextArena")
    parser.add_argument("--verifiers", type=Path, help="an interpreter that has verifiers and aiohttp")
    parser.add_argument("--kuhn", type=Path, help="environments/kuhn_poker of verifiers")
    parser.add_argument("--json", type=Path, help="write the result here")
    given = parser.parse_args(arguments)
    rows = [ours(game, loop, live, given.games, given.repeats) for game in GAMES for loop in AGENTS for live in LIVE]
    for game in GAMES:
        rows += games_alone(game, given)
    notes: dict[str, Any] = {"goal": GOAL, "repeats": given.repeats}
    if given.verifiers:
        rows.append(measured_verifiers(given.verifiers, given.kuhn))
    else:
        notes["verifiers"] = "not run"
    print_table(rows, COLUMNS)
    if given.json:
        save_result(given.json, rows, packages=("torch", "textarena", "open-spiel", "numpy"), **notes)


def ours(game: str, loop: str, live: int, games: int, repeats: int) -> dict[str, Any]:
    """The row of our rollout."""
    from turnwise.agents.rollout import Rollout
    from turnwise.algorithms.collector import quiet_collector

    agent = stub_agent(loop, game)
    with quiet_collector():  # as in a run
        played = [play(Rollout({agent.name: agent}, record_messages=False, concurrency=live), game, games)]
        played = [
            play(Rollout({agent.name: agent}, record_messages=False, concurrency=live), game, games)
            for _ in range(repeats)
        ]
        train = [train_us(agent, game) for _ in range(repeats)] if loop != "text" and live > 1 else []
    return {
        "game": game,
        "loop": f"turnwise, {loop}",
        "live": live,
        **of_blocks([costs for costs, _ in played]),
        "turns_per_game": statistics.fmean(turns for _, turns in played) / games,
        "games": games,
        "train_us": statistics.median(train) if train else None,
    }


def of_blocks(repeats: Sequence[Sequence[float]]) -> dict[str, float]:
    """Figures of the first and the last block, and how much the repeats differ."""
    last = [costs[-1] for costs in repeats]
    return {
        "first_us": statistics.median(costs[0] for costs in repeats),
        "last_us": statistics.median(last),
        "spread": (max(last) - min(last)) / statistics.median(last),
    }


def plans_of(game: str, first: int, count: int) -> list[Any]:
    """Plans of self-play, each with a seed of its own."""
    from turnwise.agents.plan import Plan

    seats = dict.fromkeys(("player_0", "player_1"), "policy")
    kwargs = {"prompt": "compact", "show_legal_moves": True}
    return [
        Plan(id=f"0-{number}", env_id=game, env_kwargs=kwargs, seed=number, seats=seats)
        for number in range(first, first + count)
    ]


def play(rollout: Any, game: str, games: int) -> tuple[list[float], int]:
    """(microseconds per turn of each block of games, turns in all)."""
    (agent,) = rollout.agents.values()
    costs, total = [], 0
    for first in range(0, games, BLOCK):
        plans, stub = plans_of(game, first, BLOCK), agent.stub.seconds
        started = time.process_time()
        episodes = rollout.collect(plans)
        spent = time.process_time() - started - (agent.stub.seconds - stub)
        turns = sum(len(episode.turns) for episode in episodes)
        costs.append(1e6 * spent / turns)
        total += turns
    return costs, total


def train_us(agent: Any, game: str) -> float:
    """Microseconds per turn of what a step does on the host beside playing: plans, credit, tensors, metrics."""
    from turnwise.agents.rollout import Rollout
    from turnwise.algorithms.batch import pack
    from turnwise.algorithms.credit.rae import RAESettings, credit
    from turnwise.algorithms.games import Arm
    from turnwise.algorithms.ledger import counts, entry
    from turnwise.algorithms.metrics import step_metrics
    from turnwise.algorithms.player import whole_groups

    episodes = Rollout({agent.name: agent}, record_messages=False).collect(plans_of(game, 0, STEP))
    arms = [Arm(name=game, id=game, kwargs=episodes[0].env_kwargs, seats=("player_0", "player_1"))]
    started = time.process_time()
    planned = [plan.id for plan in plans_of(game, 0, STEP)]
    whole, dropped = whole_groups(episodes)
    judged = credit(whole, {}, RAESettings())
    pack(whole, judged.advantages, pad_id=0)
    step_metrics(whole, agent.name, arms)
    counts(entry(1, planned, [episode.id for episode in whole], dropped))
    return 1e6 * (time.process_time() - started) / sum(len(episode.turns) for episode in episodes)


def alone(game: str, loop: str, player: Player, given: argparse.Namespace) -> dict[str, Any]:
    """The row of a game that is played without records. player: it is closed afterwards."""
    games = given.games
    played(player, given.warmup)
    runs = [played(player, games) for _ in range(given.repeats)]
    player.close()
    figures = of_blocks([costs for costs, _ in runs])
    turns = statistics.fmean(turns for _, turns in runs)
    return {
        "game": game,
        "loop": loop,
        "live": 1,
        "games": games,
        "turns_per_game": turns / games,
        **figures,
        "turns_per_s": 1e6 / figures["last_us"],
    }


def played(player: Player, games: int) -> tuple[list[float], int]:
    """(microseconds per turn of each block of games, turns in all)."""
    costs, total = [], 0
    for _ in range(0, games, BLOCK):
        started, turns = time.process_time(), 0
        for _ in range(BLOCK):
            player.start()
            turns += player.finish(1)
        costs.append(1e6 * (time.process_time() - started) / turns)
        total += turns
    return costs, total


def games_alone(game: str, given: argparse.Namespace) -> list[dict[str, Any]]:
    """Our views, and TextArena: with its default wrappers an environment a game, as it is meant to be used, or one for
    all games, which keeps what it has read."""
    peer = next(peer for peer in PEERS if peer.package == "textarena" and peer.game == GAMES[game])
    rows = [alone(game, f"turnwise, {name}", view(Case(game, name)), given) for name, view in VIEWS.items()]
    rows.append(alone(game, "textarena, an environment a game", textarena_player(peer, fresh=True), given))
    for row in rows:
        row["ratio"] = row["turns_per_s"] / rows[-1]["turns_per_s"]
    kept = textarena_player(peer, fresh=False, wrapped=True)
    with_one = given.games_with_one
    costs, turns = played(kept, with_one)
    one = {"game": game, "loop": "textarena, one environment", "live": 1, "games": with_one}
    return [*rows, one | of_blocks([costs]) | {"turns_per_game": turns / with_one}]


if __name__ == "__main__":
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    main(sys.argv[1:])
