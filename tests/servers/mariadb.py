# SPDX-License-Identifier: Apache-2.0
"""A MariaDB for tests; see server.py."""
import os
import signal
import socket

from . import server

PASSWORD = "only for tests"
URL = "mysql://root:only%20for%20tests@127.0.0.1:{port}/mysql"


class Server:
    """`settings` are those of mariadbd. Nobody cuts the power of a test: it does not wait for the
    disk, and tables are not files of their own, so that databases are made ten times as fast; who
    tests that says settings={"innodb-flush-log-at-trx-commit": "1", "innodb-flush-method":
    "fsync", "innodb-doublewrite": "ON"}."""

    def __init__(self, settings=None):
        self.settings = {"innodb-flush-log-at-trx-commit": "0", "innodb-doublewrite": "OFF",
                         "innodb-flush-method": "nosync", "innodb-file-per-table": "OFF",
                         "innodb-stats-persistent": "OFF", "sync-frm": "OFF",
                         "innodb-buffer-pool-size": "64M", "innodb-log-file-size": "32M",
                         "max-connections": "200", **(settings or {})}
        self.port = server.free_port()
        self.process = None

    def start(self, directory):
        data = os.path.join(directory, "data")
        if not os.path.exists(data):
            self.create(directory, data)
        self.process = server.Process(self.command(directory), directory)
        self.process.wait_until(self.is_ready)
        return URL.format(port=self.port)

    def command(self, directory):
        settings = [f"--{name}={value}" for name, value in self.settings.items()]
        return [server.find("mariadbd"), "--no-defaults", f"--datadir={directory}/data",
                f"--socket={directory}/socket", f"--pid-file={directory}/pid",
                f"--tmpdir={directory}", "--bind-address=127.0.0.1", f"--port={self.port}",
                "--skip-name-resolve", *settings]

    def create(self, directory, data):
        server.give(directory)
        server.run([server.find("mariadb-install-db"), "--no-defaults", f"--datadir={data}",
                    "--auth-root-authentication-method=normal", "--skip-test-db",
                    "--skip-name-resolve"], directory)
        password = os.path.join(directory, "password.sql")
        with open(password, "w") as file:
            file.write("FLUSH PRIVILEGES;\n"
                       f"ALTER USER root@127.0.0.1 IDENTIFIED BY '{PASSWORD}';\n"
                       f"ALTER USER root@localhost IDENTIFIED BY '{PASSWORD}';\n")
        server.give(password)
        with open(password) as file:
            server.run([server.find("mariadbd"), "--no-defaults", f"--datadir={data}",
                        "--bootstrap", "--innodb-flush-log-at-trx-commit=0"], directory, file)

    def is_ready(self):
        """It greets when it serves: a packet that begins with the protocol's version, 10."""
        try:
            with socket.create_connection(("127.0.0.1", self.port), 1) as probe:
                return probe.recv(5)[4:] == b"\x0a"
        except OSError:
            return False

    def stop(self):
        self.process.stop(signal.SIGTERM)

    def kill(self):
        """As a crash would; start() recovers."""
        self.process.kill()

    def pause(self):
        self.process.pause()

    def resume(self):
        self.process.resume()
