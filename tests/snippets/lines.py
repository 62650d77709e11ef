#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Run the left half of the lines of a section of examples/README.md:  lines.py <section_name.py>

They are what they say: "q.full()  # True" has to be True, "q.get(timeout=0.01)  # Empty" has to raise that. What is younger
than this Python is passed over. Exit code 77: this Python is too old.
"""
import ast
import os
import re
import sys
import time
from multiprocessing import *
from multiprocessing.connection import wait
from signal import SIGTERM

YOUNGER = ("interrupt", "locked")  # of Python 3.14


def wait_for_ever(number):
    time.sleep(1000)


def f(*events):
    for event in events:
        event.set()


def g(barrier):
    barrier.wait()


def give(condition, count):
    for _ in range(2):
        with condition:
            count.value += 1
            condition.notify()


def square(x):
    return x * x


def mul(x, y):
    return x * y


def init(number):
    pass


def note(result):
    pass


class Loop:
    """As much of an event loop as is asked for here."""

    def add_reader(self, fd, function):
        assert isinstance(fd, int)

    remove_reader = lambda self, fd: None


def here(section):
    """What the lines find."""
    import logging
    from multiprocessing.shared_memory import SharedMemory

    names = dict(globals(), SharedMemory=SharedMemory, logging=logging, n=0, total=0, xs=[1, 2, 3], ys=[1, 4, 9], loop=Loop())
    names["file"] = ["one", "three"]
    if section == "condition":
        names["count"] = Value("i")
    if section == "errors_and_logging":
        names["lock"] = Lock()
    if section == "waiting_for_any_of_many":
        names["a"], names["b"] = Pipe()
        names["p"] = Process(target=wait_for_ever, args=(7,), daemon=True)
        names["p"].start()
    return names


def run(expression, comment, where):
    """An expression that stands alone: what it is, or raises, the comment says, unless that is words."""
    expected = raised = None
    says = bool(comment)
    try:
        expected = ast.literal_eval(comment)
    except (SyntaxError, ValueError):
        raised = comment if re.match(r"[A-Z]\w+$", comment) else None
        says = raised is not None
    try:
        value = expression()
    except AttributeError as error:
        if sys.version_info < (3, 14) and any(f"'{name}'" in str(error) for name in YOUNGER):
            return
        raise
    except Exception as error:
        if type(error).__name__ == raised:
            return
        raise
    if raised or (says and value != expected):
        sys.exit(f"{where}: it is not so: {comment}, but {value}")


def wrapped(text, path):
    """The text, with each expression that stands alone given to run()."""
    lines = text.split("\n")

    class Wrap(ast.NodeTransformer):
        def visit_Expr(self, node):
            comment = re.match(r".*?\s+# (.*)$", lines[node.end_lineno - 1])
            call = ast.parse("run(lambda: 0, '', '')", mode="eval").body
            call.args[0].body = node.value
            call.args[1].value = comment.group(1) if comment else ""
            call.args[2].value = f"{path}:{node.lineno}"
            return ast.copy_location(ast.Expr(call), node)

    return ast.fix_missing_locations(Wrap().visit(ast.parse(text, path)))


def self_test():
    samples = [("1 + 1  # 2", False), ("1 + 1  # 3", True), ("[][0]  # IndexError", False), ("[][0]  # KeyError", True),
               ("[]  # IndexError", True), ("1 + 1  # in words", False), ("if 1:\n    1 + 1  # 3", True), ("(1).locked()", False),
               ("(1).taken()", True), ("'a'  # 'a'", False), ("None  # None", False), ("0  # None", True), ("0; [][0]", True)]
    wrong = []
    for text, fails in samples:
        try:
            exec(compile(wrapped(text, "sample"), "sample", "exec"), {"run": run})
            failed = False
        except (SystemExit, Exception):
            failed = True
        if failed != fails:
            wrong.append(text)
    print(f"lines.py: {len(samples)} samples, {len(wrong)} wrong: {wrong}")
    return 1 if wrong else 0


def main(path):
    if path == "--self-test":
        return self_test()
    if sys.version_info < (3, 8):
        return 77
    with open(path, encoding="utf-8") as file:
        text = file.read()
    section = re.sub(r"^section_|\.py$", "", os.path.basename(path))
    exec(compile(wrapped(text, path), path, "exec"), here(section))
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
