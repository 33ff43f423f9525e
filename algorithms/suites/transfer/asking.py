"""Has lm-eval ask a model folder, offline, and reads what each question scored."""

from __future__ import annotations

import io
import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, redirect_stderr
from pathlib import Path
from typing import Any

from turnwise.agents.pretrained import pick_device
from turnwise.algorithms.evaluation.players import Player
from turnwise.algorithms.suites.transfer.definition import TransferSuite, TransferTask, write_task

METRICS = ("exact_match", "acc", "acc_norm", "em", "f1")
"""Of a task of lm-eval, the first of these that it has is read."""


class NotInstalled(ModuleNotFoundError):
    """lm-eval is not there."""


def version() -> str:
    """That of lm-eval. Raises NotInstalled, saying what to do."""
    from importlib.metadata import PackageNotFoundError
    from importlib.metadata import version as installed

    try:
        return installed("lm-eval")
    except PackageNotFoundError:
        raise NotInstalled('suite=transfer needs lm-eval: pip install "turnwise[transfer]"') from None


class Examiner:
    """One model, loaded when the first task is asked."""

    def __init__(self, who: Player, suite: TransferSuite, folder: Path) -> None:
        self.who, self.suite, self.folder = who, suite, folder
        self._model: Any = None

    def ask(self, task: TransferTask) -> dict[str, float]:
        """Question -> its score. Raises ValueError where the task would need a download, or cannot be read."""
        version()
        with _offline():
            import lm_eval
            from lm_eval.tasks import TaskManager

            logging.getLogger("lm_eval").setLevel(logging.ERROR)
            asked, include = self._task(task)
            try:
                manager = TaskManager(include_path=include, include_defaults=include is None)
                found = lm_eval.simple_evaluate(
                    model=self._loaded(),
                    tasks=[asked],
                    task_manager=manager,
                    limit=self.suite.items,
                    log_samples=True,
                    bootstrap_iters=0,
                    apply_chat_template=self.suite.chat,
                )
            except (ConnectionError, FileNotFoundError, KeyError, ValueError, OSError) as error:
                raise ValueError(
                    f"lm-eval could not ask {task.task or task.made} of local files ({type(error).__name__}: {error}); "
                    "nothing is downloaded here: data and YAML have to be complete"
                ) from error
        (samples,) = found["samples"].values()
        return _scores(samples)

    def _task(self, task: TransferTask) -> tuple[Any, str | None]:
        """(what lm-eval is to ask, the folder of its YAML)."""
        if task.made is not None:
            return write_task(task, self.suite.made(task), self.folder), str(self.folder)
        include = None if task.include is None else str(Path(task.include).expanduser())
        if task.data is None:
            return task.task, include
        place = Path(task.data).expanduser().resolve()
        local = {"dataset_path": str(place)} if place.is_dir() else _of_file(place)
        changed = {"task": task.task, "dataset_name": None, **local}
        return {"group": "local", "task": [changed]}, include  # within a group, the rest of a known task holds

    def _loaded(self) -> Any:
        if self._model is None:
            from lm_eval.models.huggingface import HFLM

            assert self.who.weights is not None and self.who.settings is not None  # only weights are asked
            settings = self.who.settings
            self._model = HFLM(
                pretrained=str(self.who.weights),
                device=str(pick_device(settings.engine.device)),
                batch_size=self.suite.batch,
                dtype="float32" if settings.engine.dtype == "auto" else settings.engine.dtype,
                trust_remote_code=settings.model.trust_remote_code,
            )
        return self._model


def _of_file(path: Path) -> dict[str, Any]:
    """How a single file of data is read."""
    kind = {".jsonl": "json", ".json": "json", ".parquet": "parquet", ".csv": "csv"}.get(path.suffix)
    if kind is None:
        raise ValueError(f"data is a folder, or a .jsonl, .json, .parquet or .csv file: got {path}")
    return {"dataset_path": kind, "dataset_kwargs": {"data_files": {"test": str(path)}}, "test_split": "test"}


def _scores(samples: list[Mapping[str, Any]]) -> dict[str, float]:
    """Question -> score by the first metric that there is; of several filters, by the last one."""
    metric = next((name for name in METRICS if name in samples[0]), None)
    if metric is None:
        raise ValueError(f"a task is scored by one of {', '.join(METRICS)}: got {', '.join(samples[0])}")
    return {str(sample["doc_id"]): float(sample[metric]) for sample in samples}


@contextmanager
def _offline() -> Iterator[None]:
    """No library asks the network, or draws progress bars, inside."""
    import datasets.config
    import huggingface_hub.constants as hub

    places = ((hub, "HF_HUB_OFFLINE"), (datasets.config, "HF_HUB_OFFLINE"))
    before = [getattr(place, name) for place, name in places]
    for place, name in places:
        setattr(place, name, True)
    try:
        with redirect_stderr(io.StringIO()):
            yield
    finally:
        for (place, name), value in zip(places, before, strict=True):
            setattr(place, name, value)
