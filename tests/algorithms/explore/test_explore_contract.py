"""One contract for every registered way of sampling."""

from __future__ import annotations

import dataclasses
import json
import math

import pytest

from turnwise.algorithms.credit.episodes import is_trained
from turnwise.algorithms.explore import EXPLORERS
from turnwise.algorithms.needs import NEEDS
from turnwise.records import Episode

SMALL = {
    "arpo": {"roots": 2, "first_k": 3},
    "aepo": {"roots": 2, "first_k": 3},
    "spo_chain": {"plays": 2},
    "spo_tree": {"factors": (2, 2)},
    "pav": {"plays": 2},
    "windows": {"window": 8},
}
"""Settings that keep a step small."""


@pytest.fixture(params=sorted(EXPLORERS))
def explorer(request, ground, plans, rollout):
    """(name, settings, one step): `step(state)` samples it."""
    entry = EXPLORERS[request.param]
    settings = entry.settings(**SMALL.get(request.param, {}))
    wanted = plans(3, 4)

    def fresh(attempt):
        return [
            dataclasses.replace(plan, id=f"{attempt}.{plan.id}", group=f"{attempt}.{plan.group}", seed=plan.seed + 1)
            for plan in wanted
        ]

    def demonstrate(shown, teacher):
        return [dataclasses.replace(episode, id=f"{episode.id}-shown") for episode in rollout.collect(shown)]

    def step(state):
        return entry.function(wanted, ground(fresh=fresh, demonstrate=demonstrate), settings, state)

    return request.param, settings, step


def test_what_comes_back(explorer) -> None:
    _, _, step = explorer
    found = step({})
    assert all(isinstance(episode, Episode) for episode in found.episodes)
    assert len({episode.id for episode in found.episodes}) == len(found.episodes) > 0
    assert all(episode.group for episode in found.episodes)
    assert any(is_trained(episode, turn, "policy") for episode in found.episodes for turn in episode.turns)
    assert all(isinstance(value, float) and math.isfinite(value) for value in found.metrics.values())
    assert [Episode.from_json(episode.to_json()) for episode in found.episodes] == list(found.episodes)


def test_it_follows_from_its_arguments(explorer, untimed) -> None:
    _, _, step = explorer
    first, again = step({}), step({})
    assert untimed(first.episodes) == untimed(again.episodes)
    assert first.metrics == again.metrics


def test_the_state_survives_json(explorer, untimed) -> None:
    _, _, step = explorer
    state = step({}).state
    straight, resumed = step(state), step(json.loads(json.dumps(state)))
    assert untimed(straight.episodes) == untimed(resumed.episodes)
    assert straight.metrics == resumed.metrics


def test_parents_are_in_the_batch(explorer) -> None:
    _, _, step = explorer
    episodes = step({}).episodes
    ids = {episode.id for episode in episodes}
    assert all(episode.parent in ids for episode in episodes if episode.parent is not None)


def test_needs_and_settings_are_known() -> None:
    for entry in EXPLORERS.values():
        settings = entry.settings()
        needs = entry.needs(settings) if callable(entry.needs) else entry.needs
        assert set(needs) <= NEEDS.keys()
        assert entry.settings.__doc__ and entry.settings.__dataclass_params__.frozen
