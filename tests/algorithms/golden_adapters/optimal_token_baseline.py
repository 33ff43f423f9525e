"""`optimal_token_baseline.json`: one group of padded rows, compared by column or by the count of sampled tokens."""

from turnwise.algorithms.credit.optimal_token_baseline import optimal_token_baseline


def outputs(inputs: dict) -> dict:
    kind = str(inputs.get("kind", inputs.get("variant", "")))
    result = optimal_token_baseline(
        inputs["rewards"],
        inputs["pi"],
        inputs["sum_pi_sq"],
        inputs["mask"],
        zero_tail=inputs.get("handle_zero_tail", inputs.get("zero_tail", True)),
        multi_turn=bool(inputs.get("multi_turn", kind.startswith(("tir", "multi")))),
    )
    return result._asdict()
