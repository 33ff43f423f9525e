"""Names of invalid-action policies."""

from __future__ import annotations

import pytest

from turnwise.envs.invalid import (
    SPIRAL,
    Forfeit,
    InvalidPolicyError,
    NoOp,
    Penalty,
    RandomLegal,
    Retry,
    invalid_policy,
)

NAMED = {
    "forfeit": Forfeit(None, None),
    "retry": Retry(1, Forfeit()),
    "retry(2)": Retry(2, Forfeit()),
    " retry( 2 ) ": Retry(2, Forfeit()),
    "random_legal": RandomLegal(),
    "penalty(0.1)": Penalty(0.1, NoOp()),
    "noop": NoOp(),
    "spiral": Forfeit(-1.5, 0.5),
}


@pytest.mark.parametrize("spec", NAMED)
def test_names(spec: str) -> None:
    assert invalid_policy(spec) == NAMED[spec]


def test_a_policy_comes_back_as_it_is() -> None:
    policy = Penalty(0.5, then=Retry(3, then=RandomLegal()))
    assert invalid_policy(policy) is policy
    assert invalid_policy(SPIRAL) is SPIRAL


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("forfiet", "did you mean 'forfeit'"),
        ("retries(3)", r"did you mean 'retry\(2\)'"),
        ("Random_Legal", "did you mean 'random_legal'"),
        ("penalty", r"did you mean 'penalty\(0.1\)'"),
        ("quux", "known: forfeit, retry"),
        ("retry(two)", "whole number of attempts in its brackets: got 'two'"),
        ("retry(0)", "at least 1 attempt: got 0"),
        ("penalty(-1)", "at least 0: got -1.0"),
        ("penalty(nan)", "at least 0: got nan"),
        (None, "got None"),
        (2, "got 2"),
    ],
)
def test_what_names_no_policy(spec: object, message: str) -> None:
    with pytest.raises(InvalidPolicyError, match=message):
        invalid_policy(spec)


def test_records_refuse_what_makes_no_sense() -> None:
    with pytest.raises(InvalidPolicyError, match="finite return or None: got inf"):
        Forfeit(offender=float("inf"))
    with pytest.raises(InvalidPolicyError, match="policy record: got 'forfeit'"):
        Retry(1, then="forfeit")  # type: ignore[arg-type]
