"""What is hidden stays hidden.

A random history is changed at one point that a seat did not decide: another card, another move of somebody else.
Where OpenSpiel's own strings of that seat stay the same at every step, the seat must read the same from us.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pyspiel
import pytest

from turnwise.envs.openspiel import OpenSpielGame
from turnwise.envs.openspiel.imperfect import negotiation, universal_poker
from turnwise.envs.openspiel.texts import SpielState
from turnwise.envs.registry import make_game


def never(state: SpielState) -> bool:
    return False


def always(state: SpielState) -> bool:
    return True


def folded(state: SpielState) -> bool:
    last = state.full_history()[-1]
    return bool(last.player >= 0 and last.action == 0)


def nobody_knocked(state: SpielState) -> bool:
    return all(move.action != 55 for move in state.full_history() if move.player >= 0)


FEW = {"num_ranks": 5, "num_suits": 3, "hand_size": 3, "knock_card": 3}
SHIPS = {"board_height": 3, "board_width": 3, "num_shots": 5, "ship_sizes": "[1;2]", "ship_values": "[1.0;1.0]"}
CASES: list[tuple[str, dict[str, Any], Callable[[SpielState], bool], int]] = [
    ("GinRummy-LLM", {}, nobody_knocked, 20),
    ("GinRummy-LLM", FEW, nobody_knocked, 40),
    ("Hanabi-LLM", {}, never, 30),
    ("Hanabi-LLM", {"players": 3, "colors": 3, "max_life_tokens": 20}, never, 30),
    ("Goofspiel-LLM", {"num_cards": 5, "imp_info": True}, always, 30),
    ("Goofspiel-LLM", {"num_cards": 4, "imp_info": True, "players": 3}, always, 30),
    ("Goofspiel-LLM", {"num_cards": 4}, never, 20),
    ("FirstSealedAuction-LLM", {"players": 3}, never, 60),
    ("CoinGame-LLM", {"rows": 3, "columns": 3, "num_coins_per_color": 1, "num_extra_coin_colors": 2}, never, 20),
    ("Battleship-LLM", SHIPS, never, 40),
    ("DarkHex-LLM", {}, never, 60),
    ("DarkHex-LLM", {"gameversion": "adh", "obstype": "reveal-numturns"}, never, 40),
    ("PhantomTicTacToe-LLM", {}, never, 60),
    ("PhantomTicTacToe-LLM", {"gameversion": "abrupt", "obstype": "reveal-numturns"}, never, 40),
    ("PrisonersDilemma-LLM", {}, always, 20),
    ("MatrixGame-LLM", {"game": "matching_pennies_3p", "rounds": 3}, always, 20),
    ("UniversalPoker-LLM", {}, folded, 60),
    ("UniversalPoker-LLM", {"variant": "small limit"}, folded, 60),
    ("UniversalPoker-LLM", {"variant": "holdem"}, folded, 40),
    ("UniversalPoker-LLM", {"variant": "limit holdem"}, folded, 40),
]
"""(id, arguments, whether a final state reveals no more than OpenSpiel's strings, pairs that have to be found)."""


def path(state: SpielState, player: int) -> str:
    """What OpenSpiel tells the player of a state, and whether it is its turn."""
    kind = state.get_game().get_type()
    text = f"{state.current_player() == player} "
    text += state.information_state_string(player) if kind.provides_information_state_string else ""
    return text + (state.observation_string(player) if kind.provides_observation_string else "")


def replayed(game: Any, history: list[int]) -> list[SpielState] | None:
    """The states on the way of a history, or None where it is not legal."""
    states = [game.new_initial_state()]
    for action in history:
        if states[-1].is_terminal() or action not in states[-1].legal_actions():
            return None
        states.append(states[-1].child(action))
    return states


def read(game: OpenSpielGame, history: list[int], player: int) -> list[str]:
    """Everything that the player reads on the way, at its own turns and at the end, and the board in the end."""
    seat, texts = game.seats[player], []
    game.begin()
    for action in history:
        if game.seat == seat:
            texts += [game.observe(seat), *game.legal()]
        game.apply(action)
    return [*texts, game.observe(seat), game.board(seat)]


def pairs(
    game: OpenSpielGame, quiet: Callable[[SpielState], bool], rng: np.random.Generator, tries: int
) -> Iterator[tuple[list[int], list[int], int]]:
    """(history, changed history, player who cannot tell them apart)."""
    for _ in range(tries):
        game.start(rng)
        for _ in range(int(rng.integers(1, 14))):
            if game.seat is not None:
                names = game.legal()
                game.play(names[int(rng.integers(len(names)))])
        history, last = game.state.history(), game.state
        if last.is_terminal() and not quiet(last):
            continue
        player = int(rng.integers(len(game.seats)))
        states = replayed(game.spiel_game, history)
        assert states is not None
        places = [index for index, state in enumerate(states[:-1]) if state.current_player() != player]
        for place in rng.permutation(places)[:6]:
            others = [action for action in states[place].legal_actions() if action != history[place]]
            if not others:
                continue
            changed = [*history[:place], others[int(rng.integers(len(others)))], *history[place + 1 :]]
            after = replayed(game.spiel_game, changed)
            if after is None or after[-1].is_terminal() != last.is_terminal():
                continue
            if all(path(one, player) == path(two, player) for one, two in zip(states, after, strict=True)):
                yield history, changed, player


@pytest.mark.parametrize(("env_id", "kwargs", "quiet", "wanted"), CASES)
def test_a_seat_cannot_tell_what_openspiel_hides(
    env_id: str, kwargs: dict[str, Any], quiet: Callable[[SpielState], bool], wanted: int
) -> None:
    full, compact = (make_game(env_id, prompt=prompt, **kwargs) for prompt in ("full", "compact"))
    assert isinstance(full, OpenSpielGame)
    assert isinstance(compact, OpenSpielGame)
    found = 0
    for history, changed, player in pairs(full, quiet, np.random.default_rng(11), tries=30 * wanted):
        for game in (full, compact):
            assert read(game, history, player) == read(game, changed, player), (history, changed, player)
        found += 1
        if found == wanted:
            return
    assert found == wanted


def test_bargaining_hides_the_other_players_values() -> None:
    """Two instances of one pool with the same values for one player read the same to it, whatever is offered."""
    game = make_game("Bargaining-LLM")
    assert isinstance(game, OpenSpielGame)
    root = game.spiel_game.new_initial_state()
    rng, found = np.random.default_rng(3), 0
    for player in (0, 1):
        alike: dict[str, list[int]] = {}
        for instance in root.legal_actions():
            alike.setdefault(root.child(instance).observation_string(player), []).append(instance)
        for one, two, *_ in [group for group in alike.values() if len(group) > 1][:10]:
            state = root.child(one)
            while not state.is_terminal():
                state.apply_action(int(rng.choice(state.legal_actions())))
            history = state.history()
            assert read(game, history[:-1], player) == read(game, [two, *history[1:-1]], player)
            found += 1
    assert found == 20


SECRETIVE = [case for case in CASES if case[0] not in ("PrisonersDilemma-LLM", "MatrixGame-LLM")]


@pytest.mark.parametrize(
    ("env_id", "kwargs"), [(case[0], case[1]) for case in SECRETIVE] + [("Negotiation-LLM", {}), ("Bargaining-LLM", {})]
)
@pytest.mark.parametrize("prompt", ["full", "compact"])
def test_secrets_are_read_by_their_owner_alone(env_id: str, kwargs: dict[str, Any], prompt: str) -> None:
    game = make_game(env_id, prompt=prompt, **kwargs)
    if not game.has_secrets:
        assert env_id == "Goofspiel-LLM"
        assert "imp_info" not in kwargs
        return
    rng, own = np.random.default_rng(5), 0
    for _ in range(6):
        game.start(rng)
        known = dict.fromkeys(game.seats, "")
        for _ in range(40):
            for seat in game.seats:
                known[seat] += f"\n{game.observe(seat)}\n{game.board(seat)}"
            for seat in game.seats:
                for secret in game.secrets(seat):
                    own += secret in known[seat]
                    assert all(secret not in known[other] for other in game.seats if other != seat), secret
            if game.seat is None:
                break
            names = game.legal()
            assert names is not None
            game.play(names[int(rng.integers(len(names)))])
    assert own > 20


class Blind:
    """A state of negotiation that answers for one player only."""

    def __init__(self, state: SpielState, player: int) -> None:
        self._state, self._player = state, player

    def observation_string(self, player: int) -> str:
        assert player == self._player, "the observation of another player"
        return str(self._state.observation_string(player))

    def __getattr__(self, name: str) -> Any:
        assert name in ("get_game", "current_player", "full_history", "is_chance_node", "is_terminal"), name
        return getattr(self._state, name)

    def __str__(self) -> str:
        raise AssertionError("the whole state")


def test_negotiation_reads_nothing_but_the_players_own_view() -> None:
    """Its chance happens inside OpenSpiel, so that it cannot be changed: the texts are asked of a blinded state."""
    rng = np.random.default_rng(2)
    for seed in range(10):
        state = pyspiel.load_game("negotiation", {"rng_seed": seed}).new_initial_state()
        state.apply_action(0)
        while not state.is_terminal():
            for player in (0, 1):
                blind: Any = Blind(state, player)
                for tell in (negotiation.TEXTS.board, negotiation.TEXTS.compact, negotiation.TEXTS.whole):
                    assert tell(blind, player) == tell(state, player)
            action = int(rng.choice(state.legal_actions()))
            assert negotiation.TEXTS.event(Blind(state, 1), action, 1) == negotiation.TEXTS.event(state, action, 1)
            state.apply_action(action)
        assert negotiation.TEXTS.ending(Blind(state, 0), 0)


def test_a_later_seat_reads_nothing_of_an_earlier_answer() -> None:
    """Games whose seats move at once: the text of the later seat is the same for every answer of the earlier one."""
    for env_id, kwargs in (
        ("Goofspiel-LLM", {"num_cards": 4}),
        ("Goofspiel-LLM", {"num_cards": 4, "imp_info": True, "players": 3}),
        ("PrisonersDilemma-LLM", {}),
        ("MatrixGame-LLM", {"game": "matrix_rpsw"}),
    ):
        for prompt in ("full", "compact"):
            game = make_game(env_id, prompt=prompt, **kwargs)
            assert game.simultaneous
            game.start(np.random.default_rng(1))
            for _ in range(2):
                seats = list(game.seats)
                for at, seat in enumerate(seats[:-1]):
                    assert game.seat == seat
                    texts = set()
                    for name in game.legal() or ():
                        twin = game.clone()
                        twin.play(name)
                        texts.add((twin.seat, twin.observe(seats[at + 1]), twin.board(seats[at + 1]), twin.legal()))
                    assert len(texts) == 1
                    game.play((game.legal() or ())[0])
                game.play((game.legal() or ())[-1])
                if game.seat is None:
                    break


def test_the_test_finds_a_leak() -> None:
    """A wording that shows a hidden card is caught by the search above."""
    leaky = dataclasses.replace(universal_poker.TEXTS, board=lambda state, player: str(state))
    game = OpenSpielGame("universal_poker", leaky)
    found = pairs(game, never, np.random.default_rng(3), tries=200)
    assert any(read(game, history, player) != read(game, changed, player) for history, changed, player in found)
