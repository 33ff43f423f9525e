"""Records: what they refuse, and that JSON and Parquet give back what was put in, bit for bit."""

from __future__ import annotations

import dataclasses
import json
import math
import re
import struct
import subprocess
import sys
from pathlib import Path
from typing import Any

import pyarrow
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyarrow import parquet

from turnwise.parquet import read_parquet, write_parquet
from turnwise.records import (
    EPISODE_FIELDS,
    EPISODE_STATUSES,
    PER_TOKEN,
    ROLES,
    SCHEMA_VERSION,
    TURN_FIELDS,
    TURN_STATUSES,
    Episode,
    Message,
    RecordError,
    Turn,
    episode_from_dict,
    episode_to_dict,
)

# The fields that the design promises: which method needs which is in its notes on the records.
TURN_TABLE = {
    *("seat", "observation", "prompt_ids", "completion_ids", "logprobs", "train_logprobs", "topk_entropy", "value"),
    *("answer_logprob", "text", "action", "status", "reward", "anchor", "tool_calls", "weight_version", "seconds"),
    *("token_entropy", "squared_probs", "reference_logprobs", "token_values", "advantages", "updated_logprobs"),
}
EPISODE_TABLE = {
    *("schema_version", "id", "env_id", "env_kwargs", "seed", "task", "level", "group", "seats", "turns", "returns"),
    *("status", "parent", "fork_turn", "snapshot", "metadata", "ground_truth", "end_values", "reward_parts"),
}


def turn(**changes: Any) -> Turn:
    fields: dict[str, Any] = {
        "seat": "player_0",
        "observation": (Message("user", "Your card: King\n♠"),),
        "text": "[bet]",
        "action": "bet",
        "reward": 0.5,
        "prompt_ids": (1, 2, 3),
        "completion_ids": (7, 8),
        "logprobs": (-0.1, -math.inf),
        "weight_version": ((0, 3), (1, 4)),
    }
    return Turn(**{**fields, **changes})


def episode(**changes: Any) -> Episode:
    fields: dict[str, Any] = {
        "id": "e0",
        "env_id": "KuhnPoker-LLM",
        "seats": {"player_0": "policy", "player_1": "random"},
        "returns": {"player_0": 0.5, "player_1": -0.5},
        "turns": (turn(),),
    }
    return Episode(**{**fields, **changes})


def bits(value: Any) -> Any:
    """`value` with every float as its 64 bits, so that -0.0 and 0.0 differ."""
    if isinstance(value, float):
        return struct.pack("<d", value)
    if isinstance(value, dict):
        return {key: bits(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [bits(inner) for inner in value]
    return value


# --- the table of fields -------------------------------------------------------------------------------------------


def test_every_promised_field_exists_and_no_other() -> None:
    assert set(TURN_FIELDS) == TURN_TABLE
    assert set(EPISODE_FIELDS) == EPISODE_TABLE
    assert TURN_STATUSES == ("ok", "unparsable", "illegal", "truncated")
    assert EPISODE_STATUSES == ("ok", "truncated", "env_error", "agent_error", "timeout")


def test_what_is_unknown_is_none() -> None:
    bare = Turn(seat="player_0", observation=(), text="")
    optional = (*PER_TOKEN, "action", "topk_entropy", "value", "answer_logprob", "anchor", "seconds")
    assert all(getattr(bare, name) is None for name in optional)
    unknown = ("seed", "task", "level", "group", "parent", "fork_turn", "snapshot", "ground_truth", "end_values")
    assert episode().reward_parts is None
    assert all(getattr(episode(), name) is None for name in unknown)
    assert episode().schema_version == SCHEMA_VERSION


def test_records_are_frozen() -> None:
    for record, name in ((turn(), "reward"), (episode(), "status"), (Message("user", ""), "role")):
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(record, name, "changed")


# --- what is refused -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"status": "fine"}, "a turn needs a status out of ok, unparsable, illegal, truncated: got 'fine'"),
        ({"logprobs": (-0.1,)}, "one logprob per completion token: got 1 logprobs for 2 tokens"),
        ({"train_logprobs": (-0.1, -0.2, -0.3)}, "entry of train_logprobs per completion token, or None: got 3 for 2"),
        ({"train_logprobs": ()}, "one entry of train_logprobs per completion token, or None: got 0 for 2 tokens"),
        ({"token_entropy": (0.5,)}, "one entry of token_entropy per completion token, or None: got 1 for 2 tokens"),
        ({"squared_probs": ()}, "one entry of squared_probs per completion token, or None: got 0 for 2 tokens"),
        ({"reference_logprobs": (-0.5,)}, "entry of reference_logprobs per completion token, or None: got 1 for 2"),
        ({"token_values": (None,)}, "one entry of token_values per completion token, or None: got 1 for 2 tokens"),
        ({"advantages": (None,)}, "one entry of advantages per completion token, or None: got 1 for 2 tokens"),
        ({"updated_logprobs": (-0.1,)}, "entry of updated_logprobs per completion token, or None: got 1 for 2 tokens"),
        ({"logprobs": (-0.1, 0.5)}, "at most 0 nats and never NaN: got 0.5"),
        ({"logprobs": (math.nan, -0.5)}, "never NaN"),
        ({"reward": math.nan}, "a turn needs a finite reward: got nan"),
        ({"reward": math.inf}, "a turn needs a finite reward: got inf"),
    ],
)
def test_a_turn_refuses(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(RecordError, match=re.escape(message)):
        turn(**changes)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"status": "done"},
            "an episode needs a status out of ok, truncated, env_error, agent_error, timeout: got 'done'",
        ),
        ({"schema_version": 1}, "reads episodes of schema version 3: got 1"),
        ({"seats": {}, "returns": {}, "turns": ()}, "an episode needs at least one seat: got none"),
        (
            {"returns": {"player_0": 1.0}},
            "one return per seat: got returns for ['player_0'] and seats ['player_0', 'player_1']",
        ),
        ({"returns": {"player_0": math.inf, "player_1": 0.0}}, "returns are finite"),
        ({"turns": (turn(seat="dealer"),)}, "a turn's seat is one of ['player_0', 'player_1']: got 'dealer'"),
        ({"parent": "e9"}, "parent and fork_turn come together: got 'e9' and None"),
        ({"fork_turn": 1}, "parent and fork_turn come together: got None and 1"),
    ],
)
def test_an_episode_refuses(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(RecordError, match=re.escape(message)):
        episode(**changes)


def test_a_message_refuses_an_unknown_role() -> None:
    with pytest.raises(RecordError, match=r"a role out of system, user, assistant, tool: got 'human'"):
        Message("human", "hello")


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("", "an episode is one JSON object"),
        ("{", "an episode is one JSON object"),
        (b"\xff\xfe\x00", "an episode is one JSON object"),
        ("[]", "an episode is a JSON object: got list"),
        ("{}", "missing ['end_values', 'env_id', 'env_kwargs'"),
        (json.dumps({**episode_to_dict(episode()), "colour": 1}), "unknown ['colour']"),
        (json.dumps({**episode_to_dict(episode()), "schema_version": 99}), "schema version 3: got 99"),
        (json.dumps({**episode_to_dict(episode()), "turns": [{}]}), "a turn has the fields"),
        (json.dumps({**episode_to_dict(episode()), "turns": [3]}), "a turn is a JSON object: got int"),
        (
            json.dumps({**episode_to_dict(episode()), "turns": 3}),
            "a field of the wrong type: 'int' object is not iterable",
        ),
        (json.dumps({**episode_to_dict(episode()), "seats": ["player_0"]}), "a field of the wrong type"),
        (json.dumps({**episode_to_dict(episode()), "returns": {"player_0": "1", "player_1": "2"}}), "wrong type"),
    ],
)
def test_json_that_is_no_episode_is_refused(line: str | bytes, message: str) -> None:
    with pytest.raises(RecordError, match=re.escape(message)):
        Episode.from_json(line)


# --- round trips ---------------------------------------------------------------------------------------------------

texts = st.text(st.characters(codec="utf-8"), max_size=12)
finite = st.floats(allow_nan=False, allow_infinity=False)
nats = st.floats(max_value=0.0, allow_nan=False)
int64 = st.integers(-(2**63), 2**63 - 1)
values = st.recursive(
    st.none() | st.booleans() | int64 | finite | texts, lambda inner: st.lists(inner, max_size=2), max_leaves=4
)
json_objects = st.dictionaries(texts, values, max_size=3)


def optional(strategy: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.none() | strategy


def tuples(strategy: st.SearchStrategy[Any], low: int = 0, high: int = 4) -> st.SearchStrategy[tuple[Any, ...]]:
    return st.lists(strategy, min_size=low, max_size=high).map(tuple)


@st.composite
def turns(draw: st.DrawFn, seats: list[str]) -> Turn:
    tokens = draw(st.integers(0, 4))
    return Turn(
        seat=draw(st.sampled_from(seats)),
        observation=draw(tuples(st.builds(Message, st.sampled_from(ROLES), texts), high=2)),
        text=draw(texts),
        action=draw(optional(texts)),
        status=draw(st.sampled_from(TURN_STATUSES)),
        reward=draw(finite),
        prompt_ids=draw(tuples(int64)),
        completion_ids=draw(tuples(int64, tokens, tokens)),
        logprobs=draw(tuples(nats, tokens, tokens)),
        train_logprobs=draw(optional(tuples(nats, tokens, tokens))),
        topk_entropy=draw(optional(tuples(finite))),
        token_entropy=draw(optional(tuples(finite, tokens, tokens))),
        squared_probs=draw(optional(tuples(finite, tokens, tokens))),
        reference_logprobs=draw(optional(tuples(nats, tokens, tokens))),
        value=draw(optional(finite)),
        token_values=draw(optional(tuples(optional(finite), tokens, tokens))),
        advantages=draw(optional(tuples(optional(finite), tokens, tokens))),
        updated_logprobs=draw(optional(tuples(nats, tokens, tokens))),
        answer_logprob=draw(optional(nats)),
        anchor=draw(optional(texts)),
        tool_calls=draw(tuples(texts, high=2)),
        weight_version=draw(tuples(st.tuples(int64, int64), high=2)),
        seconds=draw(optional(finite)),
    )


@st.composite
def episodes(draw: st.DrawFn) -> Episode:
    seats = draw(st.lists(texts, min_size=1, max_size=3, unique=True))
    parent = draw(optional(texts))
    return Episode(
        id=draw(texts),
        env_id=draw(texts),
        seats={seat: draw(texts) for seat in seats},
        turns=draw(tuples(turns(seats), high=3)),
        returns={seat: draw(finite) for seat in seats},
        status=draw(st.sampled_from(EPISODE_STATUSES)),
        seed=draw(optional(int64)),
        env_kwargs=draw(json_objects),
        task=draw(optional(texts)),
        level=draw(optional(texts)),
        group=draw(optional(texts)),
        parent=parent,
        fork_turn=None if parent is None else draw(st.integers(0, 9)),
        snapshot=draw(optional(texts)),
        ground_truth=draw(optional(texts)),
        end_values=draw(optional(st.dictionaries(texts, finite, max_size=2))),
        reward_parts=draw(optional(st.dictionaries(texts, st.dictionaries(texts, finite, max_size=2), max_size=2))),
        metadata=draw(json_objects),
    )


@settings(max_examples=60, deadline=None)
@given(episodes())
def test_json_round_trip(original: Episode) -> None:
    line = original.to_json()
    assert "\n" not in line
    again = Episode.from_json(line.encode())
    assert again == original
    assert bits(episode_to_dict(again)) == bits(episode_to_dict(original))


@settings(max_examples=40, deadline=None)
@given(st.lists(episodes(), max_size=3))
def test_parquet_round_trip(tmp_path_factory: pytest.TempPathFactory, originals: list[Episode]) -> None:
    path = tmp_path_factory.mktemp("parquet") / "episodes.parquet"
    write_parquet(path, iter(originals))
    again = read_parquet(path)
    assert again == originals
    assert [bits(episode_to_dict(one)) for one in again] == [bits(episode_to_dict(one)) for one in originals]
    assert [path.name for path in path.parent.iterdir()] == ["episodes.parquet"], "nothing may be left beside the file"


def test_infinity_negative_zero_none_and_empty_survive(tmp_path: Path) -> None:
    bare = {"completion_ids": (), "logprobs": ()}
    original = episode(
        turns=(
            turn(reward=-0.0),
            turn(**bare, train_logprobs=None, topk_entropy=None),
            turn(**bare, train_logprobs=(), topk_entropy=()),
        )
    )
    write_parquet(tmp_path / "e", [original])
    for again in (read_parquet(tmp_path / "e")[0], Episode.from_json(original.to_json())):
        assert again.turns[0].logprobs == (-0.1, -math.inf)
        assert math.copysign(1.0, again.turns[0].reward) == -1.0
        assert [one.train_logprobs for one in again.turns] == [None, None, ()]
        assert [one.topk_entropy for one in again.turns] == [None, None, ()]


def test_what_is_partly_known_survives(tmp_path: Path) -> None:
    """A token without a value stays apart from the value 0, no part of a reward from none that is known."""
    original = episode(
        turns=(turn(token_values=(None, 0.0)), turn(token_values=(None, None)), turn()),
        end_values={"player_0": 0.25},
        reward_parts={"task": {"player_0": 0.5, "player_1": -0.5}, "format": {}},
    )
    write_parquet(tmp_path / "e", [original, episode(end_values={}, reward_parts={})])
    assert read_parquet(tmp_path / "e") == [original, episode(end_values={}, reward_parts={})]
    assert Episode.from_json(original.to_json()) == original


# --- Parquet files that are not what they should be ----------------------------------------------------------------


@pytest.mark.parametrize(("words", "codec"), [(10, "SNAPPY"), (100_000, "ZSTD")])
def test_what_is_large_is_worth_a_better_compression(tmp_path: Path, words: int, codec: str) -> None:
    original = episode(turns=(turn(text="word " * words),))
    write_parquet(tmp_path / "e", [original])
    assert read_parquet(tmp_path / "e") == [original]
    assert parquet.ParquetFile(tmp_path / "e").metadata.row_group(0).column(0).compression == codec


def test_columns_are_typed_and_the_file_says_its_version(tmp_path: Path) -> None:
    write_parquet(tmp_path / "e", [episode()])
    schema = parquet.read_schema(tmp_path / "e")
    assert schema.metadata[b"turnwise.schema_version"] == b"3"
    assert schema.names == list(EPISODE_FIELDS)
    one_turn = schema.field("turns").type.value_type
    assert [one_turn.field(i).name for i in range(one_turn.num_fields)] == list(TURN_FIELDS)
    assert one_turn.field("logprobs").type.value_type == pyarrow.float64()
    assert schema.field("seed").nullable
    assert not schema.field("turns").nullable


@pytest.mark.parametrize("keep", [0, 3, 100, -1, -9])
def test_a_truncated_file_is_refused(tmp_path: Path, keep: int) -> None:
    path = tmp_path / "e"
    write_parquet(path, [episode()])
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(RecordError, match="no intact Parquet file"):
        read_parquet(path)


def test_a_flipped_bit_in_the_data_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "e"
    write_parquet(path, [episode(turns=tuple(turn(reward=float(i)) for i in range(50)))])
    content = bytearray(path.read_bytes())
    content[200] ^= 0x10
    path.write_bytes(content)
    with pytest.raises(RecordError, match="no intact Parquet file"):
        read_parquet(path)


def test_other_parquet_files_and_other_versions_are_refused(tmp_path: Path) -> None:
    parquet.write_table(pyarrow.table({"x": [1]}), tmp_path / "other")
    with pytest.raises(RecordError, match=r"holds no turnwise episodes: its metadata lacks turnwise\.schema_version"):
        read_parquet(tmp_path / "other")
    older = pyarrow.table({"x": [1]}).replace_schema_metadata({b"turnwise.schema_version": b"1"})
    parquet.write_table(older, tmp_path / "older")
    with pytest.raises(RecordError, match=r"reads episodes of schema version 3: .*older has 1"):
        read_parquet(tmp_path / "older")
    alien = older.replace_schema_metadata({b"turnwise.schema_version": b"3"})
    parquet.write_table(alien, tmp_path / "alien")
    with pytest.raises(RecordError, match="a row is no episode"):
        read_parquet(tmp_path / "alien")
    with pytest.raises(FileNotFoundError):
        read_parquet(tmp_path / "absent")


@pytest.mark.parametrize("changes", [{"seed": 2**64}, {"metadata": {"x": object()}}, {"task": "\ud800"}, {"seed": "7"}])
def test_what_does_not_fit_is_refused_and_the_old_file_stays(tmp_path: Path, changes: dict[str, Any]) -> None:
    write_parquet(tmp_path / "e", [episode()])
    with pytest.raises(RecordError, match="does not fit the columns"):
        write_parquet(tmp_path / "e", [episode(**changes)])
    assert read_parquet(tmp_path / "e") == [episode()]


def test_a_write_that_fails_half_way_leaves_the_old_file(tmp_path: Path) -> None:
    """RLIMIT_FSIZE stands in for a full disk: the write fails in the middle with an OSError."""
    write_parquet(tmp_path / "e", [episode()])
    code = (
        "import resource, signal, sys; from turnwise.parquet import read_parquet, write_parquet\n"
        "path, (old,) = sys.argv[1], read_parquet(sys.argv[1])\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN); resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))\n"
        "try: write_parquet(path, [old] * 1000)\n"
        "except OSError as error: print('OSError', error.errno)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "e")], capture_output=True, text=True, check=False
    )
    assert done.stdout == "OSError 27\n", done.stderr  # EFBIG
    assert [path.name for path in tmp_path.iterdir()] == ["e"]
    assert read_parquet(tmp_path / "e") == [episode()]


def test_episodes_from_dict_ignore_the_order_of_keys() -> None:
    raw = episode_to_dict(episode())
    assert episode_from_dict(dict(reversed(raw.items()))) == episode()
