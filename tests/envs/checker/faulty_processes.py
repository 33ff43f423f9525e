"""Games whose faults show only from outside their process."""

from __future__ import annotations

import os
import signal
import socket
import time

import numpy as np
from kit_games import Hunt

WORDS = {"ash", "birch", "cedar", "elm", "fir", "hazel", "larch", "maple", "oak", "pine", "rowan", "yew"}


class Connects(Hunt):
    def start(self, rng: np.random.Generator) -> None:
        super().start(rng)
        with socket.socket() as connection:
            connection.settimeout(1)
            connection.connect(("192.0.2.1", 80))  # an address that is nobody's (RFC 5737)


class WorksWithoutTheNetwork(Hunt):
    def start(self, rng: np.random.Generator) -> None:
        super().start(rng)
        try:
            socket.create_connection(("example.org", 80), timeout=1).close()
        except OSError:
            self.news += " The network is away."


class OrdersBySet(Hunt):
    def start(self, rng: np.random.Generator) -> None:
        super().start(rng)
        self.news += f" Trees: {', '.join(WORDS)}."


class Dies(Hunt):
    def start(self, rng: np.random.Generator) -> None:
        print("these are my last words", flush=True)
        os.kill(os.getpid(), signal.SIGSEGV)


class Hangs(Hunt):
    def start(self, rng: np.random.Generator) -> None:
        time.sleep(1000)
