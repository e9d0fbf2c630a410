#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Check every #include of src/ against the layer table of ARCHITECTURE.md.

usage: layers.py TOP          check the tree below TOP
       layers.py --self-test  show that violations are seen

A row of the table is "| `folder/` | what it is | may include |". The last
column lists layers, "all above", and "system headers" for layers that may
see the operating system. The others get C standard headers only.
"""
import pathlib
import re
import sys

C_HEADERS = {"limits.h", "stdalign.h", "stdarg.h", "stdbool.h", "stddef.h",
             "stdint.h", "stdio.h", "string.h"}
ROW = re.compile(r"^\|(?P<folders>[^|]*)\|[^|]*\|(?P<allowed>[^|]*)\|\s*$")
INCLUDE = re.compile(r'^\s*#\s*include\s*(?:"([^"]+)"|<([^>]+)>)')


def read_table(text):
    """{layer: (set of layers it may include, may see system headers)}"""
    table = {}
    for line in text.splitlines():
        row = ROW.match(line)
        folders = re.findall(r"`([a-z]+)/`", row["folders"]) if row else []
        for folder in folders:
            words = set(re.findall(r"[a-z]+", row["allowed"]))
            allowed = set(table) if "all above" in row["allowed"] else set()
            allowed |= words & (set(table) | set(folders) | words)
            table[folder] = (allowed | {folder},
                             "system headers" in row["allowed"])
    return table


def violations(path, text, table):
    """What is wrong with the includes of one file: (line number, reason)."""
    layer = path.split("/")[0]
    if layer not in table:
        yield 1, f"folder {layer}/ is not in the table"
        return
    allowed, system = table[layer]
    for number, line in enumerate(text.splitlines(), 1):
        include = INCLUDE.match(line)
        if not include:
            continue
        ours, theirs = include.groups()
        if ours and ours.split("/")[0] not in allowed:
            yield number, f"{layer}/ may not include {ours}"
        if theirs and not system and theirs not in C_HEADERS:
            yield number, f"{layer}/ may not include <{theirs}>"


def check(top):
    table = read_table((top / "ARCHITECTURE.md").read_text())
    if len(table) < 5:
        print("layers: no table in ARCHITECTURE.md")
        return 1
    bad = files = 0
    for path in sorted((top / "src").rglob("*.[ch]")):
        files += 1
        name = str(path.relative_to(top / "src"))
        for number, reason in violations(name, path.read_text(), table):
            print(f"src/{name}:{number}: {reason}")
            bad += 1
    print(f"layers: {files} files, {bad} violations")
    return 1 if bad else 0


def self_test():
    table = read_table("| `base/` | values | C standard headers |\n"
                       "| `wire/` | bytes | base |\n"
                       "| `linux/` | system | base, system headers |\n")
    seen = [len(list(violations(*case, table))) for case in (
        ("wire/x.c", '#include "base/rd.h"\n#include <stdint.h>\n'),
        ("wire/x.c", '#include "linux/tap.h"\n'),
        ("wire/x.c", "#include <unistd.h>\n"),
        ("base/x.c", ' # include "wire/ip.h"\n'),
        ("linux/x.c", '#include <unistd.h>\n#include "base/rd.h"\n'),
        ("other/x.c", ""),
    )]
    if seen != [0, 1, 1, 1, 0, 1]:
        print(f"layers: self-test: {seen}")
        return 1
    return 0


if __name__ == "__main__":
    if sys.argv[1:] == ["--self-test"]:
        sys.exit(self_test())
    sys.exit(self_test() or check(pathlib.Path(sys.argv[1])))
