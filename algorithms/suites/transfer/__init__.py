"""Transfer: what training at games does to mathematics and reasoning, by lm-eval on local files."""
