"""Expressions that hang, kill or bloat a computer algebra system, by group; most were met in the wild."""

HOSTILE: dict[str, list[str]] = {
    "power towers": [
        r"9^{9^{9}}", r"9^{9^{9^{9}}}", "9^9^9^9", "9**9**9**9", r"\boxed{9^{9^{9^{9}}}}", r"(9^99999999)/3",
        r"2^{10^9}+x", r"10^{-10^9}+x", r"7^{7^{7^7}} \mod 10", r"e^{e^{e^{e^{e}}}}", r"1.5\times10^{999999999}+x",
        r"x^{999999}", r"(((9^9)^9)^9)^9", r"2^{2^{2^{2^{2^{2}}}}}", r"9^(9^(9^9))", r"x^{y^{z^{w^{9^9}}}}",
    ],
    "nested powers from issue threads": [
        r"\frac{5^{5^{5^{5}}}}{x}", r"5^{5^{5^{5^{5}}}}-5^{5^{5^{5}}}", r"\sqrt{5^{5^{5^5}}}",
        r"\log(5^{5^{5^5}})",
        r"\log_{10}(\log_{10}(10^{10^{10^{10}}}))", r"(2^{100000})^{100000}", r"\sin(9^{9^{9}})",
    ],
    "factorials, gamma, sums": [
        r"10^6!+x", r"10^9!+x", r"((20!)!)!", "1000000!", "(x+999)!", r"\Gamma(10^8)", r"\sum_{k=1}^{10^9} k",
        r"\sum_{k=1}^{10^4} 1/k^2", r"\prod_{k=1}^{10^9} k", r"\binom{10^9}{5\cdot 10^8}", r"\dbinom{99999}{4444}",
        r"(x+y+z)^{300}", "(x+y+z+w+u+v)^99", r"\int_0^1 x^x dx", r"\lim_{x\to0} \sin(x)^x/x",
        r"100000 \choose 50000",
    ],
    "nesting": [
        "(" * 500 + "x" + ")" * 500, "(" * 5000 + "x+1" + ")" * 5000, "{" * 5000 + "x" + "}" * 5000,
        r"\frac{1}{" * 500 + "x" + "}" * 500,
        "x^{" * 60 + "x" + "}" * 60, r"\sqrt{" * 100 + "2" + "}" * 100,
        "[" * 300 + "1,2" + "]" * 300, "(" * 500 + "x+1", "-" * 3000 + "x", r"\sqrt{" * 9 + "x" + "}" * 9,
    ],
    "long lists": [
        "+".join(["x"] * 2000), "{" + ",".join(map(str, range(2000))) + "}",
        "*".join(["(x+1)"] * 60),
        "x=" + "=".join(["1"] * 500), "(" + ",".join(["x+1"] * 300) + ")", "x<" + "<".join(["y"] * 100),
    ],
    "regular expressions": [
        r"\[" * 10_000, r"\(a " * 3000, "1 " * 500 + "+x", "1+(" * 2000,
        "$" * 5000 + "x+1", "x^" * 3000, " " * 9000 + "x+1",
    ],
    "giant numbers": [
        "9" * 5000 + "+x", "9" * 100_000 + "x", "0." + "1" * 50_000 + "+x", "1e999999999x", "x+1e-999999",
        "7" * 41 + "x",
    ],
    "odd characters": [
        "x+1\x00", "x+1\x1b[2J", "\u202ex+1", "x+\ud800", "🙂+x=1", "x+1" + "\u0301" * 100_000,
        "х+1=2", "x+１＋1=3",
    ],
    "code": [
        '__import__("os").system("true")+x', r"\text{__import__('os')}=1", "lambda x: x=1",
        "x=exec('1')", "{{7*7}}=x",
        "x=open('/etc/hostname').read()", "().__class__.__bases__[0]=x", "x=%s%n", "'; drop table x; --=1",
    ],
    "slow but finite": [
        r"\sqrt{2+\sqrt{3+\sqrt{5+\sqrt{7}}}}", r"x^5-x-1=0", r"\frac{1}{1+\frac{1}{1+\frac{1}{1+x}}}",
        r"\sin(1)^{20}+\cos(1)^{20}", r"(x+1)^9(x+2)^9(x+3)^9",
        r"\begin{pmatrix}" + r"1&2\\" * 30 + r"\end{pmatrix}",
        r"\tan(\tan(\tan(\tan(x))))", r"\log(\log(\log(x)))", r"x^{99}-y^{99}", r"|x+|x+|x+1|||",
    ],
}  # fmt: skip
ALL = [expression for group in HOSTILE.values() for expression in group]
