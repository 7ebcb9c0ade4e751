"""Options and progress that the verbs which ask a model have in common."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from rich.console import Console

    from alft.config.schema import RunConfig
    from alft.models.base import Backend

EndpointOption = Annotated[
    str | None, typer.Option("--endpoint", help="URL of an OpenAI-compatible server; its key: ALFT_API_KEY")
]
ModelOption = Annotated[str | None, typer.Option("--model", help="the model's name at the endpoint")]
PlainOption = Annotated[
    bool, typer.Option("--plain", help="ask /completions with the text as it stands, not as a user message")
]
ConcurrencyOption = Annotated[int, typer.Option(help="requests to the endpoint under way at once", min=1)]
VllmOption = Annotated[bool, typer.Option("--vllm", help="generate with vLLM (extra `vllm`)")]

SHOWN = 10
"""Refused prompts that are listed."""


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


@contextmanager
def progress_of(what: str) -> Iterator[Callable[[float], Any]]:
    """A bar with the time left, which is told the share done; a line at every tenth in a log or a pipe."""
    from rich.console import Console

    from alft.reporting.progress import progress_display

    with progress_display(Console(stderr=True)) as progress:
        task = progress.add_task(what, total=1.0, metrics="")
        yield lambda share: progress.update(task, completed=share)


def tell_refused(refused: Mapping[tuple[str, str], str], console: Console) -> None:
    """List the prompts, by question and view, that a server refused, with its reasons."""
    from rich.text import Text

    from alft.text import visible

    for place, why in list(refused.items())[:SHOWN]:
        console.print(Text(f"refused: {' · '.join(map(visible, place))}: {visible(why)}", style="yellow"))
    if len(refused) > SHOWN:
        console.print(f"refused: {len(refused) - SHOWN} more prompts")
