"""The command line: no numbers and no text handling of its own."""
