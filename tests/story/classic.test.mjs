// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import {before, describe, it} from 'node:test';
import {onEachStore, PASSWORD} from './lib/admit.mjs';
import {expect} from './lib/client.mjs';
import {inDays, past, soon} from './lib/time.mjs';

const FREE = 'Booking canceled, ticket now available to other users';
const PASSED_ON = 'Booking canceled, ticket assigned to another user on the waiting list';
const LEFT_LINE = 'Removed from the waiting list';

/** An error in the classic form: {error, code} and nothing else. */
function refused(answer, status, code) {
    const body = expect(answer, status, code);
    assert.deepEqual(Object.keys(body).sort(), ['code', 'error']);
    assert.ok(body.error.length > 0);
}

onEachStore('the classic routes', {}, (server) => {
    let organizer, visitor, second;
    before(async () => {
        [organizer, visitor, second] = await server().crowd(3);
    });
    const initialize = async (fields) => expect(await organizer.post('/initialize', {name: 'Matinee', tickets: 5, ...fields}), 201).eventId;
    const book = async (who, eventId, quantity) => expect(await who.post('/book', {eventId, quantity}), [201, 202]);
    const cancel = async (who, body) => expect(await who.post('/cancel', body), 200);
    const statusOf = async (id) => expect(await server().nobody.get(`/status/${id}`), 200);

    for (const path of ['/register', '/create-user']) {
        describe(path, () => {
            const name = `guest${path.length}`;
            it('registers by user name', async () => {
                const answer = await server().nobody.post(path, {username: name, password: PASSWORD});
                const {message, user} = expect(answer, 201);
                assert.equal(message, 'Registration Successful');
                assert.deepEqual([user.username, user.email, user.role], [name, null, 'user']);
                assert.ok(!answer.text.includes(PASSWORD));
            });

            it('registers by e-mail address, with a name', async () => {
                const email = `${name}@example.org`;
                const {user} = expect(await server().nobody.post(path, {email, name: 'A guest', password: PASSWORD}), 201);
                assert.deepEqual([user.email, user.username, user.name], [email, null, 'A guest']);
            });

            it('refuses what somebody has', async () => {
                refused(await server().nobody.post(path, {username: name.toUpperCase(), password: PASSWORD}), 409, 'username_taken');
                refused(await server().nobody.post(path, {email: `${name}@EXAMPLE.org`, password: PASSWORD}), 409, 'email_taken');
            });

            it('needs one of the two, and a password', async () => {
                refused(await server().nobody.post(path, {password: PASSWORD}), 400, 'invalid');
                refused(await server().nobody.post(path, {username: 'no-password'}), 400, 'invalid');
                refused(await server().nobody.post(path, {username: 'short-password', password: 'short'}), 400, 'invalid');
                refused(await server().nobody.post(path, {username: 'number', password: 12345678}), 400, 'invalid');
            });
        });
    }

    describe('/login', () => {
        it('gives a token that works everywhere', async () => {
            expect(await server().nobody.post('/register', {username: 'both-ways', email: 'both-ways@example.org', password: PASSWORD}), 201);
            for (const login of [{username: 'Both-Ways'}, {email: 'both-ways@example.org'}]) {
                const body = expect(await server().nobody.post('/login', {...login, password: PASSWORD}), 200);
                assert.deepEqual(Object.keys(body), ['token']);
                assert.equal(expect(await server().nobody.get('/v1/me', {token: body.token}), 200).username, 'both-ways');
            }
        });

        it('refuses a wrong password and an unknown name alike', async () => {
            const wrong = await server().nobody.post('/login', {email: visitor.email, password: 'a wrong one'});
            const unknown = await server().nobody.post('/login', {username: 'never-heard-of', password: 'a wrong one'});
            refused(wrong, 401, 'bad_credentials');
            assert.equal(unknown.text, wrong.text);
            refused(await server().nobody.post('/login', {password: PASSWORD}), 400, 'invalid');
        });
    });

    describe('/initialize', () => {
        it('makes an event', async () => {
            const answer = await organizer.post('/initialize', {name: 'Small', tickets: 5});
            const {message, eventId} = expect(answer, 201);
            assert.equal(message, 'Event Created');
            const event = expect(await server().nobody.get(`/v1/events/${eventId}`), 200);
            assert.deepEqual([event.name, event.capacity, event.starts_at, event.organizer_id], ['Small', 5, null, organizer.id]);
            assert.deepEqual(event.ticket_types.map((type) => [type.name, type.capacity, type.price]), [['General admission', 5, 0]]);
        });

        it('knows title, price, date, time and venue', async () => {
            const date = inDays(20).slice(0, 10);
            const eventId = await initialize({name: undefined, title: 'Titled', price: 1500, date, time: '15:00', venue: 'Town hall'});
            const event = expect(await server().nobody.get(`/v1/events/${eventId}`), 200);
            assert.deepEqual([event.name, event.venue, event.starts_at, event.ticket_types[0].price],
                ['Titled', 'Town hall', `${date}T15:00:00Z`, 1500]);
        });

        it('wants somebody, and good fields', async () => {
            refused(await server().nobody.post('/initialize', {name: 'N', tickets: 5}), 401, 'unauthorized');
            const year = inDays(400).slice(0, 4);
            const bad = [{tickets: undefined}, {name: undefined}, {tickets: 0}, {tickets: -5}, {tickets: 2.6}, {tickets: 'abc'}, {tickets: '5'},
                {price: -1}, {date: '2001-01-01'}, {date: `${year}-02-30`}, {date: 'soon'}, {date: `${year}-05-05`, time: '25:00'}, {time: '15:00'},
                {name: 'x'.repeat(300)}, {seats: 5}];
            for (const fields of bad)
                refused(await organizer.post('/initialize', {name: 'Bad', tickets: 5, ...fields}), 400, 'invalid');
        });
    });

    describe('/book', () => {
        it('gives tickets while there are some, then places in line', async () => {
            const eventId = await initialize({tickets: 2});
            const first = await visitor.post('/book', {eventId});
            expect(first, 201);
            assert.deepEqual(first.body, {message: 'Ticket booked', bookingId: first.body.bookingId, ticketNumbers: [1]});
            assert.deepEqual((await book(visitor, eventId)).ticketNumbers, [2]);
            const waiting = await second.post('/book', {eventId});
            expect(waiting, 202);
            assert.deepEqual(waiting.body, {
                message: 'Tickets sold out, added to the waiting list', bookingId: waiting.body.bookingId, position: 1,
            });
            assert.equal((await book(visitor, eventId)).position, 2);
            assert.equal((await second.booking(waiting.body.bookingId)).status, 'waiting');
        });

        it('knows a quantity', async () => {
            const eventId = await initialize({tickets: 5});
            assert.deepEqual((await book(visitor, eventId, 3)).ticketNumbers, [1, 2, 3]);
            for (const quantity of [0, -5, 2.6, 'abc', '1', null])
                refused(await visitor.post('/book', {eventId, quantity}), 400, 'invalid');
            refused(await visitor.post('/book', {eventId, quantity: 6}), 422, 'too_many');
            assert.equal((await statusOf(eventId)).available_tickets, 2);
        });

        it('refuses as the other routes do, in its own form', async () => {
            const eventId = await initialize();
            refused(await server().nobody.post('/book', {eventId}), 401, 'unauthorized');
            refused(await visitor.post('/book', {eventId: 66_666_666}), 404, 'no_such_event');
            refused(await visitor.post('/book', {}), 400, 'invalid');
            refused(await visitor.post('/book', {eventId: 'abc'}), 400, 'invalid');
            refused(await visitor.post('/book', {eventId, event_id: eventId}), 400, 'invalid');
            refused(await visitor.post('/book', '{"eventId":'), 400, 'bad_request');
            refused(await visitor.post('/book', 'eventId=1', {headers: {'Content-Type': 'application/x-www-form-urlencoded'}}), 415, 'unsupported_media_type');
            expect(await organizer.patch(`/v1/events/${eventId}`, {status: 'closed'}), 200);
            refused(await visitor.post('/book', {eventId}), 409, 'not_on_sale');
        });
    });

    describe('/cancel', () => {
        it('frees a ticket', async () => {
            const eventId = await initialize();
            const {bookingId} = await book(visitor, eventId);
            assert.deepEqual(await cancel(visitor, {eventId}), {message: FREE});
            assert.equal((await visitor.booking(bookingId)).status, 'cancelled');
            assert.equal((await statusOf(eventId)).available_tickets, 5);
        });

        it('passes a ticket on to the next in line', async () => {
            const eventId = await initialize({tickets: 1});
            await book(visitor, eventId);
            const {bookingId} = await book(second, eventId);
            assert.deepEqual(await cancel(visitor, {eventId}), {message: PASSED_ON});
            assert.deepEqual((await second.booking(bookingId)).tickets, [{number: 1}]);
        });

        it('takes the newest booking, confirmed before waiting', async () => {
            const eventId = await initialize({tickets: 2});
            const [older, newer, waiting] = [await book(visitor, eventId), await book(visitor, eventId), await book(visitor, eventId)];
            const states = async () => {
                const all = [];
                for (const {bookingId} of [older, newer, waiting]) all.push((await visitor.booking(bookingId)).status);
                return all;
            };
            assert.deepEqual(await cancel(visitor, {eventId}), {message: PASSED_ON});
            assert.deepEqual(await states(), ['confirmed', 'cancelled', 'confirmed']);
            assert.deepEqual(await cancel(visitor, {eventId}), {message: FREE});
            assert.deepEqual(await states(), ['confirmed', 'cancelled', 'cancelled']);
            await cancel(visitor, {eventId});
            refused(await visitor.post('/cancel', {eventId}), 404, 'nothing_to_cancel');
        });

        it('leaves the line', async () => {
            const eventId = await initialize({tickets: 1});
            await book(visitor, eventId);
            await book(second, eventId);
            assert.deepEqual(await cancel(second, {eventId}), {message: LEFT_LINE});
            assert.equal((await statusOf(eventId)).waiting_list_count, 0);
        });

        it('takes a certain booking', async () => {
            const eventId = await initialize();
            const [one, two] = [await book(visitor, eventId), await book(visitor, eventId)];
            assert.deepEqual(await cancel(visitor, {bookingId: one.bookingId}), {message: FREE});
            assert.equal((await visitor.booking(two.bookingId)).status, 'confirmed');
            refused(await visitor.post('/cancel', {bookingId: one.bookingId}), 409, 'already_cancelled');
        });

        it('finds nothing to cancel where there is nothing of mine', async () => {
            const eventId = await initialize();
            const {bookingId} = await book(visitor, eventId);
            refused(await second.post('/cancel', {eventId}), 404, 'nothing_to_cancel');
            refused(await second.post('/cancel', {bookingId}), 404, 'no_such_booking');
            refused(await second.post('/cancel', {eventId: 66_666_666}), 404);
            refused(await server().nobody.post('/cancel', {eventId}), 401, 'unauthorized');
            for (const body of [{}, {eventId, bookingId}, {eventId: 'x'}, {bookingId: 5}])
                refused(await visitor.post('/cancel', body), 400, 'invalid');
            assert.equal((await visitor.booking(bookingId)).status, 'confirmed');
        });

        it('is too late once the event has begun', async () => {
            const starts = soon();
            const event = await organizer.createEvent({name: 'Begins', capacity: 5, starts_at: starts});
            await book(visitor, event.id);
            await past(starts);
            refused(await visitor.post('/cancel', {eventId: event.id}), 409, 'event_started');
            refused(await visitor.post('/book', {eventId: event.id}), 409, 'event_started');
        });

        it('cancels one booking each when sent many times at once', async () => {
            const eventId = await initialize({tickets: 5});
            for (let i = 0; i < 3; i++) await book(visitor, eventId);
            const answers = await Promise.all(Array.from({length: 6}, () => visitor.post('/cancel', {eventId})));
            assert.deepEqual(answers.map((answer) => answer.status).sort(), [200, 200, 200, 404, 404, 404]);
            assert.equal((await statusOf(eventId)).available_tickets, 5);
        });
    });

    describe('/status', () => {
        it('counts tickets and those who wait', async () => {
            const eventId = await initialize({name: 'Counted', tickets: 5});
            await book(visitor, eventId, 4);
            await book(visitor, eventId, 2);
            await book(visitor, eventId, 3);
            assert.deepEqual(await statusOf(eventId), {
                event_name: 'Counted', available_tickets: 1, total_ticket_booked: 4, waiting_list_count: 2,
            });
        });

        it('knows only what there is', async () => {
            refused(await server().nobody.get('/status/66666666'), 404, 'no_such_event');
            for (const id of ['abc', '-5', '0', '1.5', '99999999999999999999999'])
                refused(await server().nobody.get(`/status/${id}`), [400, 404]);
        });
    });
});
