"""`rollout_correction.json`: weights and masks between trainer and sampler; `kind` names the operation."""

import torch

from turnwise.algorithms.corrections import CORRECTIONS, CorrectionInputs
from turnwise.algorithms.corrections.masks import keeps_sequence
from turnwise.algorithms.corrections.mismatch import average_k3, geometric_rho, largest_k3

NAMES = {
    "tis_token": "tis",
    "mis_token": "mis",
    "icepop": "icepop",
    "seq_tis": "sequence_tis",
    "seq_mis": "sequence_mis",
    "geo_rs": "geometric",
    "trm_max_k3": "trm",
    "seq_mean_k3": "seq_mean_k3",
    "veto": "veto",
}
SETTINGS = ("cap", "low", "high", "delta", "threshold")


def outputs(inputs: dict) -> dict:
    kind = inputs["kind"]
    if kind == "opsm":
        drift, advantage = floats(inputs["seq_kl_mean_old_minus_new"]), floats(inputs["adv"])
        return {"keep": keeps_sequence(drift, advantage, inputs["delta"]).int()}
    entry = CORRECTIONS[NAMES[kind]]
    tokens = correction_inputs(inputs)
    weights = entry.function(tokens, entry.settings(**{name: inputs[name] for name in SETTINGS if name in inputs}))
    if kind in ("tis_token", "mis_token", "icepop"):
        return {"w": weights}
    figures = {"geo": geometric_rho, "max_k3": largest_k3, "k3": average_k3}
    return {name: figure(tokens)[:, 0] for name, figure in figures.items()} | {
        "w": weights[:, 0],
        "keep": weights[:, 0],
    }


def correction_inputs(inputs: dict) -> CorrectionInputs:
    trainer = floats(inputs["train"])
    mask = floats(inputs["mask"]) if "mask" in inputs else torch.ones_like(trainer)
    return CorrectionInputs(
        trainer=trainer, sampler=floats(inputs["rollout"]), mask=mask, advantages=torch.zeros_like(trainer)
    )


def floats(values: list) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.float64)
