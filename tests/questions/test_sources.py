"""Every kind of source through one function, and every preset through every kind; nothing needs the network."""

import json
import re
import sys

import pytest
from huggingface_hub import constants

from alft import starter
from alft.answers import answer_key, grade
from alft.errors import ConfigError, DataError
from alft.questions import DataWarning, load_questions, source_of
from alft.questions.hub import Hub, Part, data_files
from alft.questions.sources import BUILT_IN
from alft.starter import problems
from tests.questions.hub_server import COMMIT, GATED, serve
from tests.questions.test_presets import GPQA, GSM8K, MATH, MMLU, TRIVIAQA

ROWS = {"gsm8k": GSM8K, "math": MATH, "triviaqa": TRIVIAQA, "multiple-choice": MMLU, "gpqa": GPQA}
CARD = """---
configs:
- config_name: main
  default: true
  data_files:
  - split: train
    path: main/train-*
  - split: test
    path: main/*test*
- config_name: socratic
  data_files: "socratic/**"
---
# A dataset
"""


def row(question: str, answer: object) -> bytes:
    return (json.dumps({"question": question, "answer": answer}) + "\n").encode()


FILES = {
    "README.md": CARD.encode(),
    "main/train-0.jsonl": row("a?", "007") + row("b?", "1.0"),
    "main/train-1.jsonl": row("c?", "2004-01-05"),
    "main/test.jsonl": row("d?", "1" + "0" * 30),
    "socratic/x/all.jsonl": row("e?", "5"),
}


@pytest.fixture(autouse=True)
def online(monkeypatch):
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)


def point_to(monkeypatch, address: str) -> None:
    monkeypatch.setattr(constants, "ENDPOINT", address)
    template = address + "/{repo_id}/resolve/{revision}/{filename}"
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)


@pytest.fixture
def hub(monkeypatch, tmp_path):
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("HF_TOKEN", raising=False)
    with serve("acme/sums", FILES) as (address, asked):
        point_to(monkeypatch, address)
        yield asked


def write(folder, files: dict[str, bytes]):
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    return folder


def told(*arguments, **options) -> str:
    with pytest.raises((ConfigError, DataError)) as caught:
        load_questions(*arguments, **options)
    return "\n".join(map(str, caught.value.problems))


def test_a_hub_dataset_is_read_as_text_with_its_shards_numbered_through(hub) -> None:
    asked = load_questions("hub:acme/sums", split="train")
    assert [(q.id, q.views[0].text, q.answer) for q in asked] == [
        ("q1", "a?", "007"),
        ("q2", "b?", "1.0"),
        ("q3", "c?", "2004-01-05"),
    ]
    assert load_questions("hub:acme/sums@v1", subset="main", split="test")[0].answer == "1" + "0" * 30
    assert load_questions("hub:acme/sums", subset="socratic")[0].answer == "5"


def test_only_the_files_of_the_part_are_fetched(hub) -> None:
    load_questions("hub:acme/sums", split="test")
    fetched = {line.split("/")[-1] for line in hub if line.startswith("GET /datasets/")}
    assert fetched == {"README.md", "test.jsonl"}


def test_a_branch_is_pinned_to_its_commit_and_a_pinned_dataset_is_read_offline(hub, monkeypatch) -> None:
    source = source_of("hub:acme/sums", split="test")
    assert isinstance(source, Hub)
    assert source.pinned().revision == COMMIT
    online = load_questions(source)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    before = len(hub)
    assert load_questions(source.pinned()) == online
    assert len(hub) == before
    assert "can't be reached" in told("hub:acme/other")
    assert "HF_HUB_OFFLINE" in told("hub:acme/other")


def test_item_33_hub_failures_are_one_line_with_a_hint(hub, monkeypatch) -> None:
    assert "no such dataset, or it is private — check OWNER/NAME; a private dataset needs HF_TOKEN" in told(
        "hub:acme/smus"
    )
    assert "no such revision" in told("hub:acme/sums", revision="v2")
    assert "the dataset is gated — accept its terms on its page, and set HF_TOKEN" in told(f"hub:{GATED}")
    assert "no split 'dev' — choose a split (data.split): test, train" in told("hub:acme/sums", split="dev")
    assert "not the name of a Hub dataset" in told("hub:sums")
    point_to(monkeypatch, "http://127.0.0.1:9")
    assert all("\n" not in str(line) for line in told("hub:acme/sums").splitlines())
    assert "the Hub can't be reached" in told("hub:acme/sums")


def test_mistakes_in_a_hub_file_have_their_place(hub) -> None:
    FILES["socratic/x/all.jsonl"], kept = row("e?", "5") + b'{"question": 5}\n', FILES["socratic/x/all.jsonl"]
    try:
        assert f"hub:acme/sums@{COMMIT[:12]}/socratic/x/all.jsonl:2 question: this is a number" in told(
            "hub:acme/sums", subset="socratic", answers="partial"
        )
    finally:
        FILES["socratic/x/all.jsonl"] = kept


@pytest.mark.parametrize("preset", ROWS)
def test_presets_read_the_same_from_a_file_a_folder_and_the_hub(monkeypatch, tmp_path, preset: str) -> None:
    content = (json.dumps(ROWS[preset]) + "\n").encode()
    folder = write(tmp_path / "data", {"data/test.jsonl": content})
    local = load_questions(folder / "data/test.jsonl", preset=preset)
    assert load_questions(folder, preset=preset, split="test") == local
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    with serve("acme/x", {"data/test.jsonl": content}) as (address, _):
        point_to(monkeypatch, address)
        assert load_questions("hub:acme/x", preset=preset, split="test") == local
    assert grade(answer_key(f"\\boxed{{{local[0].answer}}}"), local[0].gold) == "right"


def test_a_preset_on_renamed_columns(tmp_path) -> None:
    path = tmp_path / "q.jsonl"
    path.write_text(json.dumps({"prompt": "How many?", "target": GSM8K["answer"]}))
    asked = load_questions(path, preset="gsm8k", columns={"question": "prompt", "answer": "target"})
    assert (asked[0].views[0].text, asked[0].answer) == ("How many?", "1,072")


@pytest.mark.parametrize(
    ("names", "part", "expected"),
    [
        (["train.csv", "test.csv"], Part(), ["train.csv"]),
        (["train.csv", "test.csv"], Part(split="test"), ["test.csv"]),
        (["data/train-00001.parquet", "data/train-00000.parquet", "data/val-0.parquet"], Part(split="train"),
         ["data/train-00000.parquet", "data/train-00001.parquet"]),
        (["data/dev.jsonl.gz"], Part(split="validation"), ["data/dev.jsonl.gz"]),
        (["test/a.json", "train/a.json", "dataset_infos.json"], Part(split="test"), ["test/a.json"]),
        (["a/test.csv", "b/test.csv"], Part("b", "test"), ["b/test.csv"]),
        (["anything.jsonl", ".cache/x.jsonl"], Part(), ["anything.jsonl"]),
        (["contest.jsonl"], Part(), ["contest.jsonl"]),  # "test" is no word of it
    ],
)  # fmt: skip
def test_files_by_name(names: list[str], part: Part, expected: list[str]) -> None:
    assert data_files(names, None, part, "x") == expected


@pytest.mark.parametrize(
    ("names", "part", "what"),
    [
        (["a/test.csv", "b/test.csv"], Part(), "there are several subsets — choose a subset (data.subset): a, b"),
        (["val.csv", "test.csv"], Part(), "there are several splits"),
        (["train.csv"], Part(split="test"), "no split 'test'"),
        (["d/train-00000-of-00003.parquet"], Part(), "2 of 3 files are missing: d/train-00001-of-00003 is"),
        (["train.csv", "train.parquet"], Part(), "in several formats: csv, parquet"),
        (["data.arrow", "state.json"], Part(), "the directory has no JSONL, CSV or Parquet file"),
    ],
)
def test_what_two_readings_fit_is_refused(names: list[str], part: Part, what: str) -> None:
    with pytest.raises(DataError) as caught:
        data_files(names, None, part, "x")
    assert what in str(caught.value)


@pytest.mark.parametrize("folder", ["english", "english/", "./english", "test", "data"])
def test_a_subset_is_all_that_is_in_the_folder_which_the_card_declares(folder: str) -> None:
    card = f"---\nconfigs:\n- config_name: main\n  data_dir: {folder}\n- config_name: other\n  data_dir: b\n---\n"
    place = folder.strip("./")
    own = [f"{place}/a.jsonl", f"{place}/new/b.jsonl", f"{place}/test-0.jsonl"]
    names = ["README.md", *own, "b/train.jsonl", f"{place}s/train.jsonl"]
    assert data_files(names, card, Part("main"), "x") == own[:2]
    assert data_files(names, card, Part("main", "test"), "x") == own[2:]
    assert data_files(names, card, Part("other"), "x") == ["b/train.jsonl"]


@pytest.mark.parametrize(
    "card",
    ["", "---\nconfigs: 5\n---\n", "---\n[\n---\n", "---\nconfigs: [3, {}]\n---\n", f"---\n{'[' * 999}\n---"],
)
def test_a_card_that_cannot_be_followed_is_passed_over(card: str) -> None:
    assert data_files(["train.csv"], card, Part(), "x") == ["train.csv"]


@pytest.mark.parametrize("generator", ["chain_sum", "syllogism"])
def test_reasoning_gym_is_a_function_of_the_seed(generator: str) -> None:
    asked = load_questions(f"reasoning-gym:{generator}", size=8, seed=3)
    assert asked == load_questions(f"reasoning-gym:{generator}", size=8, seed=3)
    assert asked != load_questions(f"reasoning-gym:{generator}", size=8, seed=4)
    assert len({q.id for q in asked}) == len(asked) <= 8
    for question in asked:
        assert isinstance(question.answer, str)
        assert grade(answer_key(f"\\boxed{{{question.answer}}}"), question.gold) == "right"
        if generator == "chain_sum":  # the sum is in the text: reckoned again here
            text = str(question.views[0].text)
            assert int(question.answer) == sum(map(int, re.findall(r"[-+]?\d+", text.replace(" ", ""))))
        else:
            assert question.answer in ("Yes", "No")


def test_reasoning_gym_settings_and_repeats() -> None:
    settings = {"min_terms": 2, "max_terms": 2, "min_digits": 1, "max_digits": 1}
    with pytest.warns(DataWarning, match=r"reasoning-gym:chain_sum: \d+ of 400 questions are repeated: left out"):
        asked = load_questions("reasoning-gym:chain_sum", size=400, settings=settings)
    assert len({str(q.views[0].text) for q in asked}) == len(asked) < 400
    held_out = load_questions("reasoning-gym:chain_sum", size=8, held_out=True, seed=1)
    assert held_out == load_questions("reasoning-gym:chain_sum", size=8, held_out=True, seed=2)


def test_reasoning_gym_mistakes(monkeypatch) -> None:
    assert "no such generator — did you mean 'chain_sum'?" in told("reasoning-gym:chainsum")
    assert "data.settings: got an unexpected keyword argument 'terms'" in told(
        "reasoning-gym:chain_sum", size=2, settings={"terms": 3}
    )
    assert "min_terms must be positive" in told("reasoning-gym:chain_sum", size=2, settings={"min_terms": 0})
    monkeypatch.setitem(sys.modules, "reasoning_gym", None)
    assert "pip install 'alft[reasoning-gym]'" in told("reasoning-gym:chain_sum")


def test_the_built_in_questions_come_through_the_same_function() -> None:
    assert load_questions("starter", size=5, seed=3) == problems.questions(5, held_out=False, seed=3)
    assert load_questions("starter", size=5, held_out=True) == problems.questions(5, held_out=True)


def test_options_that_do_not_fit_a_source_are_named_at_once(tmp_path) -> None:
    message = told(tmp_path / "q.jsonl", split="test", revision="main")
    assert "'split' does not apply to this source" in message
    assert "'revision' does not apply to this source" in message
    assert "its revision is also given as 'v2'" in told("hub:acme/sums@v1", revision="v2")


def test_home_is_expanded(monkeypatch, tmp_path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "q.jsonl").write_bytes(row("a?", "1"))
    assert load_questions("~/q.jsonl")[0].answer == "1"


def test_every_built_in_set_is_a_source() -> None:
    for name, make in starter.QUESTIONS.items():
        assert load_questions(name, size=3, seed=1) == make(3, held_out=False, seed=1)
    assert {*BUILT_IN} == starter.QUESTIONS.keys()
