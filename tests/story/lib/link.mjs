// SPDX-License-Identifier: Apache-2.0
// Tokens of links in mail, made by other means than the server's (python3's hashlib), so that a mistake
// does not cancel itself out. See src/auth/link.h.
import assert from 'node:assert/strict';
import {spawnSync} from 'node:child_process';
import {SECRET} from './token.mjs';

export const RESET = 1, CONFIRM = 2;

const MAKER = `
import base64, hashlib, json, sys
given = json.load(sys.stdin)
number = lambda value: value.to_bytes(8, "big")
whole = hashlib.blake2b(given["secret"].encode(), digest_size=32).digest()
key = hashlib.blake2b(b"admit: links in mail, 1\\0", key=whole, digest_size=32).digest()
head = number(given["user"]) + number(given["until"])
hash = hashlib.blake2b(bytes([given["purpose"]]) + head, key=key, digest_size=32)
for part in given["proof"]:
    hash.update(number(len(part.encode())) + part.encode())
print(base64.urlsafe_b64encode(head + hash.digest()).decode(), end="")
`;

/** The token for a user's id; `proof` as in src/notify/mail.c; for an hour, unless `until` says otherwise. */
export function linkToken(purpose, user, proof, until = Date.now() + 3600_000) {
    const input = JSON.stringify({secret: SECRET, purpose, user, until, proof});
    const {status, stdout, stderr} = spawnSync('python3', ['-c', MAKER], {input, encoding: 'utf8'});
    assert.equal(status, 0, stderr);
    return stdout;
}

export const confirmToken = (user, email, until) => linkToken(CONFIRM, user, [email.toLowerCase(), ''], until);
export const resetToken = (user, email, hash, until) => linkToken(RESET, user, [hash, email.toLowerCase()], until);

/** Settings with which mail is sent: to nobody, for nobody listens there. */
export const MAIL = {SMTP_URL: 'smtp://127.0.0.1:9', MAIL_FROM: 'Box Office <tickets@example.org>', PUBLIC_URL: 'https://tickets.example.org'};
