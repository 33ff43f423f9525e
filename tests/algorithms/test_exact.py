"""Exact evaluation: values known from the games, contexts by hand, sampled against listed, tables against play."""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from collections.abc import Callable, Sequence

import numpy as np
import pytest

from turnwise.agents.context import ChatContext, ContextSettings
from turnwise.agents.engine import Completion
from turnwise.agents.language import LanguageAgent
from turnwise.agents.local import LocalEngine
from turnwise.agents.rollout import Plan, Rollout
from turnwise.agents.sampling import Sampling
from turnwise.agents.tiny import TinyModel, build_model, build_tokenizer
from turnwise.algorithms.evaluation.exact import ExactResult, evaluate_exactly, evaluate_voice
from turnwise.algorithms.evaluation.exact_tree import information_states
from turnwise.algorithms.evaluation.voices import LeadIns
from turnwise.algorithms.sft import SFT, scripted_games, spoken_texts, warm_start
from turnwise.envs.openspiel.adapter import OpenSpielGame
from turnwise.envs.openspiel.optimal import kuhn_bet_probability
from turnwise.envs.registry import make_game
from turnwise.records import Turn

CARDS = ("Jack", "Queen", "King")
REPLY_TOKENS = 24
Rule = Callable[[list[str], list[str], str], float]
"""(what the seat read, what it said before, its reply) -> probability of the reply."""


def kuhn(prompt: str = "compact") -> OpenSpielGame:
    game = make_game("KuhnPoker-LLM", prompt=prompt)
    assert isinstance(game, OpenSpielGame)
    return game


@pytest.fixture(scope="module")
def tokenizer() -> object:
    """Words of both of Kuhn poker's prompts."""
    kuhn = [("KuhnPoker-LLM", {"prompt": prompt}) for prompt in ("full", "compact")]
    games = [scripted_games(SFT(games=50), [game], 0) for game in kuhn]
    return build_tokenizer([text for played in games for text in spoken_texts(played)], 512)


def chat(tokenizer: object, layout: str = "per_turn", history: str = "all") -> ChatContext:
    return ChatContext(tokenizer, ContextSettings(layout=layout, history=history, max_context=2048))


@pytest.fixture(scope="module")
def trained(tokenizer: object) -> object:
    """A tiny model after a short warm start on compact prompts: it knows the format, not perfectly."""
    model = build_model(TinyModel(), tokenizer, 0)
    games = scripted_games(SFT(games=400), [("KuhnPoker-LLM", {"prompt": "compact"})], 1)
    warm_start(model, chat(tokenizer, "append_only"), games, SFT(steps=100, batch=64, learning_rate=5e-3), seed=0)
    return model


def ruled(context: ChatContext, rule: Rule) -> Callable[..., list[float]]:
    """A scorer that reads its pairs back into text and follows a rule."""

    def score(pairs: Sequence[tuple[tuple[int, ...], tuple[int, ...]]]) -> list[float]:
        found = []
        for prompt, completion in pairs:
            talk = context.tokenizer.decode(list(prompt), skip_special_tokens=False)
            said = re.findall(r"<\|im_start\|>assistant\n(.*?)<\|im_end\|>", talk, re.DOTALL)
            read = re.findall(r"<\|im_start\|>user\n(.*?)<\|im_end\|>", talk, re.DOTALL)
            found.append(rule(read, said, context.decode(completion)))
        return [math.log(mass) if mass else -math.inf for mass in found]

    return score


def by_rule(context: ChatContext, game: OpenSpielGame, rule: Rule, limit: int = 20_000) -> ExactResult:
    voice = LeadIns(ruled(context, rule), context, game.lead_ins(), max_tokens=REPLY_TOKENS)
    states = information_states(game, limit)
    return evaluate_voice(voice, context, game, states, prefixes="finite", max_tokens=REPLY_TOKENS, seed=0)


def equilibrium(alpha: float) -> Rule:
    """An equilibrium of Kuhn poker behind a lead-in of the card that is held."""

    def rule(read: list[str], said: list[str], reply: str) -> float:
        card, history = re.fullmatch(r"card (\w+) history (.*)", read[-1]).groups()  # type: ignore[union-attr]
        moves = [int(word == "bet") for word in history.split() if word != "none"]
        betting = kuhn_bet_probability(CARDS.index(card), moves, alpha)
        if not reply.startswith(card):
            return 0.0
        return betting if "[bet]" in reply or "[call]" in reply else 1 - betting

    return rule


# What policies are worth


def test_equal_replies_are_uniform_play(tokenizer: object) -> None:
    # Three lead-ins and two actions of 0.1 each: 0.6 is legal. The first seat's value of uniform play is 1/8.
    result = by_rule(chat(tokenizer), kuhn(), lambda read, said, reply: 0.1)
    assert result.information_states == 12
    assert result.nash_conv == pytest.approx(11 / 12)
    assert result.exploitability == pytest.approx(11 / 24)
    assert result.self_play == pytest.approx({"player_0": 1 / 8, "player_1": -1 / 8})
    assert result.best_response == pytest.approx({"player_0": 1 / 2, "player_1": 5 / 12})
    assert result.illegal_mass_mean == pytest.approx(0.4)
    assert result.illegal_mass_max == pytest.approx(0.4)
    assert result.unheard == 0
    assert all(row.probabilities == pytest.approx(dict.fromkeys(row.probabilities, 0.5)) for row in result.policy)
    assert all(row.stderr is None for row in result.policy)


@pytest.mark.parametrize("alpha", [0.0, 0.2, 1 / 3])
def test_an_equilibrium_cannot_be_exploited(tokenizer: object, alpha: float) -> None:
    result = by_rule(chat(tokenizer), kuhn(), equilibrium(alpha))
    assert result.nash_conv == pytest.approx(0.0, abs=1e-12)
    assert result.self_play == pytest.approx({"player_0": -1 / 18, "player_1": 1 / 18})
    assert result.against_optimal == pytest.approx({"player_0": -1 / 18, "player_1": 1 / 18})
    assert result.illegal_mass_max == pytest.approx(0.0, abs=1e-12)
    for row in result.policy:
        for name, (low, high) in (row.equilibrium or {}).items():
            assert low - 1e-12 <= row.probabilities[name] <= high + 1e-12


def test_always_betting_by_hand(tokenizer: object) -> None:
    # Against one who always bets and calls: the King wins 2, the Queen 2 or -2, the Jack folds for -1: (2 + 0 - 1) / 3.
    result = by_rule(chat(tokenizer), kuhn(), lambda read, said, reply: float("[bet]" in reply or "[call]" in reply))
    assert result.best_response == pytest.approx({"player_0": 1 / 3, "player_1": 1 / 3})
    assert result.nash_conv == pytest.approx(2 / 3)
    assert result.self_play == pytest.approx({"player_0": 0.0, "player_1": 0.0})


def test_table_names_states_and_known_ranges(tokenizer: object) -> None:
    result = by_rule(chat(tokenizer), kuhn(), equilibrium(0.2))
    rows = {row.key: row for row in result.policy}
    assert [row.key for row in result.policy][:3] == ["0", "1", "2"]
    assert rows["0"].observation == "card Jack history none"
    assert rows["0"].seat == "player_0"
    assert rows["0"].probabilities == pytest.approx({"check": 0.8, "bet": 0.2})
    assert rows["0"].equilibrium == {"check": (pytest.approx(2 / 3), 1.0), "bet": (0.0, pytest.approx(1 / 3))}
    assert rows["1pb"].probabilities == pytest.approx({"fold": 1 - 8 / 15, "call": 8 / 15})
    assert rows["1pb"].equilibrium["call"] == pytest.approx((1 / 3, 2 / 3))  # type: ignore[index]
    assert rows["0p"].equilibrium["bet"] == pytest.approx((1 / 3, 1 / 3))  # type: ignore[index]


def test_leduc_uniform(tokenizer: object) -> None:
    game = make_game("LeducPoker-LLM", prompt="compact")
    assert isinstance(game, OpenSpielGame)
    context = chat(tokenizer, history="last")
    voice = LeadIns(lambda pairs: [-3.0] * len(pairs), context, game.lead_ins(), max_tokens=REPLY_TOKENS)
    states = information_states(game, 1_000)
    result = evaluate_voice(voice, context, game, states, prefixes="finite", max_tokens=REPLY_TOKENS, seed=0)
    assert result.information_states == 936
    assert result.nash_conv == pytest.approx(4.747222, abs=1e-6)
    assert result.against_optimal is None
    assert result.policy[0].equilibrium is None


def test_silence_counts_as_uniform_and_is_counted(tokenizer: object) -> None:
    def mute_with_a_jack(read: list[str], said: list[str], reply: str) -> float:
        return 0.0 if read[-1] == "card Jack history none" else 0.1

    result = by_rule(chat(tokenizer), kuhn(), mute_with_a_jack)
    rows = {row.key: row for row in result.policy}
    assert result.unheard == 1
    assert rows["0"].probabilities == {"check": 0.5, "bet": 0.5}
    assert rows["0"].illegal_mass == result.illegal_mass_max == 1.0
    assert result.illegal_mass_mean == pytest.approx((1.0 + 11 * 0.4) / 12)


def test_result_goes_to_json(tokenizer: object) -> None:
    result = by_rule(chat(tokenizer), kuhn(), equilibrium(0.0))
    raw = json.loads(json.dumps(result.to_dict()))
    assert raw["exploitability"] == result.exploitability
    assert raw["policy"][0]["probabilities"] == dict(result.policy[0].probabilities)


# Which games


def test_a_game_with_too_many_states_is_refused() -> None:
    with pytest.raises(ValueError, match=r"at most 500 information states.*tic_tac_toe.*win rates"):
        information_states(make_game("TicTacToe-LLM"), 500)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("env_id", "kwargs", "came"),
    [
        ("KuhnPoker-LLM", {"players": 3}, "3 seats"),
        ("KuhnPoker-LLM", {"rules": "textarena"}, "TextArenaKuhn, which is no game of OpenSpiel"),
    ],
)
def test_other_games_are_refused(env_id: str, kwargs: dict[str, object], came: str) -> None:
    with pytest.raises(ValueError, match=f"{came}.*win rates instead"):
        information_states(make_game(env_id, **kwargs), 100)  # type: ignore[arg-type]


@pytest.mark.parametrize("prompt", ["full", "compact"])
def test_walk_leaves_the_game_alone(prompt: str) -> None:
    game = kuhn(prompt)
    game.start(np.random.default_rng(3))
    twin = game.clone()
    assert len(information_states(game, 12)) == 12
    assert game.observe("player_0") == twin.observe("player_0")
    game.play("check")
    twin.play("check")
    assert game.observe("player_1") == twin.observe("player_1")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"prefixes": 1}, "prefixes is 'finite' or a number"),
        ({"prefixes": "all"}, "prefixes is 'finite' or a number"),
        ({"temperature": 0.0}, "temperature"),
        ({"max_tokens": 2040}, "no room is left for a reply of 2040 tokens within context.max_context=2048"),
        ({"max_information_states": 11}, "at most 11 information states"),
    ],
)
def test_bad_arguments(tokenizer: object, trained: object, arguments: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        evaluate_exactly(trained, chat(tokenizer), kuhn(), **arguments)  # type: ignore[arg-type]


# Contexts


def test_layouts_agree_where_own_words_do_not_matter(tokenizer: object) -> None:
    def rule(read: list[str], said: list[str], reply: str) -> float:
        whole = "\n".join(read) + reply.split("[")[1]
        return 0.02 + 0.1 * (sum(place * ord(letter) for place, letter in enumerate(whole)) % 11) / 11 * (
            1 + ord(reply[0]) % 3
        )

    alone, growing = (by_rule(chat(tokenizer, layout), kuhn("full"), rule) for layout in ("per_turn", "append_only"))
    assert alone.nash_conv == pytest.approx(growing.nash_conv, abs=1e-12)
    assert len({round(row.probabilities["bet"], 6) for row in alone.policy if "bet" in row.probabilities}) > 3
    for one, other in zip(alone.policy, growing.policy, strict=True):
        assert one.probabilities == pytest.approx(other.probabilities, abs=1e-12)
        assert one.illegal_mass == pytest.approx(other.illegal_mass, abs=1e-12)


def test_particles_by_hand(tokenizer: object) -> None:
    # First reply: names Jack with .4, Queen or King with .2 each (.2 is illegal), and then checks with .8, .4, .4.
    # Second reply: legal for sure after "Jack", half of the time after "Queen" or "King"; calls always, half of the
    # time, never. Ways to come there: Jack .32, Queen .08, King .08, .48 in all.
    # Called: .32 * 1 + .08 * .25 + 0 = .34. Legal: .32 + .04 + .04 = .4. So pi(call) = .85, illegal 1 - .4 / .48 = 1/6.
    checks = {"Jack": 0.8, "Queen": 0.4, "King": 0.4}
    names = {"Jack": 0.4, "Queen": 0.2, "King": 0.2}
    calls = {"Jack": 1.0, "Queen": 0.5, "King": 0.0}
    legal = {"Jack": 1.0, "Queen": 0.5, "King": 0.5}

    def rule(read: list[str], said: list[str], reply: str) -> float:
        card, action = reply.split(" ")
        if not said:
            return names[card] * (checks[card] if action in ("[check]", "[fold]") else 1 - checks[card])
        first = said[0].split(" ")[0]
        return legal[first] / 3 * (calls[first] if action == "[call]" else 1 - calls[first])

    rows = {row.key: row for row in by_rule(chat(tokenizer, "append_only"), kuhn(), rule).policy}
    assert rows["0"].probabilities == pytest.approx({"check": 0.48 / 0.8, "bet": 0.32 / 0.8})
    assert rows["0"].illegal_mass == pytest.approx(0.2)
    for key in ("0pb", "1pb", "2pb"):
        assert rows[key].probabilities == pytest.approx({"fold": 0.15, "call": 0.85})
        assert rows[key].illegal_mass == pytest.approx(1 / 6)


def test_where_own_replies_never_lead_nothing_is_known(tokenizer: object) -> None:
    result = by_rule(
        chat(tokenizer, "append_only"), kuhn(), lambda read, said, reply: 0.3 * ("[bet]" in reply or "[fold]" in reply)
    )
    rows = {row.key: row for row in result.policy}
    assert rows["0pb"].illegal_mass is None
    assert rows["0pb"].probabilities == {"fold": 0.5, "call": 0.5}
    assert result.unheard == 3
    assert result.illegal_mass_max == pytest.approx(0.1)


class Speaker:
    """An engine that replies with a random lead-in and a random legal move, which it finds in the prompt."""

    weight_version = 0

    def __init__(self, context: ChatContext) -> None:
        self.context = context

    def generate(
        self, prompts: Sequence[tuple[int, ...]], seeds: Sequence[int], sampling: Sampling
    ) -> list[Completion]:
        return [self._reply(prompt, np.random.default_rng(seed)) for prompt, seed in zip(prompts, seeds, strict=True)]

    def _reply(self, prompt: tuple[int, ...], rng: np.random.Generator) -> Completion:
        legal = re.findall(r"Legal moves: (.*)", self.context.decode(prompt))[-1].split(", ")
        ids = self.context.encode_reply(f"{rng.choice(CARDS)} {rng.choice(legal)}")
        return Completion(ids, (0.0,) * len(ids), True)


@pytest.mark.parametrize(("layout", "history"), [("append_only", "all"), ("per_turn", "all"), ("per_turn", "last")])
def test_prompts_are_those_of_a_rollout(tokenizer: object, layout: str, history: str) -> None:
    context = chat(tokenizer, layout, history)
    asked: set[tuple[int, ...]] = set()

    def spy(pairs: Sequence[tuple[tuple[int, ...], tuple[int, ...]]]) -> list[float]:
        asked.update(prompt for prompt, _ in pairs)
        return [-2.0] * len(pairs)

    game = kuhn("full")
    voice = LeadIns(spy, context, game.lead_ins(), max_tokens=REPLY_TOKENS)
    evaluate_voice(
        voice, context, game, information_states(game, 12), prefixes="finite", max_tokens=REPLY_TOKENS, seed=0
    )
    agent = LanguageAgent(Speaker(context), context, Sampling(max_tokens=REPLY_TOKENS))
    plans = [
        Plan(id=str(i), env_id="KuhnPoker-LLM", seed=i, seats={"player_0": "policy", "player_1": "policy"})
        for i in range(400)
    ]
    met = {turn.prompt_ids for episode in Rollout({"policy": agent}).collect(plans) for turn in episode.turns}
    assert met == asked


# Sampled prefixes


@pytest.mark.parametrize("layout", ["per_turn", "append_only"])
def test_sampled_prefixes_agree_with_listed_ones(tokenizer: object, trained: object, layout: str) -> None:
    context, draws = chat(tokenizer, layout), 400
    listed = evaluate_exactly(trained, context, kuhn(), temperature=0.8, max_tokens=REPLY_TOKENS)
    sampled = evaluate_exactly(
        trained, context, kuhn(), temperature=0.8, prefixes=draws, max_tokens=REPLY_TOKENS, seed=1
    )
    assert listed.illegal_mass_max < 0.02
    assert sampled.nash_conv_stderr is not None and sampled.nash_conv_stderr > 0
    # Only what is legal in another form than the listed ones tells the two apart: less than illegal_mass.
    assert abs(sampled.nash_conv - listed.nash_conv) < 3 * sampled.nash_conv_stderr + 2 * listed.illegal_mass_max
    for one, other in zip(listed.policy, sampled.policy, strict=True):
        assert one.illegal_mass is not None and other.illegal_mass is not None and other.stderr is not None
        assert other.illegal_mass < one.illegal_mass + 4 * math.sqrt(one.illegal_mass / draws) + 1 / draws
        for name, probability in one.probabilities.items():
            assert abs(other.probabilities[name] - probability) < 3 * other.stderr[name] + one.illegal_mass
    again = evaluate_exactly(trained, context, kuhn(), temperature=0.8, prefixes=draws, max_tokens=REPLY_TOKENS, seed=1)
    assert again == sampled


def test_no_error_is_claimed_where_nothing_was_heard(tokenizer: object) -> None:
    model = build_model(TinyModel(layers=1, hidden=16, heads=2), tokenizer, 0)  # babbles
    result = evaluate_exactly(model, chat(tokenizer), kuhn(), prefixes=2, max_tokens=2)
    assert (result.unheard, result.illegal_mass_max, result.nash_conv_stderr) == (12, 1.0, None)
    assert result.nash_conv == pytest.approx(11 / 12)
    assert all(row.stderr is None for row in result.policy)


# Play


@pytest.mark.parametrize("layout", ["per_turn", "append_only"])
def test_play_has_the_frequencies_of_the_table(tokenizer: object, trained: object, layout: str) -> None:
    context = chat(tokenizer, layout)
    engine = LocalEngine(trained, end_id=context.end_id, pad_id=0, decode=context.decode)
    agent = LanguageAgent(engine, context, Sampling(max_tokens=REPLY_TOKENS))
    plans = [
        Plan(
            id=str(i),
            env_id="KuhnPoker-LLM",
            env_kwargs={"prompt": "compact"},
            seed=i,
            seats={"player_0": "policy", "player_1": "policy"},
        )
        for i in range(3_000)
    ]
    listed = {f"{card} [{name}]" for card in CARDS for name in ("check", "bet", "fold", "call")}
    visits: Counter[tuple[str, str]] = Counter()
    plays: Counter[tuple[str, str, str]] = Counter()
    for episode in Rollout({"policy": agent}).collect(plans):
        earlier: dict[str, Turn] = {}
        for turn in episode.turns:
            before = earlier.setdefault(turn.seat, turn)
            if before is not turn and before.text not in listed:
                continue  # a context that listing leaves out
            place = turn.seat, turn.observation[-1].content
            visits[place] += 1
            if turn.status == "ok" and context.encode_reply(turn.text) == turn.completion_ids and turn.text in listed:
                plays[(*place, str(turn.action))] += 1
    result = evaluate_exactly(trained, context, kuhn(), max_tokens=REPLY_TOKENS)
    assert len(visits) == 12
    for row in result.policy:
        count = visits[row.seat, row.observation]
        assert count > 50
        for name, share in row.probabilities.items():
            assert row.illegal_mass is not None
            mass = share * (1 - row.illegal_mass)
            expected, spread = count * mass, math.sqrt(count * mass * (1 - mass))
            assert abs(plays[row.seat, row.observation, name] - expected) < 4 * spread + 1
