"""bfloat16 products over float32 weights."""

from __future__ import annotations

import torch

from turnwise.agents.precision import computing_in

CPU = torch.device("cpu")


def test_products_run_in_bfloat16_and_weights_stay_float32() -> None:
    layer = torch.nn.Linear(4, 4, bias=False)
    with computing_in(torch.bfloat16, CPU):
        out = layer(torch.ones(1, 4))
    assert (out.dtype, layer.weight.dtype) == (torch.bfloat16, torch.float32)


def test_an_update_inside_the_block_is_seen_by_the_next_product() -> None:
    layer = torch.nn.Linear(2, 1, bias=False)
    with computing_in(torch.bfloat16, CPU):
        layer(torch.ones(1, 2))
        with torch.no_grad():
            layer.weight.fill_(3.0)
        assert layer(torch.ones(1, 2)).item() == 6.0


def test_float32_changes_nothing() -> None:
    with computing_in(torch.float32, CPU):
        assert torch.nn.Linear(2, 2)(torch.ones(1, 2)).dtype == torch.float32
