"""A script, never imported: runs programs that nobody trusts, each test in a limited process of its own.

    python -s -S -P -B server.py FOLDER cpu_s wall_s memory_mb output_kb

Reads one request a line, {"program": text, "entry": name, "tests": [[arg, …], …], "cpu_s": …}, and answers one line,
[[kind, text], …], one entry a test: kind is value (text is JSON), compile_error, runtime_error, timeout, wall, memory
or no_output. Expected values never come here: a process that lies about its result gains nothing, because only the
right value passes. After a timeout the remaining tests of the program are answered alike, unrun.

Every test runs in a fork: own process group, standard streams on /dev/null, no other descriptor than the result pipe,
limits on address space, CPU time, file size, processes and descriptors, an unprivileged user where the server is root,
and an audit hook, which cannot be removed, that refuses to open files outside the test's folder and the standard
library, and every call that starts processes, signals others, changes files or reaches a network.
Only the standard library; starts in a few milliseconds.
"""

import contextlib
import gc
import json
import os
import resource
import select
import shutil
import signal
import sys
import time
from collections.abc import Callable
from typing import Any

# What a translated function may import: loaded once here, because the fork may open nothing.
OFFERED = (
    "math cmath re string itertools functools collections heapq bisect operator random statistics fractions decimal "
)
OFFERED += "datetime calendar copy typing dataclasses enum textwrap numbers array abc contextlib types"
for _name in OFFERED.split():
    __import__(_name)

NOBODY = 65534
FILE_KB = 256  # the largest file a program may write in its folder
# Functions that change files, users or processes and raise no audit event: taken out of the fork's os module.
SILENT = ("mkfifo", "mknod", "chroot", "setuid", "setgid", "setsid", "setpgid", "dup", "dup2", "memfd_create", "nice",
          "sched_setaffinity", "eventfd", "pidfd_open", "splice", "copy_file_range", "sendfile", "register_at_fork",
          "posix_openpt", "openpty", "login_tty", "unshare", "setns", "abort", "sync",
          "tcsetpgrp", "fchdir")  # fmt: skip


def refuse() -> None:
    """From here on, this process may open plain files of its working folder and do nothing that the list names.

    Everything the hook reads is a constant of its code or a default: a program reaches module globals, builtins and,
    by a traceback, the hook's frame, but no function object of it. A name without a slash stays in the folder, because
    links cannot be made and the folder cannot be changed.
    """

    def hook(
        event: str, arguments: tuple[Any, ...], kind: Any = type, text: Any = str, error: Any = PermissionError
    ) -> None:
        if event == "open":
            path = arguments[0]
            if kind(path) is not text or "/" in path or path in (".", ".."):
                raise error("a program may open files in its own folder only")
        elif event.startswith(("os.", "socket.", "subprocess.", "ctypes.", "shutil.", "pty.", "fcntl.", "mmap.",
                               "resource.", "signal.", "gc.", "import", "code.__new__", "marshal.", "pickle.",
                               "sqlite3.", "_thread.", "sys.addaudithook", "sys.set", "sys._current", "sys.monitoring",
                               "cpython.", "tempfile.", "glob.", "syslog.", "urllib.", "webbrowser.")):  # fmt: skip
            raise error("a program may not do this: " + event)

    sys.addaudithook(hook)


def limit(cpu_s: float, memory_mb: int) -> None:
    """The kernel's limits of this process; hard, so that they cannot be raised again."""
    seconds = int(cpu_s) + 2  # the server watches the finer limit; this one holds if the server cannot
    for what, value in (
        (resource.RLIMIT_CPU, seconds),
        (resource.RLIMIT_AS, memory_mb << 20),
        (resource.RLIMIT_FSIZE, FILE_KB << 10),
        (resource.RLIMIT_NOFILE, 16),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_NPROC, 0),
    ):
        _, hard = resource.getrlimit(what)
        value = value if hard == resource.RLIM_INFINITY else min(value, hard)
        resource.setrlimit(what, (value, value))


def child(
    request: dict[str, Any], arguments: list[Any], result: int, folder: str, memory_mb: int, output_kb: int
) -> None:
    """Runs one test and writes its answer to `result`. Never returns."""
    answer: list[str] = ["runtime_error", ""]
    try:
        os.setpgid(0, 0)
        null = os.open(os.devnull, os.O_RDWR)
        for stream in (0, 1, 2):
            os.dup2(null, stream)
        os.dup2(result, 3)
        os.closerange(4, 256)
        os.chdir(folder)
        limit(request["cpu_s"], memory_mb)
        if os.getuid() == 0:
            os.setgroups([])
            os.setgid(NOBODY)
            os.setuid(NOBODY)
        environment = os.environ
        environment.clear()
        write, dumps, leave = os.write, json.dumps, os._exit
        scope = {"__name__": "program", "__builtins__": __builtins__}
        posix = sys.modules["posix"]
        for module in (os, posix):
            for name in SILENT:
                if hasattr(module, name):
                    delattr(module, name)
        for name in ("gc", "resource", "select", "shutil", "signal", "_signal", "posix", "zlib", "bz2", "lzma"):
            sys.modules.pop(name, None)
        for name in ("gc", "resource", "select", "shutil", "signal"):
            globals().pop(name)
        refuse()
        answer = run(request, arguments, scope, dumps, output_kb)
    except MemoryError:
        answer = ["memory", ""]
    except BaseException as error:
        answer = ["runtime_error", type(error).__name__]
    try:
        data = dumps(answer).encode()
        while data:
            data = data[write(3, data) :]
    finally:
        leave(0)


def run(
    request: dict[str, Any], arguments: list[Any], scope: dict[str, Any], dumps: Callable[[Any], str], output_kb: int
) -> list[str]:
    """[kind, text] of one test."""
    if not request["program"].strip():
        return ["no_output", ""]
    try:
        code = compile(request["program"], "<program>", "exec", dont_inherit=True)
    except MemoryError:
        return ["memory", ""]
    except (SyntaxError, ValueError, RecursionError, OverflowError) as error:
        return ["compile_error", type(error).__name__]
    import builtins

    builtins.exec(code, scope)
    value = scope[request["entry"]](*arguments)
    if value is None:
        return ["value", "null"]
    text = dumps(value)
    return ["value", text] if len(text) <= output_kb << 10 else ["runtime_error", "output too long"]


def cpu_seconds(pid: int) -> float:
    """CPU time that a process has used; 0 where the system does not say."""
    try:
        with open(f"/proc/{pid}/stat") as file:
            fields = file.read().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def one(
    request: dict[str, Any], arguments: list[Any], home: str, wall_s: float, memory_mb: int, output_kb: int
) -> list[str]:
    """Forks, waits within the limits, kills, and says what came out."""
    folder = os.path.join(home, "t")
    if os.path.isdir(folder) and os.listdir(folder):
        shutil.rmtree(folder)
    if not os.path.isdir(folder):
        os.mkdir(folder)
        os.chmod(folder, 0o777)
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(reading)
        child(request, arguments, writing, folder, memory_mb, output_kb)
    os.close(writing)
    ended, text, began = "", bytearray(), time.monotonic()
    while True:
        ready, _, _ = select.select([reading], [], [], 0.05)
        if ready:
            data = os.read(reading, 65536)
            if not data:
                break
            text += data
            if len(text) > (output_kb + 4) << 10:
                ended = "runtime_error"
                break
        elif cpu_seconds(pid) >= request["cpu_s"]:
            ended = "timeout"
            break
        elif time.monotonic() - began > wall_s:
            ended = "wall"
            break
    for kill in (os.killpg, os.kill):
        with contextlib.suppress(OSError):
            kill(pid, signal.SIGKILL)
    _, status = os.waitpid(pid, 0)
    while True:  # whatever a program left behind was handed to this process
        try:
            if os.waitpid(-1, os.WNOHANG)[0] == 0:
                break
        except ChildProcessError:
            break
    os.close(reading)
    if ended:
        return [ended, ""]
    try:
        kind, detail = json.loads(bytes(text))
        if isinstance(kind, str) and isinstance(detail, str):
            return [kind, detail]
    except (ValueError, TypeError):
        pass
    if os.WIFSIGNALED(status) and os.WTERMSIG(status) in (signal.SIGXCPU, signal.SIGKILL) and not text:
        return ["timeout" if os.WTERMSIG(status) == signal.SIGXCPU else "no_output", ""]
    return ["no_output" if not os.WIFSIGNALED(status) else "runtime_error", ""]


def main() -> None:
    home, wall_s, memory_mb, output_kb = sys.argv[1], float(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])
    gc.freeze()  # what a fork does not touch is not copied
    gc.disable()
    requests = os.fdopen(os.dup(0), "rb")
    answers = os.fdopen(os.dup(1), "w")
    for line in requests:
        request = json.loads(line)
        results: list[list[str]] = []
        for arguments in request["tests"]:
            if results and results[-1][0] in ("timeout", "wall"):
                results.append(results[-1])
            else:
                results.append(one(request, arguments, home, wall_s, memory_mb, output_kb))
        answers.write(json.dumps(results) + "\n")
        answers.flush()


if __name__ == "__main__":
    main()
