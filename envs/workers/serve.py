"""The worker's side: holds games by number and does what it is asked, one request after the other."""

from __future__ import annotations

import os
import pickle
import signal
import threading
import traceback
from collections.abc import Callable, Mapping
from multiprocessing.connection import Connection
from typing import Any

import numpy as np

from turnwise.envs.core import EnvFailure, IllegalAction, Step, TextGame, Unsupported
from turnwise.envs.mirror import declarations
from turnwise.envs.workers.protocol import READY, Answer, Move, Recipe, Request, View

_LONGEST_REASON = 500  # characters


def main(requests_fd: int, lifeline_fd: int) -> None:
    """Serve until the main process hangs up or is gone."""
    for descriptor in (requests_fd, lifeline_fd):
        os.set_inheritable(descriptor, False)  # what a game starts must not keep them open
    threading.Thread(target=_die_with_parent, args=(lifeline_fd,), daemon=True).start()
    server, connection = Server(), Connection(requests_fd)
    connection.send_bytes(READY)
    while True:
        try:
            request = pickle.loads(connection.recv_bytes())
            connection.send_bytes(_pack(server.answer(request)))
        except (EOFError, OSError):  # of the connection: whatever a game raises is an answer
            return


def _die_with_parent(lifeline_fd: int) -> None:
    """The write end of the lifeline is open as long as the main process lives, even while a game hangs here."""
    os.read(lifeline_fd, 1)
    os.killpg(0, signal.SIGKILL)  # what a game has started dies too


def _pack(answer: Answer) -> bytes:
    try:
        return pickle.dumps(answer)
    except Exception as error:  # a game may return anything
        return pickle.dumps(Answer("failed", f"what the game returned cannot be sent: {last_line(error)}"))


class Server:
    """The games of one worker."""

    def __init__(self) -> None:
        self.games: dict[int, TextGame] = {}
        self.own: Mapping[str, Callable[..., Any]] = {
            "start": self.start,
            "play": self.play,
            "clone": self.clone,
            "sample_action": self.sample_action,
        }

    def answer(self, request: Request) -> Answer:
        """Carry a request out. A game that fails is forgotten: its state can no longer be trusted."""
        for number in request.forget:
            self._forget(number)
        try:
            operation = self.own.get(request.operation)
            if operation is not None:
                return Answer("done", operation(request.game, *request.arguments))
            return Answer("done", getattr(self.games[request.game], request.operation)(*request.arguments))
        except IllegalAction as error:
            return Answer("illegal", str(error))
        except Unsupported as error:
            return Answer("unsupported", str(error))
        except BaseException as error:  # whatever the game raises is the environment's failure, and not the worker's
            self._forget(request.game)
            return Answer("failed", str(error) if isinstance(error, EnvFailure) else last_line(error))

    def start(
        self, number: int, recipe: Recipe, rng: np.random.Generator, moves: tuple[Move, ...], silent: frozenset[str]
    ) -> tuple[View, dict[str, Any]]:
        """Begin an episode and make these moves in it."""
        game = self.games.get(number)
        if game is None:
            game = self.games[number] = recipe.build()
        game.start(rng)
        for move in moves:
            if move.what == "play":
                game.play(move.argument)
            else:
                game.observe(move.argument)
        return _view(game, silent), declarations(game)

    def play(self, number: int, action: str, silent: frozenset[str]) -> tuple[Step, View]:
        """Play, and look at the game for the seat that is next."""
        game = self.games[number]
        rewards, terminated, truncated, info = game.play(action)
        return Step(dict(rewards), terminated, truncated, dict(info)), _view(game, silent)

    def clone(self, number: int, twin: int) -> None:
        """Keep a copy of the game under another number."""
        self.games[twin] = self.games[number].clone()

    def sample_action(self, number: int, rng: np.random.Generator) -> tuple[str, Any]:
        """A valid action, and the state of the generator after it was drawn."""
        action = self.games[number].sample_action(rng)
        return action, rng.bit_generator.state

    def _forget(self, number: int) -> None:
        game = self.games.pop(number, None)
        try:
            if game is not None:
                game.close()
        except Exception:  # it is gone either way, and nobody waits for it
            traceback.print_exc()


def _view(game: TextGame, silent: frozenset[str]) -> View:
    """silent: seats for which nothing is read."""
    seat = game.seat
    if seat is None:
        return View(None, (), None, game.task, game.level)
    legal = game.legal()
    news = None if seat in silent else game.observe(seat)
    return View(seat, None if legal is None else tuple(legal), news, game.task, game.level)


def last_line(error: BaseException) -> str:
    """The last line of the traceback, for example `KeyError: 'door'`."""
    lines = "".join(traceback.format_exception_only(error)).strip().splitlines()
    line = lines[-1] if lines else type(error).__name__
    return line if len(line) <= _LONGEST_REASON else line[:_LONGEST_REASON] + "..."
