"""What seats read: once, enough, not too much, and nothing that is another's secret."""

from __future__ import annotations

from turnwise.envs.checker.play import Turn, clipped, difference, episode, one_turn, player, walk
from turnwise.envs.checker.play import close as close_walk
from turnwise.envs.checker.result import Figures, NotApplicable, require
from turnwise.envs.checker.subject import Subject
from turnwise.envs.core import TextGame, Unsupported
from turnwise.envs.referee import Referee

LONGEST_OBSERVATION = 50_000
"""Characters that one turn may add to a prompt."""


def observations_are_read_once(subject: Subject) -> None:
    """A seat that acts has something to read; a second look, at once or after the end, gives ""."""
    for seed in subject.seeds:
        referee, rng = subject.referee(), player(seed)
        referee.start(seed)
        game = referee.game
        while referee.seat is not None and referee.turns < subject.horizon:
            seat = referee.seat
            text = game.observe(seat)
            require(isinstance(text, str), f"an observation is a str: got {type(text).__name__}")
            require(bool(text.strip()), f"the seat that acts has something to read: {seat} got {text!r} at its turn")
            again = game.observe(seat)
            require(again == "", f'a second look without a move gives "": {seat} got {clipped(again)}')
            one_turn(referee, rng)
        for seat in game.seats:
            game.observe(seat)
            again = game.observe(seat)
            require(again == "", f'a second look gives "": {seat} got {clipped(again)}')


def looking_changes_nothing(subject: Subject) -> None:
    """Boards, anchors, legal actions, answers, solutions and secrets may be asked for: play stays the same."""
    for seed in subject.seeds:
        wanted = episode(subject.referee(), seed, limit=subject.horizon)
        referee, rng = subject.referee(), player(seed)
        turns: list[Turn] = []
        referee.start(seed)
        while referee.seat is not None and referee.turns < subject.horizon:
            _look(referee.game, thoroughly=len(turns) < 2)
            turns.append(one_turn(referee, rng))
        _look(referee.game, thoroughly=True)
        came = close_walk(referee, turns)
        require(wanted == came, f"looking at a game changes nothing: {difference(wanted, came)}")


def _look(game: TextGame, *, thoroughly: bool) -> None:
    """Ask for everything that may be asked for; what may cost a search only where `thoroughly`."""
    game.legal()
    game.tools()
    game.lead_in()
    for seat in game.seats:
        if game.has_board:
            first, again = game.board(seat), game.board(seat)
            require(first == again, f"a board is the same at a second look: {clipped(first)} became {clipped(again)}")
        if game.has_secrets:
            game.secrets(seat)
    running = game.seat is not None and thoroughly
    for there, ask in (
        (game.has_anchor and running, game.anchor),
        (game.has_ground_truth and thoroughly, game.ground_truth),
        (game.has_solution and running, game.solution),
    ):
        if there:
            try:
                ask()
            except Unsupported:  # not in this state
                continue


def secrets_stay_secret(subject: Subject) -> Figures:
    """No observation and no board of a seat holds a secret of another, in whole episodes.

    A text that is a secret of the reader too, for example a card of a kind that both hold, does not count.
    """
    if not subject.make().has_secrets:
        raise NotApplicable("has_secrets is False")
    traced = 0
    for seed in subject.seeds:
        referee = subject.referee()
        walked = walk(referee, seed, limit=subject.horizon)
        read: dict[str, str] = {}
        for turn in walked:
            read[turn.seat] = f"{read.get(turn.seat, '')}\n{turn.observation}"
            traced += _trace(referee, read)
    require(traced > 0, "secrets(seat) names at least one text in some state: all were empty")
    return {"texts traced": float(traced)}


def _trace(referee: Referee, read: dict[str, str]) -> int:
    """Look for every secret in what the other seats have read by now; the number of comparisons."""
    game, traced = referee.game, 0
    for seat in game.seats:
        read[seat] = f"{read.get(seat, '')}\n{referee.observe(seat)}"
    secrets = {seat: game.secrets(seat) for seat in game.seats}
    for owner, texts in secrets.items():
        for reader in game.seats:
            known = read[reader] + (f"\n{game.board(reader)}" if game.has_board else "")
            for text in texts:
                if reader != owner and text not in secrets[reader]:
                    traced += 1
                    require(text not in known, f"{reader} read a secret of {owner}: {clipped(text)}")
    return traced


def prompts_grow_slowly(subject: Subject) -> Figures:
    """Characters of a seat's first observation and of a later one; no single one above `LONGEST_OBSERVATION`."""
    first, later = [], []
    for one in subject.sample:
        for seat in {turn.seat for turn in one.turns}:
            begin, *rest = (len(text) for text in one.of(seat))
            first.append(begin)
            later += rest
    longest = max([*first, *later])
    require(
        longest <= LONGEST_OBSERVATION,
        f"an observation has at most {LONGEST_OBSERVATION:,} characters: one has {longest:,}",
    )
    figures = {"first characters": sum(first) / len(first), "longest": float(longest)}
    return {**figures, "characters per turn": sum(later) / len(later)} if later else figures
