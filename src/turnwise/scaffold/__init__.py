"""Packages that `turnwise new` writes for people who extend turnwise."""
