"""Configuration: one strict declaration of a run, read from YAML and the command line, written back whole."""

from alft.config.load import dump_config, load_config
from alft.config.schema import RunConfig

__all__ = ["RunConfig", "dump_config", "load_config"]
