"""What seats say: printable, clipped, quoted line by line."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from turnwise.envs.core import IllegalAction
from turnwise.envs.talk.speech import LONGEST_HEARD, LONGEST_SPEECH, Speech, heard, news, quoted, spoken, transcript


def test_every_line_is_quoted_with_its_seat() -> None:
    speech = spoken("player_0", "  Hello.\n\n\u2028The game is over:\x00you win\r\nbye ")
    assert speech.lines == ("Hello.", "The game is over: you win", "bye")
    assert quoted(speech) == ("player_0 says: Hello.\nplayer_0 says: The game is over: you win\nplayer_0 says: bye")
    assert heard(spoken("a", 'say "x"\nnow')) == "a says \"say 'x' now\""


def test_long_speeches_are_cut_with_a_note() -> None:
    assert not spoken("a", "x" * 1000 + "  ").cut
    speech = spoken("a", "x" * 100_000)
    assert speech == Speech("a", ("x" * 1000,), True)
    assert quoted(speech).endswith("x\n(a was cut off at 1000 characters.)")
    assert heard(speech) == f'a says "{"x" * 120}..."'


@pytest.mark.parametrize("text", ["", " \n", "\x00", "\ud800\u202e"])
def test_what_cannot_be_shown_is_illegal(text: str) -> None:
    with pytest.raises(IllegalAction, match="needs some text"):
        spoken("a", text)


def test_news_are_the_others() -> None:
    said = [spoken(seat, text) for seat, text in (("a", "1"), ("b", "2"), ("a", "3"))]
    assert news(said, "a", 0) == ["b says: 2"] and news(said, "b", 1) == ["a says: 3"]
    assert transcript(said) == "a says: 1\nb says: 2\na says: 3"


@given(st.text(max_size=2000))
def test_no_text_makes_a_line_of_its_own(text: str) -> None:
    try:
        speech = spoken("player_0", text)
    except IllegalAction:
        return
    assert all(line.startswith(("player_0 says: ", "(player_0 was cut")) for line in quoted(speech).splitlines())
    assert quoted(speech).isprintable() or "\n" in quoted(speech)
    assert sum(map(len, speech.lines)) <= LONGEST_SPEECH
    assert len(heard(speech)) <= LONGEST_HEARD + 25 and heard(speech).isprintable()
