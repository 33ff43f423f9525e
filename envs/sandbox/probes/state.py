"""What one call leaves for the next, and one session for another."""

from __future__ import annotations

from turnwise.envs.sandbox.probes.record import Probe, probe

TOPIC = "state"
SEARCH = (
    "import gc, sys\n"
    "def look():\n"
    "    marker, seen, waiting = 'mark' + 'er-of-', set(), [sys._getframe(), *gc.get_objects()]\n"
    "    for _ in range(200_000):\n"
    "        if not waiting: return False\n"
    "        one = waiting.pop()\n"
    "        if id(one) in seen: continue\n"
    "        seen.add(id(one))\n"
    "        if isinstance(one, (str, bytes, bytearray)):\n"
    "            text = one if isinstance(one, str) else bytes(one).decode('latin-1')\n"
    "            if marker + 'another' + '-call' in text: return True\n"
    "        elif not isinstance(one, (int, float, type)):\n"
    "            waiting += gc.get_referents(one)\n"
    "    return False\n"
    "assert look()"
)

PROBES: tuple[Probe, ...] = (
    probe(TOPIC, "an attribute of a module", "import json; json.left = 1", "import json; json.left"),
    probe(TOPIC, "a replaced builtin", "import builtins; builtins.left = 1", "left"),
    probe(TOPIC, "a replaced function", "import math; math.sqrt = len", "import math; assert math.sqrt is len"),
    probe(TOPIC, "a fake module", "import sys; sys.modules['left'] = 1", "import left"),
    probe(TOPIC, "an environment variable", "import os; os.environ['LEFT'] = '1'", "import os; os.environ['LEFT']"),
    probe(TOPIC, "a global variable", "left = 1", "left"),
    probe(
        TOPIC,
        "the random generator",
        "import random; random.seed(5)",
        "import random; assert random.random() == 0.6229016948897019",
    ),
    probe(
        TOPIC,
        "a file of an earlier call",
        "open('left', 'w').write('1')",
        "import glob\nassert glob.glob('left') or [open('../%d/left' % n) for n in range(300)]",
    ),
    probe(TOPIC, "an earlier call's code in memory", "kept = 'marker-of-another-call'", SEARCH),
    probe(TOPIC, "a variable of another session", "left = 1", "left", sessions=True),
    probe(
        TOPIC,
        "the folder of another session",
        "open('left', 'w').write('1')",
        "def read(n):\n"
        "    try: return open('../%d/left' % n).read()\n"
        "    except OSError: return ''\n"
        "assert any(read(n) for n in range(1000))",
        sessions=True,
    ),
    probe(
        TOPIC,
        "list the working folders",
        "import os; assert os.listdir('..')",
    ),
    probe(
        TOPIC,
        "an open descriptor of the zygote",
        "import os\n"
        "def works(descriptor):\n"
        "    try: return os.write(descriptor, b'x')\n"
        "    except OSError: return 0\n"
        "assert any(works(descriptor) for descriptor in range(4, 300))",
    ),
)
