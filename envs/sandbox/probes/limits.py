"""Taking more than is given. The controls take the same amounts, all of them small for a machine."""

from __future__ import annotations

from turnwise.envs.sandbox.limits import Limits
from turnwise.envs.sandbox.probes.record import Probe, probe

TOPIC = "limits"
LIMITS = Limits(
    wall_s=1.5,
    cpu_s=0.3,
    memory_mb=256,
    flood_bytes=1_000_000,
    file_bytes=1_000_000,
    folder_bytes=4_000_000,
    folder_files=200,
)
"""What the probes run with."""

IGNORE_SIGNALS = (
    "import signal\n"
    "for s in range(1, 32):\n"
    "    try: signal.signal(s, signal.SIG_IGN)\n"
    "    except (OSError, ValueError): pass\n"
)

PROBES: tuple[Probe, ...] = (
    probe(TOPIC, "memory: 300 MiB in pieces", "x = [bytearray(1 << 20) for _ in range(300)]", stopped=("memory",)),
    probe(TOPIC, "memory: 300 MiB mapped", "import mmap; m = mmap.mmap(-1, 300 << 20)", stopped=("error",)),
    probe(
        TOPIC,
        "processor time: 0.8 s",
        "import time\nwhile time.process_time() < 0.8: pass",
        stopped=("timeout",),
    ),
    probe(
        TOPIC,
        "processor time, all signals ignored",
        IGNORE_SIGNALS + "import time\nwhile time.process_time() < 0.8: pass",
        stopped=("timeout",),
    ),
    probe(
        TOPIC,
        "sleep: 2 s",
        "import time\nstart = time.monotonic()\ntime.sleep(2)\nassert time.monotonic() - start > 1.9",
        stopped=("timeout",),
    ),
    probe(TOPIC, "one long step in C", "sum(range(60_000_000))", stopped=("timeout",)),
    probe(TOPIC, "output: 3 MB", "for _ in range(30): print('A' * 100_000)", stopped=("output",)),
    probe(
        TOPIC,
        "standard error: 3 MB",
        "import sys\nfor _ in range(30): print('B' * 100_000, file=sys.stderr)",
        stopped=("output",),
    ),
    probe(TOPIC, "one file of 2 MB", "open('big', 'wb').write(bytes(2_000_000))", stopped=("error",)),
    probe(
        TOPIC,
        "files of 8 MB together",
        "import time\nfor i in range(10): open(str(i), 'wb').write(bytes(800_000))\ntime.sleep(0.2)",
        stopped=("disk",),
    ),
    probe(
        TOPIC,
        "1,000 files",
        "import time\nfor i in range(1000): open(str(i), 'w').close()\ntime.sleep(0.2)",
        stopped=("disk",),
    ),
    probe(TOPIC, "100 open files", "x = [open('f', 'w') for _ in range(100)]", stopped=("error",)),
    probe(
        TOPIC,
        "endless recursion",
        "import sys\nsys.setrecursionlimit(10 ** 6)\n"
        "def f(n): return f(n + 1) if n < 20_000 else 0\n"
        "f(0)\nx = bytearray(300 << 20)",
        stopped=("error", "memory", "killed"),
    ),
    probe(
        TOPIC,
        "raise one's own limits",
        "import resource as r; r.setrlimit(r.RLIMIT_NOFILE, r.getrlimit(r.RLIMIT_NOFILE))",
        stopped=("error",),
    ),
)
