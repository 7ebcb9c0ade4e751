"""Parts of one samples file: what N machines draw is what one would have drawn, and misfits are all reported."""

import json
from dataclasses import replace

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from alft import games
from alft.errors import DataError
from alft.offline import SolveSettings, read_samples, sample, solve_samples
from alft.offline.parts import is_samples, open_samples, part_name
from alft.questions import Question, View
from tests.offline.made import Scripted, questions, request


def seeded(prompt, sampling):
    return [f"{prompt} #### {(sampling.seed + i) % 3}" for i in range(sampling.samples)]


def ragged():
    """20 questions with 1, 2, 3, 1, 2, 3 … views."""
    return [Question(f"q{i}", tuple(View(f"q{i}/{v}", f"v{v}") for v in range(1 + i % 3)), "1") for i in range(20)]


def parts(folder, asked, of, numbers=None, backend=None, **changes):
    """The parts with these numbers, as each machine would write them."""
    folder.mkdir(exist_ok=True)
    for number in numbers or range(1, of + 1):
        part = replace(request(asked, 2, **{"batch_size": 4, **changes}), part=(number, of))
        sample(part, backend or Scripted(seeded), folder / part_name(number, of))
    return folder


@pytest.mark.parametrize("of", [1, 2, 3, 5])
@pytest.mark.parametrize("asked", [questions(12), questions(9, 3), ragged()], ids=["two", "three", "ragged"])
def test_the_parts_together_are_the_file_of_one_machine(tmp_path, asked, of):
    whole = sample(request(asked, 2, batch_size=4), Scripted(seeded), tmp_path / "whole.parquet")
    folder = parts(tmp_path / "parts", asked, of)
    joined = pa.concat_tables(pq.read_table(part) for part in sorted(folder.iterdir(), key=lambda p: p.name))
    assert joined.equals(pq.read_table(whole))
    found, wanted = open_samples(folder), open_samples(whole)
    assert found.provenance == wanted.provenance
    assert [row for b in found.texts(range(found.rows)) for row in b.to_pylist()] == joined.to_pylist()
    settings = SolveSettings(games.GeometricCoherence())
    weights = [solve_samples(read_samples(path), settings, "own").weights.tolist() for path in (folder, whole)]
    assert weights[0] == weights[1]


def test_no_question_is_in_two_parts(tmp_path):
    folder = parts(tmp_path / "parts", questions(9, 3), 3)
    seen = [set(read_samples(part).questions) for part in folder.iterdir()]
    assert sum(map(len, seen)) == len(set.union(*seen)) == 9
    assert min(map(len, seen)) > 0


def test_more_parts_than_whole_batches_are_refused(tmp_path):
    with pytest.raises(DataError, match=r"make 3 parts of whole batches, not 4 .* fewer parts"):
        parts(tmp_path / "parts", questions(6), 4, batch_size=8)


def test_a_part_says_which_it_is(tmp_path):
    folder = parts(tmp_path / "parts", questions(4), 2)
    alone = read_samples(folder / "part-2-of-2.parquet").provenance
    assert alone.data["part"] == {"number": 2, "of": 2}
    assert alone.data["questions"] == 4
    assert "part" not in open_samples(folder).provenance.data


def test_a_killed_part_resumes_and_others_wait_for_it(tmp_path):
    whole = parts(tmp_path / "whole", questions(12), 2)
    folder = parts(tmp_path / "parts", questions(12), 2, [1])
    with pytest.raises(KeyboardInterrupt):
        parts(folder, questions(12), 2, [2], Scripted(seeded, fail_at=3))
    with pytest.raises(DataError, match=r"part-2-of-2\.parquet: is not finished .* --part 2/2"):
        open_samples(folder)
    again = Scripted(seeded)
    parts(folder, questions(12), 2, [2], again)
    assert again.calls == 6 - 2
    for path in whole.iterdir():
        assert (folder / path.name).read_bytes() == path.read_bytes()


def rewritten(path, **changes):
    """Change fields of a part's provenance."""
    table = pq.read_table(path)
    told = json.loads(table.schema.metadata[b"alft"]) | changes
    pq.write_table(table.replace_schema_metadata({**table.schema.metadata, b"alft": json.dumps(told)}), path)


def test_all_that_does_not_fit_is_reported_at_once(tmp_path):
    asked = questions(24)
    folder = parts(tmp_path / "parts", asked, 6, [1, 2, 5])
    parts(folder, asked, 6, [3], seed=1)
    model = {"backend": "scripted", "model": "none", "revision": None, "digest": "0" * 64}
    rewritten(folder / "part-2-of-6.parquet", model=model)
    parts(tmp_path / "others", questions(24, answer="2"), 6, [6])
    (tmp_path / "others" / "part-6-of-6.parquet").rename(folder / "part-6-of-6.parquet")
    (folder / "part-0-of-6.parquet").write_bytes((folder / "part-5-of-6.parquet").read_bytes())
    sample(request(questions(2), 2), Scripted(seeded), folder / "part-alone.parquet")
    (folder / "part-broken.parquet").write_text("nothing")
    with pytest.raises(DataError) as caught:
        open_samples(folder)
    problems = [str(problem) for problem in caught.value.problems]
    for name, what in {
        "part-2-of-6.parquet: model.digest": "is '000",
        "part-3-of-6.parquet: sampling.seed": "is 1, and 0 in ",
        "part-6-of-6.parquet: data.digest": "is ",
        "part-5-of-6.parquet": "is part 5, as ",
        "part-4-of-6.parquet": "is missing — run `alft sample",
        "part-alone.parquet": "was not sampled as a part",
        "part-broken.parquet": "can't be read as Parquet",
    }.items():
        assert any(f"{folder / name}: {what}" in problem and " — " in problem for problem in problems), name
    assert len(problems) == 7


def test_a_file_that_is_named_twice_is_one_problem(tmp_path):
    file = sample(request(questions(2), 2), Scripted(seeded), tmp_path / "s.parquet")
    with pytest.raises(DataError) as caught:
        open_samples(file, file)
    assert str(caught.value) == f"{file}: is named twice — leave it out once"


def test_a_question_that_two_parts_have_is_named(tmp_path):
    folder = parts(tmp_path / "parts", questions(8), 2)
    first = pq.read_table(folder / "part-1-of-2.parquet")
    second = pq.read_table(folder / "part-2-of-2.parquet")
    doubled = pa.concat_tables([second, first.slice(len(first) - 4)])
    pq.write_table(doubled.replace_schema_metadata(second.schema.metadata), folder / "part-2-of-2.parquet")
    with pytest.raises(DataError, match=rf"part-2-of-2\.parquet: row {len(second) + 1}: question 'q3' again"):
        open_samples(folder)


def test_where_a_model_lies_does_not_matter_if_its_digest_is_the_same(tmp_path):
    folder = parts(tmp_path / "parts", questions(8), 2)
    for number, place in enumerate(("/a/model", "/b/model"), start=1):
        model = {"backend": "scripted", "model": place, "revision": None, "digest": "0" * 64}
        rewritten(folder / part_name(number, 2), model=model)
    assert open_samples(folder).rows == 32
    assert open_samples(*sorted(folder.iterdir(), reverse=True)).provenance == open_samples(folder).provenance


def test_folders_without_parts_are_not_samples(tmp_path):
    assert not is_samples(tmp_path)
    with pytest.raises(DataError, match="holds no part of a samples file"):
        open_samples(tmp_path)
    assert is_samples(parts(tmp_path / "parts", questions(2), 1))
