"""A model in vLLM, as a backend of sampling and evaluation: many completions a second, on a GPU.

Not run by the tests: they have no GPU. Needs the `vllm` extra.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from alft.completions import Completion
from alft.config.schema import ModelConfig
from alft.errors import ConfigError, Problem
from alft.models.base import Progress, Sampled, Sampling, cut_off
from alft.models.decoding import Decoder
from alft.questions import Prompt


@dataclass(frozen=True)
class VllmModel:
    """A model that vLLM has loaded; `chosen` says which, `given` is its tokenizer (None: vLLM's own)."""

    engine: Any
    chosen: ModelConfig
    given: Any = None

    @property
    def tokenizer(self) -> Any:
        """The tokenizer that writes prompts and reads completions."""
        return self.given or self.engine.get_tokenizer()

    @classmethod
    def load(cls, chosen: ModelConfig) -> Self:
        """Load a directory or Hub id. Raises ConfigError without vLLM, or where it can't load the model."""
        try:
            from vllm import LLM  # pyright: ignore[reportMissingImports]
        except ImportError:
            raise ConfigError(Problem("vllm", "the package 'vllm' is missing", "pip install alft[vllm]")) from None
        try:
            engine = LLM(
                chosen.path, revision=chosen.revision, dtype=chosen.dtype, generation_config="vllm"
            )  # the model's own generation_config would cut off its distribution
        except (OSError, ValueError, RuntimeError) as error:
            cause = " ".join(str(error).split())[:200]
            raise ConfigError(Problem("model.path", f"{chosen.path!r} can't be loaded ({cause})")) from error
        from alft.models.loading import load_tokenizer

        return cls(engine, chosen, load_tokenizer(chosen))

    def identity(self) -> dict[str, Any]:
        """The model's name, with the digest of its files if they are here."""
        from alft.models.local import digest_of, identified

        name, digest = self.chosen.path, digest_of(Path(self.chosen.path))
        given = self.chosen.chat_template_kwargs
        return identified("vllm", name, self.chosen.revision, digest, self.tokenizer, given)

    def complete(self, prompts: Sequence[Prompt], sampling: Sampling, progress: Progress | None = None) -> Sampled:
        """Completions with axes (prompt, sample)."""
        from vllm import SamplingParams  # pyright: ignore[reportMissingImports]

        from alft.models.local import encode

        decoder = Decoder(self.tokenizer, sampling.stop)
        asked = [{"prompt_token_ids": ids} for ids in encode(self.tokenizer, prompts)]
        settings = [
            SamplingParams(
                n=1 if sampling.greedy else sampling.samples,
                temperature=0.0 if sampling.greedy else 1.0,
                top_p=1.0,
                top_k=-1,
                max_tokens=sampling.max_new_tokens,
                stop=list(decoder.strings) or None,
                seed=sampling.seed_of(index),  # with one seed for all, prompts would draw alike
            )
            for index in range(len(asked))
        ]
        replies = self.engine.generate(asked, settings, use_tqdm=False)
        if progress is not None:
            progress(1.0)
        return [[_read(one, decoder) for one in each.outputs] for each in replies]


def _read(output: Any, decoder: Decoder) -> Completion:
    """A completion, with the tags of thinking that vLLM leaves out where they are special tokens."""
    text = decoder.texts([output.token_ids])[0] if decoder.tags else output.text
    return Completion(text, cut_off(output.finish_reason))
