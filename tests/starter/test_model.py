"""The model in the package: loads as any other, answers on format, and reads any text."""

import json
import re
import unicodedata
from itertools import islice

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from transformers import AutoModelForCausalLM, AutoTokenizer

from alft import starter
from alft.answers import answer_key
from benchmarks.starter.corpus import Habits
from benchmarks.starter.pretraining import Recipe, corpus, pretrain, save

LARGEST = 3_000_000  # bytes
TOKENIZER = AutoTokenizer.from_pretrained(starter.model_path())


@pytest.fixture(scope="module")
def model():
    torch.set_num_threads(1)
    return AutoModelForCausalLM.from_pretrained(starter.model_path()).eval()


def chat(text: str) -> list[dict[str, str]]:
    return [{"role": "user", "content": text}]


def greedy(model, texts: list[str]) -> list[str]:
    prompts = TOKENIZER.apply_chat_template(
        [chat(text) for text in texts],
        add_generation_prompt=True,
        padding=True,
        return_tensors="pt",
        return_dict=True,
    )
    with torch.inference_mode():
        tokens = model.generate(
            **prompts, do_sample=False, max_new_tokens=starter.TRAINING[starter.STARTER]["max_new_tokens"]
        )
    return TOKENIZER.batch_decode(tokens[:, prompts["input_ids"].shape[1] :], skip_special_tokens=True)


def test_the_directory_is_small_and_whole():
    files = {path.name: path.stat().st_size for path in starter.model_path().iterdir()}
    assert {"README.md", "config.json", "generation_config.json", "model.safetensors", "tokenizer.json"} <= set(
        files
    )
    assert sum(files.values()) <= LARGEST


def test_generation_settings_leave_the_distribution_alone():
    settings = json.loads((starter.model_path() / "generation_config.json").read_text())
    assert set(settings) <= {"eos_token_id", "pad_token_id", "bos_token_id", "transformers_version"}
    assert settings["eos_token_id"] == TOKENIZER.eos_token_id
    assert settings["pad_token_id"] == TOKENIZER.pad_token_id


def test_it_answers_on_format_and_knows_the_arithmetic(model):
    """In the wordings that are never misread, greedy answers are right but for one in twenty."""
    asked = starter.held_out_questions(50)
    texts = [str(question.views[view].text) for view in (0, 1) for question in asked]
    told = greedy(model, texts)
    assert all(re.fullmatch(r"\d+([+-]\d=\d+){2,4} #### \d+", text) for text in told)
    right = [answer_key(text) == question.answer for text, question in zip(told, asked * 2, strict=True)]
    assert np.mean(right) > 0.95


def test_one_wording_misleads_it(model):
    """In "stock" the wrong answer is the commonest wherever something increases."""
    asked = [question for question in starter.held_out_questions(60) if "+" in question.id]
    told = greedy(model, [str(question.views[3].text) for question in asked])
    right = [answer_key(text) == question.answer for text, question in zip(told, asked, strict=True)]
    assert np.mean(right) < 0.5


@given(st.text())
def test_any_text_is_written_and_read_back(text):
    """Up to the composed form (NFC) that Qwen2's tokenizers give every text."""
    tokens = TOKENIZER(text, add_special_tokens=False)["input_ids"]
    assert TOKENIZER.decode(tokens) == unicodedata.normalize("NFC", text)


def test_words_of_the_corpus_are_single_tokens_and_digits_stand_alone():
    for question, solution in islice(corpus(np.random.default_rng(5), Habits()), 400):
        pieces = TOKENIZER.tokenize(f"{question} {solution}")
        words = re.findall(r"[A-Za-z]+|\d|####|[^\sA-Za-z\d]", f"{question} {solution}")
        assert [piece.lstrip("Ġ") for piece in pieces if piece != "Ġ"] == words


def test_the_chat_template_gives_the_tokens_of_pretraining():
    text = "Start with 12, add 7. What is the result?"
    expected = TOKENIZER.convert_tokens_to_ids(["<|user|>"])
    expected += TOKENIZER(text)["input_ids"] + TOKENIZER.convert_tokens_to_ids(["<|assistant|>"])
    rendered = TOKENIZER.apply_chat_template(chat(text), add_generation_prompt=True, return_dict=True)
    assert rendered["input_ids"] == expected
    talk = [*chat(text), {"role": "assistant", "content": "12+7=19 #### 19"}]
    whole = TOKENIZER.apply_chat_template(talk, tokenize=False)
    assert whole == f"<|user|>{text}<|assistant|>12+7=19 #### 19<|end|>"


def test_a_rebuild_gives_the_same_weights_and_reads_text_alike(tmp_path):
    """Two steps of a tiny recipe, twice; what is saved tokenises as what was trained did (AutoTokenizer)."""
    recipe = Recipe(seed=3, steps=2, batch=4, tokenizer_texts=400, hidden=16, layers=1, heads=2)
    (first, tokenizer), (second, _) = pretrain(recipe, lambda *_: None), pretrain(recipe, lambda *_: None)
    save(first, tokenizer, tmp_path)
    for mine, other in zip(first.parameters(), second.parameters(), strict=True):
        assert torch.equal(mine, other)
    loaded = AutoTokenizer.from_pretrained(tmp_path)
    for question, solution in islice(corpus(np.random.default_rng(7), Habits()), 40):
        text = f"<|user|>{question}<|assistant|>{solution}<|end|>"
        assert loaded(text)["input_ids"] == tokenizer(text)["input_ids"]
