"""`Session`: one game of a person against agents. The rollout plays it, in a thread; the person is one of its agents.

The transcript is therefore the rollout's own, and what the person is shown is what their seat was told, nothing else.
"""

from __future__ import annotations

import queue
import secrets
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from turnwise.agents.human import HumanAgent, HumanLeft
from turnwise.agents.rollout import Rollout
from turnwise.agents.table import Table
from turnwise.boards import board_of, marked
from turnwise.envs.core import EnvFailure, TextGame
from turnwise.envs.invalid import NoOp, invalid_policy
from turnwise.play.save import save_game
from turnwise.play.setup import HUMAN, Setup, prepare
from turnwise.records import Episode, Message, RecordError, Request

LONGEST_TEXT = 20_000
"""Characters of one reply."""
ENVIRONMENT, YOU = "environment", "you"
_FAILED = ("env_error", "agent_error", "timeout")


class NotNow(ValueError):
    """A move was made where none is asked for, or one that is no move at all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """What the person may know, and what is asked of them."""

    messages: tuple[tuple[str, str], ...] = ()
    """(who says it: "environment" or "you", text)."""
    legal: tuple[str, ...] | None = None
    """The legal actions where the person is asked and the game lists them."""
    tools: tuple[Mapping[str, Any], ...] | None = None
    """JSON schemas of the tools that the person may call, where there are any."""
    asked: bool = False
    """Whether it is the person's turn."""
    over: bool = False
    returns: Mapping[str, float] | None = None
    outcome: str | None = None
    """"win", "draw" or "loss" by the sign of the person's return; "truncated", or "failed"."""
    board: Mapping[str, Any] | None = None
    error: str | None = None
    """Why the last text was refused, or what has failed."""
    saved: Path | None = None


@dataclass(slots=True)
class _Desk:
    """Where the two threads meet."""

    changed: threading.Condition = field(default_factory=threading.Condition)
    answers: queue.SimpleQueue[str | None] = field(default_factory=queue.SimpleQueue)
    state: State = field(default_factory=State)
    left: bool = False


class Session:
    """One game. `wait` until the person is asked or it is over, `act`, and so on; `leave` at any time.

    folder: where the episode is written when the game is over, a game that was left too; None: nowhere.
    Raises ValueError where the setup does not fit; see `prepare`.
    """

    def __init__(self, setup: Setup, *, folder: Path | None = None) -> None:
        self.id = secrets.token_urlsafe(9)
        self.setup, self.folder = setup, folder
        self.prepared = prepare(setup)
        self.seat, self.plan = self.prepared.seat, self.prepared.plan
        self.touched = time.monotonic()
        """When somebody last looked."""
        self.episode: Episode | None = None
        """The record, once the game is over."""
        self.failure: BaseException | None = None
        """What broke, where something did that nobody expected."""
        self._desk = _Desk()
        self._game: TextGame | None = None
        """The live game while the person is asked."""
        self._thread = threading.Thread(target=self._run, name=f"turnwise-play-{self.id}", daemon=True)
        self._thread.start()

    # The person's side

    @property
    def state(self) -> State:
        """What there is to be seen now."""
        self.touched = time.monotonic()
        return self._desk.state

    @property
    def over(self) -> bool:
        """Whether the game is over. Asking is not looking."""
        return self._desk.state.over

    def wait(self, timeout_s: float | None = None) -> State:
        """The state once the person is asked or the game is over; the state as it is after `timeout_s`."""
        desk = self._desk
        with desk.changed:
            desk.changed.wait_for(lambda: desk.state.asked or desk.state.over, timeout_s)
        return self.state

    def act(self, text: str) -> None:
        """Say this. Raises NotNow where nobody asks, or the text is none. Whether it is legal, the next state says."""
        if not text.strip():
            raise NotNow("a reply needs some text: got none")
        if len(text) > LONGEST_TEXT:
            raise NotNow(f"a reply has at most {LONGEST_TEXT:,} characters: got {len(text):,}")
        if any("\ud800" <= sign <= "\udfff" for sign in text):
            raise NotNow("a reply is text in UTF-8: got bytes or halves of signs that are none")
        desk = self._desk
        with desk.changed:
            if not desk.state.asked:
                raise NotNow("the game is over" if desk.state.over else "it is not your turn yet")
            said = (*desk.state.messages, (YOU, text))
            desk.state = replace(desk.state, messages=said, asked=False, legal=None, tools=None, error=None)
            desk.answers.put(text)

    def leave(self, timeout_s: float | None = None) -> State:
        """End the game here; an agent that is thinking is waited for. A game that is over stays as it is."""
        self._desk.left = True
        self._desk.answers.put(None)
        self._thread.join(timeout_s)
        return self.state

    def to_dict(self) -> dict[str, Any]:
        """The state as the pages read it."""
        state, plan = self.state, self.plan
        rules = self.prepared.rules
        return {
            "id": self.id,
            "game": plan.env_id,
            "seat": self.seat,
            "seats": list(self.prepared.seats),
            "agents": dict(plan.seats),
            "seed": plan.seed,
            "rules": None if state.messages and rules and rules in state.messages[0][1] else rules,
            "messages": [{"from": speaker, "text": text} for speaker, text in state.messages],
            "legal": None if state.legal is None else list(state.legal),
            "tools": None if state.tools is None else [dict(tool) for tool in state.tools],
            "waiting": not (state.asked or state.over),
            "over": state.over,
            "returns": None if state.returns is None else dict(state.returns),
            "outcome": state.outcome,
            "board": state.board,
            "error": state.error,
            "saved": None if state.saved is None else str(state.saved),
        }

    # The game's side: a thread

    def _run(self) -> None:
        agents = {HUMAN: HumanAgent(self._ask), **self.prepared.agents}
        rollout = Rollout(agents, invalid=self.prepared.invalid)
        try:
            table = rollout.seat(self.plan)
            table.rest()
            try:
                self._play(rollout, table)
            except HumanLeft:
                table.referee.status = "truncated"
            self._end(table, rollout)
        except BaseException as broken:  # shown to whoever waits: nobody else sees what a thread dies of
            self.failure = broken
            self._show(over=True, asked=False, outcome="failed", error=f"{type(broken).__name__}: {broken}")
        finally:
            for agent in self.prepared.agents.values():
                close = getattr(agent, "close", None)  # of connections that are this game's own
                if close is not None:
                    close()

    def _play(self, rollout: Rollout, table: Table) -> None:
        agents_policy = invalid_policy(self.prepared.invalid)
        while not table.over:
            if self._desk.left:
                raise HumanLeft
            mine = table.referee.seat == self.seat
            table.referee.invalid = NoOp() if mine else agents_policy
            rollout.play_turn([table])
            refused = None
            if mine and table.drafts and table.drafts[-1].status in ("illegal", "unparsable"):
                refused = str(table.drafts[-1].info["reason"])
            try:
                self._show(error=refused, board=None if table.failed else self._board(table.game))
            except EnvFailure as failure:
                table.fail(failure)

    def _ask(self, request: Request) -> str:
        """Show the person what their seat has read, and wait for their reply. Raises HumanLeft."""
        game = self._game = request.game
        legal, tools = game.legal(), tuple(game.tools())
        self._show(
            messages=_told(request.messages),
            legal=None if legal is None else tuple(legal),
            tools=tools or None,
            board=self._board(game),
            asked=True,
        )
        text = self._desk.answers.get()
        self._game = None
        if text is None:
            raise HumanLeft
        return text

    def _end(self, table: Table, rollout: Rollout) -> None:
        """What the person reads last, and the record."""
        referee = table.referee
        news = f"The game was stopped: {referee.failure}" if table.failed else _last_words(table, self.seat)
        messages = self._desk.state.messages + (((ENVIRONMENT, news),) if news else ())
        episode = rollout.finish(table)
        referee.game.close()
        notes = {**episode.metadata, "kind": "play", "human": self.seat, "invalid": self.prepared.invalid}
        self.episode = episode = replace(episode, metadata=notes)
        saved, trouble = self._saved(episode)
        self._show(
            messages=messages,
            over=True,
            asked=False,
            legal=None,
            tools=None,
            returns=dict(episode.returns),
            outcome=outcome_of(episode, self.seat),
            saved=saved,
            error=trouble,
        )

    def _saved(self, episode: Episode) -> tuple[Path | None, str | None]:
        """Where the episode is now, and why it is nowhere."""
        if self.folder is None or not episode.turns:
            return None, None
        try:
            return save_game(self.folder, episode), None
        except (OSError, RecordError, ImportError) as error:
            return None, f"the transcript could not be saved: {error}"

    def _board(self, game: TextGame) -> Mapping[str, Any] | None:
        """The board as the person's seat knows it, with what has changed."""
        shown = self._desk.state.board
        return marked(board_of(game, self.seat), None if shown is None else dict(shown))

    def _show(self, **news: Any) -> None:
        desk = self._desk
        with desk.changed:
            desk.state = replace(desk.state, **news)
            desk.changed.notify_all()


def outcome_of(episode: Episode, seat: str) -> str:
    """How the episode went for a seat: by the sign of its return, or what ended the game before its end."""
    if episode.status in _FAILED:
        return "failed"
    if episode.status == "truncated":
        return "truncated"
    gained = episode.returns[seat]
    return "win" if gained > 0 else "loss" if gained < 0 else "draw"


def _told(messages: Sequence[Message]) -> tuple[tuple[str, str], ...]:
    """Who said what. A text that is read once more, after a reply that was refused, is not shown once more."""
    said: list[tuple[str, str]] = []
    latest = ""
    for one in messages:
        if one.role == "assistant":
            said.append((YOU, one.content))
            continue
        news = one.content
        repeated = bool(latest) and news.endswith("\n" + latest)
        said.append((ENVIRONMENT, news.removesuffix("\n" + latest) if repeated else news))
        latest = latest if repeated else news
    return tuple(said)


def _last_words(table: Table, seat: str) -> str:
    """What the seat is told at the end."""
    return "" if table.referee.seat is not None else table.referee.observe(seat)
