"""A person against agents: in the terminal, line by line, and in the browser."""
