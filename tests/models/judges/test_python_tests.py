"""The judge of programs: right verdicts, and nothing that a program does reaches the harness."""

from __future__ import annotations

import os
import socket
import sys
import textwrap
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness.models.judges import JUDGES
from harness.models.judges.programs.references import unsound
from harness.models.judges.programs.runner import ENVIRONMENT, Job, Limits, Server, run
from harness.models.judges.python_tests import OUTCOMES, PythonTests, agrees
from harness.worlds.programs import problems

QUICK: dict[str, Any] = {"cpu_s": 0.3, "wall_s": 2.0}


def verdict(text: str, *, args: tuple[Any, ...] = (), expected: Any = 1, **options: Any) -> str:
    fact = {"entry": "f", "tests": [{"args": list(args), "expected": expected}]}
    found = PythonTests(**{**QUICK, **options}).open("cpu")({"texts": np.array([textwrap.dedent(text)])}, [fact])
    return str(found["outcome"][0])


def facts(count: int) -> list[dict[str, Any]]:
    return [
        {"entry": p.entry, "name": p.name, "reference": p.target, "tests": [t._asdict() for t in p.tune]}
        for p in problems("tune")[:count]
    ]


def test_references_pass_and_empty_programs_do_not() -> None:  # T65
    asked = facts(12)
    judge = PythonTests().open("cpu")
    right = judge({"texts": np.array([f["reference"] for f in asked])}, asked)
    assert set(right["outcome"].tolist()) == {"pass"}
    assert right["passed"].tolist() == right["tests"].tolist() == [4] * 12
    empty = judge({"texts": np.array([""] * 12)}, asked)
    assert set(empty["outcome"].tolist()) == {"no_output"}
    assert empty["passed"].sum() == 0


@pytest.mark.parametrize(
    ("text", "outcome"),
    [
        ("def f():\n    return 1", "pass"),
        ("def f():\n    return 2", "wrong"),
        ("def f():\n    return True", "wrong"),
        ("def f():\n    return 1.0 + 1e-12", "pass"),
        ("def f():\n    return {1}", "runtime_error"),
        ("def f(:\n    return 1", "compile_error"),
        ("def f():\nreturn 1", "compile_error"),
        ("def f():\n    return 1\x00 + 0", "compile_error"),
        ("def g():\n    return 1", "runtime_error"),
        ("def f():\n    return [1][3]", "runtime_error"),
        ("def f():\n    pass", "no_output"),
        ("   \n", "no_output"),
        ("def f():\n    return f()", "runtime_error"),
        ("def f():\n    while True: pass", "timeout"),
        ("import math\nfrom collections import Counter\ndef f():\n    return math.gcd(3, 4)", "pass"),
    ],
)
def test_outcomes_are_typed(text: str, outcome: str) -> None:
    assert verdict(text) == outcome
    assert outcome in OUTCOMES


def test_values_are_compared_as_json() -> None:
    assert agrees([1, [2.0]], [1, [2]], 1e-9)
    assert not agrees([1], [1, 1], 1e-9)
    assert not agrees(True, 1, 1e-9)
    assert not agrees(1, True, 1e-9)
    assert not agrees("1", 1, 1e-9)
    assert not agrees(float("nan"), 1.0, 1e-9)
    assert agrees(1e12 + 1, 1e12, 1e-9)
    assert not agrees(10**12 + 1, 10**12, 1e-9)  # integers are exact
    assert agrees({"a": [None]}, {"a": [None]}, 0)
    assert not agrees(10**400, 1.0, 1e-9)
    assert verdict("def f(x):\n    return (x, 'a')", args=(3,), expected=[3, "a"]) == "pass"


# --- what a program may not do (T65, design of the runner) ---


def test_memory_is_limited_and_comes_back() -> None:
    assert verdict("def f():\n    return len([0] * (10 * 2**30 // 8))") == "memory"
    assert verdict("def f():\n    x = []\n    while True:\n        x.append(bytearray(10**7))", cpu_s=3.0) == "memory"


def test_a_fork_bomb_makes_no_process() -> None:
    for bomb in ("os.fork()", "os.posix_spawn('/bin/sh', ['sh'], {})", "os.system('true')", "os.execv('/bin/sh', [])"):
        assert verdict(f"import os\ndef f():\n    while True:\n        {bomb}") == "runtime_error"
    assert verdict("import threading\ndef f(): return 1") == "runtime_error"
    assert verdict("import _thread\ndef f():\n    while True: _thread.start_new_thread(f, ())") == "runtime_error"


def test_huge_output_goes_nowhere() -> None:
    assert verdict("def f():\n    for _ in range(500): print('x' * 10**5)\n    return 1", cpu_s=2.0) == "pass"
    assert verdict("import os\ndef f():\n    while True: os.write(1, b'x' * 10**6)") == "timeout"
    assert verdict("def f():\n    return 'x' * 10**7") == "runtime_error"


def test_files_outside_its_folder_are_out_of_reach(tmp_path: Path) -> None:
    tmp_path.chmod(0o777)
    victim = tmp_path / "victim.txt"
    victim.write_text("kept")
    victim.chmod(0o666)
    for attack in (
        f"open({str(victim)!r}, 'w').write('x')",
        f"open({str(victim)!r}).read()",
        f"os.remove({str(victim)!r})",
        f"os.truncate({str(victim)!r}, 0)",
        f"os.rename({str(victim)!r}, 'v')",
        f"os.mkdir({str(tmp_path / 'd')!r})",
        f"os.symlink({str(victim)!r}, 'link')",
        f"os.link({str(victim)!r}, 'link')",
        f"os.mkfifo({str(tmp_path / 'p')!r})",
        "os.open('..', 0)",
        "os.chdir('/')",
        "open('/proc/self/environ').read()",
        "open(b'/etc/passwd').read()",
        "os.listdir('/')",
    ):
        assert verdict(f"import os\ndef f():\n    {attack}\n    return 1") == "runtime_error", attack
    assert victim.read_text() == "kept"
    assert list(tmp_path.iterdir()) == [victim]
    # its own folder may be written, and starts empty for every test
    own = "import os\ndef f():\n    with open('x', 'x') as h: h.write('1')\n    return int(open('x').read())"
    asked = [{"entry": "f", "tests": [{"args": [], "expected": 1}] * 3}]
    found = PythonTests().open("cpu")({"texts": np.array([own])}, asked)
    assert found["passed"].tolist() == [3]


def test_the_environment_of_the_harness_is_not_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET_OF_THE_HARNESS", "x")
    assert verdict("import os\ndef f():\n    return len(os.environ)", expected=0) == "pass"
    with Server(Limits()) as server:
        environment = Path(f"/proc/{server._process.pid}/environ")
        if environment.exists():
            seen = {entry.split("=")[0] for entry in environment.read_text().split("\0") if entry}
            assert seen <= set(ENVIRONMENT)


def test_no_network() -> None:
    listener = socket.create_server(("127.0.0.1", 0))
    listener.settimeout(0.2)
    port = listener.getsockname()[1]
    call = f"socket.create_connection(('127.0.0.1', {port}))"
    assert verdict(f"import socket\ndef f():\n    {call}\n    return 1") == "runtime_error"
    low = f"_socket.socket().connect(('127.0.0.1', {port}))"
    assert verdict(f"import _socket\ndef f():\n    {low}\n    return 1") == "runtime_error"
    with pytest.raises(TimeoutError):
        listener.accept()
    listener.close()


def test_leaving_early_and_closing_everything_is_no_verdict() -> None:
    assert verdict("import os\ndef f():\n    os._exit(0)") == "no_output"
    assert verdict("import sys\ndef f():\n    sys.exit(0)") == "runtime_error"
    closing = """
        import os
        def f():
            for i in range(64):
                try: os.close(i)
                except OSError: pass
            return 1
    """
    assert verdict(closing) == "no_output"


def test_a_forged_verdict_is_worth_nothing() -> None:
    for line in ('["pass", ""]', '{"outcome": "pass"}', '[["value", "1"]]', "pass", '["value", "7"]', '["value", 7]'):
        forged = f"import os\ndef f():\n    print({line!r})\n    os.write(3, {line.encode()!r})\n    os._exit(0)"
        assert verdict(forged) in ("wrong", "no_output", "runtime_error"), line


def test_the_hook_cannot_be_talked_out_of_it(tmp_path: Path) -> None:
    tmp_path.chmod(0o777)
    target = tmp_path / "made"
    for trick in (
        "import __main__, builtins\nbuiltins.type = lambda x: str\n__main__.refuse = None\n",
        "import builtins\nbuiltins.PermissionError = lambda *a: None\n",
        "import os, posixpath\nposixpath.realpath = lambda p: 'x'\nos.path.realpath = lambda p: 'x'\n",
        "import sys\nsys.modules['__main__'].__dict__.clear()\n",
    ):
        assert verdict(f"{trick}def f():\n    open({str(target)!r}, 'w')\n    return 1") == "runtime_error", trick
    frames = f"""
        def f():
            try:
                open({str(target)!r}, 'w')
            except PermissionError as e:
                frame = e.__traceback__.tb_next.tb_frame
                for name in list(frame.f_locals):
                    try: frame.f_locals[name] = str
                    except Exception: pass
                open({str(target)!r}, 'w')
            return 1
    """
    assert verdict(frames) == "runtime_error"
    for signals in ("import signal\n", "import _signal\n", "import ctypes\n", "import gc\n", "import resource\n"):
        assert verdict(f"{signals}def f():\n    return 1") == "runtime_error"
    assert not target.exists()


def test_deep_recursion_and_signals_stay_inside() -> None:
    deep = "import sys\nsys.setrecursionlimit(10**9)\ndef f():\n    return f()"
    assert verdict(deep, cpu_s=1.0) in ("runtime_error", "memory", "timeout")
    assert verdict("def f():\n    a = []\n    for _ in range(10**5): a = [a]\n    return a") in (
        "wrong",
        "runtime_error",
    )
    assert verdict("import os\ndef f():\n    os.kill(os.getppid(), 9)\n    return 1") == "runtime_error"
    assert verdict("import os\ndef f():\n    os.killpg(0, 9)\n    return 1") == "runtime_error"
    caught = "def f():\n    while True:\n        try:\n            while True: pass\n        except BaseException: pass"
    assert verdict(caught) == "timeout"


def test_one_bad_program_does_not_touch_the_others() -> None:
    asked = facts(6)
    texts = [f["reference"] for f in asked]
    texts[1], texts[3] = "import os\nos._exit(1)", "while True: pass"
    found = PythonTests(**QUICK).open("cpu")({"texts": np.array(texts)}, asked)
    assert found["outcome"].tolist() == ["pass", "no_output", "pass", "timeout", "pass", "pass"]
    assert found["again"].tolist() == [False, False, False, True, False, False]


def test_a_program_that_was_run_is_not_run_again(monkeypatch: pytest.MonkeyPatch) -> None:
    from harness.models.judges import python_tests

    asked, runs = facts(3), []
    texts = np.array([f["reference"] for f in asked])
    original = python_tests.run
    monkeypatch.setattr(python_tests, "run", lambda jobs, *more: runs.append(len(jobs)) or original(jobs, *more))
    judge = PythonTests(**QUICK).open("cpu")
    first = judge({"texts": texts}, asked)
    changed = np.array([*texts[:2], "x = 1"])
    second = judge({"texts": changed}, asked)
    assert runs == [3, 1]
    assert first["outcome"].tolist() == ["pass"] * 3
    assert second["outcome"].tolist() == ["pass", "pass", "runtime_error"]
    judge({"texts": np.array([texts[0]] * 2)}, [asked[0], {**asked[0], "tests": asked[0]["tests"][:1]}])
    assert runs == [3, 1, 1]  # other tests are another question


def test_verdicts_are_those_of_one_worker_whatever_the_order() -> None:
    asked = facts(10)
    texts = np.array([f["reference"] for f in asked[:5]] + ["def x(:", "", "import os\nos._exit(0)", "1/0", "x = 1"])
    alone = PythonTests(**QUICK).open("cpu")({"texts": texts}, asked)
    many = PythonTests(**QUICK, workers=8).open("cpu")({"texts": texts}, asked)
    back = PythonTests(**QUICK).open("cpu")({"texts": texts[::-1]}, asked[::-1])
    for name in ("outcome", "passed", "tests", "again"):
        assert alone[name].tolist() == many[name].tolist() == back[name][::-1].tolist()


def test_a_hash_seed_a_locale_and_a_time_zone_that_do_not_vary() -> None:
    text = "import time\ndef f():\n    return [hash('abc') % 1000, time.strftime('%Z')]"
    job = Job(text, "f", "[[]]")
    first, second = (run([job], Limits())[0].results for _ in range(2))
    assert first == second
    assert '"UTC"' in first[0][1]


def test_no_process_and_no_folder_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    tmp_path.chmod(0o711)
    with Server(Limits(**QUICK)) as server:
        process = server._process
        assert server.ask(Job("def f():\n    return 2", "f", "[[], []]")) == (("value", "2"), ("value", "2"))
        process.kill()  # a server that dies costs its program, and the next one finds another
        assert server.ask(Job("def f():\n    return 2", "f", "[[]]"))[0][0] == "runtime_error"
        assert server.ask(Job("def f():\n    return 2", "f", "[[]]")) == (("value", "2"),)
        process = server._process
    assert process.poll() is not None
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(sys.platform != "linux", reason="the jail is of Linux")
def test_the_jail_says_what_it_had() -> None:
    with Server(Limits()) as server:
        assert set(server.layers) == {"network_namespace", "landlock"}
        assert all(isinstance(v, bool) for v in server.layers.values())


def test_a_batch_is_judged_in_the_time_of_forks() -> None:
    asked = facts(20)
    began = time.process_time() + os.times().children_user + os.times().children_system
    PythonTests().open("cpu")({"texts": np.array([f["reference"] for f in asked])}, asked)
    used = time.process_time() + os.times().children_user + os.times().children_system - began
    assert used < 0.03 * 80  # CPU seconds of 80 tests; a start of Python a test would take more


def test_references_that_fail_their_own_tests_are_named() -> None:
    asked = facts(3)
    asked[1]["reference"] = f"def {asked[1]['entry']}(*a):\n    return 1 // 0\n"
    assert unsound(asked, PythonTests(**QUICK)) == ((asked[1]["name"], "runtime_error"),)
    assert unsound([], PythonTests()) == ()


def test_the_judge_is_registered_and_names_its_interpreter() -> None:
    judge = JUDGES.get("python-tests")
    assert judge is PythonTests
    assert len(judge().digest()) == 32
    with pytest.raises(ValueError, match="no unit tests"):
        judge().open("cpu")({"texts": np.array(["x"])}, [{"entry": "f", "tests": []}])
