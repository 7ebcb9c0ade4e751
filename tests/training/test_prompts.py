"""Prompts are counted by the tokenizer alone, and never cut; the tiny tokenizer has one token a byte."""

import json
import shutil
from dataclasses import replace

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoTokenizer

from alft.config.load import load_config
from alft.config.schema import ModelConfig
from alft.config.training import VllmConfig
from alft.errors import ConfigError
from alft.models.loading import load_model
from alft.models.size import model_size
from alft.plan.build import load_plan
from alft.questions import DataWarning
from alft.training.dataset import PromptReader, fitted, prompt_problems, prompt_reader
from alft.verbs.asking import find_model


def plan(tmp_path, model, lengths, *settings, chat=False):
    path = tmp_path / "q.jsonl"
    texts = [f"{place}{'x' * (length - len(str(place)))}" for place, length in enumerate(lengths)]
    rows = [[{"role": "user", "content": text}] if chat else text for text in texts]
    path.write_text("".join(json.dumps({"question": row}) + "\n" for row in rows))
    fixed = ["game=majority", "data.instruction=", "training.questions_per_step=2", "training.max_new_tokens=10"]
    where = [f"data.path={path}", f"model.path={model}", f"output.directory={tmp_path / 'runs'}"]
    return load_plan(load_config(None, [*fixed, *where, "data.held_out=1", *settings]))


def reader(model, context=None) -> PromptReader:
    return PromptReader(AutoTokenizer.from_pretrained(model), context)


def test_item_31_a_prompt_longer_than_the_context_is_an_error_or_left_out(tmp_path, tiny_model) -> None:
    # a message is its content and a line end: 20 letters are 21 tokens; 31 less 10 to answer leave 21
    asked = plan(tmp_path, tiny_model, [20, 21, 20, 5])
    with pytest.raises(ConfigError) as caught:
        fitted(asked, reader(tiny_model, 31))
    assert "1 questions have a prompt of more than 21 tokens, up to 22 (the context is 31): q2" in str(
        caught.value
    )
    assert "data.too_long: drop" in str(caught.value)
    dropping = plan(tmp_path, tiny_model, [20, 21, 20, 5], "data.too_long=drop")
    with pytest.warns(DataWarning, match="1 questions have a prompt of more than 21 tokens.*left out"):
        kept = fitted(dropping, reader(tiny_model, 31))
    assert [question.id for question in kept.train] == ["q1", "q3"]
    assert fitted(asked, reader(tiny_model, 32)) == asked
    assert fitted(asked, reader(tiny_model, None)) == asked


@pytest.mark.parametrize("context", [10, 3])
def test_a_limit_that_leaves_no_room_is_one_problem_and_says_what_fits(tmp_path, tiny_model, context) -> None:
    asked = plan(tmp_path, tiny_model, [2, 1, 1, 1], "data.too_long=drop")
    with pytest.raises(ConfigError) as caught:
        fitted(asked, reader(tiny_model, context))
    told = f"training.max_new_tokens: 10 leaves no room for a prompt: the context is {context}"
    assert str(caught.value) == f"{told} — at most {max(context - 3, 1)} here"


def test_too_few_questions_that_fit(tmp_path, tiny_model) -> None:
    asked = plan(tmp_path, tiny_model, [20, 21, 21, 5], "data.too_long=drop")
    with (
        pytest.raises(ConfigError, match="1 questions to train on and 1 to measure on fit the context"),
        pytest.warns(DataWarning),
    ):
        fitted(asked, reader(tiny_model, 31))


def test_the_context_is_that_of_config_json(tmp_path, tiny_model) -> None:
    stored = json.loads((tiny_model / "config.json").read_text())["max_position_embeddings"]
    assert prompt_reader(load_config(None, [f"model.path={tiny_model}"]).model).context == stored


def test_item_51_what_a_tokenizer_lacks_is_told(tmp_path, tiny_model) -> None:
    bare = reader(tiny_model)
    bare.tokenizer.chat_template = None
    bare.tokenizer.eos_token = None
    with pytest.raises(ConfigError) as caught:
        fitted(plan(tmp_path, tiny_model, [5, 5, 5], chat=True), bare)
    no_end, no_template = map(str, caught.value.problems)
    assert "has no eos_token: no completion would ever end" in no_end
    assert "has no chat template, and 3 questions are chat messages: q1, q2, q3" in no_template


def test_item_51_texts_need_no_chat_template_and_padding_falls_back_to_the_end(tmp_path, tiny_model) -> None:
    folder = tmp_path / "model"
    tokenizer = AutoTokenizer.from_pretrained(tiny_model)
    tokenizer.chat_template = None
    tokenizer.pad_token = None
    tokenizer.save_pretrained(folder)
    (folder / "config.json").write_text((tiny_model / "config.json").read_text())
    asked = plan(tmp_path, folder, [5, 5, 5])
    assert fitted(asked) == asked
    assert prompt_reader(asked.config.model).tokenizer.pad_token == "<eos>"


def test_item_51_a_folder_without_a_tokenizer(tmp_path, tiny_model) -> None:
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "config.json").write_text((tiny_model / "config.json").read_text())
    assert "holds no tokenizer" in str(prompt_problems(plan(tmp_path, folder, [5, 5, 5]))[0])


NAME = "model.layers.0.mlp.up_proj.weight"


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda weights: weights.pop(NAME), "weights are missing"),
        (lambda weights: weights.update({NAME: torch.zeros(3, 3)}), "weights don't fit config.json"),
        (lambda weights: weights[NAME].fill_(float("nan")), "weights are not finite"),
    ],
)
def test_item_51_weights_are_never_made_up(tmp_path, tiny_model, change, told) -> None:
    folder = shutil.copytree(tiny_model, tmp_path / "model")
    load_model(config := ModelConfig(path=str(folder)))
    change(weights := load_file(folder / "model.safetensors"))
    save_file(weights, folder / "model.safetensors", {"format": "pt"})
    with pytest.raises(ConfigError, match=rf"^model\.path: .*/model': {told}: {NAME}.* — compare"):
        load_model(config)


def test_item_51_damaged_files_are_problems_of_the_model(tmp_path, tiny_model) -> None:
    folder = shutil.copytree(tiny_model, tmp_path / "model")
    file, config = folder / "model.safetensors", ModelConfig(path=str(folder))
    file.write_bytes(file.read_bytes()[:-9])
    for look in (lambda: find_model(config.path), lambda: load_model(config)):
        with pytest.raises(ConfigError, match=r"^model\.path: .*incomplete metadata.* — co"):
            look()
    known = json.loads((folder / "config.json").read_text()) | {"num_attention_heads": 0}
    (folder / "config.json").write_text(json.dumps(known))
    for look in (lambda: model_size(config), lambda: load_model(config)):
        with pytest.raises(ConfigError, match=r"^model\.path: .* can't be loaded .* — compare"):
            look()


@pytest.mark.parametrize(("limit", "fits"), [(31, False), (32, True), (500, True)])
def test_k19_prompt_and_completion_fit_what_vllm_holds(tmp_path, tiny_model, monkeypatch, limit, fits) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    asked = plan(tmp_path, tiny_model, [20, 21, 20, 5])
    asked = replace(asked, config=asked.config.changed(training={"vllm": VllmConfig(max_model_length=limit)}))
    if fits:
        assert fitted(asked, reader(tiny_model, 1000)) == asked
    else:
        with pytest.raises(ConfigError, match=r"1 questions have a prompt of more than 21 tokens.*q2"):
            fitted(asked, reader(tiny_model, 1000))
