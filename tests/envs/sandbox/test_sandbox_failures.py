"""What happens when processes die, lie, flood, hang or are copied."""

from __future__ import annotations

import copy
import os
import pickle
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from turnwise.envs.sandbox import launch
from turnwise.envs.sandbox.errors import SandboxUnavailable
from turnwise.envs.sandbox.limits import Limits
from turnwise.envs.sandbox.sandbox import Sandbox
from turnwise.envs.sandbox.shared import shared_sandbox

Children = Callable[[Sandbox], list[int]]
Wait = Callable[[Callable[[], bool]], None]
LIMITS = Limits(wall_s=20.0, cpu_s=10.0, output_bytes=1000, flood_bytes=100_000)


def gone(pid: int) -> bool:
    """Whether the process has ended (a zombie has, too)."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


def kill_zygote(sandbox: Sandbox) -> None:
    os.kill(sandbox._zygote()._started.process.pid, signal.SIGKILL)


# --- the code lies -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "written",
    [
        "b'garbage that is no frame'",
        "b''",
        "struct.pack('<I', 0xFFFFFFFF) + b'x' * 100",
        "struct.pack('<I', 4) + b'null'",
        "struct.pack('<I', 2) + b'[]'",
        "struct.pack('<I', 2) + b'{}'",
        "struct.pack('<I', 4) + b'\\xff\\xfe\\xfd\\xfc'",
        "struct.pack('<I', 100_000) + b'[' * 100_000",
        'struct.pack(\'<I\', 26) + b\'{"status":"ok","files":[]} \'',
        'struct.pack(\'<I\', 36) + b\'{"status":"lost","files":{},"value":1}\'',
    ],
)
def test_garbage_instead_of_an_answer(plain: Sandbox, written: str) -> None:
    result = plain.run(f"import os, struct\nos.write(3, {written})\nos._exit(0)")
    assert result.status == "killed"
    assert result.value is None
    assert plain.run("1").ok


def test_a_faked_answer_is_only_about_itself(plain: Sandbox) -> None:
    """Texts come clipped, paths that lead outside are left out, and the process is ended."""
    told = {"status": "ok", "value": "v" * 9000, "error": None, "files": {"../../up": "x", "/etc/x": "y", "in": "z"}}
    code = (
        f"import json, os, struct\ntold = json.dumps({told!r}).encode()\n"
        "os.write(3, struct.pack('<I', len(told)) + told)\nwhile True: pass"
    )
    result = plain.run(code)
    assert result.status == "ok"
    assert dict(result.files) == {"in": "z"}
    assert len(result.value or "") == 2100
    assert plain.run("1").ok


def test_an_endless_answer_is_cut_off() -> None:
    with Sandbox(Limits(output_bytes=100, file_bytes=1000, wall_s=20.0), "landlock") as sandbox:
        assert (
            sandbox.run("import os\nos.write(3, b'\\xff' * 4)\nwhile True: os.write(3, b'x' * 65536)").status
            == "killed"
        )


def test_closing_every_descriptor(plain: Sandbox, children: Children, wait_until: Wait) -> None:
    assert plain.run("import os\nos.closerange(0, 100)\nwhile True: pass").status == "killed"
    wait_until(lambda: not children(plain))


# --- the code is stubborn ------------------------------------------------------------------------------------------


def test_ignored_signals_do_not_help(children: Children, wait_until: Wait) -> None:
    code = (
        "import signal\nfor s in range(1, 65):\n    try: signal.signal(s, signal.SIG_IGN)\n"
        "    except (OSError, ValueError): pass\nwhile True: pass"
    )
    with Sandbox(Limits(wall_s=0.4), "landlock") as sandbox:
        assert sandbox.run(code).status == "timeout"
        wait_until(lambda: not children(sandbox))


def test_a_flood_of_output_is_stopped(plain: Sandbox, children: Children, wait_until: Wait) -> None:
    result = plain.run("while True: print('A' * 1000)")
    assert (result.status, len(result.stdout), result.truncated_output) == ("output", 2000, True)
    assert result.error == "killed: it printed more than 200000 bytes"
    wait_until(lambda: not children(plain))


@pytest.mark.parametrize(
    ("limits", "code", "status", "told"),
    [
        (Limits(cpu_s=0.2, wall_s=20.0), "while True: pass", "timeout", "more than 0.2 s of processor time"),
        (Limits(wall_s=0.3), "import time; time.sleep(99)", "timeout", "more than 0.3 s"),
        (Limits(folder_files=20), "for i in range(60): open(str(i), 'w')\nwhile True: pass", "disk", "20 files"),
        (Limits(folder_bytes=100_000), "open('a', 'w').write('x' * 200_000)\nwhile True: pass", "disk", "100000 bytes"),
        (Limits(file_bytes=1000), "with open('a', 'w') as f: f.write('x' * 2000)", "error", "File too large"),
        (Limits(open_files=16), "x = [open('a', 'w') for _ in range(20)]", "error", "Too many open files"),
        (Limits(memory_mb=100), "x = bytearray(100 << 20)", "memory", "MemoryError"),
    ],
)
def test_each_limit(limits: Limits, code: str, status: str, told: str) -> None:
    with Sandbox(limits, "landlock") as sandbox:
        result = sandbox.run(code)
        assert result.status == status, result
        assert told in (result.error or "")
        assert sandbox.run("1").ok


def test_nothing_is_left_after_a_call(plain: Sandbox, children: Children, wait_until: Wait) -> None:
    calls = Path(plain._zygote()._started.folder or "")
    plain.run("import os\nos.makedirs('a/b/c')\nopen('a/f', 'w').write('x')\nos.mkdir('closed', 0)")
    wait_until(lambda: not children(plain) and not list(calls.iterdir()))


# --- the zygote dies -----------------------------------------------------------------------------------------------


def test_a_dead_zygote_is_replaced(sandbox: Sandbox) -> None:
    fresh = Sandbox(LIMITS, sandbox.tier)
    with fresh:
        assert fresh.run("1").ok
        folder = fresh._zygote()._started.folder
        kill_zygote(fresh)
        assert fresh.run("2").value == "2"
        assert folder is None or not os.path.exists(folder)


def test_a_call_whose_zygote_dies_is_made_again_once(wait_until: Wait, children: Children) -> None:
    with Sandbox(LIMITS, "landlock") as sandbox:
        answers = []
        first = sandbox._zygote()
        caller = threading.Thread(target=lambda: answers.append(sandbox.run("import time; time.sleep(1); 'done'")))
        caller.start()
        wait_until(lambda: bool(children(sandbox)))
        (child,) = children(sandbox)
        kill_zygote(sandbox)
        caller.join()
        assert answers[0].value == "'done'"
        assert sandbox._zygote() is not first
        wait_until(lambda: gone(child))


def test_a_session_whose_zygote_dies_is_lost(wait_until: Wait, children: Children) -> None:
    with Sandbox(LIMITS, "landlock") as sandbox:
        session = sandbox.start_session()
        assert sandbox.run("x = 1", session=session).ok
        (child,) = children(sandbox)
        kill_zygote(sandbox)
        wait_until(lambda: gone(child))
        assert sandbox.run("x", session=session).status == "lost"
        assert sandbox.run("x", session=session).status == "lost"
        assert sandbox.run("x", session=sandbox.start_session()).status == "error"


# --- the host dies -------------------------------------------------------------------------------------------------

HOST = """
import os, sys, threading
from turnwise.envs.sandbox.sandbox import Sandbox
sandbox = Sandbox(tier=sys.argv[1])
session = sandbox.start_session()
sandbox.run("x = 1", session=session)
threading.Thread(target=sandbox.run, args=("import time; time.sleep(4)",), daemon=True).start()
started = sandbox._zygote()._started
print(started.process.pid, started.folder, flush=True)
import time
time.sleep(60)
"""


@pytest.mark.parametrize("deadly", [signal.SIGKILL, signal.SIGTERM])
def test_no_process_and_no_folder_outlives_the_host(sandbox: Sandbox, wait_until: Wait, deadly: signal.Signals) -> None:
    host = subprocess.Popen([sys.executable, "-c", HOST, sandbox.tier], stdout=subprocess.PIPE, text=True)
    assert host.stdout is not None
    word, folder = host.stdout.readline().split()
    wait_until(lambda: len(tree(int(word))) >= (3 if sandbox.tier == "landlock" else 4))
    pids = tree(int(word))
    host.send_signal(deadly)
    host.wait()
    wait_until(lambda: all(gone(pid) for pid in pids))
    wait_until(lambda: folder == "None" or not os.path.exists(folder))
    host.stdout.close()


def tree(pid: int) -> list[int]:
    """A process with all that come from it."""
    try:
        below = [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []
    return [pid, *(one for child in below for one in tree(child))]


def test_a_closed_sandbox_leaves_nothing_and_starts_again(sandbox: Sandbox) -> None:
    other = Sandbox(LIMITS, sandbox.tier)
    session = other.start_session()
    other.run("1", session=session)
    pid, folder = other._zygote()._started.process.pid, other._zygote()._started.folder
    below = tree(pid)
    assert len(below) >= 2
    other.close()
    other.close()
    assert gone(pid)
    assert folder is None or not os.path.exists(folder)
    with pytest.raises(ValueError, match="no session"):
        other.run("1", session=session)
    assert other.run("1").ok
    other.close()


# --- copies, threads, forks ----------------------------------------------------------------------------------------


def test_a_copy_has_the_settings_and_its_own_processes() -> None:
    with Sandbox(LIMITS, "landlock", files={"m.py": "x = 7"}) as sandbox:
        assert sandbox.run("import m; m.x").value == "7"
        for other in (pickle.loads(pickle.dumps(sandbox)), copy.deepcopy(sandbox)):
            with other:
                assert (other.limits, other.tier, other.files) == (sandbox.limits, sandbox.tier, sandbox.files)
                assert other._running is None
                assert other.run("import m; m.x").value == "7"
                assert other._zygote()._started.process.pid != sandbox._zygote()._started.process.pid


def test_one_shared_sandbox_per_settings() -> None:
    assert shared_sandbox() is shared_sandbox(Limits())
    assert shared_sandbox(Limits(wall_s=1.0)) is not shared_sandbox()
    assert shared_sandbox(tier="monty") is not shared_sandbox()


def test_many_threads_at_once(sandbox: Sandbox) -> None:
    answers: dict[int, str | None] = {}

    def work(n: int) -> None:
        for _ in range(3):
            answers[n] = sandbox.run(f"print({n} * {n}); {n} + 1").value

    threads = [threading.Thread(target=work, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == {n: str(n + 1) for n in range(8)}


def test_a_slow_call_holds_up_nobody(plain: Sandbox) -> None:
    slow = threading.Thread(target=plain.run, args=("import time; time.sleep(1.5)",))
    slow.start()
    assert plain.run("1").ok
    assert slow.is_alive()
    slow.join()


def test_the_thread_that_started_it_may_end(sandbox: Sandbox) -> None:
    """The kernel's "die with the parent" means the parent's thread."""
    with Sandbox(LIMITS, sandbox.tier) as other:
        names: list[str] = []
        starter = threading.Thread(target=lambda: names.append(other.start_session()))
        starter.start()
        starter.join()
        assert other.run("x = 1", session=names[0]).ok
        assert other.run("x + 1", session=names[0]).value == "2"


def test_a_fork_starts_its_own_and_leaves_the_parents_alone(wait_until: Wait, children: Children) -> None:
    with Sandbox(Limits(wall_s=1.0), "landlock") as sandbox:
        session = sandbox.start_session()
        sandbox.run("x = 5", session=session)
        pid = sandbox._zygote()._started.process.pid
        child = os.fork()
        if child == 0:
            own = sandbox.run("6 * 7").value == "42" and sandbox._zygote()._started.process.pid != pid
            sandbox.close()
            os._exit(0 if own else 1)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        assert sandbox.run("x", session=session).value == "5"
        idle = os.fork()  # holds copies of nothing that would keep a killed call alive
        if idle == 0:
            signal.pause()
        assert sandbox.run("while True: pass").status == "timeout"
        wait_until(lambda: len(children(sandbox)) == 1)
        sandbox.close()
        assert gone(pid)
        os.kill(idle, signal.SIGKILL)
        os.waitpid(idle, 0)


# --- no boundary ---------------------------------------------------------------------------------------------------


def test_auto_without_bubblewrap(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with Sandbox() as sandbox:
        assert sandbox.run("1").tier == "landlock"
        told = sandbox.boundary().to_dict()
    assert told["tier"] == "landlock"
    assert not told["namespaces"]
    assert told["seccomp"]
    assert told["landlock_abi"] >= 1
    assert told["uid"] != 0
    assert told["root_dropped"] == (os.geteuid() == 0)
    assert "bwrap is not on the PATH" in told["without_bwrap"]
    with pytest.raises(SandboxUnavailable, match="bwrap is not on the PATH"):
        Sandbox(tier="bwrap").run("1")


def test_auto_where_bubblewrap_does_not_start(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """As where the kernel refuses new user namespaces."""
    refusing = tmp_path / "bwrap"
    refusing.write_text("#!/bin/sh\necho 'bwrap: setting up uid map: Permission denied' >&2\nexit 1\n")
    refusing.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    with Sandbox() as sandbox:
        assert sandbox.boundary().tier == "landlock"
        assert sandbox.boundary().without_bwrap == "bwrap: setting up uid map: Permission denied"


def test_nothing_runs_without_a_boundary(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    lacking = "import turnwise.envs.sandbox.guest.landlock as l; l.CREATE_RULESET = 9999\nfrom turnwise"
    monkeypatch.setattr(launch, "BOOT", launch.BOOT.replace("from turnwise", lacking))
    with pytest.raises(SandboxUnavailable) as caught:
        Sandbox().run("open('/tmp/turnwise-must-not-run', 'w')")
    told = str(caught.value)
    assert "landlock_create_ruleset: Function not implemented" in told
    assert "Linux 5.13" in told
    assert 'tier="monty"' in told
    assert not Path("/tmp/turnwise-must-not-run").exists()


def test_boundary_says_what_was_chosen(sandbox: Sandbox) -> None:
    told = sandbox.boundary()
    assert told.tier == sandbox.tier
    assert told.namespaces == (sandbox.tier == "bwrap")
    assert told.uid == int(sandbox.run("import os; os.getuid()").value or -1)
    assert told.uid != 0
