"""Games that TextArena and GEM have too: how they are played, and the game of turnwise that goes with each.

Random valid actions, as in `envs.py`; GEM's are its own `sample_random_action`, which may be invalid. Sizes are set
equal where both sides can be set; `size` says what was compared, and what still differs.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

Draw = Callable[[Any, random.Random], str]
"""(environment, chance) -> a reply."""


def nothing() -> None:
    """What most players have to let go of."""


class Player(NamedTuple):
    """Plays one game after another."""

    start: Callable[[], object]
    """Begins a game."""
    finish: Callable[[int], int]
    """Plays it to its end, drawing every reply so many times and taking the last one; returns its turns."""
    close: Callable[[], object] = nothing


@dataclass(frozen=True, slots=True, kw_only=True)
class Peer:
    """A game of another package, and the one it is compared with."""

    package: str
    """"textarena" or "gem"."""
    game: str
    """Its id there."""
    ours: str
    """Id of the game that it is compared with."""
    size: str
    """What both play."""
    arguments: Mapping[str, Any] = field(default_factory=dict)
    """Of the peer's game."""
    our_arguments: Mapping[str, Any] = field(default_factory=dict)
    draw: Draw
    """Chooses the replies."""
    players: int = 1

    def player(self, view: str) -> Player:
        """Raises what the package raises where it cannot make the game."""
        return gem_player(self) if self.package == "gem" else textarena_player(self, fresh=view == "default")

    @property
    def views(self) -> tuple[str, ...]:
        """TextArena's default wrapper keeps what it read in earlier games: a new environment for each is fair use."""
        return ("step",) if self.package == "gem" else ("default", "raw")


def textarena_player(peer: Peer, *, fresh: bool, wrapped: bool = False) -> Player:
    """fresh: an environment with its default wrappers for every game; else one without wrappers for all of them, or
    where `wrapped` with them."""
    import textarena

    chance = random.Random(0)
    name = peer.game if fresh or wrapped else f"{peer.game}-raw"
    env: list[Any] = [textarena.make(name, **peer.arguments)]

    def start() -> None:
        if fresh:
            env[0] = textarena.make(name, **peer.arguments)
        env[0].reset(num_players=peer.players, seed=chance.randrange(1 << 30))

    def finish(draws: int) -> int:
        live = env[0]
        turns, done = 0, False
        while not done:
            live.get_observation()
            for _ in range(draws):
                reply = peer.draw(live, chance)
            done, _ = live.step(reply)
            turns += 1
        return turns

    return Player(start, finish)


def gem_player(peer: Peer) -> Player:
    """GEM returns observations from `reset` and `step`; it draws from the process-wide generators, which it seeds."""
    import gem

    chance = random.Random(0)
    env, seeds = gem.make(f"game:{peer.game}", **peer.arguments), itertools.count()

    def finish(draws: int) -> int:
        turns, over = 0, False
        while not over:
            for _ in range(draws):
                reply = peer.draw(env, chance)
            _, _, terminated, truncated, _ = env.step(reply)
            over = terminated or truncated
            turns += 1
        return turns

    return Player(lambda: env.reset(seed=next(seeds)), finish)


# --- replies for TextArena, from the state of its games --------------------------------------------------------------


def kuhn_poker(env: Any, chance: random.Random) -> str:
    """Any legal action."""
    return f"[{chance.choice(list(env.state.game_state['current_legal_action_tree']))}]"


def tic_tac_toe(env: Any, chance: random.Random) -> str:
    """Any empty cell."""
    board = env.state.game_state["board"]
    return f"[{chance.choice([3 * row + column for row in range(3) for column in range(3) if not board[row][column]])}]"


def connect_four(env: Any, chance: random.Random) -> str:
    """Any column with room."""
    return f"[{chance.choice([i for i, top in enumerate(env.state.game_state['board'][0]) if top == '.'])}]"


def liars_dice(env: Any, chance: random.Random) -> str:
    """Any higher bid up to the number of dice, or a call."""
    state = env.state.game_state
    count, face = state["current_bid"]["quantity"], state["current_bid"]["face_value"]
    dice = sum(state["remaining_dice"].values())
    bids = [(n, f) for n in range(max(count, 1), dice + 1) for f in range(max(face, 1), 7) if (n, f) != (count, face)]
    pick = chance.randrange(len(bids) + (count > 0))
    return "[Call]" if pick == len(bids) else f"[Bid: {bids[pick][0]}, {bids[pick][1]}]"


def nim(env: Any, chance: random.Random) -> str:
    """Any number of objects from any pile."""
    piles = env.state.game_state["piles"]
    pile, taken = chance.choice([(i, taken) for i, size in enumerate(piles) for taken in range(1, size + 1)])
    return f"[{pile} {taken}]"


def guess_the_number(env: Any, chance: random.Random) -> str:
    """Any number that was not guessed: to guess one again is an error there."""
    return f"[{chance.choice([n for n in range(env.min_number, env.max_number + 1) if n not in env.guessed_numbers])}]"


def mastermind(env: Any, chance: random.Random) -> str:
    """A code without repeats."""
    return f"[{' '.join(map(str, chance.sample(range(1, env.num_numbers + 1), env.code_length)))}]"


def minesweeper(env: Any, chance: random.Random) -> str:
    """Any hidden cell."""
    row, column = chance.choice(
        [(i, j) for i, cells in enumerate(env.revealed) for j, shown in enumerate(cells) if not shown]
    )
    return f"[{row} {column}]"


def game_2048(env: Any, chance: random.Random) -> str:
    """The first of the moves, in random order, that changes the board."""
    board = env.state.game_state["board"]
    for move in chance.sample(("up", "down", "left", "right"), 4):
        lines: Sequence[Sequence[int]] = board if move in ("left", "right") else list(zip(*board, strict=True))
        if any(_slides(line if move in ("left", "up") else line[::-1]) for line in lines):
            break
    return f"[{move}]"


def _slides(line: Sequence[int]) -> bool:
    return any(two and one in (0, two) for one, two in itertools.pairwise(line))


def sokoban(env: Any, chance: random.Random) -> str:
    """The first of the moves, in random order, that leads into no wall."""
    for move in chance.sample(env.action_space, 4):
        if not env._would_collide_with_wall(move):
            break
    return f"[{move}]"


def sudoku(env: Any, chance: random.Random) -> str:
    """Any digit in any empty cell: nearly all are wrong, and the second wrong one in a row ends the game."""
    board = env.state.game_state["board"]
    row, column = chance.choice([(i, j) for i, cells in enumerate(board) for j, digit in enumerate(cells) if not digit])
    return f"[{row + 1} {column + 1} {chance.randint(1, 9)}]"


def word(env: Any, chance: random.Random) -> str:
    """Any word of the game's own list."""
    return f"[{chance.choice(env.word_list)}]"


# --- replies for GEM ------------------------------------------------------------------------------------------------


def gem_sample(env: Any, chance: random.Random) -> str:
    """GEM's own random action."""
    return str(env.sample_random_action())


def gem_sudoku(env: Any, chance: random.Random) -> str:
    """Any digit in any empty cell; GEM has no random action here."""
    cells = [(i, j) for i, row in enumerate(env.board) for j, digit in enumerate(row) if not digit]
    row, column = chance.choice(cells)
    return f"\\boxed{{{row + 1} {column + 1} {chance.randint(1, env.scale)}}}"


def _textarena(game: str, ours: str, size: str, draw: Draw, players: int = 1, /, **our_arguments: Any) -> Peer:
    return Peer(
        package="textarena", game=game, ours=ours, size=size, draw=draw, players=players, our_arguments=our_arguments
    )


def _gem(game: str, ours: str, size: str, draw: Draw = gem_sample, /, **our_arguments: Any) -> Peer:
    return Peer(package="gem", game=game, ours=ours, size=size, draw=draw, our_arguments=our_arguments)


_ROOM = {"dim_room": (7, 7), "num_boxes": 2, "max_turns": 100}

PEERS: tuple[Peer, ...] = (
    _textarena("KuhnPoker-v0", "KuhnPoker-LLM", "3 hands there, 1 here", kuhn_poker, 2),
    _textarena("TicTacToe-v0", "TicTacToe-LLM", "3 x 3", tic_tac_toe, 2),
    _textarena("ConnectFour-v0", "ConnectFour-LLM", "6 x 7", connect_four, 2),
    _textarena("LiarsDice-v0", "LiarsDice-LLM", "5 dice each; all rounds there, 1 here", liars_dice, 2, numdice=5),
    _textarena(
        "Nim-v0", "Nim-LLM", "piles 3, 4, 5; the last object wins", nim, 2, pile_sizes=(3, 4, 5), is_misere=False
    ),
    _textarena("GuessTheNumber-v0", "GuessTheNumber-LLM", "1 to 20, 10 guesses", guess_the_number, high=20, guesses=10),
    _textarena(
        "Mastermind-v0",
        "Mastermind-LLM",
        "4 of 6 digits, no repeats, 20 guesses",
        mastermind,
        positions=4,
        colours=6,
        guesses=20,
        duplicates=False,
    ),
    _textarena(
        "Minesweeper-v0",
        "Minesweeper-LLM",
        "8 x 8, 10 mines, own opening, any field",
        minesweeper,
        level="medium",
        solvable=False,
        opening="own",
        flags=False,
    ),
    _textarena("2048-v0", "Game2048-LLM", "4 x 4 to 2048", game_2048, level="hard"),
    Peer(
        package="textarena",
        game="Sokoban-v0",
        ours="Sokoban-LLM",
        size="7 x 7, 2 boxes, 100 turns",
        draw=sokoban,
        arguments=_ROOM,
        our_arguments={"level": "medium"},
    ),
    _textarena("Sudoku-v0-medium", "Sudoku-LLM", "9 x 9, 41 empty", sudoku, size=9, empty=41),
    _textarena("Wordle-v0", "Wordle-LLM", "5 letters, 6 guesses", word),
    _textarena("Hangman-v0", "Hangman-LLM", "6 lives", word, lives=6),
    _gem("GuessTheNumber-v0-easy", "GuessTheNumber-LLM", "1 to 10, 4 guesses", high=10, guesses=4),
    _gem(
        "Mastermind-v0-hard",
        "Mastermind-LLM",
        "4 of 8 digits, no repeats, 30 guesses",
        positions=4,
        colours=8,
        guesses=30,
        duplicates=False,
    ),
    _gem(
        "Minesweeper-v0-easy",
        "Minesweeper-LLM",
        "5 x 5, 5 mines, own opening, any field, flags",
        mines=5,
        solvable=False,
        opening="own",
    ),
    _gem("Game2048-v0-easy", "Game2048-LLM", "4 x 4 to 64; there at most 50 turns"),
    Peer(
        package="gem",
        game="Sokoban-v0-easy",
        ours="Sokoban-LLM",
        size="7 x 7, 2 boxes, 100 turns",
        draw=gem_sample,
        arguments=_ROOM,
        our_arguments={"level": "medium"},
    ),
    _gem("Sudoku-v0-easy", "Sudoku-LLM", "4 x 4, 6 empty", gem_sudoku, size=4, empty=6),
    _gem("Wordle-v0-hard", "Wordle-LLM", "5 letters; 25 guesses there, 6 here"),
    _gem("Hangman-v0-hard", "Hangman-LLM", "by letters; there by words too"),
)


def peers_of(ids: Sequence[str]) -> Iterator[Peer]:
    """The peers of these games of ours."""
    return (peer for peer in PEERS if peer.ours in ids)
