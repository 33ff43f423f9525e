"""The tree of a batch's rows: its parts by hand, and every loss and gradient as with padded rows."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from turnwise.agents.clock import ModelClock
from turnwise.agents.lora import LoraSettings
from turnwise.algorithms.batch import Batch, pack_samples
from turnwise.algorithms.forward import ATTENTION, distinct, hidden_states, place
from turnwise.algorithms.guards import GUARDS
from turnwise.algorithms.layouts import choose_layout, layout_of
from turnwise.algorithms.learner import Learner
from turnwise.algorithms.noise_settings import LayerNoiseSettings
from turnwise.algorithms.objective import whole_batch
from turnwise.algorithms.pieces import as_tree, cut, in_order, share
from turnwise.algorithms.policy import score
from turnwise.algorithms.recipes import Critic, Magnet, Objective, Optimisation
from turnwise.algorithms.samples import Sample
from turnwise.algorithms.tree import shared_lengths, tree_of

Ids = tuple[int, ...]
Turns = list[tuple[Ids, Ids]]
"""(prompt from here on, reply) of each turn of a row."""
Models = Callable[..., Any]


def padded(rows: list[Ids]) -> tuple[Tensor, Tensor]:
    width = max(map(len, rows))
    return torch.tensor([row + (0,) * (width - len(row)) for row in rows]), torch.tensor([len(row) for row in rows])


# --- the tree ------------------------------------------------------------------------------------------------------


def test_a_tree_by_hand() -> None:
    """1 2 forks into 3 and 4 5; (1 2 4) ends inside a row; 6 stands alone."""
    rows = [(1, 2, 3), (1, 2, 4), (1, 2, 4, 5), (6,)]
    ids, lengths = padded(rows)
    assert shared_lengths(ids.numpy(), lengths.numpy()).tolist() == [0, 2, 3, 0]
    tree = tree_of(ids, lengths)
    assert tree.ids.tolist() == [1, 2, 3, 4, 5, 6]
    assert tree.positions.tolist() == [0, 1, 2, 2, 3, 0]
    assert tree.attention.end.tolist() == [5, 5, 3, 5, 5, 6]
    assert tree.attention.end.dtype == torch.int32
    assert tree.node.tolist() == [[0, 1, 2, 0], [0, 1, 3, 0], [0, 1, 3, 4], [5, 0, 0, 0]]


@given(st.lists(st.lists(st.integers(1, 3), min_size=1, max_size=9).map(tuple), min_size=1, max_size=12))
def test_every_beginning_is_there_once_and_sees_itself(rows: list[Ids]) -> None:
    """Equal rows too, and rows that begin another."""
    rows = sorted(rows)
    ids, lengths = padded(rows)
    tree = tree_of(ids, lengths)
    end = tree.attention.end.tolist()
    assert len(tree.ids) == len({row[: count + 1] for row in rows for count in range(len(row))})
    for row, nodes in zip(rows, tree.node.tolist(), strict=True):
        path = nodes[: len(row)]
        assert tuple(tree.ids[path].tolist()) == row
        assert tree.positions[path].tolist() == list(range(len(row)))
        assert [token for token in range(len(end)) if token <= path[-1] < end[token]] == path


# --- which models --------------------------------------------------------------------------------------------------

SMALL = {"vocab_size": 30, "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 4}
FAMILIES = {
    "Qwen3": {"num_key_value_heads": 2, "head_dim": 8},
    "Qwen2": {"num_key_value_heads": 4},
    "Llama": {"num_key_value_heads": 1},
    "Mistral": {"num_key_value_heads": 2, "sliding_window": None},
    "Olmo2": {"num_key_value_heads": 2},
    "Phi3": {"num_key_value_heads": 2, "pad_token_id": 0},
}
KEPT = {
    ("Mistral", "attention takes sliding_window"): {"num_key_value_heads": 2, "sliding_window": 4096},
    ("Qwen3", "layers of sliding_attention"): {
        "num_key_value_heads": 2,
        "use_sliding_window": True,
        "max_window_layers": 1,
    },
    ("Gemma2", "Gemma2ForCausalLM"): {"num_key_value_heads": 2, "head_dim": 8},
    ("Mamba", "computes its attention with"): {"state_size": 4},
}


def built(family: str, **settings: Any) -> Any:
    """A small model of a family with weights that tell inputs apart."""
    import transformers

    torch.manual_seed(0)
    config = getattr(transformers, f"{family}Config")(**SMALL | settings)
    model = getattr(transformers, f"{family}ForCausalLM")(config).eval()
    with torch.no_grad():
        model.get_input_embeddings().weight.mul_(10)
    return model


def forked(words: int = 29) -> Batch:
    """Rows that share beginnings of several lengths."""
    rows = [(1, 2, 3, *range(4, 14)), (1, 2, 3, 4, 5, 9, 9), (1, 2, 8), (7, 7, 7, 7), (1, 2, 3, *range(4, 11), 1, 1)]
    samples = []
    for row in rows:
        sample = Sample()
        ids = tuple(word % words for word in row)
        sample.add(ids[:2], ids[2:], [-1.0] * len(ids[2:]), 1.0)
        samples.append(sample)
    return pack_samples(samples, pad_id=0)


@pytest.mark.parametrize("family", FAMILIES)
def test_families_whose_states_are_those_of_rows(family: str) -> None:
    model, batch = built(family, **FAMILIES[family]), forked()
    rows = torch.arange(len(batch.lengths))
    expected = hidden_states(model.model, batch)[place(batch, rows, batch.lengths - 1)]
    before = model(input_ids=batch.ids).logits
    assert (choose_layout(model).name, layout_of(model)) == ("tree", "tree")
    laid = as_tree(batch)
    found = hidden_states(model.model, laid)[place(laid, rows, laid.lengths - 1)]
    assert (found - expected).abs().max() < 1e-5
    assert torch.equal(model(input_ids=batch.ids).logits, before)  # without a tree nothing has changed
    assert torch.equal(copy.deepcopy(model)(input_ids=batch.ids).logits, before)


@pytest.mark.parametrize(("family", "reason"), KEPT)
def test_families_that_keep_their_rows(family: str, reason: str) -> None:
    model = built(family, **KEPT[family, reason])
    before = model(input_ids=forked().ids).logits
    found = choose_layout(model)
    assert (found.name, layout_of(model)) == ("rows", "rows")
    assert reason in found.reason
    assert str(found).startswith(f"the trainer forwards padded rows (layout=rows: {family}ForCausalLM")
    assert torch.equal(model(input_ids=forked().ids).logits, before)


def test_the_choice_is_told_and_rows_can_be_asked_for(new_model: Models) -> None:
    model = new_model()
    assert str(choose_layout(model, "rows")) == "the trainer forwards padded rows (layout=rows)"
    with pytest.raises(ValueError, match=r"with 'sdpa'; call layouts\.choose_layout"):
        score(model, as_tree(forked(24)), temperature=1.0)
    assert str(choose_layout(model)) == "the trainer forwards each distinct token of a batch once (layout=tree)"
    with pytest.raises(ValueError, match="layout"):
        choose_layout(model, "flat")


def test_a_saved_model_says_nothing_of_it(new_model: Models, tmp_path: Path) -> None:
    model = new_model()
    choose_layout(model)
    model.save_pretrained(tmp_path)
    assert ATTENTION not in (tmp_path / "config.json").read_text()
    assert json.loads((tmp_path / "config.json").read_text())["model_type"] == "qwen3"


# --- losses and gradients ------------------------------------------------------------------------------------------


def rows_of(turns: Turns, seed: int, *, per_turn: bool = False) -> list[Sample]:
    """The samples of one seat's turns with advantages and log-probs of their own: one row, or one a turn."""
    draw = torch.Generator().manual_seed(seed)
    found, so_far = [Sample(float(seed % 3))], ()
    for prompt, reply in turns:
        if per_turn and so_far:
            found.append(Sample(float(seed % 3)))
        so_far += prompt
        found[-1].add(
            so_far,
            reply,
            (-3.0 * torch.rand(len(reply), generator=draw)).tolist(),
            tuple(torch.randn(len(reply), generator=draw).tolist()),
            **{
                name: tuple(torch.rand(len(reply), generator=draw).tolist())
                for name in ("token_values", "target", "token_entropy")
            },
        )
        so_far += reply
    return found


PROMPT, OTHER = (1, 2, 3, 4, 5, 6, 7), (1, 2, 9, 9)
TRUNK = [(PROMPT, (8, 9)), ((2, 2), (3, 10))]
SHAPES: dict[str, tuple[list[Turns], bool]] = {
    "groups": (
        [[(prompt, (8 + n, 9)), ((2, n), (4, 4, n))] for prompt in (PROMPT, OTHER) for n in range(4)],
        False,
    ),
    "forks": ([[*TRUNK, ((5,), (n, n)), ((6,), (7, n))] for n in range(3)] + [[TRUNK[0], ((2, 2), (3, 3))]], False),
    "trees": ([[(PROMPT, (a,)), ((2,), (b,)), ((2,), (c, c))] for a in (8, 9) for b in (3, 4) for c in (5, 6)], False),
    "several seats": (
        [[((seat, 1, 2, 3), (4, n)), ((8, 9), (n, seat))] for seat in (20, 21) for n in range(3)],
        False,
    ),
    "one row a turn": ([[(PROMPT, (8, n)), ((2,), (3, n)), ((2,), (4, n, n))] for n in range(3)], True),
    "nothing shared": ([[((n, n + 1), (n, 3)), ((4,), (5,) * n)] for n in range(1, 6)], False),
    "equal rows": ([[(PROMPT, (8, 9))], [(PROMPT, (8, 9))], [(PROMPT, (8,)), ((9,), (4,))]], False),
}
"""What recipes lay out: GRPO's groups, ARPO's forks, SPO's trees, self-play, one row a turn."""


def shaped(name: str) -> Batch:
    talks, per_turn = SHAPES[name]
    samples = [sample for seed, turns in enumerate(talks) for sample in rows_of(turns, seed, per_turn=per_turn)]
    return pack_samples(samples, pad_id=0)


def gradients(model: Any, batch: Batch, layout: str, **settings: Any) -> tuple[float, dict[str, Tensor], Learner]:
    """Of the whole loss, in pieces of 24 tokens; critic's and noise's too."""
    rates = settings.pop("optimisation", {})
    parts: dict[str, Any] = {"objective": Objective(), "magnet": Magnet()} | settings
    optimisation = Optimisation(**{"layout": layout, "micro_batch_tokens": 24} | rates)
    learner = Learner(
        copy.deepcopy(model), optimisation, temperature=1.0, clock=ModelClock(torch.device("cpu")), **parts
    )
    assert learner.layout.name == layout
    batch = in_order(batch, layout)
    whole, total = whole_batch(batch), 0.0
    for piece in learner.pieces(batch):
        loss, _ = learner.loss(learner._prepared(piece), whole, learner.magnet.weight)
        loss.backward()
        total += float(loss.detach())
    modules = {"model": learner.model, "critic": learner.critic, "noise": learner.noise}
    return (
        total,
        {
            f"{kind}.{name}": weight.grad
            for kind, module in modules.items()
            if module is not None
            for name, weight in module.named_parameters()
            if weight.grad is not None
        },
        learner,
    )


def apart(one: dict[str, Tensor], two: dict[str, Tensor]) -> float:
    assert one.keys() == two.keys()
    return max(float((one[name] - two[name]).abs().max()) for name in one)


def compared(model: Any, batch: Batch, **settings: Any) -> None:
    """Loss and gradients of both layouts, to 1e-5."""
    (mine, of_tree, _), (theirs, of_rows, _) = (gradients(model, batch, name, **settings) for name in ("tree", "rows"))
    assert mine == pytest.approx(theirs, abs=1e-5)
    assert apart(of_tree, of_rows) < 1e-5
    assert max(float(tensor.abs().max()) for tensor in of_tree.values()) > 1e-3


@pytest.mark.parametrize("name", SHAPES)
def test_a_tree_learns_what_rows_learn(name: str, new_model: Models) -> None:
    compared(new_model(), shaped(name), objective=Objective(entropy_weight=0.01))


@pytest.mark.parametrize("guard", sorted(GUARDS))
def test_every_guard_sees_each_path_s_own_advantage(guard: str, new_model: Models) -> None:
    """Trained tokens that forks share are forwarded once, and counted once for each path, whatever the guard does."""
    compared(new_model(), shaped("forks"), objective=Objective(guard=guard))


@pytest.mark.parametrize(
    "settings",
    [
        {"optimisation": {"old_logprobs": "trainer", "activation_checkpointing": True}},
        {"critic": Critic(kind="own", clip=None), "magnet": Magnet(weight=0.1, final_weight=0.1)},
        {"critic": Critic(kind="shared"), "objective": Objective(ratio="sequence", corrections={"tis": {"cap": 2.0}})},
        {"lora": LoraSettings(rank=2), "magnet": Magnet(weight=0.1, final_weight=0.1, estimator="k3")},
    ],
    ids=["checkpoints", "own critic, reference", "shared critic, sequences", "adapters"],
)
def test_whatever_stands_beside_the_policy(settings: dict[str, Any], new_model: Models) -> None:
    compared(new_model(), shaped("trees"), **settings)


def test_layer_noise_is_drawn_again_for_checkpoints(new_model: Models) -> None:
    """Noise has the shape of what is forwarded, so layouts differ in it; computing twice does not."""
    noise = LayerNoiseSettings(sigma=0.1)
    found = [
        gradients(new_model(), shaped("forks"), "tree", noise=noise, optimisation={"activation_checkpointing": again})
        for again in (False, True)
    ]
    assert found[0][0] == pytest.approx(found[1][0], abs=1e-6)
    assert apart(found[0][1], found[1][1]) < 1e-6


def test_shared_tokens_have_the_gradient_of_two_scalars(new_model: Models) -> None:
    """PPO over the G paths through a token is min(r, 1 + e) sum A+ + max(r, 1 - e) sum A-, gradient too."""
    batch = pack_samples(
        [sample for seed, n in enumerate((3, 4, 5)) for sample in rows_of([(PROMPT, (8, 9, 10, n))], seed)], pad_id=0
    )
    old = torch.tensor([-2.0, -3.0, -1.0])  # of the three shared tokens, the same on every path
    sampled = batch.sampled_logprobs.clone()
    sampled[:, :3] = old
    batch = replace(batch, sampled_logprobs=sampled)
    model = new_model()
    choose_layout(model)
    (piece,) = cut(batch, 1000, layout="tree")
    assert len(piece.tree.ids) == len(PROMPT) + 3 + 3  # type: ignore[union-attr]

    def ratios() -> Tensor:
        return (score(model, piece, temperature=1.0).logprobs[piece.token_index] - sampled).exp()

    flat = torch.minimum(ratios() * batch.advantages, ratios().clamp(0.8, 1.2) * batch.advantages)[:, :3].sum()
    shared = ratios()[0, :3]
    gains, losses = (batch.advantages[:, :3].clamp(*bounds).sum(0) for bounds in ((0, None), (None, 0)))
    two = (shared.clamp(max=1.2) * gains + shared.clamp(min=0.8) * losses).sum()
    assert float(flat.detach()) == pytest.approx(float(two.detach()), abs=1e-5)
    weights = list(model.parameters())
    mine, theirs = (torch.autograd.grad(loss, weights, retain_graph=True) for loss in (flat, two))
    assert max(float((a - b).abs().max()) for a, b in zip(mine, theirs, strict=True)) < 1e-5


def test_a_token_of_several_rows_meets_the_head_once(new_model: Models) -> None:
    """Three paths say 8 9 10 and one token each: six distinct ones, and twelve log-probs of them."""
    batch = pack_samples(
        [sample for seed, n in enumerate((3, 4, 5)) for sample in rows_of([(PROMPT, (8, 9, 10, n))], seed)], pad_id=0
    )
    once, back = distinct(as_tree(batch))
    assert once.token_row.tolist() == [0, 0, 0, 0, 1, 2]
    assert back is not None and back.tolist() == [0, 1, 2, 3, 0, 1, 2, 4, 0, 1, 2, 5]
    assert distinct(batch) == (batch, None)
    model = new_model()
    expected = score(model, batch, temperature=1.0, entropy=True)
    choose_layout(model)
    found = score(model, as_tree(batch), temperature=1.0, entropy=True)
    assert found.entropy is not None and expected.entropy is not None
    assert (found.logprobs - expected.logprobs).abs().max() < 1e-5
    assert (found.entropy - expected.entropy).abs().max() < 1e-5
    assert found.hidden is not None and found.hidden.shape == (12, 32)


# --- pieces --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("tokens", [1, 12, 20, 33, 1000])
@pytest.mark.parametrize("size", [1, 2, 3])
@pytest.mark.parametrize("name", SHAPES)
def test_pieces_hold_so_many_distinct_tokens(name: str, tokens: int, size: int) -> None:
    batch = shaped(name)
    pieces = cut(batch, tokens, size, layout="tree")
    assert torch.equal(torch.cat([piece.lengths for piece in pieces]), batch.lengths)
    assert sum(int(piece.mask.sum()) for piece in pieces) == int(batch.mask.sum())
    for piece in pieces:
        laid = as_tree(piece).tree
        assert laid is not None
        assert len(laid.ids) <= tokens or len(piece.lengths) == 1
        assert (piece.tree is None) == (piece.ids.numel() <= 1.05 * len(laid.ids))  # left as rows: nothing is gained
    shares = [share(pieces, rank, size) for rank in range(size)]
    assert len({len(mine) for mine in shares}) == 1
    assert sum(not piece.mask.any() for mine in shares for piece in mine) == size * len(shares[0]) - len(pieces)


def test_a_cut_falls_between_groups() -> None:
    """Two groups of 7 + 4 x 7 and 4 + 4 x 7 tokens less what replies share; 48 fit the first and some of the second."""
    batch = shaped("groups")
    first, second = cut(batch, 48, layout="tree")
    assert len(first.lengths) == len(second.lengths) == 4
    assert {tuple(row[:4].tolist()) for row in first.ids} == {PROMPT[:4]}
    assert {tuple(row[:4].tolist()) for row in second.ids} == {OTHER}


def test_a_batch_goes_through_an_update_alike(new_model: Models) -> None:
    """Metrics of both layouts after two updates of two epochs: nothing is lost or counted twice on the way."""
    found = []
    for layout in ("tree", "rows"):
        learner = gradients(new_model(), shaped("forks"), layout)[2]
        learner._optimiser.zero_grad()
        found.append([learner.update(shaped(name), 0.0) for name in ("forks", "groups")])
    for mine, theirs in zip(*found, strict=True):
        assert mine == pytest.approx(theirs, rel=1e-4, abs=1e-5)
