// SPDX-License-Identifier: Apache-2.0
// kill -9, a few cycles of what `make crash` does for long; that a loss would be noticed; and kills in the midst of
// commands that make files.
import assert from 'node:assert/strict';
import {existsSync} from 'node:fs';
import {rm} from 'node:fs/promises';
import {join} from 'node:path';
import {describe, it} from 'node:test';
import {random} from '../../bench/lib/random.mjs';
import {check, inDirectory, newDirectory, runWell, sqlite3, start} from '../story/lib/admit.mjs';
import {slow} from '../story/lib/time.mjs';
import {Crashes, inWords, runAndKill} from './crash.mjs';
import {Ledger} from './ledger.mjs';

const seed = Number(process.env.CRASH_SEED ?? Date.now() % 100_000);

describe('kill -9', () => {
    it('loses nothing that was acknowledged and leaves nothing half done, 10 times', async (t) => {
        t.diagnostic(`seed ${seed}: again with CRASH_SEED=${seed}, or make crash ARGS="--seed ${seed}"`);
        t.diagnostic(inWords(await new Crashes({seed}).run(10)));
    });
});

describe('the look after a kill', () => {
    const BOOKING = '(SELECT max(id) FROM bookings WHERE status = 3)';
    const spoilt = {
        'a booking that is gone with every trace': [/acknowledged and is gone/, `
            CREATE TEMP TABLE gone AS SELECT id, event_id, quantity FROM bookings WHERE id = ${BOOKING};
            DELETE FROM journal WHERE booking_id IN (SELECT id FROM gone);
            DELETE FROM tickets WHERE booking_id IN (SELECT id FROM gone);
            DELETE FROM bookings WHERE id IN (SELECT id FROM gone);
            UPDATE ticket_types SET booked = booked - (SELECT quantity FROM gone) WHERE event_id = (SELECT event_id FROM gone);`],
        'a cancellation that is forgotten': [/should be cancelled/, `
            UPDATE bookings SET status = 1 WHERE id = (SELECT max(id) FROM bookings WHERE status = 4);`],
        'a booking that nobody made': [/nobody asked for it, or once too often/, `
            INSERT INTO bookings SELECT (SELECT max(id) + 1 FROM bookings), user_id, event_id, ticket_type_id, quantity, 1, unit_price, paid, created_at,
                updated_at, expires_at FROM bookings WHERE id = ${BOOKING};`],
        'the answer to a key that is lost': [/the key k\d sent again/, 'DELETE FROM idempotency;'],
    };
    for (const [title, [noticed, statements]] of Object.entries(spoilt)) {
        it(`notices ${title}`, async () => {
            let server = await start();
            const [who] = await server.crowd(1);
            const ledger = new Ledger();
            const {id} = (await ledger.send({kind: 'event', who, path: '/v1/events', body: {name: 'Spoilt', capacity: 30}})).body;
            for (let i = 0; i < 4; i++)
                await ledger.send({kind: 'book', who, path: `/v1/events/${id}/bookings`, body: {quantity: 1 + i}, key: `k${i}`, eventId: id});
            const [reference] = ledger.bookings.keys();
            await ledger.send({kind: 'cancel', who, path: `/v1/bookings/${reference}/cancel`, body: {}, key: 'k9', eventId: id, reference});
            await server.stop();
            await sqlite3(server.directory, statements);
            server = await server.restart();
            who.server = server;
            await assert.rejects(ledger.verify(who, random(1)), noticed);
            await server.stop();
            await rm(server.directory, {recursive: true});
        });
    }
});

describe('kill -9 of a command', () => {
    const next = random(seed);

    it('admit migrate: what is left is made up by the next one', async () => {
        for (let times = 0; times < 20; times++) {
            const directory = await newDirectory();
            const options = {env: {DATABASE_URL: inDirectory(directory)}, cwd: directory};
            await runAndKill(['migrate'], {...options, afterMs: next() * 30 * slow});
            await runWell(['migrate'], options);
            await check(inDirectory(directory), directory);
            await rm(directory, {recursive: true});
        }
    });

    it('admit backup: under the name is all of it, or nothing', async (t) => {
        const server = await start();
        const people = await server.crowd(2);
        const event = await people[0].createEvent({name: 'Backed up', capacity: 1000});
        for (let i = 0; i < 200; i++) await people[i % 2].book(event.id);
        const count = (file) => sqlite3(server.directory, 'SELECT count(*) FROM bookings;', file);
        let whole = 0;
        for (let times = 0; times < 20; times++) {
            const name = `copy-${times}.db`;
            await runAndKill(['backup', name], {env: {DATABASE_URL: server.database}, cwd: server.directory, afterMs: next() * 30 * slow});
            if (!existsSync(join(server.directory, name))) continue;
            whole++;
            await check(`sqlite:${join(server.directory, name)}`, server.directory);
            assert.equal(await count(name), '200');
        }
        t.diagnostic(`${whole} of 20 backups were made before the kill`);
        await runWell(['backup', 'copy-last.db'], {env: {DATABASE_URL: server.database}, cwd: server.directory});
        assert.equal(await count('copy-last.db'), '200');
        await server.finish();
    });
});
