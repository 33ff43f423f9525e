"""The commands of the command line, one per file; `turnwise.cli` lists them and loads the one that is asked for."""
