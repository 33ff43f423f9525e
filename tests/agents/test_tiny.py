"""The tiny model and its tokenizer: a function of the seed, readable by transformers, at home in any text."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from transformers import AutoModelForCausalLM, AutoTokenizer, Qwen3ForCausalLM

from turnwise.agents.context import shipped_template
from turnwise.agents.tiny import END, PAD, START, TinyModel, build_model, build_tokenizer, save_model

SIZES = TinyModel(hidden=32, heads=2, intermediate=64)


@given(st.text())
def test_any_text_survives_the_tokenizer(tokenizer: Any, text: str) -> None:
    for special in (PAD, START, END):
        text = text.replace(special, "")
    ids = tokenizer.encode(text, add_special_tokens=False)
    assert tokenizer.decode(ids) == text
    assert all(0 <= token < len(tokenizer) for token in ids)


def test_frequent_words_are_one_token_and_special_tokens_stand_first() -> None:
    tokenizer = build_tokenizer(["King bets. [check] "] * 50, 400)
    assert len(tokenizer.encode("King", add_special_tokens=False)) == 1
    assert len(tokenizer.encode(" [check]", add_special_tokens=False)) == 1
    assert tokenizer.convert_tokens_to_ids([PAD, START, END]) == [0, 1, 2]
    assert (tokenizer.pad_token, tokenizer.eos_token) == (PAD, END)
    assert len(tokenizer) <= 400


def test_the_vocabulary_is_never_above_its_limit() -> None:
    assert len(build_tokenizer([f"word{i} " for i in range(1000)], 300)) == 300


def test_a_saved_model_is_the_model(tokenizer: Any, tmp_path: Path) -> None:
    """Through the auto classes of transformers, as anybody would load it."""
    model = build_model(SIZES, tokenizer, seed=5)
    save_model(model, tokenizer, tmp_path)
    loaded, reader = AutoModelForCausalLM.from_pretrained(tmp_path), AutoTokenizer.from_pretrained(tmp_path)
    assert isinstance(loaded, Qwen3ForCausalLM)
    text = f"{START}user\nKing: check or bet? ♠ 王{END}\n"
    ids = tokenizer.encode(text, add_special_tokens=False)
    assert reader.encode(text, add_special_tokens=False) == ids
    assert reader.decode(ids) == text
    assert reader.chat_template == shipped_template("chatml")
    assert (reader.pad_token_id, reader.eos_token_id) == (tokenizer.pad_token_id, tokenizer.eos_token_id)
    assert loaded.config.eos_token_id == tokenizer.eos_token_id
    row = torch.tensor([ids])
    with torch.no_grad():
        assert torch.equal(loaded(input_ids=row).logits, model(input_ids=row).logits)


def test_the_seed_decides_the_weights_and_nothing_else_is_drawn(tokenizer: Any) -> None:
    torch_before, numpy_before = torch.get_rng_state(), np.random.get_state()[1].copy()  # noqa: NPY002
    first, again, other = (build_model(SIZES, tokenizer, seed=seed).state_dict() for seed in (5, 5, 6))
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert not torch.equal(first["model.embed_tokens.weight"], other["model.embed_tokens.weight"])
    assert torch.equal(torch.get_rng_state(), torch_before)
    assert (np.random.get_state()[1] == numpy_before).all()  # noqa: NPY002


def test_the_default_has_about_a_hundred_thousand_weights() -> None:
    tokenizer = build_tokenizer([f"word{i} " for i in range(1000)], 512)
    count = sum(p.numel() for p in build_model(TinyModel(), tokenizer, seed=0).parameters())
    # Embedding 512 x 64; per layer: 4 attention maps 64 x 64, 3 maps 64 x 128, norms 2 x 64 and 2 x 16; last norm 64.
    assert count == 512 * 64 + 2 * (4 * 64 * 64 + 3 * 64 * 128 + 2 * 64 + 2 * 16) + 64


@pytest.mark.parametrize(
    ("sizes", "message"),
    [
        ({"hidden": 30}, "hidden is a multiple of model.heads: got 30 and 4"),
        ({"vocabulary": 299}, "vocabulary is at least 300"),
        ({"layers": 0}, "at least 1"),
        ({"max_position": 0}, "at least 1"),
    ],
)
def test_impossible_sizes_are_refused(sizes: dict[str, int], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        TinyModel(**sizes)


def test_heads_may_be_wider_than_their_share() -> None:
    tokenizer = build_tokenizer(["one two"], 320)
    model = build_model(TinyModel(layers=1, hidden=32, heads=2, head_dim=64), tokenizer, 0)
    assert model.model.layers[0].self_attn.q_proj.weight.shape == (128, 32)
    with pytest.raises(ValueError, match="head_dim is an even number"):
        TinyModel(head_dim=3)
