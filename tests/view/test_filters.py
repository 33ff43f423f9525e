"""Paging, sorting and filters against the same questions asked of plain Python."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from turnwise.parquet import write_parquet
from turnwise.records import Episode, Message, Turn
from turnwise.view.filters import Filters, read_filters
from turnwise.view.sources import source_of
from turnwise.view.store import Store

AGENTS = ("policy", "random", "it's; DROP TABLE episodes --", 'say "x"')
SEATS = (("player_0",), ("player_0", "player_1"), ("b", "a"))
TEXTS = ("[bet]", "A Queen's 100% [fold]", "über", "x' OR 1=1 --", "")
LEVELS = (None, "easy", "$level")


@st.composite
def episodes(draw: st.DrawFn, index: int) -> Episode:
    seats = draw(st.sampled_from(SEATS))
    turn = st.builds(
        Turn,
        seat=st.sampled_from(seats),
        observation=st.sampled_from([(), (Message("user", "You hold a KING"),)]),
        text=st.sampled_from(TEXTS),
        action=st.sampled_from([None, "Ace"]),
        status=st.sampled_from(["ok", "ok", "illegal", "unparsable"]),
    )
    replies = draw(st.lists(turn, max_size=4))
    turns = [
        replace(found, completion_ids=(7,) * count, logprobs=(-1.0,) * count)
        for found, count in zip(replies, draw(st.lists(st.integers(0, 3), min_size=4, max_size=4)), strict=False)
    ]
    metadata: dict[str, Any] = {"kind": draw(st.sampled_from(["train", "eval"]))}
    step = draw(st.sampled_from([None, 1, 2, 10, "none", 2**70]))
    return Episode(
        id=f"e{index}",
        env_id=draw(st.sampled_from(["A-LLM", "B-LLM"])),
        seats={seat: draw(st.sampled_from(AGENTS)) for seat in seats},
        returns={seat: draw(st.sampled_from([-1.0, 0.0, 0.5, 2.0])) for seat in reversed(seats)},
        turns=tuple(turns),
        status=draw(st.sampled_from(["ok", "ok", "ok", "truncated", "env_error", "timeout"])),
        level=draw(st.sampled_from(LEVELS)),
        metadata=metadata if step is None else {**metadata, "step": step},
    )


FILTERS = st.builds(
    Filters,
    env=st.sampled_from([None, None, "A-LLM", "C-LLM"]),
    outcome=st.sampled_from([None, None, "win", "draw", "loss", "truncated", "failed"]),
    seat=st.sampled_from([None, None, "player_1", "a"]),
    agent=st.sampled_from([None, None, *AGENTS]),
    invalid=st.sampled_from([None, None, True, False]),
    step_min=st.sampled_from([None, None, 2]),
    step_max=st.sampled_from([None, None, 2]),
    level=st.sampled_from([None, None, "easy", "$level"]),
    kind=st.sampled_from([None, None, "eval"]),
    text=st.sampled_from([None, None, "queen", "100%", "ÜBER", "king", "ace", "x' or 1=1", "%", "_"]),
    sort=st.sampled_from(["step", "return", "turns", "tokens"]),
    desc=st.booleans(),
    page=st.integers(0, 2),
    size=st.sampled_from([1, 3, 50]),
)


def step_of(episode: Episode) -> int | None:
    step = episode.metadata.get("step")
    return step if isinstance(step, int) and step < 2**63 else None


def eyes_of(episode: Episode, filters: Filters) -> str:
    """The seat through whose eyes an episode is looked at."""
    if filters.seat is not None:
        return filters.seat
    wanted = filters.agent or "policy"
    return next((seat for seat, agent in episode.seats.items() if agent == wanted), next(iter(episode.seats)))


def outcome_of(episode: Episode, filters: Filters) -> str:
    if episode.status != "ok":
        return "truncated" if episode.status == "truncated" else "failed"
    mine = episode.returns[eyes_of(episode, filters)]
    return "win" if mine > 0 else "loss" if mine < 0 else "draw"


def passes(episode: Episode, filters: Filters) -> bool:
    step, seats = step_of(episode), episode.seats
    if filters.seat is not None and filters.seat not in seats:
        return False
    holders = [seats[filters.seat]] if filters.seat is not None else seats.values()
    read = [message.content for turn in episode.turns for message in turn.observation]
    words = [*read, *(turn.text for turn in episode.turns), *(turn.action for turn in episode.turns)]
    checks = (
        filters.env is None or episode.env_id == filters.env,
        filters.agent is None or filters.agent in holders,
        filters.invalid is None or any(turn.status != "ok" for turn in episode.turns) == filters.invalid,
        filters.step_min is None or (step is not None and step >= filters.step_min),
        filters.step_max is None or (step is not None and step <= filters.step_max),
        filters.level is None or episode.level == filters.level,
        filters.kind is None or episode.metadata["kind"] == filters.kind,
        filters.text is None or any(filters.text.lower() in text.lower() for text in words if text),
    )
    return all(checks) and (filters.outcome is None or outcome_of(episode, filters) == filters.outcome)


def expected(found: list[Episode], filters: Filters) -> list[Episode]:
    values: dict[str, Any] = {
        "step": step_of,
        "return": lambda episode: episode.returns[eyes_of(episode, filters)],
        "turns": lambda episode: len(episode.turns),
        "tokens": lambda episode: sum(len(turn.completion_ids) for turn in episode.turns),
    }
    value = values[filters.sort]
    known = [episode for episode in found if passes(episode, filters)]
    some = sorted((e for e in known if value(e) is not None), key=value, reverse=filters.desc)
    return some + [episode for episode in known if value(episode) is None]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=15)
@given(data=st.data())
def test_what_is_asked_is_what_plain_python_finds(
    data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    found = [data.draw(episodes(index)) for index in range(data.draw(st.integers(0, 12)))]
    place = tmp_path_factory.mktemp("episodes") / "some.parquet"
    if data.draw(st.booleans()):
        write_parquet(place, found)
    else:
        place = place.with_suffix(".jsonl")
        place.write_text("".join(episode.to_json() + "\n" for episode in found))
    store = Store(source_of(place))
    try:
        for _ in range(12):
            filters = data.draw(FILTERS)
            whole, page = expected(found, filters), store.page(filters)
            start = filters.page * filters.size
            assert page["total"] == len(whole)
            assert [row["id"] for row in page["rows"]] == [e.id for e in whole[start : start + filters.size]]
            assert [row["outcome"] for row in page["rows"]] == [
                outcome_of(episode, filters) for episode in whole[start : start + filters.size]
            ]
            for row in page["rows"]:
                episode = found[int(row["id"][1:])]
                assert (row["seats"], row["returns"]) == (dict(episode.seats), dict(episode.returns))
                assert row["step"] == step_of(episode)
        for row in store.page(Filters(size=3))["rows"]:
            assert store.episode(row["key"]) == found[int(row["id"][1:])]
    finally:
        store.close()


def test_words_of_an_address() -> None:
    words = {"outcome": "win", "invalid": "1", "desc": "0", "step_min": "3", "page": "2", "size": "10", "text": ""}
    assert read_filters(words) == Filters(outcome="win", invalid=True, desc=False, step_min=3, page=2, size=10)
    assert read_filters({}) == Filters()
