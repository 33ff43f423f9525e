"""Sessions: variables and files live from call to call, inside the same walls."""

from __future__ import annotations

import json
import os
import socket
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from turnwise.envs.sandbox import answer
from turnwise.envs.sandbox.call import Call
from turnwise.envs.sandbox.limits import Limits
from turnwise.envs.sandbox.sandbox import Sandbox


def test_variables_files_and_modules_are_kept(sandbox: Sandbox) -> None:
    session = sandbox.start_session()
    assert sandbox.run("import math\nx = 5\nopen('f', 'w').write('kept')", session=session).ok
    assert sandbox.run("x += 1\nmath.factorial(x), open('f').read()", session=session).value == "(720, 'kept')"
    told = sandbox.run("def g(): return 1 / 0\ng()", session=session)
    assert told.status == "error"
    assert 'File "<code 3>", line 2, in <module>\n    g()' in (told.error or "")
    assert sandbox.run("x", session=session).value == "6"
    assert sandbox.run("import m; m.y", session=session, files={"m.py": "y = 9"}).value == "9"
    assert sandbox.run("open('new', 'w').write('n')", session=session, collect=True).files == {"new": "n"}
    sandbox.end_session(session)
    sandbox.end_session(session)
    with pytest.raises(ValueError, match="no session"):
        sandbox.run("x", session=session)


def test_sessions_do_not_meet(sandbox: Sandbox) -> None:
    one, two = sandbox.start_session(), sandbox.start_session()
    sandbox.run("x = 'one'", session=one)
    sandbox.run("x = 'two'", session=two)
    assert [sandbox.run("x", session=name).value for name in (one, two)] == ["'one'", "'two'"]
    assert "NameError" in (sandbox.run("x").error or "")


def test_random_goes_on_in_a_session_and_is_the_same_in_the_next(plain: Sandbox) -> None:
    draws = []
    for _ in range(2):
        session = plain.start_session()
        draws.append([plain.run("import random; random.random()", session=session).value for _ in range(2)])
    assert draws[0] == draws[1]
    assert draws[0][0] != draws[0][1]


@pytest.mark.parametrize(
    ("code", "status"),
    [("while True: pass", "timeout"), ("import os; os._exit(0)", "killed"), ("import time; time.sleep(9)", "timeout")],
)
def test_a_session_that_ended_is_lost(code: str, status: str) -> None:
    with Sandbox(Limits(wall_s=0.5, cpu_s=0.4), "landlock") as sandbox:
        session, other = sandbox.start_session(), sandbox.start_session()
        sandbox.run("y = 2", session=other)
        assert sandbox.run("x = 1", session=session).ok
        assert sandbox.run(code, session=session).status == status
        lost = sandbox.run("x", session=session)
        assert lost.status == "lost"
        assert f"ended with an earlier call ({status})" in (lost.error or "")
        assert sandbox.run("y", session=other).value == "2"


def test_an_end_told_before_a_command_was_read_is_not_lost() -> None:
    """The child hung up while the zygote still had our command to read: closing then resets the connection."""
    (control, child), (report, zygote) = socket.socketpair(), socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    output, printed = os.pipe()
    os.close(printed)
    child.close()
    zygote.send(json.dumps({"why": None, "exit": 3}).encode())
    call = Call(control, output, report, Limits())
    report.send(b"g")
    zygote.close()
    result = call.run({}, tier="landlock")
    assert (result.status, result.error) == ("killed", answer.how(3))


def test_processor_time_counts_for_each_call_alone() -> None:
    """Five calls of 0.15 s in a session whose calls have 0.5 s."""
    with Sandbox(Limits(cpu_s=0.5, wall_s=20.0), "landlock") as sandbox:
        session = sandbox.start_session()
        code = "import time\nend = time.process_time() + 0.15\nwhile time.process_time() < end: pass"
        assert [sandbox.run(code, session=session).status for _ in range(5)] == ["ok"] * 5
        assert (
            sandbox.run("while True: pass", session=session).error
            == "killed: it took more than 0.5 s of processor time"
        )


def test_a_session_stands_still_between_calls(
    children: Callable[[Sandbox], list[int]], wait_until: Callable[[Callable[[], bool]], None]
) -> None:
    """Code that fakes its own answer to go on in the background is stopped there (state T)."""
    fake = (
        "import json, os, struct\n"
        "told = json.dumps({'status': 'ok', 'value': 'faked', 'error': None, 'files': {}}).encode()\n"
        "os.write(3, struct.pack('<I', len(told)) + told)\n"
        "while True: pass\n"
    )
    with Sandbox(Limits(wall_s=20.0, cpu_s=10.0), "landlock") as sandbox:
        session = sandbox.start_session()
        assert sandbox.run(fake, session=session).value == "faked"
        (child,) = children(sandbox)
        wait_until(lambda: Path(f"/proc/{child}/stat").read_text().rpartition(")")[2].split()[0] == "T")


def test_two_threads_share_a_session_in_turns(plain: Sandbox) -> None:
    session = plain.start_session()
    plain.run("n = 0", session=session)
    work = [threading.Thread(target=plain.run, args=("n += 1",), kwargs={"session": session}) for _ in range(12)]
    for thread in work:
        thread.start()
    for thread in work:
        thread.join()
    assert plain.run("n", session=session).value == "12"
