"""The text space of every view."""

from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest
from gymnasium.error import CustomSpaceError
from gymnasium.spaces import Dict, Discrete, Tuple
from gymnasium.vector.utils import create_shared_memory

from turnwise.envs.spaces import FreeText, TextObservation


@pytest.mark.parametrize("text", ["", "two\nlines", "K♠ 牌 — “é” \U0001f0cf", "\ud800", "x" * 100_000, "\x00"])
def test_any_text_is_inside(text: str) -> None:
    assert text in FreeText()
    assert TextObservation(text) in FreeText()
    assert np.str_(text) in FreeText()


@pytest.mark.parametrize("thing", [None, 3, b"bytes", ["a"], np.array(["a"])])
def test_what_is_no_text_is_outside(thing: object) -> None:
    assert thing not in FreeText()


def test_length_is_bounded() -> None:
    assert "abc" in FreeText(3)
    assert "abcd" not in FreeText(3)


def test_samples_come_from_the_sampler_and_the_spaces_own_generator() -> None:
    def roll(rng: np.random.Generator) -> str:
        return f"[{rng.integers(1_000_000)}]"

    first, second, third = (
        FreeText(sampler=roll, seed=7),
        FreeText(sampler=roll, seed=7),
        FreeText(sampler=roll, seed=8),
    )
    samples = [first.sample() for _ in range(5)]
    assert samples == [second.sample() for _ in range(5)] != [third.sample() for _ in range(5)]
    first.seed(7)
    assert samples == [first.sample() for _ in range(5)]


@pytest.mark.parametrize("space", [FreeText(seed=1), FreeText(sampler=lambda rng: None, seed=1), FreeText(2, seed=1)])
def test_without_a_live_game_samples_are_short_noise(space: FreeText) -> None:
    samples = [space.sample() for _ in range(200)]
    assert all(sample in space and len(sample) <= 20 for sample in samples)
    assert len(set(samples)) > 5


def test_masks_are_refused() -> None:
    with pytest.raises(ValueError, match="takes no mask"):
        FreeText().sample(mask=(3, None))


def test_copies_hold_no_game() -> None:
    space = FreeText(100, sampler=lambda rng: "[bet]", seed=3)  # a lambda cannot be pickled: it is left behind
    for other in (pickle.loads(pickle.dumps(space)), copy.deepcopy(space)):
        assert other == space and other.sampler is None
        assert other.np_random.bit_generator.state == space.np_random.bit_generator.state
    assert space.sample() == "[bet]"
    assert space != FreeText(99)
    assert repr(space) == "FreeText(100)"


@pytest.mark.parametrize("space", [FreeText(), Dict(a=FreeText(), b=Discrete(2)), Tuple((FreeText(),))])
def test_shared_memory_is_refused_aloud(space: FreeText | Dict | Tuple) -> None:
    with pytest.raises(CustomSpaceError, match="shared_memory=False"):
        create_shared_memory(space, n=2)


def test_observations_have_the_dtype_of_their_space() -> None:
    text = TextObservation("K♠")
    assert text.dtype == FreeText().dtype
    assert text == "K♠" and pickle.loads(pickle.dumps(text)) == text
    assert type(copy.deepcopy(text)) is TextObservation
