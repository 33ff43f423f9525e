"""What both sides of `race_trl.py` start from: a tokenizer, and a small Qwen3 that has learned to call the tool.

Nothing is downloaded; the chat templates are those that trl ships. Runs in the interpreter that has trl:

    python benchmarks/race_assets.py FOLDER
"""

from __future__ import annotations

import json
import os
import random
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import race_rules
from race_rules import LAST_WORDS, RULES, Board, Environment, call, first_message

END, START, PAD = "<|im_end|>", "<|im_start|>", "<|endoftext|>"
PLAIN = ("<tool_call>", "</tool_call>", "<tool_response>", "</tool_response>", "<think>", "</think>")
"""Tokens of their own that are not special, as in Qwen3's tokenizer: what is read may hold them."""
VOCABULARY = 1024
SPLIT = r"[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
OUR_TEMPLATE = (
    "{%- for message in messages %}"
    "{%- if message.role == 'user' and not (loop.first or loop.previtem.role == 'system') %}"
    "{{- '<|im_start|>user\n<tool_response>\n' + message.content + '\n</tool_response><|im_end|>\n' }}"
    "{%- else %}"
    "{{- '<|im_start|>' + message.role + '\n' + ('<think>\n\n</think>\n\n' if message.role == 'assistant' else '') }}"
    "{{- message.content + '<|im_end|>\n' }}"
    "{%- endif %}{%- endfor %}"
    "{%- if add_generation_prompt %}{{- '<|im_start|>assistant\n<think>\n\n</think>\n\n' }}{%- endif %}"
)
"""What trl makes of Qwen3's template without thinking, for a context in which every later message answers a call."""
WARM_START = {"steps": 160, "games": 8, "rate": 3e-3}


def build(folder: Path) -> None:
    """Write trl/ and turnwise/ with the same model and tokenizer, each with its chat template, and about.json."""
    import torch
    from trl import chat_template_utils as trl_templates

    torch.set_num_threads(1)
    template = trl_templates.qwen3_chat_template
    tokenizer = make_tokenizer(template)
    model = make_model(tokenizer)
    talk = Talk(tokenizer, trl_templates.qwen3_training_chat_template)
    loss = warm_start(model, tokenizer, talk)
    prompt = talk.prompt(Board(Environment.draw))
    system = prompt.removeprefix(f"{START}system\n").partition(END)[0]
    for side, text in (("trl", template), ("turnwise", OUR_TEMPLATE)):
        tokenizer.chat_template = text
        model.save_pretrained(folder / side)
        tokenizer.save_pretrained(folder / side)
    about = {
        "system": system,
        "prompt_tokens": len(encode(tokenizer, prompt)),
        "parameters": sum(weights.numel() for weights in model.parameters()),
        "warm_start_nats": loss,
    }
    (folder / "about.json").write_text(json.dumps(about, indent=1))


def make_tokenizer(template: str) -> Any:
    """A byte-level BPE tokenizer of `VOCABULARY` entries that splits digits, as Qwen3's does."""
    from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    tokenizer = Tokenizer(models.BPE())
    words = pre_tokenizers.Split(Regex(SPLIT), behavior="isolated")
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [words, pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY - len(PLAIN) - 3,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    spoken = [template, RULES, Environment.play.__doc__ or ""]
    tokenizer.train_from_iterator([Path(race_rules.__file__).read_text(), *spoken, *spoken], trainer)
    tokenizer.add_special_tokens([PAD, START, END])
    tokenizer.add_tokens([AddedToken(text, normalized=False) for text in PLAIN])
    wrap: Any = PreTrainedTokenizerFast
    return wrap(tokenizer_object=tokenizer, pad_token=PAD, eos_token=END, padding_side="left", chat_template=template)


def make_model(tokenizer: Any) -> Any:
    """Qwen3 of 2 layers and width 128, its weights random."""
    import torch
    from transformers import Qwen3Config, Qwen3ForCausalLM

    torch.manual_seed(0)
    ids = {"eos_token_id": tokenizer.eos_token_id, "pad_token_id": tokenizer.pad_token_id, "bos_token_id": None}
    shape = Qwen3Config(
        vocab_size=VOCABULARY,
        hidden_size=128,
        intermediate_size=384,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        head_dim=32,
        max_position_embeddings=2048,
        tie_word_embeddings=True,
        **ids,
    )
    return Qwen3ForCausalLM(shape)


class Talk:
    """A game as the text that trl makes of it, in parts: what is read, and what the policy says."""

    def __init__(self, tokenizer: Any, template: str) -> None:
        self._render = lambda messages, **rest: tokenizer.apply_chat_template(
            messages, chat_template=template, tokenize=False, enable_thinking=False, **rest
        )

    def prompt(self, board: Board) -> str:
        """Up to the first reply."""
        tools = [Environment().play]
        return self._render([user(first_message(board))], tools=tools, add_generation_prompt=True)

    def answer(self, text: str) -> str:
        """From the end of a reply to the beginning of the next one."""
        called = {"type": "function", "function": {"name": "play", "arguments": {}}}
        talk = [user("?"), {"role": "assistant", "content": "", "tool_calls": [called]}]
        talk.append({"role": "tool", "name": "play", "content": text})
        return self._render(talk, add_generation_prompt=True).rpartition(f"</tool_call>{END}")[2]

    def game(self, chance: random.Random) -> Iterator[tuple[str, bool]]:
        """(text, whether the policy says it) of a game of random moves."""
        board = Board(chance.randrange)
        yield self.prompt(board), False
        while not board.over:
            cell = chance.choice(board.free())
            yield call(cell) + END, True
            yield self.answer(board.play(cell)), False
        yield LAST_WORDS + END, True


def user(content: str) -> dict[str, str]:
    return {"role": "user", "content": content}


def encode(tokenizer: Any, text: str) -> list[int]:
    return list(tokenizer.encode(text, add_special_tokens=False))


def warm_start(model: Any, tokenizer: Any, talk: Talk) -> float:
    """Learn to say what random play says; returns nats per token at the end."""
    import torch
    from torch.nn import functional

    chance, steps = random.Random(0), int(WARM_START["steps"])
    optimiser = torch.optim.AdamW(model.parameters(), lr=WARM_START["rate"])
    known: dict[str, list[int]] = {}
    loss = torch.tensor(0.0)
    for step in range(steps):
        rows, said = [], []
        for _ in range(int(WARM_START["games"])):
            parts = [(known.setdefault(text, encode(tokenizer, text)), own) for text, own in talk.game(chance)]
            rows.append([token for ids, _ in parts for token in ids])
            said.append([own for ids, own in parts for _ in ids])
        ids, own = padded(rows, tokenizer.pad_token_id), padded(said, False)
        hidden = model.model(input_ids=ids).last_hidden_state[:, :-1][own[:, 1:]]
        loss = functional.cross_entropy(model.lm_head(hidden), ids[:, 1:][own[:, 1:]])
        for group in optimiser.param_groups:
            group["lr"] = WARM_START["rate"] * min(1.0, (step + 1) / 20) * (1 - step / steps)
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
    return loss.item()


def padded(rows: Sequence[Sequence[Any]], filler: Any) -> Any:
    """[R, L], padded on the right: causal attention never looks there."""
    import torch

    width = max(map(len, rows))
    return torch.tensor([[*row, *[filler] * (width - len(row))] for row in rows])


if __name__ == "__main__":
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    build(Path(sys.argv[1]))
