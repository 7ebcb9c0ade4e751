"""Prompts against the model's context, with the tokenizer alone, before the model is loaded: none is ever cut.

What a tokenizer lacks is told here too: an end of text, a template for chat messages.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from transformers import PreTrainedTokenizerBase

from alft.config.schema import ModelConfig, RunConfig
from alft.errors import ConfigError, Problem
from alft.models.loading import context_of, load_tokenizer
from alft.plan.plan import Plan
from alft.questions import DataWarning, Question, View
from alft.questions.model import text_of
from alft.training.dataset import prompt_of

_UNLIMITED = 10**9  # tokenizers that know no limit name a huge one


@dataclass(frozen=True)
class PromptReader:
    """A tokenizer, and the tokens that its model can hold (`context`); None where the model has no limit."""

    tokenizer: PreTrainedTokenizerBase
    context: int | None

    @property
    def chat(self) -> bool:
        """Whether prompts go through a chat template."""
        return self.tokenizer.chat_template is not None

    def length(self, view: View) -> int:
        """Tokens of a view's prompt, as the trainer makes it."""
        prompt = prompt_of(view, chat=self.chat)
        if isinstance(prompt, str):
            return len(self.tokenizer(prompt)["input_ids"])
        text: Any = self.tokenizer.apply_chat_template(prompt, add_generation_prompt=True, tokenize=False)
        return len(self.tokenizer(text, add_special_tokens=False)["input_ids"])


def prompt_reader(config: ModelConfig) -> PromptReader:
    """Tokenizer and context of a model; ConfigError if there is no such model, or none to be had from here."""
    tokenizer = load_tokenizer(config)
    known = [context_of(config), tokenizer.model_max_length]
    return PromptReader(tokenizer, min((n for n in known if n and n < _UNLIMITED), default=None))


def fitted(plan: Plan, reader: PromptReader | None = None) -> Plan:
    """The plan with the questions that fit the model's context together with the longest completion.

    Others are left out with a DataWarning if `data.too_long` is drop. Raises ConfigError with all problems, a GPU
    that is wanted and not there among them.
    """
    reader = reader or prompt_reader(plan.config.model)
    asked = [*plan.train, *plan.held_out]
    problems = [*_machine_problems(plan.config), *_tokenizer_problems(reader, asked, plan.config.model.path)]
    if problems:
        raise ConfigError(problems)
    _warn_of_special_tokens(plan.config.data.path, reader.tokenizer, asked)
    room = None if reader.context is None else reader.context - (plan.config.training.max_new_tokens or 0)
    lengths = {id(q): max(map(reader.length, q.views)) for q in asked} if room is not None else {}
    too_long = [question for question in asked if room is not None and lengths[id(question)] > room]
    if not too_long:
        return plan
    told = (
        f"{len(too_long)} questions have a prompt of more than {room} tokens, up to {max(lengths.values())} "
        f"(the context is {reader.context}): {', '.join(question.id for question in too_long[:5])}"
    )
    if plan.config.data.too_long == "error":
        remedy = "leave them out by data.too_long: drop, or lower training.max_new_tokens"
        raise ConfigError(Problem(plan.config.data.path, told, remedy))
    warnings.warn(f"{plan.config.data.path}: {told}: left out", DataWarning, stacklevel=2)
    return _without(plan, {id(question) for question in too_long})


def _warn_of_special_tokens(path: str, tokenizer: PreTrainedTokenizerBase, asked: Sequence[Question]) -> None:
    """Say which questions hold text that the tokenizer takes for a token of its own: the end of a turn, say."""
    special = [token for token in tokenizer.all_special_tokens if token]
    found = {q.id: token for q in asked for view in q.views for token in special if token in text_of(view.text)}
    if found:
        told = f"{len(found)} questions hold special tokens of the tokenizer, which act and are not read as text"
        shown = ", ".join(f"{name} ({token})" for name, token in list(found.items())[:5])
        warnings.warn(f"{path}: {told}: {shown}", DataWarning, stacklevel=3)


def prompt_problems(plan: Plan) -> Sequence[Problem]:
    """What `fitted` would raise, as problems."""
    try:
        fitted(plan)
    except ConfigError as error:
        return error.problems
    return ()


def _without(plan: Plan, left_out: set[int]) -> Plan:
    kept = replace(
        plan,
        train=[question for question in plan.train if id(question) not in left_out],
        held_out=[question for question in plan.held_out if id(question) not in left_out],
    )
    wanted = plan.config.training.questions_per_step
    if len(kept.train) < wanted or not kept.held_out:
        told = f"{len(kept.train)} questions to train on and {len(kept.held_out)} to measure on fit the context"
        remedy = f"{wanted} a step and one to measure on are needed: give shorter questions"
        raise ConfigError(Problem(plan.config.data.path, told, remedy))
    return kept


def _machine_problems(config: RunConfig) -> Iterator[Problem]:
    if config.training.vllm is not None and not torch.cuda.is_available():
        yield Problem("training.vllm", "vLLM needs a GPU, and there is none", "leave training.vllm out")


def _tokenizer_problems(reader: PromptReader, asked: Sequence[Question], path: str) -> Iterator[Problem]:
    tokenizer = reader.tokenizer
    if tokenizer.eos_token_id is None:
        told = f"the tokenizer of {path!r} has no eos_token: no completion would ever end"
        yield Problem("model.path", told, "name it in tokenizer_config.json")
    if not tokenizer("12")["input_ids"]:  # transformers makes an empty one where a folder has none
        yield Problem("model.path", f"{path!r} holds no tokenizer", "save one there (tokenizer.json)")
    chats = [question.id for question in asked if any(not isinstance(view.text, str) for view in question.views)]
    if chats and not reader.chat:
        told = (
            f"{path!r} has no chat template, and {len(chats)} questions are chat messages: {', '.join(chats[:5])}"
        )
        yield Problem(
            "model.path", told, "write the questions as text, or give the tokenizer a chat_template.jinja"
        )
