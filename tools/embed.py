#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Turns files into parts of the program, at build time.

    embed.py assets OUT.c OUT.S OUT.bin /path=file ...    what src/api/embedded.h declares
    embed.py schema OUT.c NAME 001_first.sql ...          what src/store/schema.h declares
    embed.py mail OUT.c booking.confirmed.txt ...         what src/notify/templates.h declares

A .yaml file is embedded as JSON. The octets go through the assembler (.incbin), because a
compiler takes many seconds for an array of two megabytes. The same files give the same output.
"""
import gzip
import hashlib
import json
import os
import re
import sys

GZIP_FROM = 10_000  # smaller files are not worth a second form

CONTENT_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".txt": "text/plain; charset=utf-8",
    ".json": "application/json",
    ".yaml": "application/json",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".ico": "image/x-icon",
}


def read(path):
    with open(path, "rb") as file:
        return file.read()


def c_string(text):
    """A C literal; UTF-8 octets that are not plain ASCII as octal, which ends after three digits."""
    plain = {ord('"'): '\\"', ord("\\"): "\\\\", ord("\n"): "\\n", ord("?"): "\\?"}
    octets = (plain.get(c) or (chr(c) if 32 <= c < 127 else f"\\{c:03o}") for c in text.encode())
    return '"' + "".join(octets) + '"'


def yaml_to_json(source, path):
    import yaml  # only here: embedding the schema does not need it

    class Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):
        """YAML as of 1.2: 'no', 'on', 12:30 and 2027-06-01 are text. A key given twice is wrong."""

        yaml_implicit_resolvers = {}

        def construct_mapping(self, node, deep=False):
            seen = set()
            for key, _ in node.value:
                if key.value in seen:
                    sys.exit(f"{path}:{key.start_mark.line + 1}: '{key.value}' is given twice")
                seen.add(key.value)
            return super().construct_mapping(node, deep)

    for tag, pattern, first in (
        ("null", r"~|null|", ["~", "n", ""]),
        ("bool", r"true|false", list("tf")),
        ("int", r"-?(?:0|[1-9][0-9]*)", list("-0123456789")),
        ("float", r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?", list("-0123456789")),
    ):
        Loader.add_implicit_resolver(f"tag:yaml.org,2002:{tag}", re.compile(f"^(?:{pattern})$"), first)
    document = yaml.load(source, Loader)
    return json.dumps(document, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()


def embed_assets(out_c, out_s, out_bin, *assets):
    blob = bytearray()
    rows = []

    def add(data):
        at = len(blob)
        blob.extend(data)
        return f"embedded_blob + {at}"

    for asset in sorted(assets):
        path, file = asset.split("=", 1)
        data = read(file)
        extension = os.path.splitext(file)[1]
        if extension == ".yaml":
            data = yaml_to_json(data, file)
        row = [
            f".path = {c_string(path)}",
            f".content_type = {c_string(CONTENT_TYPES[extension])}",
            ".etag = " + c_string('"' + hashlib.sha256(data).hexdigest()[:32] + '"'),
            f".data = {add(data)}",
            f".size = {len(data)}",
        ]
        if len(data) >= GZIP_FROM:
            packed = gzip.compress(data, 9, mtime=0)
            row += [f".gzip_data = {add(packed)}", f".gzip_size = {len(packed)}"]
        rows.append("    {" + ",\n     ".join(row) + "},\n")

    with open(out_bin, "wb") as file:
        file.write(blob)
    with open(out_s, "w") as file:
        file.write(f"""/* Made by tools/embed.py; {hashlib.sha256(blob).hexdigest()} */
    .section .rodata
    .global embedded_blob
    .hidden embedded_blob
    .balign 16
embedded_blob:
    .incbin {c_string(os.path.abspath(out_bin))}
    .section .note.GNU-stack, "", %progbits
""")
    with open(out_c, "w") as file:
        file.write(f"""/* Made by tools/embed.py. */
#include "api/embedded.h"

extern const unsigned char embedded_blob[] __attribute__((visibility("hidden")));

const struct embedded_file embedded_files[] = {{
{"".join(rows)}}};
const size_t embedded_file_count = {len(rows)};
""")


def c_lines(file):
    return "\n".join("        " + c_string(line) for line in read(file).decode().splitlines(True))


def embed_schema(out_c, name, *files):
    rows = []
    for version, file in enumerate(sorted(files, key=os.path.basename), 1):
        base = os.path.splitext(os.path.basename(file))[0]
        if not re.fullmatch(f"0*{version}_[a-z0-9_]+", base):
            sys.exit(f"{file}: migration {version} is expected here, as {version:03}_what_it_does.sql")
        rows.append(f"    {{{version}, {c_string(base)},\n{c_lines(file)}}},\n")
    with open(out_c, "w") as file:
        file.write(f"""/* Made by tools/embed.py. */
#include "store/schema.h"

const struct migration {name}_migrations[] = {{
{"".join(rows)}}};
const size_t {name}_migration_count = {len(rows)};
""")


def embed_mail(out_c, *files):
    rows = [f"    {{{c_string(os.path.basename(file))},\n{c_lines(file)}}},\n" for file in sorted(files)]
    with open(out_c, "w") as file:
        file.write(f"""/* Made by tools/embed.py. */
#include "notify/templates.h"

const struct mail_source mail_sources[] = {{
{"".join(rows)}}};
const size_t mail_source_count = {len(rows)};
""")


if __name__ == "__main__":
    verbs = {"assets": embed_assets, "schema": embed_schema, "mail": embed_mail}
    if len(sys.argv) < 4 or sys.argv[1] not in verbs:
        sys.exit(__doc__)
    verbs[sys.argv[1]](*sys.argv[2:])
