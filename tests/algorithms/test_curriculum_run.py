"""A run whose games and levels are drawn by a bandit: what teaches more is played more."""

from __future__ import annotations

import sys
import types
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from turnwise.algorithms.algorithm import Judged
from turnwise.algorithms.checkpoint import load_checkpoint
from turnwise.algorithms.compose import compose, run_settings
from turnwise.algorithms.curriculum import CurriculumSettings
from turnwise.algorithms.games import arms_of
from turnwise.algorithms.matchmaker import Matchmaker
from turnwise.algorithms.needs import Unfit
from turnwise.algorithms.recipes import AlgorithmSettings
from turnwise.algorithms.reporting.runlog import read_metrics
from turnwise.algorithms.samples import DEMONSTRATION
from turnwise.algorithms.settings import EnvSettings, RunSettings
from turnwise.algorithms.trainer import train
from turnwise.envs.core import IllegalAction, Step, TextGame
from turnwise.envs.registry import GAMES, GameSpec
from turnwise.records import Episode

SMALL = (
    *("evaluation.games=4", "evaluation.final_games=4", "evaluation.every=0", "checkpoint_every=3"),
    *("model.sft.steps=60", "model.sft.games=200", "model.tiny.init_std=0.1", "engine.device=cpu", "tensorboard=false"),
)


class Gift(TextGame):
    """At level `given` every legal reply is worth 1; at level `earned` only the digit that was read."""

    seats = ("player_0",)
    utility_bounds = (0.0, 1.0)
    levels = ("given", "earned")

    def __init__(self, level: str = "given") -> None:
        self.level = level

    def start(self, rng: np.random.Generator) -> None:
        self.digit, self.seat = str(rng.integers(3)), "player_0"

    def observe(self, seat: str) -> str:
        return f"digit {self.digit} {self.level}"

    def legal(self) -> Sequence[str]:
        return ("0", "1", "2")

    def play(self, action: str) -> Step:
        if action not in self.legal():
            raise IllegalAction("a digit from 0 to 2")
        self.seat = None
        return Step({"player_0": float(self.level == "given" or action == self.digit)}, terminated=True)


@pytest.fixture(scope="module")
def gift() -> Iterator[str]:
    with pytest.MonkeyPatch.context() as patch:
        module = types.ModuleType("gift")
        module.Gift = Gift  # type: ignore[attr-defined]
        patch.setitem(sys.modules, "gift", module)
        spec = GameSpec(id="Gift-LLM", entry_point="gift:Gift")
        patch.setitem(GAMES, spec.id, spec)
        yield spec.id


def words(env_id: str, *more: str) -> list[str]:
    rest = ("algorithm=sec", "curriculum.temperature=0.25", "algorithm.group_size=4", "games_per_step=32", "steps=8")
    return [f"env={env_id}", *rest, *SMALL, *more]


@pytest.fixture(scope="module")
def sec_run(gift: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A complete run. To be read, not changed."""
    folder = tmp_path_factory.mktemp("sec")
    train(run_settings(compose(words(gift))), folder)
    return folder


def test_what_teaches_more_is_drawn_more(sec_run: Path) -> None:
    """Where every reply is worth the same there is nothing to learn: its advantages are 0."""
    records = read_metrics(sec_run)[1:]
    first, last = records[0], records[-1]
    assert first["curriculum/chance/Gift-LLM:given"] == first["curriculum/chance/Gift-LLM:earned"] == 0.5
    assert last["curriculum/chance/Gift-LLM:earned"] > 0.8
    assert last["curriculum/value/Gift-LLM:earned"] > last["curriculum/value/Gift-LLM:given"]
    for record in records:
        assert record["curriculum/chance/Gift-LLM:given"] + record[
            "curriculum/chance/Gift-LLM:earned"
        ] == pytest.approx(1)


def test_every_level_is_judged(sec_run: Path) -> None:
    for evaluation in (read_metrics(sec_run)[0]["eval"], read_metrics(sec_run)[-1]["eval"]):
        assert evaluation.keys() >= {"mean_return", "mean_return/Gift-LLM:earned"}


def test_the_bandit_is_in_the_checkpoint(sec_run: Path) -> None:
    state = load_checkpoint(sec_run / "checkpoints/step-000008")["matchmaker"]["bandit"]
    last = read_metrics(sec_run)[-1]
    assert state["q"] == {name: last[f"curriculum/value/{name}"] for name in ("Gift-LLM:given", "Gift-LLM:earned")}
    assert state["returns"].keys() == state["q"].keys()


def test_a_stopped_curriculum_goes_on_as_one_left_alone(
    gift: str, sec_run: Path, tmp_path: Path, fingerprint: Callable[[Path], dict[str, Any]]
) -> None:
    class Killed(Exception):
        pass

    def stop(record: dict[str, Any]) -> None:
        if record["step"] == 5:
            raise Killed

    with pytest.raises(Killed):
        train(run_settings(compose(words(gift))), tmp_path, observe=stop)
    train(run_settings(compose(words(gift))), tmp_path)
    assert fingerprint(tmp_path) == fingerprint(sec_run)


def test_games_are_arms_too(tmp_path: Path) -> None:
    given = ["curriculum=sec", "env.others=[tic_tac_toe]", "steps=2", "games_per_step=8", *SMALL]
    train(run_settings(compose(given)), tmp_path)
    chances = {n: v for n, v in read_metrics(tmp_path)[-1].items() if n.startswith("curriculum/chance/")}
    assert chances.keys() == {"curriculum/chance/KuhnPoker-LLM", "curriculum/chance/TicTacToe-LLM"}
    assert sum(chances.values()) == pytest.approx(1.0)


# --- by hand ----------------------------------------------------------------------------------------------------------


def matchmaker(gift: str) -> Matchmaker:
    settings = RunSettings(
        env=EnvSettings(id=gift),
        algorithm=AlgorithmSettings(group_size=2),
        curriculum=CurriculumSettings(learning_rate=0.5),
        games_per_step=8,
    )
    return Matchmaker(settings, arms_of(settings.env.games, every_level=True), None)


def judged(maker: Matchmaker, episode: Callable[..., Episode]) -> Judged:
    """Two games at `given` of advantage 1 and -3, one demonstration at `earned`."""
    given, earned = maker.arms
    at = {"env_id": given.id, "group": "g"}
    shown = {"env_id": earned.id, "env_kwargs": earned.kwargs, "metadata": {DEMONSTRATION: True}}
    episodes = [
        *(episode("0", {"0": 1.0}, env_kwargs=given.kwargs, **at) for _ in range(2)),
        episode("0", {"0": 1.0}, **shown),
    ]
    return Judged(episodes, [[1.0], [-3.0], [1.0]], None, {})


def test_arms_learn_from_the_size_of_advantages(gift: str, episode: Callable[..., Episode]) -> None:
    """(|1| + |-3|) / 2 = 2, of which an update takes half; demonstrations count for nothing."""
    maker = matchmaker(gift)
    found = judged(maker, episode)
    figures = maker.after_step(1, found.episodes, found)
    assert maker.bandit["q"] == {"Gift-LLM:given": 1.0, "Gift-LLM:earned": 0.0}
    assert figures["curriculum/value/Gift-LLM:given"] == 1.0
    assert figures["curriculum/chance/Gift-LLM:given"] == 0.5  # by which this step was drawn
    other = matchmaker(gift)
    other.load(maker.state())
    assert other.plans(7) == maker.plans(7)
    assert other.plans(7) != matchmaker(gift).plans(7)


def test_a_group_is_of_one_arm_and_a_step_follows_from_its_number(gift: str) -> None:
    maker = matchmaker(gift)
    plans = [plan for step in range(40) for plan in maker.plans(step)]
    by_group = {plan.group: set() for plan in plans}
    for plan in plans:
        by_group[plan.group].add(plan.env_kwargs["level"])
    assert {len(levels) for levels in by_group.values()} == {1}
    shares = Counter(plan.env_kwargs["level"] for plan in plans)
    assert abs(shares["given"] / len(plans) - 0.5) < 0.16  # 4 standard deviations of 160 groups
    assert maker.plans(3) == maker.plans(3)
    assert [plan.env_kwargs for plan in maker.plans(3)] != [plan.env_kwargs for plan in maker.plans(4)]
    assert not {plan.seed for plan in maker.plans(3, attempt=1)} & {plan.seed for plan in maker.plans(3)}


# --- refusals ---------------------------------------------------------------------------------------------------------


def test_a_single_arm_is_no_choice(gift: str, tmp_path: Path) -> None:
    settings = run_settings(compose(["algorithm=sec", *SMALL]))
    with pytest.raises(Unfit, match=r"got KuhnPoker-LLM alone; name more in env\.others .* with levels: [A-Z]"):
        train(settings, tmp_path)
    settings = run_settings(compose(words(gift, "env.levels=[earned]")))
    with pytest.raises(Unfit, match="got Gift-LLM:earned alone"):
        train(settings, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_an_impossible_curriculum_is_refused(refused: Callable[..., str]) -> None:
    centred = ["env=wordle", "curriculum=sec", "curriculum.signal=centred"]
    assert "curriculum.signal=centred compares episodes of one group" in refused("train", *centred)
    assert "did you mean 'softmax'?" in refused("train", "env=wordle", "curriculum=sec", "curriculum.rule=softmx")
    assert "there is no curriculum called 'sce'; did you mean 'sec'?" in refused("train", "curriculum=sce")
