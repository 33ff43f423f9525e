"""Environments of acme."""
