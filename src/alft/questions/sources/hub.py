"""`hub:OWNER/NAME`: a dataset of the Hugging Face Hub, at a commit, read by our own strict readers.

Only names and files come from the Hub: its loaders turn "1" into 1 and dates into times. A branch or tag is
resolved to its commit, which the run records. Without a connection the local cache of the Hub serves.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Final

from alft.errors import ConfigError, DataError, Problem
from alft.questions.fields import Row
from alft.questions.problems import Problems
from alft.questions.sources.base import Source, rows_of_files
from alft.questions.sources.repository import CARD, WHOLE, Part, data_files

PREFIX: Final = "hub:"
_NAME = re.compile(r"(?P<repository>[\w-][\w.-]*/[\w-][\w.-]*)(?:@(?P<revision>[\w./-]+))?", re.ASCII)
_USUAL_REVISION: Final = "main"


@dataclass(frozen=True)
class Hub(Source):
    """A part of a Hub dataset; `revision` is a branch, tag or commit, None the branch `main`."""

    repository: str
    part: Part = WHOLE
    revision: str | None = None

    @property
    def name(self) -> str:
        """`hub:OWNER/NAME`, with `@` and the revision if there is one."""
        return f"{PREFIX}{self.repository}" + (f"@{self.revision}" if self.revision else "")

    def pinned(self) -> Hub:
        """The same at the commit that its revision means now."""
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
        revision = self.revision or _USUAL_REVISION
        return _cached(self.repository, revision) or _online(self.repository, revision)


def parse(text: str) -> tuple[str, str | None]:
    """Repository and revision of `OWNER/NAME` or `OWNER/NAME@REVISION`; ConfigError if it is neither."""
    match = _NAME.fullmatch(text)
    if match is None:
        raise ConfigError(Problem(f"{PREFIX}{text}", "this is no dataset of the Hub", "like hub:openai/gsm8k"))
    return match["repository"], match["revision"]


@dataclass(frozen=True)
class _Snapshot:
    """A dataset at a commit: the names of its files, fetched one by one (or lying in `folder`)."""

    repository: str
    commit: str
    files: list[str]
    folder: Path | None = None

    def file(self, name: str) -> Path:
        """Path of a file on this machine."""
        if self.folder is not None:
            return self.folder / name
        from huggingface_hub import HfApi

        with _explained(f"{PREFIX}{self.repository}"):
            path = HfApi().hf_hub_download(self.repository, name, repo_type="dataset", revision=self.commit)
        return Path(path)


def _online(repository: str, revision: str) -> _Snapshot:
    from huggingface_hub import HfApi

    with _explained(f"{PREFIX}{repository}@{revision}"):
        info = HfApi().dataset_info(repository, revision=revision, timeout=30)
    return _Snapshot(repository, str(info.sha), [sibling.rfilename for sibling in info.siblings or []])


def _cached(repository: str, revision: str) -> _Snapshot | None:
    """What the cache holds, where the Hub may not be asked; None where it may, or where nothing is kept."""
    from huggingface_hub import constants
    from huggingface_hub.file_download import repo_folder_name

    if not constants.is_offline_mode():
        return None
    kept = Path(constants.HF_HUB_CACHE) / repo_folder_name(repo_id=repository, repo_type="dataset")
    reference = kept / "refs" / revision
    commit = reference.read_text("utf-8").strip() if reference.is_file() else revision
    folder = kept / "snapshots" / commit
    files = [str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()]
    return _Snapshot(repository, commit, files, folder) if files else None


@contextmanager
def _explained(where: str) -> Iterator[None]:
    """Failures of the Hub as one line and a remedy."""
    from huggingface_hub import errors

    try:
        yield
    except errors.GatedRepoError as error:
        remedy = "accept its terms on its page, and set HF_TOKEN in the environment"
        raise DataError(Problem(where, "the dataset is gated", remedy)) from error
    except errors.RevisionNotFoundError as error:
        raise DataError(Problem(where, "there is no such revision", "a branch, tag or commit")) from error
    except errors.RepositoryNotFoundError as error:
        remedy = "check OWNER/NAME; a private dataset needs HF_TOKEN in the environment"
        raise DataError(Problem(where, "there is no such dataset, or it is private", remedy)) from error
    except Exception as error:  # the client raises errors of its transport, which differ between its versions
        told = " ".join(str(error).split())[:120]
        remedy = "check the connection and HF_HUB_OFFLINE, or give a local copy of the dataset as data.path"
        raise DataError(Problem(where, f"the Hub can't be reached ({told})", remedy)) from error
