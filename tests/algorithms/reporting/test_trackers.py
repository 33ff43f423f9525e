"""Trackers: what the real libraries hold after a run is what metrics.jsonl holds; one that fails stops nothing.

The run with the real libraries has a process of its own (they read their folders when they are imported), so that its
tests are among those of `make test-processes`.
"""

from __future__ import annotations

import json
import os
import sqlite3
import struct
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from turnwise.algorithms.build import SettingsError
from turnwise.algorithms.compose import compose, run_settings
from turnwise.algorithms.reporting import trackers
from turnwise.algorithms.reporting.journal import about
from turnwise.algorithms.reporting.runlog import flat, read_metrics
from turnwise.algorithms.reporting.trackers import About, Rows
from turnwise.algorithms.reporting.trackers.mlflow_run import spelt
from turnwise.algorithms.reporting.trackers.relay import IDENTITIES, MOST_WAITING, Trackers
from turnwise.algorithms.trainer import train

TINY = (
    *("env=kuhn_poker", "games_per_step=16", "evaluation.every=0", "evaluation.games=4", "evaluation.final_games=4"),
    *("engine.device=cpu", "model.sft.games=40", "model.sft.steps=5"),
)
SCRIPT = """
import sys
from pathlib import Path
from turnwise.algorithms.compose import compose, run_settings
from turnwise.algorithms.trainer import train
for steps in ("steps=2", "steps=4"):
    train(run_settings(compose([*sys.argv[2:], steps])), Path(sys.argv[1]), say=print)
"""


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of two steps that went on for two more, with every tracker in its offline mode."""
    folder = tmp_path_factory.mktemp("trackers")
    words = (*TINY, "trackers=[tensorboard,wandb,mlflow,trackio]", "tensorboard=false", "tracker_project=ours")
    settings = {"WANDB_MODE": "offline", "TRACKIO_DIR": str(folder / "trackio"), "OMP_NUM_THREADS": "1"}
    own = ("MLFLOW_", "WANDB_", "TRACKIO_")
    clean = {name: value for name, value in os.environ.items() if not name.startswith(own)}
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(folder / "run"), *words],
        env={**clean, **settings, "HF_HUB_OFFLINE": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert "failed and is left out" not in done.stdout
    return folder / "run"


def written(run: Path) -> dict[str, dict[int, float]]:
    """Name -> step -> value, of all numbers in metrics.jsonl."""
    found: dict[str, dict[int, float]] = {}
    for record in read_metrics(run):
        for name, value in flat(record).items():
            if name != "step" and isinstance(value, int | float):
                found.setdefault(name, {})[record["step"]] = float(value)
    return found


def identity(run: Path, name: str) -> dict[str, str]:
    return json.loads((run / IDENTITIES).read_text())[name]


@pytest.mark.processes
def test_the_run_has_four_steps_and_figures_of_the_machine(run: Path) -> None:
    found = written(run)
    assert list(found["loss"]) == [1, 2, 3, 4]
    assert found["time/system/rss_gib"][1] > 0.05
    assert found["time/system/disk_free_gib"][1] > 0
    assert found["time/system/threads"][1] >= 1
    assert found.keys() >= {"time/system/cpu_cores", "time/system/load_1min", "time/system/memory_free_gib"}


@pytest.mark.processes
def test_mlflow_holds_what_metrics_hold(run: Path) -> None:
    known = identity(run, "mlflow")
    assert known["uri"] == (run / "mlruns").resolve().as_uri()
    (folder,) = (run / "mlruns").glob(f"*/{known['run_id']}")
    assert len(list(folder.parent.glob("*/meta.yaml"))) == 1, "the resumed run is the same run"
    held: dict[str, dict[int, float]] = {}
    for path in (folder / "metrics").rglob("*"):
        if path.is_file():
            rows = [line.split() for line in path.read_text().splitlines()]
            held[path.relative_to(folder / "metrics").as_posix()] = {int(row[2]): float(row[1]) for row in rows}
    assert {name: values for name, values in held.items() if not name.startswith("summary.")} == {
        spelt(name): values for name, values in written(run).items()
    }
    summary = json.loads((run / "summary.json").read_text())
    assert list(held["summary.nash_conv"].values())[-1] == summary["nash_conv"]
    assert (folder / "params/algorithm.optimisation.learning_rate").read_text() == "0.001"
    assert (folder / "tags/summary.algorithm").read_text() == "spiral"


@pytest.mark.processes
def test_trackio_holds_what_metrics_hold(run: Path) -> None:
    assert identity(run, "trackio") == {"name": "run", "project": "ours"}
    with sqlite3.connect(run.parent / "trackio/ours.db") as store:
        rows = store.execute("select run_name, step, metrics from metrics order by step, id").fetchall()
        configs = store.execute("select config from configs").fetchall()
    assert {row[0] for row in rows} == {"run"}
    held: dict[str, dict[int, float]] = {}
    for _, step, metrics in rows:
        for name, value in json.loads(metrics).items():
            held.setdefault(name, {})[step] = value
    assert {name: values for name, values in held.items() if not name.startswith("summary/")} == written(run)
    assert held["summary/nash_conv"][4] == json.loads((run / "summary.json").read_text())["nash_conv"]
    assert json.loads(configs[0][0])["env/id"] == "KuhnPoker-LLM"


def wandb_records(path: Path) -> Iterator[Any]:
    """The records of an offline run's file: a log of blocks as LevelDB writes it, behind seven bytes of W&B's own."""
    from wandb.proto import wandb_internal_pb2

    content, place, parts = path.read_bytes(), 7, b""
    while place + 7 <= len(content):
        left = 32768 - place % 32768
        if left < 7:  # the rest of a block, too short for a header
            place += left
            continue
        _, length, kind = struct.unpack_from("<IHB", content, place)
        if kind == 0:
            return
        parts += content[place + 7 : place + 7 + length]
        place += 7 + length
        if kind in (1, 4):  # whole, or the last part
            record = wandb_internal_pb2.Record()
            record.ParseFromString(parts)
            parts = b""
            yield record


@pytest.mark.processes
def test_wandb_holds_what_metrics_hold(run: Path) -> None:
    known = identity(run, "wandb")
    assert known["project"] == "ours"
    files = sorted((run / "wandb").glob(f"offline-run-*/run-{known['id']}.wandb"))
    assert files
    held: dict[str, dict[int, float]] = {}
    config: dict[str, Any] = {}
    summary: dict[str, Any] = {}
    for record in (record for path in files for record in wandb_records(path)):
        kind = record.WhichOneof("record_type")
        if kind == "history":
            for item in record.history.item:
                name = item.key or "/".join(item.nested_key)
                if not name.startswith("_"):
                    held.setdefault(name, {})[record.history.step.num] = float(json.loads(item.value_json))
        elif kind == "run":
            config |= {item.key: json.loads(item.value_json) for item in record.run.config.update}
        elif kind == "summary":
            items = record.summary.update
            summary |= {(item.key or item.nested_key[0]): json.loads(item.value_json) for item in items}
    assert held == written(run)
    assert config["env/id"] == "KuhnPoker-LLM"
    assert summary["summary/nash_conv"] == json.loads((run / "summary.json").read_text())["nash_conv"]


@pytest.mark.processes
def test_tensorboard_is_one_of_the_names(run: Path) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(run / "tb"))
    events.Reload()
    assert {event.step: pytest.approx(event.value, rel=1e-6) for event in events.Scalars("loss")} == written(run)[
        "loss"
    ]


@pytest.mark.processes
def test_figures_of_trackers_do_not_change_a_run(run: Path, tmp_path: Path) -> None:
    for steps in ("steps=2", "steps=4"):
        train(run_settings(compose([*TINY, "tensorboard=false", steps])), tmp_path)
    timeless = [{name: value for name, value in row.items() if name != "time"} for row in read_metrics(tmp_path)]
    assert timeless == [{name: value for name, value in row.items() if name != "time"} for row in read_metrics(run)]
    assert not (tmp_path / IDENTITIES).exists()


# --- trackers that fail --------------------------------------------------------------------------------------------


class Kept:
    """A tracker that remembers, or that fails where it is told to."""

    def __init__(self, fails_at: str = "", gate: threading.Event | None = None) -> None:
        self.identity, self.rows, self.ended, self.closed = {"id": "7"}, [], None, None  # type: ignore[var-annotated]
        self._fails_at, self._gate = fails_at, gate

    def __call__(self, about: About) -> Kept:
        self.about = about
        self._maybe("open")
        return self

    def _maybe(self, where: str) -> None:
        if self._gate is not None:
            self._gate.wait()
        if self._fails_at == where:
            raise ConnectionError(f"no network at {where}\nand a long story")

    def write(self, rows: Rows) -> None:
        self._maybe("write")
        self.rows += rows

    def end(self, summary: Mapping[str, Any]) -> None:
        self._maybe("end")
        self.ended = dict(summary)

    def close(self, whole: bool) -> None:
        self._maybe("close")
        self.closed = whole


def opened(folder: Path, **kept: Kept) -> Trackers:
    def told(known: Mapping[str, str]) -> About:
        return About(name="run", project="ours", run_dir=folder, config={"seed": 0}, known=known)

    return Trackers(list(kept), told, folder, opening=lambda name: kept[name], open_within_s=0.01)


def test_steps_come_in_order_and_the_run_is_known_again(tmp_path: Path) -> None:
    first, again = Kept(), Kept()
    carried = opened(tmp_path, a=first)
    for step in range(5):
        carried.write(step, {"loss": step / 2})
    carried.close()
    assert first.rows == [(step, {"loss": step / 2}) for step in range(5)]
    assert (first.ended, first.closed, first.about.known) == (None, False, {})
    carried = opened(tmp_path, a=again)
    carried.write(5, {"loss": 9.0})
    carried.end({"nash_conv": 0.5})
    carried.close()
    assert (again.ended, again.closed, again.about.known) == ({"nash_conv": 0.5}, True, {"id": "7"})


@pytest.mark.parametrize("where", ["open", "write", "end", "close"])
def test_a_tracker_that_fails_is_said_once_and_the_others_go_on(tmp_path: Path, where: str) -> None:
    bad, good = Kept(where), Kept()
    carried = opened(tmp_path, bad=bad, good=good)
    for step in range(3):
        carried.write(step, {"loss": 1.0})
    carried.end({})
    carried.close()
    said = carried.news()
    assert said == [
        "the tracker bad failed and is left out from now on, metrics.jsonl has everything: "
        f"ConnectionError: no network at {where}"
    ]
    assert carried.news() == []
    assert len(good.rows) == 3
    assert good.closed is True


def test_a_tracker_that_hangs_holds_nothing_up(tmp_path: Path) -> None:
    gate = threading.Event()
    carried = opened(tmp_path, slow=Kept(gate=gate))
    relay = carried._relays["slow"]
    for step in range(MOST_WAITING + 2):
        relay.put((step, {}))
    assert f"it is {MOST_WAITING} steps behind" in carried.news()[0]
    carried.close(0.01)
    gate.set()
    other = threading.Event()
    carried = opened(tmp_path, slow=Kept(gate=other))
    carried.write(0, {})
    carried.close(0.01)
    assert "did not take the last steps within 0.01 s" in carried.news()[0]
    other.set()


def test_a_run_goes_on_without_a_network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A real MLflow client, and a server that is not there."""
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    said: list[str] = []
    words = [*TINY, "steps=2", "tensorboard=false", "trackers=[mlflow]"]
    train(run_settings(compose(words)), tmp_path, say=said.append)
    assert [record["step"] for record in read_metrics(tmp_path)] == [0, 1, 2]
    (line,) = [line for line in said if "tracker" in line]
    assert line.startswith("the tracker mlflow failed and is left out from now on, metrics.jsonl has everything: ")


def test_a_package_that_cannot_be_imported_is_a_tracker_that_failed(tmp_path: Path) -> None:
    def broken(name: str) -> Any:
        raise AttributeError(f"{name} is half a package")

    carried = Trackers(["a"], lambda known: None, tmp_path, opening=broken)  # type: ignore[arg-type, return-value]
    carried.write(0, {})
    carried.close()
    (line,) = carried.news()
    assert line.endswith("AttributeError: a is half a package")


def test_an_unknown_tracker_is_named_with_those_that_there_are() -> None:
    with pytest.raises((SettingsError, ValueError), match=r"trackers.*tensorboard, wandb, mlflow, trackio"):
        run_settings(compose(["trackers=[wanbd]"]))


def test_a_missing_package_is_said_before_anything_begins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(trackers.TRACKERS, "aimless", "nowhere")
    with pytest.raises(ModuleNotFoundError, match=r'pip install "turnwise\[aimless\]"'):
        trackers.require_package("aimless")


def test_every_setting_is_told(tmp_path: Path) -> None:
    found = about(run_settings(compose(["seed=3"])), tmp_path, {})
    assert (found.config["seed"], found.config["env/id"], found.project) == (3, "KuhnPoker-LLM", "turnwise")
    assert all(value is None or isinstance(value, str | int | float) for value in found.config.values())
