"""Build the sdist, build the wheel from that sdist, and compare the wheel's files with the folders of the checkout.

Run in an environment that holds the `dev` extra: `python .ci/check_wheel.py`. The build is not isolated, so it needs no
network: the setuptools that builds is the one that the `dev` extra installed.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FOLDERS = ("agents", "algorithms", "configs", "envs", "kernels")


def files_of_the_folders(root: Path) -> set[str]:
    """Paths inside the wheel of every file that has to ship: all of the five folders, and the public face.

    Notes for readers of the source (`*.md`) and what Python or an editor leaves behind do not ship.
    """
    top = root / "src/turnwise"
    rooms = [path for path in top.iterdir() if path.is_dir() and not path.is_symlink()]
    face = [path for place in (top, *rooms) for path in (place.iterdir() if place == top else place.rglob("*"))]
    inner = [path for folder in FOLDERS for path in (root / folder).rglob("*") if path.is_file()]
    names = {f"turnwise/{path.relative_to(top).as_posix()}" for path in face if path.is_file() and _ships(path)}
    return names | {f"turnwise/{path.relative_to(root).as_posix()}" for path in inner if _ships(path)}


def _ships(path: Path) -> bool:
    return not path.name.startswith(".") and "__pycache__" not in path.parts and path.suffix not in (".md", ".pyc")


def files_of_the_wheel(wheel: Path) -> set[str]:
    """Paths in the wheel, without its own metadata."""
    with zipfile.ZipFile(wheel) as archive:
        return {name for name in archive.namelist() if ".dist-info/" not in name}


def build(out: Path) -> Path:
    """The wheel, built from the sdist, both in `out`."""
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(out), str(ROOT)]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{done.stdout}\nthe package does not build: {' '.join(command)}")
    return next(out.glob("*.whl"))


def main() -> int:
    with tempfile.TemporaryDirectory() as out:
        wheel = build(Path(out))
        wanted, got = files_of_the_folders(ROOT), files_of_the_wheel(wheel)
        for name in sorted(wanted - got):
            print(f"missing from the wheel: {name} (data needs a glob in pyproject.toml, tool.setuptools.package-data)")
        for name in sorted(got - wanted):
            print(f"in the wheel and in none of the folders: {name}")
        print(f"{wheel.name}: {len(got)} files, {wheel.stat().st_size // 1024} KiB, built from its sdist")
    return int(wanted != got)


if __name__ == "__main__":
    raise SystemExit(main())
