"""What theory says of credit: who is unbiased, who is not and why, by enumeration and by sampling.

The games, the exact advantages and the sampling are those of benchmarks/credit.py. Differences are judged at four
standard errors, with fixed seeds.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cache
from importlib import import_module
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from turnwise.algorithms.credit import CREDITS
from turnwise.algorithms.credit.igpo import position_baseline
from turnwise.algorithms.credit.returns import rewards_to_go
from turnwise.records import Episode

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "benchmarks"))  # its scripts import each other by name
exact, measuring, playing, sampling, unrolled = (
    import_module(f"credit_{name}") for name in ("exact", "measure", "play", "sampling", "tree")
)

BATCHES, TOKENS = 30, 400
CHANCE = 4.0
"""Standard errors that chance explains, of about a hundred numbers at once."""
SURE = 6.0
"""Standard errors from which on a bias counts as shown."""

Table = list[list[Any]]
Estimator = Callable[[Sequence[Episode]], Table]


@cache
def solved(game: str, policy: str = "half-trained") -> Any:
    tasks = {
        "poker": ("KuhnPoker-LLM", 6, {}),
        "tools": ("ToolChain-LLM", 4, {"people": 2, "turns": 3}),
    }
    env_id, instances, kwargs = tasks[game]
    return exact.solve(unrolled.build_tree(env_id, instances, **kwargs), policy)


def method(name: str, **settings: Any) -> Estimator:
    record = CREDITS[name].settings(**settings)
    return lambda episodes: CREDITS[name].function(episodes, {}, record).advantages


@cache
def batches(game: str, policy: str, sampler: str, critic: str) -> list[Any]:
    table = solved(game, policy)
    values = {"none": None, "exact": table.value, "wrong": lambda node: 0.3}[critic]
    budget = TOKENS * (5 if sampler == "full_chain" else 1)  # four in five of its tokens are continuations
    return [getattr(sampling, sampler)(playing.Player(table, seed, values), budget) for seed in range(BATCHES)]


def compared(
    game: str,
    estimate: Estimator,
    policy: str = "half-trained",
    sampler: str = "independent",
    critic: str = "none",
) -> Any:
    table = solved(game, policy)
    sampled = batches(game, policy, sampler, critic)
    rows = [measuring.rows_of(batch, estimate(batch.episodes), table) for batch in sampled]
    return measuring.Comparison(rows, measuring.Layout(table))


def interval(numbers: Sequence[float]) -> tuple[float, float]:
    """Mean of independent numbers, `CHANCE` standard errors down and up."""
    mean, error = float(np.mean(numbers)), float(np.std(numbers, ddof=1)) / math.sqrt(len(numbers))
    return mean - CHANCE * error, mean + CHANCE * error


# --- unbiased ---------------------------------------------------------------------------------------------------------

GAE = {"whiten": False}
SPO = {"whiten": False, "prob_threshold": None}


@pytest.mark.parametrize("game", ["poker", "tools"])
@pytest.mark.parametrize(
    ("estimate", "sampler", "critic"),
    [
        (method("return"), "independent", "none"),
        (method("rloo"), "independent", "none"),
        (method("topr", baseline=0.5), "independent", "none"),
        (method("rae"), "independent", "none"),
        (method("gae", lam=1.0, **GAE), "independent", "exact"),
        (method("gae", lam=0.5, **GAE), "independent", "exact"),
        (method("gae", lam=1.0, **GAE), "independent", "wrong"),  # at lam 1 the critic is a baseline and no more
        (method("spo_chain", **SPO), "full_chain", "none"),
    ],
    ids=["return", "rloo", "topr", "rae", "gae-1", "gae-half", "gae-1-wrong-critic", "spo-chain"],
)
def test_the_gradient_is_right_on_average(game: str, estimate: Estimator, sampler: str, critic: str) -> None:
    found = compared(game, estimate, sampler=sampler, critic=critic).bias()
    assert found.z < CHANCE and found.logits >= 12
    assert found.noise < 0.25  # so that a bias of the size of the gradient would have shown
    assert found.size < 2 * found.noise


def test_rloo_is_exactly_unbiased_over_all_pairs_of_episodes() -> None:
    table = bifurcation(0.7)
    found, truth = expected_gradient(table, method("rloo"), 2)
    assert found == pytest.approx(truth, abs=1e-12)


@pytest.mark.parametrize(("name", "factor"), [("grpo", 1 - 1 / 8), ("canon", 1 - 1 / 8)])
def test_a_mean_that_counts_the_episode_itself_only_shortens_the_gradient(name: str, factor: float) -> None:
    settings = {"grpo": {"scale": "none"}, "canon": {"mu": 0.5}}[name]
    found = compared("poker", method(name, **settings))
    assert found.bias(1 / factor).z < CHANCE
    assert found.bias().z > CHANCE


def test_a_tree_shortens_it_by_the_share_of_the_child_in_its_parent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sampling, "BRANCHES", (3, 3))
    found = compared("tools", method("spo_tree", **SPO), sampler="tree")
    assert found.bias(3 / 2).z < CHANCE
    assert found.bias().z > SURE


# --- biased -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("lam", [0.0, 0.5])
def test_a_wrong_critic_bends_gae_below_lam_1(lam: float) -> None:
    found = compared("tools", method("gae", lam=lam, **GAE), critic="wrong")
    assert found.bias(found.best_scale()).z > SURE


def test_dividing_by_the_group_s_spread_bends_the_gradient() -> None:
    found = compared("poker", method("grpo"))
    bent = found.bias(found.best_scale())
    assert bent.z > SURE
    assert bent.size > 4 * bent.noise
    straight = compared("poker", method("grpo", scale="none"))
    assert straight.bias(8 / 7).z < CHANCE


@pytest.mark.parametrize("chance", [0.5, 0.8, 0.95])
def test_the_division_weighs_an_instance_by_how_hard_it_is(chance: float) -> None:
    # Four episodes, each right with probability p. A right one beside 0, 1, 2 others has (1 - 1/4) / (1/2) = 3/2,
    # (1/2) / (1/sqrt 3), (1/4) / (1/2); a wrong one the same in mirror image. The difference of their means is
    # 3/2 - (3 - 3 sqrt(3) / 2) p (1 - p), and by so much the true gradient is multiplied.
    table = bifurcation(chance)
    found, truth = expected_gradient(table, method("grpo", eps=0.0), 4)
    factor = 1.5 - (3 - 1.5 * math.sqrt(3)) * chance * (1 - chance)
    assert found == pytest.approx(factor * truth, abs=1e-12)


def turn_baseline(episodes: Sequence[Episode]) -> Table:
    """Wrong: every turn's reward less the mean at this turn of the group's episodes, summed from the end."""
    groups: dict[str | None, list[Episode]] = {}
    for episode in episodes:
        groups.setdefault(episode.group, []).append(episode)
    table = []
    for episode in episodes:
        rewards = [turn.reward for turn in episode.turns]
        for turn in range(len(rewards)):
            earned = [other.turns[turn].reward for other in groups[episode.group] if len(other.turns) > turn]
            rewards[turn] -= sum(earned) / len(earned)
        table.append(rewards_to_go(rewards, 1.0))
    return table


def less_one(episodes: Sequence[Episode]) -> list[Episode]:
    """The same episodes with 1 taken off every return, at the last turn: the advantages stay what they are."""
    return [
        replace(
            episode,
            turns=(*episode.turns[:-1], replace(episode.turns[-1], reward=episode.turns[-1].reward - 1.0)),
            returns={seat: value - 1.0 for seat, value in episode.returns.items()},
        )
        for episode in episodes
    ]


def pull_to_go_on(estimate: Estimator) -> tuple[float, float]:
    """Interval of the excess of the gradient towards looking up, and not answering, in the first turn."""
    table = solved("tools", "random")
    found = []
    for batch in batches("tools", "random", "independent", "none"):
        excess = []
        for path, values in zip(batch.paths, estimate(batch.episodes), strict=True):
            number, action = path[0]
            node = table.tree.nodes[number]
            goes_on = [not name.startswith("answer") for name in node.actions]
            score = goes_on[action] - float(table.policy[number] @ np.array(goes_on))
            excess.append(score * (values[0] - table.advantages[number][action]))
        found.append(float(np.mean(excess)))
    return interval(found)


def test_a_baseline_per_turn_rewards_taking_more_turns_where_returns_are_negative() -> None:
    low, _ = pull_to_go_on(lambda episodes: turn_baseline(less_one(episodes)))
    assert low > 0.02  # every further turn has a negative mean taken off, which only those that go on receive
    _, high = pull_to_go_on(turn_baseline)
    assert high < -0.02  # and punishes it where they are positive


@pytest.mark.parametrize("name", ["return", "rloo"])
@pytest.mark.parametrize("shift", [less_one, list])
def test_methods_that_are_unbiased_do_not(name: str, shift: Callable[[Sequence[Episode]], list[Episode]]) -> None:
    low, high = pull_to_go_on(lambda episodes: method(name)(shift(episodes)))
    assert low < 0.0 < high


def by_position(episodes: Sequence[Episode]) -> Table:
    """IGPO's first public code: reward-to-go less the mean at this position, where those that have ended count 0."""
    width = max(len(episode.turns) for episode in episodes)
    rewards = [[turn.reward for turn in episode.turns] + [0.0] * (width - len(episode.turns)) for episode in episodes]
    mask = [[1.0] * len(episode.turns) + [0.0] * (width - len(episode.turns)) for episode in episodes]
    found = position_baseline(rewards, mask, [str(episode.group) for episode in episodes]).tolist()
    return [row[: len(episode.turns)] for row, episode in zip(found, episodes, strict=True)]


def test_a_baseline_per_position_pushes_late_turns_up() -> None:
    late = []
    for batch in batches("tools", "random", "independent", "none"):
        values = [value for row in by_position(batch.episodes) for value in row[1:]]
        late.append(float(np.mean(values)))  # of the exact advantages the mean is 0 in every state
    low, _ = interval(late)
    assert low > 0.02
    found = compared("tools", by_position, policy="random")
    assert found.bias(8 / 7).z < CHANCE  # whoever acts in one state is pushed alike: the gradient keeps its direction


# --- by enumeration ---------------------------------------------------------------------------------------------------


def bifurcation(chance: float) -> Any:
    """Two forks of two ways; the right way is taken with this probability wherever it matters, else 3 times in 4."""
    tree = unrolled.build_tree("Bifurcation-LLM", 1, turns=2, ways=2)
    rows = [np.array([0.75, 0.25]) for _ in tree.nodes]
    for number, node in enumerate(tree.nodes):
        if "sign" in node.anchor:
            right = np.array(node.expert)
            rows[number] = chance * right + (1.0 - chance) * (1.0 - right)
    return exact.solve_for(tree, rows)


def expected_gradient(table: Any, estimate: Estimator, size: int) -> tuple[Any, Any]:
    """Expected policy gradient of an episode over all groups of `size` episodes, and the true one."""
    layout, player = measuring.Layout(table), playing.Player(table, 0)
    total = np.zeros(layout.parameters)
    for group in product(paths_of(table), repeat=size):
        episodes = [player.record(path, "g") for path, _ in group]
        batch = playing.Batch(episodes=episodes, paths=[path for path, _ in group])
        rows = measuring.rows_of(batch, estimate(episodes), table)
        chance = math.prod(probability for _, probability in group)
        total += chance * layout.by_knowledge(layout.score(rows.nodes, rows.actions, rows.estimates)) / size
    truth = table.visits[layout.node_of] * layout.chances * layout.advantages
    return total, layout.by_knowledge(truth)


def paths_of(table: Any) -> list[tuple[list[tuple[int, int]], float]]:
    """Every path from the root to an end, and its probability."""
    waiting: list[tuple[list[tuple[int, int]], int, float]] = [([], table.tree.roots[0], 1.0)]
    found = []
    while waiting:
        path, number, chance = waiting.pop()
        for action, child in enumerate(table.tree.nodes[number].children):
            longer, likely = [*path, (number, action)], chance * float(table.policy[number][action])
            if child is None:
                found.append((longer, likely))
            else:
                waiting.append((longer, child, likely))
    return found
