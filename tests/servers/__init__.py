# SPDX-License-Identifier: Apache-2.0
"""Real database servers for the tests; see server.py."""
import contextlib
import importlib
import os
import shutil
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
VARIABLES = {"postgres": "TEST_POSTGRES_URL", "mariadb": "TEST_MYSQL_URL"}
KINDS = [kind for kind in VARIABLES if os.path.exists(os.path.join(HERE, kind + ".py"))]


def make(kind, settings=None):
    """A server of that kind, not started; `settings` are its own, by name."""
    return importlib.import_module(f"{__name__}.{kind}").Server(settings)


@contextlib.contextmanager
def running(kinds=None):
    """Starts one server of each kind in a new directory; gives the variables for the tests.
    Where a variable is set already, that server is used. Afterwards everything is gone."""
    urls = {}
    with contextlib.ExitStack() as stack:
        for kind in KINDS if kinds is None else kinds:
            variable = VARIABLES[kind]
            if os.environ.get(variable):
                urls[variable] = os.environ[variable]
                continue
            directory = tempfile.mkdtemp(prefix=f"admit-{kind}-")
            stack.callback(shutil.rmtree, directory)
            server = make(kind)
            urls[variable] = server.start(directory)
            stack.callback(server.stop)
        yield urls
