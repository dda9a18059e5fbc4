#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Shows each rule of tidy.py a small tree that breaks it. A check that cannot fail checks nothing."""
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
sys.dont_write_bytecode = True
import tidy

C = "/* SPDX-License-Identifier: Apache-2.0 */\n"
HEADER = C + "/* a.h -- what it is for. */\n#ifndef {0}_A_H\n#define {0}_A_H\n\n#endif\n"
GOOD = {
    "meson.build": "'src/core/a.c' 'src/api/a.c' 'src/store/schema/sqlite/001_a.sql' 'tests/unit/core/test_a.c'\n",
    "src/base/a.h": HEADER.format("BASE"),
    "src/core/a.h": HEADER.format("CORE"),
    "src/core/a.c": C + '#include "core/a.h"\n#include "base/a.h"\n',
    "src/http/a.h": HEADER.format("HTTP"),
    "src/store/driver.h": HEADER.format("STORE").replace("a.h", "driver.h").replace("_A_H", "_DRIVER_H"),
    "src/api/a.c": C + '#include "http/a.h"\n',
    "package-lock.json": '{"version": "1.0.0"}\n',
}
LONG = "static void f(void)\n{\n" + "    g();\n" * 101 + "}\n"

BAD = [  # a file put into the good tree, and what must be said
    ("src/core/a.c", C + '#include "http/a.h"\n', "src/core may not include"),
    ("src/base/a.h", HEADER.format("BASE") + '#include "core/a.h"\n', "src/base may not include"),
    ("src/http/a.h", HEADER.format("HTTP") + '  #  include "core/a.h"\n', "src/http may not include"),
    ("src/core/a.c", C + '#include "a.h"\n', "is not a header of ours"),
    ("src/api/a.c", C + '#include "store/driver.h"\n', "is for src/store only"),
    ("src/core/a.c", "int x;\n", "does not begin with"),
    ("tools/x", "#!/bin/sh\necho\n", "does not begin with"),
    ("web/a.js", "alert(1);\n", "does not begin with"),
    ("src/core/a.h", HEADER.format("CORE").replace(" -- what it is for", ""), "does not open with"),
    ("src/core/a.h", HEADER.format("BASE"), "has no include guard CORE_A_H"),
    ("src/core/a.c", C + LONG, "a function of 101 lines"),
    ("docs/a.md", "see /ho" + "me/somebody/admit\n", "is a path of one machine"),
    ("docs/a.md", "cd /wo" + "rk/main\n", "is a path of one machine"),
    ("tools/x.py", "# SPDX-License-Identifier: Apache-2.0\nopen('/tm" + "p/x')\n", "is a path of one machine"),
    ("docs/a.md", "https://registry.npm" + "js.org/\n", "names a package registry"),
    ("package-lock.json", '{"resolved": "x"}\n', "holds a download address"),
    ("src/core/a.c", C + "int x; \n", "white space"),
    ("src/core/a.c", C + "\tint x;\n", "a tab"),
    ("src/core/a.c", C + "int x;", "does not end with a line feed"),
    ("src/core/b.c", C, "meson.build does not name it"),
    ("tests/unit/core/test_b.c", C, "meson.build does not name it"),
    ("src/store/schema/sqlite/002_b.sql", "-- SPDX-License-Identifier: Apache-2.0\n", "meson.build does not name it"),
]


def said(tree):
    tidy.problems.clear()
    tidy.run_checks(tree)
    return tidy.problems


failed = 0
if said(GOOD):
    failed += 1
    print("the good tree was found bad:", *said(GOOD), sep="\n  ")
for path, text, expected in BAD:
    if not any(line.startswith(path + ":") and expected in line for line in said({**GOOD, path: text})):
        failed += 1
        print(f"nothing was said about {path}: {expected}")
print(f"{len(BAD) + 1 - failed} proofs hold, {failed} do not")
sys.exit(1 if failed else 0)
