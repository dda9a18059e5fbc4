# SPDX-License-Identifier: Apache-2.0
"""Three MariaDBs that are one cluster (Galera), each in a directory of its own; see server.py.

Debian has the scripts that carry a whole state from node to node in mariadb-server, which starts a
service by itself. So all three begin with a copy of the same data, and a node that comes back is sent
what it missed (incremental state transfer); where that is not enough it does not start.
"""
import os
import re
import shutil
import subprocess

from . import mariadb, server

NODES = 3
PROVIDER = "/usr/lib/galera/libgalera_smm.so"
SCRIPT = "wsrep_sst_missed"


class Node(mariadb.Server):
    def __init__(self, settings):
        super().__init__(settings)
        self.address = f"127.0.0.1:{server.free_port()}"
        self.receiver = f"127.0.0.1:{server.free_port()}"

    def start_in(self, directory, cluster):
        """In the cluster of these addresses; in a new one where there are none."""
        os.makedirs(os.path.join(directory, "bin"), exist_ok=True)
        shutil.copy(os.path.join(os.path.dirname(__file__), SCRIPT), os.path.join(directory, "bin"))
        self.settings.update({
            "binlog-format": "ROW", "innodb-autoinc-lock-mode": "2", "wsrep-on": "ON",
            "wsrep-provider": PROVIDER, "wsrep-cluster-address": "gcomm://" + ",".join(cluster),
            "wsrep-sst-method": "missed", "wsrep-node-address": self.address,
            "wsrep-provider-options": f"base_host=127.0.0.1;gmcast.listen_addr=tcp://{self.address};"
                                      f"ist.recv_addr={self.receiver};gcache.size=64M"})
        self.settings.pop("wsrep-start-position", None)
        self.settings["wsrep-start-position"] = self.position(directory)
        return self.start(directory)

    def position(self, directory):
        """How far its data are; after a crash only InnoDB knows. It is killed once it has said so: MariaDB
        10.11.19 sometimes goes on for ever afterwards, and takes all the memory there is."""
        log = os.path.join(directory, "log")
        begin = os.path.getsize(log) if os.path.exists(log) else 0
        found = []

        def is_known():
            with open(log) as file:
                file.seek(begin)
                found[:] = re.findall(r"Recovered position: (\S+)\n", file.read())
            return found

        process = server.Process([*self.command(directory), "--wsrep-recover"], directory)
        process.wait_until(is_known)
        process.kill()
        return found[0]

    def is_ready(self):
        """It greets long before it belongs to the cluster."""
        return super().is_ready() and "Synced" in self.ask(
            "SHOW STATUS LIKE 'wsrep_local_state_comment'")

    def ask(self, statement):
        command = [server.find("mariadb"), "--no-defaults", "--protocol=TCP", "--host=127.0.0.1",
                   f"--port={self.port}", "--user=root", "--connect-timeout=2", "-e", statement]
        environment = {**os.environ, "MYSQL_PWD": mariadb.PASSWORD}
        return subprocess.run(command, env=environment, text=True, capture_output=True).stdout


class Server:
    """Nodes are counted from 1. The URL names all of them."""

    def __init__(self, settings=None):
        if not os.path.exists(PROVIDER):
            server.exit_without("galera-4")
        self.nodes = [Node(settings) for _ in range(NODES)]

    def start(self, directory, node=None):
        """All of them, or that one again."""
        places = self.places(directory)
        if node:
            return self.nodes[int(node) - 1].start_in(places[int(node) - 1], self.cluster())
        if not os.path.exists(places[0]):
            self.create(places)
        first, *others = self.nodes
        first.start_in(places[0], [])
        for node, place in zip(others, places[1:]):
            node.start_in(place, self.cluster())
        hosts = ",".join(f"127.0.0.1:{node.port}" for node in self.nodes)
        return mariadb.URL.replace("127.0.0.1:{port}", hosts)

    def create(self, places):
        """One that knows the name of the cluster and how far it is, and copies of it."""
        first = self.nodes[0]
        server.give(os.path.dirname(places[0]))
        os.makedirs(places[0])
        first.create(places[0], os.path.join(places[0], "data"))
        first.start_in(places[0], [])
        first.stop()
        for place in places[1:]:
            os.makedirs(place)
            server.give(place)
            server.run(["cp", "-a", f"{places[0]}/data", place], place)

    def kill(self, node):
        self.nodes[int(node) - 1].kill()

    def pause(self, node):
        self.nodes[int(node) - 1].pause()

    def resume(self, node):
        self.nodes[int(node) - 1].resume()

    def stop(self):
        """Nobody needs what they have any more, and one that lost the others may take its time."""
        for node in self.nodes:
            if node.process:
                node.kill()

    def cluster(self):
        return [node.address for node in self.nodes]

    @staticmethod
    def places(directory):
        return [os.path.join(directory, f"node{number}") for number in range(1, NODES + 1)]
