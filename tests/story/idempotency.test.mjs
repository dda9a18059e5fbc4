// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import {describe, it} from 'node:test';
import {onEachStore, start} from './lib/admit.mjs';
import {expect} from './lib/client.mjs';

const key = (value) => ({headers: {'Idempotency-Key': value}});
const isReplayed = (answer) => answer.headers['idempotency-replayed'] === 'true';

onEachStore('Idempotency-Key', {}, (server) => {
    it('makes one booking of 50 that are sent at once, and each has its answer', async () => {
        const [organizer, visitor] = await server().crowd(2);
        const event = await organizer.createEvent({name: 'Impatient', capacity: 100});
        const path = `/v1/events/${event.id}/bookings`;
        const answers = await Promise.all(Array.from({length: 50}, () => visitor.post(path, {quantity: 2}, key('the-same'))));
        assert.deepEqual(answers.map((answer) => answer.status), Array(50).fill(201));
        assert.equal(new Set(answers.map((answer) => answer.text)).size, 1, 'the same answer for all');
        assert.equal(answers.filter(isReplayed).length, 49);
        const {data} = await organizer.walk(`/v1/events/${event.id}/bookings`, 100);
        assert.deepEqual(data.map((booking) => booking.reference), [answers[0].body.reference]);
        assert.equal(expect(await server().nobody.get(`/v1/events/${event.id}/status`), 200).booked, 2);
    });

    it('gives 202 and the headers again, too', async () => {
        const [organizer, visitor] = await server().crowd(2);
        const event = await organizer.createEvent({name: 'Line', capacity: 1});
        await organizer.book(event.id);
        const path = `/v1/events/${event.id}/bookings`;
        const first = await visitor.post(path, {quantity: 1}, key('line-1'));
        expect(first, 202);
        assert.ok(!isReplayed(first));
        const again = await visitor.post(path, {quantity: 1}, key('line-1'));
        expect(again, 202);
        assert.ok(isReplayed(again));
        assert.equal(again.text, first.text);
        assert.equal(again.headers.location, first.headers.location);
        assert.notEqual(again.headers['x-request-id'], first.headers['x-request-id']);
    });

    it('refuses the same key for something else', async () => {
        const [organizer, visitor] = await server().crowd(2);
        const event = await organizer.createEvent({name: 'Other body', capacity: 9});
        const other = await organizer.createEvent({name: 'Other event', capacity: 9});
        const path = `/v1/events/${event.id}/bookings`;
        expect(await visitor.post(path, {quantity: 1}, key('k')), 201);
        expect(await visitor.post(path, {quantity: 2}, key('k')), 422, 'idempotency_key_reused');
        expect(await visitor.post(`/v1/events/${other.id}/bookings`, {quantity: 1}, key('k')), 422, 'idempotency_key_reused');
        expect(await visitor.post(path, {quantity: 1}, key('k')), 201);
        assert.equal(expect(await visitor.get('/v1/bookings'), 200).data.length, 1);
    });

    it('belongs to its user', async () => {
        const [organizer, visitor, second] = await server().crowd(3);
        const event = await organizer.createEvent({name: 'Scoped', capacity: 9});
        const path = `/v1/events/${event.id}/bookings`;
        const mine = expect(await visitor.post(path, {quantity: 1}, key('shared')), 201);
        const theirs = await second.post(path, {quantity: 1}, key('shared'));
        assert.notEqual(expect(theirs, 201).reference, mine.reference);
        assert.ok(!isReplayed(theirs));
        assert.equal(theirs.body.user_id, second.id);
    });

    it('tells keys apart by every character', async () => {
        const [organizer, visitor] = await server().crowd(2);
        const event = await organizer.createEvent({name: 'Keys', capacity: 50});
        const keys = ['a', 'A', 'a ', 'x'.repeat(254), 'x'.repeat(255), '"a"', '1', '01'].filter((each) => each.trim() === each);
        const answers = [];
        for (const each of keys) answers.push(await visitor.post(`/v1/events/${event.id}/bookings`, {quantity: 1}, key(each)));
        assert.equal(new Set(answers.map((answer) => expect(answer, 201).reference)).size, keys.length);
    });

    it('must have 1 to 255 characters', async () => {
        const [organizer, visitor] = await server().crowd(2);
        const event = await organizer.createEvent({name: 'Bounds', capacity: 9});
        for (const value of ['', 'x'.repeat(256)])
            expect(await visitor.post(`/v1/events/${event.id}/bookings`, {quantity: 1}, key(value)), 400);
        assert.equal(expect(await server().nobody.get(`/v1/events/${event.id}/status`), 200).booked, 0);
    });

    it('gives a refusal again, even where it would not be refused any more', async () => {
        const [organizer, visitor] = await server().crowd(2);
        const event = await organizer.createEvent({name: 'Refusal', capacity: 1});
        const taken = await organizer.book(event.id);
        const path = `/v1/events/${event.id}/bookings`;
        const ask = (value) => visitor.post(path, {quantity: 1, join_waiting_list: false}, key(value));
        const first = await ask('refused');
        expect(first, 409, 'sold_out');
        await organizer.cancel(taken.reference);
        const again = await ask('refused');
        expect(again, 409, 'sold_out');
        assert.ok(isReplayed(again));
        assert.equal(again.body.detail, first.body.detail);
        expect(await ask('a new try'), 201);
    });

    it('holds for events, payments and cancelling as well', async () => {
        const [organizer, visitor] = await server().crowd(2);
        const twice = async (who, path, body, value, status) => {
            const [first, again] = await Promise.all([who.post(path, body, key(value)), who.post(path, body, key(value))]);
            assert.deepEqual([expect(first, status), first.status], [expect(again, status), again.status], path);
            assert.equal([first, again].filter(isReplayed).length, 1, path);
            return first.body;
        };
        const event = await twice(organizer, '/v1/events', {name: 'Created once', capacity: 9, price: 100}, 'event', 201);
        assert.equal(expect(await server().nobody.get(`/v1/events?organizer=${organizer.id}`), 200).data.length, 1);
        const booking = await visitor.book(event.id, 3);
        await twice(organizer, `/v1/bookings/${booking.reference}/payments`, {amount: 200, method: 'cash'}, 'pay', 201);
        assert.equal((await visitor.booking(booking.reference)).payment.paid, 200);
        await twice(visitor, `/v1/bookings/${booking.reference}/cancel`, {quantity: 1}, 'cancel', 200);
        assert.equal((await visitor.booking(booking.reference)).quantity, 2);
    });

    it('holds for the classic routes as well', async () => {
        const [organizer, visitor] = await server().crowd(2);
        const [one, same] = await Promise.all([1, 2].map(() => organizer.post('/initialize', {name: 'Once', tickets: 5}, key('c-event'))));
        const {eventId} = expect(one, 201);
        assert.equal(expect(same, 201).eventId, eventId);
        const booked = await Promise.all(Array.from({length: 10}, () => visitor.post('/book', {eventId}, key('c-book'))));
        assert.equal(new Set(booked.map((answer) => expect(answer, 201).bookingId)).size, 1);
        const another = expect(await visitor.post('/book', {eventId}), 201);
        for (let i = 0; i < 2; i++) expect(await visitor.post('/cancel', {eventId}, key('c-cancel')), 200);
        const {data} = expect(await visitor.get('/v1/bookings?status=confirmed'), 200);
        assert.deepEqual(data.map((booking) => booking.reference), [booked[0].body.bookingId], 'only the newest one was cancelled');
        assert.notEqual(another.bookingId, booked[0].body.bookingId);
        const reused = await visitor.post('/book', {eventId, quantity: 2}, key('c-book'));
        assert.deepEqual(Object.keys(expect(reused, 422, 'idempotency_key_reused')).sort(), ['code', 'error']);
    });
});

describe('Idempotency-Key over restarts', () => {
    for (const [title, end] of [['a stop', 'stop'], ['a kill -9', 'kill']]) {
        it(`outlives ${title}`, async () => {
            let server = await start();
            const [organizer, visitor] = await server.crowd(2);
            const event = await organizer.createEvent({name: 'Long memory', capacity: 9});
            const path = `/v1/events/${event.id}/bookings`;
            const first = await visitor.post(path, {quantity: 1}, key('before'));
            expect(first, 201);
            await server[end]();
            server = await server.restart();
            const again = await server.again(visitor).post(path, {quantity: 1}, key('before'));
            assert.equal(expect(again, 201).reference, first.body.reference);
            assert.ok(isReplayed(again));
            assert.equal(expect(await server.nobody.get(`/v1/events/${event.id}/status`), 200).booked, 1);
            await server.finish();
        });
    }
});
