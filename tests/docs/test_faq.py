"""docs/faq.md prints messages as they are: every command of it is given, and its line is compared."""

from __future__ import annotations

import json
import re
import shlex
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

PAGE = Path(__file__).resolve().parent.parent.parent / "docs/faq.md"
SAID = re.compile(r"^    \$ turnwise (?P<command>.*)\n(?P<message>(?:    .*\n)+)", re.MULTILINE)
FAILURES = [(found["command"], " ".join(found["message"].split())) for found in SAID.finditer(PAGE.read_text())]
THOUGHTLESS = """\
{%- for message in messages -%}
<|im_start|>{{ message.role }}
{% if message.role == 'assistant' and not loop.last %}{{ message.content.split('</think>')[-1].lstrip() }}\
{%- else %}{{ message.content }}{% endif %}<|im_end|>
{% endfor -%}
{%- if add_generation_prompt %}<|im_start|>assistant
{% endif -%}"""
QWEN_4B = {
    "architectures": ["Qwen3ForCausalLM"],
    "model_type": "qwen3",
    "vocab_size": 151_936,
    "hidden_size": 2560,
    "intermediate_size": 9728,
    "num_hidden_layers": 36,
    "num_attention_heads": 32,
    "num_key_value_heads": 8,
    "head_dim": 128,
    "tie_word_embeddings": True,
}
"""The shape alone: its memory is planned before any weight is looked for."""


@pytest.fixture(scope="module")
def desk(finished_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with all that the commands of the page name. To be read only."""
    folder = tmp_path_factory.mktemp("faq")
    run = Path(shutil.copytree(finished_run, folder / "runs/kuhn"))
    shutil.copytree(max(run.glob("checkpoints/step-*")) / "model", folder / "models/thinking")
    (folder / "models/thinking/chat_template.jinja").write_text(THOUGHTLESS)
    (folder / "models/qwen3-4b").mkdir()
    (folder / "models/qwen3-4b/config.json").write_text(json.dumps(QWEN_4B))
    return folder


def test_there_are_ten() -> None:
    assert len(FAILURES) == PAGE.read_text().count("\n### ") == 10


@pytest.mark.parametrize(("words", "message"), FAILURES, ids=[words for words, _ in FAILURES])
def test_a_message_is_printed_as_it_comes(
    words: str, message: str, desk: Path, refused: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from turnwise.algorithms import memory_plan
    from turnwise.algorithms.room import Room

    monkeypatch.chdir(desk)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    monkeypatch.setattr(memory_plan, "room_of", lambda device: Room("cpu", 16 * 10**9, 16 * 10**9))
    assert f"turnwise: {refused(*shlex.split(words))}" == message
