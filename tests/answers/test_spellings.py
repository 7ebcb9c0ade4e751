"""Spellings that a person takes for one answer have one key, and answers that differ have two: by kind.

A row holds spellings, between `|`: of one answer in ALIKE, of as many answers in APART.
"""

import pytest

from alft.answers import KeyPolicy, Outcome, canonical, grade

ALIKE = {
    "a power of ten, with its unit": r"""
        3\times10^8 m/s|3.00\times10^8 m/s|3e8 m/s|3 x 10^8 m/s|300000000 m/s|3 × 10⁸ meters per second
        3 x 10^8|3x10^8|300000000
        10^3 m|1000 meters
        3×10⁻⁸|3e-8|3 x 10^{-8}
        6.02×10²³|6.02e23
        2.998 x 10^8 m/s|299800000 m/s""",
    "a product over something": r"""
        \frac{3\pi}{4}|3π/4|3\pi/4|(3\pi)/4
        -\frac{3\pi}{4}|-3π/4|\frac{-3\pi}{4}
        \frac{2\sqrt{3}}{3}|2√3/3
        \frac{x^2y}{4}|x^2y/4""",
    "a variable in a set": r"""
        x \in [2, 3)|x \in [2,3)|x∈[2, 3)
        x \in (-\infty, 3]|x \in (-\infty,3]
        x \in (-\infty, 1) \cup (2, \infty)|x\in(2,\infty)\cup(-\infty,1)
        (x, y) = (1, 2)|(x,y)=(1,2)
        S = \{1, 2\}|S = \{2,1\}""",
    "several values of one variable": r"""
        x = 2, 3|x = 3, 2|x = 2, x = 3|x = 3 and 2
        t_1 = 2, 5|t_1 = 5, t_1 = 2""",
    "a value with its name": r"""
        x = 7 \text{ cm}|7 cm
        \text{Total}=7|7|Total = $7|\text{Total cost} = \$7|Area = 7|Total = 3 + 4 = 7
        Perimeter = 20 cm|20 cm
        Total = 7 apples|7 apples|n = 7 apples""",
    "a decimal point before a letter": """
        $18.5M|$18.50M|$18.5 million|18.5 million
        3.5GB|3.5 GB|3.50 gigabytes
        $2.5K|$2.50k
        $1.5B|$1.50B|$1.5 billion|$1.5bn""",
    "dots of an abbreviation": """
        7:00 P.M.|7:00 PM|7:00 p.m.|7:00 pm
        the U.S.|US|U.S
        Washington, D.C.|Washington DC
        44 B.C|44 B.C.|44 BC
        J.K. Rowling|J. K. Rowling
        U.S. Army|US Army""",
    "names of a unit": r"""
        70 degrees Celsius|70°C|70 degrees C|70^\circ\text{C}
        70 degrees Fahrenheit|70°F
        $7|$7 USD|$7 dollars|7 USD
        7 mi/hr|7 mph
        5 N|5 newtons
        5 J|5 Joules
        5 V|5 volts
        5 Pa|5 pascals
        5 Hz|5 hertz
        5 mol|5 moles
        5 Ω|5 ohms|5 \Omega
        5 gal|5 gallons
        5 cc|5 cubic centimeters""",
    "several units of one measure": """
        2 hours 15 minutes|2 hours and 15 minutes|2 h 15 min|2 hours, 15 minutes|2h 15m
        5 feet 7 inches|5 ft 7 in|5'7"|5′ 7″
        3 lbs 4 oz|3 pounds and 4 ounces""",
    "letters of other alphabets and lowered numbers": r"""
        sin θ|\sin\theta
        2α + β|2\alpha+\beta
        Δx|\Delta x
        \text{CO}_2|CO_2|CO2|CO₂
        H₂O|H2O|\text{H}_2\text{O}
        C₆H₁₂O₆|C_6H_{12}O_6
        x₁₂|x_{12}""",
    "LaTeX of fonts and lines": r"""
        7|\boxed{\bf 7}|\rm 7|\mathbf 7|{\bf 7}|\textnormal{7}|\textup{7}|\textbf 7
        \textsc{Paris}|Paris
        7{:}00|7:00
        7|\begin{aligned}x&=7\end{aligned}|$$\begin{align*}x &= 3+4\\ &= 7\end{align*}$$
        7|7\n
        x \not= 2|x \neq 2""",
    "signs of Arabic": "7.5|٧٫٥\n7%|٧٪\n1234|١٬٢٣٤",
    "one and many": """
        7 cookies|7 cookie
        7 knives|7 knife
        7 buses|7 bus
        7 potatoes|7 potato
        7 shoes|7 shoe
        7 people|7 person
        7 gloves|7 glove
        7 cherries|7 cherry""",
    "a calculation behind the value": r"""
        7|7 (3 + 4 = 7)|7 (= 3 + 4)|$7 (3 + 4 = 7)
        \frac12|\frac12 (=0.5)
        7 apples|7 apples (3 + 4 = 7)""",
    "a sign is an answer": r">|\boxed{>}" + "\n" + r"\geq|>=|≥",
    "a title in capitals": "Once Upon A Time|once upon a time\nTo Kill a Mockingbird|To Kill A Mockingbird",
}
APART = {
    "roots with an index": """
        x_1 = 2, x_2 = 3|x_1 = 5, x_2 = 3|3
        a_1=2, a_3=8|a_1=3, a_3=8|8
        x' = 2, x = 3|x^* = 2, x = 3|3""",
    "commas in numbers": r"""
        1,200 and 5,500|1,500 and 5,200
        $1,200 and $5,500|$1,500 and $5,200
        1{,}200, 5{,}500|1{,}500, 5{,}200
        x=1,200, y=5,500|x=1,500, y=5,200
        12,000 and 15,000|0, 12, 15
        \{1,200, 5,500\}|\{1,500, 5,200\}
        (100,200), (300,400)|100200, 300400
        x = 1,200|x = 1, 200""",
    "several options": "(A) and (C)|A|C\n\\text{(A) and (C)}|A\nA) 5, C) 7|A|B) 5, C) 7",
    "brackets that do not close": """
        9 (3 + 4 = 7)|7 (3 + 4 = 7)
        7) 3 + 4 = 7|7
        9 [3 + 4 = 7]|7
        9, 3 + 4 = 7|7""",
    "a whole number less a fraction": r"-2 + 1/3|-2 1/3" + "\n" + r"-2+\frac13|-2\frac13" + "\n2 (1/3)|2 1/3",
    "signs of Unicode": "⌊x⌋|⌈x⌉|x\n⌊7/2⌋|⌈7/2⌉|7/2\n5‰|5‱|5\n‖x‖|x\n⟦x⟧|x\nx̄|x̂|x\nकी|का|क",
    "a letter is no article": """
        Vitamin A|Vitamin B|vitamin
        Hepatitis A|hepatitis
        A & B|B
        A only|only
        A B|B
        Vitamin A deficiency|vitamin deficiency""",
    "signs alone": "<|>|=|<=|>=|!=",
    "names and products": "xy = 12|12\nabc = 6|6\nx \\not= 2|2",
    "units of other letters": "5 nm|5 Nm\n5 Gb|5 GB\n5 eV|5 EV\nCO_2|Co_2\n5'|5'7\"",
}
DROPPED = {
    "7 factorial": "7 factorial",
    "7 wrong": "7 wrong",
    "3 hundredths": "3 hundredths",
    "7 apples and 3 pears": "7 apples and 3 pears",
    "$5 and 7 apples": "text: 5 and 7 apples",
    "5 cm and 7 m": "5 cm and 7 m",
    r"\{7 apples, 3 pears\}": "7 apples 3 pears",
    "5 cm and 7 centimeters": "{5, 7}",
    "x = 7 cm": "7",
    "2 hours 15 minutes": "2 h 15 min",
}
KEPT_CURRENCY = {
    r"\$18": "$18",
    "$18 million": "$18 million",
    "€18 million": "€18 million",
    r"\$18 \text{ and } \$20": "{$18, $20}",
    "$7 dollars": "$7",
}


def rows(table: dict[str, str]) -> list[list[str]]:
    return [line.strip().split("|") for lines in table.values() for line in lines.splitlines() if line.strip()]


@pytest.mark.parametrize("spellings", rows(ALIKE), ids=lambda row: row[0])
def test_spellings_of_one_answer_have_one_key(spellings: list[str]) -> None:
    keys = {canonical(text) for text in spellings}
    assert len(keys) == 1
    assert None not in keys
    assert {canonical(key) for key in keys} == keys


@pytest.mark.parametrize("answers", rows(APART), ids=lambda row: row[0])
def test_other_answers_have_other_keys(answers: list[str]) -> None:
    keys = {canonical(text) for text in answers}
    assert len(keys) == len(answers)
    assert {canonical(key) for key in keys} == keys


@pytest.mark.parametrize("text", DROPPED)
def test_dropped_units_make_no_other_answer(text: str) -> None:
    assert canonical(text, KeyPolicy(units="drop")) == DROPPED[text]


@pytest.mark.parametrize("text", KEPT_CURRENCY)
def test_kept_money_is_kept_however_it_is_written(text: str) -> None:
    assert canonical(text, KeyPolicy(currency="keep")) == KEPT_CURRENCY[text]


@pytest.mark.parametrize(
    "text", ["(A) and (C)", "A) 5, C) 7", "A. 5, C. 7", "(a) 5 and (c) 7", "A. and C.", "A. 5 C. 7"]
)
def test_several_options_are_none_of_them(text: str) -> None:
    assert grade(text, "A") is Outcome.WRONG
    assert grade("A. Vitamins B and C", "A") is Outcome.RIGHT


@pytest.mark.parametrize(
    ("text", "key"),
    [("1,5 and 2,6", "{13/5, 3/2}"), ("1,6 and 2,5", "{5/2, 8/5}"), ("1.200, 5.500", "{1200, 5500}")],
)
def test_a_decimal_comma_parts_no_list(text: str, key: str) -> None:
    assert canonical(text, KeyPolicy(decimal="comma")) == key
