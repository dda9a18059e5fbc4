#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Rules of the source tree that no compiler knows. See CONTRIBUTING.md.

    tests/tidy.py [DIRECTORY]

Prints file:line and what is wrong, and exits 1 when something is. Each check is a function
below; run_checks() lists them.
"""
import os
import re
import sys

# What a folder of src may include. A folder is a layer, and arrows point downwards only.
LAYERS = {
    "base": {"base"},
    "core": {"base", "core"},
    "store": {"base", "core", "store"},
    "engine": {"base", "core", "store", "engine"},
    "http": {"base", "http"},
    "auth": {"base", "auth"},
    "notify": {"base", "core", "store", "engine", "auth", "notify"},
    "api": {"base", "core", "store", "engine", "http", "auth", "notify", "api"},
}
# One header is for those within: nobody outside the folder includes it.
PRIVATE = {"store/driver.h": "store"}

LONGEST_FUNCTION = 100
LONG_FUNCTION = 70  # worth a note, not a failure

SKIPPED = {".git", "build", "node_modules"}  # what is made, and not kept
TEXT = (".c .h .py .js .mjs .sh .md .sql .yaml .yml .json .html .css .txt .rules .build .service "
        ".conf .npmrc .lua").split()
SPDX_KINDS = {
    ".c": "/* {} */", ".h": "/* {} */", ".py": "# {}", ".js": "// {}", ".mjs": "// {}",
    ".sql": "-- {}", ".sh": "# {}",
}
SPDX = "SPDX-License-Identifier: Apache-2.0"

# Paths that exist on one machine only. A test makes its place by mkdtemp ("/tmp/x-XXXXXX").
MACHINE_PATH = re.compile(r"(?<![\w.}$])/(?:home|root|Users|work|tmp)/(?![\w.-]*XXXXXX)[\w.-]+")
REGISTRY = re.compile(r"registry\.npmjs|registry\.yarnpkg|npmmirror\.|pypi\.org|pythonhosted\.|"
                      r"deb\.debian\.org|snapshot\.debian\.org|archive\.ubuntu\.com", re.I)

problems = []


def problem(path, line, text):
    problems.append(f"{path}:{line}: {text}")


def numbered(text):
    return enumerate(text.split("\n"), 1)


def in_folder(path, *folders):
    return any(path.startswith(folder + "/") for folder in folders)


def check_includes(files):
    """Layering, and our own headers written from the root of src."""
    for path, text in files.items():
        if not (in_folder(path, "src") and path.endswith((".c", ".h"))):
            continue
        parts = path.split("/")
        layer = parts[1] if len(parts) > 2 else None  # main.c, options.c: on top of everything
        for number, line in numbered(text):
            match = re.match(r'\s*#\s*include\s*"([^"]+)"', line)
            if not match:
                continue
            header = match[1]
            if f"src/{header}" not in files:
                problem(path, number, f'"{header}" is not a header of ours, from src/ on')
            if layer in LAYERS and header.split("/")[0] not in LAYERS[layer]:
                problem(path, number, f'src/{layer} may not include "{header}"')
            if header in PRIVATE and layer != PRIVATE[header]:
                problem(path, number, f'"{header}" is for src/{PRIVATE[header]} only')


def check_spdx(files):
    """One line stands in for the licence: the first, or the second where #! must be first."""
    for path, text in files.items():
        lines = text.split("\n")
        form = SPDX_KINDS.get(os.path.splitext(path)[1])
        if lines[0].startswith("#!"):
            form, lines = form or "# {}", lines[1:]
        if form and (not lines or lines[0] != form.format(SPDX)):
            problem(path, 1, f"does not begin with {form.format(SPDX)}")


def check_headers(files):
    """The header is the manual: it opens with its name and what it is for. Guards agree with it."""
    for path, text in files.items():
        if not (in_folder(path, "src") and path.endswith(".h")):
            continue
        lines = text.split("\n") + ["", ""]
        name = path[len("src/"):]
        if not re.match(r"/\* (?:[\w/]+/)?" + re.escape(os.path.basename(path)) + r" -- \S", lines[1]):
            problem(path, 2, f'does not open with "/* {os.path.basename(path)} -- what it is for"')
        guard = re.sub(r"\W", "_", name).upper()
        if f"#ifndef {guard}\n#define {guard}\n" not in text:
            problem(path, 1, f"has no include guard {guard}")


def check_functions(files):
    """Functions fit a screen. In our style one begins and ends with a brace in the first column."""
    for path, text in files.items():
        if not path.endswith((".c", ".h")):
            continue
        begin = None
        for number, line in numbered(text):
            if line == "{":
                begin = number
            elif line == "}" and begin is not None:
                length = number - begin - 1
                if length > LONGEST_FUNCTION:
                    problem(path, begin, f"a function of {length} lines, {LONGEST_FUNCTION} at most")
                elif length > LONG_FUNCTION:
                    print(f"# note: {path}:{begin}: a function of {length} lines")
                begin = None


def check_places(files):
    """Nothing that is true of one machine only."""
    for path, text in files.items():
        for number, line in numbered(text):
            match = MACHINE_PATH.search(line)
            if match:
                problem(path, number, f"'{match[0]}' is a path of one machine")
            match = REGISTRY.search(line)
            if match:
                problem(path, number, f"names a package registry, '{match[0]}'")


def check_lock(files):
    for number, line in numbered(files.get("package-lock.json", "")):
        if '"resolved"' in line:
            problem("package-lock.json", number, "holds a download address; see .npmrc")


def check_white_space(files):
    for path, text in files.items():
        if text and not text.endswith("\n"):
            problem(path, text.count("\n") + 1, "does not end with a line feed")
        for number, line in numbered(text):
            if line != line.rstrip():
                problem(path, number, "white space at the end of the line")
            if "\t" in line and path != "Makefile" and in_folder(path, "src", "tests", "tools"):
                problem(path, number, "a tab")


def check_build(files):
    """What meson.build does not name is not built, and a test that is not built protects nobody."""
    build = files.get("meson.build", "")
    for path in files:
        wanted = re.fullmatch(r"(src/.+\.(c|sql)|tests/.+\.c)", path)
        if wanted and f"'{path}'" not in build:
            problem(path, 1, "meson.build does not name it")


def run_checks(files):
    for check in (check_includes, check_spdx, check_headers, check_functions, check_places,
                  check_lock, check_white_space, check_build):
        check(files)


def read_tree(root):
    files = {}
    for folder, folders, names in os.walk(root):
        folders[:] = sorted(name for name in folders if name not in SKIPPED)
        for name in sorted(names):
            full = os.path.join(folder, name)
            path = os.path.relpath(full, root)
            with open(full, "rb") as file:
                data = file.read()
            if data.startswith(b"#!") or name.endswith(tuple(TEXT)) or name in ("Makefile", "Dockerfile"):
                try:
                    files[path] = data.decode()
                except UnicodeDecodeError:
                    problem(path, 1, "is not UTF-8")
    return files


if __name__ == "__main__":
    root = sys.argv[1] if len(sys.argv) > 1 else os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    tree = read_tree(root)
    run_checks(tree)
    print("\n".join(problems) if problems else f"{len(tree)} files are tidy")
    sys.exit(1 if problems else 0)
