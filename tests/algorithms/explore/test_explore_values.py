"""Values of states by playing on: SPO-chain and PAV."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from turnwise.agents.context import ChatContext, ContextSettings
from turnwise.agents.language import LanguageAgent
from turnwise.agents.plan import Plan, first_tokens
from turnwise.agents.sampling import derive_seed
from turnwise.algorithms.credit.spo_chain import SPOChainSettings, credit, cutpoints
from turnwise.algorithms.explore import pav
from turnwise.algorithms.explore.spo_chain import SPOChainExploreSettings, explore
from turnwise.algorithms.rewards.pav import PAVSettings
from turnwise.algorithms.rewards.pav import reward as progress


def settings(**fields) -> SPOChainExploreSettings:
    return SPOChainExploreSettings(**{"plays": 2} | fields)


def test_the_value_is_what_is_still_to_come(ground, plans) -> None:
    """Wages of 1, 2 and 4: before the turns 7, 6 and 4 are to come, whoever plays on."""
    found = explore(plans(1, 3, "Wages", None), ground(), settings(every_turn=True), {})
    assert [[turn.value for turn in episode.turns] for episode in found.episodes] == [[7.0, 6.0, 4.0]] * 3
    assert all(turn.token_values is None for episode in found.episodes for turn in episode.turns)
    table = credit(found.episodes, {}, SPOChainSettings(prob_threshold=None, whiten=False)).advantages
    assert table == [[0.0, 0.0, 0.0]] * 3


def test_equal_states_are_valued_once(ground, plans) -> None:
    """Three episodes begin alike, and each turn they say the same leaves them alike."""
    found = explore(plans(1, 3, "Wages", None), ground(), settings(every_turn=True), {})
    said = [[turn.completion_ids for turn in episode.turns] for episode in found.episodes]
    distinct = {tuple(row[:at]) for row in said for at in range(3)}
    assert found.metrics["valued_states"] == len(distinct) < 9
    assert found.metrics["extra_episodes"] == 2 * len(distinct)
    assert found.metrics["extra_tokens"] > 2 * len(distinct)


def test_a_value_is_the_mean_of_plays_that_can_be_made_again(ground, plans, rollout) -> None:
    wanted = plans(1, 1)
    (episode,) = explore(wanted, ground(), settings(every_turn=True, plays=5), {}).episodes
    own = [index for index, turn in enumerate(episode.turns) if turn.seat == "player_0"]
    bare = rollout.collect(wanted)[0]
    for number, index in enumerate(own):
        onward = [
            replace(wanted[0], prefix=bare.turns[:index], stream=derive_seed(1, 2, number, play)) for play in range(5)
        ]
        returns = [play.returns["player_0"] for play in rollout.collect(onward)]
        assert episode.turns[index].value == pytest.approx(sum(returns) / 5)
    assert [turn.value for turn in episode.turns if turn.seat == "player_1"] == [None] * (len(episode.turns) - len(own))


def test_uncertain_turns_are_cut(ground, plans) -> None:
    """With an interval that one turn does not fill, only some turns are valued; the first uncertain token is in one."""
    episodes = explore(plans(2, 2), ground(), settings(interval=6), {}).episodes
    flags = [[turn.value is not None for turn in e.turns if turn.seat == "player_0"] for e in episodes]
    assert all(row[0] for row in flags)  # no word has a probability of 0.9
    assert any(not all(row) for row in flags)
    assert any(row.count(True) > 1 for row in flags)


def test_states_inside_replies(ground, plans, rollout) -> None:
    wanted = plans(1, 2)
    found = explore(wanted, ground(), settings(per="token", interval=3, prob_threshold=0.5), {})
    for episode in found.episodes:
        own = [index for index, turn in enumerate(episode.turns) if turn.seat == "player_0"]
        spots = [(index, token) for index in own for token in range(len(episode.turns[index].completion_ids))]
        probs = [math.exp(episode.turns[index].logprobs[token]) for index, token in spots]
        cuts = [spots[cut + 1] for cut in cutpoints(probs, 0.5, 3)]
        valued = [(index, token) for index, token in spots if _value(episode.turns[index], token) is not None]
        assert valued == cuts
        assert any(token for _, token in cuts)
    assert credit(found.episodes, {}, SPOChainSettings(per="token")).metrics["valued_states"] >= 4.0
    index, token = next((index, token) for index, token in cuts if token)
    onward = replace(
        wanted[-1], prefix=episode.turns[:index], partial=first_tokens(episode.turns[index], token), stream=99
    )
    (played,) = rollout.collect([onward])
    assert played.turns[index].completion_ids[:token] == episode.turns[index].completion_ids[:token]


def _value(turn, token):
    if token == 0 and turn.value is not None:
        return turn.value
    return None if turn.token_values is None else turn.token_values[token]


def test_only_new_tokens_are_extra(ground, plans) -> None:
    """One play from one state in the middle of the only reply: what it adds is counted, not what it was given."""
    made = ground(annotate=lambda episodes: [_sure_but_for(episode, 2) for episode in episodes])
    made.rollout.max_turns = 1
    wanted = plans(1, 1, "Wages", None)
    found = explore(wanted, made, settings(per="token", interval=1, plays=1, prob_threshold=0.5), {})
    (turn,) = found.episodes[0].turns
    assert [value is not None for value in turn.token_values] == [at == 2 for at in range(len(turn.completion_ids))]
    onward = Plan(
        id="again",
        env_id="Wages",
        seed=wanted[0].seed,
        seats=wanted[0].seats,
        stream=derive_seed(1, 2, 0, 0),
        partial=first_tokens(turn, 2),
    )
    made.rollout._idle.clear()  # games that know no limit of one turn
    (played,) = made.rollout.collect([onward])
    assert found.metrics["extra_tokens"] == len(played.turns[0].completion_ids) - 2


def _sure_but_for(episode, token):
    def probs(turn):
        return tuple(math.log(0.1) if at == token else 0.0 for at in range(len(turn.completion_ids)))

    return replace(episode, turns=tuple(replace(turn, train_logprobs=probs(turn)) for turn in episode.turns))


def test_what_a_play_that_was_cut_off_counts(ground, plans) -> None:
    """Stopped after two turns of wages 1 and 2: 3, then 2 more had been earned."""
    for unfinished, values in (("nothing", [0.0, 0.0]), ("earned", [3.0, 2.0])):
        made = ground()
        made.rollout._idle.clear()
        made.rollout.max_turns = 2
        (episode,) = explore(
            plans(1, 1, "Wages", None), made, settings(every_turn=True, unfinished=unfinished), {}
        ).episodes
        assert episode.status == "truncated"
        assert [turn.value for turn in episode.turns] == values


def test_settings_that_contradict_each_other_are_refused() -> None:
    with pytest.raises(ValueError, match="every_turn belongs to per turn: got per token"):
        settings(per="token", every_turn=True)
    with pytest.raises(ValueError, match="unfinished is one of nothing, earned: got 'zero'"):
        settings(unfinished="zero")


# --- provers -------------------------------------------------------------------------------------------------------


def test_the_policy_may_be_its_own_prover(ground, plans) -> None:
    found = pav.explore(plans(1, 2, "Wages", None), ground(), pav.PAVExploreSettings(plays=2), {})
    assert [[turn.value for turn in episode.turns] for episode in found.episodes] == [[7.0, 6.0, 4.0]] * 2
    changed, _, _ = progress(found.episodes, {}, PAVSettings())
    assert [turn.reward for turn in changed[0].turns] == [1.0, 2.0, 4.0]  # nothing is better or worse than expected


@pytest.mark.parametrize("prover", ["first_legal", "mcts(20)"])
def test_somebody_else_may_prove(ground, plans, rollout, prover) -> None:
    """An agent at the table, and a scripted one that was not there: it takes the learner's seat from the state on."""
    wanted = plans(1, 1, second="first_legal")
    (episode,) = pav.explore(wanted, ground(), pav.PAVExploreSettings(prover=prover, plays=1), {}).episodes
    onward = [
        replace(wanted[0], prefix=episode.turns[:index], seats=wanted[0].seats | {"player_0": prover})
        for index, turn in enumerate(episode.turns)
        if turn.seat == "player_0"
    ]
    values = [turn.value for turn in episode.turns if turn.seat == "player_0"]
    if prover == "first_legal":  # leaves nothing to chance
        assert values == [play.returns["player_0"] for play in rollout.collect(onward)]
    else:
        assert values[0] == 1.0  # against who takes the first free square
    assert [turn.value for turn in episode.turns if turn.seat == "player_1"] == [None] * (len(episode.turns) // 2)


def test_a_prover_that_reads_other_tokens_is_told_the_past(ground, plans, policy) -> None:
    other = ChatContext(policy.context.tokenizer, ContextSettings(system="Another."), "chatml")
    made = ground()
    made = ground(rollout=made.rollout.beside({"frozen": LanguageAgent(policy.engine, other, policy.sampling)}))
    found = pav.explore(plans(1, 2, "Wages", None), made, pav.PAVExploreSettings(prover="frozen", plays=1), {})
    assert [[turn.value for turn in episode.turns] for episode in found.episodes] == [[7.0, 6.0, 4.0]] * 2
    assert found.metrics["extra_tokens"] == 0.0  # none of them are the learner's


def test_an_unknown_prover_is_refused(ground, plans) -> None:
    with pytest.raises(ValueError, match=r"prover is policy, an agent at the table \(policy, random, first_legal\) or"):
        pav.explore(plans(1, 1), ground(), pav.PAVExploreSettings(prover="oracle"), {})
