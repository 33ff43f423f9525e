"""Which action a reply names."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from turnwise.envs.parsing import read_action, write_action

LEGAL = ("check", "bet", "take 3", "4")

CASES = {
    "[bet]": "bet",
    r"\boxed{bet}": "bet",
    "I hold a King, so [bet].": "bet",
    "[check] no, wait: [bet]": "bet",  # the last match wins
    r"[check] then \boxed{4}": "4",
    r"\boxed{4} then [check]": "check",
    r"\boxed{[bet]}": "bet",  # the innermost pair counts
    "[[bet]]": "bet",
    "[ BET ]": "bet",
    "[take3]": "take 3",
    "[Take\n 3]": "take 3",
    "bet": "bet",
    "  Check\n": "check",
    "<think>[check] is weak</think>[bet]": "bet",
    "<think>[check]</think>": None,
    "a</think>[check]</think>bet": "bet",
    "<think>[check] and never done": "check",
    "[fold]": "fold",  # named, not legal: for the game to refuse
    "[raise] or bet": "raise",
    "I bet": None,
    "": None,
    "[]": None,
    "[ ][ ][bet][ ]": "bet",  # blank pairs name nothing
    "[bet": None,
    "bet]": None,
}


@pytest.mark.parametrize("reply", CASES)
def test_cases(reply: str) -> None:
    assert read_action(reply, LEGAL) == CASES[reply]


def test_an_exact_name_wins_over_a_folded_one() -> None:
    assert read_action("[1 1]", ("11", "1 1")) == "1 1"
    assert read_action("[11]", ("11", "1 1")) == "11"
    assert read_action("[1  1]", ("11", "1 1")) == "1  1"  # equals both names but for blanks: neither


def test_free_text_is_the_whole_stripped_reply() -> None:
    assert read_action(" I offer [Accept] \n", None) == "I offer [Accept]"
    assert read_action("<think>hm</think> \n", None) is None


@given(st.sampled_from(LEGAL), st.text(alphabet="ab .,\n<>{}"), st.text(alphabet="ab .,\n<>"))
def test_a_written_action_reads_back_in_any_prose(action: str, before: str, after: str) -> None:
    assert read_action(before + write_action(action, LEGAL) + after, LEGAL) == action
    assert read_action(f"{before}\\boxed{{{action}}}{after}", LEGAL) == action


@given(st.text(max_size=300))
def test_any_text_gives_a_text_or_none(reply: str) -> None:
    action = read_action(reply, LEGAL)
    assert action is None or action.strip() == action != ""


@pytest.mark.parametrize("piece", ["[", "]", "\\boxed{", "[]", "[ ", "{", "<think>", "</think>", "[a", " "])
def test_long_replies_take_linear_work(piece: str) -> None:
    assert read_action(piece * (1_000_000 // len(piece)) + "[bet]", LEGAL) == "bet"
