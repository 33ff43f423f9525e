"""Turn-level reinforcement learning: credit, objective, trainer, evaluation."""
