"""Hydra config groups: env, agent, engine, model, algorithm, experiment."""
