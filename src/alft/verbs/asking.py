"""Where completions come from: an endpoint, vLLM, or the local model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from alft.config.schema import RunConfig
    from alft.models.base import Backend


@dataclass(frozen=True)
class Asked:
    """Where completions come from, as the options say: an endpoint's `model`, vLLM, or the local model."""

    endpoint: str | None = None
    model: str | None = None
    plain: bool = False
    concurrency: int = 16
    vllm: bool = False

    def check(self) -> None:
        """Raise ConfigError for options that can't be together."""
        from alft.errors import ConfigError, Problem

        problems = []
        if (self.endpoint is None) != (self.model is None):
            problems.append(Problem("--endpoint", "an endpoint and --model need each other", "give both or none"))
        if self.endpoint is not None and self.vllm:
            problems.append(Problem("--vllm", "an endpoint is asked, so nothing is loaded", "leave one out"))
        if self.endpoint is None and self.plain:
            problems.append(Problem("--plain", "is for endpoints only", "give --endpoint"))
        if problems:
            raise ConfigError(problems)

    def settings(self, config: RunConfig, name: str | None = None) -> RunConfig:
        """The configuration with the model in it that is asked, and every open setting filled for that model.

        `name`: a model's path or Hub id, by default the endpoint's model, else the configuration's. A model behind
        an endpoint has the settings of any other model, on the built-in questions too: nobody knows what it is.
        """
        from alft.plan.defaults import resolve
        from alft.questions import BOXED

        asked = name or self.model or config.model.path
        config = config.model_copy(update={"model": config.model.model_copy(update={"path": asked})})
        if asked == self.model and config.data.instruction is None:
            config = config.model_copy(update={"data": config.data.model_copy(update={"instruction": BOXED})})
        return resolve(config)

    def backend(self, config: RunConfig) -> Backend:
        """What is asked, loaded if it is local."""
        if self.endpoint is not None and self.model is not None:
            from alft.models.endpoint import Endpoint, ServedModel

            return ServedModel(Endpoint(self.endpoint, self.model, not self.plain, self.concurrency))
        if self.vllm:
            from alft.models.vllm import VllmModel

            return VllmModel.load(config.model)
        from alft.reporting.progress import quiet_libraries

        quiet_libraries()
        from alft.models.loading import load_model, set_threads
        from alft.models.local import LocalModel

        set_threads(config.training.threads)
        return LocalModel(*load_model(config.model), config.model.path, config.model.revision)
