#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Take the code out of the public headers' opening comments, README.md and examples/README.md, so that it is compiled and run.

    extract.py <libmp> <folder> <name...>     writes into <folder>, for each name:
        pool          pool.snippet: of include/mp/pool.h; readme: of README.md
        section_pool  section_pool.snippet and .py: of examples/README.md, the lines of its section "Pool"
        program_pool  program_pool.c and .py: of examples/README.md, the program below the heading "Pool"
    extract.py --to-format <libmp> <folder>   writes the programs of examples/README.md as clang-format likes to see them
    extract.py --self-test

In a header code is what is indented by four or more beyond the comment's " *", in README.md a ```c block, in examples/README.md
each indented block: Python on the left, C from COLUMN on. One with a main is a program. In the others a line that ends with a
value in a comment is a check: "result = f();  /* MP_EINVAL: why */" makes sure that it is that.

Fails unless there is a name for each of them, and one of them for each name (compiler.h needs none), and if README.md or
examples/README.md speak of something in libmp that no header has.
"""
import glob
import os
import re
import sys

COLUMN = 47
VALUE = r'-?\d+|MP_[A-Z]+|"[^"]*"|true|false|NULL'


def of_header(text):
    opening = re.match(r"\s*/\*(.*?)\*/", text, re.S)
    snippets, current = [], []
    for line in (opening.group(1) if opening else "").split("\n"):
        inside = re.match(r"\s?\*(?:     ?(.*))?$", line)
        if inside and inside.group(1) is not None:
            current.append(inside.group(1))
        elif current and re.match(r"\s?\*\s*$", line):
            current.append("")
        elif current:
            snippets.append(current)
            current = []
    if current:
        snippets.append(current)
    return ["\n".join(lines).strip("\n") + "\n" for lines in snippets if is_code("\n".join(lines))]


def of_markdown(text):
    return re.findall(r"^```c\n(.*?)^```", text, re.S | re.M)


def is_code(snippet):
    return ";" in snippet or "#include" in snippet


class Wrong(Exception):
    pass


def slug(heading):
    return re.sub(r"[^a-z0-9]+", "_", heading.lower()).strip("_")


def blocks_of(text):
    """Each indented block: the section it is in, the heading above it, its first line's number, its lines."""
    section = heading = ""
    found = []
    before = ""
    for number, line in enumerate(text.split("\n"), 1):
        if line.startswith("```") or "\t" in line:
            raise Wrong(f"line {number}: a fence, or a tab: code is indented by four blanks here")
        if line.startswith("#"):
            heading = slug(line)
            if not line.startswith("###"):
                section = heading
            found.append(None)
        elif line.startswith("    ") and found and found[-1]:
            found[-1][3].append(line)
        elif line.startswith("    ") and not before:
            found.append((section, heading, number, [line]))
        elif not line and found and found[-1]:
            found[-1][3].append("")
        elif line:
            found.append(None)
        before = line
    return [block for block in found if block]


def halves(number, lines):
    """What is on the left of COLUMN, and what from there on."""
    for offset, line in enumerate(lines):
        if len(line) > COLUMN and line[COLUMN - 2 : COLUMN] != "  ":
            raise Wrong(f"line {number + offset}: C begins at column {COLUMN}, and Python ends two before it")
        if len(line) > 128:
            raise Wrong(f"line {number + offset}: longer than 128")
    left = [line[4:COLUMN].rstrip() for line in lines]
    right = [line[COLUMN:].rstrip() for line in lines]
    if not any(left) or not any(right):
        raise Wrong(f"line {number}: a block with one side only")
    return left, right


def checked(number, line):
    """A line of C, and the check that its comment asks for."""
    found = re.match(rf"(.*\S)\s+/\* ({VALUE})(?:: [^*]*)? \*/$", line)
    if not found:
        return line
    assigned = re.match(r"(?:[^=]*[ *])?(\w+) = .*;$", found.group(1))
    if not assigned:
        raise Wrong(f"line {number}: {found.group(2)} in a comment, and nothing assigned that could be that")
    name, value = assigned.group(1), found.group(2)
    same = f"strcmp({name}, {value}) == 0" if value[0] == '"' else f"{name} == {value}"
    return f"{line} REQUIRE({same});"


def of_page(text):
    """What there is in examples/README.md: {name: (Python, C)}."""
    found = {}
    for section, heading, number, lines in blocks_of(text):
        left, right = halves(number, lines)
        program = any(re.match(r"int main\(", line) for line in right)
        name = "program_" + heading if program else "section_" + section
        if not program:
            right = [checked(number + offset, line) for offset, line in enumerate(right)]
        python, c = found.get(name, ("", ""))
        if python and program:
            raise Wrong(f"line {number}: a second program below one heading")
        # Lines keep their numbers, for compilers that find something.
        python += "\n" * (number - 1 - python.count("\n")) + "\n".join(left).rstrip("\n") + "\n"
        c += f'#line {number} "examples/README.md"\n' + "\n".join(right).rstrip("\n") + "\n"
        found[name] = (python, c)
    return found


def strangers(text, known):
    """What text speaks of as if it were libmp's, and is nowhere in what is known."""
    return sorted(set(re.findall(r"\b(?:mp_[a-z]\w*|MP_[A-Z]\w*)", text)) - set(re.findall(r"\w+", known)))


def read(*path):
    with open(os.path.join(*path), encoding="utf-8") as file:
        return file.read()


def main(root, folder, *names):
    headers = {os.path.basename(path)[:-2]: read(path) for path in glob.glob(os.path.join(root, "include/mp/*.h"))}
    readme, page = read(root, "README.md"), read(root, "examples/README.md")
    wrong = []
    written = {}
    for name, snippets in [("readme", of_markdown(readme))] + [(name, of_header(text)) for name, text in headers.items()]:
        if len(snippets) > 1 or (not snippets and name != "compiler"):
            wrong.append(f"{name}: {len(snippets)} snippets")
        path = "README.md" if name == "readme" else f"include/mp/{name}.h"
        if snippets:
            written[name] = {".snippet": f'#line 1 "the example in {path}"\n{snippets[0]}'}
    try:
        for name, (python, c) in of_page(page).items():
            written[name] = {".py": python, ".c" if name.startswith("program_") else ".snippet": c}
    except Wrong as error:
        print(f"examples/README.md: {error}")
        return 1
    wrong += [f"{name}: no name in tests/snippets/CMakeLists.txt, so nobody runs it" for name in sorted(set(written) - set(names))]
    wrong += [f"{name}: there is no such code" for name in sorted(set(names) - set(written))]
    settings = read(root, "CMakeLists.txt")
    for path, text in (("README.md", readme), ("examples/README.md", page)):
        wrong += [f"{path}: there is no {name}" for name in strangers(text, settings + "".join(headers.values()))]
    for line in wrong:
        print(line)
    if wrong:
        return 1
    for name in names:
        for end, text in written[name].items():
            with open(os.path.join(folder, name + end), "w", encoding="utf-8") as file:
                file.write(text)
    return 0


def to_format(root, folder):
    for name, (_, c) in of_page(read(root, "examples/README.md")).items():
        if name.startswith("program_"):
            with open(os.path.join(folder, name + ".c"), "w", encoding="utf-8") as file:
                file.write(re.sub(r"\n{3,}", "\n\n", c.split("\n", 1)[1]))
    return 0


def page_or_error(text):
    try:
        return of_page(text)
    except Wrong as error:
        return str(error)


def two(left, right):
    return ("    " + left).ljust(COLUMN) + right + "\n"


def self_test():
    head = "/* SPDX\n *\n * x.h - what.\n *\n"
    body = " *     static int f(void)\n *     {\n *         return 1;\n *     }\n"
    line = '#line 3 "examples/README.md"\n'
    samples = [
        (of_header(head + body + " */\n"), ["static int f(void)\n{\n    return 1;\n}\n"]),
        (of_header(head + body + " *\n * text\n *\n" + body + " */\n" + body), ["static int f(void)\n{\n    return 1;\n}\n"] * 2),
        (of_header(head + " *     a drawing -->\n */\n"), []),
        (of_markdown("a\n```c\nint x;\n```\n```sh\nls\n```\n"), ["int x;\n"]),
        # Two columns: a program, lines, and lines that go on after words.
        (of_page("## A b-c\n\n" + two("f()", "int main(void)") + two("", "{}")),
         {"program_a_b_c": ("\n\nf()\n", line + "int main(void)\n{}\n")}),
        (of_page("## A\n\n" + two("x", "x();") + "\nwords\n\n" + two("y", "y();")),
         {"section_a": ("\n\nx\n\n\n\ny\n", line + "x();\n" + line.replace("3", "7") + "y();\n")}),
        (of_page("## A\n### B\n" + "\n" + two("x", "x();")), {"section_a": ("\n\n\nx\n", line.replace("3", "4") + "x();\n")}),
        (of_page("## A\nwords\n    that go on\n"), {}),
        # What a comment says is checked.
        (checked(1, "r = f(); /* 1 */"), "r = f(); /* 1 */ REQUIRE(r == 1);"),
        (checked(1, "    int r = f(a, b);   /* MP_EINVAL: why */"),
         "    int r = f(a, b);   /* MP_EINVAL: why */ REQUIRE(r == MP_EINVAL);"),
        (checked(1, 'const char *s = f(); /* "a" */'), 'const char *s = f(); /* "a" */ REQUIRE(strcmp(s, "a") == 0);'),
        (checked(1, "f(); /* 1 of them */"), "f(); /* 1 of them */"),
        (page_or_error("## A\n\n" + two("x", "f(); /* 1 */")), "line 3: 1 in a comment, and nothing assigned that could be that"),
        # What can not be told apart, or would be left out.
        (page_or_error("## A\n\n" + two("x" * 42, "f();")),
         f"line 3: C begins at column {COLUMN}, and Python ends two before it"),
        (page_or_error("## A\n\n    f();\n"), "line 3: a block with one side only"),
        (page_or_error("## A\n\n" + two("x", "y" * 99)), "line 3: longer than 128"),
        (page_or_error("## A\n```c\n"), "line 2: a fence, or a tab: code is indented by four blanks here"),
        (page_or_error("## A\n" + ("\n" + two("f()", "int main(void) {}") + "\nb\n") * 2), "line 7: a second program below one heading"),
        (strangers("`mp_lock` mp_locks, MP_EINVAL MP_ENOT libmp mp::mp", "mp_lock; MP_EINVAL"), ["MP_ENOT", "mp_locks"]),
    ]
    wrong = [sample for sample in samples if sample[0] != sample[1]]
    print(f"extract.py: {len(samples)} samples, {len(wrong)} wrong: {wrong}")
    return 1 if wrong else 0


if __name__ == "__main__":
    if sys.argv[1:] == ["--self-test"]:
        sys.exit(self_test())
    sys.exit(to_format(*sys.argv[2:]) if sys.argv[1:2] == ["--to-format"] else main(*sys.argv[1:]))
