"""YAML, or values given in Python, and `key=value` overrides → a checked RunConfig, all problems at once.

Secrets stay out of configurations, which runs record and people share: they come from the environment.
"""

import difflib
import json
import re
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import yaml
from pydantic import BaseModel, TypeAdapter, ValidationError
from pydantic_core import ErrorDetails

from alft.answers.phrases import table
from alft.config.schema import RunConfig
from alft.config.section import section_in
from alft.errors import ConfigError, Problem
from alft.storage.files import unreadable

LARGEST_FILE = 1_000_000  # bytes
COMMAND_LINE = "--set"
YAML = (".yaml", ".yml")
ConfigLike = RunConfig | Mapping[str, Any] | Path | str | None
"""A configuration: loaded, as a mapping (`{"training": {"steps": 3}}`), or a YAML file; None: the defaults."""

SHOWN = ("model", "game", "lora")  # sections that a brief configuration shows with their defaults
_TABLE: Final = table("config/elsewhere")
_ELSEWHERE: Final = {
    old: f"it is {new} here" for new, names in _TABLE["place"].items() for old in names.split()
} | {old: what for names, what in _TABLE["instead"].items() for old in names.split()}
"""What to use instead of a setting that other libraries have under another name, or in another place."""


class PartlyReadError(ConfigError):
    """Sections of a configuration can't be read: `rest` is the configuration without those `sections`."""

    def __init__(self, problems: Sequence[Problem], rest: RunConfig, sections: frozenset[str]) -> None:
        super().__init__(problems)
        self.rest, self.sections = rest, sections
        self.args = (problems, rest, sections)


def _yaml_error(problem: str, place: yaml.Node | yaml.Event) -> yaml.MarkedYAMLError:
    return yaml.MarkedYAMLError(problem=problem, problem_mark=place.start_mark)


class _StrictLoader(yaml.SafeLoader):
    """Safe YAML without aliases (no alias bombs) and without silently repeated keys."""

    def compose_node(self, parent: Any, index: Any) -> yaml.Node | None:
        if self.check_event(yaml.AliasEvent):
            raise _yaml_error("aliases are not allowed", self.peek_event())
        return super().compose_node(parent, index)

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        seen: set[str] = set()
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise _yaml_error("a key must be plain text", key)
            if key.value in seen:
                raise _yaml_error(f"key {key.value!r} is given twice", key)
            seen.add(key.value)
        return super().construct_mapping(node, deep)


# YAML 1.1 reads 1e-5 as text, 010 as 8 and 1:30 as 90; everybody means a number by the first and by no other.
for _first in "-+0123456789":
    _StrictLoader.add_implicit_resolver(
        "tag:yaml.org,2002:float", re.compile(r"^[-+]?\d+(\.\d*)?[eE][-+]?\d+$"), [_first]
    )
    _StrictLoader.yaml_implicit_resolvers[_first].insert(
        0, ("tag:yaml.org,2002:str", re.compile(r"^[-+]?(0[\d_]+|\d[\d_]*(:\d+)+(\.[\d_]*)?)$"))
    )


def load_config(config: ConfigLike = None, overrides: Sequence[str] = ()) -> RunConfig:
    """The checked configuration, with `section.key=value` overrides.

    Raises ConfigError with all problems found: unreadable file, unknown keys (did you mean), wrong types. It is a
    PartlyReadError, which holds the rest, where only some sections are wrong.
    """
    if isinstance(config, RunConfig) and not overrides:
        return config
    values, origin = _values(config)
    origin = f"{origin} or {COMMAND_LINE}" if origin and overrides else origin or COMMAND_LINE
    problems = [problem for text in overrides for problem in _override(values, text)]
    found = list(secrets_in(values))
    problems += [Problem(f"{origin}: {where}", "this is a secret", _SECRET_REMEDY) for where, _ in found]
    secrets = [secret for _, secret in found]
    try:
        config = RunConfig.model_validate(values)
    except ValidationError as error:
        problems += [_problem(origin, values, detail, secrets) for detail in error.errors()]
        if secrets:
            raise ConfigError(redacted(problems, secrets)) from None
        wrong = frozenset(str(detail["loc"][0]) for detail in error.errors())
        rest = {name: section for name, section in values.items() if str(name) not in wrong}
        raise PartlyReadError(problems, RunConfig.model_validate(rest), wrong) from None
    if problems:
        raise ConfigError(redacted(problems, secrets))
    return config


def game_label(written: str) -> str:
    """The short name of a game that is written as on a command line."""
    return load_config(None, [f"game={written}"]).game.label


def sets(overrides: Sequence[str], section: str, name: str) -> bool:
    """Whether overrides set a field of a section, in whatever form: `section.name=…`, `section={name: …}`."""
    values: dict[str, Any] = {}
    for text in overrides:
        _override(values, text)
    found = values.get(section)
    return isinstance(found, dict) and name in found


def one_of(first: ConfigLike, second: ConfigLike) -> ConfigLike:
    """The configuration that is given. Raises ConfigError for two."""
    if first is not None and second is not None:
        raise ConfigError(Problem("--config", f"{first} is a configuration too", "give one of them"))
    return second if first is None else first


def dump_config(config: RunConfig, *, brief: bool = False) -> str:
    """The configuration as YAML that `load_config` reads back to an equal one.

    `brief`: without what is empty, left open or the default, which says nothing to a reader.
    """
    values = config.model_dump(mode="json", exclude_none=brief)
    if brief:
        other = config.model_dump(mode="json", exclude_none=True, exclude_defaults=True)
        values = _filled({name: values[name] if name in SHOWN else other.get(name, {}) for name in values})
    return yaml.safe_dump(values, sort_keys=False, allow_unicode=True)


def _filled(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    return {name: _filled(inner) for name, inner in value.items() if inner not in ({}, [])}


def _values(config: ConfigLike) -> tuple[dict[str, Any], str]:
    """What is set, and where; what is open stays open, since defaults depend on it."""
    if config is None:
        return {}, ""
    if isinstance(config, str | Path):
        return _read(Path(config).expanduser()), str(config)
    given = config.model_dump(mode="json", exclude_unset=True) if isinstance(config, RunConfig) else config
    return json.loads(json.dumps(given, default=str)), "configuration"


def _read(path: Path) -> dict[str, Any]:
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise ConfigError(unreadable(path, error, "check the path")) from None
    if path.suffix in (".jsonl", ".csv"):
        remedy = f"name it in a configuration: data: {{path: {path}}}"
        raise ConfigError(Problem(str(path), "this is a file of questions", remedy))
    if raw[:4] == b"PAR1":
        raise ConfigError(Problem(str(path), "this is a Parquet file", "a configuration is written in YAML"))
    if len(raw) > LARGEST_FILE:
        raise ConfigError(Problem(str(path), f"{len(raw)} bytes are too many for a configuration"))
    try:
        values = yaml.load(raw.decode("utf-8"), Loader=_StrictLoader)
    except UnicodeDecodeError as error:
        raise ConfigError(Problem(f"{path}: byte {error.start}", "not UTF-8", "save it as UTF-8")) from None
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        where = str(path) if mark is None else f"{path}:{mark.line + 1}:{mark.column + 1}"
        remedy = "fix the YAML there; a text with ': ' goes in quotes"
        raise ConfigError(Problem(where, str(error.problem), remedy)) from None
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise ConfigError(Problem(str(path), " ".join(str(error).split())[:200])) from None
    if values is None:
        raise ConfigError(Problem(str(path), "the file is empty", "delete it to run the defaults"))
    if not isinstance(values, dict):
        raise ConfigError(Problem(str(path), f"expected keys with values, found a {type(values).__name__}"))
    if other := [key for key in values if not isinstance(key, str)]:
        remedy = "put it in quotes, or write the name of a section"
        raise ConfigError(
            [Problem(str(path), f"a key is read as {key}, which is not text", remedy) for key in other]
        )
    return values


def _override(values: dict[str, Any], text: str) -> list[Problem]:
    key, separator, written = text.partition("=")
    if not separator or not key:
        return [Problem(f"{COMMAND_LINE} {text}", "expected key=value", "for example training.steps=100")]
    try:
        value = yaml.load(written, Loader=_StrictLoader) if written else ""  # nothing is empty text, not null
    except (yaml.YAMLError, ValueError, RecursionError):
        value = written
    *parents, last = key.split(".")
    section: Any = values
    for name in parents:
        section = section.setdefault(name, {})
        if not isinstance(section, dict):
            return [Problem(f"{COMMAND_LINE} {text}", f"{name!r} is a value, not a section")]
    value, earlier = _meant([*parents, last], value, written), section.get(last)
    if isinstance(earlier, dict) and isinstance(value, dict) and last != "game":
        value = {**earlier, **value}
    section[last] = value
    return []


def _meant(names: Sequence[str], value: Any, written: str) -> Any:
    """The text as it stands where YAML makes of it what the field doesn't hold: `Answer: put it last`."""
    section, held = RunConfig, None
    for name in names:
        fields = {} if section is None else section.model_fields
        held: Any = fields[name].annotation if name in fields else None
        section = section_in(held)
    if held is None or section is not None or value is None or isinstance(value, list) or not written:
        return value
    kind: TypeAdapter[Any] = TypeAdapter(held)
    cut = isinstance(value, str) and " #" in written and written[0] not in "'\""  # as a comment
    for meant in (written if cut else value, written, [written]):
        with suppress(ValidationError):
            return kind.validate_python(meant, strict=True)
    return value


def _problem(origin: str, values: Mapping[str, Any], detail: ErrorDetails, secrets: Sequence[str]) -> Problem:
    location = detail["loc"]
    where = f"{origin}: {_place(location, values)}"
    if detail["type"] == "extra_forbidden":
        section: type[BaseModel] = RunConfig
        for name in location[:-1]:
            if isinstance(name, str):
                section = section_in(section.model_fields[name].annotation) or section
        known = list(section.model_fields)
        close = difflib.get_close_matches(str(location[-1]), known, n=1)
        instead = elsewhere(str(location[-1]))
        remedy = instead or (f"did you mean {close[0]!r}?" if close else f"known here: {', '.join(known)}")
        return Problem(where, "unknown key", remedy)
    given = hidden(repr(detail["input"]), secrets)
    remedy = _remedy(detail)
    return Problem(where, f"{detail['msg'].removeprefix('Value error, ')} (given: {given[:80]})", remedy)


def elsewhere(name: str) -> str | None:
    """What to use instead of a key that is unknown in its section, None for a key that nobody knows.

    >>> elsewhere("beta"), elsewhere("num_generations")
    ('it is scoring.beta here', 'it is training.samples here')
    """
    places = [place for place in _places(RunConfig) if place.rpartition(".")[2] == name]
    return f"it is {' or '.join(places)} here" if places else _ELSEWHERE.get(name)


def _places(section: type[BaseModel], prefix: str = "") -> Iterator[str]:
    for name, field in section.model_fields.items():
        yield prefix + name
        inner = section_in(field.annotation)
        if inner is not None and name != "game":
            yield from _places(inner, f"{prefix}{name}.")


def _remedy(detail: ErrorDetails) -> str:
    """How to write what was written in another way, for the usual ways."""
    kind, given, name = detail["type"], detail["input"], detail["loc"][-1]
    if kind in ("model_type", "dataclass_type"):
        first = {"data": "path", "model": "path"}.get(str(name), "KEY")
        return f"{name} is a section: write {name}: {{{first}: {'VALUE' if given is None else given}}}"
    if kind == "list_type" and isinstance(given, str | int | float):
        return f"write a list: [{json.dumps(given)}]"
    quotes = kind == "string_type" and given is not None and not isinstance(given, list)
    return "put a text in quotes" if quotes else ""


def _place(location: Sequence[int | str], values: Mapping[str, Any]) -> str:
    """Where in what a user wrote: `constraints[0].regex`, and of a game `game.coherence_geometric`, its weight."""
    first, *rest = location
    if first == "game" and len(rest) > 1:
        _, index, *rest = rest
        named = isinstance(values["game"], Mapping) and "game" not in values["game"]
        if named:
            rest = [list(values["game"])[int(index)]]
        elif isinstance(values["game"], Sequence):
            rest = [index, *rest]
    return str(first) + "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in rest)


_SECRET_NAME = re.compile(r"(^|[_.-])(token|api_?key|password|passwd|secret|access_?key)$", re.IGNORECASE)
_SECRET_VALUE = re.compile(
    r"\b(?:hf_[A-Za-z0-9]{16,}|(?:sk|rk)-[\w-]{16,}|gh[pousr]_[A-Za-z0-9]{16,}|github_pat_\w{16,}"
    r"|AKIA[0-9A-Z]{16}|AIza[\w-]{30,}|xox[abpr]-[\w-]{10,})",
    re.ASCII,
)
_SECRET_REMEDY: Final = "take it out, and set it in the environment (HF_TOKEN, OPENAI_API_KEY)"


def secrets_in(values: object, where: str = "") -> Iterator[tuple[str, str]]:
    """(where, secret) of every text that is a secret by its form, or by the name of its key.

    >>> list(secrets_in({"model": {"path": "x", "hf_token": "abc"}}))
    [('model.hf_token', 'abc')]
    """
    if isinstance(values, Mapping):
        for key, value in values.items():
            yield from secrets_in(value, f"{where}.{key}" if where else str(key))
    elif isinstance(values, Sequence) and not isinstance(values, str):
        for place, value in enumerate(values):
            yield from secrets_in(value, f"{where}[{place}]")
    elif isinstance(values, str):
        named = [values] if values and _SECRET_NAME.search(where) else []
        yield from ((where, secret) for secret in _SECRET_VALUE.findall(values) or named)


def hidden(text: str, secrets: Sequence[str] = ()) -> str:
    """The text with every secret hidden: those known, and those that show by their form.

    >>> hidden("'hf_abcdefghijklmnopqrst' is no folder")
    "'…' is no folder"
    """
    for secret in sorted(secrets, key=len, reverse=True):
        text = text.replace(secret, "…")
    return _SECRET_VALUE.sub("…", text)


def redacted(problems: Iterable[Problem], secrets: Sequence[str]) -> list[Problem]:
    """The problems with every secret hidden."""
    return [Problem(*(hidden(text, secrets) for text in (p.where, p.what, p.remedy))) for p in problems]
