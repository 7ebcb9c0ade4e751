"""Settings that users of other libraries look for: "unknown key" names the place, or what to do instead."""

import re

import pytest
from pydantic import BaseModel

from alft.config.load import _ELSEWHERE, elsewhere, load_config
from alft.config.schema import RunConfig
from alft.config.section import section_in
from alft.errors import ConfigError
from tests.cli.test_cli import alft as command

PLACE = re.compile(r"\b(?:model|data|answers|lora|training|evaluation|watch|scoring|output)\.[a-z_]+(?!\w*\.\w)")
WANTED = {
    "num_train_epochs": "training.steps",
    "max_length": "training.max_new_tokens",
    "warmup_ratio": "training.warmup_steps",
    "per_device_train_batch_size": "training.micro_batch_size",
    "load_in_4bit": "lora",
    "lora_dropout": "no dropout",
    "gradient_checkpointing": "training.micro_batch_size",
    "attn_implementation": "AlignmentGameTrainer",
    "logging_steps": "metrics.jsonl",
    "eval_steps": "watch.every",
    "beta": "scoring.beta",
    "num_generations": "training.samples",
}


def exists(place: str) -> bool:
    section: type[BaseModel] | None = RunConfig
    for name in place.split("."):
        if section is None or name not in section.model_fields:
            return False
        section = section_in(section.model_fields[name].annotation)
    return True


@pytest.mark.parametrize("old", WANTED)
def test_an_unknown_key_names_where_the_thing_is(old):
    with pytest.raises(ConfigError) as error:
        load_config({"training": {old: 1}})
    told = str(error.value)
    assert f"training.{old}: unknown key — " in told
    assert WANTED[old] in told.split(" — ")[1]


def test_every_place_that_a_remedy_names_exists():
    named = {place for remedy in _ELSEWHERE.values() for place in PLACE.findall(remedy)}
    assert len(named) > 25
    assert [place for place in sorted(named) if not exists(place)] == []


def test_no_setting_of_ours_is_said_to_be_elsewhere():
    """A name that is a field has a place of its own, which `elsewhere` finds first."""
    for name in _ELSEWHERE:
        found = elsewhere(name)
        assert found is not None
        assert found == _ELSEWHERE[name] or exists(found.split()[2])


def test_a_name_that_nobody_knows_has_no_place():
    assert elsewhere("nonesuch") is None


def test_the_command_says_it_too(monkeypatch, capsys):
    assert command(monkeypatch, "train", "--dry-run", "--set", "lora.lora_dropout=0.1") == 2
    assert "lora.lora_dropout: unknown key — an adapter has no dropout" in " ".join(
        capsys.readouterr().err.split()
    )
