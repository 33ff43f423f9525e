"""Compiled layers: the same loss and gradients, by torch's compiler or by the graphs that it is given."""

from __future__ import annotations

import copy
import shutil
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import torch

from turnwise.agents.clock import ModelClock
from turnwise.agents.lora import LoraSettings
from turnwise.algorithms import learner as learners
from turnwise.algorithms.compiled import active_layers
from turnwise.algorithms.learner import Learner
from turnwise.algorithms.noise_settings import LayerNoiseSettings
from turnwise.algorithms.recipes import Magnet, Objective, Optimisation

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "benchmarks"))
shared_prefix = import_module("shared_prefix")


def learner_of(model: Any, layout: str = "tree", *, compiled: bool = True, **options: Any) -> Learner:
    more = {name: options.pop(name) for name in ("lora", "noise") if name in options}
    settings = Optimisation(layout=layout, compile=compiled, **options)
    return Learner(model, settings, Objective(), Magnet(), temperature=1.0, clock=ModelClock(model.device), **more)


def held_alike(layout: str, layers: int) -> None:
    """Two batches of other shapes each."""
    model = shared_prefix.new_model(64, layers)
    plain, compiled = (learner_of(copy.deepcopy(model), layout, compiled=wanted) for wanted in (False, True))
    for prompt, group in ((16, 3), (21, 4)):
        batch = shared_prefix.new_batch(prompt, group, 2, 12)
        wanted, found = plain.update(batch, 0.0), compiled.update(batch, 0.0)
        for name in ("loss", "grad_norm", "entropy"):
            assert found[name] == pytest.approx(wanted[name], rel=1e-5, abs=1e-5)
    for one, other in zip(plain.model.parameters(), compiled.model.parameters(), strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=1e-3)  # Adam's first steps are signs


@pytest.mark.parametrize(
    ("layout", "backend"),
    [
        ("tree", "eager"),
        pytest.param("rows", "aot_eager", marks=pytest.mark.slow),
        pytest.param("tree", "aot_eager", marks=pytest.mark.slow),
    ],
)
def test_graphs_alone_change_nothing(layout: str, backend: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def without_compiler(*arguments: Any, **options: Any) -> Any:
        return active_layers(*arguments, **options, backend=backend)

    monkeypatch.setattr(learners, "active_layers", without_compiler)
    held_alike(layout, 1 if backend == "eager" else 2)


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("g++") is None, reason="needs a C++ compiler")
def test_compiled_layers_change_nothing() -> None:
    held_alike("tree", 2)


def test_layers_are_as_they_were_outside_of_an_update() -> None:
    model = shared_prefix.new_model(64, 1)
    layer = model.model.layers[0]
    active = active_layers(model, Optimisation(compile=True), backend="eager")
    with active(0, 0):
        assert "forward" in vars(layer)
    assert "forward" not in vars(layer)


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"activation_checkpointing": True}, "computed twice"),
        ({"lora": LoraSettings(rank=2)}, "model.lora"),
        ({"noise": LayerNoiseSettings()}, "algorithm.noise"),
    ],
)
def test_what_it_is_not_tried_with_is_refused(options: dict[str, Any], named: str) -> None:
    with pytest.raises(ValueError, match=f"compile=true is for plain layers.*{named}"):
        learner_of(shared_prefix.new_model(64, 1), **options)
