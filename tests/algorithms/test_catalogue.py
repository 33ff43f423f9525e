"""`turnwise list`: a line per name, each with something to say."""

from __future__ import annotations

import pytest

from turnwise.algorithms.catalogue import KINDS, catalogue
from turnwise.algorithms.compose import options
from turnwise.envs.registry import GAMES


def test_every_environment_with_its_summary() -> None:
    lines = catalogue("envs").splitlines()
    assert [line.split()[0] for line in lines] == list(GAMES)
    assert all(GAMES[line.split()[0]].summary in line for line in lines)


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "envs"])
def test_every_option_with_its_headline(kind: str) -> None:
    lines = catalogue(kind).splitlines()
    assert [line.split()[0] for line in lines if not line.startswith("opponents")] == options(kind.removesuffix("s"))
    assert all(len(line.split()) > 2 or line.startswith("opponents") for line in lines)


def test_agents_name_the_opponents() -> None:
    assert "agent.opponent=expert|first_legal|mcts|optimal|random|mcts(N)|FOLDER" in catalogue("agents")


def test_an_unknown_kind_is_refused() -> None:
    with pytest.raises(ValueError, match=r"there is no list of 'algorithm'; did you mean 'algorithms'\?"):
        catalogue("algorithm")
