// SPDX-License-Identifier: Apache-2.0
// Tokens signed as the server signs them, for people who were put into the database without a password.
import {createHmac} from 'node:crypto';

export const SECRET = 'a secret of the bench, which is long enough to be one';
export const PASSWORD = 'correct horse battery staple';

const encode = (value) => Buffer.from(JSON.stringify(value)).toString('base64url');
const head = encode({alg: 'HS256', typ: 'JWT'});
const issued = Math.floor(Date.now() / 1000) - 1;
const known = new Map();

export function tokenOf(userId) {
    let token = known.get(userId);
    if (!token) {
        const text = `${head}.${encode({sub: String(userId), iat: issued, exp: issued + 86_400})}`;
        token = `${text}.${createHmac('sha256', SECRET).update(text).digest('base64url')}`;
        known.set(userId, token);
    }
    return token;
}
