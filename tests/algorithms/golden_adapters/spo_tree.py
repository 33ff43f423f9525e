"""`spo_tree.json`: the value of the root and the edges that are trained."""

from turnwise.algorithms.credit.spo_tree import Node, edge_advantages

METHODS = {"rloo": "mean_only", "grpo": "mean_std"}
"""Names of the released code."""


def outputs(inputs: dict) -> dict:
    settings = {name: inputs[name] for name in ("eps", "drop_zero") if name in inputs}
    method = inputs.get("method", "mean_only")
    value, edges = edge_advantages(node(inputs["tree"]), method=METHODS.get(method, method), **settings)
    found = [edge._asdict() | {"parent": "".join(edge.parent)} for edge in edges]
    return {"root_value": value, "edges": found}


def node(tree: dict) -> Node:
    children = tuple(map(node, tree.get("children") or ()))
    return Node(segment=tree["text"], children=children, reward=None if children else tree["reward"])
