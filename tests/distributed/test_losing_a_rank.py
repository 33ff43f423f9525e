"""A rank that is lost ends the others, which say what they waited for; what was saved before is whole."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

from turnwise.algorithms.checkpoint import check, checkpoint_path, newest_whole, steps_saved


def ranks() -> Any:
    """The module beside this one; the folder is no package."""
    spec = importlib.util.spec_from_file_location("distributed_ranks", Path(__file__).parent / "ranks.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_a_rank_that_never_comes_is_given_up_at_the_deadline(tmp_path: Path) -> None:
    here, there = processes = ranks().start("losing.py", 2, "stall", tmp_path)
    try:
        said, errors = here.communicate(timeout=ranks().DEADLINE_S)
    finally:
        for process in processes:
            process.kill()
            process.wait()
    assert here.returncode == 3, errors
    assert said.startswith("rank 0 of 2 waited for news from everybody, at most 3 s: ")
    assert "the run goes on with turnwise train --resume RUN once all ranks are started again" in said
    assert there.returncode == -9  # it was still asleep


def test_a_rank_that_dies_while_it_saves_leaves_the_checkpoint_before(tmp_path: Path) -> None:
    (code, said, errors), (killed, _, _) = ranks().finish(ranks().start("losing.py", 2, "die", tmp_path))
    assert killed == -9
    assert code == 3, errors
    assert said.startswith("rank 0 of 2 waited for all parts of the checkpoint, at most 60 s: ")
    assert steps_saved(tmp_path) == [1]
    check(checkpoint_path(tmp_path, 1))
    assert newest_whole(tmp_path, print) == checkpoint_path(tmp_path, 1)


def test_a_rank_that_cannot_write_is_reported_by_all(tmp_path: Path) -> None:
    for code, said, errors in ranks().finish(ranks().start("losing.py", 2, "full", tmp_path)):
        assert code == 4, errors
        assert ".step-000002.tmp/shards could not be written by rank 1: " in said
        assert "File too large" in said
    assert steps_saved(tmp_path) == [1]
    check(checkpoint_path(tmp_path, 1))
    assert not list(tmp_path.rglob("*.tmp"))
