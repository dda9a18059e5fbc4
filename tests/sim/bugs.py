#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Does the simulator bite? Each patch in tests/sim/bugs plants one bug, and the simulator must find it.

    tests/sim/bugs.py BUILD [NAME...]      BUILD with the simulator in it; only the patches named
    tests/sim/bugs.py BUILD --outside [NAME...]    those of OUTSIDE in the program itself: the model-based
                                           test over HTTP must find them, in memory

A patch is applied to copies of the sources it names, these are compiled with the flags of BUILD
and linked before the library, so that they take the place of the sound ones. A patch that does
not apply any more is a failure, as is a bug that is not found. Speaks TAP.
"""
import concurrent.futures
import json
import os
import re
import shlex
import signal
import subprocess
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUGS = os.path.join(ROOT, "tests", "sim", "bugs")
SEEDS = 4000  # most are found within some dozen
VIEW = "tests/story/model.test.mjs"
VIEW_MOST_S = 240
# What the model-based test must find from outside. The rest needs faults, a clock or a second process.
OUTSIDE = ["cancelled_twice", "capacity_below_booked", "capacity_not_served", "draft_seen", "event_cancel_line", "key_forgotten",
           "key_other_request", "lost_promotion", "max_per_booking", "max_per_user", "no_journal", "number_twice",
           "overtaking", "stranger_cancels", "wrong_position"]


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
    target = os.path.basename(program)
    lines = subprocess.check_output(["ninja", "-C", build, "-t", "commands", target], text=True)
    words = shlex.split(lines.rstrip("\n").split("\n")[-1])
    at = words.index("-o")
    words[at + 1:at + 2] = [program] + objects
    subprocess.run(words, cwd=build, check=True)


def planted(build, commands, name, folder, target):
    """Makes `target` with the bug in it, in `folder`. None, or why that cannot be done."""
    patch = os.path.join(BUGS, name + ".patch")
    with open(patch) as file:
        paths = re.findall(r"^\+\+\+ b/(\S+)$", file.read(), re.M)
    for path in paths:
        os.makedirs(os.path.dirname(os.path.join(folder, path)), exist_ok=True)
        with open(os.path.join(ROOT, path)) as sound, open(os.path.join(folder, path), "w") as copy:
            copy.write(sound.read())
    done = subprocess.run(["patch", "-p1", "--fuzz=1", "--no-backup-if-mismatch", "-s", "-i", patch],
                          cwd=folder, capture_output=True, text=True)
    if done.returncode != 0:
        return "the patch does not apply any more:\n" + done.stdout
    try:
        link(build, [compile_patched(build, commands, path, folder) for path in paths],
             os.path.join(folder, target))
    except subprocess.CalledProcessError as error:
        return f"it cannot be built: {error}"
    return None


def try_bug(build, commands, name):
    """None, or why it is a failure; and what was found."""
    with tempfile.TemporaryDirectory(prefix="admit-bug-") as folder:
        why = planted(build, commands, name, folder, "sim")
        if why:
            return why, ""
        done = subprocess.run([os.path.join(folder, "sim"), "--seeds", str(SEEDS), "--jobs", "1", "--no-shrink",
                               "--brief"], capture_output=True, text=True)
    if done.returncode == 0:
        return f"not found by {SEEDS} runs", ""
    if done.returncode != 1 or not done.stdout.startswith("seed "):
        return f"the simulator ended with {done.returncode}:\n{done.stdout}{done.stderr}", ""
    return None, done.stdout.strip()


def is_found_outside(program):
    """Does the model-based test fail with this program, by its own judgement?"""
    env = dict(os.environ, ADMIT=program, TEST_STORES="memory", MODEL_RUNS="200")
    # In a group of its own: a bug may leave somebody waiting for ever, and a server behind.
    with subprocess.Popen(["node", "--test", VIEW], cwd=ROOT, env=env, start_new_session=True, text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as child:
        try:
            said = child.communicate(timeout=VIEW_MOST_S)[0]
        except subprocess.TimeoutExpired:
            os.killpg(child.pid, signal.SIGKILL)
            return False
    return child.returncode != 0 and "MODEL_SEED=" in said


def try_outside(build, commands, name):
    """As try_bug(), for the program and the model-based test."""
    with tempfile.TemporaryDirectory(prefix="admit-bug-") as folder:
        why = planted(build, commands, name, folder, "admit")
        if not why and not is_found_outside(os.path.join(folder, "admit")):
            why = "not found"
    return why, "found by the model"


def is_sound(build, outside):
    """What is found must be the bug's. None, or what the sound sources are found to do."""
    if outside:
        return "the model-based test" if is_found_outside(os.path.join(build, "admit")) else None
    done = subprocess.run([os.path.join(build, "sim"), "--seeds", str(SEEDS)], capture_output=True, text=True)
    return done.stdout + done.stderr if done.returncode != 0 else None


def main():
    build = os.path.abspath(sys.argv[1])
    outside = "--outside" in sys.argv[2:]
    known = sorted(name[:-len(".patch")] for name in os.listdir(BUGS) if name.endswith(".patch"))
    names = [name for name in sys.argv[2:] if name != "--outside"] or (OUTSIDE if outside else known)
    commands = flags_of(build)
    attempt = try_outside if outside else try_bug
    print(f"1..{len(names)}")
    # 'make test' itself shows that, where a few are picked.
    complaint = None if outside and len(names) < len(OUTSIDE) else is_sound(build, outside)
    if complaint:
        sys.exit(f"the sound sources fail, too:\n{complaint}")
    failed = 0
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        for number, (name, (why, found)) in enumerate(
                zip(names, pool.map(lambda name: attempt(build, commands, name), names)), 1):
            failed += why is not None
            print(f"{'not ok' if why else 'ok'} {number} - {name}", flush=True)
            print("# " + (why or found).replace("\n", "\n# "), flush=True)
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
