// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import {before, describe, it} from 'node:test';
import {onEachStore} from './lib/admit.mjs';
import {expect, expectBadQuery, expectInvalid} from './lib/client.mjs';
import {inDays, past, soon} from './lib/time.mjs';

const numbers = (booking) => booking.tickets.map((ticket) => ticket.number);

/** The rows of a CSV file, by the names in its first line (RFC 4180). */
function readCsv(text) {
    const rows = [[]];
    for (const [, quoted, plain, end] of text.matchAll(/(?:"((?:[^"]|"")*)"|([^",\r\n]*))(,|\r?\n|$)/g)) {
        rows.at(-1).push(quoted === undefined ? plain : quoted.replaceAll('""', '"'));
        if (end !== ',') rows.push([]);
    }
    const [names, ...values] = rows.filter((row) => row.length > 1);
    return values.map((row) => {
        assert.equal(row.length, names.length, `a row of another length: ${row}`);
        return Object.fromEntries(names.map((name, index) => [name, row[index]]));
    });
}

onEachStore('bookings', {}, (server) => {
    let organizer, visitor, second, third;
    before(async () => {
        [organizer, visitor, second, third] = await server().crowd(4);
    });
    const make = (fields) => organizer.createEvent({name: 'Event', ...fields});
    const ask = (who, event, body) => who.post(`/v1/events/${event.id}/bookings`, body);
    const statusOf = async (who, booking) => (await who.booking(booking.reference)).status;
    const counters = async (event) => {
        const {booked, available, waiting} = expect(await server().nobody.get(`/v1/events/${event.id}/status`), 200);
        return {booked, available, waiting};
    };

    describe('booking', () => {
        it('is confirmed with numbered tickets, and can be read again', async () => {
            const event = await make({capacity: 5, price: 1250, currency: 'CHF', venue: 'Hall', starts_at: inDays(3)});
            const answer = await ask(visitor, event, {quantity: 2});
            const booking = expect(answer, 201);
            assert.equal(booking.status, 'confirmed');
            assert.deepEqual(numbers(booking), [1, 2]);
            assert.deepEqual([booking.quantity, booking.unit_price, booking.total, booking.currency], [2, 1250, 2500, 'CHF']);
            assert.deepEqual(booking.payment, {status: 'due', paid: 0});
            assert.deepEqual(booking.event, {
                id: event.id, name: 'Event', venue: 'Hall', starts_at: event.starts_at, timezone: 'UTC', status: 'on_sale',
            });
            assert.deepEqual(booking.ticket_type, {id: event.ticket_types[0].id, name: 'General admission'});
            assert.equal(booking.user_id, visitor.id);
            assert.equal(answer.headers.location, `/v1/bookings/${booking.reference}`);
            assert.deepEqual(await visitor.booking(booking.reference), booking);
            assert.deepEqual(await counters(event), {booked: 2, available: 3, waiting: 0});
        });

        it('is found by its reference without hyphens and in lower case', async () => {
            const booking = await visitor.book((await make({capacity: 5})).id);
            const spellings = [booking.reference.replaceAll('-', ''), booking.reference.toLowerCase()];
            for (const spelling of spellings) assert.equal((await visitor.booking(spelling)).reference, booking.reference);
        });

        it('has references that tell nothing of their order', async () => {
            const event = await make({capacity: 50});
            const references = [];
            for (let i = 0; i < 20; i++) references.push((await visitor.book(event.id)).reference);
            assert.equal(new Set(references).size, 20);
            assert.notDeepEqual(references, [...references].sort());
            assert.equal(new Set(references.map((reference) => reference.slice(0, 4))).size > 15, true, references.join(' '));
        });

        it('waits where there is not enough, with its position and the tickets ahead', async () => {
            const event = await make({capacity: 3, price: 100});
            await visitor.book(event.id, 2);
            const first = expect(await ask(second, event, {quantity: 2}), 202);
            assert.equal(first.status, 'waiting');
            assert.deepEqual([first.position, first.ahead, first.tickets, first.total], [1, 0, [], 200]);
            const next = expect(await ask(third, event, {quantity: 3}), 202);
            assert.deepEqual([next.position, next.ahead], [2, 2]);
            assert.deepEqual(await third.booking(next.reference), next);
            assert.deepEqual(await counters(event), {booked: 2, available: 1, waiting: 2});
        });

        it('is refused where one does not want to wait, and leaves no trace', async () => {
            const event = await make({capacity: 2});
            const taken = await visitor.book(event.id, 2);
            expect(await ask(second, event, {quantity: 1, join_waiting_list: false}), 409, 'sold_out');
            assert.deepEqual(await counters(event), {booked: 2, available: 0, waiting: 0});
            assert.deepEqual(expect(await second.get(`/v1/bookings?event=${event.id}`), 200).data, []);
            await visitor.cancel(taken.reference, 1);
            assert.equal(expect(await ask(second, event, {quantity: 1, join_waiting_list: false}), 201).status, 'confirmed');
        });

        it('lets nobody overtake: what would fit waits behind one who wants more', async () => {
            const event = await make({capacity: 5});
            await visitor.book(event.id, 4);
            assert.equal((await second.book(event.id, 2)).position, 1);
            assert.equal((await third.book(event.id, 1)).position, 2);
            expect(await ask(third, event, {quantity: 1, join_waiting_list: false}), 409, 'sold_out');
            assert.deepEqual(await counters(event), {booked: 4, available: 1, waiting: 2});
        });

        it('has a line for each ticket type', async () => {
            const event = await make({ticket_types: [{name: 'A', capacity: 1}, {name: 'B', capacity: 1}]});
            const [a, b] = event.ticket_types;
            await visitor.book(event.id, {quantity: 1, ticket_type_id: a.id});
            assert.equal((await second.book(event.id, {quantity: 1, ticket_type_id: a.id})).position, 1);
            const other = await third.book(event.id, {quantity: 1, ticket_type_id: b.id});
            assert.deepEqual([other.status, numbers(other)], ['confirmed', [2]], 'numbers are unique within the event');
        });

        it('must say which ticket type where there are several', async () => {
            const event = await make({ticket_types: [{name: 'A', capacity: 1}, {name: 'B', capacity: 1}]});
            expectInvalid(await ask(visitor, event, {quantity: 1}), '/ticket_type_id');
            expect(await ask(visitor, event, {quantity: 1, ticket_type_id: 99_999_999}), 404, 'no_such_ticket_type');
            const other = await make({capacity: 5});
            expect(await ask(visitor, event, {quantity: 1, ticket_type_id: other.ticket_types[0].id}), 404, 'no_such_ticket_type');
            expect(await ask(visitor, other, {quantity: 1, ticket_type_id: event.ticket_types[0].id}), 404, 'no_such_ticket_type');
        });

        it('needs somebody, and an event', async () => {
            const event = await make({capacity: 1});
            expect(await ask(server().nobody, event, {quantity: 1}), 401, 'unauthorized');
            expect(await ask(visitor, {id: 77_777_777}, {quantity: 1}), 404, 'no_such_event');
        });

        for (const quantity of [-5, 0, 2.6, 'abc', '1', null, true, [1], {}, -1e30]) {
            it(`refuses a quantity of ${JSON.stringify(quantity)}`, async () => {
                const event = await make({capacity: 5});
                expectInvalid(await ask(visitor, event, {quantity}), '/quantity');
                assert.deepEqual(await counters(event), {booked: 0, available: 5, waiting: 0});
            });
        }

        it('names every bad field', async () => {
            const event = await make({capacity: 5});
            expectInvalid(await ask(visitor, event, {ticket_type_id: 'x', join_waiting_list: 1, event_id: 3}),
                '/quantity', '/ticket_type_id', '/join_waiting_list', '/event_id');
        });
    });

    describe('limits', () => {
        it('one booking has at most max_per_booking', async () => {
            const event = await make({ticket_types: [{name: 'A', capacity: 50, max_per_booking: 4}]});
            expect(await ask(visitor, event, {quantity: 5}), 422, 'too_many');
            assert.equal((await visitor.book(event.id, 4)).quantity, 4);
            assert.equal((await visitor.book(event.id, 4)).quantity, 4);
        });

        it('one person has at most max_per_user, over all types, waiting or not', async () => {
            const event = await make({max_per_user: 3, ticket_types: [{name: 'A', capacity: 2}, {name: 'B', capacity: 9}]});
            const [a, b] = event.ticket_types;
            const first = await visitor.book(event.id, {quantity: 2, ticket_type_id: a.id});
            expect(await ask(visitor, event, {quantity: 2, ticket_type_id: b.id}), 422, 'too_many');
            const waiting = await visitor.book(event.id, {quantity: 1, ticket_type_id: a.id});
            assert.equal(waiting.status, 'waiting');
            expect(await ask(visitor, event, {quantity: 1, ticket_type_id: b.id}), 422, 'too_many');
            assert.equal((await second.book(event.id, {quantity: 3, ticket_type_id: b.id})).status, 'confirmed');

            await visitor.cancel(first.reference, 1); // which the one who waits gets
            assert.equal((await visitor.book(event.id, {quantity: 1, ticket_type_id: b.id})).status, 'confirmed');
            expect(await ask(visitor, event, {quantity: 1, ticket_type_id: b.id}), 422, 'too_many');
        });

        it('max_per_user holds when one asks many times at once', async () => {
            const event = await make({capacity: 50, max_per_user: 3});
            const answers = await Promise.all(Array.from({length: 12}, () => ask(visitor, event, {quantity: 1})));
            const counts = [201, 422].map((status) => answers.filter((answer) => answer.status === status).length);
            assert.deepEqual(counts, [3, 9]);
            assert.equal((await counters(event)).booked, 3);
        });

        it('max_per_user counts what was booked before there was one', async () => {
            const event = await make({capacity: 50});
            await visitor.book(event.id, 2);
            expect(await organizer.patch(`/v1/events/${event.id}`, {max_per_user: 3}), 200);
            expect(await ask(visitor, event, {quantity: 2}), 422, 'too_many');
            assert.equal((await visitor.book(event.id, 1)).status, 'confirmed');
        });

        it('nobody waits for more than there will ever be', async () => {
            const event = await make({capacity: 5});
            expect(await ask(visitor, event, {quantity: 6}), 422, 'too_many');
            const great = await make({capacity: 1_000_000});
            expect(await ask(visitor, great, {quantity: 10_001}), 422, 'too_many');
            const most = await visitor.book(great.id, 10_000);
            assert.deepEqual([most.tickets.length, numbers(most).at(-1)], [10_000, 10_000]);
            await visitor.cancel(most.reference);
        });
    });

    describe('times', () => {
        it('the sale of a ticket type has a beginning and an end', async () => {
            const ends = soon();
            const event = await make({
                ticket_types: [{name: 'Later', capacity: 5, sales_start: inDays(1)}, {name: 'Now', capacity: 5, sales_end: ends}],
            });
            const [later, now] = event.ticket_types.map((type) => ({quantity: 1, ticket_type_id: type.id}));
            expect(await ask(visitor, event, later), 409, 'sales_not_started');
            expect(await ask(visitor, event, now), 201);
            await past(ends);
            expect(await ask(visitor, event, now), 409, 'sales_ended');
        });

        it('once an event has begun nothing is sold, and only managers cancel', async () => {
            const starts = soon();
            const event = await make({capacity: 2, starts_at: starts});
            const [mine, theirs] = [await visitor.book(event.id), await second.book(event.id)];
            await past(starts);
            expect(await ask(third, event, {quantity: 1}), 409, 'event_started');
            expect(await visitor.delete(`/v1/bookings/${mine.reference}`), 409, 'event_started');
            expect(await visitor.post(`/v1/bookings/${mine.reference}/cancel`, {}), 409, 'event_started');
            assert.equal((await organizer.cancel(theirs.reference)).status, 'cancelled');
            assert.deepEqual(await counters(event), {booked: 1, available: 1, waiting: 0});
        });
    });

    describe('cancelling', () => {
        it('gives everything back', async () => {
            const event = await make({capacity: 5, price: 300});
            const booking = await visitor.book(event.id, 3);
            const cancelled = await visitor.cancel(booking.reference);
            assert.deepEqual([cancelled.status, cancelled.quantity, cancelled.tickets, cancelled.total], ['cancelled', 3, [], 0]);
            assert.equal(cancelled.payment.status, 'not_required');
            assert.deepEqual(await visitor.booking(booking.reference), cancelled);
            assert.deepEqual(await counters(event), {booked: 0, available: 5, waiting: 0});
        });

        it('works once', async () => {
            const event = await make({capacity: 5});
            const booking = await visitor.book(event.id, 1);
            const answers = await Promise.all(Array.from({length: 5}, () => visitor.delete(`/v1/bookings/${booking.reference}`)));
            assert.deepEqual(answers.map((answer) => answer.status).sort(), [200, 409, 409, 409, 409]);
            expect(await visitor.delete(`/v1/bookings/${booking.reference}`), 409, 'already_cancelled');
            expect(await visitor.post(`/v1/bookings/${booking.reference}/cancel`, {quantity: 1}), 409, 'already_cancelled');
            assert.deepEqual(await counters(event), {booked: 0, available: 5, waiting: 0});
        });

        it('hands the tickets to the next in line in the same moment', async () => {
            const event = await make({capacity: 2});
            const [mine, line] = [await visitor.book(event.id, 2), []];
            for (const who of [second, third]) line.push(await who.book(event.id, 1));
            await visitor.cancel(mine.reference);
            const served = [await second.booking(line[0].reference), await third.booking(line[1].reference)];
            assert.deepEqual(served.map((booking) => [booking.status, numbers(booking)]), [['confirmed', [1]], ['confirmed', [2]]]);
            assert.deepEqual(await counters(event), {booked: 2, available: 0, waiting: 0});
        });

        it('gives back some of the tickets, and the rest stays', async () => {
            const event = await make({capacity: 4, price: 500});
            const booking = await visitor.book(event.id, 4);
            const waiting = await second.book(event.id, 1);
            const rest = await visitor.cancel(booking.reference, 1);
            assert.deepEqual([rest.status, rest.quantity, rest.total], ['confirmed', 3, 1500]);
            const held = new Set([...numbers(rest), ...numbers(await second.booking(waiting.reference))]);
            assert.deepEqual([...held].sort(), [1, 2, 3, 4]);
            expect(await visitor.post(`/v1/bookings/${booking.reference}/cancel`, {quantity: 4}), 422, 'too_many');
            for (const quantity of [0, -1, 1.5, 'x', null])
                expectInvalid(await visitor.post(`/v1/bookings/${booking.reference}/cancel`, {quantity}), '/quantity');
            assert.equal((await visitor.cancel(booking.reference, 3)).status, 'cancelled');
            assert.deepEqual(await counters(event), {booked: 1, available: 3, waiting: 0});
        });

        it('without a body cancels all of it', async () => {
            const booking = await visitor.book((await make({capacity: 4})).id, 2);
            const answer = await visitor.post(`/v1/bookings/${booking.reference}/cancel`, undefined);
            assert.equal(expect(answer, 200).status, 'cancelled');
        });

        it('keeps what is free for a head of the line that wants more', async () => {
            const event = await make({capacity: 3});
            const singles = [];
            for (let i = 0; i < 3; i++) singles.push(await visitor.book(event.id, 1));
            const head = await second.book(event.id, 2);
            const small = await third.book(event.id, 1);
            await visitor.cancel(singles[0].reference);
            assert.deepEqual([await statusOf(second, head), await statusOf(third, small)], ['waiting', 'waiting']);
            assert.deepEqual(await counters(event), {booked: 2, available: 1, waiting: 2});
            await visitor.cancel(singles[1].reference);
            assert.deepEqual([await statusOf(second, head), await statusOf(third, small)], ['confirmed', 'waiting']);
            assert.deepEqual(await counters(event), {booked: 3, available: 0, waiting: 1});
        });

        it('serves those behind when a head that wanted too much leaves', async () => {
            const event = await make({capacity: 3});
            const mine = await visitor.book(event.id, 2);
            const head = await second.book(event.id, 2);
            const [one, two] = [await third.book(event.id, 1), await third.book(event.id, 1)];
            assert.equal((await second.cancel(head.reference)).status, 'cancelled');
            assert.deepEqual([await statusOf(third, one), await statusOf(third, two)], ['confirmed', 'waiting']);
            assert.equal((await third.booking(two.reference)).position, 1);
            await visitor.cancel(mine.reference);
            assert.equal(await statusOf(third, two), 'confirmed');
        });

        it('serves a head that comes to want less', async () => {
            const event = await make({capacity: 3});
            await visitor.book(event.id, 2);
            const head = await second.book(event.id, 2);
            const behind = await third.book(event.id, 2);
            assert.equal((await third.booking(behind.reference)).ahead, 2);
            const now = await second.cancel(head.reference, 1);
            assert.deepEqual([now.status, now.quantity, numbers(now)], ['confirmed', 1, [3]]);
            const next = await third.booking(behind.reference);
            assert.deepEqual([next.position, next.ahead], [1, 0]);
        });

        it('moves up those behind one who leaves the line', async () => {
            const event = await make({capacity: 1});
            await visitor.book(event.id, 1);
            const line = [];
            for (let i = 0; i < 5; i++) line.push(await second.book(event.id, 1));
            assert.deepEqual(line.map((booking) => booking.position), [1, 2, 3, 4, 5]);
            await second.cancel(line[1].reference);
            await second.cancel(line[3].reference);
            const places = [];
            for (const index of [0, 2, 4]) places.push(await second.booking(line[index].reference));
            assert.deepEqual(places.map(({position, ahead}) => [position, ahead]), [[1, 0], [2, 1], [3, 2]]);
            assert.equal((await second.book(event.id, 1)).position, 4);
        });

        it('returns numbers to be sold again, the lowest first', async () => {
            const event = await make({capacity: 10});
            const held = [];
            for (let i = 0; i < 5; i++) held.push(await visitor.book(event.id, 1));
            for (const index of [3, 1]) await visitor.cancel(held[index].reference);
            assert.deepEqual(numbers(await second.book(event.id, 1)), [2]);
            assert.deepEqual(numbers(await second.book(event.id, 3)), [4, 6, 7]);
        });

        it('is also the manager\'s, and the journal says who it was', async () => {
            const event = await make({capacity: 1});
            const [mine, next] = [await visitor.book(event.id), await second.book(event.id)];
            await organizer.cancel(mine.reference);
            const read = async (who, {reference}) => expect(await who.get(`/v1/bookings/${reference}/history`), 200).data
                .map(({from, to, quantity, by, actor_id}) => [from, to, quantity, by, actor_id]);
            const ofMine = [[null, 'confirmed', 1, 'owner', visitor.id], ['confirmed', 'cancelled', 1, 'manager', organizer.id]];
            assert.deepEqual(await read(visitor, mine), ofMine);
            assert.deepEqual(await read(organizer, mine), ofMine);
            assert.deepEqual(await read(second, next), [
                [null, 'waiting', 1, 'owner', second.id], ['waiting', 'confirmed', 1, 'system', null],
            ]);
            await second.cancel(next.reference);
            assert.deepEqual((await read(second, next)).at(-1), ['confirmed', 'cancelled', 1, 'owner', second.id]);
        });

        it('writes a row in the journal for a part, too', async () => {
            const booking = await visitor.book((await make({capacity: 5})).id, 3);
            await visitor.cancel(booking.reference, 2);
            const {data} = expect(await visitor.get(`/v1/bookings/${booking.reference}/history`), 200);
            assert.deepEqual(data.map((entry) => [entry.to, entry.quantity]), [['confirmed', 3], ['cancelled', 2]]);
            assert.ok(data.every((entry) => Math.abs(Date.parse(entry.at) - Date.now()) < 60_000));
        });
    });

    describe('somebody else\'s booking', () => {
        it('is not there, exactly as if it had never been', async () => {
            const event = await make({capacity: 5, price: 100});
            const booking = await visitor.book(event.id);
            const calls = [
                ['GET', ''], ['DELETE', ''], ['POST', '/cancel', {}], ['POST', '/cancel', {quantity: 1}], ['GET', '/history'],
                ['POST', '/payments', {amount: 100, method: 'cash'}],
            ];
            for (const [method, tail, body] of calls) {
                const call = (reference) => second.call(method, `/v1/bookings/${reference}${tail}`, {body});
                const [theirs, never] = [await call(booking.reference), await call('K7Q2-M9XD-4TZB')];
                expect(theirs, 404, 'no_such_booking');
                assert.deepEqual({...theirs.body, request_id: ''}, {...never.body, request_id: ''}, `${method} ${tail}`);
                assert.deepEqual(Object.keys(theirs.headers), Object.keys(never.headers));
            }
            assert.equal(await statusOf(visitor, booking), 'confirmed');
        });

        it('is not even looked for without a token', async () => {
            const booking = await visitor.book((await make({capacity: 5})).id);
            expect(await server().nobody.get(`/v1/bookings/${booking.reference}`), 401, 'unauthorized');
            expect(await server().nobody.delete(`/v1/bookings/${booking.reference}`), 401, 'unauthorized');
        });

        it('is not found by what is no reference at all', async () => {
            for (const reference of ['1', 'K7Q2', 'K7Q2-M9XD-4TZBB', 'U7Q2-M9XD-4TZB', '%00', '..', 'K7Q2_M9XD_4TZB', 'é'.repeat(3)])
                expect(await visitor.get(`/v1/bookings/${encodeURIComponent(reference)}`), [400, 404]);
        });
    });

    describe('my history', () => {
        it('has the newest first, page by page, and only mine', async () => {
            const collector = await server().person();
            const [one, two] = [await make({capacity: 100}), await make({capacity: 100})];
            const made = [];
            for (let i = 0; i < 23; i++) {
                made.unshift((await collector.book(i % 2 ? one.id : two.id)).reference);
                await visitor.book(one.id);
            }
            const {data, pages} = await collector.walk('/v1/bookings', 10);
            assert.deepEqual(data.map((booking) => booking.reference), made);
            assert.equal(pages, 3);
            assert.ok(data.every((booking) => booking.user_id === collector.id));
            assert.equal(expect(await collector.get('/v1/bookings'), 200).data.length, 20);

            const ofOne = await collector.walk(`/v1/bookings?event=${one.id}`, 4);
            assert.equal(ofOne.data.length, 11);
            assert.ok(ofOne.data.every((booking) => booking.event.id === one.id));
        });

        it('goes by state, and keeps what was cancelled', async () => {
            const collector = await server().person();
            const event = await make({capacity: 2});
            const kept = await collector.book(event.id);
            const dropped = await collector.book(event.id);
            await collector.cancel(dropped.reference);
            await visitor.book(event.id);
            const waiting = await collector.book(event.id);
            const of = async (status) => (await collector.walk(`/v1/bookings?status=${status}`, 5)).data.map((each) => each.reference);
            assert.deepEqual(await of('confirmed'), [kept.reference]);
            assert.deepEqual(await of('cancelled'), [dropped.reference]);
            assert.deepEqual(await of('waiting'), [waiting.reference]);
            assert.deepEqual(await of('expired'), []);
            expectBadQuery(await collector.get('/v1/bookings?status=lost'), 'status');
        });
    });

    describe('payments', () => {
        const pay = (who, {reference}, body) => who.post(`/v1/bookings/${reference}/payments`, body);

        it('are due until all is paid, and no more than that', async () => {
            const event = await make({capacity: 5, price: 1000, currency: 'GBP'});
            const booking = await visitor.book(event.id, 2);
            const first = expect(await pay(organizer, booking, {amount: 1500, method: 'cash', note: 'At the "door", <b>half</b>'}), 201);
            assert.deepEqual([first.booking, first.amount, first.currency, first.method, first.note],
                [booking.reference, 1500, 'GBP', 'cash', 'At the "door", <b>half</b>']);
            assert.deepEqual(first.payment, {status: 'due', paid: 1500});
            expect(await pay(organizer, booking, {amount: 501, method: 'cash'}), 409, 'overpaid');
            const rest = expect(await pay(organizer, booking, {amount: 500, method: 'transfer'}), 201);
            assert.notEqual(rest.id, first.id);
            assert.deepEqual(rest.payment, {status: 'paid', paid: 2000});
            assert.deepEqual((await visitor.booking(booking.reference)).payment, {status: 'paid', paid: 2000});
            expect(await pay(organizer, booking, {amount: 1, method: 'card'}), 409, 'overpaid');
        });

        it('are not asked for what is free of charge', async () => {
            const booking = await visitor.book((await make({capacity: 5})).id);
            assert.deepEqual(booking.payment, {status: 'not_required', paid: 0});
            expect(await pay(organizer, booking, {amount: 1, method: 'cash'}), 409, 'overpaid');
        });

        it('are the manager\'s to record', async () => {
            const booking = await visitor.book((await make({capacity: 5, price: 100})).id);
            expect(await pay(visitor, booking, {amount: 100, method: 'cash'}), 403, 'forbidden');
            expect(await pay(second, booking, {amount: 100, method: 'cash'}), 404, 'no_such_booking');
            assert.equal((await visitor.booking(booking.reference)).payment.paid, 0);
        });

        it('do not come together when two record the same at once', async () => {
            const booking = await visitor.book((await make({capacity: 5, price: 100})).id);
            const answers = await Promise.all(Array.from({length: 6}, () => pay(organizer, booking, {amount: 100, method: 'cash'})));
            assert.deepEqual(answers.map((answer) => answer.status).sort(), [201, 409, 409, 409, 409, 409]);
            assert.deepEqual((await visitor.booking(booking.reference)).payment, {status: 'paid', paid: 100});
        });

        it('are checked like everything else', async () => {
            const booking = await visitor.book((await make({capacity: 5, price: 100})).id);
            for (const amount of [0, -100, 99.5, '100', null])
                expectInvalid(await pay(organizer, booking, {amount, method: 'cash'}), '/amount');
            expectInvalid(await pay(organizer, booking, {method: 'shells', note: 'x'.repeat(501), by: 'me'}), '/amount', '/method', '/note', '/by');
            await visitor.cancel(booking.reference);
            expect(await pay(organizer, booking, {amount: 100, method: 'cash'}), 409, 'already_cancelled');
        });
    });

    describe('the manager\'s lists', () => {
        let event, bookings, formula, comma;
        before(async () => {
            formula = await server().person({name: '=HYPERLINK("http://example.org")', email: 'formula@example.org', username: '-formula'});
            comma = await server().person({name: 'Comma, "Quote" & Sons', email: 'comma@example.org'});
            event = await make({ticket_types: [{name: '@type', capacity: 5, price: 250}]});
            bookings = [await formula.book(event.id, 2), await comma.book(event.id, 1), await formula.book(event.id, 1), await comma.book(event.id, 4)];
            await formula.cancel(bookings[2].reference);
        });
        const list = async (query) => (await organizer.walk(`/v1/events/${event.id}/bookings?${query}`, 3)).data.map((each) => each.reference);
        const references = (...indices) => indices.map((index) => bookings[index].reference);

        it('have all bookings, newest first, with whose they are', async () => {
            assert.deepEqual(await list(''), references(3, 2, 1, 0));
            const {data} = expect(await organizer.get(`/v1/events/${event.id}/bookings`), 200);
            assert.deepEqual(data[3].user, {id: formula.id, name: formula.user.name, email: 'formula@example.org', username: '-formula'});
            assert.deepEqual(data[2].user, {id: comma.id, name: comma.user.name, email: 'comma@example.org', username: null});
        });

        it('go by state', async () => {
            assert.deepEqual(await list('status=confirmed'), references(1, 0));
            assert.deepEqual(await list('status=waiting'), references(3));
            assert.deepEqual(await list('status=cancelled'), references(2));
        });

        it('go by name, address and user name', async () => {
            assert.deepEqual(await list('q=comma'), references(3, 1));
            assert.deepEqual(await list('q=sons+comma'), references(3, 1));
            assert.deepEqual(await list('q=formula'), references(2, 0));
            assert.deepEqual(await list('q=comma&status=waiting'), references(3));
            assert.deepEqual(await list('q=nobody-of-that-name'), []);
        });

        it('come as CSV that no spreadsheet takes for formulas', async () => {
            const answer = await organizer.get(`/v1/events/${event.id}/bookings.csv`);
            expect(answer, 200);
            const rows = readCsv(answer.text);
            assert.deepEqual(rows.map((row) => row.reference), references(3, 2, 1, 0));
            assert.equal(rows[3].name, `'${formula.user.name}`);
            assert.equal(rows[3].username, '\'-formula');
            assert.equal(rows[3].ticket_type, '\'@type');
            assert.equal(rows[2].name, comma.user.name);
            assert.deepEqual([rows[3].status, rows[3].quantity, rows[3].tickets, rows[3].total, rows[3].email],
                ['confirmed', '2', '1 2', '500', 'formula@example.org']);
            assert.deepEqual([rows[0].status, rows[0].tickets], ['waiting', '']);
            assert.deepEqual([rows[1].status, rows[1].total], ['cancelled', '0']);
            for (const cell of rows.flatMap((row) => Object.values(row))) assert.doesNotMatch(cell, /^[=+@\t\r-]/);

            const some = await organizer.get(`/v1/events/${event.id}/bookings.csv?status=waiting&q=comma`);
            expect(some, 200);
            assert.deepEqual(readCsv(some.text).map((row) => row.reference), references(3));
        });

        it('have the tickets: every number ever sold, and who holds it now', async () => {
            const {data} = await organizer.walk(`/v1/events/${event.id}/tickets`, 2);
            const holder = ({user}) => ({id: user.id, name: user.name, email: user.email, username: user.username});
            assert.deepEqual(data, [
                {number: 1, booked: true, booking: bookings[0].reference, holder: holder(formula)},
                {number: 2, booked: true, booking: bookings[0].reference, holder: holder(formula)},
                {number: 3, booked: true, booking: bookings[1].reference, holder: holder(comma)},
                {number: 4, booked: false, booking: null, holder: null},
            ]);
        });

        it('are not for others', async () => {
            for (const tail of ['bookings', 'bookings.csv', 'tickets']) {
                expect(await visitor.get(`/v1/events/${event.id}/${tail}`), 403, 'forbidden');
                expect(await server().nobody.get(`/v1/events/${event.id}/${tail}`), 401, 'unauthorized');
            }
        });
    });
});

describe('with KEEP_CANCELLED=0', () => {
    onEachStore('a cancelled booking', {env: {KEEP_CANCELLED: '0'}}, (server) => {
        it('is answered with its last state and is gone', async () => {
            const [organizer, visitor, next] = await server().crowd(3);
            const event = await organizer.createEvent({name: 'Forgetful', capacity: 2});
            const [booking, kept, line] = [await visitor.book(event.id), await visitor.book(event.id), await next.book(event.id)];
            const last = await visitor.cancel(booking.reference);
            assert.equal(last.status, 'cancelled');
            expect(await visitor.get(`/v1/bookings/${booking.reference}`), 404, 'no_such_booking');
            expect(await visitor.delete(`/v1/bookings/${booking.reference}`), 404, 'no_such_booking');
            assert.deepEqual(expect(await visitor.get('/v1/bookings'), 200).data.map((each) => each.reference), [kept.reference]);
            assert.deepEqual((await next.booking(line.reference)).tickets, [{number: 1}]);
        });
    });
});
