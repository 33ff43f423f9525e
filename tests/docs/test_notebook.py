"""docs/kuhn_poker.ipynb runs from top to bottom in a kernel of its own, and was stored with what it showed."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.processes

PAGE = Path(__file__).resolve().parent.parent.parent / "docs/kuhn_poker.ipynb"


def read() -> Any:
    import nbformat

    return nbformat.read(PAGE, as_version=4)


def cells(notebook: Any) -> list[Any]:
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def shown(cell: Any) -> str:
    return "".join(output.get("text", "") for output in cell.outputs if output.get("name") == "stdout")


def run(folder: Path, steps: int, monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The code cells with what they showed."""
    from nbclient import NotebookClient

    monkeypatch.setenv("TURNWISE_NOTEBOOK_STEPS", str(steps))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.setenv("TMPDIR", str(folder))
    notebook = read()
    NotebookClient(
        notebook, timeout=900, kernel_name="python3", resources={"metadata": {"path": str(folder)}}
    ).execute()
    return cells(notebook)


def test_it_is_stored_with_its_output_and_without_noise() -> None:
    _, trained, curve, hand, tokens = cells(read())
    assert re.search(r"200 steps of 512 games; NashConv 0\.\d{3}", shown(trained))
    assert "image/png" in curve.outputs[-1].data
    assert "player_0 reads: 'card " in shown(hand)
    assert "advantage" in shown(tokens)
    assert [output for cell in cells(read()) for output in cell.outputs if output.get("name") == "stderr"] == []
    assert "/root" not in PAGE.read_text()


def test_it_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _, trained, _, hand, tokens = run(tmp_path, 1, monkeypatch)
    assert shown(trained).startswith("1 steps of 512 games; NashConv 0.")
    returns = dict(re.findall(r"'(player_\d)': (-?\d\.\d)", shown(hand)))
    assert sum(map(float, returns.values())) == 0
    name, head, *rows = shown(tokens).splitlines()
    assert name == "step-000001.parquet"
    assert head.split() == ["seat", "token", "log", "p", "after", "advantage"]
    assert len(rows) >= 8
    assert all(row.startswith("player_") for row in rows)


@pytest.mark.slow
def test_the_whole_of_it_learns(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _, trained, *_ = run(tmp_path, 200, monkeypatch)
    assert float(shown(trained).split()[-1]) < 0.2
