"""Configuration: one strict declaration of a run, read from YAML and the command line, written back whole."""
