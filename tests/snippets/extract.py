#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Take the code out of the public headers' opening comments and out of README.md, so that it is compiled and run.

    extract.py <libmp> <folder> <name...>     writes <folder>/<name>.snippet: of include/mp/<name>.h, or of README.md (readme)
    extract.py --self-test

In a header code is what is indented by four or more beyond the comment's " *", in Markdown a ```c block. Fails unless each header
and README.md have exactly the one snippet that a name is given for, but compiler.h, which needs none.
"""
import glob
import os
import re
import sys


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


def main(root, folder, *names):
    wrong = 0
    headers = glob.glob(os.path.join(root, "include/mp/*.h"))
    sources = {os.path.basename(path)[:-2]: path for path in headers}
    sources["readme"] = os.path.join(root, "README.md")
    for name in sorted(set(sources) | set(names)):
        path = sources.get(name)
        snippets = []
        if path:
            with open(path, encoding="utf-8") as file:
                snippets = (of_markdown if name == "readme" else of_header)(file.read())
        if name == "compiler" and not snippets:
            continue
        if len(snippets) != 1 or name not in names:
            wrong += 1
            print(f"{name}: {len(snippets)} snippets, {'one' if name in names else 'no'} program in tests/snippets to run it")
            continue
        with open(os.path.join(folder, name + ".snippet"), "w", encoding="utf-8") as file:
            file.write(f'#line 1 "the example in {os.path.relpath(path, root)}"\n{snippets[0]}')
    return 1 if wrong else 0


def self_test():
    head = "/* SPDX\n *\n * x.h - what.\n *\n"
    body = " *     static int f(void)\n *     {\n *         return 1;\n *     }\n"
    samples = [
        (of_header(head + body + " */\n"), ["static int f(void)\n{\n    return 1;\n}\n"]),
        (of_header(head + body + " *\n * text\n *\n" + body + " */\n" + body), ["static int f(void)\n{\n    return 1;\n}\n"] * 2),
        (of_header(head + " *     a drawing -->\n */\n"), []),
        (of_markdown("a\n```c\nint x;\n```\n```sh\nls\n```\n"), ["int x;\n"]),
    ]
    wrong = [sample for sample in samples if sample[0] != sample[1]]
    print(f"extract.py: {len(samples)} samples, {len(wrong)} wrong: {wrong}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(self_test() if sys.argv[1:] == ["--self-test"] else main(*sys.argv[1:]))
