#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Man pages out of what Doxygen has read in the public headers: one for each function, macro and struct, one for each header,
and libmp(3). A function whose comment leaves something out is an error.

    man.py <folder with Doxygen's XML> <folder for the pages> <version>
"""
import glob
import os
import re
import sys
import xml.etree.ElementTree as ElementTree

SECTIONS = {"return": "RETURN VALUE"}
# What macros call: who uses those need not know more of them.
HELPERS = {"mp_check", "mp_check_data", "mp_handle_of", "mp_section_enter", "mp_section_leave"}


def escaped(text):
    text = text.replace("\\", "\\e").replace("-", "\\-")
    return re.sub(r"^([.'])", r"\\&\1", text, flags=re.M)


def words(element):
    """All its text in one line."""
    return " ".join("".join(element.itertext()).split()) if element is not None else ""


# ---- text -----------------------------------------------------------------------------------------------------------------


class Page:
    def __init__(self):
        self.lines = []
        self.parameters = []
        self.sections = []  # title and lines, of what stands behind the description

    def running(self, text):
        text = escaped(" ".join(text.split()))
        if text:
            self.lines.append(text)

    def paragraph(self, element):
        """One <para>: text, in which lists, code, and whole sections may stand."""
        text = element.text or ""
        for child in element:
            if child.tag in ("itemizedlist", "verbatim", "preformatted", "programlisting", "parameterlist", "simplesect"):
                self.running(text)
                text = ""
                getattr(self, child.tag)(child)
            else:
                text += "".join(child.itertext())
            text += child.tail or ""
        self.running(text)

    def paragraphs(self, element):
        for child in element if element is not None else ():
            if child.tag == "para":
                self.lines.append(".PP")
                self.paragraph(child)

    def itemizedlist(self, element):
        self.lines.append(".RS 2")
        for item in element.findall("listitem"):
            text = words(item)
            error = re.match(r"((?:MP_[A-Z]+(?:, )?)+): (.*)", text, re.S)
            self.lines.append(".TP" if error else ".IP \\(bu 2")
            if error:
                self.lines.append(f".B {error.group(1)}")
            self.running(error.group(2) if error else text)
        self.lines.append(".RE")

    def verbatim(self, element):
        self.lines += [".PP", ".RS 4", ".nf", escaped("".join(element.itertext()).strip("\n")), ".fi", ".RE", ".PP"]

    preformatted = verbatim

    def programlisting(self, element):
        code = []
        for line in element.findall("codeline"):
            for space in line.iter("sp"):
                space.text = " "
            code.append("".join(line.itertext()))
        self.lines += [".PP", ".RS 4", ".nf", escaped("\n".join(code)), ".fi", ".RE", ".PP"]

    def parameterlist(self, element):
        for item in element.findall("parameteritem"):
            self.parameters.append((words(item.find("parameternamelist")), words(item.find("parameterdescription"))))

    def simplesect(self, element):
        title = words(element.find("title")) or SECTIONS.get(element.get("kind"), element.get("kind"))
        outer, self.lines = self.lines, []
        for para in element.findall("para"):
            self.paragraph(para)
        self.sections.append((title.upper(), self.lines))
        self.lines = outer

    def finished(self):
        lines = list(self.lines)
        if self.parameters:
            lines.append(".SH PARAMETERS")
            for name, text in self.parameters:
                lines += [".TP", f".I {escaped(name)}", escaped(text)]
        for title, content in self.sections:
            lines += [f'.SH "{title}"', *content]
        return lines


def described(member):
    page = Page()
    page.lines += [".SH DESCRIPTION", escaped(words(member.find("briefdescription")))]
    page.paragraphs(member.find("detaileddescription"))
    return page


# ---- pages ----------------------------------------------------------------------------------------------------------------


class Manual:
    def __init__(self, folder, version):
        self.folder, self.version, self.macros, self.pages = folder, version, {}, {}

    def write(self, name, brief, synopsis, lines, also):
        head = [f'.TH "{name}" 3 "" "libmp {self.version}" "libmp"', ".SH NAME", f"{escaped(name)} \\- {escaped(brief)}"]
        if synopsis:
            head += [".SH SYNOPSIS", ".nf", *[escaped(line) for line in synopsis], ".fi"]
        self.pages[name] = head + lines, [".SH SEE ALSO", *(f".BR {page} (3)" for page in also)]

    def finish(self):
        """There are disks on which a macro's name is that of a function: the two are one page."""
        for name, lines in self.macros.items():
            if name.lower() in self.pages:
                self.pages[name.lower()][0].extend([f'.SH "MACRO {name}"', *lines])
        for name, (lines, end) in self.pages.items():
            with open(os.path.join(self.folder, f"{name}.3"), "w", encoding="utf-8") as file:
                file.write("\n".join(lines + end) + "\n")


def page_of(header):
    return header.replace("/", "_")


def short(text):
    """A brief description as it stands behind a name."""
    text = text.rstrip(". ")
    return text[:1].lower() + text[1:] if text[1:2].islower() or text[1:2] == " " else text


def prototype(member):
    parameters = []
    for param in member.findall("param"):
        kind, name = words(param.find("type")), words(param.find("declname"))
        if "(*" in kind:
            parameters.append(kind.replace("(*", f"(*{name}", 1) + words(param.find("argsstring")))
        else:
            parameters.append((kind if kind.endswith("*") else kind + " ") + name if name else kind)
    kind = re.sub(r"^static inline |^static ", "", words(member.find("type")))
    head = f"{kind}{'' if kind.endswith('*') else ' '}{member.findtext('name')}("
    line, lines = head, []
    for i, parameter in enumerate(parameters or ["void"]):
        part = parameter + (", " if i + 1 < len(parameters) else ");")
        if len(line) + len(part) > 80 and line != head:
            lines.append(line.rstrip())
            line = " " * 8
        line += part
    return [*lines, line]


def one_function(manual, member, header):
    page = described(member)
    synopsis = [f"#include <{header}>", "", *prototype(member)]
    brief = short(words(member.find("briefdescription")))
    manual.write(member.findtext("name"), brief, synopsis, page.finished(), [page_of(header)])


def one_macro(manual, member, header, names):
    parameters = ", ".join(words(param.find("defname")) for param in member.findall("param"))
    use = f"{member.findtext('name')}({parameters})"
    name, lines = member.findtext("name"), described(member).finished()
    brief = re.sub(r"^MP_\w+\([^)]*\):? ?(\{.*?\}:)? ?", "", words(member.find("briefdescription")))
    if name.lower() in names:
        manual.macros[name] = [line for line in lines if line != ".SH DESCRIPTION"]
    else:
        manual.write(name, short(brief), [f"#include <{header}>", "", use], lines, [page_of(header)])


def one_struct(manual, tree, header):
    compound = tree.find("compounddef")
    name, fields, synopsis = compound.findtext("compoundname"), [], []
    for member in compound.iter("memberdef"):
        kind, end = words(member.find("type")), words(member.find("argsstring"))
        field = member.findtext("name")
        declared = f"{kind} {field}{end}".replace("* ", "*")
        if "(*" in kind:
            declared = kind.replace("(*", f"(*{field}", 1) + end
        synopsis.append(f"    {declared};")
        text = words(member.find("briefdescription")) + " " + words(member.find("detaileddescription"))
        fields += [".TP", f".I {escaped(field)}", escaped(text.strip())]
    page = described(compound)
    page.lines += [".SH FIELDS", *fields]
    synopsis = [f"#include <{header}>", "", "typedef struct {", *synopsis, f"}} {name};"]
    manual.write(name, short(words(compound.find("briefdescription"))), synopsis, page.finished(), [page_of(header)])


def one_header(manual, compound, header, members):
    page = Page()
    brief = re.sub(r"^mp/\w+\.h - ", "", words(compound.find("briefdescription")))
    page.lines.append(".SH DESCRIPTION")
    page.paragraphs(compound.find("detaileddescription"))
    functions = [member for member in members if member.get("kind") == "function"]
    if functions:
        page.lines.append(".SH FUNCTIONS")
        for member in functions:
            page.lines += [".TP", f".BR {member.findtext('name')} (3)", escaped(words(member.find("briefdescription")))]
    manual.write(page_of(header), short(brief), [f"#include <{header}>"], page.finished(), ["libmp"])
    return brief


def documented(member):
    return words(member.find("briefdescription")) or words(member.find("detaileddescription"))


def has_return(member):
    return words(member.find("type")).split()[-1:] != ["void"]


def is_handle(parameter):
    """A struct of libmp's, by value: its type says what it is."""
    return re.fullmatch(r"mp_\w+", words(parameter.find("type"))) and parameter.find("type/ref") is not None


def left_out(member):
    """What a function's comment does not say."""
    description = member.find("detaileddescription")
    kinds = {section.get("kind") for section in description.iter("simplesect")}
    titles = {words(section.find("title")) for section in description.iter("simplesect")}
    told = {words(name) for name in description.iter("parametername")}
    parameters = [param for param in member.findall("param") if param.find("declname") is not None]
    if len(parameters) == 1 and is_handle(parameters[0]):
        parameters = []
    missing = [f"\\param {name}" for name in (words(param.find("declname")) for param in parameters) if name not in told]
    if has_return(member) and "return" not in kinds:
        missing.append("\\returns")
    return missing + [tag for title, tag in (("Threads", "\\threadsafety"), ("Processes", "\\processes")) if title not in titles]


def main(xml, folder, version):
    os.makedirs(folder, exist_ok=True)
    for old in glob.glob(os.path.join(folder, "*.3")):
        os.remove(old)
    manual, briefs, names = Manual(folder, version), [], set()
    paths = sorted(glob.glob(os.path.join(xml, "*_8h.xml")))
    compounds = [ElementTree.parse(path).find("compounddef") for path in paths]
    incomplete = 0
    for compound in compounds:
        names |= {member.findtext("name") for member in compound.iter("memberdef") if member.get("kind") == "function"}
        names |= {words(inner) for inner in compound.findall("innerclass")}
    for compound in compounds:
        header = f"mp/{compound.findtext('compoundname').rpartition('/')[2]}"
        members = [member for member in compound.iter("memberdef") if documented(member)]
        for member in members:
            if member.get("kind") == "function":
                missing = left_out(member) if member.findtext("name") not in HELPERS else []
                if missing:
                    print(f"{header}: {member.findtext('name')}: no {', no '.join(missing)}", file=sys.stderr)
                    incomplete += 1
                one_function(manual, member, header)
            elif member.get("kind") == "define" and member.find("param") is not None:
                one_macro(manual, member, header, names)
        for inner in compound.findall("innerclass"):
            one_struct(manual, ElementTree.parse(os.path.join(xml, inner.get("refid") + ".xml")), header)
        briefs.append((header, one_header(manual, compound, header, members)))
    lines = [".SH DESCRIPTION", "What Python's multiprocessing gives Python, for C.", ".PP", "<mp/mp.h> is all headers:"]
    for header, brief in briefs:
        lines += [".TP", f".BR {page_of(header)} (3)", escaped(brief)]
    headers = [page_of(header) for header, _ in briefs]
    manual.write("libmp", "multiprocessing for C", ["#include <mp/mp.h>"], lines, headers)
    manual.finish()
    print(f"man.py: {len(manual.pages)} pages")
    return 1 if incomplete else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
