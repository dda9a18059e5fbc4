#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What is written as mail is read here by somebody else's program, Python's own.

    read_mail.py PRINT_MAIL
"""
import email
import email.header
import email.policy
import email.utils
import html.parser
import re
import subprocess
import sys

NAMES = [
    "Ana", "Ána Ðurić", "Ana, \"the\" <b@c.d>; \\", "=?utf-8?q?=41?= x", "🎫" * 40, "x" * 200, "a\tb  c\u2028d",
    "x\r\nBcc: victim@example.org\r\n\r\n<script>", "ا" * 60, "e\u0301" * 90, "Ana & Bob <i>'", ".", "From here",
    "\"", "(comment) Ana", "Ana@example.org", "日本語 テキスト " * 12, "a" * 70 + " é",
]
ADDRESSES = {
    "ana@example.org": "ana@example.org",
    "a.b+c@x-y.example": "a.b+c@x-y.example",
    "a:b@example.org": '"a:b"@example.org',
    "a(b)c@example.org": '"a(b)c"@example.org',
    "ana@münchen.example": "ana@xn--mnchen-3ya.example",
    "l" * 64 + "@" + "d" * 60 + "." + "d" * 60 + ".example": None,
}
TAGS = {"html", "head", "meta", "title", "body", "div", "p", "a", "br"}

count = failed = 0


def check(right, what, got=""):
    global count, failed
    count += 1
    if not right:
        failed += 1
        print(f"# {what}: {got!r}")


def one_line(text):
    return re.sub(r"[\x00-\x20\x7f]+", " ", text).strip(" ")


def compose(topic, address, name, event, venue, kind):
    done = subprocess.run([sys.argv[1], topic, address, name, event, venue, kind], capture_output=True)
    check(done.returncode == 0, f"{topic} to {address}", done.stderr)
    return done.stdout


class Page(html.parser.HTMLParser):
    def __init__(self, source):
        super().__init__()
        self.text, self.tags, self.ends = "", [], []
        self.feed(source)

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)

    def handle_data(self, data):
        self.text += data


def calendar_of(text):
    """Unfolded lines by their names, texts without escapes (RFC 5545)."""
    check(all(len(line.encode()) <= 75 for line in text.split("\r\n")), "a line of the calendar is too long", text)
    fields = {}
    for line in text.replace("\r\n ", "").split("\r\n"):
        name, _, value = line.partition(":")
        fields[name.split(";")[0]] = re.sub(r"\\([\\;,nN])", lambda m: "\n" if m[1] in "nN" else m[1], value)
    return fields


def display_name(raw):
    """By the older reader: the new one keeps the blank between two encoded words of a name, which RFC 2047,
    section 6.2, takes away."""
    field = email.message_from_bytes(raw)["To"]
    phrase = email.utils.parseaddr(field)[0]
    return str(email.header.make_header(email.header.decode_header(phrase)))


def look(topic, subject, address, name, event, venue, kind):
    raw = compose(topic, address, name, event, venue, kind)
    check(b"\n" not in raw.replace(b"\r\n", b"") and b"\r" not in raw.replace(b"\r\n", b""), "ends of lines", raw)
    mail = email.message_from_bytes(raw, policy=email.policy.default)
    for part in mail.walk():
        check(not part.defects, "defects", part.defects)
    check(mail.keys() == ["Date", "From", "To", "Subject", "Message-ID", "Auto-Submitted", "MIME-Version",
                          "Content-Type"], "fields", mail.keys())
    for field in mail.values():
        check(not getattr(field, "defects", ()), "defects of a field", field)
    check(mail["Subject"] == one_line(subject + event), "the subject", mail["Subject"])
    (to,) = mail["To"].addresses
    check(to.addr_spec == (ADDRESSES[address] or address), "the address", to.addr_spec)
    check(display_name(raw) == one_line(name), "the name", display_name(raw))
    plain = mail.get_body(("plain",)).get_content()
    page = Page(mail.get_body(("html",)).get_content())
    check(set(page.tags) <= TAGS, "tags", page.tags)
    for value in (name, event, venue, kind):
        check(one_line(value) in plain, "in the text", value)
        check(one_line(value) in page.text, "in the HTML", value)
    parts = [part for part in mail.walk() if part.get_content_type() == "text/calendar"]
    files = list(mail.iter_attachments()) if mail.get_content_subtype() == "mixed" else []
    if topic == "booking.confirmed":
        check(len(parts) == 1 and len(files) == 1, "calendars", (parts, files))
        check(parts[0]["Content-Type"].params["method"] == "REQUEST", "method", parts[0]["Content-Type"])
        text = parts[0].get_payload(decode=True)
        check(files[0].get_filename() == "event.ics" and files[0].get_payload(decode=True) == text, "the file")
        fields = calendar_of(text.decode())
        check(fields["SUMMARY"] == one_line(event) and fields["LOCATION"] == one_line(venue), "the calendar", fields)
    else:
        check(not parts and not files, "calendars", parts)


for index, name in enumerate(NAMES):
    others = [NAMES[(index + shift) % len(NAMES)] for shift in (3, 7, 11)]
    look("booking.confirmed", "Booked: ", "ana@example.org", name, *others)
    look("booking.waiting", "On the waiting list: ", "ana@example.org", name, *others)
for address in ADDRESSES:
    look("booking.confirmed", "Booked: ", address, "Ana", "Concert", "Hall", "Balcony")

print(f"# {count} checks, {failed} failed")
sys.exit(failed > 0)
