"""metrics.jsonl and its cut-back, TensorBoard scalars, and the lock of the run folder."""

from __future__ import annotations

import json
import math
import os
import resource
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from turnwise.algorithms.files import RunFolderError
from turnwise.algorithms.reporting.runlog import RunLog, flat, lock_run, plain_json, read_metrics


def written(run_dir: Path, steps: range) -> None:
    log = RunLog(run_dir, tensorboard=False)
    for step in steps:
        log.write({"step": step, "loss": step / 2})
    log.close()


def steps_of(run_dir: Path) -> list[int]:
    return [record["step"] for record in read_metrics(run_dir)]


def test_one_flushed_line_per_step(tmp_path: Path) -> None:
    log = RunLog(tmp_path / "new" / "run", tensorboard=False)
    log.write({"step": 1, "return/player_0": -0.5, "eval": {"nash_conv": 0.917}, "time": {"step": 0.25}})
    expected = '{"step":1,"return/player_0":-0.5,"eval":{"nash_conv":0.917},"time":{"step":0.25}}\n'
    assert (tmp_path / "new/run/metrics.jsonl").read_text() == expected
    log.close()
    log.close()


def test_numbers_of_any_library_and_no_invalid_json(tmp_path: Path) -> None:
    log = RunLog(tmp_path, tensorboard=False)
    record = {
        "step": 1,
        "a": np.float32(0.5),
        "b": torch.tensor(2),
        "c": math.nan,
        "d": [-math.inf, 1],
        "e": np.float64("inf"),
    }
    log.write(record)
    log.close()

    def refuse(name: str) -> Any:
        raise AssertionError(f"{name} is no JSON")

    found = json.loads((tmp_path / "metrics.jsonl").read_text(), parse_constant=refuse)
    assert found == {"step": 1, "a": 0.5, "b": 2, "c": None, "d": [None, 1], "e": None}


def test_what_json_cannot_hold_is_refused_and_nothing_written(tmp_path: Path) -> None:
    log = RunLog(tmp_path, tensorboard=False)
    with pytest.raises(TypeError, match="got object"):
        log.write({"step": 1, "x": object()})
    assert (tmp_path / "metrics.jsonl").read_bytes() == b""
    log.close()


@pytest.mark.parametrize("step", [3, 2, None, 4.0])
def test_steps_ascend(tmp_path: Path, step: Any) -> None:
    written(tmp_path, range(1, 4))
    log = RunLog(tmp_path, tensorboard=False)
    with pytest.raises(ValueError, match="above the last one, 3"):
        log.write({"step": step})
    log.close()


def test_cut_back_and_go_on(tmp_path: Path) -> None:
    written(tmp_path, range(1, 8))
    whole = (tmp_path / "metrics.jsonl").read_bytes()
    log = RunLog(tmp_path, tensorboard=False)
    log.cut_back(4)
    assert steps_of(tmp_path) == [1, 2, 3, 4]
    for step in range(5, 8):
        log.write({"step": step, "loss": step / 2})
    log.sync()
    log.close()
    assert (tmp_path / "metrics.jsonl").read_bytes() == whole


def test_cut_back_to_before_the_first_step(tmp_path: Path) -> None:
    written(tmp_path, range(1, 3))
    log = RunLog(tmp_path, tensorboard=False)
    log.cut_back(0)
    assert (tmp_path / "metrics.jsonl").read_bytes() == b""
    log.write({"step": 1})
    log.close()
    assert steps_of(tmp_path) == [1]


@given(st.data())
def test_a_torn_file_reads_as_its_whole_lines(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    run_dir = tmp_path_factory.mktemp("run")
    written(run_dir, range(1, 4))
    content = (run_dir / "metrics.jsonl").read_bytes()
    size = data.draw(st.integers(0, len(content)))
    (run_dir / "metrics.jsonl").write_bytes(content[:size])
    whole = list(range(1, 1 + content[:size].count(b"\n")))
    assert steps_of(run_dir) == whole
    written(run_dir, range(len(whole) + 1, 4))
    assert (run_dir / "metrics.jsonl").read_bytes() == content


def test_a_broken_line_is_named(tmp_path: Path) -> None:
    (tmp_path / "metrics.jsonl").write_text('{"step":1}\n{"ste\n')
    with pytest.raises(RunFolderError, match=r"line 2 of .*metrics\.jsonl is not JSON"):
        read_metrics(tmp_path)
    with pytest.raises(RunFolderError, match="line 2"):
        RunLog(tmp_path, tensorboard=False)
    (tmp_path / "metrics.jsonl").write_text("[]\n")
    with pytest.raises(RunFolderError, match=r"line 1 of .* is no metrics record"):
        read_metrics(tmp_path)
    (tmp_path / "metrics.jsonl").write_text('{"step":2}\n{"step":2}\n')
    with pytest.raises(RunFolderError, match=r"line 2 of .* has step 2, not above 2"):
        read_metrics(tmp_path)


def test_no_metrics_and_no_folder(tmp_path: Path) -> None:
    assert read_metrics(tmp_path) == []
    with pytest.raises(RunFolderError, match="no such directory"):
        read_metrics(tmp_path / "missing")


def test_a_full_disk_leaves_whole_lines(tmp_path: Path) -> None:
    written(tmp_path, range(1, 3))
    before = (tmp_path / "metrics.jsonl").read_bytes()
    log = RunLog(tmp_path, tensorboard=False)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(before) + 5, hard))  # five bytes of the next line still fit
    try:
        with pytest.raises(RunFolderError, match=r"metrics\.jsonl could not be written: .*free some space"):
            log.write({"step": 3, "loss": 1.5})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert (tmp_path / "metrics.jsonl").read_bytes() == before
    log.write({"step": 3, "loss": 1.5})
    log.close()
    assert steps_of(tmp_path) == [1, 2, 3]


def test_flat_and_plain() -> None:
    assert flat({"a": 1, "b": {"c": 2, "d": {"e": 3}}, "f/g": 4}) == {"a": 1, "b/c": 2, "b/d/e": 3, "f/g": 4}
    assert plain_json({"a": (1, True, None, "x")}) == {"a": [1, True, None, "x"]}


def test_tensorboard_holds_the_scalars_of_the_run_that_went_on(tmp_path: Path) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    log = RunLog(tmp_path)
    for step in (1, 2, 3):
        log.write({"step": step, "loss": float(step), "skipped": math.nan, "eval": {"nash_conv": step / 4}})
    log.cut_back(1)
    log.write({"step": 2, "loss": 20.0})
    log.close()
    events = EventAccumulator(str(tmp_path / "tb")).Reload()
    assert sorted(events.Tags()["scalars"]) == ["eval/nash_conv", "loss"]
    assert [(event.step, event.value) for event in events.Scalars("loss")] == [(1, 1.0), (2, 20.0)]
    assert [(event.step, event.value) for event in events.Scalars("eval/nash_conv")] == [(1, 0.25)]


def test_no_tensorboard_where_none_is_wanted(tmp_path: Path) -> None:
    written(tmp_path, range(1, 2))
    assert not (tmp_path / "tb").exists()


def test_a_locked_folder_refuses_another_and_names_the_holder(tmp_path: Path) -> None:
    with lock_run(tmp_path / "run"):
        with pytest.raises(RunFolderError, match=rf"in use by the process {os.getpid()};"), lock_run(tmp_path / "run"):
            raise AssertionError("the lock was given twice")
        source = (
            "import sys, pathlib\nfrom turnwise.algorithms.reporting.runlog import lock_run\n"
            "try:\n    lock_run(pathlib.Path(sys.argv[1])).__enter__()\nexcept RuntimeError as error:\n    print(error)"
        )
        command = [sys.executable, "-c", source, str(tmp_path / "run")]
        said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        assert f"in use by the process {os.getpid()}" in said
        assert "run_dir=PATH" in said


def test_a_lock_ends_with_its_block_and_with_its_process(tmp_path: Path) -> None:
    with pytest.raises(KeyError), lock_run(tmp_path):
        raise KeyError
    source = (
        "import os, sys, pathlib\nfrom turnwise.algorithms.reporting.runlog import lock_run\n"
        "lock_run(pathlib.Path(sys.argv[1])).__enter__()\nos.kill(os.getpid(), 9)"
    )
    assert subprocess.run([sys.executable, "-c", source, str(tmp_path)], check=False).returncode == -9
    with lock_run(tmp_path):
        assert (tmp_path / ".lock").read_text() == f"{os.getpid()}\n"
