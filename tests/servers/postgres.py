# SPDX-License-Identifier: Apache-2.0
"""A PostgreSQL for tests; see server.py."""
import glob
import os
import signal
import socket
import struct

from . import server

PASSWORD = "only for tests"
URL = "postgres://postgres:only%20for%20tests@127.0.0.1:{port}/postgres?sslmode=disable"


class Server:
    """`settings` are those of postgresql.conf. Nobody cuts the power of a test: without fsync
    databases are made ten times as fast; who tests that says settings={"fsync": "on"}."""

    def __init__(self, settings=None):
        self.settings = {"fsync": "off", "max_connections": "200", "shared_buffers": "64MB",
                         "ssl": "on", **(settings or {})}
        self.port = server.free_port()
        self.process = None

    def start(self, directory):
        programs = sorted(glob.glob("/usr/lib/postgresql/*/bin"), reverse=True)
        data = os.path.join(directory, "data")
        if not os.path.exists(data):
            self.create(directory, data, server.find("initdb", *programs))
        settings = [f"-c{name}={value}" for name, value in self.settings.items()]
        command = [server.find("postgres", *programs), "-D", data, "-k", directory,
                   "-h", "127.0.0.1", "-p", str(self.port), *settings]
        self.process = server.Process(command, directory)
        self.process.wait_until(self.is_ready)
        return URL.format(port=self.port)

    def create(self, directory, data, initdb):
        server.give(directory)
        password = os.path.join(directory, "password")
        with open(password, "w") as file:
            file.write(PASSWORD)
        server.give(password)
        server.run([initdb, "-D", data, "-U", "postgres", "--pwfile", password, "-E", "UTF8",
                    "--locale=C.UTF-8", "-A", "scram-sha-256", "--no-sync"], directory)

        # TLS for who asks for it; nobody but this machine believes in the certificate.
        server.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                    "ec_paramgen_curve:prime256v1", "-nodes", "-days", "30", "-subj",
                    "/CN=localhost", "-keyout", os.path.join(data, "server.key"),
                    "-out", os.path.join(data, "server.crt")], directory)

    def is_ready(self):
        """It listens before it serves; who asks for TLS then is told to wait, or answered."""
        try:
            with socket.create_connection(("127.0.0.1", self.port), 1) as probe:
                start = b"user\0postgres\0\0"
                probe.sendall(struct.pack("!II", 8 + len(start), 3 << 16) + start)
                return probe.recv(1) == b"R"  # it asks for a password
        except OSError:
            return False

    def stop(self):
        self.process.stop(signal.SIGINT)  # "fast": does not wait for clients

    def kill(self):
        """As a crash would; start() recovers."""
        self.process.kill()

    def pause(self):
        self.process.pause()

    def resume(self):
        self.process.resume()
