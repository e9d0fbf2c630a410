#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Check by nm that the libraries given are pure.

usage: purity.py LIBRARY…

Pure: no mutable static (a symbol in .data or .bss; relocated constants are
in .data.rel.ro), and no undefined symbol but mem* and what one of the
libraries defines. So the core can do no I/O, read no clock and allocate
nothing: it knows nobody to ask.
"""
import subprocess
import sys

# Compilers make strlen() of a loop that counts to a NUL, and clang bcmp() of
# a memcmp() that only asks for equality.
ALLOWED = {"bcmp", "memcpy", "memmove", "memset", "memcmp", "memchr", "strlen",
           "__stack_chk_fail", "_GLOBAL_OFFSET_TABLE_"}
MUTABLE = set("DdBbCGgSs")


def symbols(text):
    """(kind, name) of each symbol that nm -f sysv printed."""
    for line in text.splitlines():
        fields = [field.strip() for field in line.split("|")]
        if len(fields) == 7:
            constant = fields[6].startswith(".data.rel.ro")
            yield "R" if constant else fields[2], fields[0]


def violations(text):
    listed = list(symbols(text))
    defined = {name for kind, name in listed if kind not in "Uw"}
    for kind, name in listed:
        if kind in MUTABLE:
            yield f"{name}: a mutable static"
        if kind == "U" and name not in defined | ALLOWED:
            yield f"{name}: called from outside of the pure layers"


def self_test():
    text = ("flow_free |0|T|FUNC|9||.text\nflow_free ||U|NOTYPE|||*UND*\n"
            "table |0|D|OBJECT|8||.data.rel.ro.local\n"
            "table ||U|NOTYPE|||*UND*\n"
            "memcpy ||U|NOTYPE|||*UND*\n")
    seen = [len(list(violations(text))),
            len(list(violations(text + "n |0|b|OBJECT|8||.bss\n"))),
            len(list(violations(text + "time ||U|NOTYPE|||*UND*\n")))]
    return seen == [0, 1, 1]


if __name__ == "__main__":
    if not self_test():
        sys.exit("purity: self-test failed")
    out = subprocess.run(["nm", "-f", "sysv", *sys.argv[1:]], check=True, text=True,
                         capture_output=True).stdout
    bad = sorted(set(violations(out)))
    for line in bad:
        print(line)
    print(f"purity: {len(sys.argv) - 1} libraries, {len(bad)} violations")
    sys.exit(1 if bad else 0)
