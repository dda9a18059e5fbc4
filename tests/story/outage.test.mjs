// SPDX-License-Identifier: Apache-2.0
// The database fails: it is killed, connections are cut during COMMIT, a standby takes over. No booking that
// was acknowledged is lost, none is made twice, and admit serves again without a restart.
import assert from 'node:assert/strict';
import {after, before, describe, it} from 'node:test';
import {check, newDirectory, run, start} from './lib/admit.mjs';
import {expect} from './lib/client.mjs';
import {serverKinds, statement} from './lib/databases.mjs';
import {startDatabase, startProxy} from './lib/database_server.mjs';
import {sleep, until} from './lib/time.mjs';

const PEOPLE = 12;
const kinds = {postgres: 'postgres', mysql: 'mariadb'}; // by the names that tests/servers have for them

/** A new database for admit on that server. */
async function database(kind, server, name = 'outage') {
    await statement(kind, `CREATE DATABASE ${name}`, server.url);
    const url = new URL(server.url);
    url.pathname = `/${name}`;
    return url.href;
}

/** People who book until they are told to stop: each booking with a key, sent again while the answer is 503. */
class Load {
    constructor(server, people, event) {
        Object.assign(this, {server, event, booked: [], stopping: false});
        this.done = Promise.all(people.map((who, index) => this.#book(who, index)));
    }

    async #book(who, index) {
        for (let turn = 0; !this.stopping; turn++) {
            const headers = {'Idempotency-Key': `${this.event.id}-${index}-${turn}`};
            while (!(await this.#send(who, headers))) await sleep(20);
        }
    }

    /** Was it booked? Otherwise it was refused for the moment. */
    async #send(who, headers) {
        const answer = await who.post(`/v1/events/${this.event.id}/bookings`, {quantity: 1}, {headers});
        if (answer.status !== 503) {
            this.booked.push({who, reference: expect(answer, 201).reference});
            return true;
        }
        assert.equal(answer.headers['retry-after'], '1');
        return false;
    }

    /** Until somebody new is refused: all the others may wait to hear how their COMMIT ended. */
    async refused(who) {
        let turn = 0;
        await until('a 503', async () => !(await this.#send(who, {'Idempotency-Key': `${this.event.id}-refused-${this.booked.length}-${turn++}`})));
    }

    /** Until so many more have been booked. */
    more(count) {
        const wanted = this.booked.length + count;
        return until(`${count} more bookings`, () => this.booked.length >= wanted, 60);
    }

    async stop() {
        this.stopping = true;
        await this.done;
    }
}

/** What is there once it is not refused: each reader finds the database again by itself, up to a quarter second after it is back. */
function served(what, ask) {
    return until(what, () =>
        ask().catch((error) => {
            if (!error.message.startsWith('503 instead')) throw error;
        }),
    );
}

/** Each acknowledged booking is there, and nothing else is. */
async function prove(server, organizer, event, booked) {
    assert.equal(new Set(booked.map(({reference}) => reference)).size, booked.length);
    const {data} = await served('the list', () => organizer.walk(`/v1/events/${event.id}/bookings`, 100));
    assert.deepEqual(data.map((booking) => booking.reference).sort(), booked.map(({reference}) => reference).sort());
    await until('the numbers to be shown', async () => {
        const {body} = await server.nobody.get(`/v1/events/${event.id}/status`);
        return body.booked === booked.length;
    });
}

/** What the log says of the outage is no reason to fail; stop() looks for errors. */
async function stop(server) {
    server.log = server.log.filter((line) => line.level !== 'error');
    await server.stop();
}

for (const kind of serverKinds)
    describe(`the database fails (${kind})`, () => {
        let base, proxy, server, organizer, people, direct;
        before(async () => {
            base = await startDatabase(kinds[kind]);
            direct = await database(kind, base);
            proxy = await startProxy(kinds[kind], direct);
            server = await start({database: proxy.url});
            [organizer, ...people] = await server.crowd(PEOPLE + 1);
        });
        after(async () => {
            if (server) await stop(server);
            await proxy?.end();
            if (direct) await check(direct);
            await base?.end();
        });
        const event = (name) => organizer.createEvent({name, capacity: 1_000_000});
        const isReady = async () => (await server.nobody.get('/readyz')).status === 200;

        it('is killed and started again, twice, under load', async () => {
            const show = await event('Killed');
            const load = new Load(server, people, show);
            for (let turn = 0; turn < 2; turn++) {
                await load.more(50);
                await base.kill();
                await load.refused(organizer);
                const answer = await server.nobody.get('/readyz');
                expect(answer, 503);
                assert.equal(answer.headers['retry-after'], '1');
                expect(await server.nobody.get('/healthz'), 200);
                await base.start();
                await load.more(50);
                await until('to be ready', isReady);
            }
            await load.stop();
            await prove(server, organizer, show, load.booked);
        });

        it('loses all connections at once, and hardly anybody notices', async () => {
            const show = await event('Dropped');
            const load = new Load(server, people, show);
            for (let turn = 0; turn < 5; turn++) {
                await load.more(20);
                proxy.dropAll();
            }
            await load.more(20);
            await load.stop();
            await prove(server, organizer, show, load.booked);
        });

        for (const when of ['before', 'after'])
            it(`is cut off during COMMIT, ${when} it came to the database`, async () => {
                const show = await event(`Cut ${when}`);
                const load = new Load(server, people, show);
                for (let turn = 0; turn < 10; turn++) {
                    await load.more(10);
                    await proxy.cut(when);
                }
                await load.more(20);
                await load.stop();
                await prove(server, organizer, show, load.booked);
            });

        for (const when of ['before', 'after'])
            it(`is cut off during COMMIT, ${when} it came to the database, and who sends no key is answered right`, async () => {
                const show = await event(`No key, cut ${when}`);
                const booked = [];
                for (const who of people) {
                    const cut = proxy.cut(when);
                    const booking = await who.book(show.id);
                    await cut;
                    booked.push({who, reference: booking.reference});
                }
                await prove(server, organizer, show, booked);
            });
    });

if (serverKinds.includes('postgres'))
    describe('a standby takes over (postgres)', () => {
        let primary, standby, server, organizer, people;
        const sql = (server_, text) => statement('postgres', text, server_.url);
        before(async () => {
            primary = await startDatabase('postgres');
            const first = new URL(await database('postgres', primary));

            // As docs/scaling.md says: a copy that follows, and the primary waits for it with every COMMIT.
            const directory = await newDirectory();
            const copied = await run(['-D', `${directory}/data`, '-R', '-X', 'stream', '-c', 'fast', '-d', primary.url], {program: 'pg_basebackup', seconds: 60});
            assert.equal(copied.code, 0, copied.stderr);
            if (process.getuid() === 0) assert.equal((await run(['-R', 'nobody:nogroup', directory], {program: 'chown'})).code, 0);
            standby = await startDatabase('postgres', {directory});
            await sql(primary, "ALTER SYSTEM SET synchronous_standby_names = '*'");
            await sql(primary, 'SELECT pg_reload_conf()');

            const second = new URL(standby.url);
            const url = `postgres://${first.username}:${first.password}@${first.host},${second.host}${first.pathname}?target_session_attrs=read-write`;
            server = await start({database: url});
            [organizer, ...people] = await server.crowd(PEOPLE + 1);
        });
        after(async () => {
            if (server) await stop(server);
            if (standby) {
                const url = new URL(standby.url);
                url.pathname = '/outage';
                await check(url.href);
            }
            await primary?.end();
            await standby?.end();
        });

        it('under load: what was acknowledged is there, and admit serves on', async () => {
            const show = await organizer.createEvent({name: 'Promoted', capacity: 1_000_000});
            const load = new Load(server, people, show);
            await load.more(100);
            await primary.kill();
            await load.refused(organizer);
            expect(await server.nobody.get('/readyz'), 503);
            await sql(standby, 'SELECT pg_promote()');
            await load.more(100);
            await load.stop();
            await until('to be ready', async () => (await server.nobody.get('/readyz')).status === 200);
            await prove(server, organizer, show, load.booked);
        });
    });
