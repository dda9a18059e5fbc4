# SPDX-License-Identifier: Apache-2.0
"""What the kinds of servers have in common: a process of an unprivileged user in a directory of
its own, on a port of its own, that is ended by its id and does not outlive who started it.

A kind is a module with `class Server`:

    server = Server(settings)       # of the server itself, by name; None for what tests want
    url = server.start(directory)   # one that is there, empty at first; ready when this returns
    server.stop()                   # start() again goes on with what is in the directory
    server.kill()                   # the same after a crash
    server.pause()                  # stands still, as a machine that is overwhelmed would
    server.resume()

The URL is one for DATABASE_URL, of a user who may make databases and users.
"""
import ctypes
import os
import shutil
import signal
import socket
import subprocess
import time

READY_S = 60
STOP_S = 60
PR_SET_PDEATHSIG = 1


def identity():
    """Arguments of Popen for a child that must not be root."""
    return {"user": "nobody", "group": "nogroup", "extra_groups": []} if os.geteuid() == 0 else {}


def give(path):
    """Lets that user have a file or a directory."""
    if os.geteuid() == 0:
        shutil.chown(path, "nobody", "nogroup")


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def find(name, *folders):
    """The program `name` in one of the folders, or in PATH."""
    path = os.pathsep.join([*folders, os.environ.get("PATH", ""), "/usr/sbin", "/sbin"])
    return shutil.which(name, path=path) or exit_without(name)


def exit_without(name):
    raise SystemExit(f"{name} is not installed; tools/setup test installs it")


def environment(directory):
    """Nothing of ours: no sanitizer, no locale, no settings of a database that is there."""
    return {"PATH": f"{directory}/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME": directory, "LC_ALL": "C.UTF-8"}


def run(command, directory, stdin=subprocess.DEVNULL):
    """To its end, as that user; what it said when it fails."""
    done = subprocess.run(command, cwd=directory, env=environment(directory), text=True,
                          stdin=stdin, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, **identity())
    if done.returncode != 0:
        raise SystemExit(f"{command[0]}: {done.stdout}")
    return done.stdout


def family(pid):
    """That process and all below it, parents first."""
    children = {}
    for entry in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{entry}/stat") as stat:
                parent = int(stat.read().rpartition(")")[2].split()[1])
        except OSError:
            continue  # it is over
        children.setdefault(parent, []).append(int(entry))
    found = [pid]
    for member in found:
        found += children.get(member, [])
    return found


def end_with_parent():
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


class Process:
    """A server as a child, with its log beside its data."""

    def __init__(self, command, directory):
        self.log = os.path.join(directory, "log")
        with open(self.log, "a") as log:
            # A session of its own: an interrupt from the terminal is for who started it.
            self.child = subprocess.Popen(command, cwd=directory, env=environment(directory),
                                          stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                          start_new_session=True, preexec_fn=end_with_parent,
                                          **identity())
        self.pid = self.child.pid

    def wait_until(self, is_ready):
        end = time.monotonic() + READY_S
        while not is_ready():
            if self.child.poll() is not None or time.monotonic() > end:
                self.kill()
                with open(self.log) as log:
                    raise SystemExit(f"{self.child.args[0]} does not start:\n{log.read()}")
            time.sleep(0.02)

    def stop(self, number):
        self.child.send_signal(number)
        try:
            self.child.wait(STOP_S)
        except subprocess.TimeoutExpired:
            self.kill()
            raise

    def kill(self):
        self.child.kill()
        self.child.wait()

    def pause(self):
        """The first one first: it can start no more then."""
        os.kill(self.pid, signal.SIGSTOP)
        for pid in family(self.pid)[1:]:
            os.kill(pid, signal.SIGSTOP)

    def resume(self):
        for pid in reversed(family(self.pid)):
            os.kill(pid, signal.SIGCONT)
