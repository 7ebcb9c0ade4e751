"""Where completions come from: an endpoint, vLLM, or the local model."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from alft.config.schema import ModelConfig, RunConfig
from alft.errors import ConfigError, Problem
from alft.models.base import Backend
from alft.plan.defaults import resolve
from alft.plan.plan import is_here, model_problems
from alft.questions import BOXED, Prompt, Question
from alft.questions.model import as_chat, as_text
from alft.reporting.progress import quiet_libraries, show_line
from alft.starter import MODELS


@dataclass(frozen=True)
class ModelSource:
    """What generates: `model` at an OpenAI-compatible `endpoint`, vLLM, or by default the configured model, here.

    `plain` sends prompts to /completions as they are, not as user messages. `concurrency` limits the requests to
    the endpoint that are open at once (None: 16).
    """

    endpoint: str | None = None
    model: str | None = None
    plain: bool = False
    concurrency: int | None = None
    vllm: bool = False

    def check(self) -> None:
        """Raise ConfigError for options that exclude each other."""
        problems = []
        if (self.endpoint is None) != (self.model is None):
            problems.append(Problem("--endpoint", "an endpoint and --model need each other", "give both or none"))
        if self.endpoint is not None and self.vllm:
            problems.append(Problem("--vllm", "the endpoint generates, no model is loaded", "leave one out"))
        for option, given in {"--plain": self.plain, "--concurrency": self.concurrency is not None}.items():
            if self.endpoint is None and given:
                problems.append(Problem(option, "is for endpoints only", "give --endpoint"))
        if problems:
            raise ConfigError(problems)

    def settings(self, config: RunConfig, name: str | None = None) -> RunConfig:
        """The configuration with the model that generates, and every open setting resolved for that model.

        `name`: a model's path or Hub id, by default the endpoint's model, else the configured one. A model behind
        an endpoint gets the settings of an unknown model, on the built-in questions too.
        """
        chosen = name or self.model or config.model.path
        config = config.changed(model={"path": chosen, **({"chat": "plain"} if self.plain else {})})
        if chosen == self.model and config.data.instruction is None:
            config = config.changed(data={"instruction": BOXED})
        return resolve(config)

    def backend(self, config: RunConfig) -> Backend:
        """The model that generates, loaded if it is local."""
        if self.endpoint is not None and self.model is not None:
            from alft.models.endpoint import Endpoint, ServedModel

            return ServedModel(Endpoint(self.endpoint, self.model, not self.plain, self.concurrency or 16))
        if self.vllm:
            from alft.models.vllm import VllmModel

            return VllmModel.load(config.model)
        quiet_libraries()
        from alft.models.loading import load_model, set_threads
        from alft.models.local import LocalModel

        set_threads(config.training.threads)
        chosen = config.model
        return LocalModel(*load_model(chosen), chosen.path, chosen.revision, chosen.chat_template_kwargs)

    def written(self, backend: Backend, prompt: Prompt) -> str:
        """A prompt as the model reads it; an endpoint has the template, so there the messages with their roles."""
        if self.endpoint is None:
            from alft.models.local import as_read

            engine: Any = backend
            return as_read(engine.tokenizer, prompt)
        return str(prompt) if self.plain else as_text(tuple(as_chat(prompt)))


def find_model(path: str) -> None:
    """Raise ConfigError if a local model directory is not one. Says so where the Hub has to be asked for it."""
    if problems := list(model_problems(path)):
        raise ConfigError(problems)
    if not is_here(ModelConfig(path=path)):
        show_line(f"{path!r} is no directory here: asking the Hub for it (without a network, a minute)")


def check_room(config: RunConfig, questions: Sequence[Question], samples: int) -> None:
    """Raise ConfigError if so many `samples` of each view, as many at once as the configuration says, don't fit.

    Their number is left as it is: which completions are drawn depends on it. Nothing is known of a Hub model that
    is not here; the built-in models are small.
    """
    if config.model.path in MODELS or not is_here(config.model):
        return
    from alft.models.size import PROCESS, ROOM, free_memory, longest_prompt, model_size

    size, free = model_size(config.model, trained=False), free_memory()
    views = sum(len(question.views) for question in questions)
    rows = min(max(config.evaluation.batch_size // samples, 1), views) * samples  # all of a prompt together
    held, length = PROCESS + size.weights, longest_prompt(config.model, questions)
    each = sum(size.asking(1, length + (config.training.max_new_tokens or 0)).values())
    if (needed := held + rows * each) > free:
        memory = f"{needed / 1e9:.1f} GB, {free / 1e9:.1f} are free"
        fits = max(1 << max(int(ROOM * (free - held)) // each, 1).bit_length() - 1, samples)
        remedy = f"generate fewer at once: --set evaluation.batch_size={fits}"
        if held + samples * each > free:
            remedy = "draw fewer samples, fewer new tokens, or take a smaller model"
        raise ConfigError(Problem("memory", f"generating {rows} completions at once needs about {memory}", remedy))
