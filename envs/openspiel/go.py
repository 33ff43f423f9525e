"""Go, scored by area."""

from __future__ import annotations

from collections.abc import Sequence

from turnwise.envs.openspiel.adapter import OpenSpielGame
from turnwise.envs.openspiel.grid import coordinates, run_lengths
from turnwise.envs.openspiel.texts import GameTexts, SpielGame, SpielState, moves, seat_name

STONES = "xo"
COLOURS = ("Black", "White")
FILES = "abcdefghjklmnopqrst"  # Go boards have no column i
PASS = "pass"
SYMBOLS = str.maketrans("+XO", ".xo")


def go(
    *,
    board_size: int = 9,
    komi: float = 7.5,
    handicap: int = 0,
    max_game_length: int | None = None,
    prompt: str = "full",
    show_legal_moves: bool | None = None,
) -> OpenSpielGame:
    """Go; it ends after `max_game_length` moves, by default two for each point. Raises ValueError on a bad setting."""
    if not 2 <= board_size <= 19:
        raise ValueError(f"go needs a board_size of 2 to 19: got {board_size}")
    if handicap and not (board_size == 19 and 2 <= handicap <= 9):
        raise ValueError(f"go has handicaps of 2 to 9 stones on board_size=19: got {handicap} on {board_size}")
    limit = 2 * board_size**2 if max_game_length is None else max_game_length
    if limit < 2:
        raise ValueError(f"go needs a max_game_length of at least 2: got {limit}")
    return OpenSpielGame(
        "go",
        TEXTS,
        parameters={"board_size": board_size, "komi": float(komi), "handicap": handicap, "max_game_length": limit},
        prompt=prompt,
        show_legal_moves=show_legal_moves,
    )


def _rules(game: SpielGame) -> str:
    rules = game.get_parameters()
    size, handicap = rules["board_size"], rules["handicap"]
    first = (
        f"Black has {handicap} stones on the board for a start and White moves first; Black's score is {handicap} "
        "points lower for that"
        if handicap
        else "Black moves first"
    )
    return (
        f"This is Go on a board of {size} by {size} points. player_0 plays Black (x), player_1 plays White (o). "
        f"{first}. In turn you put a stone on an empty point or pass. Stones of one colour that are joined along the "
        "lines form a group; a group without an empty point beside it is taken off the board. You may not take your "
        "own group so, nor take back at once the single stone that has just taken one of yours (ko). "
        "A stone that brings back any earlier position of the board ends the game as a draw.\n"
        f"The game ends after two passes in a row, or after {rules['max_game_length']} moves. Your score is the number "
        "of your stones on the board plus the empty points that only your stones surround; nothing is taken off "
        f"as dead. White gets {rules['komi']:g} points more. Who has more wins.\n"
        f"Columns are the letters {FILES[0]} to {FILES[size - 1]} from the left"
        f"{', without i' if size > 8 else ''}; rows are numbers from the bottom.\n"
        f"Answer with one move in square brackets, for example [{FILES[size // 2]}{size // 2 + 1}] or [{PASS}]."
    )


def _action_name(state: SpielState, action: int) -> str:
    """The point without the colour."""
    return str(state.action_to_string(action)).split()[1].lower()


def rows_of(state: SpielState) -> list[str]:
    """The rows from the top down, one character out of `.xo` per point."""
    size = state.get_game().get_parameters()["board_size"]
    return [line.split()[1].translate(SYMBOLS) for line in str(state).splitlines()[2 : 2 + size]]


def prisoners(state: SpielState) -> tuple[int, int]:
    """How many stones of the other side Black and White have taken."""
    board = "".join(rows_of(state))
    passing = state.get_game().get_parameters()["board_size"] ** 2
    put = [state.get_game().get_parameters()["handicap"], 0]
    for player, action in moves(state):
        put[player] += action != passing
    return put[1] - board.count(STONES[1]), put[0] - board.count(STONES[0])


def area(rows: Sequence[str]) -> tuple[int, int]:
    """Stones and surrounded points of Black and of White, in points.

    Source: Tromp and Taylor's rules of Go, the rules of scoring.
    """
    cells = {(y, x): cell for y, row in enumerate(rows) for x, cell in enumerate(row)}
    points = {stone: sum(cell == stone for cell in cells.values()) for stone in STONES}
    seen: set[tuple[int, int]] = set()
    for start, cell in cells.items():
        if cell != "." or start in seen:
            continue
        region, border, stack = {start}, set[str](), [start]
        while stack:
            y, x = stack.pop()
            for beside in ((y - 1, x), (y + 1, x), (y, x - 1), (y, x + 1)):
                found = cells.get(beside, "")
                if found and found in STONES:
                    border.add(found)
                elif found and beside not in region:
                    region.add(beside)
                    stack.append(beside)
        seen |= region
        if len(border) == 1:
            points[border.pop()] += len(region)
    return points[STONES[0]], points[STONES[1]]


def _event(state: SpielState, action: int, reader: int) -> str:
    actor, name = state.current_player(), _action_name(state, action)
    if actor == reader:
        return ""
    if name == PASS:
        return f"{seat_name(actor)} passes."
    taken = prisoners(state.child(action))[actor] - prisoners(state)[actor]
    captures = f" and takes {taken} stone{'' if taken == 1 else 's'}" if taken else ""
    return f"{seat_name(actor)} plays {name}{captures}."


def _board(state: SpielState, player: int) -> str:
    rows = rows_of(state)
    board = coordinates(rows, FILES[: len(rows)], [str(rank) for rank in range(len(rows), 0, -1)])
    black, white = prisoners(state)
    mover = state.current_player()
    turn = "" if mover < 0 else f" {COLOURS[mover]} is to move."
    return (
        f"{board}\nStones taken: by Black {black}, by White {white}. "
        f"You are {COLOURS[player]} ({STONES[player]}).{turn}"
    )


def _compact(state: SpielState, player: int) -> str:
    """The rows from the top down, runs of empty points by their length; then whether the other side has just passed."""
    done = moves(state)
    size = state.get_game().get_parameters()["board_size"]
    passed = " passed" if done and done[-1][1] == size**2 else ""
    return f"{STONES[player]} {'/'.join(map(run_lengths, rows_of(state)))}{passed}"


def _ending(state: SpielState, player: int) -> str:
    """The score, or why there is none."""
    rules, done = state.get_game().get_parameters(), moves(state)
    passing = rules["board_size"] ** 2
    passed = len(done) > 1 and done[-1][1] == done[-2][1] == passing
    if not any(state.returns()) and not passed and len(done) < rules["max_game_length"]:
        return "An earlier position has come back."
    black, white = area(rows_of(state))
    less = f" - {rules['handicap']}" if rules["handicap"] else ""
    why = "Both sides passed" if passed else f"{len(done)} moves were made"
    return f"{why}. Score: Black {black}{less}, White {white} + {rules['komi']:g}."


TEXTS = GameTexts(rules=_rules, action_name=_action_name, event=_event, compact=_compact, board=_board, ending=_ending)
