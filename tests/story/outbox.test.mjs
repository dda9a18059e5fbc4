// SPDX-License-Identifier: Apache-2.0
// What happened is told: all of it, in order for each booking, and nothing else, whatever fails in between.
import assert from 'node:assert/strict';
import {after, before, describe, it} from 'node:test';
import {runWell, start} from './lib/admit.mjs';
import {expect} from './lib/client.mjs';
import {serverKinds} from './lib/databases.mjs';
import {Receiver} from './lib/receiver.mjs';
import {until} from './lib/time.mjs';

const SETTINGS = {WEBHOOK_ALLOW_PRIVATE: 'on', RETRY_FIRST: '1s'};
const BOOKING = ['booking.confirmed', 'booking.waiting', 'booking.promoted', 'booking.cancelled'];

async function hook(organizer, receiver, details = {}) {
    return expect(await organizer.post('/v1/webhooks', {url: receiver.url, types: BOOKING, ...details}), 201);
}

const arrived = (what, receiver, test) => until(what, () => receiver.told.some(test), 30);
const outbox = (server, ...words) => runWell(['outbox', ...words], {env: {DATABASE_URL: server.database}, cwd: server.directory});

for (const kind of ['sqlite', ...serverKinds])
    describe(`what happens to bookings is told (${kind})`, () => {
        let server, receiver, organizer, people;
        before(async () => {
            receiver = await Receiver.start();
            server = await start({store: kind, env: SETTINGS});
            [organizer, ...people] = await server.crowd(4);
        });
        after(async () => {
            await server?.finish();
            await receiver?.close();
        });

        it('in order for each of them', async () => {
            await hook(organizer, receiver);
            const show = await organizer.createEvent({name: 'Told', capacity: 1, starts_at: '2037-06-01T19:00:00Z'});
            const [first, second] = [await people[0].book(show.id), await people[1].book(show.id)];
            assert.equal((await people[2].post(`/v1/events/${show.id}/bookings`, {quantity: 1, join_waiting_list: false})).status, 409);
            await people[0].cancel(first.reference);
            await people[1].cancel(second.reference);
            await until('all of it', () => receiver.told.length >= 5, 30);
            assert.deepEqual(receiver.typesOf(first.reference), ['booking.confirmed', 'booking.cancelled']);
            assert.deepEqual(receiver.typesOf(second.reference), ['booking.waiting', 'booking.promoted', 'booking.cancelled']);
            assert.equal(receiver.told.length, 5, 'and nothing of what was refused');
            const [told] = receiver.told;
            assert.equal(told.data.quantity, 1);
            assert.equal(told.data.reason, 'booked');
            assert.equal(told.data.booking.event.id, show.id);
            assert.equal(told.data.booking.user.name, people[0].user.name);
            assert.ok(Date.parse(told.timestamp) > 0);
        });

        it('to whom it concerns only', async () => {
            const count = receiver.told.length;
            const other = await people[0].createEvent({name: 'Somebody else\'s', capacity: 1});
            await people[1].book(other.id);
            const mine = await organizer.createEvent({name: 'Mine', capacity: 1});
            const {reference} = await people[1].book(mine.id);
            await arrived('mine', receiver, ({data}) => data.booking.reference === reference);
            assert.equal(receiver.told.length, count + 1);
        });

        it('when its receiver is back, whatever was killed meanwhile', async () => {
            const show = await organizer.createEvent({name: 'Down', capacity: 100});
            await receiver.close();
            const references = [];
            for (let turn = 0; turn < 5; turn++) references.push((await people[0].book(show.id)).reference);
            await until('a try that failed', async () => /\twaiting\t.*connect/i.test(await outbox(server, 'list', 'waiting')), 30);
            await server.kill();
            server = await server.restart();
            [organizer, ...people] = [organizer, ...people].map((person) => server.again(person));
            for (const reference of references.slice(0, 2)) await people[0].cancel(reference);
            await receiver.open();
            for (const [index, reference] of references.entries())
                await until(`the news of ${reference}`, () => receiver.typesOf(reference).length === (index < 2 ? 2 : 1), 60);
            assert.deepEqual(receiver.typesOf(references[0]), ['booking.confirmed', 'booking.cancelled']);
        });
    });

for (const kind of serverKinds)
    describe(`several processes tell it once (${kind})`, () => {
        it('in order for each booking', async () => {
            const receiver = await Receiver.start();
            const first = await start({store: kind, env: SETTINGS});
            const second = await start({database: first.database, env: SETTINGS});
            const [organizer, ...people] = await first.crowd(5);
            await hook(organizer, receiver);
            const show = await organizer.createEvent({name: 'Twice', capacity: 1000});
            const references = await Promise.all(
                people.flatMap((person) =>
                    [first, second].map(async (server) => {
                        const who = server.again(person);
                        const mine = [];
                        for (let turn = 0; turn < 10; turn++) {
                            const {reference} = await who.book(show.id);
                            if (turn % 2) await who.cancel(reference);
                            mine.push(reference);
                        }
                        return mine;
                    }),
                ),
            );
            const all = references.flat();
            const wanted = all.length * 1.5;
            await until(`${wanted} messages`, () => receiver.told.length >= wanted, 60);
            assert.equal(receiver.told.length, wanted);
            assert.equal(receiver.messages.length, wanted, 'each came once, as nobody died');
            for (const reference of all)
                assert.deepEqual(receiver.typesOf(reference), BOOKING.filter((type, index) => index === 0 || (index === 3 && receiver.typesOf(reference).length === 2)));
            await second.stop();
            await first.finish();
            await receiver.close();
        });
    });

describe('a receiver that does not take it', () => {
    let server, organizer, guest;
    before(async () => {
        server = await start({store: 'sqlite', env: {...SETTINGS, RETRY_FOR: '8s'}});
        [organizer, guest] = await server.crowd(2);
    });
    after(() => server?.finish());

    it('is tried again, and later messages of the booking wait', async () => {
        let refused = 0;
        const receiver = await Receiver.start((message, response) => response.writeHead(refused++ < 2 ? 500 : 200).end());
        const {id} = await hook(organizer, receiver);
        const show = await organizer.createEvent({name: 'Twice refused', capacity: 2});
        const {reference} = await guest.book(show.id);
        await guest.cancel(reference);
        await arrived('the second', receiver, ({type}) => type === 'booking.cancelled');
        assert.deepEqual(receiver.messages.map(({type}) => type), ['booking.confirmed', 'booking.confirmed', 'booking.confirmed', 'booking.cancelled']);
        expect(await organizer.delete(`/v1/webhooks/${id}`), 204);
        await receiver.close();
    });

    it('is given up after a while; the operator sees it, and may try again', async () => {
        let takes = false;
        const receiver = await Receiver.start((message, response) => response.writeHead(takes ? 200 : 503).end());
        const {id} = await hook(organizer, receiver);
        const show = await organizer.createEvent({name: 'Given up', capacity: 2});
        await guest.book(show.id);
        await until('a parked message', async () => /^\d+\tparked\twebhook \d+\tbooking\.confirmed\t.*\t503\t.+$/m.test(await outbox(server, 'list', 'parked')), 60);
        const [delivery] = expect(await organizer.get(`/v1/webhooks/${id}/deliveries?status=parked`), 200).data;
        takes = true;
        const tries = receiver.messages.length;
        const retried = await organizer.post(`/v1/webhooks/${id}/deliveries/${delivery.id}/redeliver`);
        expect(retried, 202);
        await until('it', () => receiver.messages.length > tries, 30);
        await until('nothing to be parked', async () => (await outbox(server, 'list', 'parked')) === '', 30);
        expect(await organizer.delete(`/v1/webhooks/${id}`), 204);
        await receiver.close();
    });

    it('is disabled when it says that it is gone', async () => {
        const receiver = await Receiver.start((message, response) => response.writeHead(410).end());
        const {id} = await hook(organizer, receiver);
        const show = await organizer.createEvent({name: 'Gone', capacity: 2});
        await guest.book(show.id);
        await until('it to be disabled', async () => expect(await organizer.get(`/v1/webhooks/${id}`), 200).status === 'disabled', 30);
        await guest.book(show.id);
        assert.equal(receiver.messages.length, 1);
        expect(await organizer.delete(`/v1/webhooks/${id}`), 204);
        await receiver.close();
    });

    it('does not hold up others, nor who books', async () => {
        const deaf = await Receiver.start(() => {}), well = await Receiver.start();
        const hooks = [await hook(organizer, deaf), await hook(organizer, well)];
        const show = await organizer.createEvent({name: 'Deaf', capacity: 100});
        for (let turn = 0; turn < 30; turn++) await guest.book(show.id);
        await until('all of it', () => well.told.length === 30, 30);
        assert.ok(deaf.messages.length <= 30);
        for (const {id} of hooks) expect(await organizer.delete(`/v1/webhooks/${id}`), 204);
        await deaf.close();
        await well.close();
    });
});
