"""The learner on two ranks, real processes over gloo, beside the same learner alone.

Distances of figures are relative above 1. All cases run in one pair of processes: starting them is what takes time.
"""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from typing import Any

import pytest
import torch

HERE = Path(__file__).parent


def beside(name: str) -> Any:
    """A module of this folder, which is no package."""
    spec = importlib.util.spec_from_file_location(f"distributed_{name}", HERE / f"{name}.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


learners = beside("learners")


@pytest.fixture(scope="module")
def reports(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """What each of two ranks wrote down."""
    ranks, folder = beside("ranks"), tmp_path_factory.mktemp("learners")
    for code, _, errors in ranks.finish(ranks.start("learners.py", 2, folder)):
        assert code == 0, errors
    return [json.loads((folder / f"rank-{rank}.json").read_text()) for rank in range(2)]


@pytest.mark.parametrize("name", learners.CASES)
def test_two_ranks_learn_what_one_process_learns(name: str, reports: list[dict[str, Any]]) -> None:
    """Of equal weights the loss is the same to 1e-6; from then on Adam blows the rounding of tiny gradients up, which
    the lean forward pass of one process does in other places."""
    for report in reports:
        found = report[name]
        assert found["share"] == pytest.approx(0.5, abs=0.01)  # each holds one half
        assert found["first_loss_apart"] < 1e-6
        assert found["losses_apart"] < 1e-5
        assert found["figures_apart"] < 1e-4
        assert found["reported_apart"] < 3e-4
        assert found["weights_apart"] < 3e-4
    assert reports[0][name]["losses"] == reports[1][name]["losses"]
    assert len(set(reports[0][name]["losses"])) == learners.STEPS


def test_half_precision_keeps_whole_weights(reports: list[dict[str, Any]]) -> None:
    """Two ranks round otherwise than one: their layers hand bfloat16 on, one process's float32."""
    for report in reports:
        found = report["bfloat16"]
        assert (found["computed"], found["kept"]) == ("torch.bfloat16", "torch.float32")
        assert 0.0 < found["first_loss_apart"] < 0.05


def test_episodes_are_scored_alike(reports: list[dict[str, Any]]) -> None:
    for report in reports:
        found = report["judged"]
        assert set(found["columns"]) >= {"train_logprobs", "reference_logprobs", "token_values", "token_entropy"}
        assert found["columns_apart"] < 1e-5
        assert found["ends_apart"] < 1e-5
        assert found["answers_apart"] < 1e-5
        assert len(found["answers"]) == 3 and max(found["answers"]) < 0.0


def test_all_ranks_refuse_what_is_not_finite(reports: list[dict[str, Any]]) -> None:
    for report in reports:
        assert "at update 0; no step was made" in report["broken"].pop("message")
        assert report["broken"] == {"finite": [True, False], "broken": [], "same": True}


def test_parts_load_on_another_number_of_ranks(reports: list[dict[str, Any]]) -> None:
    """Optimiser, critic and moving reference too. On as many ranks as before, to the last bit."""
    for report in reports:
        assert report["resumed"]["2 to 2"] == 0.0
        assert 0.0 < report["resumed"]["2 to 1"] < 1e-5
        assert 0.0 < report["resumed"]["1 to 2"] < 1e-5


def test_eight_bit_moments_learn_and_go_on_in_parts(reports: list[dict[str, Any]]) -> None:
    for report in reports:
        found = report["8-bit moments"]
        assert found["quantised"] > 10
        assert found["losses"][-1] < found["losses"][0] - 10
        assert found["again"] == found["losses"][-1]


# --- how a batch is dealt out, without any ranks -------------------------------------------------------------------


@pytest.mark.parametrize("tokens", [10, 24, 60, 10_000])
@pytest.mark.parametrize("size", [1, 2, 3, 16])
def test_pieces_are_a_batch_and_as_many_for_every_rank(tokens: int, size: int) -> None:
    from turnwise.algorithms.pieces import cut, share

    batch = learners.new_batch(0)
    pieces = cut(batch, tokens, size)
    assert torch.equal(torch.cat([piece.lengths for piece in pieces]), batch.lengths)
    assert all(piece.ids.numel() <= tokens or len(piece.ids) == 1 for piece in pieces)
    shares = [share(pieces, rank, size) for rank in range(size)]
    assert len({len(mine) for mine in shares}) == 1
    dealt = [piece for mine in shares for piece in mine]
    assert sum(int(piece.mask.sum()) for piece in dealt) == int(batch.mask.sum())
    assert sum(not piece.mask.any() for piece in dealt) == len(dealt) - len(pieces)


def test_pieces_are_balanced() -> None:
    """Eleven rows in one piece would leave a second rank idle: they are cut where both have the same to do."""
    from turnwise.algorithms.pieces import cut

    first, second = cut(learners.new_batch(0), 10_000, 2)
    assert 0.5 < first.ids.numel() / second.ids.numel() < 2.0
    assert len(cut(learners.new_batch(0), 10_000)) == 1


@pytest.mark.parametrize("name", ["own critic, corrections, mask", "entropies of the batch", "plain"])
def test_the_loss_does_not_depend_on_the_number_of_pieces(name: str) -> None:
    """Nor does any other figure, in float32 to 1e-6."""
    from dataclasses import replace

    from turnwise.algorithms.world import ALONE

    figures = []
    for tokens in (10, 24, 60, 10_000):
        settings = learners.CASES[name]
        rates = replace(settings["optimisation"], micro_batch_tokens=tokens, epochs=1)
        subject = learners.new_learner(ALONE, **settings | {"optimisation": rates})
        figures.append(subject.update(learners.new_batch(0), 0.0))
    assert all(learners.apart(each, figures[-1]) < 1e-6 for each in figures)
