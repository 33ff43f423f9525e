"""Benchmarks that train: `turnwise bench learn` compares methods at equal numbers of generated tokens."""
