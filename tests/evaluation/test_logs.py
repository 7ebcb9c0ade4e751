"""Sample logs of lm-eval and Inspect, in their own schemas, as evaluations."""

import json

import pytest

from alft.errors import DataError
from alft.evaluation.recorded import is_log, read_logs


def lm_eval(doc_id, responses, target="So 1 + 1 = 2.\n#### 2", **changes):
    return {
        "doc_id": doc_id,
        "doc": {"question": "1+1?", "answer": target},
        "target": target,
        "arguments": {"gen_args_0": {"arg_0": "1+1?", "arg_1": {"until": ["\n"]}}},
        "resps": [responses],
        "filtered_resps": ["2"],
        "filter": "strict-match",
        "metrics": ["exact_match"],
        "doc_hash": "d",
        "prompt_hash": "p",
        "target_hash": "t",
        "exact_match": float("nan"),
        **changes,
    }


def inspect_sample(name, epoch, text, **changes):
    message = {
        "role": "assistant",
        "content": [{"type": "reasoning", "reasoning": "?"}, {"type": "text", "text": text}],
    }
    return {
        "id": name,
        "epoch": epoch,
        "input": "1+1?",
        "target": "2",
        "output": {"model": "m", "choices": [{"message": message, "stop_reason": "stop"}]},
        "metadata": {},
        **changes,
    }


def written(path, rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def test_files_of_lm_eval_are_the_views_of_their_documents(tmp_path):
    flexible = {"filter": "flexible-extract"}
    first = written(
        tmp_path / "samples_gsm8k_2026-11-23T10-00-00.123.jsonl",
        [lm_eval(0, ["#### 2"]), lm_eval(1, ["#### 3"]), lm_eval(0, ["#### 2"], **flexible)],
    )
    second = written(
        tmp_path / "samples_gsm8k_cot_2026-11-23T10-00-00.jsonl", [lm_eval(0, ["#### 2"]), lm_eval(1, ["#### 2"])]
    )
    found = read_logs([first, second])
    assert found.views == ("gsm8k", "gsm8k_cot")
    summary = found.summary()
    assert summary["agreement_greedy"] == 0.5
    assert summary["accuracy_greedy"]["by_view"] == {"gsm8k": 0.5, "gsm8k_cot": 1.0}


def test_repeats_are_samples_and_documents_name_their_views(tmp_path):
    rows = [
        lm_eval(i, ["#### 2", "#### 3", "no answer"], doc={"question_id": "q", "view": f"view {i}"})
        for i in range(2)
    ]
    found = read_logs([written(tmp_path / "samples_x.jsonl", rows)])
    summary = found.summary()
    assert (found.questions, found.views) == (("q",), ("view 0", "view 1"))
    assert summary["accuracy_sampled"]["mean"] == pytest.approx(1 / 3)
    assert summary["incoherence"] == pytest.approx(0)
    assert summary["unread"] == pytest.approx(1 / 3)


def test_epochs_of_inspect_are_samples(tmp_path):
    for view, answers in (("plain", "23"), ("story", "22")):
        rows = [inspect_sample(7, epoch, f"ANSWER: {a}\n#### {a}") for epoch, a in enumerate(answers, 1)]
        (tmp_path / f"{view}.json").write_text(json.dumps({"version": 2, "status": "success", "samples": rows}))
    found = read_logs([tmp_path / "plain.json", tmp_path / "story.json"])
    assert found.questions == ("7",)
    assert found.summary()["accuracy_sampled"]["by_view"] == {"plain": 0.5, "story": 1.0}
    assert found.summary()["agreement_sampled"] == 0.5


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("samples_x.jsonl", json.dumps(lm_eval(0, [[-1.0, False]])), "likelihoods of choices"),
        ("samples_x.jsonl", json.dumps(lm_eval(0, [], resps=[[["-1", "False"]], [["-2", "True"]]])), "of choices"),
        ("samples_x.jsonl", '{"doc_id": 0}', "needs doc_id and resps"),
        ("samples_x.jsonl", "{", ":1: is not JSON"),
        ("samples_x.jsonl", "", "0 samples"),
        ("log.json", "[]", "no list `samples`"),
        ("log.json", '{"samples": [{"id": 1}]}', r"samples\[0\]: is no sample of Inspect"),
        ("log.json", '{"samples": [{"id": 1, "output": {"choices": [null]}}]}', "choices are no list of objects"),
        ("log.eval", "PK", "inspect log convert"),
    ],
)  # fmt: skip
def test_what_can_not_be_used_is_told_with_its_place(tmp_path, name, content, told):
    (tmp_path / name).write_text(content)
    assert is_log(tmp_path / name)
    with pytest.raises(DataError, match=told):
        read_logs([tmp_path / name])


def test_the_same_document_and_view_in_two_files_is_refused(tmp_path):
    for model in "ab":
        (tmp_path / model).mkdir()
        written(tmp_path / model / "samples_gsm8k.jsonl", [lm_eval(0, ["#### 2"])])
    with pytest.raises(DataError, match=r"view 'gsm8k' of document '0' is in .*a/samples_gsm8k.jsonl too"):
        read_logs([tmp_path / model / "samples_gsm8k.jsonl" for model in "ab"])


def test_a_file_that_is_named_twice_is_refused(tmp_path):
    path = written(tmp_path / "samples_a.jsonl", [lm_eval(0, ["#### 2"])])
    (tmp_path / "b").mkdir()
    with pytest.raises(DataError, match=r"samples_a.jsonl: is named twice — leave it out once"):
        read_logs([path, tmp_path / "b" / ".." / path.name])


def test_a_choice_without_a_message_is_unread(tmp_path):
    rows = [
        inspect_sample(1, 1, "", output={"choices": [{"message": None}, {"message": {"content": None}}]}),
        inspect_sample(2, 1, "", output={"choices": [{"message": {"content": ["odd", {"type": "text"}]}}]}),
    ]
    (tmp_path / "log.json").write_text(json.dumps({"samples": rows}))
    assert read_logs([tmp_path / "log.json"]).summary()["unread"] == 1.0
