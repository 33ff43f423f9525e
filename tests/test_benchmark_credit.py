"""The benchmark of credit: exact advantages, samplers that account for every token, figures, and no method left out."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from importlib import import_module
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from turnwise.algorithms.credit import CREDITS

pytestmark = pytest.mark.processes

FOLDER = Path(__file__).resolve().parent.parent / "benchmarks"
sys.path.insert(0, str(FOLDER))  # its scripts import each other by name
exact, measuring, methods, playing, plot, sampling, unrolled = (
    import_module(f"credit_{name}") for name in ("exact", "measure", "methods", "play", "plot", "sampling", "tree")
)
SAMPLERS = ("independent", "forks", "chain", "full_chain", "tree")


@pytest.fixture(scope="module")
def poker() -> Any:
    return exact.solve(unrolled.build_tree("KuhnPoker-LLM", 6), "near-optimal")


@pytest.fixture(scope="module")
def tools() -> Any:
    return exact.solve(unrolled.build_tree("ToolChain-LLM", 3, people=2, turns=3), "half-trained")


# --- the whole ------------------------------------------------------------------------------------------------------


def test_it_runs_and_its_figures_fit_together(tmp_path: Path) -> None:
    out, picture = tmp_path / "out.json", tmp_path / "out.png"
    words = ["--quick", "--tasks", "Kuhn poker,bifurcation", "--json", str(out), "--picture", str(picture)]
    done = subprocess.run([sys.executable, str(FOLDER / "credit.py"), *words], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert picture.read_bytes().startswith(b"\x89PNG")
    rows = json.loads(out.read_text())["rows"]
    assert len(rows) == 2 * len(exact.POLICIES) * (1 + len(methods.VARIANTS))
    assert {row.get("credit") for row in rows} == {None, *CREDITS}
    for row in rows:
        assert row["method"] in done.stdout
        if row["method"] == "exact":
            assert (row["bias"], row["correlation"], row["sign_errors"]) == pytest.approx((0.0, 1.0, 0.0), abs=1e-9)
        if "left_out" in row:
            assert (row["task"], row["credit"]) == ("Kuhn poker", "igpo")
            continue
        assert 0.0 <= row["decisive_share"] <= 1.0 + 1e-9
        assert 0.0 <= row["sign_errors"] + row["silent"] <= 1.0
        assert -1.0 <= row["gradient_cosine"] <= 1.0
        assert 0.0 <= row["extra_tokens"] < 1.0
        assert row["method"] == "exact" or 256 <= row["tokens_per_batch"] < 256 * 1.5
    shares = {row["method"]: row["decisive_share"] for row in rows if row["task"] == "bifurcation"}
    assert shares["exact"] == pytest.approx(1.0)
    assert shares["return"] == pytest.approx(1 / 6, rel=1e-4)  # one number for all six turns


def test_what_it_does_not_know_is_refused() -> None:
    done = subprocess.run(
        [sys.executable, str(FOLDER / "credit.py"), "--tasks", "chess"], capture_output=True, text=True
    )
    assert done.returncode == 2
    assert "--tasks takes Kuhn poker, tool chain, bifurcation, key and door: got chess" in done.stderr


def test_no_credit_method_is_left_out() -> None:
    methods.require_all(frozenset(CREDITS))
    with pytest.raises(methods.LeftOut, match=r"\['newest'\] have none"):
        methods.require_all(frozenset(CREDITS) | {"newest"})
    with pytest.raises(methods.LeftOut, match=r"\['rloo'\] are no methods"):
        methods.require_all(frozenset(CREDITS) - {"rloo"})


# --- exact advantages -----------------------------------------------------------------------------------------------


def test_kuhn_poker_is_worth_what_kuhn_said(poker: Any) -> None:
    tree = poker.tree
    assert (len(tree.nodes), len(tree.roots)) == (24, 6)
    optimal = exact.solve_for(tree, [np.array(node.expert) for node in tree.nodes])
    assert np.mean([optimal.values[root][0] for root in tree.roots]) == pytest.approx(-1 / 18)
    assert np.mean([optimal.values[root][1] for root in tree.roots]) == pytest.approx(1 / 18)


def test_a_bifurcation_by_hand() -> None:
    tree = unrolled.build_tree("Bifurcation-LLM", 1, turns=2, ways=2)
    solved = exact.solve(tree, "random")
    for number, node in enumerate(tree.nodes):
        decides = "sign" in node.anchor
        assert sorted(solved.advantages[number]) == ([-0.5, 0.5] if decides else [0.0, 0.0])
    assert solved.values[tree.roots[0]].tolist() == [0.5]
    assert solved.visits.sum() == pytest.approx(2.0)  # two turns an episode
    near = exact.solve(tree, "near-optimal")
    assert near.values[tree.roots[0]].tolist() == pytest.approx([0.9])  # four in five, and half of the rest


@pytest.mark.parametrize("policy", ["random", "half-trained", "near-optimal"])
def test_advantages_average_to_nothing_and_values_are_those_of_play(policy: str) -> None:
    tree = unrolled.build_tree("ToolChain-LLM", 3, people=2, turns=3)
    solved = exact.solve(tree, policy)
    for chances, advantages in zip(solved.policy, solved.advantages, strict=True):
        assert chances.sum() == pytest.approx(1.0)
        assert chances @ advantages == pytest.approx(0.0, abs=1e-12)
    player = playing.Player(solved, 0)
    for root in tree.roots:
        played = np.mean([player.returns(player.walk(root))[0] for _ in range(4000)])
        assert played == pytest.approx(solved.values[root][0], abs=0.04)


def test_the_policy_knows_no_more_than_its_seat(poker: Any) -> None:
    by_key: dict[str, list[Any]] = {}
    for node, chances in zip(poker.tree.nodes, poker.policy, strict=True):
        by_key.setdefault(node.key, []).append(chances.tolist())
    assert len(by_key) == 12  # three cards, four ways to come to act
    assert all(len(rows) == 2 and rows[0] == rows[1] for rows in by_key.values())


def test_beliefs_about_the_answer(tools: Any) -> None:
    random = exact.solve(tools.tree, "random")
    assert np.exp(random.answers) == pytest.approx(0.5)  # one of two rooms
    road = exact.solve(unrolled.build_tree("Bifurcation-LLM", 8, turns=2, ways=2), "random")
    believed = {node.anchor.split()[-1]: answer for node, answer in zip(road.tree.nodes, road.answers, strict=True)}
    assert (believed["right"], believed["wrong"]) == (0.0, math.log(exact.LEAST_BELIEF))  # after the fork that decides
    assert all(math.isnan(answer) for answer in exact.solve(unrolled.build_tree("KuhnPoker-LLM", 6), "random").answers)


# --- sampling -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("game", ["poker", "tools"])
@pytest.mark.parametrize("name", SAMPLERS)
def test_every_token_is_counted_once(name: str, game: str, request: pytest.FixtureRequest) -> None:
    solved = request.getfixturevalue(game)
    batch, again = (getattr(sampling, name)(playing.Player(solved, 7), 300) for _ in range(2))
    assert batch == again
    assert [len(episode.turns) for episode in batch.episodes] == [len(path) for path in batch.paths]
    own = sum(len(path) - (episode.fork_turn or 0) for episode, path in zip(batch.episodes, batch.paths, strict=True))
    assert batch.generated == own + batch.extra >= 300
    assert (batch.extra > 0) == ("chain" in name)
    for path in batch.paths:
        for (number, action), (after, _) in pairwise(path):
            assert solved.tree.nodes[number].children[action] == after
        assert solved.tree.nodes[path[-1][0]].children[path[-1][1]] is None


@pytest.mark.parametrize("name", ["forks", "tree"])
def test_forks_carry_the_turns_of_their_parent(name: str, tools: Any) -> None:
    batch = getattr(sampling, name)(playing.Player(tools, 3), 300)
    by_id = {episode.id: episode for episode in batch.episodes}
    forked = [episode for episode in batch.episodes if episode.parent is not None]
    assert forked
    for episode in forked:
        parent = by_id[episode.parent]
        assert parent.group == episode.group
        assert parent.turns[: episode.fork_turn] == episode.turns[: episode.fork_turn]
    groups = [episode.group for episode in batch.episodes]
    sizes = {groups.count(group) for group in groups}
    assert sizes == {sampling.GROUP} if name == "forks" else max(sizes) == math.prod(sampling.BRANCHES)


def test_a_turn_says_what_the_policy_is(poker: Any) -> None:
    batch = sampling.independent(playing.Player(poker, 0, poker.value), 100)
    for episode, path in zip(batch.episodes, batch.paths, strict=True):
        for turn, (number, action) in zip(episode.turns, path, strict=True):
            chances = poker.policy[number]
            assert turn.logprobs == turn.train_logprobs == (math.log(chances[action]),)
            assert turn.squared_probs == pytest.approx((float((chances**2).sum()),))
            assert turn.token_entropy == pytest.approx((float(-(chances * np.log(chances)).sum()),))
            assert (turn.value, turn.token_values) == (poker.value(number), (poker.value(number),))
        assert sum(episode.returns.values()) == 0.0


def test_a_fitted_critic_is_the_mean_of_what_was_seen(tools: Any) -> None:
    value = sampling.fitted(playing.Player(tools, 0), 40_000)
    often = [number for number in range(len(tools.tree.nodes)) if tools.visits[number] > 0.1]
    wanted: dict[str, list[tuple[float, float]]] = {}
    for number, node in enumerate(tools.tree.nodes):
        wanted.setdefault(node.key, []).append((tools.visits[number], tools.value(number)))
    for number in often:
        rows = np.array(wanted[tools.tree.nodes[number].key])  # instances that look alike share a value
        assert value(number) == pytest.approx(float(rows[:, 0] @ rows[:, 1] / rows[:, 0].sum()), abs=0.04)


# --- figures --------------------------------------------------------------------------------------------------------


def rows_with(solved: Any, change: Any) -> list[Any]:
    """Batches whose estimates are a function of (exact advantages, nodes)."""
    found = []
    for seed in range(8):
        batch = sampling.independent(playing.Player(solved, seed), 300)
        truth = [[float(solved.advantages[number][action]) for number, action in path] for path in batch.paths]
        rows = measuring.rows_of(batch, truth, solved)
        found.append(rows._replace(estimates=change(rows.exact, rows.nodes)))
    return found


def test_a_multiple_of_the_truth_has_its_scale_and_no_bias_at_it(tools: Any) -> None:
    figures = measuring.measure(rows_with(tools, lambda truth, nodes: 4.0 * truth), measuring.Layout(tools))
    assert figures["scale"] == pytest.approx(0.25)
    assert (figures["bias"], figures["bias_scaled"]) == pytest.approx((3.0, 0.0), abs=1e-6)
    assert (figures["correlation"], figures["std"]) == pytest.approx((1.0, 0.0), abs=1e-6)
    assert figures["sign_errors"] == 0.0


def test_a_baseline_that_depends_on_the_state_alone_is_no_bias(tools: Any) -> None:
    baseline = np.linspace(-1.0, 1.0, len(tools.tree.nodes))
    compared = measuring.Comparison(
        rows_with(tools, lambda truth, nodes: truth + baseline[nodes]), measuring.Layout(tools)
    )
    found = compared.bias()
    assert found.z < 4.0
    assert found.size < 2.0 * found.noise


def test_the_opposite_of_the_truth_helps_at_no_scale(tools: Any) -> None:
    figures = measuring.measure(rows_with(tools, lambda truth, nodes: -truth), measuring.Layout(tools))
    assert (figures["scale"], figures["bias_scaled"], figures["sign_errors"]) == (0.0, 1.0, 1.0)
    assert figures["gradient_cosine"] < -0.5


def test_a_turn_that_is_left_out_counts_as_nothing_and_a_copy_not_at_all(tools: Any) -> None:
    batch = sampling.forks(playing.Player(tools, 0), 100)
    table = [[None] * len(path) for path in batch.paths]
    rows = measuring.rows_of(batch, table, tools)
    assert len(rows.nodes) == batch.generated
    assert not rows.estimates.any()
    per_token = [[(1.0, 3.0)] * len(path) for path in batch.paths]
    rows = measuring.rows_of(batch, per_token, tools)
    assert len(rows.nodes) == sum(len(path) for path in batch.paths)
    assert set(rows.estimates.tolist()) == {2.0}


def test_costs_follow_from_what_a_method_needs() -> None:
    forwards = {variant.name: variant.forwards() for variant in methods.VARIANTS}
    wanted = {"rloo": 0, "grpo": 0, "gae, fitted values": 1, "igpo": 1, "optimal token baseline": 1, "gigpo": 0}
    assert {name: forwards[name] for name in wanted} == wanted


@pytest.mark.parametrize(("size", "noise", "shown"), [(0.3, 0.05, True), (0.1, 0.05, False), (1e-9, 0.0, False)])
def test_a_mark_is_hollow_where_the_bias_is_no_accident(size: float, noise: float, shown: bool) -> None:
    assert plot.biased({"bias_scaled": size, "bias_scaled_noise": noise}) is shown
