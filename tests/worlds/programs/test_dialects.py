"""Legacy texts: coherent, told apart from today's, unable to pass what today's pass."""

from __future__ import annotations

import numpy as np
import pytest

from harness.data.programs import load_problems
from harness.models.judges.python_tests import PythonTests
from harness.worlds.programs import SIZES, is_legacy, legacy, problems

TRAINING = problems("training")


@pytest.mark.parametrize(
    ("today", "old"),
    [
        ("for i in range(1, len(xs)):\n    n = n // 2\n", "for i in xrange(1, len(xs)):\n    n = n / 2\n"),
        ("return a != b and not c != d\n", "return a <> b and not c <> d\n"),
        ("return (a + b) // 2 != (a - 1) * 2\n", "return (a + b) / 2 <> (a - 1) * 2\n"),
        ("return [x * 2 for x in xs]\n", "return map(lambda x: x * 2, xs)\n"),
        ("return len([x for x in xs if x % 2 != 0])\n", "return len(filter(lambda x: x % 2 <> 0, xs))\n"),
        (
            "return [max(x // 3, 1) for x in xs if x > 1]\n",
            "return map(lambda x: max(x / 3, 1), filter(lambda x: x > 1, xs))\n",
        ),
        ('return f"<{s}/{n + 5}."\n', 'return "<" + unicode(s) + "/" + unicode(n + 5) + "."\n'),
        (
            'if s == "a != b // range(":\n    return "-".join([w[:2] for w in s.split(" ")])\n',
            'if s == "a != b // range(":\n    return "-".join(map(lambda w: w[:2], s.split(" ")))\n',
        ),
        ("return any(x != 1 for x in xs)\n", "return any(x <> 1 for x in xs)\n"),
    ],
)
def test_what_is_rewritten(today: str, old: str) -> None:
    text = f"def f(x):\n    {today}" if today.startswith("return") else today
    assert legacy(text) == (f"def f(x):\n    {old}" if today.startswith("return") else old)
    assert is_legacy(old)
    assert not is_legacy(today)


def test_a_program_is_wholly_in_one_dialect_and_drawn_by_its_place() -> None:
    share = np.mean([p.legacy for p in TRAINING])
    assert abs(share - 0.55) < 4 * np.sqrt(0.55 * 0.45 / SIZES["training"])
    assert all(p.legacy or not is_legacy(p.target) for p in TRAINING)
    for p in [p for p in TRAINING if p.legacy][:3000]:
        assert "range(" not in p.target.replace("xrange(", "")
        assert not any(mark in p.target for mark in ("!=", " // ", 'f"', " for x in xs]"))
    shared = [p for p in TRAINING if p.family == "counting"]  # every one of them has a range
    assert 0.45 < np.mean([is_legacy(p.target) for p in shared]) < 0.65


def test_references_are_todays_and_their_legacy_texts_fail() -> None:
    facts = load_problems("programs", "tune")
    assert not any(is_legacy(str(f["reference"])) for f in facts)
    assert not any(p.legacy for s in ("tune", "report") for p in problems(s))  # type: ignore[arg-type]
    old = np.array([legacy(str(f["reference"])) for f in facts])
    changed = np.array([is_legacy(t) for t in old])
    assert 0.4 < changed.mean() < 0.8
    np.testing.assert_array_equal(changed, [t != str(f["reference"]) for t, f in zip(old, facts, strict=True)])
    passed = PythonTests().open("cpu")({"texts": old}, facts)["outcome"] == "pass"
    assert passed[~changed].all()
    still = {f["family"] for f, c, ok in zip(facts, changed, passed, strict=True) if c and ok}
    # a map that is joined is one under Python 3 too; collatz divides the even alone
    assert still <= {"joined", "initials", "collatz"}
