// SPDX-License-Identifier: Apache-2.0
// Who is it, and who is there at all? (OWASP API2.) The kinds of token that are refused are in
// http.test.mjs and tests/unit/auth/test_token.c; what guessing costs is in limits.test.mjs.
import assert from 'node:assert/strict';
import {after, before, describe, it} from 'node:test';
import {onEachStore, PASSWORD, start} from '../lib/admit.mjs';
import {expect} from '../lib/client.mjs';
import {claimsOf, token as signToken} from '../lib/token.mjs';

onEachStore('identity', {}, (server) => {
    let person, second;
    before(async () => ([person, second] = await server().crowd(2)));

    /** How often Argon2id ran during `act`. */
    async function hashes(act) {
        const count = async () => Number(/^admit_password_hashes_total (\d+)$/m.exec((await server().nobody.get('/metrics')).text)[1]);
        const was = await count();
        await act();
        return (await count()) - was;
    }

    describe('an unknown login and a wrong password', () => {
        const bare = ({status, headers, body}) => {
            const {'x-request-id': id, date, ...rest} = headers;
            return [status, rest, JSON.stringify(body).replace(id, '').length, body.code, body.error ?? body.detail];
        };

        for (const [title, ask] of [
            ['POST /v1/sessions', (login, password) => server().nobody.post('/v1/sessions', {login, password})],
            ['POST /login', (username, password) => server().nobody.post('/login', {username, password})],
            ['POST /login by e-mail', (email, password) => server().nobody.post('/login', {email, password})],
        ])
            it(`are answered alike, and cost one Argon2id each: ${title}`, async () => {
                const logins = ['nobody@example.org', 'nobody-of-that-name', person.email, person.email.toUpperCase()];
                const answers = [];
                for (const login of logins)
                    assert.equal(await hashes(async () => answers.push(await ask(login, 'not the password'))), 1, login);
                for (const answer of answers) {
                    expect(answer, 401, 'bad_credentials');
                    assert.deepEqual(bare(answer), bare(answers[0]));
                }
                assert.equal(await hashes(() => ask(person.email, PASSWORD)), 1, 'the right one costs the same');
            });

        it('so does one who has erased himself', async () => {
            const former = await server().person();
            expect(await former.delete('/v1/me', {password: PASSWORD}), 204);
            let answer;
            assert.equal(await hashes(async () => (answer = await server().nobody.post('/v1/sessions', {login: former.email, password: PASSWORD}))), 1);
            expect(answer, 401, 'bad_credentials');
        });

        it('what is wrong in itself costs nothing', async () => {
            const cost = await hashes(async () => {
                for (const password of ['', 'x'.repeat(257), null, 5, ['a'], {}])
                    expect(await server().nobody.post('/v1/sessions', {login: person.email, password}), 400);
                expect(await server().nobody.post('/v1/users', {email: 'broken', name: 'x', password: PASSWORD}), 400);
            });
            assert.equal(cost, 0);
        });
    });

    it('a name that is taken is found out for the price of a hash only', async () => {
        const cost = await hashes(async () =>
            expect(await server().nobody.post('/v1/users', {email: person.email, name: 'x', password: PASSWORD}), 409, 'email_taken'));
        assert.equal(cost, 1);
    });

    it('a token of before a sign-out, a new password or the end of the account is dead on every kind of route', async () => {
        const ends = [
            (who) => who.delete('/v1/sessions'),
            (who) => who.patch('/v1/me', {password: 'another long password', current_password: PASSWORD}),
            (who) => who.delete('/v1/me', {password: PASSWORD}),
        ];
        for (const end of ends) {
            const who = await server().person();
            await who.signIn();
            const {token} = who;
            expect(await server().nobody.get('/v1/me', {token}), 200);
            expect(await end(who), [200, 204]);
            for (const [method, path, body] of [['GET', '/v1/me'], ['GET', '/v1/events'], ['POST', '/v1/events', {name: 'x', capacity: 1}],
                ['POST', '/book', {eventId: 1}], ['GET', '/status/1'], ['DELETE', '/v1/sessions']])
                expect(await server().nobody.call(method, path, {body, token}), 401, 'unauthorized');
        }
    });

    it('a token that counts from a moment to come is refused until then', async () => {
        const now = Math.floor(Date.now() / 1000);
        expect(await server().nobody.get('/v1/me', {token: signToken(person.id, {nbf: now + 600})}), 401);
        expect(await server().nobody.get('/v1/me', {token: signToken(person.id, {nbf: now - 600})}), 200);
        expect(await server().nobody.get('/v1/me', {token: signToken(person.id, {iat: now + 600, exp: now + 900})}), 401);
    });

    it('a token says who, and nothing of what one may', async () => {
        const {token} = await person.signIn();
        assert.deepEqual(Object.keys(claimsOf(token)).sort(), ['at', 'exp', 'iat', 'sub']);
        const forged = signToken(person.id, {role: 'admin', roles: ['admin'], admin: true, scope: 'admin'});
        assert.equal(expect(await server().nobody.get('/v1/me', {token: forged}), 200).role, 'user');
        expect(await server().nobody.get('/v1/users', {token: forged}), 403, 'forbidden');
    });

    it('is in the Authorization header and nowhere else', async () => {
        for (const path of [`/v1/me?token=${person.token}`, `/v1/me?access_token=${person.token}`, `/v1/me?Authorization=${person.token}`])
            expect(await server().nobody.get(path), 401, 'unauthorized');
        for (const headers of [{Cookie: `token=${person.token}`}, {'X-Auth-Token': person.token}, {'Proxy-Authorization': `Bearer ${person.token}`}])
            expect(await server().nobody.get('/v1/me', {headers}), 401, 'unauthorized');
        assert.equal((await person.get('/v1/me')).headers['set-cookie'], undefined, 'no cookie, so no site can ride on one');
    });

    describe('a reference', () => {
        const ALPHABET = '0123456789ABCDEFGHJKMNPQRSTVWXYZ';
        let event, mine;
        before(async () => {
            event = await second.createEvent({name: 'Guessed', capacity: 400, price: 100});
            mine = await person.book(event.id, 1);
        });

        it('has no neighbours: none that differs in one character shows anything, to owner or manager', async () => {
            const plain = mine.reference.replaceAll('-', '');
            for (let at = 0; at < plain.length; at++)
                for (const who of [person, second]) {
                    const other = ALPHABET[(ALPHABET.indexOf(plain[at]) + 1 + (at % 31)) % 32];
                    const guess = plain.slice(0, at) + other + plain.slice(at + 1);
                    expect(await who.get(`/v1/bookings/${guess}`), 404, 'no_such_booking');
                    expect(await who.delete(`/v1/bookings/${guess}`), 404, 'no_such_booking');
                }
            assert.equal((await person.booking(mine.reference)).status, 'confirmed');
        });

        it('and the next one\'s have nothing in common', async () => {
            const references = [];
            for (let i = 0; i < 200; i++) references.push((await second.book(event.id, 1)).reference.replaceAll('-', ''));
            // Alike in n of 12 places: by chance 12 / 32 on the average.
            const alike = references.slice(1).map((reference, index) =>
                [...reference].filter((character, at) => character === references[index][at]).length);
            assert.ok(alike.every((count) => count <= 5), `${Math.max(...alike)} places alike`);
            const average = alike.reduce((a, b) => a + b) / alike.length;
            assert.ok(average < 0.8, `${average} places alike on the average`);
            for (let at = 0; at < 12; at++)
                assert.ok(new Set(references.map((reference) => reference[at])).size > 20, `place ${at} hardly changes`);
        });

        it('is not what lists have in their cursors, nor is the number of bookings', async () => {
            for (const [who, path] of [[second, '/v1/bookings'], [second, `/v1/events/${event.id}/bookings`]]) {
                const {next_cursor: cursor, data} = expect(await who.get(`${path}?limit=1`), 200);
                const text = Buffer.from(cursor, 'base64url').toString('latin1');
                assert.equal(text, data[0].reference, 'a cursor tells nothing that the page does not');
            }
        });
    });
});

describe('an administrator', () => {
    let server, admin;
    before(async () => {
        server = await start({admin: true});
        admin = await server.admin();
    });
    after(() => server?.finish());

    it('is one no more with the next request after the role was taken', async () => {
        const second = await server.person();
        expect(await admin.patch(`/v1/users/${second.id}`, {role: 'admin'}), 200);
        expect(await second.get('/v1/users'), 200);
        expect(await admin.patch(`/v1/users/${second.id}`, {role: 'user'}), 200);
        expect(await second.get('/v1/users'), 403, 'forbidden');
        expect(await second.patch(`/v1/users/${second.id}`, {role: 'admin'}), 403, 'forbidden');
    });
});
