"""The working folder."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from turnwise.envs.sandbox.files import is_inside
from turnwise.envs.sandbox.guest import folder
from turnwise.envs.sandbox.sandbox import Sandbox


def test_files_are_modules_and_data(sandbox: Sandbox) -> None:
    files = {"shop/__init__.py": "", "shop/price.py": "def total(n):\n    return 3 * n\n", "raw.bin": b"\x00\xff"}
    result = sandbox.run("from shop.price import total\ntotal(5), open('raw.bin', 'rb').read()", files=files)
    assert result.value == "(15, b'\\x00\\xff')"


def test_a_traceback_names_the_files_of_the_folder(plain: Sandbox) -> None:
    result = plain.run("import bad\nbad.f()", files={"bad.py": "def f():\n    return {}['key']\n"})
    assert result.error is not None
    assert "File \"bad.py\", line 2, in f\n    return {}['key']" in result.error


def test_changes_come_back_and_nothing_else(sandbox: Sandbox) -> None:
    files = {"keep.txt": "same", "edit.txt": "old", "pack/m.py": "x = 1\n"}
    code = (
        "import os, pack.m\nopen('edit.txt', 'w').write('new')\nos.makedirs('out/deep')\n"
        "open('out/deep/a.txt', 'w').write('ä')\nopen('raw', 'wb').write(b'\\xff')\nos.remove('keep.txt')"
    )
    result = sandbox.run(code, files=files, collect=True)
    assert result.status == "ok", result.error
    assert result.files == {"edit.txt": "new", "out/deep/a.txt": "ä"}
    assert sandbox.run(code, files=files).files == {}


def test_the_folder_is_empty_each_time(sandbox: Sandbox) -> None:
    assert sandbox.run("import os; open('left', 'w').write('x'); os.listdir('.')").value == "['left']"
    assert sandbox.run("import os; os.listdir('.')").value == "[]"


def test_files_of_the_sandbox_and_of_the_call() -> None:
    with Sandbox(tier="landlock", files={"a.py": "x = 1", "b.py": "x = 2"}) as sandbox:
        assert sandbox.run("import a, b; a.x, b.x").value == "(1, 2)"
        assert sandbox.run("import a, b; a.x, b.x", files={"b.py": "x = 3"}).value == "(1, 3)"
        session = sandbox.start_session()
        assert sandbox.run("import a; a.x", session=session).value == "1"


def test_temporary_files_work(sandbox: Sandbox) -> None:
    code = (
        "import tempfile, shutil, pathlib\nwith tempfile.TemporaryDirectory() as d:\n"
        "    p = pathlib.Path(d, 'a'); p.write_text('t'); p.rename(p.with_name('b'))\n"
        "    print(p.with_name('b').read_text())"
    )
    assert sandbox.run(code).stdout == "t\n"


@pytest.mark.parametrize(
    "path",
    ["/etc/x", "../x", "a/../b", "", ".", "a//b", "a/", "./a", "a\0b", "a\nb", "x" * 101, "a/" * 30 + "a", "\ud800"],
)
def test_paths_outside_are_refused(plain: Sandbox, path: str) -> None:
    with pytest.raises(ValueError, match="below the working folder"):
        plain.run("1", files={path: ""})


def test_other_refusals(plain: Sandbox) -> None:
    with pytest.raises(TypeError, match="a file is str or bytes: 'a' is int"):
        plain.run("1", files={"a": 1})  # type: ignore[dict-item]
    with pytest.raises(ValueError, match="at most 100000 bytes"):
        plain.run("1", files={"a": "x" * 100_001})
    with pytest.raises(ValueError, match="at most 1000 files"):
        plain.run("1", files={f"f{i}": "" for i in range(1001)})
    with pytest.raises(ValueError, match="below the working folder"):
        Sandbox(files={"/x": ""})


@given(st.text(max_size=30))
def test_a_path_that_passes_stays_inside(path: str) -> None:
    if is_inside(path):
        assert os.path.normpath(f"/folder/{path}") == f"/folder/{path}"


def test_removal_of_a_hostile_folder(tmp_path: Path) -> None:
    """Deep, closed, linked: all of it goes, and what a link points to stays."""
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "precious").write_text("x")
    place = tmp_path / "hostile"
    deep = place / "/".join("d" * 60)
    deep.mkdir(parents=True)
    (deep / "file").write_text("x")
    (place / "link").symlink_to(outside)
    os.mkfifo(place / "pipe")
    (place / "closed").mkdir()
    (place / "closed" / "file").write_text("x")
    (place / "closed").chmod(0)
    folder.remove(str(place))
    assert not place.exists()
    assert (outside / "precious").read_text() == "x"


def test_measuring_a_folder(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(bytes(8192))
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "c").write_bytes(bytes(8192))
    assert not folder.exceeds(str(tmp_path), 100_000, 3)
    assert folder.exceeds(str(tmp_path), 100_000, 2)
    assert folder.exceeds(str(tmp_path), 12_000, 10)
    assert not folder.exceeds(str(tmp_path / "missing"), 0, 0)
