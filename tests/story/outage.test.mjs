// SPDX-License-Identifier: Apache-2.0
// The database fails: it is killed, it hangs, connections are cut during COMMIT, a standby takes over. No booking
// that was acknowledged is lost, none is made twice, and admit serves again without a restart.
import assert from 'node:assert/strict';
import {after, before, describe, it} from 'node:test';
import {check, newDirectory, run, start} from './lib/admit.mjs';
import {expect} from './lib/client.mjs';
import {serverKinds, statement} from './lib/databases.mjs';
import {startDatabase, startProxy} from './lib/database_server.mjs';
import {Load, database, prove, stop} from './lib/outage.mjs';
import {until, within} from './lib/time.mjs';

const PEOPLE = 12;
const SILENCE = 60; // seconds after which nobody waits any more, whatever became of the database: far above what is promised
const kinds = {postgres: 'postgres', mysql: 'mariadb'}; // by the names that tests/servers have for them

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

        /** What keeps silent, and how it ends. */
        const silences = {
            'stands still': {hang: () => base.pause(), end: () => base.resume()},
            'cannot be heard any more': {hang: () => proxy.swallow(), end: () => proxy.heal()},
        };
        for (const [what, {hang, end}] of Object.entries(silences)) {
            it(`${what} under load: everybody is answered in bounded time`, async () => {
                const show = await event(`It ${what}`);
                const load = new Load(server, people, show);
                await load.more(50);
                await hang();
                try {
                    await within(SILENCE, 'a refusal', load.refused(organizer));
                    for (const path of ['/readyz', `/v1/events/${show.id}/bookings`]) {
                        const answer = await within(SILENCE, path, organizer.get(path));
                        expect(answer, 503);
                        assert.equal(answer.headers['retry-after'], '1');
                    }
                    for (const path of ['/healthz', '/metrics', '/openapi.json'])
                        expect(await within(SILENCE, path, server.nobody.get(path)), 200);
                } finally {
                    await end();
                }
                await load.more(50);
                await load.stop();
                await until('to be ready', isReady);
                await prove(server, organizer, show, load.booked);
            });

            it(`${what}, and admit is told to end`, async () => {
                const other = await start({database: proxy.url});
                const show = await event(`The end while it ${what}`);
                const who = other.again(people[0]);
                const booked = [{who, reference: (await who.book(show.id)).reference}];
                await hang();
                try {
                    // Some stand in the batch that hangs, and somebody behind them.
                    const pending = [];
                    await until('somebody to wait', async () => {
                        pending.push(other.again(people[1]).post(`/v1/events/${show.id}/bookings`, {quantity: 1}).catch(() => undefined));
                        return /^admit_queue_depth\{queue="lane",lane="\d"\} [1-9]/m.test((await other.nobody.get('/metrics')).text);
                    });
                    await within(SILENCE, 'the end', stop(other));
                    await Promise.all(pending);
                } finally {
                    await end();
                }
                await until('to be ready', isReady);
                await prove(server, organizer, show, booked);
            });
        }

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
