"""Left out where the peer is not installed: `make test-peers` makes an environment for each."""

from importlib.util import find_spec

collect_ignore = [
    f"test_{peer}.py"
    for peer, package in {"verifiers": "verifiers", "inspect": "inspect_ai", "openenv": "openenv"}.items()
    if find_spec(package) is None
]
