"""Other processes: seeing them, making them, signalling them, reading them."""

from __future__ import annotations

from turnwise.envs.sandbox.probes.record import Probe, probe

SECRETS, MAKING, OTHERS = "environment and /proc", "making processes", "other processes"

PROBES: tuple[Probe, ...] = (
    probe(SECRETS, "environment variables", "import os; assert {variable!r} in os.environ"),
    probe(
        SECRETS,
        "environment in the C library",
        "C.getenv.restype = ctypes.c_char_p; assert C.getenv({variable!r}.encode())",
        helpers=True,
    ),
    probe(SECRETS, "/proc/self/environ", "assert {variable!r} in open('/proc/self/environ').read()"),
    probe(SECRETS, "the parent's environ", "import os; assert open('/proc/%d/environ' % os.getppid()).read(1)"),
    probe(
        SECRETS,
        "any process' environ",
        "import os\n"
        "def found(pid):\n"
        "    try:\n"
        "        return {variable!r} in open('/proc/' + pid + '/environ', errors='replace').read()\n"
        "    except OSError:\n"
        "        return False\n"
        "assert any(found(pid) for pid in [*os.listdir('/proc'), '{host_pid}'])",
    ),
    probe(SECRETS, "list processes", "import os; assert any(name.isdigit() for name in os.listdir('/proc'))"),
    probe(SECRETS, "own memory map", "assert open('/proc/self/maps').read(1)"),
    probe(SECRETS, "the parent's memory", "import os; os.open('/proc/%d/mem' % os.getppid(), os.O_RDONLY)"),
    probe(MAKING, "fork", "import os\npid = os.fork()\nif pid == 0: os._exit(0)\nos.waitpid(pid, 0)"),
    probe(
        MAKING,
        "fork bomb (20 processes)",
        "import os, time\n"
        "def one():\n"
        "    pid = os.fork()\n"
        "    if pid == 0:\n"
        "        time.sleep(0.2)\n"
        "        os._exit(0)\n"
        "    return pid\n"
        "for pid in [one() for _ in range(20)]: os.waitpid(pid, 0)",
    ),
    probe(
        MAKING,
        "threads (20)",
        "import threading, time\n"
        "threads = [threading.Thread(target=time.sleep, args=(0.1,)) for _ in range(20)]\n"
        "for thread in threads: thread.start()\n"
        "for thread in threads: thread.join()",
    ),
    probe(MAKING, "os.system", "import os; assert os.system('true') == 0"),
    probe(MAKING, "subprocess", "import subprocess; subprocess.run(['/bin/true'], check=True)"),
    probe(MAKING, "posix_spawn", "import os; os.waitpid(os.posix_spawn('/bin/true', ['true'], {{}}), 0)"),
    probe(
        MAKING,
        "multiprocessing",
        "import multiprocessing as m; p = m.get_context('fork').Process(); p.start(); p.join()",
    ),
    probe(MAKING, "execve (prints itself)", "import os; os.execv('/bin/echo', ['echo', 'OPEN'])"),
    probe(OTHERS, "kill the parent", "import os; os.kill(os.getppid(), 9)"),
    probe(OTHERS, "may signal the parent", "import os; os.kill(os.getppid(), 0)"),
    probe(OTHERS, "may signal the host", "import os; os.kill({host_pid}, 0)"),
    probe(
        OTHERS,
        "have the kernel signal the parent (SIGIO)",
        "import fcntl, os\n"
        "r, w = os.pipe() if hasattr(os, 'pipe') else (1, 1)\n"
        "fcntl.fcntl(r, fcntl.F_SETOWN, os.getppid())\n"
        "fcntl.fcntl(r, 10, 0)",
    ),
    probe(OTHERS, "own an output for signals", "import fcntl, os; fcntl.fcntl(1, fcntl.F_SETOWN, os.getppid())"),
    probe(
        OTHERS,
        "attach to the parent (ptrace)",
        "assert C.ptrace(16, os.getppid(), 0, 0) == 0\nos.waitpid(os.getppid(), 0x40000000)\n"
        "assert C.ptrace(17, os.getppid(), 0, 0) == 0",
        helpers=True,
    ),
    probe(
        OTHERS,
        "read the parent's memory (process_vm_readv)",
        "class IO(ctypes.Structure): _fields_ = [('base', ctypes.c_void_p), ('size', ctypes.c_size_t)]\n"
        "here, there = ctypes.create_string_buffer(8), ctypes.create_string_buffer(8)\n"
        "a, b = IO(ctypes.addressof(here), 8), IO(id(None), 8)\n"
        "call(310, 270, os.getppid(), ctypes.byref(a), 1, ctypes.byref(b), 1, 0)",
        helpers=True,
    ),
    probe(OTHERS, "the parent's pipe through /proc", "import os; os.open('/proc/%d/fd/4' % os.getppid(), os.O_WRONLY)"),
    probe(
        OTHERS, "the host's pipe through /proc", "import os; os.open('/proc/{host_pid}/fd/{host_pipe}', os.O_WRONLY)"
    ),
    probe(
        OTHERS,
        "take a descriptor of the parent",
        "import os; call(438, 438, os.pidfd_open(os.getppid()), 0, 0)",
        helpers=True,
    ),
    probe(OTHERS, "slow the parent down", "import os; os.setpriority(os.PRIO_PROCESS, os.getppid(), 5)"),
    probe(OTHERS, "pin the parent to a core", "import os; os.sched_setaffinity(os.getppid(), os.sched_getaffinity(0))"),
    probe(
        OTHERS,
        "limit the parent",
        "import os, resource as r; r.prlimit(os.getppid(), r.RLIMIT_CORE, (0, 0))",
    ),
)
