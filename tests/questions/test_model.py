"""Overlap between sets of questions, and their digests."""

from dataclasses import replace

from alft.questions import Question, View, digest, overlap


def ask(identity: str, *texts: str, answer: str | None = None) -> Question:
    return Question(identity, tuple(View(text, f"view {n}") for n, text in enumerate(texts, 1)), answer)


def test_overlap_finds_any_shared_view_once() -> None:
    train = [ask("a", "How many?", "What number?"), ask("b", "Why?")]
    held_out = [ask("c", "Where?", "WHAT  number?", "how many?"), ask("d", "When?")]
    assert overlap(train, held_out) == [("a", "c")]
    assert overlap(train, []) == []


def test_overlap_of_chats_needs_the_same_turns() -> None:
    chat = ({"role": "user", "content": "Why?"},)
    assert overlap([Question("a", (View(chat, "view 1"),))], [Question("b", (View(chat, "x"),))]) == [("a", "b")]
    assert overlap([Question("a", (View(chat, "view 1"),))], [ask("b", "Why?")]) == []


def test_digest_sees_everything_and_the_order() -> None:
    base = ask("a", "How many?", answer="1")
    view = base.views[0]
    changed = [
        replace(base, id="b"),
        replace(base, answer="2"),
        replace(base, answer=None),
        replace(base, group="g"),
        replace(base, views=(replace(view, text="How much?"),)),
        replace(base, views=(replace(view, name="plain"),)),
        replace(base, views=(replace(view, answer_map={"A": "B"}),)),
        replace(base, views=(view, replace(view, name="view 2"))),
    ]
    digests = {digest([question]) for question in [base, *changed]}
    assert len(digests) == 1 + len(changed)
    assert digest([base, changed[0]]) != digest([changed[0], base])
    assert len(digest([])) == 64


def test_digest_without_answers_is_that_of_unlabelled_questions() -> None:
    assert digest([ask("a", "x", answer="1")], answers=False) == digest([ask("a", "x")], answers=False)
    assert digest([ask("a", "x")], answers=False) != digest([ask("a", "y")], answers=False)
