"""What can go wrong around a run: one clear line, exit code 2, and every folder as good as before."""

from __future__ import annotations

import contextlib
import hashlib
import json
import resource
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from turnwise.algorithms.checkpoint import check, newest, newest_whole, steps_saved
from turnwise.algorithms.reporting.progress import Progress
from turnwise.algorithms.reporting.runlog import read_metrics

Refused = Callable[..., str]
Command = Callable[..., Any]
Fingerprint = Callable[[Path], dict[str, Any]]


def contents(folder: Path) -> dict[str, str]:
    """Every file below a folder and its hash."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


@pytest.fixture
def run(finished_run: Path, tmp_path: Path) -> Path:
    """A copy of a finished run, to be harmed."""
    return Path(shutil.copytree(finished_run, tmp_path / "run"))


# --- words that name nothing -----------------------------------------------------------------------------------------


def test_no_run_folder_is_touched_by_words_that_do_not_fit_it(finished_run: Path, refused: Refused) -> None:
    before = contents(finished_run)
    here = f"run_dir={finished_run}"
    assert refused("train", here) == (
        f"{finished_run} is not empty; go on with turnwise train --resume {finished_run}, or choose another run_dir"
    )
    assert "did you mean 'kuhn_poker'?" in refused("train", here, "env=kuhn_pokr")
    assert "leave out steps=20 seed=1" in refused("train", "--resume", finished_run, "steps=20", "seed=1")
    assert "is not empty" in refused("sft", "--out", finished_run)
    assert "leave out env=nim" in refused("eval", finished_run, "env=nim")
    assert "did you mean 'random'?" in refused("eval", finished_run, "--opponents", "random,randm")
    assert "games is a multiple of 2" in refused("eval", finished_run, "--games", "3")
    assert contents(finished_run) == before


def test_folders_that_are_no_runs(tmp_path: Path, refused: Refused) -> None:
    nowhere, empty, file = tmp_path / "nowhere", tmp_path / "empty", tmp_path / "file"
    empty.mkdir()
    file.write_text("mine")
    assert refused("train", "--resume", nowhere) == f"{nowhere} is no run folder: it has no config.yaml"
    assert refused("train", "--resume", empty) == f"{empty} is no run folder: it has no config.yaml"
    assert "is not empty" in refused("train", f"run_dir={file}")
    assert f"there is no folder {nowhere}" in refused("eval", nowhere)
    assert "has no config.json" in refused("eval", empty)
    assert "is no run folder" in refused("report", nowhere)
    assert refused("list", "env") == "there is no list of 'env'; did you mean 'envs'?"
    assert "run_dir=FOLDER" in refused("train", "experiment=kuhn_rae_ablation")
    assert file.read_text() == "mine"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["empty", "file"]


def test_a_run_whose_settings_are_gone_or_garbled(run: Path, refused: Refused) -> None:
    text = (run / "config.yaml").read_text()
    for garbled, message in (
        ("steps: [1", "config.yaml cannot be read"),
        ("just words", "config.yaml holds settings, key by key: got str"),
        (text.replace("\nsteps:", "\nstepz:"), "there is no setting stepz; did you mean 'steps'?"),
        (text.replace("KuhnPoker-LLM", "KuhnPokr-LLM"), "did you mean 'KuhnPoker-LLM'?"),
    ):
        (run / "config.yaml").write_text(garbled)
        assert message in refused("train", "--resume", run)


# --- models ----------------------------------------------------------------------------------------------------------

QUICK = (
    *("steps=2", "games_per_step=8", "evaluation.final_games=4", "model.prompt=compact"),
    *("agent.sampling.max_tokens=6", "agent.context.max_context=512"),
)
THOUGHTLESS = """\
{%- for message in messages -%}
<|im_start|>{{ message.role }}
{% if message.role == 'assistant' and not loop.last %}{{ message.content.split('</think>')[-1].lstrip() }}\
{%- else %}{{ message.content }}{% endif %}<|im_end|>
{% endfor -%}
{%- if add_generation_prompt %}<|im_start|>assistant
{% endif -%}"""
"""As the templates of thinking models: a reply loses its thoughts once the next message follows."""


@pytest.fixture(scope="module")
def forgetful_model(command: Command, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A saved model whose chat template drops earlier thoughts."""
    folder = tmp_path_factory.mktemp("model") / "forgetful"
    made = command("sft", "--out", folder, "model.sft.steps=5", "model.sft.games=50")
    assert made.exit_code == 0, made.output
    (folder / "chat_template.jinja").write_text(THOUGHTLESS)
    return folder


def test_a_model_that_does_not_exist(tmp_path: Path, refused: Refused, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    here = f"run_dir={tmp_path / 'run'}"
    assert refused("train", "model=/no/such/model", here).startswith("there is no model folder /no/such/model; give")
    assert "'nobody/nothing-at-all' cannot be loaded" in refused("train", "model=nobody/nothing-at-all", here)
    (tmp_path / "empty").mkdir()
    assert "has no config.json" in refused("train", f"model={tmp_path / 'empty'}", here)
    assert [path.name for path in tmp_path.iterdir()] == ["empty"]


def test_a_template_that_rewrites_history_is_refused_with_two_ways_out(
    forgetful_model: Path, tmp_path: Path, refused: Refused
) -> None:
    words = (f"model={forgetful_model}", "agent.context.layout=append_only", *QUICK, f"run_dir={tmp_path / 'run'}")
    message = refused("train", *words)
    assert "this chat template rewrites earlier turns" in message
    assert "model.chat_template=chatml" in message
    assert "agent.context.layout=per_turn" in message
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("way_out", ["model.chat_template=chatml", "agent.context.layout=per_turn"])
def test_both_ways_out_train(forgetful_model: Path, way_out: str, tmp_path: Path, command: Command) -> None:
    run = tmp_path / "run"
    done = command("train", f"model={forgetful_model}", *QUICK, way_out, f"run_dir={run}")
    assert done.exit_code == 0, done.output
    assert [record["step"] for record in read_metrics(run)] == [0, 1, 2]
    assert json.loads((run / "summary.json").read_text())["steps"] == 2


def test_a_device_that_is_not_there(tmp_path: Path, refused: Refused, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    here = f"run_dir={tmp_path / 'run'}"
    assert "use engine.device=cpu" in refused("train", "engine.device=cuda", here)
    assert "engine.device is auto, cpu, cuda or cuda:N: got 'abacus'" in refused("train", "engine.device=abacus", here)
    assert list(tmp_path.iterdir()) == []


# --- checkpoints -----------------------------------------------------------------------------------------------------


def flip_a_byte(checkpoint: Path) -> None:
    data = bytearray((checkpoint / "state.pt").read_bytes())
    data[len(data) // 2] ^= 1
    (checkpoint / "state.pt").write_bytes(data)


def truncate_the_manifest(checkpoint: Path) -> None:
    text = (checkpoint / "manifest.json").read_text()
    (checkpoint / "manifest.json").write_text(text[: len(text) // 2])


def lose_the_weights(checkpoint: Path) -> None:
    (checkpoint / "model/model.safetensors").unlink()


def come_from_the_future(checkpoint: Path) -> None:
    manifest = json.loads((checkpoint / "manifest.json").read_text())
    (checkpoint / "manifest.json").write_text(json.dumps(manifest | {"version": 99}))


DAMAGES = [
    (flip_a_byte, "is damaged: state.pt changed since it was written"),
    (truncate_the_manifest, "is no whole checkpoint"),
    (lose_the_weights, "is damaged: model/model.safetensors changed since it was written"),
]


@pytest.mark.parametrize(("harm", "message"), DAMAGES)
def test_a_run_goes_on_from_the_newest_whole_checkpoint(
    harm: Callable[[Path], None],
    message: str,
    run: Path,
    finished_run: Path,
    refused: Refused,
    command: Command,
    fingerprint: Fingerprint,
) -> None:
    """A judge is not sent to other weights than were asked for; a run is, and says so. What is damaged is kept."""
    last = newest(run)
    assert last is not None
    harm(last)
    before = contents(run)
    assert message in (told := refused("eval", run))
    assert "turnwise train --resume goes on from the one before it" in told
    assert contents(run) == before
    assert command("eval", run / "checkpoints/step-000008", "--games", 2).exit_code == 0
    done = command("train", "--resume", run)
    assert done.exit_code == 0, done.output
    assert message in done.stdout
    assert "it stands in step-000012.damaged now, and the one before it is used" in done.stdout
    assert "going on after step 8" in done.stdout
    assert fingerprint(run) == fingerprint(finished_run)
    whole, aside = "checkpoints/step-000012", "checkpoints/step-000012.damaged"
    harmed = {name.replace(whole, aside): text for name, text in before.items()}
    kept = {name: text for name, text in contents(run).items() if ".damaged" in name}
    assert kept == {name: text for name, text in harmed.items() if ".damaged" in name}


def test_a_checkpoint_of_another_version_is_left_where_it_is(run: Path, refused: Refused) -> None:
    last = newest(run)
    assert last is not None
    come_from_the_future(last)
    before = contents(run)
    for words in (("train", "--resume", run), ("eval", run)):
        assert "is a checkpoint of version 99; this turnwise reads version" in refused(*words)
    assert contents(run) == before


def test_a_run_without_a_whole_checkpoint_says_what_is_left(run: Path, refused: Refused) -> None:
    steps = steps_saved(run)
    for step in steps:
        flip_a_byte(run / f"checkpoints/step-{step:06d}")
    message = refused("train", "--resume", run)
    assert f"{run} has no whole checkpoint left; what there was stands in {run}/checkpoints/*.damaged" in message
    assert "begun again with another run_dir" in message
    assert sorted(path.name for path in (run / "checkpoints").iterdir()) == [
        f"step-{step:06d}.damaged" for step in steps
    ]


def test_a_second_damaged_checkpoint_of_one_step_is_kept_beside_the_first(run: Path) -> None:
    said: list[str] = []
    for _ in range(2):
        shutil.copytree(run / "checkpoints/step-000008", run / "checkpoints/step-000020")
        flip_a_byte(run / "checkpoints/step-000020")
        assert newest_whole(run, said.append) == run / "checkpoints/step-000012"
    assert (run / "checkpoints/step-000020.damaged").is_dir()
    assert (run / "checkpoints/step-000020.damaged-2").is_dir()
    assert "it stands in step-000020.damaged-2 now" in said[1]


def test_other_folders_beside_the_checkpoints_are_left_alone(run: Path, command: Command) -> None:
    (run / "checkpoints/step-000008").rename(run / "checkpoints/step-000008.aside")
    assert 8 not in steps_saved(run)
    assert command("train", "--resume", run).exit_code == 0
    assert (run / "checkpoints/step-000008.aside").is_dir()


def test_a_broken_line_of_the_metrics_is_named(run: Path, refused: Refused) -> None:
    with (run / "metrics.jsonl").open("a") as file:
        file.write("half a li\n")
    assert "line 14 of" in (message := refused("train", "--resume", run))
    assert "is not JSON" in message


# --- the folder is busy, the disk is full, the user stops it, the numbers explode ------------------------------------

HOLDER = """
import sys
from pathlib import Path
from turnwise.algorithms.reporting.runlog import lock_run
with lock_run(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_a_folder_that_another_process_works_in(run: Path, refused: Refused) -> None:
    command = [sys.executable, "-c", HOLDER, str(run)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        before = contents(run)
        assert f"{run} is in use by the process {holder.pid}; wait until it ends" in refused("train", "--resume", run)
        assert contents(run) == before
        holder.communicate("")


@contextlib.contextmanager
def disk(folder: Path, size_kb: int) -> Iterator[bool]:
    """`folder` with room for so much. True: a file system of that size. False: no right to mount one, so no file of
    this process may grow beyond it."""
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={size_kb}k", "tmpfs", str(folder)]
    if shutil.which("mount") and subprocess.run(mount, capture_output=True, check=False).returncode == 0:
        try:
            yield True
        finally:
            subprocess.run(["umount", str(folder)], check=True)
    else:
        with files_up_to(min(size_kb, 1000)):
            yield False


@contextlib.contextmanager
def files_up_to(size_kb: int) -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size_kb * 1024, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def require_whole(run: Path) -> None:
    """Every line and every checkpoint that is there can be read."""
    read_metrics(run)
    for step in steps_saved(run):
        check(run / f"checkpoints/step-{step:06d}")
    assert not list(run.rglob("*.tmp"))


@pytest.mark.parametrize("size_kb", [4, 64, 1000, 1900])
def test_a_full_disk_stops_a_run_that_goes_on_when_there_is_room(
    size_kb: int,
    tmp_path: Path,
    small_run: tuple[str, ...],
    finished_run: Path,
    refused: Refused,
    command: Command,
    fingerprint: Fingerprint,
) -> None:
    """The disk is full at the lock, at the first model, at the first state, at a later checkpoint."""
    run = tmp_path / "disk/run"
    with disk(tmp_path / "disk", size_kb) as mounted:
        message = refused("train", *small_run, f"run_dir={run}")
        assert "could not be written: No space left on device" in message or not mounted
        assert "free some space on that disk, then go on with `turnwise train --resume RUN`" in message
        require_whole(run)
        if mounted:
            subprocess.run(["mount", "-o", "remount,size=16m", str(tmp_path / "disk")], check=True)
            done = command("train", "--resume", run)
            assert done.exit_code == 0, done.output
            assert fingerprint(run) == fingerprint(finished_run)


@pytest.mark.parametrize("size_kb", [1, 100, 600])
def test_a_file_that_may_not_grow_stops_a_run_that_goes_on_when_it_may(
    size_kb: int,
    tmp_path: Path,
    small_run: tuple[str, ...],
    finished_run: Path,
    refused: Refused,
    command: Command,
    fingerprint: Fingerprint,
) -> None:
    run = tmp_path / "run"
    with files_up_to(size_kb):
        message = refused("train", *small_run, f"run_dir={run}")
    assert "could not be written: File too large; free some space" in message
    require_whole(run)
    words = ("--resume", run) if (run / "config.yaml").exists() else (*small_run, f"run_dir={run}")
    done = command("train", *words)
    assert done.exit_code == 0, done.output
    assert fingerprint(run) == fingerprint(finished_run)


def test_a_full_disk_leaves_no_half_a_model(tmp_path: Path, refused: Refused) -> None:
    with files_up_to(100):
        refused("sft", "--out", tmp_path / "model", "model.sft.steps=1", "model.sft.games=50")
    assert list(tmp_path.iterdir()) == []


def test_a_run_that_its_user_stops_goes_on(
    tmp_path: Path,
    small_run: tuple[str, ...],
    finished_run: Path,
    command: Command,
    fingerprint: Fingerprint,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    shown = Progress.update

    def stop_at_six(progress: Progress, record: dict[str, Any]) -> None:
        shown(progress, record)
        if record["step"] == 6:
            signal.raise_signal(signal.SIGINT)

    run = tmp_path / "run"
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # a job in the background may ignore it
    with monkeypatch.context() as patch:
        patch.setattr(Progress, "update", stop_at_six)
        stopped = command("train", *small_run, f"run_dir={run}")
    signal.signal(signal.SIGINT, before)
    assert stopped.exit_code == 130
    line = f"turnwise: stopped after step 6, which is saved; go on with turnwise train --resume {run}"
    assert stopped.stderr.splitlines() == [line]
    assert steps_saved(run)[-1] == 6
    assert [record["step"] for record in read_metrics(run)] == list(range(7))
    assert command("train", "--resume", run).exit_code == 0
    assert fingerprint(run) == fingerprint(finished_run)


def test_numbers_that_explode_are_named_before_they_reach_a_checkpoint(
    tmp_path: Path, small_run: tuple[str, ...], refused: Refused
) -> None:
    run = tmp_path / "run"
    words = [f"algorithm.optimisation.{name}=1e30" for name in ("learning_rate", "final_learning_rate")]
    message = refused("train", *small_run, *words, f"run_dir={run}")
    assert "no step was made" in message
    require_whole(run)
    assert steps_saved(run) == [0]
