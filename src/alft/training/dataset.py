"""Questions as the dataset that TRL trains on: one row per view, the views of a question side by side.

Prompts are checked against the model's context, with the tokenizer alone, before the model is loaded: none is ever
cut. What a tokenizer lacks is reported here too: an end of text, a template for chat messages.
"""

import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import torch
from datasets import Dataset
from transformers import PreTrainedTokenizerBase

from alft.config.schema import ModelConfig, RunConfig
from alft.errors import ConfigError, DataError, Problem, collecting
from alft.models.decoding import Decoder
from alft.models.loading import known_config, load_tokenizer, stop_tokens_of
from alft.models.local import encode
from alft.models.templates import template_notes, template_problems
from alft.plan.plan import Plan
from alft.questions import DataWarning, Question, View, with_examples, with_instruction
from alft.questions.model import as_chat, json_map, text_of


def to_dataset(
    questions: Sequence[Question],
    *,
    instruction: str = "",
    examples: Sequence[Question] = (),
    chat: bool = True,
) -> Dataset:
    """Rows with `prompt`, `question_id`, `view`, `answer`, `aliases`, `group`, `answer_map` (JSON or None).

    `instruction` is added to every view: how to mark the answer, for example (`alft.questions.BOXED`). `examples`
    are shown before every view, each with its answer written as the model should answer (few-shot).
    With `chat` a text becomes a user message, as models with a chat template expect; without, it stays text.
    """
    shown = [with_instruction(example, instruction) for example in examples]
    instructed = (with_instruction(question, instruction) for question in questions)
    asked = [with_examples(question, shown, plain=not chat) for question in instructed]
    rows = [
        {
            "prompt": as_chat(view.prompt) if chat or not isinstance(view.prompt, str) else view.prompt,
            "question_id": question.id,
            "view": index,
            "answer": question.answer,
            "aliases": list(question.aliases),
            "group": question.group,
            "answer_map": json_map(question, view),
        }
        for question in asked
        for index, view in enumerate(question.views)
    ]
    return Dataset.from_list(rows)


_UNLIMITED = 10**9  # tokenizers that know no limit name a huge one


@dataclass(frozen=True)
class PromptReader:
    """A tokenizer, how many tokens its model can hold (`context`; None: no limit), and its stop tokens."""

    tokenizer: PreTrainedTokenizerBase
    context: int | None
    stops: frozenset[int] = frozenset()

    @property
    def chat(self) -> bool:
        """Whether prompts go through a chat template."""
        return self.tokenizer.chat_template is not None

    def length(self, view: View) -> int:
        """Tokens of a view's prompt, as the trainer makes it."""
        return len(encode(self.tokenizer, [view.prompt])[0])


def prompt_reader(config: ModelConfig) -> PromptReader:
    """Tokenizer and context of a model; ConfigError if there is no such model, or none to be had from here."""
    tokenizer = load_tokenizer(config)
    limit = getattr(known_config(config).get_text_config(), "max_position_embeddings", None)
    context = min((n for n in (limit, tokenizer.model_max_length) if n and n < _UNLIMITED), default=None)
    return PromptReader(tokenizer, context, stop_tokens_of(config, tokenizer))


def fitted(plan: Plan, reader: PromptReader | None = None) -> Plan:
    """The plan with the questions that fit the model's context together with the longest completion.

    Others are left out with a DataWarning if `data.too_long` is drop. Raises ConfigError with all problems, a GPU
    that is wanted and not there among them.
    """
    reader = reader or prompt_reader(plan.config.model)
    asked = [*plan.train, *plan.held_out]
    problems = list(_setup_problems(reader, asked, plan.config))
    lengths, refused = ({}, ()) if problems else _lengths(reader, asked)
    problems += [*refused, *_template_problems(reader, plan.config)]
    if problems:
        raise ConfigError(problems)
    _warn_of_special_tokens(plan.config.data.path, reader.tokenizer, asked)
    vllm = plan.config.training.vllm
    limits = reader.context, None if vllm is None else vllm.max_model_length
    context = min((limit for limit in limits if limit is not None), default=None)
    if context is None:
        return plan
    room = context - (limit := plan.config.training.max_new_tokens or 0)
    too_long = [question for question in asked if lengths[id(question)] > room]
    if not too_long:
        return plan
    if room < 1:
        most = context - max((length for length in lengths.values() if length < context), default=0)
        what = f"{limit} leaves no room for a prompt: the context is {context}"
        raise ConfigError(Problem("training.max_new_tokens", what, f"at most {most} here"))
    what = (
        f"{len(too_long)} questions have a prompt of more than {room} tokens, up to {max(lengths.values())} "
        f"(the context is {context}): {', '.join(question.id for question in too_long[:5])}"
    )
    if plan.config.data.too_long == "error":
        remedy = "leave them out by data.too_long: drop, or lower training.max_new_tokens"
        raise ConfigError(Problem(plan.config.data.path, what, remedy))
    warnings.warn(f"{plan.config.data.path}: {what}: left out", DataWarning, stacklevel=2)
    return _without(plan, {id(question) for question in too_long})


def _lengths(reader: PromptReader, asked: Sequence[Question]) -> tuple[dict[int, int], list[Problem]]:
    """Tokens of each question's longest view, and why the template refuses the others."""
    lengths: dict[int, int] = {}
    refused: dict[Problem, list[str]] = {}
    for question in asked:
        try:
            lengths[id(question)] = max(map(reader.length, question.views))
        except DataError as error:
            refused.setdefault(error.problems[0], []).append(question.id)
    return lengths, [
        replace(problem, what=f"{problem.what} ({len(names)} questions: {', '.join(names[:5])})")
        for problem, names in refused.items()
    ]


def _template_problems(reader: PromptReader, config: RunConfig) -> Iterator[Problem]:
    """What keeps a chat template from working; what may not be wanted of it is a DataWarning."""
    if not reader.chat:
        return
    strings = Decoder(reader.tokenizer, config.training.stop).strings
    said = config.data.system_prompt
    problems = list(template_problems(reader.tokenizer, reader.stops, strings, said)) if reader.stops else []
    yield from problems
    limit, chosen = config.training.max_new_tokens or 0, config.model.chat_template_kwargs
    for note in () if problems else template_notes(reader.tokenizer, limit, chosen):
        warnings.warn(str(note), DataWarning, stacklevel=4)


def _warn_of_special_tokens(path: str, tokenizer: PreTrainedTokenizerBase, asked: Sequence[Question]) -> None:
    """Say which questions hold text that the tokenizer takes for a token of its own: the end of a turn, say."""
    special = [token for token in tokenizer.all_special_tokens if token]
    found = {q.id: token for q in asked for view in q.views for token in special if token in text_of(view.text)}
    if found:
        what = f"{len(found)} questions hold special tokens of the tokenizer, which act and are not read as text"
        shown = ", ".join(f"{name} ({token})" for name, token in list(found.items())[:5])
        warnings.warn(f"{path}: {what}: {shown}", DataWarning, stacklevel=3)


def prompt_problems(plan: Plan) -> Sequence[Problem]:
    """What `fitted` would raise, as problems."""
    problems: list[Problem] = []
    with collecting(problems):
        fitted(plan)
    return tuple(problems)


def _without(plan: Plan, left_out: set[int]) -> Plan:
    train, held_out = ([q for q in part if id(q) not in left_out] for part in (plan.train, plan.held_out))
    wanted = plan.config.training.questions_per_step
    if len(train) < wanted or not held_out:
        what = f"{len(train)} questions to train on and {len(held_out)} to measure on fit the context"
        remedy = f"{wanted} a step and one to measure on are needed: give shorter questions"
        raise ConfigError(Problem(plan.config.data.path, what, remedy))
    return replace(plan, train=train, held_out=held_out)


def _setup_problems(reader: PromptReader, asked: Sequence[Question], config: RunConfig) -> Iterator[Problem]:
    if config.training.vllm is not None and not torch.cuda.is_available():
        yield Problem("training.vllm", "vLLM needs a GPU, and there is none", "leave training.vllm out")
    tokenizer, path = reader.tokenizer, config.model.path
    if tokenizer.eos_token_id is None:
        what = f"the tokenizer of {path!r} has no eos_token: no completion would ever end"
        yield Problem("model.path", what, "name it in tokenizer_config.json")
    chats = [question.id for question in asked if any(not isinstance(view.prompt, str) for view in question.views)]
    if chats and not reader.chat:
        what = f"{path!r} has no chat template, and {len(chats)} questions are chat messages"
        remedy = "write questions as text, without data.system_prompt, or set model.chat: auto and add a template"
        texts = all(isinstance(view.text, str) for question in asked for view in question.views)
        if texts and config.model.chat != "plain":  # examples alone made them messages
            remedy = "set model.chat: plain, which writes data.examples as text"
        yield Problem("model.path", f"{what}: {', '.join(chats[:5])}", remedy)
