"""Chat templates: messages as the text that a model reads, and what keeps a template from working."""

import json
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any, Final

from transformers import PreTrainedTokenizerBase

from alft.answers import Unread, read
from alft.errors import DataError, Problem
from alft.text import short

ASKED: Final = [{"role": "user", "content": "How many?"}]
REPLY: Final = "Seventeen."
THINKS: Final = 1024  # tokens that a thinking block needs at least, most of the time
SWITCH: Final = "enable_thinking"
Scalar = bool | int | float | str | None


def with_defaults(template: str, arguments: Mapping[str, Scalar]) -> str:
    """The template with other defaults for its arguments, which a call can still override.

    >>> with_defaults("{{ mode }}", {"mode": "brief"})
    '{% if mode is not defined %}{% set mode = "brief" %}{% endif %}{{ mode }}'
    """
    literals = {name: "none" if value is None else json.dumps(value) for name, value in arguments.items()}
    defaults = (
        f"{{% if {name} is not defined %}}{{% set {name} = {literal} %}}{{% endif %}}"
        for name, literal in literals.items()
    )
    return "".join(defaults) + template


def chat_text(tokenizer: PreTrainedTokenizerBase, messages: Sequence[Any], *, ask: bool = True) -> str:
    """Messages as the model reads them, with the beginning of its reply if `ask`.

    Raises DataError where the template refuses them.
    """
    try:
        settings: Any = {"add_generation_prompt": ask, "continue_final_message": False, "tokenize": False}
        return str(tokenizer.apply_chat_template(list(messages), **settings))
    except Exception as error:  # a template is code that anybody wrote
        roles = ", ".join(str(message.get("role")) for message in messages)
        what = f"the chat template refuses messages of {roles}: {short(' '.join(str(error).split()), 120)}"
        system = "write the system prompt at the head of the question (data.views)"
        remedy = system if "system" in roles else "check the roles"
        raise DataError(Problem("model.path", what, f"{remedy}, or set model.chat: plain")) from error


def template_problems(
    tokenizer: PreTrainedTokenizerBase,
    stops: Collection[int],
    strings: Sequence[str],
    prompt: str | None = None,
) -> Iterator[Problem]:
    """What a template leaves out, and why no reply in its form would end: it has no stop token and no stop string.

    `prompt` is the system prompt.
    """
    system = [{"role": "system", "content": prompt}] if prompt else []
    try:
        whole = chat_text(tokenizer, [*system, *ASKED, {"role": "assistant", "content": REPLY}], ask=False)
    except DataError as error:
        yield from error.problems
        return
    if lost := [message["role"] for message in (*ASKED, *system) if message["content"].strip() not in whole]:
        what = f"the chat template leaves out what the {lost[-1]} says"
        yield Problem("model.path", what, "change it in chat_template.jinja, or set model.chat: plain")
    end = whole.rpartition(REPLY)[2].strip()
    ids = tokenizer(end, add_special_tokens=False)["input_ids"] if end else []
    if end and not any(token in stops for token in ids) and not any(string in end for string in strings):
        what = f"the chat template ends a reply with {end!r:.40}, no stop token: every reply would be cut off"
        remedy = f"set training.stop: [{json.dumps(end)}], or name it as eos_token_id in generation_config.json"
        yield Problem("model.path", what, remedy)


def template_notes(
    tokenizer: PreTrainedTokenizerBase, limit: int, chosen: Mapping[str, Scalar]
) -> Iterator[Problem]:
    """What may not be wanted of a template that works, with `chosen` defaults.

    `limit`: tokens of the longest completion.
    """
    template = str(tokenizer.chat_template).removeprefix(with_defaults("", chosen))
    if unused := [name for name in chosen if not re.search(rf"\b{re.escape(name)}\b", template)]:
        what = f"the chat template does not use {', '.join(unused)}"
        yield Problem("model.chat_template_kwargs", what, "check the name in chat_template.jinja")
    try:
        asked, whole = (chat_text(tokenizer, ASKED, ask=ask) for ask in (True, False))
        replied = chat_text(tokenizer, [*ASKED, {"role": "assistant", "content": REPLY}], ask=False)
    except DataError:  # it wants other messages than these
        return
    header = replied.removeprefix(whole).partition(REPLY)[0].strip()
    if asked == whole and replied.startswith(whole) and header:
        what = f"the chat template has no generation prompt: the model must write {header!r:.40} itself"
        yield Problem("model.path", what, "add it to chat_template.jinja (add_generation_prompt)")
    opened = read(f"{asked.removeprefix(whole)}The answer is 17.").unread is Unread.UNFINISHED_THINKING
    by_default = SWITCH in template and chosen.get(SWITCH) is not False and "</think>" not in asked
    if limit < THINKS and (opened or by_default):
        what = f"the model thinks first, and {limit} tokens may not be enough: unfinished thinking is unread"
        switch = f"set model.chat_template_kwargs: {{{SWITCH}: false}}, or " if SWITCH in template else ""
        yield Problem("training.max_new_tokens", what, f"{switch}raise it to some thousands")
