"""A model small enough for a laptop's processor: Qwen3's architecture, a tokenizer made for the games at hand."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from turnwise.agents.context import shipped_template
from turnwise.agents.lora import has_adapters, merged

END, START, PAD = "<|im_end|>", "<|im_start|>", "<|endoftext|>"


@dataclass(frozen=True, slots=True, kw_only=True)
class TinyModel:
    """Sizes of the tiny model."""

    layers: int = 2
    hidden: int = 64
    heads: int = 4
    head_dim: int | None = None
    """Width of a head; None: hidden / heads, under engine vllm at least 32. Other serving engines want 64 or 128."""
    intermediate: int = 128
    vocabulary: int = 512
    """Most entries of the tokenizer, 256 of them single bytes; never fewer than 300."""
    max_position: int = 4096
    init_std: float = 0.02
    """Standard deviation of the initial weights; larger ones tell inputs apart sooner."""

    def __post_init__(self) -> None:
        if self.hidden % self.heads:
            raise ValueError(f"model.hidden is a multiple of model.heads: got {self.hidden} and {self.heads}")
        if self.vocabulary < 300:
            raise ValueError(f"model.vocabulary is at least 300 (bytes and special tokens): got {self.vocabulary}")
        if min(self.layers, self.heads, self.intermediate, self.max_position) < 1:
            raise ValueError("model.layers, heads, intermediate and max_position are at least 1")
        if self.head_dim is not None and (self.head_dim < 2 or self.head_dim % 2):
            raise ValueError(f"model.head_dim is an even number, or null: got {self.head_dim}")
        if not 0 < self.init_std <= 1:
            raise ValueError(f"model.init_std lies in (0, 1]: got {self.init_std}")


def build_tokenizer(texts: Iterable[str], vocabulary: int) -> Any:
    """A byte-level BPE tokenizer trained on `texts`, words kept whole where the vocabulary allows; any text encodes."""
    from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    wrap: Any = PreTrainedTokenizerFast
    tokenizer = Tokenizer(models.BPE())
    words = pre_tokenizers.Split(Regex(r" ?[^\s]+|\s"), behavior="isolated")
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [words, pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary,
        special_tokens=[PAD, START, END],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator([*texts, "system user assistant"], trainer)
    return wrap(
        tokenizer_object=tokenizer,
        pad_token=PAD,
        eos_token=END,
        chat_template=shipped_template("chatml"),
        clean_up_tokenization_spaces=False,
    )


def tiny_config(settings: TinyModel, vocabulary: int, **ids: Any) -> Any:
    """The configuration of the model in transformers' terms; ids: of its special tokens."""
    from transformers import Qwen3Config

    return Qwen3Config(
        vocab_size=vocabulary,
        hidden_size=settings.hidden,
        intermediate_size=settings.intermediate,
        num_hidden_layers=settings.layers,
        num_attention_heads=settings.heads,
        num_key_value_heads=settings.heads,
        head_dim=settings.head_dim or max(settings.hidden // settings.heads, 8),
        max_position_embeddings=settings.max_position,
        tie_word_embeddings=True,
        initializer_range=settings.init_std,
        **ids,
    )


def build_model(settings: TinyModel, tokenizer: Any, seed: int) -> Any:
    """A freshly initialised model; the weights follow from the seed alone."""
    import torch
    from transformers import Qwen3ForCausalLM

    config = tiny_config(
        settings,
        len(tokenizer),
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
        bos_token_id=None,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model: Any = Qwen3ForCausalLM(config)
    return model.eval()


def save_model(model: Any, tokenizer: Any, folder: Path) -> None:
    """A plain folder that transformers and vLLM load, adapters merged into the weights that they stand beside.

    Raises OSError where it cannot be written (a full disk).
    """
    from transformers.utils import logging

    logging.disable_progress_bar()
    try:
        weights = {"state_dict": dict(merged(model))} if has_adapters(model) else {}
        model.save_pretrained(folder, **weights)
        tokenizer.save_pretrained(folder)
    except Exception as error:  # safetensors and tokenizers write from Rust, and raise exceptions of their own
        number = re.search(r"\(os error (\d+)\)", str(error))
        if number is None:
            raise
        raise OSError(int(number[1]), os.strerror(int(number[1])), str(folder)) from error
