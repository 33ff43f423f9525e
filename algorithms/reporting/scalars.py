"""TensorBoard events, written by the thread that asks for them: a full disk is an error where it happens."""

from __future__ import annotations

import io
import os
import socket
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from turnwise.algorithms.files import append_whole, reported


class Scalars:
    """One new events file in `folder`. Steps from `first_step` on that stand in older files are to be forgotten.

    Raises: RunFolderError, here and in `write`, where the folder cannot be written.
    """

    def __init__(self, folder: Path, first_step: int) -> None:
        from tensorboard.compat.proto.event_pb2 import Event, SessionLog

        name = f"events.out.tfevents.{time.time():.6f}.{socket.gethostname()}.{os.getpid()}"
        self.path = folder / name
        with reported(self.path):
            folder.mkdir(parents=True, exist_ok=True)
            self._file = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)
        self._add(Event(wall_time=time.time(), file_version="brain.Event:2"))
        self._add(
            Event(wall_time=time.time(), step=first_step, session_log=SessionLog(status=SessionLog.SessionStatus.START))
        )

    def write(self, values: Mapping[str, float], step: int) -> None:
        """All scalars of one step."""
        from tensorboard.compat.proto.event_pb2 import Event
        from tensorboard.compat.proto.summary_pb2 import Summary

        scalars = [Summary.Value(tag=name, simple_value=value) for name, value in values.items()]
        self._add(Event(wall_time=time.time(), step=step, summary=Summary(value=scalars)))

    def close(self) -> None:
        """Close the file."""
        os.close(self._file)

    def _add(self, event: Any) -> None:
        from tensorboard.summary.writer.record_writer import RecordWriter

        record = io.BytesIO()
        RecordWriter(record).write(event.SerializeToString())
        append_whole(self._file, record.getvalue(), self.path)
