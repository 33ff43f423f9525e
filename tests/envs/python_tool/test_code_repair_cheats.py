"""CodeRepair: ways to pass tests without a repair, none of which is worth anything."""

from __future__ import annotations

import re

import pytest

from turnwise.envs.python_tool.repair.game import Judged, judge
from turnwise.envs.python_tool.repair.testing import run_tests
from turnwise.envs.python_tool.repair.workspace import Workspace

TEST = """import unittest
from shop.prices import price

class PriceTest(unittest.TestCase):
    def test_price(self):
        self.assertEqual(price(2), 6)

    def test_list(self):
        self.assertEqual([price(1)], [3])
"""
RIGHT = "def price(count):\n    return 3 * count\n"
TESTS = {"tests/test_prices.py": TEST}
PRINTED = "def price(count):\n    print('passed PriceTest.test_price ')\n    print('ok')\n"
EQUAL = """class Any:
    def __eq__(self, other): return True
    def __hash__(self): return 0
def price(count):
    return Any()
"""
PATCH = """import unittest
def pass_it(*arguments, **named): pass
unittest.TestCase.{name} = pass_it
def price(count): return 0
"""
FORGED = """import sys
frame = sys._getframe()
while frame:
    nonce = frame.f_locals.get("nonce")
    if nonce:
        rows = "\\npassed PriceTest.test_price \\npassed PriceTest.test_list "
        frame.f_globals["Report"].__repr__ = lambda self: nonce + rows
        break
    frame = frame.f_back
def price(count): return 0
"""


def worth(code: str, *, strict: bool) -> float:
    """What a repository of this code is worth, as a share of its two tests."""
    workspace = Workspace({"shop/prices.py": code}, dict(TESTS), strict)
    return judge(Judged(TESTS, {}, strict, "fraction"), "done", workspace).reward


@pytest.mark.parametrize("strict", [True, False])
def test_what_is_right_is_right(strict: bool) -> None:
    assert worth(RIGHT, strict=strict) == 1.0
    assert worth(RIGHT.replace("3 *", "2 + 2 *"), strict=strict) == 0.5
    assert worth(RIGHT.replace("3 *", "4 *"), strict=strict) == 0.0


@pytest.mark.parametrize("strict", [True, False])
@pytest.mark.parametrize(
    "code",
    [
        "import os\nos._exit(0)\n",
        "import sys\nsys.exit(0)\n",
        "raise SystemExit(0)\n",
        "raise KeyboardInterrupt\n",
        "def price(count): raise SystemExit(0)\n",
        "def price(count): raise KeyboardInterrupt\n",
        "import os\ndef price(count): os._exit(0)\n",
        PRINTED,
        PATCH.format(name="assertEqual"),
        PATCH.format(name="run"),
        PATCH.format(name="__call__"),
        "import unittest\nunittest.TestResult.wasSuccessful = lambda self: True\ndef price(count): return 0\n",
        "import unittest\nunittest.TestLoader.getTestCaseNames = lambda *a: []\ndef price(count): return 0\n",
        "import builtins\nbuiltins.type = lambda *a: int\ndef price(count): return 0\n",
        "import unittest\ndef price(count): raise unittest.SkipTest('no')\n",
        "import os\nopen('tests/test_prices.py', 'w').write('')\ndef price(count): return 0\n",
        "while True: pass\n",
        "x = '" + "y" * 40_000 + "'\ndef price(count): return x\n",
        "price = " + "(" * 5000,
        "price = " + "-" * 40_000 + "1",
    ],
)
def test_tricks_that_are_worth_nothing(code: str, strict: bool) -> None:
    assert worth(code, strict=strict) == 0.0


def test_an_object_that_is_equal_to_everything_is_not_plain_data() -> None:
    assert worth(EQUAL, strict=True) == 0.0


def test_a_forger_with_frames_is_stopped_by_the_screen_alone() -> None:
    """One process: without the screen there is a way, and it is said so in the documentation."""
    assert worth(FORGED, strict=True) == 0.0
    assert worth(FORGED, strict=False) == 1.0


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("import sys", "line 1: the module sys may not be imported"),
        ("from dataclasses import sys", "the name sys may not be imported"),
        ("import random as r\nr._os", "line 2: the name _os may not be used"),
        (
            "import tests.test_prices",
            "the module tests may not be imported|module tests.test_prices may not be imported",
        ),
        ("eval('1')", "the name eval may not be used"),
        ("x = ().__class__.__subclasses__()", "the name __subclasses__ may not be used"),
        ("try: 1 / 0\nexcept Exception as e: e.__traceback__.tb_frame", "the name (tb_frame|__traceback__) may not"),
        ("def f(e):\n match e:\n  case Exception(__traceback__=t): return t", "the name __traceback__ may not be used"),
        ("'{0.__globals__}'.format(len)", "a text with both"),
        ("import json\njson.encoder.c_make_encoder = open", "the name open may not be used"),
        ("x = (", "SyntaxError"),
    ],
)
def test_the_screen_names_what_it_refuses(code: str, message: str) -> None:
    outcomes = run_tests({"shop/prices.py": code}, TESTS, TESTS, strict=True)
    assert [outcome.passed for outcome in outcomes] == [False, False]
    assert outcomes[0].message.startswith("shop/prices.py, ")
    assert re.search(message, outcomes[0].message)


def test_what_tests_rely_on_is_watched_where_nothing_is_screened() -> None:
    code = "import contextlib\ncontextlib._GeneratorContextManager.__exit__ = lambda *a: True\ndef price(n): return 0\n"
    outcomes = run_tests({"shop/prices.py": code}, TESTS, TESTS, strict=False)
    assert {outcome.message for outcome in outcomes} == {"the code changes what the tests are run by"}


def test_deleted_code_and_empty_repositories_fail() -> None:
    assert worth("", strict=True) == 0.0
    workspace = Workspace({"other.py": ""}, dict(TESTS))
    assert judge(Judged(TESTS, TESTS, True, "all"), "done", workspace).reward == 0.0
