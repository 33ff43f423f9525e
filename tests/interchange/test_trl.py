"""A game of ours in trl: its own GRPOTrainer trains two steps on it, with a tiny model that has learned to call."""

from __future__ import annotations

from functools import wraps
from pathlib import Path
from typing import Any

import pytest
import torch

from turnwise.envs.gym_view import TextGameEnv
from turnwise.interchange.trl import INSTRUCTION, OVER, environment_factory, rows

END = "<|im_end|>"
CALLS = tuple(
    f'<tool_call>\n{{"name": "act", "arguments": {{"move": "{move}"}}}}\n</tool_call>' for move in ("check", "bet")
)
STEPS, ROLLOUTS = 2, 4


def test_an_environment_plays_what_the_gymnasium_view_plays() -> None:
    played = environment_factory("KuhnPoker-LLM", opponents="optimal")()
    env = TextGameEnv("KuhnPoker-LLM", opponents="optimal")
    for seed in range(6):
        observation, info = env.reset(seed=seed)
        assert played.reset(seed=seed, prompt="ignored") == observation
        total, over = 0.0, False
        while not over:
            move = info["legal_actions"][0]
            observation, reward, terminated, truncated, info = env.step(f"[{move}]")
            total, over = total + reward, terminated or truncated
            said = played.act(move)
            assert said == (f"{observation}\n{OVER} Your return is {total:g}." if over else observation)
        assert played.get_reward() == total
        assert played.act("check") == OVER
        assert played.get_reward() == total


def test_a_move_may_be_a_whole_reply_and_a_wrong_one_forfeits() -> None:
    played = environment_factory("KuhnPoker-LLM")()
    played.reset(seed=0)
    assert OVER in played.act("I think. [swim]")
    assert played.get_reward() < 0


def test_deals_follow_from_the_row_or_from_a_count() -> None:
    kind = environment_factory("KuhnPoker-LLM", first_seed=5)
    one, other = kind(), kind()
    first, second = one.reset(), other.reset()
    env = TextGameEnv("KuhnPoker-LLM")
    assert [first, second] == [env.reset(seed=5)[0], env.reset(seed=6)[0]]
    assert one.reset(seed=9) == other.reset(seed=9)
    data = rows(3, first_seed=7)
    assert [row["seed"] for row in data] == [7, 8, 9]
    assert data[0]["prompt"][0]["role"] == "user"


def told(tokenizer: Any, seed: int) -> tuple[str, str]:
    """(prompt, what follows on the call of `act`) of a game as trl tells it, in which the seat checks at first."""
    game = environment_factory("KuhnPoker-LLM")()
    asked = [{"role": "user", "content": INSTRUCTION + game.reset(seed=seed)}]
    shared = {"tools": [game.act], "tokenize": False, "enable_thinking": False}
    plain = tokenizer.apply_chat_template(asked, **shared)
    prompt = tokenizer.apply_chat_template(asked, add_generation_prompt=True, **shared)
    answer = tokenizer.apply_chat_template([*asked, {"role": "tool", "content": game.act("check")}], **shared)
    return prompt, answer.removeprefix(plain) + prompt.removeprefix(plain)


def conversations(tokenizer: Any) -> tuple[torch.Tensor, torch.Tensor]:
    """(ids, what is learned of them): the seat checks or bets, reads what came of it, and says goodbye."""
    first, last = (len(tokenizer.encode(text, add_special_tokens=False)) for text in (f"{CALLS[0]}{END}", f"Bye.{END}"))
    games = [told(tokenizer, seed) for seed in (0, 0, 1, 1)]
    texts = [f"{prompt}{call}{END}\n{answer}Bye.{END}" for (prompt, answer), call in zip(games, CALLS * 2, strict=True)]
    found = tokenizer(texts, padding=True, padding_side="right", return_tensors="pt", add_special_tokens=False)
    starts = torch.tensor([[len(tokenizer.encode(prompt, add_special_tokens=False))] for prompt, _ in games])
    ends, places = found.attention_mask.sum(1, keepdim=True), torch.arange(found.input_ids.shape[1])
    call = (places >= starts) & (places < starts + first)
    return found.input_ids, call | ((places >= ends - last) & (places < ends))


@pytest.fixture(scope="module")
def caller() -> tuple[Any, Any]:
    """(tokenizer, model): a Qwen3 of one layer that has learned to call `act` after a prompt, and to check or bet."""
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast, Qwen3Config, Qwen3ForCausalLM
    from trl import chat_template_utils

    letters = {letter: index for index, letter in enumerate(sorted(pre_tokenizers.ByteLevel.alphabet()))}
    raw = Tokenizer(models.BPE(vocab=letters, merges=[]))
    raw.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    raw.decoder = decoders.ByteLevel()
    raw.add_special_tokens(["<|endoftext|>", "<|im_start|>", "<|im_end|>"])
    plain = (
        "<tool_call>",
        "</tool_call>",
        "<tool_response>",
        "</tool_response>",
        "<think>",
        "</think>",
        *(call[12:-13] for call in CALLS),
    )
    raw.add_tokens([AddedToken(text, normalized=False) for text in plain])
    tokenizer: Any = PreTrainedTokenizerFast(
        tokenizer_object=raw, pad_token="<|endoftext|>", eos_token="<|im_end|>", padding_side="left"
    )
    tokenizer.chat_template = chat_template_utils.qwen3_chat_template
    prompts = [told(tokenizer, seed)[0] for seed in range(6)]
    same = min(prompts)[: next(i for i, (a, b) in enumerate(zip(min(prompts), max(prompts), strict=False)) if a != b)]
    tokenizer.add_tokens([AddedToken(same, normalized=False)])  # the long beginning of every prompt is one token
    torch.manual_seed(0)
    shape = Qwen3Config(
        vocab_size=len(tokenizer),
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=1,
        num_attention_heads=2,
        num_key_value_heads=1,
        head_dim=16,
        max_position_embeddings=4096,
        tie_word_embeddings=True,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
        bos_token_id=None,
    )
    model = Qwen3ForCausalLM(shape)
    ids, learned = conversations(tokenizer)
    optimiser = torch.optim.AdamW(model.parameters(), lr=1e-2)
    for _ in range(60):
        optimiser.zero_grad()
        loss = model(input_ids=ids, labels=ids.masked_fill(~learned, -100)).loss
        loss.backward()
        optimiser.step()
    assert loss.item() < 0.4  # of it a coin's toss between two moves, spread over the tokens of a call
    return tokenizer, model


def test_trl_trains_on_it(tmp_path: Path, caller: tuple[Any, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    from datasets import Dataset
    from trl import GRPOConfig, GRPOTrainer

    monkeypatch.setenv("TRL_EXPERIMENTAL_SILENCE", "1")
    tokenizer, model = caller
    kind = environment_factory("KuhnPoker-LLM", opponents="random", invalid="forfeit")
    played: list[tuple[str, float]] = []
    plain = kind.act  # type: ignore[attr-defined]

    @wraps(plain)
    def act(self: Any, move: str) -> str:
        said: str = plain(self, move)
        played.append((move, self.get_reward()))
        return said

    kind.act = act  # type: ignore[attr-defined]
    before = {name: weights.detach().clone() for name, weights in model.named_parameters()}
    settings = GRPOConfig(
        output_dir=str(tmp_path),
        max_steps=STEPS,
        per_device_train_batch_size=ROLLOUTS,
        num_generations=ROLLOUTS,
        max_completion_length=256,
        learning_rate=1e-3,
        beta=0.0,
        logging_steps=1,
        report_to=[],
        save_strategy="no",
        bf16=False,
        use_cpu=True,
        gradient_checkpointing=False,
        disable_tqdm=True,
        chat_template_kwargs={"enable_thinking": False},
    )
    trainer = GRPOTrainer(
        model=model,
        processing_class=tokenizer,
        args=settings,
        train_dataset=Dataset.from_list(rows(STEPS * ROLLOUTS)),
        environment_factory=kind,
    )
    trainer.train()
    logged = [entry for entry in trainer.state.log_history if "reward" in entry]
    assert [entry["step"] for entry in logged] == [1, 2]
    assert len(played) >= STEPS * ROLLOUTS // 2, "the model calls the tool in most rollouts"
    assert {move for move, _ in played} == {"check", "bet"}
    assert all(-2.0 <= entry["reward"] <= 2.0 for entry in logged)
    assert any(entry["reward_std"] > 0 for entry in logged), "rollouts of one deal ended differently"
    assert [name for name, weights in model.named_parameters() if not torch.equal(weights, before[name])]
