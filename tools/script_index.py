#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Write FOLDER/README.md: which script shows which clause of which RFC.

usage: script_index.py FOLDER           write it
       script_index.py --check FOLDER   fail if it is not up to date

A script names what it shows in its first lines, "# RFC 9293 3.10.7.4: …".
"""
import pathlib
import re
import sys

CLAUSE = re.compile(r"^# RFC (\d+)(?: ([0-9A-Z.]+))?: (\S.*)$")
HEAD = """# Conformance scripts

Written by `tools/script_index.py` from the heads of the scripts; do not edit.
`script.h` says how a script is read. Run one: `build/test/script/script -v FILE`.

| RFC | section | what is shown | script |
| --- | --- | --- | --- |
"""


def section_key(section):
    return [(0, int(part), "") if part.isdigit() else (1, 0, part)
            for part in section.split(".")]


def rows(folder):
    for path in sorted(folder.glob("*.pkt")):
        for line in path.read_text().splitlines():
            if not line.startswith("#"):
                break
            clause = CLAUSE.match(line)
            if clause:
                yield (int(clause[1]), clause[2] or "", clause[3], path.name)


def index(folder):
    found = sorted(rows(folder), key=lambda r: (r[0], section_key(r[1]), r))
    return HEAD + "".join(f"| {rfc} | {section} | {text} | [{name}]({name}) |\n"
                          for rfc, section, text, name in found)


def main(args):
    check = args[:1] == ["--check"]
    folder = pathlib.Path(args[-1])
    text = index(folder)
    path = folder / "README.md"
    if not check:
        path.write_text(text)
    elif not path.exists() or path.read_text() != text:
        return "test/script/README.md is old: run tools/script_index.py test/script"
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
