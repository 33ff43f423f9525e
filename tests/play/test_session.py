"""One person against agents: what is told, what is refused, what is written down."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest

from turnwise.agents.engine import AgentFailure
from turnwise.agents.human import HumanAgent
from turnwise.agents.rollout import Rollout
from turnwise.agents.scripted import scripted_agent
from turnwise.envs.registry import make_game
from turnwise.parquet import read_parquet
from turnwise.play.session import NotNow, Session, State
from turnwise.play.setup import Setup, again, prepare, read_kwargs, read_opponents
from turnwise.records import Episode, Reply, Request

WAIT_S = 60.0


class Saying:
    """An agent that says these texts in turn, the last one again and again."""

    def __init__(self, *texts: str | Exception) -> None:
        self.name, self.texts, self.closed = "saying", list(texts), 0

    def act(self, requests: Sequence[Request]) -> list[Reply]:
        text = self.texts.pop(0) if len(self.texts) > 1 else self.texts[0]
        if isinstance(text, Exception):
            raise text
        return [Reply(text=text) for _ in requests]

    def close(self) -> None:
        self.closed += 1


def against(monkeypatch: pytest.MonkeyPatch, agent: object) -> None:
    monkeypatch.setattr("turnwise.play.setup.load_opponent", lambda *_: agent)


def play_out(session: Session, choose: Callable[[State], str]) -> State:
    """Play to the end."""
    while not (state := session.wait(WAIT_S)).over:
        assert state.asked
        session.act(choose(state))
    return state


def first_move(state: State) -> str:
    assert state.legal
    return f"[{state.legal[0]}]"


def finished(session: Session) -> Episode:
    assert session.failure is None
    assert session.episode is not None
    return session.episode


@pytest.mark.parametrize("opponent", ["random", "first_legal", "optimal", "mcts(5)"])
def test_a_whole_game_is_played_and_saved_as_an_episode(opponent: str, tmp_path: Path) -> None:
    session = Session(Setup(game="TicTacToe-LLM", seat="1", seed=4, opponents=opponent), folder=tmp_path)
    state = play_out(session, first_move)
    episode = finished(session)
    assert state.saved is not None
    assert read_parquet(state.saved) == [episode]
    assert state.saved.parent == tmp_path / "episodes"
    assert dict(episode.seats) == {"player_0": opponent, "player_1": "human"}
    assert (episode.status, episode.seed, episode.metadata["kind"]) == ("ok", 4, "play")
    assert state.returns == episode.returns
    gained = episode.returns["player_1"]
    assert state.outcome == ("win" if gained > 0 else "loss" if gained < 0 else "draw")
    assert [turn.seat for turn in episode.turns[:3]] == ["player_0", "player_1", "player_0"]


@pytest.mark.parametrize(
    ("game", "seat"), [("KuhnPoker-LLM", "0"), ("Goofspiel-LLM", "1"), ("Sokoban-LLM", "0"), ("Wordle-LLM", "0")]
)
def test_the_episode_is_the_one_that_the_rollout_would_have_recorded(game: str, seat: str) -> None:
    session = Session(Setup(game=game, seat=seat, seed=11, opponents="random"))
    words = iter(["[nonsense]", "[crane]", "[moist]", "[lucky]", "[bread]", "[flash]", "[windy]"])
    state = play_out(session, lambda state: first_move(state) if state.legal else next(words))
    episode = finished(session)
    texts = iter([turn.text for turn in episode.turns if turn.seat == session.seat])
    agents = {"human": HumanAgent(lambda _: next(texts)), "random": scripted_agent("random")}
    (again_,) = Rollout(agents, invalid="noop").collect([session.plan])
    assert [dataclasses.replace(turn, seconds=None) for turn in episode.turns] == [
        dataclasses.replace(turn, seconds=None) for turn in again_.turns
    ]
    assert dataclasses.replace(episode, turns=(), metadata={}) == dataclasses.replace(again_, turns=(), metadata={})
    assert state.returns == again_.returns
    if game == "Wordle-LLM":
        assert episode.turns[0].status == "illegal"


def test_what_is_no_action_is_refused_with_the_reason_and_costs_nothing() -> None:
    session = Session(Setup(game="TicTacToe-LLM", seat="0", seed=0, opponents="random"))
    before = session.wait(WAIT_S)
    for text, reason in [("hello", "no action was found in it"), ("[9]", "'9' is not a legal move now")] * 3:
        session.act(text)
        state = session.wait(WAIT_S)
        assert state.error is not None
        assert reason in state.error
        assert (state.asked, state.legal, state.board) == (True, before.legal, before.board)
        assert state.messages[0] == before.messages[0]
        assert state.messages[-1][1] == f"Your last reply was not valid: {state.error}. Reply again."
    session.act("[4]")
    state = session.wait(WAIT_S)
    assert (state.error, state.legal is not None and "4" in state.legal) == (None, False)
    assert session.leave(WAIT_S).returns == {"player_0": 0.0, "player_1": 0.0}
    statuses = [turn.status for turn in finished(session).turns]
    assert statuses[:7] == ["unparsable", "illegal"] * 3 + ["ok"]


def test_an_agents_invalid_replies_fall_under_the_rule_of_the_setup(monkeypatch: pytest.MonkeyPatch) -> None:
    against(monkeypatch, Saying("?", "??", "???"))
    session = Session(Setup(game="KuhnPoker-LLM", seat="1", seed=0, invalid="retry(2)"))
    state = session.wait(WAIT_S)
    assert state.over
    assert [turn.status for turn in finished(session).turns] == ["unparsable"] * 3
    assert (state.outcome, state.returns) == ("win", {"player_0": -2.0, "player_1": 2.0})
    assert "player_0 forfeited it" in state.messages[-1][1]


def test_a_person_is_told_what_their_seat_reads_and_nothing_else() -> None:
    for seed in range(12):
        session = Session(Setup(game="KuhnPoker-LLM", seat="0", seed=seed, opponents="random"))
        state = session.wait(WAIT_S)
        game = make_game("KuhnPoker-LLM")
        game.start(np.random.default_rng(seed))
        assert state.messages == (("environment", game.observe("player_0")),)
        shown = str(session.to_dict() | {"messages": state.messages[0][1].partition("You are player_0.")[2]})
        for secret in game.secrets("player_1"):
            assert secret not in shown
        session.leave(WAIT_S)


def test_choices_of_games_that_move_at_once_are_not_shown_before_all_have_chosen(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seen = []
    for choice in ("[1]", "[13]"):
        against(monkeypatch, Saying(choice))
        session = Session(Setup(game="Goofspiel-LLM", seat="1", seed=5))
        state = session.wait(WAIT_S)
        seen.append((state.messages, state.board, state.legal))
        session.leave(WAIT_S)
    assert seen[0] == seen[1]


def test_a_game_can_be_left_and_is_saved_as_truncated(tmp_path: Path) -> None:
    session = Session(Setup(game="ConnectFour-LLM", seat="0", seed=1, opponents="random"), folder=tmp_path)
    session.wait(WAIT_S)
    session.act("[3]")
    session.wait(WAIT_S)
    state = session.leave(WAIT_S)
    assert (state.over, state.asked, state.outcome) == (True, False, "truncated")
    assert state.saved is not None
    (episode,) = read_parquet(state.saved)
    assert (episode.status, len(episode.turns)) == ("truncated", 2)
    with pytest.raises(NotNow, match="the game is over"):
        session.act("[3]")
    assert session.leave(WAIT_S) == state


def test_a_game_in_which_nothing_was_played_is_not_saved(tmp_path: Path) -> None:
    session = Session(Setup(game="ConnectFour-LLM", seat="0", seed=1), folder=tmp_path)
    assert session.leave(WAIT_S).saved is None
    assert list(tmp_path.iterdir()) == []


def test_what_is_no_reply_is_not_taken() -> None:
    session = Session(Setup(game="KuhnPoker-LLM", seat="0", seed=1))
    session.wait(WAIT_S)
    with pytest.raises(NotNow, match="needs some text"):
        session.act(" \n")
    with pytest.raises(NotNow, match="at most 20,000 characters: got 20,001"):
        session.act("x" * 20_001)
    with pytest.raises(NotNow, match="text in UTF-8"):
        session.act("\ud800")
    session.leave(WAIT_S)


def test_a_transcript_that_cannot_be_saved_is_told_of(tmp_path: Path) -> None:
    (tmp_path / "episodes").write_text("in the way")
    session = Session(Setup(game="KuhnPoker-LLM", seat="0", seed=1), folder=tmp_path)
    state = play_out(session, first_move)
    assert (state.over, state.saved, state.outcome) == (True, None, "loss")
    assert state.error is not None
    assert state.error.startswith("the transcript could not be saved: ")


def test_an_agent_that_fails_ends_the_game_without_a_verdict(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    against(monkeypatch, Saying(AgentFailure("the server is gone", "timeout")))
    session = Session(Setup(game="KuhnPoker-LLM", seat="0", seed=1), folder=tmp_path)
    state = play_out(session, first_move)
    assert (state.outcome, finished(session).status) == ("failed", "timeout")
    assert state.messages[-1][1] == "The game was stopped: the server is gone"
    assert state.saved is not None


def test_an_agent_that_breaks_is_told_of(monkeypatch: pytest.MonkeyPatch) -> None:
    agent = Saying(ZeroDivisionError("by nought"))
    against(monkeypatch, agent)
    session = Session(Setup(game="KuhnPoker-LLM", seat="1", seed=1))
    state = session.wait(WAIT_S)
    session.leave(WAIT_S)
    assert agent.closed == 1
    assert (state.over, state.outcome, state.error) == (True, "failed", "ZeroDivisionError: by nought")
    assert isinstance(session.failure, ZeroDivisionError)


def test_a_game_of_many_seats_has_an_agent_at_each_other_one() -> None:
    seats = {"player_0": "first_legal", "player_2": "random"}
    session = Session(
        Setup(game="KuhnPoker-LLM", kwargs={"players": 3}, seat="player_1", opponents=seats, seed=3),
    )
    play_out(session, first_move)
    episode = finished(session)
    assert dict(episode.seats) == {"player_0": "first_legal", "player_1": "human", "player_2": "random"}
    assert episode.env_kwargs == {"players": 3}


def test_a_person_calls_a_tool_and_answers() -> None:
    session = Session(Setup(game="McpTools-LLM", seed=2))
    state = session.wait(WAIT_S)
    assert state.tools
    assert state.legal is None
    session.act("I do not know.")
    refused = session.wait(WAIT_S)
    assert refused.error
    session.act('<tool_call>{"name": "no_such_tool", "arguments": {}}</tool_call>')
    assert session.wait(WAIT_S).error
    session.act("<answer>42</answer>")
    state = session.wait(WAIT_S)
    assert (state.over, [turn.status for turn in finished(session).turns]) == (True, ["illegal", "illegal", "ok"])


@pytest.mark.parametrize(
    ("wanted", "reason"),
    [
        (Setup(game="KuhnPoker"), "did you mean 'KuhnPoker-LLM'"),
        (Setup(game="KuhnPoker-LLM", seat="2"), r"player_0, player_1 \(0 to 1\), or random: got '2'"),
        (Setup(game="KuhnPoker-LLM", seed=-1), "at least 0: got -1"),
        (Setup(game="KuhnPoker-LLM", opponents="rando"), "did you mean 'random'"),
        (Setup(game="KuhnPoker-LLM", opponents="human"), "you are the only person"),
        (Setup(game="KuhnPoker-LLM", opponents="mcts"), "perfect information"),
        (Setup(game="Chess-LLM", opponents="optimal"), "optimal play is known for"),
        (Setup(game="KuhnPoker-LLM", opponents={"player_9": "random"}, seat="0"), "missing \\['player_1'\\]"),
        (Setup(game="KuhnPoker-LLM", kwargs={"decks": 2}), "does not fit KuhnPoker-LLM"),
        (Setup(game="KuhnPoker-LLM", invalid="shrug"), "no invalid-action policy"),
    ],
)
def test_a_setup_that_does_not_fit_is_refused(wanted: Setup, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        prepare(wanted)


def test_the_next_game_is_played_from_the_next_seat() -> None:
    first = Setup(game="KuhnPoker-LLM", seat="1", opponents={"player_0": "optimal"}, seed=5)
    second = again(first, prepare(first))
    assert (second.seat, second.opponents, second.seed) == ("player_0", {"player_1": "optimal"}, None)
    assert again(dataclasses.replace(first, opponents="optimal"), prepare(first)).opponents == "optimal"


def test_the_random_seat_follows_from_the_seed() -> None:
    seats = [prepare(Setup(game="KuhnPoker-LLM", seat="random", seed=seed)).seat for seed in range(20)]
    assert seats == [prepare(Setup(game="KuhnPoker-LLM", seat="random", seed=seed)).seat for seed in range(20)]
    assert set(seats) == {"player_0", "player_1"}


def test_words_of_the_command_line() -> None:
    assert read_opponents(["mcts(5)"]) == "mcts(5)"
    assert read_opponents(["player_1=a", "player_2=runs/b=c"]) == {"player_1": "a", "player_2": "runs/b=c"}
    assert read_kwargs(["players=3", "prompt=compact", "flags=false"]) == {
        "players": 3,
        "prompt": "compact",
        "flags": False,
    }
    with pytest.raises(ValueError, match="once for each other seat"):
        read_opponents(["player_1=a", "random"])
    with pytest.raises(ValueError, match="KEY=VALUE"):
        read_kwargs(["players"])
