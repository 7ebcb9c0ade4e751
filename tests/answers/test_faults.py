"""Faults reported in public trackers or found in published sets, by kind: each with neighbours of its own."""

import pytest

from alft.answers import Completion, KeyPolicy, canonical, extract, read

LAST = r"so \boxed{42}. "
KINDS: dict[str, list[tuple[Completion, str | None]]] = {
    "a sentence about the answer is no answer": [
        (r"\boxed{44} so our answer is correct.", "44"),
        (LAST + "Let me know if this answer is helpful!", "42"),
        (LAST + "(The answer is in dollars.)", "42"),
        ("The answer is 42. The answer is rounded to the nearest whole number.", "42"),
        ("<answer>42</answer>\nThe answer is inside the tags as you asked.", "42"),
        (LAST + "A common wrong answer: 41 (forgetting the last one)", "42"),
        (LAST + "Is it a coincidence that the answer is 24?", "42"),
        ("#### 42\nThe answer is given in whole eggs.", "42"),
        ('{"answer": 42}\nThe answer is the same as before.', "42"),
        ("The answer is 42. I hope the answer is clear.", "42"),
        ("The answer is 42. My answer is based on the table above.", "42"),
        ("The answer is 42. Check whether the answer is 41 by hand.", "42"),
        ("The final answer is unique.", None),
        ("The answer is of the form a/b.", None),
        ("The answer is a whole number.", None),
        ("The answer is (in meters).", None),
        ("The answer is option B.", "option B"),
        ("The answer is choice (c).", "choice (c)"),
        ("The answer is Option C: Paris", "Option C: Paris"),
        ("The answer is 42 and that is all.", "42"),
        ("The answer is $5$, which is prime.", "$5$"),
        ("The answer is the Eiffel Tower.", "the Eiffel Tower"),
        ("The answer is none of the above.", "none of the above"),
        ("The answer is positive.", "positive"),
        ("The answer is very easy to find.", None),
        ("The answer is what we computed before.", None),
        ("A possible wrong answer: 41", None),
    ],
    "a claim that is taken back is no answer": [
        ("The answer is 41. No, the answer is wrong.", None),
        ("The answer is 41. Wait, that's not right.", None),
        ("The answer is 41.\nHmm, this answer is incorrect.", None),
        ("The answer is 41. My answer is wrong. The answer is 42.", "42"),
        ("The answer is 42. If you have 41, your answer is wrong.", "42"),
        ("The answer is 42. A common wrong answer is 41.", "42"),
        (r"\boxed{42}. Hmm, my answer is incorrect.", "42"),  # prose never overrides a box
    ],
    "markup and words on the first line are no answer": [
        ("The answer is:\n\\begin{align*}\n42\n\\end{align*}", "42"),
        ("The answer is:\n\\begin{equation}\n41\n\\end{equation}", "41"),
        ("The answer is shown below.\n\n42", None),
        ("The answer is listed here:\n\n42", None),
        ("The answer is as follows:\n\n42", "42"),
        ("The answer is the following: 42.", "42"),
    ],
    "hedges and fillers stand before a value": [
        ("The answer is therefore 42.", "42"),
        ("The answer is approximately 42.", "42"),
        ("The answer is simply $x^2$.", "$x^2$"),
        ("The answer is exactly -5.", "-5"),
        ("The answer is, of course, 42.", "42"),
        ("The answer is thus Paris.", "Paris"),
    ],
    "a placeholder is no answer": [
        (r"\boxed{\text{your answer}}", None),
        ("The answer is X.", None),
        (r"\boxed{42}, in the form \boxed{\text{your answer}}", "42"),
        ("<answer>your answer here</answer>", None),
        ("#### [answer]", None),
        ("The answer is [number].", None),
        ("The answer is ...", None),
        (r"\boxed{...}", None),
        ("The answer is W.", "W"),
        (r"\boxed{x}", "x"),
    ],
    "a box without a brace holds one number or letter": [
        (r"The total is \boxed{42}. I used \boxed as requested.", "42"),
        (r"\boxed{42}. See \boxed above.", "42"),
        (r"\boxed{42}. I put it in a \boxed command.", "42"),
        (r"$\boxed 7$", "7"),
        (r"$\boxed x$", "x"),
    ],
    "the next question is not read": [
        ("#### 42\n\nQuestion: what is 3 and 4?\nAnswer: 3+4=7\n#### 7", "42"),
        ("The answer is 42.\n\nQ: And 3 + 4?\nA: The answer is 7.", "42"),
        ("\\boxed{42}\n\n### Instruction:\nAdd.\n\\boxed{7}", "42"),
        ("The answer is 42.\nuser\nAnd now?\nassistant\nThe answer is 7.", "42"),
        ("The answer is 42.<|im_end|>\n<|im_start|>user\nThe answer is 7.", "42"),
        ("Question: what is 3 and 4?\nAnswer: 7", "7"),
        ("First 18+24.\n\nQuestion: what is 3 and 4?\nAnswer: 7", None),
        ("Tom has 5.\nHuman: and 3 + 4?\nAssistant: The answer is 7.", None),
        ("I think so.<|im_end|>\n<|im_start|>user\nThe answer is 7.", None),
        ("Paris is nice.\n\nQ: And 3 + 4?\nA: \\boxed{7}", None),
        ("Sure, let's solve it.\n\n**Problem:** add 3 and 4.\n\n**Solution:** \\boxed{7}", "7"),
        ("Sure!\nuser\nAnd now?\nassistant\nThe answer is 7.", None),
        ("**Problem:** restated\n\nProblem: add.\nSo \\boxed{7}", "7"),
    ],
    "a line of #### holds words too": [
        ("2+40=42\n#### 42 apples\nSo that is what we have.", "42 apples"),
        ("#### $18 per day\nDone.", "$18 per day"),
        ("#### 42 big red apples\nI hope this helps.", "42 big red apples"),
        ("#### 1. Add the numbers\n2 + 3", None),
        ("#### Step 2\nThe answer is 5.", "5"),
    ],
    "a heading is a mark": [
        ("### Final Answer\n\n42", "42"),
        ("**Final Answer**\n\n$x = 5$", "$x = 5$"),
        ("## Answer\n42 apples\n", "42 apples"),
        ("#### The answer is 42", "42"),
        (r"\textbf{Answer:} 42", "42"),
        ("The answer is <b>42</b>.", "42"),
        ("### Answer\n\nWe first add the numbers.", None),
        ("The answer\n42", None),
    ],
    "spellings of marks": [
        ("<Answer>42</Answer>", "42"),
        ("<final_answer>42</final_answer>", "42"),
        ("<ANSWER> 42 </ANSWER>", "42"),
        ("“The answer is 42.”", "42"),
        ("So answer is 42.", "42"),
        ("Thus, answer is 42.", "42"),
        ("The answer is：42。", "42"),
        ("Answer：42", "42"),
        ('{"final_answer": "42"}', "42"),
    ],
}


@pytest.mark.parametrize(("text", "answer"), [case for cases in KINDS.values() for case in cases])
def test_kinds_of_reading(text: str, answer: str | None) -> None:
    assert extract(text) == answer
    assert (read(text).unread is None) == (answer is not None)


@pytest.mark.parametrize(
    "closing", ["The answer is helpful.", "Our answer: see above.", "The answer is in meters."]
)
def test_one_closing_sentence_never_makes_different_boxes_agree(closing: str) -> None:
    read_answers = {extract(f"\\boxed{{{number}}} {closing}") for number in range(8)}
    assert read_answers == {str(number) for number in range(8)}


DIFFERENT = [
    (r"-\sqrt[3]{2}", r"\sqrt[3]{2}"),
    (r"\frac{\sqrt[3]{4}}{6}", r"\sqrt[3]{4} \cdot 6"),
    (r"\frac{\sqrt[3]{4}}{6}", r"\sqrt[3]{4/6}"),
    (r"-i\sqrt{2}", r"i\sqrt{2}"),
    (r"\frac{1}{2} cup", "1-2 cup"),
    (r"\frac{1}{2} cup", "1 2 cup"),
    (r"1 - \sqrt[3]{2}", r"1 \cdot \sqrt[3]{2}"),
    (r"1 - \sqrt[3]{2}", r"1, \sqrt[3]{2}"),
    (r"-x\sqrt[5]{7}", r"x\sqrt[5]{7}"),
    (r"-\lfloor x \rfloor", r"\lfloor x \rfloor"),
    (r"-\log_2 8", r"\log_2 8"),
    ("24/7 hours", "24-7 hours"),
    ("ratio 3:4", "ratio 3/4"),
    ("profit = cost - revenue", "profit = cos(t) - revenue"),
    ("5 mW", "5 MW"),
    ("5 M", "5 m"),
    ("5 MHz", "5 mHz"),
    ("5 MM", "5 mm"),
    ("5 Gb", "5 GB"),
    ("about 5 MW", "about 5 mW"),
    ("5-10 MW", "5-10 mW"),
    ("5 MW/h", "5 mW/h"),
    (r"-\sqrt{2} cups", r"\sqrt{2} cups"),
    (r"\sqrt[3]{2} cups", r"\sqrt[4]{2} cups"),
    (r"-\binom{5}{2}", r"\binom{5}{2}"),
    ("-x apples", "x apples"),
    ("x_1 apples", "x_2 apples"),
    ("cost - revenue", "cost revenue"),
    (r"2^{3}4", r"2^{34}"),
    (r"\frac{1}{2}3", r"\frac{1}{23}"),
    (r"\log_{2}8", r"\log_{28}"),
    ("5! ways", "5 ways"),
    ("(1/2)% milk", "1/2 milk"),
    ("-3 apples", "3 apples"),
    ("3.5 apples", "3 apples"),
    ("3 times", "3 time"),
    ("(0, infinity)", "(-infinity, 0)"),
    (r"\{0, \pi\}", r"\{0, -\pi\}"),
]
SAME = [
    (r"\frac\pi2", r"\frac{\pi}{2}"),
    (r"\frac3\pi", r"3/\pi"),
    (r"6 \times 7 = 42", "42"),
    ("22 + 2 = 24 years old", "24 years old"),
    ("2 + 3 = 5 cm", "5 cm"),
    ("10/4 = 5/2", "2.5"),
    ("5 KG", "5 kg"),
    ("5 Meters", "5 m"),
    ("34 sq. units", "34 square units"),
    ("5 sq. ft", "5 ft^2"),
    ("14 apple", "14 apples"),
    ("3.0 apples", "3 apples"),
    ("1,000 Boxes", "1000 box"),
    ("2 1/2 cups", "2.5 cups"),
    ("0.5 red cherries", "1/2 red cherry"),
    (r"[0,+\infty)", r"[0,\infty)"),
    (r"(-\infty, +\infty)", "(-∞, ∞)"),
    (r"0, \pi", r"\pi, 0"),
    (r"0, \pi", r"\{0, \pi\}"),
    (r"\pi, 0, 2\pi", r"0, 2\pi \text{ and } \pi"),
    (r"\log_{2}8", r"\log_2 8"),
    ("covid-19", "COVID 19"),
    ("24-hour clock", "24 hour clock"),
    ("the **Paris** one", "Paris one"),
    ("42。", "42"),
    ("巴黎。", "巴黎"),
]


@pytest.mark.parametrize(("one", "other"), DIFFERENT)
def test_no_sign_index_or_case_of_a_unit_is_lost(one: str, other: str) -> None:
    assert canonical(one) != canonical(other)


@pytest.mark.parametrize(("one", "other"), SAME)
def test_one_value_has_one_key(one: str, other: str) -> None:
    assert canonical(one) == canonical(other)


@pytest.mark.parametrize(
    "text", ["$18 per day", r"\$18 \text{ per day}", "$18/day", "$18 each", "18 dollars each", "$18 a piece"]
)
def test_a_rate_of_money_is_its_number_where_units_are_dropped(text: str) -> None:
    assert canonical(text, KeyPolicy(units="drop")) == "18"
    assert canonical("$18/x", KeyPolicy(units="drop")) != "18"
