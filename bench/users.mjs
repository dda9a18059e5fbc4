// SPDX-License-Identifier: Apache-2.0
// Puts users into an embedded store without an Argon2 run each, and writes a token for every one.
//
//     node bench/users.mjs DATABASE COUNT TOKENS_FILE      (JWT_SECRET in the environment)
//
// The store must exist (admit migrate) and not be in use.
import { createHmac } from 'node:crypto';
import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';

const encode = (value) => Buffer.from(JSON.stringify(value)).toString('base64url');

export function sign(userId, secret, lifetime = 86400) {
    const now = Math.floor(Date.now() / 1000);
    const text = `${encode({ alg: 'HS256', typ: 'JWT' })}.${encode({ sub: String(userId), iat: now - 1, exp: now + lifetime })}`;
    return `${text}.${createHmac('sha256', secret).update(text).digest('base64url')}`;
}

export function addUsers(database, count, tokensFile, secret) {
    const sql = `
        BEGIN IMMEDIATE;
        WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ${count})
        INSERT INTO users (id, username, username_folded, name, password_hash, role, created_at, erased_at)
        SELECT i, 'user' || i, 'user' || i, 'User ' || i, '', 0, 0, 0 FROM n;
        INSERT INTO sequences (sequence, next) VALUES (3, ${count + 1})
            ON CONFLICT (sequence) DO UPDATE SET next = excluded.next;
        COMMIT;`;
    execFileSync('sqlite3', [database], { input: sql });
    const tokens = Array.from({ length: count }, (_, i) => sign(i + 1, secret));
    writeFileSync(tokensFile, tokens.join('\n') + '\n', { mode: 0o600 });
}

if (process.argv[1].endsWith('users.mjs')) {
    const [database, count, tokens] = process.argv.slice(2);
    addUsers(database, Number(count), tokens, process.env.JWT_SECRET);
}
