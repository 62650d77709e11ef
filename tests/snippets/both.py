#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Run a program of examples/README.md in Python and in C: they say the same.

    both.py [--alone] [--any-order] [--logs] [--raises] <program.py> <command that runs the program in C...>
    both.py --self-test

Each is given a line on standard input. Each ends with 0, prints something, and nothing on stderr.
--alone      Python's is not run: this is another build of what was compared before.
--any-order  the order of the lines is not compared.
--logs       on stderr there are lines of the log, "[LEVEL/process] ...", and nothing else.
--raises     in a child of Python's there is a RuntimeError, of which stderr tells.
"""
import os
import re
import subprocess
import sys
import tempfile

WANTED = (3, 8)


def run(command):
    """What is wrong with how it went, and the lines that it printed."""
    # Files, and no pipes: what a program leaves behind holds a pipe open.
    with tempfile.TemporaryFile() as stdin, tempfile.TemporaryFile() as stdout, tempfile.TemporaryFile() as stderr:
        stdin.write(b"a line\n")
        stdin.seek(0)
        code = subprocess.call(command, stdin=stdin, stdout=stdout, stderr=stderr)
        stdout.seek(0)
        stderr.seek(0)
        lines = stdout.read().decode().replace("\r\n", "\n").split("\n")
        errors = stderr.read().decode().replace("\r\n", "\n").split("\n")
    return code, lines, [line for line in errors if line]


def wrong_of(code, lines, errors, logs):
    wrong = [] if code == 0 else [f"it ended with {code}"]
    if not any(lines):
        wrong.append("it has printed nothing")
    if logs:
        strange = [line for line in errors if not re.match(r"\[(DEBUG|INFO|WARNING|ERROR)/[^]]+\] .", line)]
        if len(strange) == len(errors):
            wrong.append("there is no log on stderr")
        errors = strange
    return wrong + [f"on stderr: {line}" for line in errors]


def untold(errors):
    """An error that was to be is none, and where there is none that is one."""
    return [] if any(line.startswith("RuntimeError:") for line in errors) else errors + ["no RuntimeError"]


def difference(python, c, any_order):
    if any_order:
        python, c = sorted(python), sorted(c)
    return [] if python == c else [f"Python printed {python}", f"C printed      {c}"]


def main(arguments):
    options = [argument for argument in arguments if argument.startswith("--")]
    program, *command = arguments[len(options) :]
    # mingw's stderr is among what it prints, by tests/wine; a log does not belong to what is compared.
    wrong = []
    code, c, errors = run(command)
    if "--logs" in options:
        errors += [line for line in c if line.startswith("[")]
        c = [line for line in c if not line.startswith("[")]
    wrong += [f"C: {text}" for text in wrong_of(code, c, errors, "--logs" in options)]
    alone = "--alone" in options
    if not alone and sys.version_info >= WANTED:
        code, python, errors = run([sys.executable, program])
        if "--raises" in options:
            errors = untold(errors)
        wrong += [f"Python: {text}" for text in wrong_of(code, python, errors, "--logs" in options)]
        wrong += difference(python, c, "--any-order" in options)
    for line in wrong:
        print(line)
    if wrong:
        return 1
    print("\n".join(c).rstrip("\n"))
    if not alone and sys.version_info < WANTED:
        print("this Python is too old to be compared with")
        return 77
    return 0


def self_test():
    samples = [
        (wrong_of(0, ["a", ""], [], False), []),
        (wrong_of(1, ["a", ""], [], False), ["it ended with 1"]),
        (wrong_of(0, [""], ["oh"], False), ["it has printed nothing", "on stderr: oh"]),
        (wrong_of(0, ["a"], ["[INFO/Process-1] b"], True), []),
        (wrong_of(0, ["a"], ["[INFO/Process-1] b"], False), ["on stderr: [INFO/Process-1] b"]),
        (wrong_of(0, ["a"], [], True), ["there is no log on stderr"]),
        (wrong_of(0, ["a"], ["[INFO/x] b", "oh"], True), ["on stderr: oh"]),
        (untold(["Traceback", "RuntimeError:"]), []),
        (untold(["oh"]), ["oh", "no RuntimeError"]),
        (difference(["a", "b"], ["a", "b"], False), []),
        (difference(["a", "b"], ["b", "a"], False), ["Python printed ['a', 'b']", "C printed      ['b', 'a']"]),
        (difference(["a", "b"], ["b", "a"], True), []),
        (difference(["a", "a"], ["a"], True), ["Python printed ['a', 'a']", "C printed      ['a']"]),
    ]
    with tempfile.TemporaryDirectory() as folder:
        programs = {}
        for name, text in (("one", "print(input())"), ("other", "print('another line')"), ("fails", "import sys; sys.exit('oh')")):
            programs[name] = os.path.join(folder, name + ".py")
            with open(programs[name], "w", encoding="utf-8") as file:
                file.write(text)
        for left, right, code in (("one", "one", 0), ("one", "other", 1), ("fails", "fails", 1)):
            command = [sys.executable, __file__, programs[left], sys.executable, programs[right]]
            samples.append((subprocess.call(command, stdout=subprocess.DEVNULL), code))
        for right, code in (("one", 0), ("fails", 1)):
            command = [sys.executable, __file__, "--alone", programs["fails"], sys.executable, programs[right]]
            samples.append((subprocess.call(command, stdout=subprocess.DEVNULL), code))
    wrong = [sample for sample in samples if sample[0] != sample[1]]
    print(f"both.py: {len(samples)} samples, {len(wrong)} wrong: {wrong}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(self_test() if sys.argv[1:] == ["--self-test"] else main(sys.argv[1:]))
