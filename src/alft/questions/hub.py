"""`hub:OWNER/NAME`: a dataset of the Hugging Face Hub at a commit, and the files of a subset and split.

Only file names and files come from the Hub: its loaders turn "1" into 1 and dates into times. A branch or tag is
resolved to its commit, which the run records. Offline, the Hub's local cache is used.

The card's `configs` decide which files belong to a split; without them, the names of folders and files do. Where
several choices remain, the error lists them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Any, Final

from alft.errors import ConfigError, DataError, Problem
from alft.questions.fields import Problems, Row, Source
from alft.questions.files import rows_of_files

CARD: Final = "README.md"
_DATA = re.compile(r"\.(jsonl|ndjson|json|csv|tsv|parquet)(\.gz)?$", re.IGNORECASE)
_SHARD: Final = re.compile(r"(.*)-(\d{5})-of-(\d{5})(?!\d)")
_PASSED_OVER = re.compile(r"(^|/)(\.|dataset_infos?\.json$|state\.json$)")
_FRONT_MATTER = re.compile(r"\A---\r?\n(.*?)\r?\n---", re.DOTALL)
_LARGEST_CARD: Final = 1_000_000  # characters
_NAMES: Final = ("train training", "validation valid val dev", "test testing eval evaluation")
_SPLIT_OF: Final = {word: words.split()[0] for words in _NAMES for word in words.split()}
_TOKENS = re.compile(r"\*\*/|\*\*|.", re.DOTALL)
_GLOB: Final = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}
_MOST_STARS: Final = 8  # the time to match grows with each

Splits = dict[str, list[str]]


@dataclass(frozen=True)
class Part:
    """A part of a dataset: `subset` (the Hub's "config") and `split`; None is the only one, or `train`."""

    subset: str | None = None
    split: str | None = None


def data_files(names: Sequence[str], card: str | None, part: Part, source: str) -> list[str]:
    """The files of a part, from all file names of a repository; DataError with the choices if it is missing.

    >>> names = ["README.md", "main/test.parquet", "main/train.parquet", "other/train.parquet"]
    >>> data_files(names, None, Part("main", "test"), "x")
    ['main/test.parquet']
    """
    data = [name for name in sorted(names) if _DATA.search(name) and not _PASSED_OVER.search(name)]
    subsets = _declared(card, data) or _named(data)
    if not subsets:
        what = "the directory has no JSONL, CSV or Parquet file"
        raise DataError(Problem(source, what, "convert a dataset saved as Arrow by its `to_parquet`"))
    splits = _chosen(subsets, part.subset, "subset", "default", source)
    files = _chosen(splits, part.split, "split", "train", source)
    if len(formats := {match[1].lower() for name in files if (match := _DATA.search(name))}) > 1:
        what = f"the split has files in several formats: {', '.join(sorted(formats))}"
        raise DataError(Problem(source, what, "download one of the files, and set data.path to it"))
    _check_shards(files, data, source)
    return files


def _check_shards(files: Sequence[str], data: Sequence[str], source: str) -> None:
    """Raise DataError where `data` lacks others of the numbered files that `files` are some of."""
    there: dict[tuple[str, str], set[int]] = {}
    for each in filter(None, map(_SHARD.match, data)):
        there.setdefault((each[1], each[3]), set()).add(int(each[2]))
    for name, total in sorted({(each[1], each[3]) for each in filter(None, map(_SHARD.match, files))}):
        if lost := sorted(set(range(int(total))) - there[name, total]):
            what = f"{len(lost)} of {int(total)} files are missing: {name}-{lost[0]:05}-of-{total} is the first"
            raise DataError(Problem(source, what, "download them, or set data.path to one of the files"))


def _chosen(choices: Mapping[str, Any], wanted: str | None, kind: str, usual: str, source: str) -> Any:
    """The wanted choice, or the only or usual one."""
    name = wanted or (usual if usual in choices else next(iter(choices), ""))
    if name in choices and (wanted is not None or name == usual or len(choices) == 1):
        return choices[name]
    what = f"there are several {kind}s" if name in choices else f"no {kind} '{name}'"
    raise DataError(Problem(source, what, f"choose a {kind} (data.{kind}): {', '.join(sorted(choices))}"))


def _named(data: Sequence[str]) -> dict[str, Splits]:
    """Subsets → splits → files, by names only."""
    subsets: dict[str, list[str]] = {}
    for name in data:
        folders = [folder for folder in name.split("/")[:-1] if folder not in (*_SPLIT_OF, "data")]
        subsets.setdefault("/".join(folders) or "default", []).append(name)
    return {subset: _by_names(names) for subset, names in subsets.items()}


def _by_names(names: Iterable[str], folder: str = "") -> Splits:
    """Splits → the files that begin with `folder`, by the last word behind it that names a split, else `train`."""
    splits: Splits = {}
    for name in names:
        if name.startswith(folder):
            words = re.split(r"[^a-z]+", name.removeprefix(folder).lower())
            split = next((_SPLIT_OF[word] for word in reversed(words) if word in _SPLIT_OF), "train")
            splits.setdefault(split, []).append(name)
    return splits


def _declared(card: str | None, data: Sequence[str]) -> dict[str, Splits]:
    """Subsets → splits → files, by the card's `configs`; empty if it has no usable ones."""
    subsets: dict[str, Splits] = {}
    for config in _configs(card):
        if not isinstance(config, Mapping) or not isinstance(config.get("config_name"), str):
            continue
        declared, given = config.get("data_files"), config.get("data_dir")
        path = PurePosixPath(given if isinstance(given, str) else "")
        folder = "" if path == PurePosixPath() else f"{path}/"
        if declared is not None:
            splits = _by_patterns(declared, folder, data)
        else:
            splits = _by_names(data, folder) if folder else _named(data).get("default", {})
        names = ["default", config["config_name"]]
        subsets |= dict.fromkeys(names if config.get("default") is True else names[1:], splits)
    return {name: splits for name, splits in subsets.items() if splits}


def _configs(card: str | None) -> list[Any]:
    import yaml

    matter = _FRONT_MATTER.match((card or "")[:_LARGEST_CARD])
    try:
        configs = yaml.safe_load(matter[1])["configs"] if matter else None
    except (yaml.YAMLError, ValueError, RecursionError, TypeError, LookupError):
        return []
    return configs if isinstance(configs, list) else []


def _by_patterns(declared: Any, folder: str, data: Sequence[str]) -> Splits:
    """Splits → files, by patterns: one, a list of them, or a list of {split, path}."""
    splits: Splits = {}
    for item in declared if isinstance(declared, list) else [declared]:
        split = item.get("split", "train") if isinstance(item, Mapping) else "train"
        paths = item.get("path") if isinstance(item, Mapping) else item
        for glob in paths if isinstance(paths, list) else [paths]:
            pieces = _TOKENS.findall(f"{folder}{glob}")  # `*` stays within a folder, `**` does not
            pattern = re.compile("".join(_GLOB.get(piece) or re.escape(piece) for piece in pieces))
            found = [] if f"{folder}{glob}".count("*") > _MOST_STARS else filter(pattern.fullmatch, data)
            splits.setdefault(str(split), []).extend(found)
    return {split: list(dict.fromkeys(names)) for split, names in splits.items() if names}


PREFIX: Final = "hub:"
_NAME = re.compile(r"(?P<repository>[\w-][\w.-]*/[\w-][\w.-]*)(?:@(?P<revision>[\w./-]+))?", re.ASCII)


@dataclass(frozen=True)
class Hub(Source):
    """A part of a Hub dataset; `revision` is a branch, tag or commit; None is the branch `main`."""

    repository: str
    part: Part = Part()
    revision: str | None = None

    @property
    def name(self) -> str:
        """`hub:OWNER/NAME`, with `@` and the revision if there is one."""
        return f"{PREFIX}{self.repository}" + (f"@{self.revision}" if self.revision else "")

    def pinned(self) -> Hub:
        """The same, at the commit that its revision is now."""
        return replace(self, revision=self._snapshot.commit)

    def rows(self, problems: Problems) -> list[Row]:
        """The rows of the chosen subset and split."""
        snapshot = self._snapshot
        card = snapshot.file(CARD).read_text("utf-8", "replace") if CARD in snapshot.files else None
        names = data_files(snapshot.files, card, self.part, self.name)
        label = f"{PREFIX}{self.repository}@{snapshot.commit[:12]}"
        return rows_of_files([(f"{label}/{name}", snapshot.file(name)) for name in names], problems)

    @cached_property
    def _snapshot(self) -> _Snapshot:
        from huggingface_hub import HfApi

        repository, revision = self.repository, self.revision or "main"
        if (kept := _cached(repository, revision)) is not None:
            return kept
        with _explained(f"{PREFIX}{repository}@{revision}"):
            info = HfApi().dataset_info(repository, revision=revision, timeout=30)
        return _Snapshot(repository, str(info.sha), [sibling.rfilename for sibling in info.siblings or []])


def parse(text: str) -> tuple[str, str | None]:
    """Repository and revision of `OWNER/NAME` or `OWNER/NAME@REVISION`; else ConfigError."""
    if (match := _NAME.fullmatch(text)) is None:
        remedy = "write it like hub:openai/gsm8k"
        raise ConfigError(Problem(f"{PREFIX}{text}", "not the name of a Hub dataset", remedy))
    return match["repository"], match["revision"]


@dataclass(frozen=True)
class _Snapshot:
    """A dataset at a commit: the names of its files, downloaded one by one, or found in the Hub's cache."""

    repository: str
    commit: str
    files: list[str]

    def file(self, name: str) -> Path:
        from huggingface_hub import HfApi

        with _explained(f"{PREFIX}{self.repository}"):
            path = HfApi().hf_hub_download(self.repository, name, repo_type="dataset", revision=self.commit)
        return Path(path)


def _cached(repository: str, revision: str) -> _Snapshot | None:
    from huggingface_hub import constants, errors, snapshot_download

    if not constants.is_offline_mode():
        return None
    try:
        folder = Path(snapshot_download(repository, repo_type="dataset", revision=revision, local_files_only=True))
    except errors.LocalEntryNotFoundError:
        return None
    files = [str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()]
    return _Snapshot(repository, folder.name, files)


@contextmanager
def _explained(where: str) -> Iterator[None]:
    from huggingface_hub import errors

    try:
        yield
    except errors.GatedRepoError as error:
        remedy = "accept its terms on its page, and set HF_TOKEN in the environment"
        raise DataError(Problem(where, "the dataset is gated", remedy)) from error
    except errors.RevisionNotFoundError as error:
        raise DataError(Problem(where, "no such revision", "give a branch, tag or commit")) from error
    except errors.RepositoryNotFoundError as error:
        remedy = "check OWNER/NAME; a private dataset needs HF_TOKEN in the environment"
        raise DataError(Problem(where, "no such dataset, or it is private", remedy)) from error
    except Exception as error:  # the client raises errors of its transport, which differ between its versions
        what = " ".join(str(error).split())[:120]
        remedy = "check the connection and HF_HUB_OFFLINE, or give a local copy of the dataset as data.path"
        raise DataError(Problem(where, f"the Hub can't be reached ({what})", remedy)) from error
