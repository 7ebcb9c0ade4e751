"""Sources of questions: one kind a file, told by the name of the source."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Unpack

from alft.errors import ConfigError, Problem
from alft.questions.sources import generated, hub
from alft.questions.sources.base import Source, SourceOptions
from alft.questions.sources.generated import BuiltIn, ReasoningGym
from alft.questions.sources.hub import Hub
from alft.questions.sources.local import LocalFile, LocalFolder
from alft.questions.sources.repository import Part

__all__ = ["BuiltIn", "Hub", "LocalFile", "LocalFolder", "ReasoningGym", "Source", "SourceOptions", "source_of"]

_FITTING: dict[type[Source], tuple[str, ...]] = {
    LocalFile: (),
    LocalFolder: ("subset", "split"),
    Hub: ("subset", "split", "revision"),
    BuiltIn: ("size", "seed", "held_out"),
    ReasoningGym: ("size", "seed", "held_out", "settings"),
}


def kind_of(name: str | Path) -> type[Source]:
    """What kind of source a name means.

    >>> kind_of("hub:openai/gsm8k").__name__, kind_of("starter").__name__, kind_of("q.jsonl").__name__
    ('Hub', 'BuiltIn', 'LocalFile')
    """
    text = str(name)
    if text in generated.BUILT_IN:
        return BuiltIn
    if text.startswith(hub.PREFIX):
        return Hub
    if text.startswith(generated.PREFIX):
        return ReasoningGym
    return LocalFolder if Path(text).expanduser().is_dir() else LocalFile


def source_of(name: str | Path, **options: Unpack[SourceOptions]) -> Source:
    """The source that a name and options mean (see `load_questions`); options at None are as if not given.

    Raises ConfigError naming every option that does not fit its kind.

    >>> source_of("hub:openai/gsm8k@main", subset="main", split="test")
    Hub(repository='openai/gsm8k', part=Part(subset='main', split='test'), revision='main')
    """
    kind = kind_of(name)
    given = {option: value for option, value in options.items() if value is not None}
    wrong = [option for option in given if option not in _FITTING[kind]]
    if wrong:
        remedy = f"known here: {', '.join(_FITTING[kind]) or 'none'}"
        raise ConfigError([Problem(str(name), f"'{option}' is not for this source", remedy) for option in wrong])
    return _made(kind, str(name), given)


def _made(kind: type[Source], name: str, given: dict[str, Any]) -> Source:
    part = Part(**{option: given.pop(option) for option in ("subset", "split") if option in given})
    if kind is Hub:
        repository, revision = hub.parse(name.removeprefix(hub.PREFIX))
        if revision is not None and given.get("revision", revision) != revision:
            raise ConfigError(Problem(name, f"its revision is also given as {given['revision']!r}", "keep one"))
        return Hub(repository, part, **{"revision": revision, **given})
    if kind is ReasoningGym:
        return ReasoningGym(name.removeprefix(generated.PREFIX), **given)
    if kind is BuiltIn:
        return BuiltIn(name, **given)
    path = Path(name).expanduser()
    return LocalFolder(path, part) if kind is LocalFolder else LocalFile(path)
