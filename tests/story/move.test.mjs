// SPDX-License-Identifier: Apache-2.0
// `admit move`: everything from one store into another, whichever they are.
import assert from 'node:assert/strict';
import {spawn} from 'node:child_process';
import {rm} from 'node:fs/promises';
import {join} from 'node:path';
import {after, before, describe, it} from 'node:test';
import {inDirectory, newDirectory, PASSWORD, PROGRAM, run, runWell, sqlite3, start} from './lib/admit.mjs';
import {expect} from './lib/client.mjs';
import {newDatabase, serverKinds} from './lib/databases.mjs';
import {inDays, sleep} from './lib/time.mjs';

const kinds = ['sqlite', ...serverKinds];

/** An empty database of that kind, and how it goes. */
async function target(kind) {
    if (kind !== 'sqlite') return newDatabase(kind);
    const directory = await newDirectory();
    return {url: inDirectory(directory), drop: () => rm(directory, {recursive: true})};
}

const move = (from, to, options) => run(['move'], {env: {MOVE_FROM: from, MOVE_TO: to}, ...options});

async function moveWell(from, to) {
    return runWell(['move'], {env: {MOVE_FROM: from, MOVE_TO: to}});
}

async function refuses(from, to, ...words) {
    const {code, stderr, stdout} = await move(from, to);
    assert.notEqual(code, 0, stdout);
    for (const word of words) assert.ok(stderr.includes(word), `${word} is not in ${JSON.stringify(stderr)}`);
    assert.doesNotMatch(stderr, /:[^/@:]+@/, 'a password is shown');
}

/** A store in which there is some of everything, and how it looks from outside. */
async function fill(kind) {
    const server = await start({store: kind, admin: true, env: {JWT_SECRET: null}});
    const people = await server.crowd(8);
    for (const person of people) await person.signIn();
    const [organizer, first, second, third] = people;
    const concert = await organizer.createEvent({
        name: 'Konzert für Üben — 音楽', venue: 'Straße 1', description: 'Long.\n'.repeat(500), starts_at: inDays(30), timezone: 'Europe/Berlin', max_per_user: 4,
        ticket_types: [{name: 'Front', capacity: 3, price: 2500}, {name: 'Back', capacity: 5, price: 1000, max_per_booking: 4}],
    });
    const [front, back] = concert.ticket_types;
    const bookings = [
        await first.book(concert.id, {quantity: 2, ticket_type_id: front.id}),
        await second.book(concert.id, {quantity: 1, ticket_type_id: front.id}),
        await third.book(concert.id, {quantity: 2, ticket_type_id: front.id}),
        await third.book(concert.id, {quantity: 2, ticket_type_id: back.id}),
    ];
    const cancelled = await first.book(concert.id, {quantity: 1, ticket_type_id: back.id});
    await first.cancel(cancelled.reference);
    expect(await organizer.post(`/v1/bookings/${bookings[0].reference}/payments`, {amount: 700, method: 'cash', note: 'at the door'}), 201);
    expect(await people[4].delete('/v1/me', {password: PASSWORD}), 204);
    expect(await people[5].delete('/v1/sessions'), 204);
    const keyed = await people[6].post(`/v1/events/${concert.id}/bookings`, {quantity: 1, ticket_type_id: back.id}, {headers: {'Idempotency-Key': 'kept'}});
    expect(keyed, 201);
    return {server, people, concert, bookings: [...bookings, cancelled], owners: [first, second, third, third, first], keyed};
}

/** The same questions to any server, answered alike. */
async function look(server, filled) {
    const [organizer] = filled.people.map((person) => Object.assign(server.again(person), {token: person.token}));
    const as = (person) => Object.assign(server.again(person), {token: person.token});
    const answers = [];
    for (const [i, booking] of filled.bookings.entries()) {
        answers.push(await as(filled.owners[i]).booking(booking.reference));
        answers.push(expect(await as(filled.owners[i]).get(`/v1/bookings/${booking.reference}/history`), 200));
    }
    answers.push(expect(await organizer.get(`/v1/events/${filled.concert.id}`), 200));
    answers.push(expect(await organizer.get(`/v1/events/${filled.concert.id}/tickets`), 200));
    answers.push(expect(await organizer.get(`/v1/events/${filled.concert.id}/bookings`), 200));
    answers.push(expect(await server.nobody.get('/v1/events?q=%C3%BCben&sort=name'), 200));
    const admin = await server.admin();
    await admin.signIn(); // the secret is the store's own
    answers.push(expect(await admin.get('/v1/users'), 200));
    expect(await as(filled.people[5]).get('/v1/me'), 401);
    return answers;
}

for (const from of kinds)
    describe(`admit move from ${from}`, () => {
        let filled, was, source;
        before(async () => {
            filled = await fill(from);
            was = await look(filled.server, filled);
            await filled.server.stop();
            source = filled.server.database;
        });
        after(async () => {
            await filled?.server.options.drop?.();
            if (filled) await rm(filled.server.directory, {recursive: true});
        });

        for (const to of kinds)
            it(`to ${to}: references, numbers and tokens stay, and selling goes on`, async () => {
                const {url, drop} = await target(to);
                assert.match(await moveWell(source, url), /Moved: \d+ users, 1 events, 6 bookings/);
                const server = await start({database: url, drop, env: {JWT_SECRET: null}});
                assert.deepEqual(await look(server, filled), was);

                // The same key is still known, and new ids are new.
                const again = Object.assign(server.again(filled.people[6]), {token: filled.people[6].token});
                const repeated = await again.post(`/v1/events/${filled.concert.id}/bookings`, {quantity: 1, ticket_type_id: filled.concert.ticket_types[1].id}, {headers: {'Idempotency-Key': 'kept'}});
                assert.deepEqual([repeated.status, repeated.body, repeated.headers['idempotency-replayed']], [201, filled.keyed.body, 'true']);
                const known = new Set([...filled.bookings, filled.keyed.body].map((booking) => booking.reference));
                const fresh = await again.book(filled.concert.id, {quantity: 1, ticket_type_id: filled.concert.ticket_types[1].id});
                assert.ok(!known.has(fresh.reference));
                const newcomer = await server.person({email: 'newcomer@example.org'});
                assert.ok(newcomer.id > Math.max(...filled.people.map((person) => person.id)));
                // Who stood in line is served: the order has come along.
                const [first] = filled.people.slice(1).map((person) => Object.assign(server.again(person), {token: person.token}));
                await first.cancel(filled.bookings[0].reference);
                const third = Object.assign(server.again(filled.people[3]), {token: filled.people[3].token});
                assert.equal((await third.booking(filled.bookings[2].reference)).status, 'confirmed');
                await server.finish();
            });
    });

describe('admit move', () => {
    let filled, source, directory;
    before(async () => {
        filled = await fill('sqlite');
        source = filled.server.database;
        await filled.server.stop();
        directory = filled.server.directory;
    });
    after(() => directory && rm(directory, {recursive: true}));

    it('refuses what cannot be', async () => {
        await refuses(source, inDirectory(directory), 'in use');
        await refuses(`sqlite:${join(directory, 'nothing.db')}`, `sqlite:${join(directory, 'target.db')}`, 'nothing.db');
        await refuses(source, 'memory:', 'memory:');
        const {code, stderr} = await run(['move', '--from', source]);
        assert.equal(code, 1);
        assert.match(stderr, /--to/);
    });

    it('refuses while a server writes to the source', async () => {
        const server = await start({directory, database: source, env: {JWT_SECRET: null}});
        await refuses(source, `sqlite:${join(directory, 'busy.db')}`, 'source');
        await server.stop();
    });

    for (const kind of kinds)
        it(`refuses a target that is not empty (${kind})`, async () => {
            const {url, drop} = await target(kind);
            await runWell(['user', 'add', 'first@example.org'], {env: {DATABASE_URL: url}, input: `${PASSWORD}\n`});
            await refuses(source, url, 'not empty', 'users');
            await drop();
        });

    for (const kind of kinds)
        it(`goes on after a kill -9, and nobody serves from half a store (${kind})`, async () => {
            const {url, drop} = await target(kind);
            const big = join(directory, `big-${kind}.db`);
            await makeBig(big);
            const from = `sqlite:${big}`;
            let stopped = 0, resumed = false;
            for (let wait = 30; ; wait *= 2) {
                const child = spawn(PROGRAM, ['move'], {env: {...process.env, MOVE_FROM: from, MOVE_TO: url}, stdio: ['ignore', 'pipe', 'inherit']});
                let out = '';
                child.stdout.on('data', (part) => (out += part));
                const ended = new Promise((resolve) => child.on('close', (code) => resolve(code)));
                const code = await Promise.race([ended, sleep(wait).then(() => (child.kill('SIGKILL'), ended))]);
                resumed ||= out.includes('Going on');
                if (code === 0) break;
                assert.equal(code, null, out);
                stopped++;
                if (out.includes('rows')) {
                    const refused = await run(['serve', '--port', '0'], {env: {DATABASE_URL: url}});
                    assert.match(refused.stderr, /move/);
                }
            }
            assert.ok(stopped > 0 && resumed, 'it was too fast to be stopped');
            const figures = async (database) => (await runWell(['check'], {env: {DATABASE_URL: database}, seconds: 60})).trim();
            assert.equal(await figures(url), await figures(from));
            await refuses(from, url, 'not empty');
            await drop();
        });

    it('does not go on when the source has changed since', async () => {
        const big = join(directory, 'changed.db');
        const to = `sqlite:${join(directory, 'half.db')}`;
        await makeBig(big);
        let out = '';
        const child = spawn(PROGRAM, ['move'], {env: {...process.env, MOVE_FROM: `sqlite:${big}`, MOVE_TO: to}, stdio: ['ignore', 'pipe', 'inherit']});
        const ended = new Promise((resolve) => child.on('close', resolve));
        child.stdout.on('data', (part) => {
            out += part;
            if (out.includes('rows')) child.kill('SIGKILL');
        });
        assert.equal(await ended, null, out);
        await runWell(['user', 'add', 'late@example.org'], {env: {DATABASE_URL: `sqlite:${big}`}, input: `${PASSWORD}\n`});
        await refuses(`sqlite:${big}`, to, 'changed since');
    });

    /** A copy of the source with 60,000 bookings more. */
    async function makeBig(file) {
        await sqlite3(directory, `VACUUM INTO '${file}';`);
        const event = '(SELECT max(event_id) FROM bookings)', type = '(SELECT max(id) FROM ticket_types)';
        await sqlite3(directory, `
            UPDATE ticket_types SET capacity = capacity + 60000, booked = booked + 60000, waiting = waiting, wanted = wanted WHERE id = ${type};
            CREATE TEMP TABLE n AS WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < 59999) SELECT i FROM n;
            CREATE TEMP TABLE base AS SELECT (SELECT max(id) FROM bookings) + 1 AS booking, (SELECT max(id) FROM journal) + 1 AS journal, (SELECT next_number FROM event_counters) AS number;
            INSERT INTO bookings SELECT booking + i, 1000000 + i, ${event}, ${type}, 1, 3, 0, 0, 1, 1, 0 FROM n, base;
            INSERT INTO holders SELECT ${event}, 1000000 + i, 1 FROM n;
            INSERT INTO tickets SELECT ${event}, number + i, booking + i, 1 FROM n, base;
            INSERT INTO journal SELECT booking + i, journal + i, ${event}, ${type}, 0, 3, 1, 1000000 + i, 1, 'booked' FROM n, base;
            UPDATE event_counters SET next_number = next_number + 60000;
            UPDATE sequences SET next = next + 60000 WHERE sequence IN (2, 100);`, file.split('/').pop());
        await runWell(['check'], {env: {DATABASE_URL: `sqlite:${file}`}, seconds: 60});
    }
});
