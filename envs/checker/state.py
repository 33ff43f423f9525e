"""Copies, pickles and anchors: what forking an episode and grouping its states build on."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Iterator

from turnwise.envs.checker.play import clipped, continued, one_turn, player, walk
from turnwise.envs.checker.result import Broken, NotApplicable, require
from turnwise.envs.checker.subject import Subject
from turnwise.envs.core import TextGame, Unsupported

Copier = Callable[[TextGame], TextGame]


def clones_play_on_alike(subject: Subject) -> None:
    """A clone plays on as its original would, and neither touches the other."""
    if not subject.make().can_clone:
        raise NotApplicable("can_clone is False")
    _copies_play_on(subject, lambda game: game.clone(), "a clone")


def pickles_play_on_alike(subject: Subject) -> None:
    """A pickled game comes back and plays on as the original would, before its start and in the middle."""
    pickle.loads(pickle.dumps(subject.make()))
    _copies_play_on(subject, lambda game: pickle.loads(pickle.dumps(game)), "a pickle")


def anchors_name_states(subject: Subject) -> None:
    """A copy has its original's anchor; looking and reading leave it; equal anchors, equal seat and legal actions."""
    if not subject.make().has_anchor:
        raise NotApplicable("has_anchor is False")
    seen: dict[str, tuple[str | None, tuple[str, ...] | None]] = {}
    for game in _midway(subject):
        anchor = game.anchor()
        require(
            isinstance(anchor, str) and anchor != "", f"an anchor is a text that is not empty: got {clipped(anchor)}"
        )
        twin = copied(game)
        game.observe(game.seat or "")
        for other, what in ((twin, "a copy"), (game, "a game whose seat has read")):
            came = other.anchor()
            require(came == anchor, f"{what} has the same anchor: {clipped(anchor)} became {clipped(came)}")
        legal = game.legal()
        state = (game.seat, None if legal is None else tuple(legal))
        known = seen.setdefault(anchor, state)
        require(known == state, f"equal anchors, equal states: {clipped(anchor)} stood for {known} and for {state}")


def copied(game: TextGame) -> TextGame:
    """An independent copy: a clone, or a pickle where the game cannot be cloned. Raises NotApplicable."""
    if game.can_clone:
        return game.clone()
    try:
        twin = pickle.loads(pickle.dumps(game))
    except Exception as error:  # whatever a game's attributes raise: the check of pickles tells
        raise NotApplicable(f"the game can be neither cloned nor pickled: {error}") from None
    assert isinstance(twin, TextGame)
    return twin


def undeclared_members_refuse(subject: Subject) -> None:
    """What a flag says is not there raises Unsupported, and what it says is there does not."""
    game = subject.referee()
    game.start(0)
    for flag, ask in _OPTIONAL.items():
        declared = bool(getattr(game.game, flag))
        try:
            ask(game.game)
        except Unsupported as error:
            inherited = "is False)" in str(error)
            require(not (declared and inherited), f"{flag} is True, so the member has to be written: {error}")
        else:
            require(declared, f"{flag} is False, yet the member works: declare it")


_OPTIONAL: dict[str, Callable[[TextGame], object]] = {
    "can_clone": lambda game: game.clone(),
    "has_ground_truth": lambda game: game.ground_truth(),
    "has_anchor": lambda game: game.anchor(),
    "has_board": lambda game: game.board(game.seats[0]),
    "has_secrets": lambda game: game.secrets(game.seats[0]),
    "has_solution": lambda game: game.solution(),
}


def _midway(subject: Subject) -> Iterator[TextGame]:
    """Running games, before every turn of short walks."""
    for seed in subject.seeds:
        referee, rng = subject.referee(), player(seed)
        referee.start(seed)
        while referee.seat is not None and referee.turns < subject.horizon:
            yield referee.game
            one_turn(referee, rng)


def _copies_play_on(subject: Subject, copier: Copier, what: str) -> None:
    for seed in subject.seeds:
        for moment in (0, 1, 2, subject.horizon // 2) if subject.quick else (1,):
            _one_copy(subject, copier, what, seed, moment)


def _one_copy(subject: Subject, copier: Copier, what: str, seed: int, moment: int) -> None:
    """Copy after `moment` turns. One copy goes its own way; then the original and a second copy go one way, which is
    that of a game that was never copied.
    """
    game, untouched = _after(subject, seed, moment), _after(subject, seed, moment)
    if game.seat is None:
        return
    twin, spare = copier(game), copier(game)
    require(twin is not game, f"{what} is another object: the game itself came back")
    continued(twin, seed + 1, subject.horizon)  # so that a shared state would show
    wanted = continued(untouched, seed, subject.horizon)
    for name, one in (("the original", game), (what, spare)):
        came = continued(one, seed, subject.horizon)
        if wanted != came:
            where = next((i for i, (first, other) in enumerate(zip(wanted, came, strict=False)) if first != other), -1)
            told = f"{clipped(wanted[where])} against {clipped(came[where])}" if where >= 0 else "one ends earlier"
            raise Broken(f"{what} taken after {moment} turns and its original play on alike: {name} parts, {told}")


def _after(subject: Subject, seed: int, moment: int) -> TextGame:
    referee = subject.referee()
    for _ in walk(referee, seed, limit=moment):
        pass
    return referee.game
