"""One run of several games: shares, seats, baselines, figures and evaluation of each."""

from __future__ import annotations

import json
import sys
import types
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from turnwise.algorithms.checkpoint import load_checkpoint, newest
from turnwise.algorithms.compose import compose, dump_config, run_settings
from turnwise.algorithms.evaluation.folder import evaluate_folder, print_evaluation
from turnwise.algorithms.fit import require_fitting_games
from turnwise.algorithms.games import GameSettings, arms_of, of_game
from turnwise.algorithms.league import LEARNER
from turnwise.algorithms.matchmaker import Matchmaker
from turnwise.algorithms.needs import Unfit
from turnwise.algorithms.recipes import AlgorithmSettings
from turnwise.algorithms.reporting.runlog import read_metrics
from turnwise.algorithms.settings import AgentSettings, EnvSettings, RunSettings
from turnwise.algorithms.sft import scripted_games
from turnwise.algorithms.startup import fresh_policy
from turnwise.algorithms.trainer import train
from turnwise.envs.core import IllegalAction, Step, TextGame
from turnwise.envs.registry import GAMES, GameSpec

KUHN, TIC, NIM = "KuhnPoker-LLM", "TicTacToe-LLM", "Nim-LLM"
SMALL = (
    *("evaluation.games=12", "evaluation.final_games=12", "evaluation.every=0", "checkpoint_every=2"),
    *("model.sft.steps=40", "model.sft.games=100", "engine.device=cpu", "tensorboard=false"),
)


# --- who plays what --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("opponent", "games"), [("self", 4), ("random", 4), ("random", 5)])
def test_games_take_turns_and_so_do_the_seats_of_each(opponent: str, games: int) -> None:
    """Step by step equal shares, also where a step's groups cannot be shared out evenly."""
    env = EnvSettings(id=KUHN, others=(GameSettings(id=TIC), GameSettings(id=NIM)))
    settings = RunSettings(env=env, agent=AgentSettings(opponent=opponent), games_per_step=games)
    maker = Matchmaker(settings, arms_of(env.games, every_level=False), None)
    plans = [plan for step in range(6) for plan in maker.plans(step)]
    assert [plan.env_id for plan in plans[:7]] == [KUHN, TIC, NIM, KUHN, TIC, NIM, KUHN]
    assert set(Counter(plan.env_id for plan in plans).values()) == {6 * games // 3}
    assert maker.plans(5) == plans[5 * games :]
    if opponent == "random":
        seats = Counter((p.env_id, seat) for p in plans for seat, who in p.seats.items() if who == LEARNER)
        assert set(seats.values()) == {games}


def test_levels_are_arms_of_their_own() -> None:
    games = (
        GameSettings(id="Wordle-LLM", levels=("hard", "easy")),
        GameSettings(id=KUHN),
        GameSettings(id="Hangman-LLM"),
    )
    arms = arms_of(games, every_level=False)
    assert [arm.name for arm in arms] == ["Wordle-LLM:hard", "Wordle-LLM:easy", KUHN, "Hangman-LLM"]
    assert [arm.kwargs for arm in arms] == [{"level": "hard"}, {"level": "easy"}, {}, {}]
    assert [len(arm.seats) for arm in arms] == [1, 1, 2, 1]
    every = arms_of(games, every_level=True)
    assert [arm.name for arm in every][3:] == ["Hangman-LLM:easy", "Hangman-LLM:medium", "Hangman-LLM:hard"]


def test_scripted_play_is_of_every_game_in_turn() -> None:
    settings = run_settings(compose([f"env.others=[{TIC}]", *SMALL])).model.sft
    games = scripted_games(settings, [(KUHN, {"prompt": "compact"}), (TIC, {})], 3)
    assert [episode.env_id for episode in games[:4]] == [KUHN, TIC, KUHN, TIC]
    assert len(games) == 100
    assert games[0] == scripted_games(settings, [(KUHN, {"prompt": "compact"})], 3)[0]


def test_a_figure_names_its_measure_first_and_then_its_game() -> None:
    assert of_game({"not_lost": 1, "not_lost/random": 2}, TIC) == {f"not_lost/{TIC}": 1, f"not_lost/{TIC}/random": 2}
    assert of_game({"not_lost/random": 2}, "") == {"not_lost/random": 2}


# --- from the command line -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "word",
    [
        "env.others=[tic_tac_toe]",
        f"env.others=[{TIC}]",
        f"env.others=[{{id: {TIC}}}]",
        "env.others=[{id: tic_tac_toe}]",
    ],
)
def test_another_game_is_named_as_the_first_one_is(word: str) -> None:
    settings = run_settings(compose([word]))
    assert settings.env.others == (GameSettings(id=TIC, kwargs={"prompt": "compact"}),)
    assert settings.title == "kuhnpoker+tictactoe-spiral"


def test_what_is_given_of_another_game_wins() -> None:
    words = [
        "env=wordle",
        "env.others=[{id: hangman, kwargs: {level: hard}}, {id: Mastermind-LLM, levels: [easy, hard]}]",
    ]
    hangman, mastermind = run_settings(compose(words)).env.others
    assert hangman.kwargs["level"] == "hard"
    assert hangman.kwargs.keys() > {"level", "prompt"}
    assert mastermind.levels == ("easy", "hard")


def test_the_settings_that_were_written_down_are_the_same() -> None:
    import yaml

    config = compose(["experiment=kuhn_and_tic_tac_toe", "agent=league"])
    assert run_settings(yaml.safe_load(dump_config(config))) == run_settings(config)
    assert [game.id for game in run_settings(config).env.games] == [KUHN, TIC]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["env.others=[tic_tac]"], "env.others: no environment is called 'tic_tac'; did you mean 'TicTacToe-LLM'?"),
        (["env.others=[{id: TicTacTo-LLM}]"], "did you mean 'TicTacToe-LLM'?"),
        (["env.others=[{idd: Nim-LLM}]"], "there is no setting env.others[0].idd; did you mean 'id'?"),
        (["env.others=[{id: Nim-LLM, kwargs: {colour: red}}]"], "env.others[0]: kwargs does not fit Nim-LLM"),
        (["env.others=[3]"], "env.others[0] is a group of settings: got 3"),
        (["env.others=nim"], "env.others is of type tuple: got 'nim'"),
        (["env.others=[kuhn_poker]"], "each game of a run is named once: got KuhnPoker-LLM more often"),
        (["env=wordle", "env.levels=[brutal]"], "env.levels of Wordle-LLM are easy, medium, hard: got brutal"),
        (["env=wordle", "env.levels=[easy,easy]"], "env.levels names each level once"),
        (["env.levels=[easy]"], "KuhnPoker-LLM has no levels: got env.levels=easy"),
        (["env.others=[wordle]", "agent=fixed_opponent"], "needs games of several seats: Wordle-LLM has one"),
        (["env.others=[nim]", "evaluation.opponents=[optimal,first_legal]", "env=leduc_poker"], "evaluation.opponents"),
        (["env.others=[{id: KuhnPoker-LLM, kwargs: {players: 3}}]", "env=nim"], "a multiple of 3, the seats of Kuhn"),
    ],
)
def test_games_that_do_not_go_are_refused(words: list[str], message: str, refused: Callable[..., str]) -> None:
    assert message in refused("train", *words)


def test_a_recipe_must_fit_every_game() -> None:
    env = EnvSettings(id="Wordle-LLM", others=(GameSettings(id=KUHN),))
    settings = RunSettings(env=env, algorithm=AlgorithmSettings(credit="igpo", group_size=4), games_per_step=4)
    with pytest.raises(Unfit, match=r"credit 'igpo' needs .*, which KuhnPoker-LLM does not have"):
        require_fitting_games(settings)


# --- a run of two games ----------------------------------------------------------------------------------------------


class Killed(Exception):
    """What ends a run in the middle."""


TWO = ("experiment=kuhn_and_tic_tac_toe", "steps=5", "games_per_step=6", *SMALL)


@pytest.fixture(scope="module")
def two_games(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A complete run. To be read, not changed."""
    folder = tmp_path_factory.mktemp("two") / "run"
    folder.mkdir()
    config = compose(TWO)
    (folder / "config.yaml").write_text(dump_config(config))
    train(run_settings(config), folder)
    return folder


def test_every_game_and_role_has_its_own_baseline(two_games: Path) -> None:
    """After the first step each is the decayed mean of the returns of its own game and role, and of no other."""
    roles = {f"{game}|player_{seat}" for game in (KUHN, TIC) for seat in (0, 1)}
    state = load_checkpoint(two_games / "checkpoints/step-000005")["algorithm"]["credit.rae"]
    assert state["baselines"].keys() == roles
    assert set(state["counts"].values()) == {15}
    for record in read_metrics(two_games)[1:]:
        kuhn, tic = ([record[f"baseline/{game}|player_{seat}"] for seat in (0, 1)] for game in (KUHN, TIC))
        assert kuhn[0] == pytest.approx(-kuhn[1]) != tic[0]
        assert abs(kuhn[0]) <= 2 and abs(tic[0]) <= 1


def test_every_game_has_its_figures(two_games: Path) -> None:
    records = read_metrics(two_games)
    for record in records[1:]:
        assert "return/player_0" not in record
        for game in (KUHN, TIC):
            assert record[f"return/{game}/player_0"] == -record[f"return/{game}/player_1"]
            assert 0 <= record[f"invalid_rate/{game}"] <= 1
        assert 0 <= record["invalid_rate"] <= 1
    assert records[0]["eval"].keys() >= {"nash_conv", f"not_lost/{TIC}", f"not_lost/{TIC}/random"}
    assert "not_lost" not in records[0]["eval"]


def test_the_first_game_gives_the_headline_and_the_others_stand_beside_it(two_games: Path) -> None:
    summary = json.loads((two_games / "summary.json").read_text())
    assert (summary["env"], summary["other_games"]) == (KUHN, TIC)
    assert summary["nash_conv"] == read_metrics(two_games)[-1]["eval"]["nash_conv"]
    assert summary.keys() >= {"nash_conv_start", "nash_conv_best", f"not_lost/{TIC}", f"illegal_rate/{TIC}"}
    found = json.loads((two_games / "evaluation.json").read_text())
    assert len(found["policy"]) == 12
    assert found["others"][TIC]["win_rates"][0]["env_id"] == TIC
    games = [json.loads(line)["env_id"] for line in (two_games / "games.jsonl").read_text().splitlines()]
    assert Counter(games) == {KUHN: 6, TIC: 6}


def test_the_report_shows_both_games(two_games: Path) -> None:
    page = (two_games / "report.html").read_text()
    for text in (
        "random at TicTacToe-LLM",
        f"return/{KUHN}/player_0".removeprefix("return/"),
        "Games not lost, TicTacToe",
    ):
        assert text in page


def test_the_folder_is_judged_at_both_games(two_games: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = evaluate_folder(two_games, [], ["random"], 12)
    written = json.loads((two_games / "evaluation.json").read_text())
    assert found["nash_conv"] == pytest.approx(written["nash_conv"], abs=1e-6)
    mine, theirs = (of["others"][TIC]["win_rates"][0]["total"] for of in (found, written))
    assert mine["wins"] == theirs["wins"]
    print_evaluation(found, as_json=False)
    assert TIC in capsys.readouterr().out


def test_a_stopped_run_of_two_games_goes_on_as_one_left_alone(
    two_games: Path, tmp_path: Path, fingerprint: Callable[[Path], dict[str, Any]]
) -> None:
    def stop(record: dict[str, Any]) -> None:
        if record["step"] == 3:
            raise Killed

    with pytest.raises(Killed):
        train(run_settings(compose(TWO)), tmp_path, observe=stop)
    train(run_settings(compose(TWO)), tmp_path)
    assert fingerprint(tmp_path) == fingerprint(two_games)


def test_replies_that_will_be_cut_are_told_before_training() -> None:
    said: list[str] = []
    words = ["env=tic_tac_toe", "env.others=[kuhn_poker]", "agent.sampling.max_tokens=2", *SMALL, "model.sft.steps=1"]
    fresh_policy(run_settings(compose(words)), said.append)
    told = [line for line in said if "agent.sampling.max_tokens=2 cuts them" in line]
    assert any(KUHN in line for line in told)


# --- seats: three of them, and others than player_0 and player_1 -----------------------------------------------------


@pytest.mark.parametrize("agent", ["self_play", "fixed_opponent"])
def test_rae_trains_a_game_of_three_seats(agent: str, tmp_path: Path) -> None:
    words = ["env.kwargs.players=3", f"agent={agent}", "steps=2", "games_per_step=12", *SMALL]
    summary = train(run_settings(compose(words)), tmp_path)
    assert summary["turns"] >= 24
    last = newest(tmp_path)
    assert last is not None
    state = load_checkpoint(last)["algorithm"]["credit.rae"]
    roles = {f"{KUHN}|player_{seat}" for seat in range(3)}
    others = {f"{role}|others" for role in roles} if agent == "fixed_opponent" else set()
    assert state["baselines"].keys() == roles | others
    alone, against = (state["counts"].get(f"{KUHN}|player_0{end}", 0) for end in ("", "|others"))
    assert (alone, against) == ((24, 0) if agent == "self_play" else (8, 16))


class Riddle(TextGame):
    """The teller names a digit, the guesser repeats it; both are paid, the guesser more."""

    seats = ("teller", "guesser")
    utility_bounds = (0.0, 2.0)

    def start(self, rng: np.random.Generator) -> None:
        self.said, self.seat = "", "teller"

    def observe(self, seat: str) -> str:
        return "name a digit" if seat == "teller" else f"it was {self.said}"

    def legal(self) -> Sequence[str]:
        return ("0", "1")

    def play(self, action: str) -> Step:
        if action not in self.legal():
            raise IllegalAction("0 or 1")
        if self.seat == "teller":
            self.said, self.seat = action, "guesser"
            return Step({})
        self.seat = None
        return Step({"teller": 1.0, "guesser": 2.0 * (action == self.said)}, terminated=True)


@pytest.fixture
def riddle(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    module = types.ModuleType("riddle")
    module.Riddle = Riddle  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "riddle", module)
    spec = GameSpec(id="Riddle-LLM", entry_point="riddle:Riddle")
    monkeypatch.setitem(GAMES, spec.id, spec)
    yield spec.id


def test_roles_that_differ_have_their_own_names_and_baselines(riddle: str, tmp_path: Path) -> None:
    words = [
        f"env={riddle}",
        f"env.others=[{KUHN}]",
        "steps=2",
        "games_per_step=8",
        "agent.sampling.max_tokens=8",
        *SMALL,
    ]
    train(run_settings(compose(words)), tmp_path)
    record = read_metrics(tmp_path)[-1]
    names = {"teller", "guesser"}
    assert {f"return/{riddle}/{name}" for name in names} <= record.keys()
    assert {f"baseline/{riddle}|{name}" for name in names} <= record.keys()
    assert f"baseline/{KUHN}|player_0" in record
    assert not any(
        name.startswith("baseline/") and name.endswith(("|player_2", f"{riddle}|player_0")) for name in record
    )
