"""Where completions end and how their token ids are read; the tiny tokenizer has one token a byte."""

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from alft.answers import extract
from alft.completions import STOP, Completion, cut
from alft.models.base import Sampling
from alft.models.decoding import Decoder
from alft.models.local import _decode, generate


@pytest.fixture
def tokenizer(tiny_model):
    return AutoTokenizer.from_pretrained(tiny_model)


def ids(tokenizer, text: str) -> list[int]:
    return tokenizer(text, add_special_tokens=False)["input_ids"]


@pytest.mark.parametrize("text", ["7\nQuestion: 1+1?\n#### 2", "7\nQ:", "7\nUser: and then?"])
def test_a_completion_ends_before_its_first_stop_string(tokenizer, text) -> None:
    decoder = Decoder(tokenizer, STOP)
    found = next(string for string in STOP if string in text)
    assert decoder.end(ids(tokenizer, text)) == text.index(found) + len(found)
    assert decoder.texts([ids(tokenizer, text)]) == ["7"] == [cut(text, STOP)]


@pytest.mark.parametrize(("text", "truncated"), [("7\nQ: 8", False), ("7\n\nQ", True), ("7<eos>", False)])
def test_cut_off_is_what_ends_in_neither_a_stop_token_nor_a_stop_string(tokenizer, text, truncated) -> None:
    tokens = torch.tensor([ids(tokenizer, text)])
    [read] = _decode(Decoder(tokenizer, STOP), tokens, frozenset({tokenizer.eos_token_id}))
    assert read == Completion(cut(text.removesuffix("<eos>"), STOP), truncated)


def test_the_default_depends_on_the_template_and_on_what_the_tokenizer_can_write(tokenizer) -> None:
    assert Decoder(tokenizer).strings == ()
    assert Decoder(tokenizer, ["x"]).strings == ("x",)
    tokenizer.chat_template = None
    assert Decoder(tokenizer).strings == STOP
    assert Decoder(tokenizer, []).strings == ()


def test_the_loop_samples_the_same_tokens_up_to_the_stop_string(tiny_model, tokenizer) -> None:
    model = AutoModelForCausalLM.from_pretrained(tiny_model)
    free = generate(model, tokenizer, ["ask"], Sampling(6, max_new_tokens=30, stop=()))[0]
    stop = free[0].full_text[9:11]
    stopped = generate(model, tokenizer, ["ask"], Sampling(6, max_new_tokens=30, stop=[stop]))[0]
    assert stopped[0] == Completion(cut(free[0].full_text, [stop]), False)
    assert all(stop not in one.full_text for one in stopped)
    unstopped = generate(model, tokenizer, ["ask"], Sampling(6, max_new_tokens=30, stop=["\0never"]))[0]
    assert unstopped == free


def test_the_library_stops_too_and_not_for_the_prompt(tiny_model, tokenizer) -> None:
    model = AutoModelForCausalLM.from_pretrained(tiny_model)
    prompt = torch.tensor([ids(tokenizer, "so ")])
    free = model.generate(prompt, do_sample=False, max_new_tokens=12, eos_token_id=None)[0, 3:].tolist()
    text = tokenizer.decode(free)
    for stop in (text[4:6], " " + text[0]):
        decoder = Decoder(tokenizer, [stop])
        with decoder.stopping(model):
            stopped = model.generate(prompt, do_sample=False, max_new_tokens=12, eos_token_id=None)[0, 3:].tolist()
        assert stopped == free[: decoder.end(free)]
    assert "generate" not in vars(model)


def test_thinking_is_read_where_its_tags_are_special_tokens(tokenizer) -> None:
    text = "<think>Perhaps the answer is 41."
    assert Decoder(tokenizer).texts([ids(tokenizer, text)]) == [text]  # no special tokens: text like any other
    tokenizer.add_special_tokens({"additional_special_tokens": ["<think>", "</think>"]})
    assert tokenizer.decode(ids(tokenizer, text), skip_special_tokens=True) == text.removeprefix("<think>")
    assert extract(Decoder(tokenizer).texts([ids(tokenizer, text)])[0]) is None
    closed = f"{text}</think>The answer is 42.<eos>"
    assert Decoder(tokenizer).texts([ids(tokenizer, closed)]) == [closed.removesuffix("<eos>")]
    assert extract(Decoder(tokenizer).texts([ids(tokenizer, closed)])[0]) == "42"


@pytest.mark.parametrize(
    ("opens", "closes"),
    [
        ("[THINK]", "[/THINK]"),
        ("<|START_THINKING|>", "<|END_THINKING|>"),
        ("<seed:think>", "</seed:think>"),
        ("◁think▷", "◁/think▷"),
        ("<|begin_of_thought|>", "<|end_of_thought|>"),
        ("<thought>", "</thought>"),
        ("<unused94>", "<unused95>"),
    ],
)
def test_k14_thinking_in_any_wrapper_of_special_tokens_is_no_answer(tokenizer, opens, closes) -> None:
    special = [opens, closes, "<|im_start|>", "<|im_end|>", "<|START_RESPONSE|>"]
    tokenizer.add_special_tokens({"additional_special_tokens": special})

    def answer(text: str) -> str | None:
        return extract(Decoder(tokenizer).texts([ids(tokenizer, text)])[0])

    assert answer(f"{opens}Perhaps the answer is 41.") is None
    assert answer(f"{opens}The answer is 41.{closes}<|START_RESPONSE|>The answer is 42.<|im_end|>") == "42"
    assert answer(f"Perhaps the answer is 41.{closes}The answer is 42.") == "42"
    assert answer("The answer is 42.<|im_end|>") == "42"


@pytest.mark.parametrize(
    ("text", "stops", "stop", "read", "truncated"),
    [
        ("7<eos><pad><pad>", ("<eos>",), (), "7", False),
        ("7;8", (";", "<eos>"), (), "7", False),
        ("<eos>", ("<eos>",), (), "", False),
        ("7<pad>", ("<eos>",), (), "7", True),
        ("7<eos>8", ("<eos>",), (), "7", False),
        ("7END", ("<eos>",), ("END",), "7", False),
        ("7EN", ("<eos>",), ("END",), "7EN", True),
        ("7<eos>END", ("<eos>",), ("END",), "7", False),
        ("7END<eos>", (";",), ("END",), "7", False),
    ],
)
def test_k19_what_ends_in_no_stop_token_is_cut_off_by_whatever_limit(
    tokenizer, text, stops, stop, read, truncated
) -> None:
    tokens = torch.tensor([ids(tokenizer, text)])
    numbers = frozenset(tokenizer.convert_tokens_to_ids(name) for name in stops)
    assert _decode(Decoder(tokenizer, stop), tokens, numbers) == [Completion(read, truncated)]


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("<|channel|>analysis<|message|>maybe the answer is 41, let me see", None),
        (
            "<|channel|>analysis<|message|>The answer is 41.<|end|><|start|>assistant"
            "<|channel|>final<|message|>The answer is 42.",
            "42",
        ),
        ("<|channel|>final<|message|>The answer is 42.", "42"),
    ],
)
def test_only_the_final_channel_is_read(tokenizer, text, answer) -> None:
    special = ["<|start|>", "<|channel|>", "<|message|>", "<|end|>"]
    tokenizer.add_special_tokens({"additional_special_tokens": special})
    assert extract(Decoder(tokenizer).texts([ids(tokenizer, text)])[0]) == answer
