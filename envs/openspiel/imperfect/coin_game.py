"""The coin game: gather coins whose colours somebody likes, without knowing which colours the others like.

Source: Raileanu et al. 2018, "Modeling others using oneself in multi-agent reinforcement learning", arXiv:1802.09640.
"""

from __future__ import annotations

import re

from turnwise.envs.openspiel.adapter import OpenSpielGame
from turnwise.envs.openspiel.imperfect.words import listed
from turnwise.envs.openspiel.texts import GameTexts, SpielGame, SpielState, moves, seat_name

COLOURS = "abcdefghijklmnopqrstuvwxyz"


def coin_game(
    *,
    players: int = 2,
    rows: int = 8,
    columns: int = 8,
    episode_length: int = 20,
    num_extra_coin_colors: int = 1,
    num_coins_per_color: int = 4,
    prompt: str = "full",
    show_legal_moves: bool | None = None,
) -> OpenSpielGame:
    """The coin game for 1 to 10 players; `episode_length` counts the moves of all. Raises ValueError."""
    colours = players + num_extra_coin_colors
    if not (1 <= players <= 10 and num_extra_coin_colors >= 0 and colours <= len(COLOURS)):
        raise ValueError(f"the coin game needs 1 to 10 players and at most 26 colours: got {players} and {colours}")
    things = players + colours * num_coins_per_color
    if rows < 1 or columns < 1 or num_coins_per_color < 1 or episode_length < 1 or things > rows * columns:
        raise ValueError(
            "the coin game needs episode_length >= 1, num_coins_per_color >= 1 and a cell for every player and coin: "
            f"got {episode_length}, {num_coins_per_color}, {things} things and {rows} x {columns} cells"
        )
    return OpenSpielGame(
        "coin_game",
        TEXTS,
        parameters={
            "players": players,
            "rows": rows,
            "columns": columns,
            "episode_length": episode_length,
            "num_extra_coin_colors": num_extra_coin_colors,
            "num_coins_per_color": num_coins_per_color,
        },
        prompt=prompt,
        show_legal_moves=show_legal_moves,
    )


def _rules(game: SpielGame) -> str:
    rules = game.get_parameters()
    players = rules["players"]
    colours = COLOURS[: players + rules["num_extra_coin_colors"]]
    return (
        f"This is the coin game for {players} player{'' if players == 1 else 's'} on a map of {rules['rows']} rows and "
        f"{rules['columns']} columns. The colours of the coins are {listed(list(colours))}, with "
        f"{rules['num_coins_per_color']} coins of each. Every player likes one colour, each another one, and knows "
        "only its own. In turn you move one cell up, down, left or right, or stand still; a coin that you step on is "
        "taken. At the edge of the map or against another player you stay where you are. "
        f"The game ends after {rules['episode_length']} moves of all players together.\n"
        "Your result counts the coins that all players took together: the square of the number of coins in your "
        "colour, plus the square of the number of coins in the other players' colours, minus the square of the number "
        "of coins that nobody likes.\n"
        "On the map a digit is a player, a letter a coin, a point an empty cell.\n"
        "Answer with your move in square brackets: [up], [down], [left], [right] or [stand]."
    )


def _action_name(state: SpielState, action: int) -> str:
    return str(state.action_to_string(0, action))


def taken(state: SpielState, player: int) -> list[list[int]]:
    """Coins taken of each colour, a row per player."""
    rows = re.findall(r"^player\d+ ([\d ]+)$", state.observation_string(player), re.MULTILINE)
    return [[int(count) for count in row.split()] for row in rows]


def _rows(state: SpielState, player: int) -> list[str]:
    """The map from the top down."""
    rows = re.findall(r"^\|(.*)\|$", state.observation_string(player), re.MULTILINE)
    return [row.replace(" ", ".") for row in rows]


def _colour(state: SpielState, player: int) -> str:
    return COLOURS[int(state.observation_string(player).partition("\n")[0])]


def _event(state: SpielState, action: int, reader: int) -> str:
    """Where the others went, and every coin that is taken. A move that is blocked looks like standing still."""
    if state.is_chance_node():
        return ""
    actor, after = state.current_player(), state.child(action)
    gains = zip(COLOURS, taken(state, reader)[actor], taken(after, reader)[actor], strict=False)
    coin = [colour for colour, before, now in gains if now > before]
    if actor == reader:
        return f"You take a coin of colour {coin[0]}." if coin else ""
    moved = _rows(state, reader) != _rows(after, reader)
    what = f"moves {_action_name(state, action)}" if moved else "stays"
    return f"{seat_name(actor)} {what}{f' and takes a coin of colour {coin[0]}' if coin else ''}."


def _left(state: SpielState) -> int:
    return int(state.get_game().get_parameters()["episode_length"]) - len(moves(state))


def _told(state: SpielState, player: int) -> str:
    return f"You are {player} on the map and like colour {_colour(state, player)}."


def _board(state: SpielState, player: int) -> str:
    shares = [
        f"{seat_name(seat)} {', '.join(f'{count} {colour}' for count, colour in zip(row, COLOURS, strict=False))}"
        for seat, row in enumerate(taken(state, player))
    ]
    rows = "\n".join(" ".join(row) for row in _rows(state, player))
    return f"{rows}\nTaken so far: {'; '.join(shares)}. Moves left: {_left(state)}. {_told(state, player)}"


def _short(state: SpielState, player: int) -> str:
    return f"you {player} like {_colour(state, player)} left"


def _compact(state: SpielState, player: int) -> str:
    shares = " ".join("/".join(map(str, row)) for row in taken(state, player))
    return f"{_short(state, player)} {_left(state)} took {shares} map {'/'.join(_rows(state, player))}"


def _secrets(state: SpielState, player: int) -> tuple[str, ...]:
    return () if state.is_terminal() else (_told(state, player), _short(state, player))


def _ending(state: SpielState, player: int) -> str:
    likes = [f"{seat_name(seat)} likes {_colour(state, seat)}" for seat in range(state.num_players())]
    return f"The colours: {', '.join(likes)}."


TEXTS = GameTexts(
    rules=_rules,
    action_name=_action_name,
    event=_event,
    compact=_compact,
    board=_board,
    whole=_board,
    secrets=_secrets,
    ending=_ending,
)
