"""Kuhn poker: the smallest poker that asks for bluffing. Two seats and three cards by default, up to ten seats."""

from __future__ import annotations

from turnwise.envs.core import TextGame
from turnwise.envs.openspiel.adapter import OpenSpielGame
from turnwise.envs.openspiel.cards import rank_lead_ins, ranks
from turnwise.envs.openspiel.kuhn_textarena import TextArenaKuhn
from turnwise.envs.openspiel.texts import GameTexts, SpielGame, SpielState, seat_name

BET = 1
VERBS = {"check": "checks", "bet": "bets", "call": "calls", "fold": "folds"}


def kuhn_poker(
    *,
    players: int = 2,
    rules: str = "openspiel",
    rounds: int | None = None,
    prompt: str = "full",
    show_legal_moves: bool | None = None,
) -> TextGame:
    """Kuhn poker by OpenSpiel's rules: one round, the pot grows with bet and call, -1/18 for the first of two seats.

    `rules="textarena"` is another game under the same name, kept for comparison (see `TextArenaKuhn`); `rounds`
    belongs to it. Raises ValueError on a bad setting.
    """
    if rules == "textarena":
        if players != 2:
            raise ValueError(f"rules='textarena' needs players=2: got {players}")
        return TextArenaKuhn(rounds=3 if rounds is None else rounds, prompt=prompt, show_legal_moves=show_legal_moves)
    if rules != "openspiel":
        raise ValueError(f"rules is 'openspiel' or 'textarena': got {rules!r}")
    if rounds is not None:
        raise ValueError(f"rounds belongs to rules='textarena', OpenSpiel's Kuhn poker has one: got rounds={rounds}")
    return OpenSpielGame(
        "kuhn_poker", TEXTS, parameters={"players": players}, prompt=prompt, show_legal_moves=show_legal_moves
    )


def _rules(game: SpielGame) -> str:
    players = game.num_players()
    deck = ", ".join(ranks(players + 1))
    order = ", then ".join(seat_name(player) for player in range(players))
    return (
        f"This is Kuhn poker for {players} players. The deck has one card of each rank, from low to high: {deck}. "
        "Everybody puts 1 chip into the pot and gets one card that nobody else sees. "
        f"The order of play is {order}.\n"
        "As long as nobody has bet you may check (add nothing) or bet (add 1 chip). "
        "Once somebody has bet, everybody else has one more move: call (add 1 chip) or fold (give up the pot). "
        "If all check, or when the bet is answered, the highest card among those who did not fold takes the pot. "
        "Your result is the number of chips that you win or lose.\n"
        "Answer with one move in square brackets, for example [check] or [bet]."
    )


def _dealt(state: SpielState) -> list[int]:
    """The cards dealt so far, player_0's first."""
    actions: list[int] = state.history()
    return actions[: state.num_players()]


def _history(state: SpielState) -> list[str]:
    """The moves so far, in words."""
    words: list[str] = []
    for action in state.history()[state.num_players() :]:
        words.append(_word(action, "bet" in words))
    return words


def _word(action: int, facing_bet: bool) -> str:
    if facing_bet:
        return "call" if action == BET else "fold"
    return "bet" if action == BET else "check"


def _card(state: SpielState, player: int) -> str:
    return ranks(state.num_players() + 1)[_dealt(state)[player]]


def _action_name(state: SpielState, action: int) -> str:
    return _word(action, "bet" in _history(state))


def _event(state: SpielState, action: int, reader: int) -> str:
    if state.is_chance_node():
        mine = len(state.history()) == reader
        return f"Your card is the {ranks(state.num_players() + 1)[action]}." if mine else ""
    actor = state.current_player()
    return "" if actor == reader else f"{seat_name(actor)} {VERBS[_action_name(state, action)]}."


def _told(state: SpielState, player: int) -> str:
    return f"Your card is the {_card(state, player)}."


def _whole(state: SpielState, player: int) -> str:
    """The card, and who did what."""
    done = [f"{seat_name(index % state.num_players())} {VERBS[word]}" for index, word in enumerate(_history(state))]
    return f"{_told(state, player)} So far: {', '.join(done) or 'nothing'}."


def _secrets(state: SpielState, player: int) -> tuple[str, ...]:
    """The card in the words of both prompts, until a showdown."""
    shown = state.is_terminal() and f"{seat_name(player)} has" in _ending(state, player)
    return () if shown else (_told(state, player), f"card {_card(state, player)}")


def _compact(state: SpielState, player: int) -> str:
    return f"card {_card(state, player)} history {' '.join(_history(state)) or 'none'}"


def _ending(state: SpielState, player: int) -> str:
    """The cards of those who did not fold, if it came to a comparison."""
    words, players = _history(state), state.num_players()
    staying = [seat for seat in range(players) if "bet" not in words]
    if "bet" in words:
        first = words.index("bet")
        staying = sorted((first + i) % players for i, word in enumerate(words[first:]) if word != "fold")
    if len(staying) < 2:
        return ""
    return "Showdown: " + ", ".join(f"{seat_name(seat)} has the {_card(state, seat)}" for seat in staying) + "."


def _lead_in(state: SpielState, player: int) -> str:
    return f"{_card(state, player)} "


def _lead_ins(game: SpielGame) -> tuple[str, ...]:
    return rank_lead_ins(game.num_players() + 1)


TEXTS = GameTexts(
    rules=_rules,
    action_name=_action_name,
    event=_event,
    compact=_compact,
    whole=_whole,
    secrets=_secrets,
    ending=_ending,
    lead_in=_lead_in,
    lead_ins=_lead_ins,
)
