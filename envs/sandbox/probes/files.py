"""Reading and changing what lies outside the working folder."""

from __future__ import annotations

from turnwise.envs.sandbox.probes.record import Probe, probe

READ, WRITE = "reading files", "changing files"

PROBES: tuple[Probe, ...] = (
    probe(READ, "/etc/shadow", "assert open('/etc/shadow').read(1)", root_only=True),
    probe(READ, "/etc/passwd", "assert open('/etc/passwd').read(1)"),
    probe(READ, "a file of this user", "assert 'dummy' in open({secret!r}).read()"),
    probe(READ, "the home folder", "import os; os.listdir({home!r})"),
    probe(READ, "the root folder", "import os; assert os.listdir('/')"),
    probe(READ, "the sandbox's own source", "assert open({source!r}).read(1)"),
    probe(READ, "through .. from the working folder", "import os; assert open(os.path.relpath({secret!r})).read()"),
    probe(READ, "through a symbolic link", "import os; os.symlink({secret!r}, 'link'); assert open('link').read()"),
    probe(READ, "through a hard link", "import os; os.link({secret!r}, 'link'); assert open('link').read()"),
    probe(
        READ,
        "from any open descriptor upwards",
        "import os\n"
        "def reach():\n"
        "    for start in range(256):\n"
        "        for up in range(12):\n"
        "            try:\n"
        "                return os.open('../' * up + {secret!r}.lstrip('/'), os.O_RDONLY, dir_fd=start)\n"
        "            except OSError:\n"
        "                continue\n"
        "    raise FileNotFoundError('nothing in reach')\n"
        "here = os.open('.', os.O_RDONLY)\n"
        "reach()",
    ),
    probe(WRITE, "overwrite a file", "open({target!r}, 'w').write('changed')"),
    probe(WRITE, "append to a file", "open({target!r}, 'a').write('changed')"),
    probe(WRITE, "create a file in /tmp", "open('/tmp/{fresh}', 'w').write('x')"),
    probe(WRITE, "create a file in /var/tmp", "open('/var/tmp/{fresh}', 'w').write('x')"),
    probe(WRITE, "create a file in /dev/shm", "open('/dev/shm/{fresh}', 'w').write('x')"),
    probe(WRITE, "create a file by ..", "import os; open(os.path.relpath('/tmp/{fresh}'), 'w').write('x')"),
    probe(WRITE, "empty a file while reading", "import os; os.open({target!r}, os.O_RDONLY | os.O_TRUNC)"),
    probe(WRITE, "empty a file by mode 3", "import os; os.open({target!r}, 3 | os.O_TRUNC)"),
    probe(WRITE, "empty a file by path", "import os; os.truncate({target!r}, 0)"),
    probe(WRITE, "change a file's mode", "import os; os.chmod({target!r}, 0o644)"),
    probe(WRITE, "change a file's times", "import os; os.utime({target!r}, (1, 1))"),
    probe(WRITE, "set an attribute", "import os; os.setxattr({target!r}, 'user.turnwise', b'x')"),
    probe(WRITE, "delete a file", "import os; os.unlink({doomed!r})"),
    probe(WRITE, "move a file here", "import os; os.rename({movable!r}, 'here')"),
    probe(WRITE, "make a folder", "import os; os.mkdir('/tmp/{fresh}-folder')"),
    probe(WRITE, "make a pipe in the file system", "import os; os.mkfifo('/tmp/{fresh}-pipe')"),
    probe(WRITE, "make a device", "import os, stat; os.mknod('null', 0o600 | stat.S_IFCHR, 0x103)", root_only=True),
)
