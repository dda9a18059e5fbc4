// SPDX-License-Identifier: Apache-2.0
// Three MariaDBs in one Galera cluster, of which one is killed or stands still, or two are gone: no booking that was acknowledged is lost,
// none is made twice, and admit serves again without a restart. And two processes that write to two nodes.
import assert from 'node:assert/strict';
import {existsSync, readFileSync} from 'node:fs';
import {join} from 'node:path';
import {after, before, describe, it} from 'node:test';
import {check, ROOT, start} from './lib/admit.mjs';
import {expect} from './lib/client.mjs';
import {serverKinds, statement} from './lib/databases.mjs';
import {startDatabase, startProxy} from './lib/database_server.mjs';
import {Load, database, prove, stop} from './lib/outage.mjs';
import {inTurns, until} from './lib/time.mjs';

const PEOPLE = 12;

/** What docs/scaling.md says to type then. */
const [, goOnAlone] = /^mariadb -e "(.*)"$/m.exec(readFileSync(join(ROOT, 'docs/scaling.md'), 'utf8'));

/** For a SELECT: fails unless the condition holds. A division by zero would not, in MariaDB it is NULL. */
const must = (condition) => `EXP(1000 * (1 - (${condition})))`;

const lacks = !serverKinds.includes('mysql') ? 'no MariaDB' :
    !existsSync('/usr/lib/galera/libgalera_smm.so') && 'galera-4 is not installed; tools/setup test installs it';

describe('a Galera cluster', {skip: lacks}, () => {
    let cluster, nodes, server, organizer, people;

    /** The URL with the hosts of these nodes, in this order. */
    const through = (...hosts) => {
        const {username, password, pathname} = new URL(nodes[0]);
        return `mysql://${username}:${password}@${hosts.map((node) => new URL(node).host).join(',')}${pathname}`;
    };

    before(async () => {
        cluster = await startDatabase('galera');
        const [, credentials, hosts] = /^(.*@)(.*)\/mysql$/.exec(cluster.url);
        nodes = hosts.split(',').map((host) => `${credentials}${host}/outage`);
        await database('mysql', {url: `${credentials}${hosts.split(',')[0]}/mysql`});
        server = await start({database: through(...nodes)});
        [organizer, ...people] = await server.crowd(PEOPLE + 1);
    });
    after(async () => {
        if (server) await stop(server);
        await cluster?.end();
    });

    const event = (name, capacity = 1_000_000) => organizer.createEvent({name, capacity});
    const ready = () => until('to be ready', async () => (await server.nobody.get('/readyz')).status === 200, 60);

    /** All nodes have the same, and it is right. */
    async function same() {
        const said = await Promise.all(nodes.map((node) => check(node)));
        for (const each of said) assert.deepEqual(each, said[0]);
    }

    it('has tables that Galera can replicate: each with a primary key', () =>
        statement('mysql', `SELECT ${must('count(*) = 0')} FROM information_schema.tables t WHERE table_schema = 'outage' AND NOT EXISTS (SELECT 1
            FROM information_schema.statistics s WHERE s.table_schema = 'outage' AND s.table_name = t.table_name AND s.index_name = 'PRIMARY')`, nodes[0]));

    it('loses the node that admit writes to, and then the next one, under load', async () => {
        const show = await event('Killed');
        const load = new Load(server, people, show);
        for (const node of [1, 2]) {
            await load.more(50);
            await cluster.kill(node);
            await load.more(50);
            await cluster.start(node);
        }
        await load.more(50);
        await load.stop();
        await ready();
        await prove(server, organizer, show, load.booked);
        await same();
    });

    it('has a node that stands still, the one that admit writes to: the others go on without it, and it comes back by itself', async () => {
        const show = await event('Stands still');
        const other = await start({database: through(...nodes)}); // a process that begins with the first node
        try {
            const load = new Load(other, people.map((who) => other.again(who)), show);
            await load.more(50);
            await cluster.pause(1);
            await load.more(50); // when it has been silent for long enough, through the next node
            await cluster.resume(1);
            await load.more(50);
            await load.stop();
            const synced = () => statement('mysql', `SELECT ${must("variable_value = 'Synced'")} FROM information_schema.global_status
                WHERE variable_name = 'wsrep_local_state_comment'`, nodes[0]);
            await until('it to be one of them again', () => synced().then(() => true, () => false), 60);
            await prove(other, other.again(organizer), show, load.booked);
            await same();
        } finally {
            await stop(other);
        }
    });

    it('loses two nodes at once: nobody books until somebody says that the third one goes on alone', async () => {
        const show = await event('Alone');
        const load = new Load(server, people, show);
        await load.more(50);
        await cluster.kill(1);
        await cluster.kill(2);
        await load.refused(organizer);
        const answer = await until('not to be ready', async () => {
            const readyz = await server.nobody.get('/readyz');
            return readyz.status === 503 && readyz;
        }, 60);
        assert.equal(answer.headers['retry-after'], '1');
        expect(await server.nobody.get('/healthz'), 200);

        await until('the third node to be told', () =>
            statement('mysql', goOnAlone, nodes[2]).then(() => true, () => false));
        await load.more(50);
        for (const node of [1, 2]) await cluster.start(node);
        await load.more(50);
        await load.stop();
        await ready();
        await prove(server, organizer, show, load.booked);
        await same();
    });

    it('gets a COMMIT late, when admit has asked another node and begun anew', async () => {
        const proxy = await startProxy('mariadb', nodes[0]);
        const other = await start({database: through(proxy.url, nodes[1], nodes[2])});
        try {
            const show = await event('Late');
            const [who, ...others] = people.map((person) => other.again(person));
            const booked = [];
            const late = proxy.cut('late');
            booked.push({who, reference: (await who.book(show.id)).reference});
            await late;
            await proxy.release();
            for (const each of others) booked.push({who: each, reference: (await each.book(show.id)).reference});
            await prove(server, organizer, show, booked);
            await same();
        } finally {
            await stop(other);
            await proxy.end();
        }
    });

    it('is written to through two nodes: nothing is sold twice, and an event that is cancelled stays so', async () => {
        const other = await start({database: through(nodes[1], nodes[2])});
        try {
            const at = (person, index) => (index % 2 ? other.again(person) : person);
            const show = await event('Two nodes', 40);
            const bookings = await inTurns(Array.from({length: 60}), PEOPLE, (_, index) => retried(() => at(people[index % PEOPLE], index).book(show.id)));
            const numbers = bookings.flatMap((booking) => booking.tickets.map((ticket) => ticket.number));
            assert.deepEqual(numbers.sort((a, b) => a - b), Array.from({length: 40}, (_, index) => index + 1));

            for (let turn = 0; turn < 100; turn++) {
                const going = await event(`Cancelled ${turn}`, 40);
                await until('the other node to have it', async () => (await other.nobody.get(`/v1/events/${going.id}`)).status === 200);
                const who = at(people[0], 1);
                const [booking, gone] = await Promise.all([
                    retried(() => who.post(`/v1/events/${going.id}/bookings`, {quantity: 1})),
                    retried(() => organizer.delete(`/v1/events/${going.id}`)),
                ]);
                expect(gone, [200, 204]);
                if (booking.status === 201) assert.equal(expect(await who.get(`/v1/bookings/${booking.body.reference}`), 200).status, 'cancelled');
                else expect(booking, [404, 409]);
            }
            await same();
        } finally {
            await stop(other);
        }
    });
});

/** Again while it is refused for the moment. */
function retried(ask) {
    return until('an answer', async () => {
        const answer = await ask().catch((error) => {
            if (!error.message.startsWith('503 instead')) throw error;
        });
        return answer && answer.status !== 503 && answer;
    });
}
