// SPDX-License-Identifier: Apache-2.0
// 200 people want 100 tickets at the same instant: what published systems of this kind oversell, hang or
// lose tickets on. After each store's stories `admit check` proves the counters from the journal.
import assert from 'node:assert/strict';
import {before, it} from 'node:test';
import {onEachStore} from './lib/admit.mjs';
import {expect} from './lib/client.mjs';
import {inTurns} from './lib/time.mjs';

const PEOPLE = 200;
const TICKETS = 100;
const LEAVERS = 60;

const upTo = (most) => Array.from({length: most}, (_, index) => index + 1);
const ascending = (list) => [...list].sort((a, b) => a - b);
const numbers = (booking) => booking.tickets.map((ticket) => ticket.number);

onEachStore('the rush', {}, (server) => {
    let organizer, people;
    before(async () => {
        organizer = await server().person();
        people = await server().crowd(PEOPLE);
    });
    const statusOf = async (event) => expect(await server().nobody.get(`/v1/events/${event.id}/status`), 200);

    /** All bookings as their owners see them, in the order given: [{who, reference}]. */
    const look = (bookings) => inTurns(bookings, 16, ({who, reference}) => who.booking(reference));

    /** The state after `confirmed` hold the numbers 1 to 100 and `line` waits, seen from every side. */
    async function prove(event, confirmed, line) {
        const held = await look(confirmed);
        assert.ok(held.every((booking) => booking.status === 'confirmed' && booking.tickets.length === 1));
        assert.deepEqual(ascending(held.flatMap(numbers)), upTo(TICKETS), 'each number is held once');
        const waiting = await look(line);
        assert.deepEqual(waiting.map((booking) => booking.position), upTo(line.length), 'the line keeps its order');
        assert.deepEqual(waiting.map((booking) => booking.ahead), upTo(line.length).map((position) => position - 1));

        const status = await statusOf(event);
        assert.deepEqual([status.booked, status.held, status.available, status.waiting], [TICKETS, 0, 0, line.length]);
        const tickets = (await organizer.walk(`/v1/events/${event.id}/tickets`, 100)).data;
        assert.deepEqual(tickets.map((ticket) => ticket.number), upTo(TICKETS));
        const holders = new Map(held.map((booking) => [numbers(booking)[0], booking]));
        for (const ticket of tickets) {
            assert.equal(ticket.booking, holders.get(ticket.number).reference);
            assert.equal(ticket.holder.id, holders.get(ticket.number).user_id);
        }
        const listed = (await organizer.walk(`/v1/events/${event.id}/bookings`, 100)).data;
        const count = (state) => listed.filter((booking) => booking.status === state).length;
        assert.deepEqual([count('confirmed'), count('waiting')], [TICKETS, line.length]);
    }

    it(`serves ${TICKETS} of ${PEOPLE} who ask at once, and the line when ${LEAVERS} cancel at once`, async () => {
        const event = await organizer.createEvent({name: 'Rush', capacity: TICKETS});
        const answers = await Promise.all(people.map(async (who) => {
            const answer = await who.post(`/v1/events/${event.id}/bookings`, {quantity: 1});
            const booking = expect(answer, [201, 202]);
            return {who, status: answer.status, booking, reference: booking.reference};
        }));
        const served = answers.filter((answer) => answer.status === 201);
        const line = answers.filter((answer) => answer.status === 202).sort((a, b) => a.booking.position - b.booking.position);
        assert.deepEqual([served.length, line.length], [TICKETS, PEOPLE - TICKETS]);
        assert.ok(served.every(({booking}) => booking.status === 'confirmed'));
        assert.deepEqual(line.map(({booking}) => booking.position), upTo(PEOPLE - TICKETS));
        assert.equal(new Set(answers.map((answer) => answer.reference)).size, PEOPLE);
        await prove(event, served, line);

        const [leavers, stayers] = [served.slice(0, LEAVERS), served.slice(LEAVERS)];
        const returned = leavers.flatMap(({booking}) => numbers(booking));
        await Promise.all(leavers.map(async ({who, reference}) => {
            assert.equal((await who.cancel(reference)).status, 'cancelled');
        }));
        const [lucky, rest] = [line.slice(0, LEAVERS), line.slice(LEAVERS)];
        assert.deepEqual(ascending((await look(lucky)).flatMap(numbers)), ascending(returned), 'the same numbers go on');
        await prove(event, [...stayers, ...lucky], rest);
    });

    it('does the same through the classic routes', async () => {
        const {eventId: id} = expect(await organizer.post('/initialize', {name: 'Classic rush', tickets: TICKETS}), 201);
        const answers = await Promise.all(people.map(async (who) => {
            const answer = await who.post('/book', {eventId: id});
            const {bookingId, ticketNumbers, position} = expect(answer, [201, 202]);
            return {who, status: answer.status, reference: bookingId, ticketNumbers, position};
        }));
        const served = answers.filter((answer) => answer.status === 201);
        const line = answers.filter((answer) => answer.status === 202).sort((a, b) => a.position - b.position);
        assert.deepEqual(ascending(served.flatMap((answer) => answer.ticketNumbers)), upTo(TICKETS));
        assert.deepEqual(line.map((answer) => answer.position), upTo(PEOPLE - TICKETS));
        assert.deepEqual(expect(await server().nobody.get(`/status/${id}`), 200), {
            event_name: 'Classic rush', available_tickets: 0, total_ticket_booked: TICKETS, waiting_list_count: PEOPLE - TICKETS,
        });
        await prove({id}, served, line);

        const [leavers, stayers] = [served.slice(0, LEAVERS), served.slice(LEAVERS)];
        const messages = await Promise.all(leavers.map(async ({who}) => expect(await who.post('/cancel', {eventId: id}), 200).message));
        assert.deepEqual(new Set(messages), new Set(['Booking canceled, ticket assigned to another user on the waiting list']));
        await prove({id}, [...stayers, ...line.slice(0, LEAVERS)], line.slice(LEAVERS));
        assert.equal(expect(await server().nobody.get(`/status/${id}`), 200).waiting_list_count, PEOPLE - TICKETS - LEAVERS);
    });

    it('keeps groups together and in order, whatever their size', async () => {
        const event = await organizer.createEvent({name: 'Groups', capacity: TICKETS});
        const groups = await Promise.all(people.map(async (who, index) => {
            const booking = await who.book(event.id, 1 + (index % 4));
            return {who, reference: booking.reference, booking};
        }));
        const waits = ({booking}) => booking.status === 'waiting';
        const line = groups.filter(waits).sort((a, b) => a.booking.position - b.booking.position);
        const served = groups.filter((group) => !waits(group));
        assert.deepEqual(line.map(({booking}) => booking.position), upTo(line.length));
        let ahead = 0;
        for (const {booking} of line) {
            assert.equal(booking.ahead, ahead);
            ahead += booking.quantity;
        }
        const allNumbers = served.flatMap(({booking}) => numbers(booking));
        assert.equal(new Set(allNumbers).size, allNumbers.length);
        const status = await statusOf(event);
        assert.deepEqual([status.booked, status.waiting], [allNumbers.length, line.length]);
        assert.ok(line[0].booking.quantity > status.available, 'the head waits only because it does not fit');

        // Half of the served and half of the line go, all at once, some of them only in part.
        const leavers = [...served, ...line].filter((_, index) => index % 2 === 0);
        await Promise.all(leavers.map(({who, reference, booking}, index) =>
            who.cancel(reference, index % 3 === 0 && booking.quantity > 1 ? 1 : undefined)));
        const now = await look(groups);
        const stillWaiting = now.filter((booking) => booking.status === 'waiting').sort((a, b) => a.position - b.position);
        const order = new Map(line.map(({reference, booking}) => [reference, booking.position]));
        const old = stillWaiting.map((booking) => order.get(booking.reference));
        assert.deepEqual(old, ascending(old), 'nobody changed places');
        for (const booking of now.filter((each) => each.status === 'confirmed' && order.has(each.reference)))
            assert.ok(order.get(booking.reference) < (old[0] ?? Infinity), 'nobody overtook');
        const held = now.filter((booking) => booking.status === 'confirmed').flatMap(numbers);
        assert.equal(new Set(held).size, held.length);
        const after = await statusOf(event);
        assert.deepEqual([after.booked, after.waiting], [held.length, stillWaiting.length]);
        assert.equal(after.booked + after.available, TICKETS);
        if (stillWaiting.length) assert.ok(stillWaiting[0].quantity > after.available);
    });

    it('stands the crowd that books and cancels without a pause', async () => {
        const event = await organizer.createEvent({name: 'Restless', capacity: 20});
        await Promise.all(people.slice(0, 100).map(async (who, index) => {
            for (let turn = 0; turn < 4; turn++) {
                const booking = await who.book(event.id, 1 + ((index + turn) % 3));
                if (turn < 3) await who.cancel(booking.reference);
            }
        }));
        const {data} = await organizer.walk(`/v1/events/${event.id}/bookings`, 100);
        const of = (state) => data.filter((booking) => booking.status === state);
        assert.deepEqual([data.length, of('cancelled').length], [400, 300]);
        const held = of('confirmed').flatMap(numbers);
        assert.equal(new Set(held).size, held.length);
        const status = await statusOf(event);
        assert.deepEqual([status.booked, status.waiting], [held.length, of('waiting').length]);
        assert.equal(status.booked + status.available, 20);
        assert.ok(Math.max(...held) <= 20, 'numbers that came back are sold before new ones are made');
    });
});
