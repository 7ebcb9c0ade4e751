"""The study: every objective at equal rollouts on the built-in questions (see `__main__` for the commands)."""
