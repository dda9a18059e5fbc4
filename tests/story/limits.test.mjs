// SPDX-License-Identifier: Apache-2.0
// How often one may ask. Loopback has many addresses: a client that binds 127.0.0.2 is another one.
import assert from 'node:assert/strict';
import {after, before, describe, it} from 'node:test';
import {PASSWORD, start} from './lib/admit.mjs';
import {expect} from './lib/client.mjs';
import {inTurns, sleep, slow} from './lib/time.mjs';

const count = (answers, status) => answers.filter((answer) => answer.status === status).length;

/** What RateLimit says: {r, t}. */
function parameters(header) {
    return Object.fromEntries(header.split(';').slice(1).map((part) => part.trim().split('=')).map(([name, value]) => [name, Number(value)]));
}

function assertLimited(answer) {
    expect(answer, 429, 'rate_limited');
    assert.match(answer.headers['retry-after'], /^[1-9]\d*$/);
}

/** Accounts are made while there is no limit; then the server starts again with one. */
async function withPeople(many, env) {
    const first = await start();
    const people = await first.crowd(many);
    const event = await people[0].createEvent({name: 'Popular', capacity: 1000});
    await first.stop();
    const server = await first.restart({env});
    return {server, event, people: people.map((person) => server.again(person))};
}

describe('RATE_LIMIT=1/s', () => {
    let server, people, event;
    before(async () => ({server, people, event} = await withPeople(6, {RATE_LIMIT: '1/s'})));
    after(() => server?.finish());

    it('is exactly one request per second', async () => {
        const began = Date.now();
        const first = await people[0].get('/v1/me');
        const second = await people[0].get('/v1/me');
        expect(first, 200);
        if (Date.now() - began < 1000) assertLimited(second);
        assert.equal(second.headers['retry-after'] ?? '1', '1');
        await sleep(1100);
        expect(await people[0].get('/v1/me'), 200);
    });

    it('is announced', async () => {
        const first = await people[1].get('/v1/me');
        expect(first, 200);
        assert.match(first.headers['ratelimit-policy'], /^"[^"]+";q=1;w=1$/);
        assert.deepEqual(parameters(first.headers.ratelimit), {r: 0, t: 1});
        const second = await people[1].get('/v1/me');
        assert.match(second.headers['ratelimit-policy'], /^"[^"]+";q=1;w=1$/);
        assert.equal(parameters(second.headers.ratelimit).r, 0);
    });

    it('lets one through of many at once, and what it refuses has no effect', async () => {
        const began = Date.now();
        const answers = await Promise.all(Array.from({length: 10}, () =>
            people[2].post(`/v1/events/${event.id}/bookings`, {quantity: 1}, {headers: {'Idempotency-Key': 'once'}})));
        const allowed = count(answers, 201);
        assert.ok(allowed >= 1 && allowed <= 1 + Math.floor((Date.now() - began) / 1000), `${allowed} were allowed`);
        answers.filter((answer) => answer.status !== 201).forEach(assertLimited);
        await sleep(1100);
        assert.equal(expect(await people[2].get('/v1/bookings'), 200).data.length, 1);
    });

    it('is not remembered as the answer to an Idempotency-Key', async () => {
        const ask = () => people[3].post(`/v1/events/${event.id}/bookings`, {quantity: 1}, {headers: {'Idempotency-Key': 'later'}});
        expect(await people[3].get('/v1/me'), 200);
        const refused = await ask();
        if (refused.status === 429) {
            await sleep(1100);
            const answer = await ask();
            expect(answer, 201);
            assert.equal(answer.headers['idempotency-replayed'], undefined);
        }
    });

    it('counts each user, and each address of those who are nobody, by itself', async () => {
        await sleep(1100);
        const status = `/v1/events/${event.id}/status`;
        const answers = [
            await people[4].get(status), await people[5].get(status), await server.nobody.get(status),
            await server.nobody.get(status, {localAddress: '127.0.0.2'}),
            await server.nobody.get(`/status/${event.id}`, {localAddress: '127.0.0.3'}),
        ];
        assert.deepEqual(answers.map((answer) => answer.status), [200, 200, 200, 200, 200]);
        const began = Date.now();
        const again = [await people[4].get(status, {localAddress: '127.0.0.4'}), await server.nobody.get(status)];
        if (Date.now() - began < 500) assert.ok(count(again, 429) >= 1, 'another address does not help a user');
    });

    it('holds for those who try tokens, by their address', async () => {
        const tries = await Promise.all(Array.from({length: 5}, (_, index) =>
            server.nobody.get('/v1/me', {token: `guess-${index}`, localAddress: '127.0.0.9'})));
        assert.ok(count(tries, 429) >= 3, 'guesses are limited');
        assert.equal(count(tries, 401) + count(tries, 429), 5);
    });

    it('does not believe a header that anybody can write', async () => {
        const tries = await Promise.all(Array.from({length: 5}, (_, index) =>
            server.nobody.get('/v1/events', {localAddress: '127.0.0.10', headers: {'X-Forwarded-For': `192.0.2.${index}`}})));
        assert.ok(count(tries, 429) >= 3, `${count(tries, 200)} were allowed`);
    });

    it('does not hold for those who watch over the server', async () => {
        for (const path of ['/healthz', '/readyz', '/metrics'])
            for (let i = 0; i < 5; i++) expect(await server.nobody.get(path), 200);
    });

    it('is told in the form of the classic routes there', async () => {
        const tries = await Promise.all(Array.from({length: 4}, () =>
            server.nobody.get(`/status/${event.id}`, {localAddress: '127.0.0.11'})));
        const refused = tries.find((answer) => answer.status === 429);
        assertLimited(refused);
        assert.deepEqual(Object.keys(refused.body).sort(), ['code', 'error']);
    });
});

describe('a limit with a burst', () => {
    it('lets so many through at once, and then so many a minute', async () => {
        const {server, people} = await withPeople(1, {RATE_LIMIT: '6/m:4'});
        const answers = [];
        for (let i = 0; i < 8; i++) answers.push(await people[0].get('/v1/me'));
        const allowed = count(answers, 200);
        assert.ok(allowed === 4 || (slow > 1 && allowed === 5), `${allowed} were allowed`);
        assert.equal(parameters(answers[0].headers.ratelimit).r, 3);
        const refused = answers.at(-1);
        assertLimited(refused);
        const wait = Number(refused.headers['retry-after']);
        assert.ok(wait >= 1 && wait <= 10, `Retry-After: ${wait}`);
        await server.finish();
    });
});

describe('behind a proxy that is trusted', () => {
    let server;
    before(async () => (server = await start({store: 'memory', env: {RATE_LIMIT: '1/s', TRUST_PROXY: 'loopback'}})));
    after(() => server?.finish());
    const from = (address) => server.nobody.get('/v1/events', {headers: {'X-Forwarded-For': address}});

    it('each client has a limit of its own', async () => {
        for (let i = 1; i <= 5; i++) expect(await from(`192.0.2.${i}`), 200);
        const tries = await Promise.all(Array.from({length: 4}, () => from('192.0.2.77')));
        assert.ok(count(tries, 429) >= 2);
    });

    it('only the address that the proxy saw counts', async () => {
        const tries = await Promise.all(Array.from({length: 5}, (_, index) => from(`198.51.100.${index}, 192.0.2.88`)));
        assert.ok(count(tries, 429) >= 3, 'what a client wrote before it is no matter');
    });
});

describe('as it comes', () => {
    let server, people;
    before(async () => ({server, people} = await withPeople(2, {RATE_LIMIT: null})));
    after(() => server?.finish());
    const wrong = (login, localAddress) =>
        server.nobody.post('/v1/sessions', {login, password: 'not the password'}, {localAddress});

    it('the limit is 50 a second and 100 at once', async () => {
        const began = Date.now();
        const answers = await Promise.all(Array.from({length: 250}, () => people[0].get('/v1/me')));
        const most = 100 + Math.ceil((50 * (Date.now() - began + 50)) / 1000);
        const allowed = count(answers, 200);
        assert.ok(allowed >= 100 && allowed <= most, `${allowed} were allowed, ${most} at most`);
        answers.filter((answer) => answer.status !== 200).forEach(assertLimited);
    });

    it('one address cannot try the passwords of many', async () => {
        const from = {localAddress: '127.0.1.1'};
        const ways = [
            (index) => wrong(`somebody-${index}@example.org`, from.localAddress),
            (index) => server.nobody.post('/login', {username: `somebody-${index}`, password: PASSWORD}, from),
            (index) => server.nobody.post('/v1/users', {email: `limited-${index}@example.org`, name: 'Limited', password: PASSWORD}, from),
        ];
        const answers = await inTurns(Array.from({length: 90}), 6, (_, index) => ways[index % ways.length](index));
        assert.ok(count(answers, 401) >= 5, 'a person may mistype');
        answers.filter((answer) => ![401, 201].includes(answer.status)).forEach(assertLimited);
        for (const way of ways.keys())
            assert.ok(count(answers.slice(-30).filter((_, index) => index % ways.length === way), 429) > 0, 'each way is limited');
        // From elsewhere it works.
        const register = {email: 'elsewhere@example.org', name: 'Elsewhere', password: PASSWORD};
        expect(await server.nobody.post('/v1/users', register, {localAddress: '127.0.1.2'}), 201);
    });

    for (const [title, login] of [['an account', () => people[1].email], ['a login that nobody has', () => 'nobody-at-all@example.org']]) {
        it(`many addresses cannot try the password of ${title}`, async () => {
            const answers = await inTurns(Array.from({length: 60}), 4, (_, index) =>
                wrong(index % 2 ? login() : login().toUpperCase(), `127.0.2.${index + 1}`));
            assert.ok(count(answers, 429) > 0, 'nothing was limited');
            assert.ok(count(answers, 401) >= 3, 'a person may mistype');
            assert.equal(count(answers, 401) + count(answers, 429), 60);
            // Others are not kept out by that.
            expect(await server.nobody.post('/v1/sessions', {login: people[0].email, password: PASSWORD}, {localAddress: '127.0.2.200'}), 200);
        });
    }
});

describe('RATE_LIMIT=off', () => {
    it('turns every limit off, that of sign-in too', async () => {
        const server = await start({store: 'memory'});
        const person = await server.person();
        const answers = await inTurns(Array.from({length: 400}), 50, () => person.get('/v1/me'));
        assert.equal(count(answers, 200), 400);
        assert.equal(answers[0].headers.ratelimit, undefined);
        const tries = await inTurns(Array.from({length: 50}), 4, () =>
            server.nobody.post('/v1/sessions', {login: person.email, password: 'not the password'}));
        assert.equal(count(tries, 401), 50);
        await server.finish();
    });
});
