"""Chat messages and pairs, worked by hand; and what trl makes of them."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest

from turnwise.algorithms.checkpoint import weights_of
from turnwise.interchange.chat import conversation, seats_of, sft_rows
from turnwise.interchange.export import export
from turnwise.interchange.filters import Filter
from turnwise.interchange.pairs import dpo_rows, families
from turnwise.records import Episode, Message, Turn


def turn(seat: str, read: str, said: str, status: str = "ok", **more: Any) -> Turn:
    return Turn(seat=seat, observation=(Message("user", read),) if read else (), text=said, status=status, **more)


def game(name: str, turns: tuple[Turn, ...], a: float, **more: Any) -> Episode:
    fields: dict[str, Any] = {"seats": {"a": "policy", "b": "policy"}, "group": "g", **more}
    return Episode(id=name, env_id="G", turns=turns, returns={"a": a, "b": -a}, **fields)


OPEN = turn("a", "You hold K.", "bet")
ROW = game("e", (OPEN, turn("b", "You hold Q. a bets.", "??", "illegal"), turn("a", "b errs.", "done")), 1.0)


def test_a_conversation_is_what_one_seat_read_and_said() -> None:
    whole = [("user", "You hold K."), ("assistant", "bet"), ("user", "b errs."), ("assistant", "done")]
    assert [(m["role"], m["content"]) for m in conversation(ROW, "a")] == whole
    assert [(m["role"], m["content"]) for m in conversation(ROW, "a", 1)] == whole[:3]
    assert [(m["role"], m["content"]) for m in conversation(ROW, "a", 0)] == whole[:1]


def test_a_row_per_seat_masks_all_but_legal_replies() -> None:
    late = game("f", (*ROW.turns, turn("b", "Again.", "call")), 1.0)
    (one, _, other) = sft_rows([ROW, late])
    assert (one["seat"], one["mask"], one["return"], one["episode"]) == ("a", [0, 1, 0, 1], 1.0, "e")
    assert (other["seat"], other["mask"], other["return"]) == ("b", [0, 0, 0, 1], -1.0)
    assert one["input_ids"] is None


def tokens(*prompt: int, said: tuple[int, ...]) -> dict[str, Any]:
    return {"prompt_ids": prompt, "completion_ids": said, "logprobs": (-1.0,) * len(said)}


def test_tokens_are_those_that_were_read_and_written() -> None:
    turns = (
        turn("a", "x", "y", **tokens(1, 2, said=(3, 9))),
        turn("a", "z", "??", "illegal", **tokens(1, 2, 3, 9, 5, said=(4,))),
        turn("a", "v", "w", **tokens(1, 2, 3, 9, 5, 4, 8, said=(6,))),
    )
    (row,) = sft_rows([game("e", turns, 1.0)])
    assert row["input_ids"] == [1, 2, 3, 9, 5, 4, 8, 6]
    assert row["assistant_masks"] == [0, 0, 1, 1, 0, 0, 0, 1]
    assert row["mask"] == [0, 1, 0, 0, 0, 1]


def test_a_context_that_was_rewritten_begins_a_row() -> None:
    turns = (
        turn("a", "x", "y", **tokens(1, 2, said=(3, 9))),
        turn("a", "z", "w", **tokens(1, 2, 5, said=(6,))),
        turn("a", "v", "u", **tokens(1, 2, 5, 6, 7, said=(8,))),
    )
    one, other = sft_rows([game("e", turns, 1.0)])
    assert (one["input_ids"], one["assistant_masks"], one["first_turn"]) == ([1, 2, 3, 9], [0, 0, 1, 1], 0)
    assert (other["input_ids"], other["assistant_masks"]) == ([1, 2, 5, 6, 7, 8], [0, 0, 0, 1, 0, 1])
    assert (other["first_turn"], [m["content"] for m in other["messages"]]) == (1, ["z", "w", "v", "u"])


def test_whose_seats_count() -> None:
    mixed = game("e", ROW.turns, 1.0, seats={"a": "policy", "b": "random"})
    assert (seats_of(mixed, None), seats_of(mixed, "random"), seats_of(mixed, "nobody")) == (["a"], ["b"], [])
    others = game("e", ROW.turns, 1.0, seats={"a": "x", "b": "y"})
    assert seats_of(others, None) == ["a", "b"]


# --- pairs ---------------------------------------------------------------------------------------------------------


def test_a_pair_at_the_first_turn_that_differs() -> None:
    """Seat a says the same at first; then `fold` loses and `call` wins. Seat b differs at once, the other way round."""
    better = game("w", (OPEN, turn("b", "Q", "call"), turn("a", "?", "call")), 2.0)
    worse = game("l", (OPEN, turn("b", "Q", "raise"), turn("a", "?", "fold")), -1.0)
    of_a, of_b = dpo_rows([better, worse])
    assert [m["content"] for m in of_a["prompt"]] == ["You hold K.", "bet", "?"]
    assert (of_a["chosen"][0]["content"], of_a["rejected"][0]["content"]) == ("call", "fold")
    assert (of_a["chosen_return"], of_a["rejected_return"], of_a["kind"]) == (2.0, -1.0, "deal")
    assert (of_a["chosen_episode"], of_a["rejected_episode"]) == ("w", "l")
    assert (of_b["seat"], of_b["chosen"][0]["content"], of_b["rejected"][0]["content"]) == ("b", "raise", "call")


def test_no_pair_between_prompts_that_differ() -> None:
    one = game("w", (turn("a", "You hold K.", "bet"),), 1.0)
    other = game("l", (turn("a", "You hold Q.", "check"),), -1.0)
    assert list(dpo_rows([one, other])) == []


def test_no_pair_across_deals_even_if_the_prompt_is_the_same() -> None:
    one = game("w", (turn("a", "You hold K.", "bet"),), 1.0, group=None, seed=1)
    other = game("l", (turn("a", "You hold K.", "check"),), -1.0, group=None, seed=2)
    assert list(dpo_rows([one, other])) == []
    same = game("l", (turn("a", "You hold K.", "check"),), -1.0, group=None, seed=1)
    assert len(list(dpo_rows([one, same]))) == 1


def test_replies_are_compared_by_their_mean_return() -> None:
    said = [("bet", 2.0), ("bet", -2.0), ("check", 1.0), ("fold", -1.0)]
    (pair,) = dpo_rows([game(f"e{i}", (turn("a", "K", text),), value) for i, (text, value) in enumerate(said)])
    assert (pair["chosen"][0]["content"], pair["chosen_return"]) == ("check", 1.0)
    assert (pair["rejected"][0]["content"], pair["rejected_return"]) == ("fold", -1.0)
    assert list(dpo_rows([game("x", (turn("a", "K", "y"),), 1.0), game("z", (turn("a", "K", "y"),), -1.0)])) == []


def test_an_invalid_reply_is_never_chosen() -> None:
    lucky = game("w", (turn("a", "K", "%", "illegal"),), 1.0)
    plain = game("l", (turn("a", "K", "bet"),), -1.0)
    assert list(dpo_rows([lucky, plain])) == []
    (pair,) = dpo_rows([game("w", (turn("a", "K", "bet"),), 1.0), game("l", lucky.turns, -1.0)])
    assert pair["rejected"] == [{"role": "assistant", "content": "%"}]


def test_forks_of_one_state_are_a_family() -> None:
    root = game("r", (OPEN, turn("a", "?", "call")), 1.0, group=None, seed=5)
    fork = game("f", (OPEN, turn("a", "?", "fold")), -1.0, group=None, seed=5, parent="r", fork_turn=1)
    second = game("s", (OPEN, turn("a", "?", "raise")), 3.0, group=None, seed=5, parent="f", fork_turn=1)
    (pair,) = dpo_rows([root, fork])
    assert pair["kind"] == "fork"
    assert [[e.id for e in family] for family in families([root, fork, second])] == [["r", "f", "s"]]
    orphans = [game("f", fork.turns, -1.0, group=None, parent="gone", fork_turn=1)]
    orphans.append(game("s", second.turns, 3.0, group=None, parent="gone", fork_turn=1))
    (pair,) = dpo_rows(orphans)
    assert (pair["chosen"][0]["content"], pair["kind"]) == ("raise", "fork")


def test_a_margin_may_be_asked_for() -> None:
    pairs = [game("w", (turn("a", "K", "bet"),), 0.5), game("l", (turn("a", "K", "fold"),), 0.0)]
    assert list(dpo_rows(pairs, least_margin=0.5)) == []
    assert len(list(dpo_rows(pairs, least_margin=0.4))) == 1


# --- filters -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("conditions", "seats"),
    [
        ([], ["a", "b"]),
        (["return>0"], ["a"]),
        (["return<=0", "turns=3"], ["b"]),
        (["seat=b", "return>0"], []),
        (["status!=ok"], []),
        (["invalid=1", "agent=policy"], ["a", "b"]),
        (["step>=1"], []),
        (["env_id = G", "group=g"], ["a", "b"]),
    ],
)
def test_filters(conditions: list[str], seats: list[str]) -> None:
    assert Filter(conditions).seats(ROW) == seats
    assert Filter(conditions).episode(ROW) == bool(seats)


@pytest.mark.parametrize(
    ("condition", "message"),
    [
        ("reutrn>0", "cannot be filtered by 'reutrn'; did you mean 'return'?"),
        ("return", "a filter is KEY, one of = != < <= > >=, and a value"),
        ("turns>many", "a number is wanted to compare with 3: got 'many'"),
    ],
)
def test_filters_that_cannot_be_read(condition: str, message: str) -> None:
    with pytest.raises(ValueError, match=message.replace("?", r"\?")):
        Filter([condition]).episode(ROW)


# --- the command ---------------------------------------------------------------------------------------------------


def test_export_of_conversations(tmp_path: Path, finished_run: Path, command: Any) -> None:
    words = ("export", finished_run, "--to", "sft", "--out", tmp_path / "s.jsonl", "--filter", "return>0", "--json")
    done = command(*words)
    assert done.exit_code == 0, done.stderr
    told, rows = json.loads(done.stdout), [json.loads(line) for line in (tmp_path / "s.jsonl").read_text().splitlines()]
    assert told == {"to": "sft", "out": str(tmp_path / "s.jsonl"), "rows": len(rows), "episodes": told["episodes"]}
    assert rows
    assert all(row["return"] > 0 for row in rows)
    assert all(len(row["mask"]) == len(row["messages"]) for row in rows)
    assert all(len(row["input_ids"]) == len(row["assistant_masks"]) for row in rows)
    assert all(sum(row["assistant_masks"]) >= sum(row["mask"]) for row in rows)


TRL: dict[str, Any] = {
    "max_steps": 1,
    "per_device_train_batch_size": 4,
    "report_to": [],
    "save_strategy": "no",
    "logging_steps": 1,
    "bf16": False,
    "use_cpu": True,
    "disable_tqdm": True,
}


def test_trl_learns_the_tokens_of_the_mask_and_no_others(tmp_path: Path, finished_run: Path) -> None:
    from datasets import Dataset, load_from_disk
    from transformers import AutoModelForCausalLM, AutoTokenizer
    from trl import DPOConfig, DPOTrainer, SFTConfig, SFTTrainer

    export(finished_run, "sft", tmp_path / "set")
    rows = load_from_disk(str(tmp_path / "set"))
    assert rows.num_rows >= 5
    weights = weights_of(finished_run)
    model, tokenizer = AutoModelForCausalLM.from_pretrained(weights), AutoTokenizer.from_pretrained(weights)
    settings = SFTConfig(output_dir=str(tmp_path / "out"), **TRL)
    columns = rows.select_columns(["input_ids", "assistant_masks"])
    trainer: Any = SFTTrainer(model=model, processing_class=tokenizer, args=settings, train_dataset=columns)
    for row, seen in zip(rows, trainer.train_dataset, strict=True):
        wanted = [token if kept else -100 for token, kept in zip(row["input_ids"], row["assistant_masks"], strict=True)]
        assert seen["labels"] == wanted
        assert max(wanted) >= 0
    trainer.train()
    assert trainer.state.log_history[0]["loss"] > 0

    worse = [game(str(value), (turn("a", "K", text),), value) for text, value in (("[bet]", 1.0), ("[check]", -1.0))]
    pairs = Dataset.from_list([*dpo_rows(worse)] * 4)
    preference = DPOConfig(output_dir=str(tmp_path / "out"), **TRL)
    trainer = DPOTrainer(model=model, processing_class=tokenizer, args=preference, train_dataset=pairs)
    trainer.train()
    assert trainer.state.log_history[0]["loss"] == pytest.approx(math.log(2), abs=1e-4)  # before any update


def test_export_of_pairs_without_groups_says_how_to_get_some(tmp_path: Path, finished_run: Path, command: Any) -> None:
    done = command("export", finished_run / "games.jsonl", "--to", "dpo", "--out", tmp_path / "d.jsonl")
    assert done.exit_code == 2
    assert "there is no pair among 12 episodes" in done.stderr
    assert not (tmp_path / "d.jsonl").exists()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--to", "stf"), "'stf' is no form to export to; did you mean 'sft'?"),
        (("--to", "sft", "--filter", "return>9"), "no episode is left to export that holds return>9"),
        (("--to", "hf", "--filter", "return>9"), "a model has no episodes to filter"),
        (("--to", "hf", "--step", "11"), "has no checkpoint of step 11: there are"),
        (("--to", "sft", "--agent", "nobody"), "no episode is left to export that holds agent=nobody"),
    ],
)
def test_what_cannot_be_exported(
    tmp_path: Path, finished_run: Path, command: Any, words: tuple[str, ...], message: str
) -> None:
    done = command("export", finished_run, "--out", tmp_path / "x.jsonl", *words)
    assert done.exit_code == 2
    assert message in done.stderr


def test_export_of_the_other_forms(tmp_path: Path, finished_run: Path, recorded: list[Episode], command: Any) -> None:
    from turnwise.interchange import read_episodes

    for form, name in (("jsonl", "a.jsonl"), ("parquet", "a.parquet"), ("datasets", "set"), ("inspect", "a.eval")):
        done = command("export", finished_run, "--to", form, "--out", tmp_path / name, "--filter", "step=12")
        assert done.exit_code == 0, done.stderr
        assert read_episodes(tmp_path / name) == [e for e in recorded if e.metadata["step"] == 12]
