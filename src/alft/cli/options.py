"""Options and progress that the verbs which ask a model have in common."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rich.console import Console


Settings = Annotated[list[str] | None, typer.Option("--set", help="section.key=value, over the file; repeatable")]
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


def tell_refused(refused: Mapping[tuple[str, str], str], console: Console) -> None:
    """List the prompts, by question and view, that a server refused, with its reasons."""
    from rich.text import Text

    from alft.text import visible

    for place, why in list(refused.items())[:SHOWN]:
        console.print(Text(f"refused: {' · '.join(map(visible, place))}: {visible(why)}", style="yellow"))
    if len(refused) > SHOWN:
        console.print(f"refused: {len(refused) - SHOWN} more prompts")
