"""Options that several commands share, and how problems, notes and refusals are printed: one line each."""

import warnings
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

from rich.console import Console
from rich.text import Text
from typer import Argument, Option

from alft.errors import Problem
from alft.questions import DataWarning
from alft.text import visible

Settings = Annotated[list[str] | None, Option("--set", help="section.key=value, overrides the file; repeatable")]
ConfigArgument = Annotated[
    Path | None, Argument(metavar="[CONFIG]", help="YAML configuration. Default: the built-in demonstration")
]
ConfigOption = Annotated[Path | None, Option("--config", "-c", help="YAML configuration")]
EndpointOption = Annotated[str | None, Option(help="URL of an OpenAI-compatible server; its key: ALFT_API_KEY")]
ModelOption = Annotated[str | None, Option(help="the model's name at the endpoint")]
PlainOption = Annotated[
    bool, Option("--plain", help="send the text to /completions as it is, not as a user message")
]
ConcurrencyOption = Annotated[int | None, Option(help="most requests to the endpoint at once. Default: 16", min=1)]
VllmOption = Annotated[bool, Option("--vllm", help="generate with vLLM (extra `vllm`)")]
SHOWN = 10  # refused prompts that are listed


@contextmanager
def data_warnings_as_notes(console: Console) -> Iterator[None]:
    """Print warnings about questions like other notes, without a line of our source."""
    with warnings.catch_warnings():
        shown = warnings.showwarning

        def show(message: Warning | str, category: type[Warning], *place: Any) -> None:
            if issubclass(category, DataWarning):
                print_problems("look at", [str(message)], console)
            else:
                shown(message, category, *place)

        warnings.simplefilter("default", DataWarning)
        warnings.showwarning = show
        yield


def print_problems(kind: str, problems: Iterable[Problem | str], console: Console | None = None) -> None:
    """`kind: problem`, nothing in it a control character: an `error` in red on stderr, any other kind in yellow.

    A path that rich breaks at column 80 can be neither copied nor searched for: the terminal wraps instead.
    """
    style, console = "red" if kind == "error" else "yellow", console or Console(stderr=kind == "error")
    for problem in problems:
        console.print(Text(f"{kind}: {visible(str(problem), lines=True)}", style=style), soft_wrap=True)


def print_refused(refused: Mapping[tuple[str, str], str]) -> None:
    """List the prompts, by question and view, that a server refused, with its reasons."""
    console = Console()
    for place, why in list(refused.items())[:SHOWN]:
        console.print(Text(f"refused: {' · '.join(map(visible, place))}: {visible(why)}", style="yellow"))
    if len(refused) > SHOWN:
        console.print(f"refused: {len(refused) - SHOWN} more prompts")


def print_plain(text: str) -> None:
    """Print a text as it is, without rich's markup and colors."""
    Console().print(text, markup=False, highlight=False, soft_wrap=True)


def print_text(text: str, style: str = "") -> None:
    """Print what a model or a file says, nothing in it a control character."""
    Console().print(Text(visible(text, lines=True), style=style), soft_wrap=True)
