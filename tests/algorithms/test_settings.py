"""What a run may be asked to do: every part is checked against the game before anything starts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from turnwise.agents.sampling import Sampling
from turnwise.algorithms.recipes import SFT, AlgorithmSettings, Magnet, Optimisation
from turnwise.algorithms.settings import (
    AgentSettings,
    EnvSettings,
    EvaluationSettings,
    ModelSettings,
    RunSettings,
    require_player,
)
from turnwise.envs.registry import UnknownEnv, make_game

KUHN = EnvSettings(id="KuhnPoker-LLM")


def test_a_run_is_named_after_its_game_and_recipe() -> None:
    assert RunSettings(env=KUHN, algorithm=AlgorithmSettings(name="x")).title == "kuhnpoker-x"
    assert RunSettings(env=KUHN, name="mine").title == "mine"


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"steps": 0}, "steps"),
        ({"seed": -1}, "seed"),
        ({"games_per_step": 12, "algorithm": AlgorithmSettings(group_size=5)}, "got 12 and 5"),
        ({"evaluation": EvaluationSettings(games=3)}, "evaluation.games is a multiple of 2"),
        ({"evaluation": EvaluationSettings(final_games=5)}, "evaluation.final_games is a multiple of 2"),
        ({"evaluation": EvaluationSettings(opponents=("random", "mcts"))}, "evaluation.opponents: mcts plays"),
        ({"evaluation": EvaluationSettings(opponents=("mcts(0)",))}, "evaluation.opponents: "),
        ({"agent": AgentSettings(opponent="nobody")}, "nor is there a folder of that name"),
        ({"model": ModelSettings(sft=SFT(teacher="nobody"))}, "model.sft.teacher: "),
    ],
)
def test_a_run_that_could_not_end_well_is_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=r".") as caught:
        RunSettings(env=KUHN, **settings)
    assert message in str(caught.value)


def test_a_game_nobody_plays_optimally_has_no_optimal_opponent() -> None:
    """Found out before the run, not when the opponent is first asked."""
    evaluation = EvaluationSettings(opponents=("optimal",))
    assert RunSettings(env=KUHN, evaluation=evaluation).evaluation.opponents == ("optimal",)
    with pytest.raises(ValueError, match=r"evaluation\.opponents: optimal play is known for kuhn_poker"):
        RunSettings(env=EnvSettings(id="LeducPoker-LLM"), evaluation=evaluation)


def test_a_folder_may_sit_opposite(tmp_path: Path) -> None:
    assert RunSettings(env=KUHN, agent=AgentSettings(opponent=str(tmp_path))).agent.opponent == str(tmp_path)


@pytest.mark.parametrize("name", ["random", "first_legal", "optimal", "mcts", "mcts(7)"])
def test_scripted_agents_play_tic_tac_toe(name: str) -> None:
    require_player(name, make_game("TicTacToe-LLM"), "who")


def test_a_game_and_its_arguments() -> None:
    with pytest.raises(UnknownEnv, match="KuhnPoker-LLM"):
        EnvSettings(id="KuhnPokr-LLM")
    with pytest.raises(ValueError, match=r"env\.kwargs does not fit Nim-LLM"):
        EnvSettings(id="Nim-LLM", kwargs={"colour": "red"})
    with pytest.raises(ValueError, match="forfeit"):
        EnvSettings(id="Nim-LLM", invalid="forfit")
    assert EnvSettings(id="Nim-LLM", max_turns=None).max_turns is None


def test_a_reply_of_full_length_leaves_room_for_a_prompt() -> None:
    with pytest.raises(ValueError, match="got 4096 and 4096"):
        AgentSettings(sampling=Sampling(max_tokens=4096))


def test_a_credit_method_gets_its_own_settings() -> None:
    settings = AlgorithmSettings(credit="rae", credit_settings={"decay": 0.5})
    assert settings.credit_record().decay == 0.5
    with pytest.raises(ValueError, match=r"there is no setting algorithm\.credit_settings\.decay"):
        AlgorithmSettings(credit="return", credit_settings={"decay": 0.5})


def test_the_pull_s_weight_and_the_step_s_size_over_a_run() -> None:
    magnet = Magnet(weight=0.4, final_weight=0.1, weight_hold=0.5, weight_shape="geometric")
    assert [magnet.weight_at(progress) for progress in (0.0, 0.5, 1.0)] == [0.4, 0.4, pytest.approx(0.1)]
    assert magnet.weight_at(0.75) == pytest.approx(0.2)  # halfway in the exponent
    assert magnet.needs_model
    assert not Magnet().needs_model
    assert not Magnet(weight=1.0, reference="uniform").needs_model
    step = Optimisation(learning_rate=0.1, final_learning_rate=0.0, warmup_steps=4)
    assert step.learning_rate_at(0.0, updates=0) == pytest.approx(0.025)
    assert step.learning_rate_at(0.0, updates=9) == pytest.approx(0.1)
    assert step.learning_rate_at(0.5, updates=9) == pytest.approx(0.05)
