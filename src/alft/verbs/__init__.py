"""One Python function for each command, with the same results as the command."""
