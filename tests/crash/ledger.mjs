// SPDX-License-Identifier: Apache-2.0
// What clients were told, and whether a server that was killed and started again still says so.
//
// Every request is noted before it is sent. Answered, it has happened, once. Unanswered, it has happened once or not at all, and
// a look after the restart settles which. Operations on one booking come one after the other.
import assert from 'node:assert/strict';
import {expect} from '../story/lib/client.mjs';
import {inTurns} from '../story/lib/time.mjs';

const LOOKS_AT_ONCE = 8;
const KEYS_LOOKED_AT = 24; // after each restart, of those answered

export const isReplayed = (answer) => answer.headers['idempotency-replayed'] === 'true';

/** How a booking of that state may look later if nobody touches it: the line moves on by itself. */
function later({status, quantity}) {
    return status === 'waiting' ? [{status, quantity}, {status: 'confirmed', quantity}] : [{status, quantity}];
}

/** And how after `quantity` of its tickets, or all, were cancelled. */
function afterCancelling(state, quantity) {
    if (quantity === undefined || quantity >= state.quantity) return [{status: 'cancelled'}];
    return later(state).map((each) => ({...each, quantity: each.quantity - quantity}));
}

const looksLike = (row, states) =>
    states.some(({status, quantity}) => row.status === status && (status === 'cancelled' || row.quantity === quantity));

const shown = (states) => states.map(({status, quantity}) => `${status} ${quantity ?? ''}`.trim()).join(' or ');

export class Ledger {
    constructor() {
        this.events = new Map(); // id -> {id, name, capacity, isOpen}
        this.bookings = new Map(); // reference -> {reference, eventId, who, state, cancelling}
        this.keys = []; // answered: {who, path, body, key, status, text}
        this.unanswered = []; // bookings and events: {kind, who, path, body, key, eventId}
        this.touched = new Set(); // events that somebody touched since the last look
        this.counts = {answered: 0, unanswered: 0, happened: 0, replayed: 0};
    }

    // ---- noting ----

    /** Sends it and notes the answer, or that there was none (undefined). */
    async send({kind, who, path, body, key, eventId, reference}) {
        const request = {kind, who, path, body, key, eventId, reference};
        const booking = reference && this.bookings.get(reference);
        if (booking) booking.cancelling = request;
        if (eventId) this.touched.add(eventId);
        const answer = await who.post(path, body, key ? {headers: {'Idempotency-Key': key}} : {}).catch((error) => {
            if (error.name === 'AssertionError') throw error; // an answer that is no good
        });
        if (!answer || answer.status === 503) { // as good as none: 503 promises nothing
            this.counts.unanswered++;
            if (!booking) this.unanswered.push(request);
            return undefined;
        }
        this.counts.answered++;
        this.settle(request, answer);
        return answer;
    }

    /** What an answer says of the state from now on. */
    settle(request, answer) {
        const {kind, who, path, body, key, eventId, reference} = request;
        if (key && !this.keys.some((known) => known.key === key))
            this.keys.push({who, path, body, key, status: answer.status, text: answer.text});
        if (kind === 'event') {
            const {id, name, capacity} = expect(answer, 201);
            this.events.set(id, {id, name, capacity});
        } else if (kind === 'cancel') {
            const booking = this.bookings.get(reference);
            const {status, quantity} = expect(answer, 200);
            booking.state = {status, quantity};
            booking.cancelling = undefined;
        } else if (answer.status === 409) {
            expect(answer, 409, 'sold_out');
        } else {
            const {reference: name, status, quantity} = expect(answer, [201, 202]);
            assert.equal(quantity, body.quantity);
            const known = this.bookings.get(name);
            if (known) assert.ok(key, `${name} was given to two requests`);
            else this.bookings.set(name, {reference: name, eventId, who, state: {status, quantity}});
        }
    }

    /** A key is sent again and must give its answer again. */
    async sendAgain({who, path, body, key, status, text}) {
        const answer = await who.post(path, body, {headers: {'Idempotency-Key': key}}).catch(() => undefined);
        if (!answer || answer.status === 503) return;
        assert.deepEqual([answer.status, answer.text, isReplayed(answer)], [status, text, true], `the key ${key} sent again`);
        this.counts.replayed++;
    }

    // ---- looking ----

    /** Everything touched since the last time, on a server that has just started and with nobody else there. */
    async verify(organizer, next) {
        await this.#settleEvents(organizer);
        await inTurns([...this.touched], LOOKS_AT_ONCE, (id) => this.#verifyEvent(organizer, id));
        this.touched.clear();
        const from = Math.max(0, this.keys.length - 4 * KEYS_LOOKED_AT);
        const keys = this.keys.filter((_, index) => index >= from || next() < 0.02).sort(() => next() - 0.5).slice(0, KEYS_LOOKED_AT);
        await inTurns(keys, LOOKS_AT_ONCE, (key) => this.sendAgain(key));
    }

    async #settleEvents(organizer) {
        const {data} = await organizer.walk(`/v1/events?organizer=${organizer.id}`, 100);
        const names = new Map();
        for (const {id, name} of data) {
            assert.ok(!names.has(name), `two events "${name}"`);
            names.set(name, id);
        }
        for (const {id, name} of this.events.values()) assert.equal(names.get(name), id, `the event "${name}" was acknowledged and is gone`);
        for (const request of this.unanswered.filter(({kind}) => kind === 'event')) {
            const was = names.get(request.body.name);
            if (was) this.counts.happened++;
            if (request.key) await this.#ask(request, was);
            else if (was) this.events.set(was, {id: was, name: request.body.name, capacity: request.body.capacity});
        }
        for (const {name} of data)
            assert.ok([...this.events.values()].some((event) => event.name === name) || this.#wasAskedFor(name), `nobody asked for "${name}"`);
        this.unanswered = this.unanswered.filter(({kind}) => kind !== 'event');
    }

    #wasAskedFor(name) {
        return this.unanswered.some(({kind, body}) => kind === 'event' && body.name === name);
    }

    /** An unanswered request is sent again with its key: `was` says whether its effect is there already. */
    async #ask(request, was) {
        const answer = await request.who.post(request.path, request.body, {headers: {'Idempotency-Key': request.key}});
        assert.equal(isReplayed(answer), Boolean(was), `the key ${request.key}: its effect is ${was ? '' : 'not '}there, its answer is ${isReplayed(answer) ? '' : 'not '}`);
        this.settle(request, answer);
        return answer;
    }

    async #rows(organizer, eventId) {
        const {data} = await organizer.walk(`/v1/events/${eventId}/bookings`, 100);
        const rows = new Map(data.map((row) => [row.reference, row]));
        assert.equal(rows.size, data.length, `event ${eventId}: a booking is listed twice`);
        return rows;
    }

    async #verifyEvent(organizer, eventId) {
        let rows = await this.#rows(organizer, eventId);
        const mine = () => [...this.bookings.values()].filter((booking) => booking.eventId === eventId);
        for (const booking of mine()) this.#verifyBooking(booking, rows.get(booking.reference));
        const waiting = this.unanswered.filter((request) => request.eventId === eventId);
        this.unanswered = this.unanswered.filter((request) => request.eventId !== eventId);
        await this.#settleBookings(waiting, [...rows.values()].filter((row) => !this.bookings.has(row.reference)));

        // Whoever was asked again with his key may have booked only now, and cancelled.
        for (const booking of mine().filter(({cancelling}) => cancelling)) await this.#settleCancelling(booking);
        rows = await this.#rows(organizer, eventId);
        assert.deepEqual([...rows.keys()].sort(), mine().map(({reference}) => reference).sort(), `event ${eventId}: its bookings`);
        for (const booking of mine()) this.#verifyBooking(booking, rows.get(booking.reference));
        await this.#verifyCounters(organizer, eventId, [...rows.values()]);
    }

    #verifyBooking(booking, row) {
        const {reference, state, cancelling} = booking;
        assert.ok(row, `booking ${reference} was acknowledged and is gone`);
        assert.equal(row.user_id, booking.who.id);
        const allowed = [...later(state), ...(cancelling ? afterCancelling(state, cancelling.body?.quantity) : [])];
        assert.ok(looksLike(row, allowed), `booking ${reference} is ${shown([row])}, and should be ${shown(allowed)}`);
        assert.equal(row.tickets.length, row.status === 'confirmed' ? row.quantity : 0, `the tickets of ${reference}`);
        if (!cancelling) booking.state = {status: row.status, quantity: row.quantity};
        else booking.found = {status: row.status, quantity: row.quantity};
    }

    /** Which of two states it is in says whether the cancelling happened; with a key, the key must agree. */
    async #settleCancelling(booking) {
        const {state, cancelling, found} = booking;
        const happened = !looksLike(found, later(state));
        if (happened) this.counts.happened++;
        booking.state = found;
        if (cancelling.key) await this.#ask(cancelling, happened);
        booking.cancelling = undefined;
    }

    /** Rows that no answer named belong to unanswered requests, one to each at most. */
    async #settleBookings(waiting, rows) {
        const left = new Map(rows.map((row) => [row.reference, row]));
        for (const request of waiting.filter(({key}) => key)) {
            // Sent twice: the other one was answered, or has been settled here.
            const known = this.keys.find(({key}) => key === request.key);
            if (known) {
                await this.sendAgain(known);
                continue;
            }
            const answer = await request.who.post(request.path, request.body, {headers: {'Idempotency-Key': request.key}});
            const reference = answer.status < 300 ? answer.body.reference : undefined;
            // A refusal leaves no row, whether it was made before or now.
            if (reference) assert.equal(isReplayed(answer), left.has(reference), `the key ${request.key}: booked twice, or its answer is lost`);
            if (isReplayed(answer)) this.counts.happened++;
            if (reference) left.delete(reference);
            this.settle(request, answer);
        }
        const plain = waiting.filter(({key}) => !key);
        for (const row of left.values()) {
            const at = plain.findIndex(({who, body}) => who.id === row.user_id && body.quantity === row.quantity);
            assert.ok(at >= 0, `booking ${row.reference} is there, and nobody asked for it, or once too often`);
            const [{who, eventId}] = plain.splice(at, 1);
            this.counts.happened++;
            this.bookings.set(row.reference, {reference: row.reference, eventId, who, state: {status: row.status, quantity: row.quantity}});
        }
    }

    async #verifyCounters(organizer, eventId, rows) {
        const status = expect(await organizer.get(`/v1/events/${eventId}/status`), 200);
        const confirmed = rows.filter((row) => row.status === 'confirmed');
        const numbers = confirmed.flatMap((row) => row.tickets.map(({number}) => number));
        assert.equal(new Set(numbers).size, numbers.length, `event ${eventId}: a number was given twice`);
        const {capacity} = this.events.get(eventId);
        assert.deepEqual([status.booked, status.held, status.available, status.waiting],
            [numbers.length, 0, capacity - numbers.length, rows.filter((row) => row.status === 'waiting').length], `the counters of event ${eventId}`);
    }
}
