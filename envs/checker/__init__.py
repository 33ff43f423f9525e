"""The conformance kit: what every environment keeps, asked of one or of all. `turnwise check`, `run.check_game`."""
