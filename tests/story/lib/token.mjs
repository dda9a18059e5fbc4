// SPDX-License-Identifier: Apache-2.0
// Signs tokens as the server does (HS256, with the secret the tests gave it), and also the kinds
// of token that it must refuse.
import {createHmac} from 'node:crypto';

export const SECRET = 'a secret of the tests, which is long enough to be one';

const encode = (value) => Buffer.from(JSON.stringify(value)).toString('base64url');

/** Any header, any claims, any secret; `algorithm` is what it is really signed with. */
export function sign(header, claims, secret = SECRET, algorithm = 'sha256') {
    const text = `${encode(header)}.${encode(claims)}`;
    return `${text}.${createHmac(algorithm, secret).update(text).digest('base64url')}`;
}

/** A good token for the user, unless `claims` says otherwise; undefined leaves a claim out. */
export function token(userId, claims = {}, secret = SECRET) {
    const now = Math.floor(Date.now() / 1000);
    const all = {sub: String(userId), iat: now, exp: now + 3600, ...claims};
    return sign({alg: 'HS256', typ: 'JWT'}, all, secret);
}

/** The claims of a token, without looking at its signature. */
export function claimsOf(text) {
    return JSON.parse(Buffer.from(text.split('.')[1], 'base64url').toString());
}
