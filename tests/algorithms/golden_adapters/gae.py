"""`gae.json`: token-level GAE row by row, and whitening over the masked tokens of the batch."""

import numpy as np

from turnwise.algorithms.credit.gae import gae
from turnwise.algorithms.credit.whiten import whiten


def outputs(inputs: dict) -> dict:
    values = np.array(inputs["values"], dtype=float)
    mask = np.array(inputs.get("mask", np.ones_like(values)), dtype=float)
    ends = inputs.get("bootstrap_values", inputs.get("bootstrap_value", 0.0))
    raw = np.array(
        [
            gae(
                row,
                values[index],
                gamma=inputs["gamma"],
                lam=inputs["lam"],
                bootstrap=ends[index] if isinstance(ends, list) else ends,
                mask=mask[index],
                skip_masked=inputs.get("skip_masked", True),
            )
            for index, row in enumerate(inputs["rewards"])
        ]
    )
    whitened = whiten(raw.ravel(), mask.ravel()).reshape(raw.shape)
    return {"raw_advantages": raw, "returns": raw + values, "whitened_advantages": whitened}
