"""The figures of the kernels: what is counted, and that every one of them is timed."""

from __future__ import annotations

import json
import sys
from importlib import import_module
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "benchmarks")]
figures, device = import_module("kernel_figures"), import_module("device")


def test_every_kernel_is_timed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "kernels.json"
    assert figures.main(["--tiny", "--json", str(out)]) == 0
    rows = json.loads(out.read_text())["rows"]
    assert {row["kernel"] for row in rows} == {"ceiling", *figures.KERNELS}
    assert all(row["seconds"] > 0 for row in rows)
    assert "stored logits: 20 tokens" in capsys.readouterr().out


def test_what_is_counted() -> None:
    place = device.Place(cpu=True)
    (scan,) = figures.scans(place, figures.TINY)
    assert (scan.flops, scan.moved) == (600, 3600)  # 3 x 100: a product and a sum; two arrays read, one written
    head = next(figures.head(place, figures.TINY))
    assert head.flops == 4 * 2 * 20 * 16 * 50  # four products of 20 x 16 x 50
    tree = next(figures.tree(place, figures.TINY))
    # 3 rows of 16 + 5: 136 pairs in the trunk, 16 * 5 + 15 in each branch; 2 heads of 16, 7 products
    assert tree.flops == 7 * 2 * 2 * 16 * (136 + 3 * 95)


def test_the_floor_is_the_slower_of_both() -> None:
    ceilings = device.Ceilings(flops=100.0, bytes=10.0)
    assert ceilings.floor(200.0, 5.0) == 2.0
    assert ceilings.floor(200.0, 50.0) == 5.0


def test_the_fastest_configuration_is_told() -> None:
    named = {"8 x 2": 3.0, "(64, 4): 8 x 2": 1.0, "(32, 4): 8 x 2": 2.0, "torch: 8 x 2": 0.5, "9 tokens": 1.0}
    rows = [{"kernel": "scan", "what": what, "seconds": seconds} for what, seconds in named.items()]
    (best,) = figures.winners([*rows, {"kernel": "scan", "what": "(1, 1): 8 x 2", "note": "failed: too large"}])
    assert (best["what"], best["seconds"], best["note"]) == ("fastest: 8 x 2", 1.0, "(64, 4)")


def test_a_peer_that_fails_is_a_row_and_ours_is_an_error() -> None:
    place = device.Place(cpu=True)

    def broken() -> None:
        raise RuntimeError("no such device\nand more")

    work = figures.Work("head", "trl: 20 tokens", broken, 1.0, 1.0)
    row = figures.measured(place, device.Ceilings(1.0, 1.0), work)
    assert row["note"] == "failed: no such device"
    with pytest.raises(RuntimeError, match="no such device"):
        figures.measured(place, device.Ceilings(1.0, 1.0), figures.Work("head", "20 tokens", broken, 1.0, 1.0))
