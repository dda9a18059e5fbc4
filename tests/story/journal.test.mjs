// SPDX-License-Identifier: Apache-2.0
// GET /v1/journal: what organizers catch up from.
import assert from 'node:assert/strict';
import {spawn} from 'node:child_process';
import {readFileSync} from 'node:fs';
import {rm, rename, writeFile} from 'node:fs/promises';
import {join} from 'node:path';
import {before, describe, it} from 'node:test';
import {newDirectory, onEachStore, ROOT, runWell, start} from './lib/admit.mjs';
import {expect, expectBadQuery} from './lib/client.mjs';
import {until} from './lib/time.mjs';

async function page(who, query = '', after = '') {
    const answer = await who.get(`/v1/journal?${query}${after && `&after=${after}`}`);
    const body = expect(answer, 200);
    const link = answer.headers.link;
    if (body.caught_up) assert.equal(link, undefined);
    else assert.match(link, new RegExp(`^</v1/journal\\?.*after=${body.next_cursor}>; rel="next"$`));
    return body;
}

/** All there is from `after` on, and the cursor behind it. */
async function follow(who, query = '', after = '') {
    const data = [];
    for (;;) {
        const {data: more, next_cursor, caught_up} = await page(who, query, after);
        data.push(...more);
        if (caught_up) return {data, after: next_cursor};
        assert.notEqual(next_cursor, after, 'it does not go on');
        after = next_cursor;
    }
}

const told = ({data}) => data.map(({booking, from, to, quantity, reason}) => [booking, from, to, quantity, reason]);

onEachStore('the journal', {admin: true}, (server, store) => {
    let organizer, rival, visitor, second;
    before(async () => {
        [organizer, rival, visitor, second] = await server().crowd(4);
    });

    it('tells every change, in order, and nothing twice', async () => {
        const {after} = await follow(organizer);
        const event = await organizer.createEvent({name: 'Told', capacity: 3});
        const booked = await visitor.book(event.id, 3);
        const waiting = await second.book(event.id, 2);
        await organizer.cancel(booked.reference, 1);
        await visitor.cancel(booked.reference);
        const all = await follow(organizer, '', after);
        const [one, other] = [booked.reference, waiting.reference];
        assert.deepEqual(told(all), [
            [one, null, 'confirmed', 3, 'booked'],
            [other, null, 'waiting', 2, 'joined'],
            [one, 'confirmed', 'cancelled', 1, 'cancelled'],
            [one, 'confirmed', 'cancelled', 2, 'cancelled'],
            [other, 'waiting', 'confirmed', 2, 'promoted'],
        ]);
        assert.deepEqual(all.data.map((change) => change.actor_id), [visitor.id, second.id, organizer.id, visitor.id, null]);
        for (const change of all.data)
            assert.deepEqual([change.event_id, change.ticket_type_id], [event.id, event.ticket_types[0].id]);
        assert.equal(new Set(all.data.map((change) => change.id)).size, 5);
        assert.deepEqual((await follow(organizer, '', all.after)).data, []);
        for (const limit of [1, 2, 5]) assert.deepEqual((await follow(organizer, `limit=${limit}`, after)).data, all.data);
    });

    it('goes on after the cursor, and after any entry', async () => {
        const event = await organizer.createEvent({name: 'Gone on', capacity: 9});
        const {after} = await follow(organizer);
        for (let i = 0; i < 3; i++) await visitor.book(event.id);
        const {data} = await follow(organizer, '', after);
        assert.equal(data.length, 3);
        assert.deepEqual((await follow(organizer, '', data[0].id)).data, data.slice(1));
        assert.deepEqual((await follow(organizer, '', data[2].id.toLowerCase())).data, []);
    });

    it('is of one\'s own events only, or of one of them', async () => {
        const [mine, also, theirs] = [await organizer.createEvent({name: 'Mine', capacity: 9}),
            await organizer.createEvent({name: 'Also', capacity: 9}), await rival.createEvent({name: 'Theirs', capacity: 9})];
        const [{after}, beginning] = [await follow(organizer), (await follow(rival)).after];
        const expected = new Map();
        for (const event of [mine, theirs, also, mine, theirs]) {
            const {reference} = await visitor.book(event.id);
            expected.set(event, [...expected.get(event) ?? [], reference]);
        }
        const references = async (who, query, from) => (await follow(who, query, from)).data.map(({booking}) => booking);
        assert.deepEqual(await references(organizer, '', after), [expected.get(mine)[0], expected.get(also)[0], expected.get(mine)[1]]);
        assert.deepEqual(await references(organizer, `event=${mine.id}`, after), expected.get(mine));
        assert.deepEqual(await references(rival, '', beginning), expected.get(theirs));
        assert.deepEqual(await references(visitor, '', ''), []);
        if (store === 'memory') return;
        const all = await references(await server().admin(), '', after);
        assert.equal(all.length, 5);
    });

    it('is not for those who do not manage the event', async () => {
        const event = await organizer.createEvent({name: 'Managed', capacity: 9});
        const draft = await organizer.createEvent({name: 'Draft', capacity: 9, status: 'draft'});
        expect(await rival.get(`/v1/journal?event=${event.id}`), 403, 'forbidden');
        expect(await rival.get(`/v1/journal?event=${draft.id}`), 404, 'no_such_event');
        expect(await organizer.get('/v1/journal?event=999999'), 404, 'no_such_event');
        expect(await server().nobody.get('/v1/journal'), 401, 'unauthorized');
        assert.deepEqual((await follow(organizer, `event=${draft.id}`)).data, []);
    });

    it('tells the end of an event of each of its bookings', async () => {
        const event = await organizer.createEvent({name: 'Called off', capacity: 2});
        const references = [];
        for (let i = 0; i < 3; i++) references.push((await visitor.book(event.id)).reference);
        const {after} = await follow(organizer);
        expect(await organizer.delete(`/v1/events/${event.id}`), 200);
        const {data} = await follow(organizer, '', after);
        assert.deepEqual(data.map(({booking, to, reason}) => [booking, to, reason]),
            references.map((reference) => [reference, 'cancelled', 'event_cancelled']));
    });

    it('names what is wrong with the question', async () => {
        const {reference} = await visitor.book((await organizer.createEvent({name: 'Asked', capacity: 9})).id);
        for (const after of ['0', '1', 'MQ', reference, '0000-0000-0000', "'; --", 'x'.repeat(100)])
            expectBadQuery(await organizer.get(`/v1/journal?after=${encodeURIComponent(after)}`), 'after');
        for (const limit of [0, 101, 'x']) expectBadQuery(await organizer.get(`/v1/journal?limit=${limit}`), 'limit');
        expectBadQuery(await organizer.get('/v1/journal?event=0'), 'event');
        expectBadQuery(await organizer.get('/v1/journal?cursor=MQ'), 'cursor');
        expect(await organizer.get(`/v1/bookings/${(await follow(organizer)).after}`), 404, 'no_such_booking');
    });
});

describe('the journal of a database that was restored', () => {
    it('says so to who has seen more', async () => {
        let server = await start({});
        const [organizer, visitor] = await server.crowd(2);
        const event = await organizer.createEvent({name: 'Restored', capacity: 9});
        await visitor.book(event.id);
        const kept = await follow(organizer);
        await runWell(['backup', 'copy.db'], {cwd: server.directory, env: {DATABASE_URL: server.database}});
        await visitor.book(event.id);
        const lost = await follow(organizer);
        assert.equal(lost.data.length, 2);
        await server.stop();
        for (const suffix of ['-wal', '-shm']) await rm(join(server.directory, `admit.db${suffix}`), {force: true});
        await rename(join(server.directory, 'copy.db'), join(server.directory, 'admit.db'));
        server = await server.restart();
        const again = server.again(organizer);
        expectBadQuery(await again.get(`/v1/journal?after=${lost.after}`), 'after');
        assert.deepEqual((await follow(again, '', kept.after)).data, []);
        assert.deepEqual(await follow(again), kept);
        await server.finish();
    });
});

describe('"Catching up from the journal" of docs/integrating.md', () => {
    const text = readFileSync(join(ROOT, 'docs/integrating.md'), 'utf8');
    const [, section] = text.split('\n## Catching up from the journal\n');
    const [, script] = /^```js\n(.*?)^```$/ms.exec(section.split('\n## ')[0]);

    it('follows, and goes on where it was', async (t) => {
        const server = await start({});
        t.after(() => server.finish());
        const directory = await newDirectory();
        t.after(() => rm(directory, {recursive: true}));
        assert.match(script, /, 5000\)/);
        await writeFile(join(directory, 'follow.mjs'), script.replace(', 5000)', ', 20)'));
        const [organizer, visitor] = await server.crowd(2);
        const event = await organizer.createEvent({name: 'Followed', capacity: 99});

        const follower = () => {
            const child = spawn(process.execPath, ['follow.mjs', server.url, organizer.token, 'cursor.txt'], {cwd: directory});
            t.after(() => child.kill('SIGKILL'));
            const said = {text: '', child};
            child.stdout.on('data', (part) => (said.text += part));
            child.stderr.on('data', (part) => (said.text += part));
            return said;
        };
        const expectTold = (said, references) => until('all of it', () => said.text.split('\n').length > references.length)
            .then(() => assert.deepEqual(said.text.trimEnd().split('\n').map((line) => line.split(' ').slice(1)),
                references.map((reference) => [reference, 'confirmed', '1'])));
        const book = async (count) => {
            const references = [];
            for (let i = 0; i < count; i++) references.push((await visitor.book(event.id)).reference);
            return references;
        };
        const cursor = () => readFileSync(join(directory, 'cursor.txt'), 'utf8');

        const first = follower();
        await expectTold(first, await book(3));
        const {after} = await follow(organizer);
        await until('the cursor is kept', () => cursor() === after);
        first.child.kill('SIGKILL');
        const missed = await book(2);
        const second = follower();
        await expectTold(second, missed);
    });
});
