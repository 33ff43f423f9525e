"""Search."""

from __future__ import annotations

from turnwise.envs.spec import GameSpec

SPECS = (
    GameSpec(
        id="SearchQA-LLM",
        entry_point="turnwise.envs.search.game:search_qa",
        requires=(("bm25s", "bm25s"),),
        family="search",
        summary="Questions of one to four facts over a closed world of passages, or over a corpus of your own.",
    ),
)
