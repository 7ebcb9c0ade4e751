"""Token ids as the text of a completion: cut at stop strings, with thinking whose tags are special tokens."""

import re
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property, lru_cache, partial
from typing import Any, Final

import torch
from torch import Tensor
from transformers import PreTrainedTokenizerBase, StoppingCriteria, StoppingCriteriaList

from alft.answers import Unread, extract, read
from alft.completions import STOP, cut

_HARMONY: Final = ("<|start|>", "<|channel|>", "<|message|>", "<|end|>")
_CHANNEL: Final = re.compile(r"<\|channel\|>(\w+)[^<]*<\|message\|>(.*?)(<\|end\|>|\Z)", re.DOTALL)
_SLACK: Final = 4  # more tokens than bytes of a stop string: how a text begins depends on the token before it


@dataclass(frozen=True)
class Decoder:
    """Reads what a tokenizer's model wrote. `stop`: stop strings; None for the default.

    The default is `STOP` for a tokenizer without a chat template, as far as it can write these strings, and no
    stop string for one with a template.
    """

    tokenizer: PreTrainedTokenizerBase
    stop: Sequence[str] | None = None

    @cached_property
    def strings(self) -> tuple[str, ...]:
        """The stop strings."""
        if self.stop is not None:
            return tuple(self.stop)
        if self.tokenizer.chat_template is not None:
            return ()
        written = {text: self.tokenizer(text, add_special_tokens=False)["input_ids"] for text in STOP}
        return tuple(text for text, ids in written.items() if text in self._raw(ids))

    @cached_property
    def rewrites(self) -> bool:
        """Whether texts differ from what the tokenizer alone decodes."""
        return bool(self.strings) or self.tags

    @property
    def tags(self) -> bool:
        """Whether tags of thinking are special tokens, which a tokenizer leaves out of its texts."""
        return self._hidden is not None

    def end(self, ids: Sequence[int]) -> int | None:
        """Tokens up to the one that completes a stop string; None where there is no stop string."""
        if not self.strings or not self._stopped(self._raw(ids)):
            return None
        return bisect_left(range(len(ids)), True, key=lambda count: self._stopped(self._raw(ids[:count])))

    def stopped(self, tokens: Tensor) -> Tensor:
        """Which rows, axes (completion, token), their last token completes a stop string in; axis (completion)."""
        longest = max(len(text.encode()) for text in self.strings) + _SLACK
        tails = self.tokenizer.batch_decode(tokens[:, -longest:], skip_special_tokens=False)
        return torch.tensor([self._stopped(tail) for tail in tails], device=tokens.device)

    def texts(self, completions: Sequence[Sequence[int]]) -> list[str]:
        """Texts before their stop strings, without special tokens other than the tags of thinking."""
        hidden = self._hidden
        if hidden is None:
            texts = self.tokenizer.batch_decode([list(ids) for ids in completions], skip_special_tokens=True)
        else:
            shown = [[token for token in ids if token not in hidden] for ids in completions]
            texts = [_channels(text) for text in self.tokenizer.batch_decode(shown, skip_special_tokens=False)]
        return [cut(text, self.strings) for text in texts]

    @contextmanager
    def stopping(self, model: Any) -> Iterator[None]:
        """While this lasts, `model.generate` stops at the stop strings."""
        if not self.strings:
            yield
            return
        model.generate = partial(model.generate, stopping_criteria=StoppingCriteriaList([_AtStop(self)]))
        try:
            yield
        finally:
            del model.generate

    @cached_property
    def _hidden(self) -> frozenset[int] | None:
        """Special tokens that are no part of a text, where tags of thinking are special tokens too; else None."""
        tokens = self.tokenizer.convert_ids_to_tokens(self.tokenizer.all_special_ids)
        tags = {token for token in map(str, tokens) if token == "<|channel|>" or is_tag(token)}
        named = zip(self.tokenizer.all_special_ids, tokens, strict=True)
        return frozenset(number for number, token in named if token not in tags.union(_HARMONY)) if tags else None

    def _raw(self, ids: Sequence[int]) -> str:
        return str(self.tokenizer.decode(list(ids), skip_special_tokens=False))

    def _stopped(self, text: str) -> bool:
        return any(string in text for string in self.strings)


@lru_cache(4096)
def is_tag(token: str) -> bool:
    """Whether the reader of answers takes a token for the tag that begins or ends thinking.

    >>> [is_tag(token) for token in ("<think>", "[/THINK]", "<|START_THINKING|>", "<|im_end|>")]
    [True, True, True, False]
    """
    opens = read(f"{token}The answer is 41.").unread is Unread.UNFINISHED_THINKING
    return opens or extract(f"<think>The answer is 41.{token}The answer is 42.") == "42"


class _AtStop(StoppingCriteria):
    """Ends the rows of `model.generate` that complete a stop string, the prompt apart."""

    def __init__(self, decoder: Decoder) -> None:
        self.decoder, self.prompt = decoder, -1

    def __call__(self, input_ids: Tensor, scores: Any, **_: Any) -> Any:
        if self.prompt < 0:
            self.prompt = input_ids.shape[1] - 1
        return self.decoder.stopped(input_ids[:, self.prompt :])


def _channels(text: str) -> str:
    """Channels of the harmony format: what is not final is thinking."""
    if "<|channel|>" not in text:
        return text

    def written(found: re.Match[str]) -> str:
        name, content, closed = found.groups()
        return content if name == "final" else f"<think>{content}{'</think>' if closed else ''}"

    turns = re.sub(r"<\|start\|>[^<]*", "", text)
    return re.sub(r"<\|(?:channel|message|end)\|>", "", _CHANNEL.sub(written, turns))
