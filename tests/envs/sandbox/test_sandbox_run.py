"""What comes back from one call."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from turnwise.envs.sandbox.limits import Limits
from turnwise.envs.sandbox.sandbox import Sandbox


def test_printed_text_and_value(sandbox: Sandbox) -> None:
    result = sandbox.run("x = 20\nprint('twice', x)\n2 * x")
    assert (result.status, result.stdout, result.value, result.error) == ("ok", "twice 20\n", "40", None)
    assert result.ok
    assert result.tier == sandbox.tier
    assert result.seconds > 0
    assert not result.truncated_output


@pytest.mark.parametrize(
    ("code", "value"),
    [
        ("", None),
        ("# nothing", None),
        ("x = 1", None),
        ("None", None),
        ("print('a')", None),
        ("'text'", "'text'"),
        ("1;", "1"),
        ("1\n2", "2"),
        ("if True:\n    5", None),
        ("import sys; sys.exit()", None),
        ("import sys; sys.exit(0)", None),
        ("[i * i for i in range(4)]", "[0, 1, 4, 9]"),
    ],
)
def test_value_of_the_last_line(plain: Sandbox, code: str, value: str | None) -> None:
    result = plain.run(code)
    assert (result.status, result.value, result.error) == ("ok", value, None)


def test_traceback_shows_the_code_alone(plain: Sandbox) -> None:
    result = plain.run("import json\n\ndef read(text):\n    return json.loads(text)\n\nprint('before')\nread('{')")
    assert result.status == "error"
    assert result.stdout == "before\n"
    assert result.error is not None
    lines = result.error.splitlines()
    assert lines[0] == "Traceback (most recent call last):"
    assert [line.strip() for line in lines if line.strip().startswith("File")] == [
        'File "<code>", line 7, in <module>',
        'File "<code>", line 4, in read',
    ]
    assert "    return json.loads(text)" in lines
    assert lines[-1].startswith("json.decoder.JSONDecodeError: Expecting property name")


def test_syntax_errors_and_causes(plain: Sandbox) -> None:
    assert (plain.run("x = (").error or "").splitlines()[-1] == "SyntaxError: '(' was never closed"
    told = plain.run("try:\n    1 / 0\nexcept ZeroDivisionError as error:\n    raise KeyError('k') from error").error
    assert told is not None
    assert "ZeroDivisionError: division by zero" in told
    assert "direct cause" in told
    assert told.endswith("KeyError: 'k'")


@pytest.mark.parametrize(
    ("code", "status", "told"),
    [
        ("import sys; sys.exit(3)", "error", "SystemExit: 3"),
        ("raise KeyboardInterrupt", "error", "KeyboardInterrupt"),
        ("import os; os._exit(0)", "killed", "the process ended itself with exit code 0"),
        ("import os; os._exit(9)", "killed", "the process ended itself with exit code 9"),
        ("import ctypes; ctypes.string_at(8)", "killed", "SIGSEGV"),
        ("import os; os.abort()", "killed", "SIG"),
        ("x = [bytearray(1 << 20) for _ in range(400)]", "memory", "MemoryError"),
        ("x = []\nwhile True: x.append(str(len(x)))", "memory", "MemoryError"),
        ("class E(Exception):\n    def __str__(self): raise E\nraise E", "error", "E"),
        ("class R:\n    def __repr__(self): return 1 / 0\nR()", "error", "ZeroDivisionError"),
        ("class R:\n    def __repr__(self): return 5\nR()", "error", "TypeError"),
        ("'\\ud800'.encode()", "error", "UnicodeEncodeError"),
        ("\ud800", "error", "Unicode"),
        ("a\0b", "error", "null byte"),
        ("(" * 100_000, "error", ""),
        ("def f(): f()\nf()", "error", "RecursionError"),
    ],
)
def test_how_code_fails(plain: Sandbox, code: str, status: str, told: str) -> None:
    result = plain.run(code)
    assert result.status == status, result
    assert told in (result.error or "")


def test_texts_are_clipped(plain: Sandbox) -> None:
    result = plain.run("print('ab' * 3000)\n'c' * 9000")
    assert result.status == "ok"
    assert result.stdout == "ab" * 1000
    assert result.truncated_output
    assert result.value is not None
    assert len(result.value) < 2100
    assert result.value.endswith("(clipped)")
    error = plain.run("raise ValueError('d' * 9000)").error
    assert error is not None
    assert len(error) < 2100


def test_broken_characters_are_replaced(plain: Sandbox) -> None:
    result = plain.run("import os\nos.write(1, b'a\\xff\\n')\nprint('\\ud800')\nprint('é')\n'\\udc00'")
    assert result.stdout == "a�\n\\ud800\né\n"
    assert result.value is not None
    result.value.encode()


def test_standard_error_comes_in_order(plain: Sandbox) -> None:
    result = plain.run("import sys\nprint('one')\nprint('two', file=sys.stderr)\nprint('three')")
    assert result.stdout == "one\ntwo\nthree\n"


def test_what_was_printed_before_the_limit_is_kept() -> None:
    with Sandbox(Limits(wall_s=0.5), "landlock") as sandbox:
        result = sandbox.run("print('so far')\nwhile True: pass")
    assert (result.status, result.stdout) == ("timeout", "so far\n")
    assert result.error == "killed: it took more than 0.5 s"


def test_a_replaced_output_stays_in_its_call(plain: Sandbox) -> None:
    code = "import io, sys\nsys.stdout = held = io.StringIO()\nprint('hidden')\nheld.getvalue()"
    result = plain.run(code)
    assert (result.stdout, result.value) == ("", "'hidden\\n'")


def test_same_code_same_output(sandbox: Sandbox) -> None:
    code = (
        "import random\n"
        "print(random.random(), random.sample(range(100), 5), hash('text'), list({'a', 'b', 'c', 'd'}))\n"
        "print(__name__, __import__('os').environ, __import__('sys').argv)"
    )
    first = sandbox.run(code).stdout
    assert "__main__ environ({}) ['']" in first
    assert sandbox.run(code).stdout == first
    with Sandbox(sandbox.limits, "landlock") as other:
        assert other.run(code).stdout == first


def test_the_whole_standard_library_can_be_imported(sandbox: Sandbox) -> None:
    """Where root was dropped, modules may lie where the code's user could not walk."""
    code = (
        "import ast, base64, bz2, calendar, colorsys, configparser, difflib, email.message, glob, gzip, hashlib,"
        " html.parser, lzma, pathlib, pickle, pprint, shutil, sqlite3, tempfile, tomllib, unittest.mock, urllib.parse,"
        " uuid, xml.etree.ElementTree, zipfile, zlib, zoneinfo\n"
        "'äö.example'.encode('idna'), sqlite3.connect(':memory:').execute('select 6 * 7').fetchone()"
    )
    result = sandbox.run(code)
    assert result.value == "(b'xn--4ca0b.example', (42,))", result.error


def test_dataclasses_and_pickle_find_the_main_module(plain: Sandbox) -> None:
    code = (
        "import pickle\nfrom dataclasses import dataclass\n@dataclass\nclass P:\n    x: int\n"
        "pickle.loads(pickle.dumps(P(3)))"
    )
    assert plain.run(code).value == "P(x=3)"


def test_numpy_where_it_is_asked_for(plain: Sandbox) -> None:
    assert "No module named 'numpy'" in (plain.run("import numpy").error or "")
    with Sandbox(packages=("numpy",), tier="landlock") as sandbox:
        code = "import numpy as np\nimport numpy.polynomial\nprint(np.arange(6).reshape(2, 3) @ np.ones((3, 2)))"
        assert sandbox.run(code).stdout == "[[ 3.  3.]\n [12. 12.]]\n"
        assert "ModuleNotFoundError" in (sandbox.run("import gymnasium").error or "")
        draws = "np.random.rand()"
        assert sandbox.run(f"import numpy as np\n{draws}").value == sandbox.run(f"import numpy as np\n{draws}").value


def test_a_package_of_one_file() -> None:
    with Sandbox(packages=("typing_extensions",)) as sandbox:
        assert sandbox.run("import typing_extensions as t; t.Literal[1]").value == "typing.Literal[1]"


@settings(max_examples=30, deadline=None)
@given(code=st.text(max_size=60))
def test_no_text_breaks_it(plain: Sandbox, code: str) -> None:
    assert plain.run(code).status in ("ok", "error")


def test_a_long_text_is_no_trouble(plain: Sandbox) -> None:
    code = "x = 1\n" * 15_000 + "x"
    assert plain.run(code).value == "1"


def test_wrong_arguments_are_named(plain: Sandbox) -> None:
    with pytest.raises(ValueError, match="tier is one of auto, bwrap, landlock, monty: got 'docker'"):
        Sandbox(tier="docker")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="'no_such_package', which is not installed"):
        Sandbox(packages=("no_such_package",))
    with pytest.raises(TypeError, match="code is a str: got bytes"):
        plain.run(b"1")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="no session 'x'"):
        plain.run("1", session="x")
    for bad in ({"wall_s": 0}, {"memory_mb": -1}, {"cpu_s": float("inf")}, {"wall_s": float("nan")}):
        with pytest.raises(ValueError, match="positive number"):
            Limits(**bad)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="output_bytes is a whole number"):
        Limits(output_bytes=1.5)  # type: ignore[arg-type]
