#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Does the simulator bite? Each patch in tests/sim/bugs plants one bug, and the simulator must find it.

    tests/sim/bugs.py BUILD [NAME...]      BUILD with the simulator in it; only the patches named

A patch is applied to copies of the sources it names, these are compiled with the flags of BUILD
and linked before the library, so that they take the place of the sound ones. A patch that does
not apply any more is a failure, as is a bug that is not found. Speaks TAP.
"""
import concurrent.futures
import json
import os
import re
import shlex
import subprocess
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUGS = os.path.join(ROOT, "tests", "sim", "bugs")
SEEDS = 4000  # most are found within some dozen


def flags_of(build):
    """How BUILD compiles each source of ours."""
    with open(os.path.join(build, "compile_commands.json")) as file:
        return {os.path.relpath(os.path.join(entry["directory"], entry["file"]), ROOT): entry
                for entry in json.load(file)}


def compile_patched(build, commands, path, folder):
    words = shlex.split(commands[path]["command"])
    kept, skip = [], False
    for word in words:
        if skip:
            skip = False
        elif word in ("-o", "-MF", "-MQ", "-MT"):
            skip = True
        elif word not in ("-c", "-MD", commands[path]["file"]):
            kept.append(word)
    made = os.path.join(folder, path.replace("/", "_") + ".o")
    # Nobody waits for an optimizer here; and what a bug leaves unused is no error.
    subprocess.run(kept + ["-O0", "-U_FORTIFY_SOURCE", "-Wno-error", "-w", "-c", os.path.join(folder, path),
                           "-o", made], cwd=build, check=True)
    return made


def link(build, objects, program):
    lines = subprocess.check_output(["ninja", "-C", build, "-t", "commands", "sim"], text=True)
    words = shlex.split(lines.rstrip("\n").split("\n")[-1])
    at = words.index("-o")
    words[at + 1:at + 2] = [program] + objects
    subprocess.run(words, cwd=build, check=True)


def try_bug(build, commands, name):
    """None, or why it is a failure; and what was found."""
    patch = os.path.join(BUGS, name + ".patch")
    with open(patch) as file:
        paths = re.findall(r"^\+\+\+ b/(\S+)$", file.read(), re.M)
    with tempfile.TemporaryDirectory(prefix="admit-bug-") as folder:
        for path in paths:
            os.makedirs(os.path.dirname(os.path.join(folder, path)), exist_ok=True)
            with open(os.path.join(ROOT, path)) as sound, open(os.path.join(folder, path), "w") as copy:
                copy.write(sound.read())
        done = subprocess.run(["patch", "-p1", "--fuzz=1", "--no-backup-if-mismatch", "-s", "-i", patch],
                              cwd=folder, capture_output=True, text=True)
        if done.returncode != 0:
            return "the patch does not apply any more:\n" + done.stdout, ""
        try:
            link(build, [compile_patched(build, commands, path, folder) for path in paths],
                 os.path.join(folder, "sim"))
        except subprocess.CalledProcessError as error:
            return f"it cannot be built: {error}", ""
        done = subprocess.run([os.path.join(folder, "sim"), "--seeds", str(SEEDS), "--jobs", "1", "--no-shrink",
                               "--brief"], capture_output=True, text=True)
    if done.returncode == 0:
        return f"not found by {SEEDS} runs", ""
    if done.returncode != 1 or not done.stdout.startswith("seed "):
        return f"the simulator ended with {done.returncode}:\n{done.stdout}{done.stderr}", ""
    return None, done.stdout.strip()


def main():
    build = os.path.abspath(sys.argv[1])
    names = sys.argv[2:] or sorted(name[:-len(".patch")] for name in os.listdir(BUGS) if name.endswith(".patch"))
    commands = flags_of(build)
    print(f"1..{len(names)}")
    # What is found must be the bug's.
    sound = subprocess.run([os.path.join(build, "sim"), "--seeds", str(SEEDS)], capture_output=True, text=True)
    if sound.returncode != 0:
        sys.exit(f"the sound sources fail, too:\n{sound.stdout}{sound.stderr}")
    failed = 0
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        for number, (name, (why, found)) in enumerate(
                zip(names, pool.map(lambda name: try_bug(build, commands, name), names)), 1):
            failed += why is not None
            print(f"{'not ok' if why else 'ok'} {number} - {name}", flush=True)
            print("# " + (why or found).replace("\n", "\n# "), flush=True)
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
