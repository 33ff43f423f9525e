"""Nothing hangs: every wait in the package has a deadline, or stands here with the reason why it needs none."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
METHODS = frozenset(
    {"wait", "join", "result", "get", "put", "acquire", "communicate", "recv", "recv_bytes", "accept", "readline"}
)
"""Of threads, processes, futures, queues, locks, pipes and sockets: they wait for somebody else."""
ALWAYS = frozenset({"recv", "recv_bytes", "accept", "readline", "waitpid"})
"""Their arguments are no deadlines."""
PROGRAMS = frozenset({"run", "call", "check_call", "check_output"})
DEADLINES = frozenset({"timeout", "timeout_s", "within_s", "block"})

ITS_OWN = "what it waits for has a deadline of its own: "
GAMES = ITS_OWN + "a game in a worker answers within deadline_s, and says what it was asked"
CALLS = ITS_OWN + "a request to an API is given up after engine.api.deadline_s, with the address"
KILLED = "the process was killed right before: only the kernel can keep it"
DONE = "asked for only once it is done"
WORKER = "a worker process waits for work; it ends when the process that started it does"
GUEST = "inside the sandbox, whose host kills it at its deadline"
WHOLE_RUN = "waits for a whole training run, however long that is; Ctrl-C ends both"
PERSON = "a person thinks as long as they like; leaving the game ends it"

ALLOWED = {
    ("agents/api/agent.py", "future.result()"): CALLS,
    ("agents/api/engine.py", "future.result()"): CALLS,
    ("agents/api/engine.py", "call(gate.shut()).result()"): CALLS,
    ("agents/api/engine.py", "call(gate.open()).result()"): CALLS,
    ("agents/api/engine.py", "self._line.call(asked).result()"): CALLS,
    ("agents/api/engine.py", "self._line.call(self._client.command(url, body)).result()"): CALLS,
    ("agents/api/line.py", "future.result()"): DONE,
    ("algorithms/ahead.py", "coming.result()"): "lays out a part of a batch: arithmetic of this process",
    ("agents/rollout.py", "wait(busy, return_when=FIRST_COMPLETED)"): GAMES,
    ("agents/table.py", "wait([self.busy])"): GAMES,
    ("agents/table.py", "busy.result()"): DONE,
    ("algorithms/reporting/trackers/relay.py", "self._waiting.get()"): "a thread without work; the end is an item too",
    ("algorithms/suites/play.py", "done.result()"): DONE,
    ("algorithms/launch/player.py", "job.done.result()"): DONE,
    ("algorithms/launch/troupe.py", "self._wake.wait()"): "a thread without work, until there is some or the run ends",
    ("algorithms/stop.py", "self._heard.wait()"): "a thread that waits for a signal, which may never come",
    ("algorithms/sweep.py", "subprocess.run"): WHOLE_RUN,
    ("src/turnwise/interchange/openenv.py", "socket.accept()"): "a handshake of the web server, which ends idle ones",
    ("src/turnwise/play/plain.py", "session.wait()"): "an agent thinks as long as it needs; Ctrl-C ends the game",
    ("src/turnwise/play/session.py", "self._desk.answers.get()"): PERSON,
    ("src/turnwise/view/jobs.py", "self._waiting.get()"): "a thread without work, which ends with the server",
    ("envs/checker/child.py", "os.waitpid(pid, 0)"): ITS_OWN + "an alarm ends a game that takes too long",
    ("envs/checker/processes.py", "subprocess.run"): ITS_OWN + "an alarm ends a game that takes too long",
    ("envs/checker/pool.py", "self._process.stdout.readline()"): ITS_OWN + "a timer kills the process",
    ("envs/checker/pool.py", "self._process.wait()"): "its input is closed, or it was killed: it ends",
    ("envs/checker/pool.py", "done.result()"): ITS_OWN + "a timer kills the process",
    ("envs/sandbox/call.py", "self.control.recv(1 << 20)"): "does not block; the loop around it has the deadline",
    ("envs/sandbox/call.py", "self.report.recv(4096)"): ITS_OWN + "settimeout stands before it",
    ("envs/sandbox/guest/jobs.py", "os.waitpid(self.pid, 0)"): KILLED,
    ("envs/sandbox/guest/zygote.py", "os.waitpid(job.pid, 0)"): "the process has said that it ended",
    ("envs/sandbox/launch.py", "ours.recv(4096)"): ITS_OWN + "settimeout stands before it",
    ("envs/sandbox/launch.py", "process.wait()"): KILLED,
    ("envs/sandbox/launch.py", "starter.submit(act).result()"): "starts a process, in a thread that is free",
    ("envs/sandbox/probes/control.py", "done.communicate()"): KILLED,
    ("envs/sandbox/probes/table.py", "controls.result()"): ITS_OWN + "each probe is ended after a while",
    ("envs/sandbox/probes/table.py", "others.result()"): ITS_OWN + "each probe is ended after a while",
    ("envs/sandbox/probes/table.py", "subprocess.run"): ITS_OWN + "each probe is ended after a while",
    ("envs/sandbox/probes/world.py", "listener.accept()"): "a thread that serves the probes, and ends with them",
    ("envs/sandbox/probes/world.py", "connection.recv(4096)"): "a thread that serves the probes, and ends with them",
    ("envs/sandbox/zygote.py", "started.process.wait()"): KILLED,
    ("envs/tools/mcp.py", "self._stop.wait()"): "serves until it is told to end; calls have deadlines of their own",
    ("envs/vector.py", "wait(self._futures.values(), return_when=FIRST_COMPLETED)"): GAMES,
    ("envs/vector.py", "wait([self._futures[i] for i in chosen if i in self._futures])"): GAMES,
    ("envs/vector.py", "self._futures.pop(i).result()"): DONE,
    ("envs/workers/process.py", "self._process.wait()"): KILLED,
    ("envs/workers/process.py", "self._connection.recv_bytes()"): "poll has seen that something is there",
    ("envs/workers/serve.py", "connection.recv_bytes()"): WORKER,
}


def waits(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """(line, source) of every call that may wait for ever. Of `subprocess.run` the arguments are left out."""
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call) or any(word.arg in DEADLINES for word in node.keywords):
            continue
        name, owner = _called(node.func)
        if owner == "subprocess" and name in PROGRAMS:
            yield node.lineno, f"subprocess.{name}"
            continue
        plain = (owner and name in METHODS and not node.args) or (not owner and name == "wait" and len(node.args) < 2)
        if plain or name in ALWAYS or (owner == "ray" and name in ("get", "wait")):
            yield node.lineno, ast.unparse(node)


def _called(function: ast.expr) -> tuple[str, str]:
    """(name of what is called, whose it is)."""
    if isinstance(function, ast.Attribute):
        return function.attr, ast.unparse(function.value)
    return (function.id, "") if isinstance(function, ast.Name) else ("", "")


def of_package() -> dict[str, set[str]]:
    """File -> its waits without a deadline."""
    found: dict[str, set[str]] = {}
    for folder in ("agents", "algorithms", "envs", "src/turnwise"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            name = str(path.relative_to(ROOT))
            if not any(part.is_symlink() for part in path.parents):
                found[name] = {text for _, text in waits(ast.parse(path.read_text()))}
    return found


def test_every_wait_has_a_deadline_or_a_reason() -> None:
    strange = [
        f"{path}: {text}: give it a deadline and say what it waits for, or a reason in {Path(__file__).name}"
        for path, texts in of_package().items()
        for text in sorted(texts)
        if (path, text) not in ALLOWED
    ]
    assert strange == [], "\n" + "\n".join(strange)


def test_the_list_names_no_wait_that_is_gone() -> None:
    found = of_package()
    assert [(path, text) for path, text in ALLOWED if text not in found.get(path, set())] == []


@pytest.mark.parametrize(
    "source",
    [
        *("thread.join()", "future.result()", "queue.get()", "lock.acquire()", "process.wait()", "wait(futures)"),
        *("process.communicate()", "connection.recv_bytes()", "socket.recv(99)", "os.waitpid(pid, 0)", "ray.get(it)"),
        *("subprocess.run(words)", "wait(futures, return_when=FIRST_COMPLETED)", "ray.wait(them, num_returns=2)"),
    ],
)
def test_a_wait_without_a_deadline_is_seen(source: str) -> None:
    assert len(list(waits(ast.parse(source)))) == 1


@pytest.mark.parametrize(
    "source",
    [
        *("thread.join(5)", "future.result(timeout=5)", "queue.get(timeout=1)", "lock.acquire(timeout=2)"),
        *(
            "', '.join(names)",
            "names.get('a')",
            "wait(futures, 5)",
            "wait(futures, timeout=0.1)",
            "ray.get(it, timeout=1)",
        ),
        *("subprocess.run(words, timeout=5)", "process.wait(5)", "wait()"),
    ],
)
def test_other_calls_are_left_alone(source: str) -> None:
    assert list(waits(ast.parse(source.replace("wait()", "waiting()")))) == []
