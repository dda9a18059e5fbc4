// SPDX-License-Identifier: Apache-2.0
// The box office in JavaScript, written from the rules of the interface and sharing nothing with the
// program: a request goes in, what must be answered comes out. It is plain data, so that it can be
// copied and asked "what if".
//
// What the rules leave open (ids, references, which numbers) is taken from the answer; assertNumbers()
// says whether those can be.
import assert from 'node:assert/strict';
import {isDeepStrictEqual} from 'node:util';

const ACTIVE = ['waiting', 'confirmed'];
const refuse = (status, code) => ({status, code});
const sum = (items, of) => items.reduce((total, item) => total + of(item), 0);

export class Model {
    constructor() {
        this.events = new Map(); // by id
        this.bookings = new Map(); // by reference, in order of commit
        this.keys = new Map(); // "user key" -> {request, answer}
        this.step = 0; // the caller counts it up; what was booked in one step may be listed in any order
    }

    copy() {
        const {events, bookings, keys, step} = this;
        return Object.assign(new Model(), structuredClone({events, bookings, keys, step}));
    }

    /** Two models with the same key expect the same for ever: the order of bookings counts within a line, and for one person at one event. */
    get key() {
        const within = new Map();
        for (const {reference, order, ...booking} of this.bookings.values())
            for (const group of [`${booking.owner} at ${booking.event}`, ...(booking.status === 'waiting' ? [`line of ${booking.type}`] : [])])
                within.set(group, [...(within.get(group) ?? []), reference, booking]);
        return JSON.stringify([[...this.events], [...within].sort(([a], [b]) => (a < b ? -1 : 1)), [...this.keys].sort(([a], [b]) => (a < b ? -1 : 1))]);
    }

    // ---- looking things up ----

    #event(who, id) {
        const event = this.events.get(id);
        return event && (event.status !== 'draft' || event.organizer === who) ? event : undefined;
    }

    #booking(who, reference) {
        const booking = this.bookings.get(reference);
        return booking && (booking.owner === who || this.events.get(booking.event).organizer === who) ? booking : undefined;
    }

    of(test) {
        return [...this.bookings.values()].filter(test);
    }

    #line(type) {
        return this.of((booking) => booking.type === type.id && booking.status === 'waiting');
    }

    #booked(type) {
        return sum(this.of((booking) => booking.type === type.id && booking.status === 'confirmed'), ({quantity}) => quantity);
    }

    #counters(types) {
        const capacity = sum(types, (type) => type.capacity);
        const booked = sum(types, (type) => this.#booked(type));
        return {booked, held: 0, available: capacity - booked, waiting: sum(types, (type) => this.#line(type).length)};
    }

    // ---- what is shown ----

    #showBooking(booking) {
        const active = ACTIVE.includes(booking.status);
        const total = active ? booking.price * booking.quantity : 0;
        const shown = {
            reference: booking.reference, status: booking.status, quantity: booking.quantity, user_id: booking.owner,
            unit_price: booking.price, total,
            payment: {status: total === 0 && booking.paid === 0 ? 'not_required' : booking.paid >= total ? 'paid' : 'due', paid: booking.paid},
            tickets: booking.status === 'confirmed' ? booking.quantity : 0,
        };
        if (booking.status !== 'waiting') return shown;
        const before = this.#line({id: booking.type}).filter((other) => other.order < booking.order);
        return {...shown, position: before.length + 1, ahead: sum(before, ({quantity}) => quantity)};
    }

    /** As lists and cancelling show it: without the place in line. */
    #showShort(booking) {
        return {...this.#showBooking(booking), position: undefined, ahead: undefined};
    }

    #showNewestFirst(bookings) {
        return bookings.reverse().map((booking) => ({...this.#showShort(booking), step: booking.step}));
    }

    #showStatus(event) {
        return {
            event_id: event.id, status: event.status, ...this.#counters(event.types),
            ticket_types: event.types.map((type) => ({id: type.id, capacity: type.capacity, ...this.#counters([type])})),
        };
    }

    // ---- changing ----

    #journal(booking, from, to, quantity, by, reason) {
        booking.history.push({from, to, quantity, by, reason});
    }

    /** Rule 3: strictly from the head, as long as it fits. */
    #serve(type) {
        let served = 0;
        for (const booking of this.#line(type)) {
            if (booking.quantity > type.capacity - this.#booked(type)) break;
            booking.status = 'confirmed';
            this.#journal(booking, 'waiting', 'confirmed', booking.quantity, 'system', 'promoted');
            served++;
        }
        return served;
    }

    #giveBack(booking, quantity, by, reason) {
        this.#journal(booking, booking.status, 'cancelled', quantity, by, reason);
        booking.numbers = undefined;
        if (quantity < booking.quantity) booking.quantity -= quantity;
        else booking.status = 'cancelled';
    }

    /** Rules 1 and 2, and what a request must fit into. */
    #book(who, {event: id, type: typeId, quantity, join = true}, reference) {
        const event = this.#event(who, id);
        if (!event) return refuse(404, 'no_such_event');
        if (event.status !== 'on_sale') return refuse(409, 'not_on_sale');
        if (typeId === undefined && event.types.length > 1) return refuse(400, 'invalid');
        const type = typeId === undefined ? event.types[0] : event.types.find((each) => each.id === typeId);
        if (!type) return refuse(404, 'no_such_ticket_type');
        const has = sum(this.of((booking) => booking.event === id && booking.owner === who && ACTIVE.includes(booking.status)), (booking) => booking.quantity);
        if (quantity > (type.max_per_booking ?? Infinity) || quantity > type.capacity || has + quantity > (event.max_per_user ?? Infinity))
            return refuse(422, 'too_many');
        const fits = this.#line(type).length === 0 && quantity <= type.capacity - this.#booked(type);
        if (!fits && !join) return refuse(409, 'sold_out');
        const booking = {
            reference, owner: who, event: id, type: type.id, quantity, status: fits ? 'confirmed' : 'waiting', price: type.price, paid: 0, history: [],
            order: this.bookings.size, step: this.step,
        };
        this.#journal(booking, null, booking.status, quantity, 'owner', fits ? 'booked' : 'joined');
        this.bookings.set(reference, booking);
        event.everBooked = true;
        return {status: fits ? 201 : 202, booking};
    }

    #cancel(who, booking, quantity = booking?.quantity) {
        if (!booking) return refuse(404, 'no_such_booking');
        if (!ACTIVE.includes(booking.status)) return refuse(409, 'already_cancelled');
        if (quantity > booking.quantity) return refuse(422, 'too_many');
        const was = booking.status;
        this.#giveBack(booking, quantity, booking.owner === who ? 'owner' : 'manager', 'cancelled');
        const type = this.events.get(booking.event).types.find(({id}) => id === booking.type);
        return {status: 200, was, booking, served: this.#serve(type)};
    }

    /** The event, or the refusal for who does not manage it. */
    #managed(who, id) {
        const event = this.#event(who, id);
        if (!event) return {refusal: refuse(404, 'no_such_event')};
        return event.organizer === who ? {event} : {refusal: refuse(403, 'forbidden')};
    }

    // ---- one function for each kind of request: {status, code} or {status, body} ----

    requests = {
        create: (who, {types, status, max_per_user}, {body}) => {
            const kept = types.map((type, index) => ({...type, id: body?.ticket_types?.[index]?.id}));
            this.events.set(body?.id, {id: body?.id, organizer: who, status, max_per_user, types: kept, everBooked: false});
            return {status: 201, body: {organizer_id: who, status, ...this.#counters(kept)}};
        },
        book: (who, wanted, {body}) => {
            const result = this.#book(who, wanted, body?.reference);
            return result.booking ? {status: result.status, body: this.#showBooking(result.booking)} : result;
        },
        classicBook: (who, wanted, {body}) => {
            const result = this.#book(who, wanted, body?.bookingId);
            if (!result.booking) return result;
            const {position, tickets} = this.#showBooking(result.booking);
            return {status: result.status, body: position ? {position} : {ticketNumbers: tickets}};
        },
        cancel: (who, {booking: reference, quantity}) => {
            const result = this.#cancel(who, this.#booking(who, reference), quantity);
            return result.booking ? {status: 200, body: this.#showShort(result.booking)} : result;
        },
        classicCancel: (who, {event: id}) => {
            if (!this.#event(who, id)) return refuse(404, 'no_such_event');
            const mine = this.of((booking) => booking.event === id && booking.owner === who);
            const newest = mine.filter(({status}) => status === 'confirmed').at(-1) ?? mine.filter(({status}) => status === 'waiting').at(-1);
            if (!newest) return refuse(404, 'nothing_to_cancel');
            const {was, served} = this.#cancel(who, newest);
            const message = was === 'waiting' ? 'Removed from the waiting list'
                : served ? 'Booking canceled, ticket assigned to another user on the waiting list' : 'Booking canceled, ticket now available to other users';
            return {status: 200, body: {message}};
        },
        pay: (who, {booking: reference, amount}) => {
            const booking = this.#booking(who, reference);
            if (!booking) return refuse(404, 'no_such_booking');
            if (this.events.get(booking.event).organizer !== who) return refuse(403, 'forbidden');
            if (!ACTIVE.includes(booking.status)) return refuse(409, 'already_cancelled');
            if (booking.paid + amount > booking.price * booking.quantity) return refuse(409, 'overpaid');
            booking.paid += amount;
            return {status: 201, body: {booking: reference, amount, payment: this.#showBooking(booking).payment}};
        },
        resize: (who, {event: id, type: typeId, capacity}) => {
            const {event, refusal} = this.#managed(who, id);
            if (refusal) return refusal;
            if (event.status === 'cancelled') return refuse(409, 'event_cancelled');
            const type = event.types.find((each) => each.id === typeId);
            if (!type) return refuse(404, 'no_such_ticket_type');
            if (capacity < this.#booked(type)) return refuse(409, 'capacity_below_booked');
            type.capacity = capacity;
            this.#serve(type);
            return {status: 200, body: {status: event.status, ...this.#counters(event.types)}};
        },
        setStatus: (who, {event: id, status}) => {
            const {event, refusal} = this.#managed(who, id);
            if (refusal) return refusal;
            if (event.status === 'cancelled') return refuse(409, 'event_cancelled');
            if (event.everBooked && status === 'draft') return refuse(400, 'invalid');
            event.status = status;
            return {status: 200, body: {status, ...this.#counters(event.types)}};
        },
        remove: (who, {event: id}) => {
            const {event, refusal} = this.#managed(who, id);
            if (refusal) return refusal;
            if (!event.everBooked) return this.events.delete(id), {status: 204};
            if (event.status === 'cancelled') return refuse(409, 'event_cancelled');
            event.status = 'cancelled';
            for (const booking of this.of((each) => each.event === id && ACTIVE.includes(each.status)))
                this.#giveBack(booking, booking.quantity, booking.owner === who ? 'owner' : 'manager', 'event_cancelled');
            return {status: 200, body: {status: 'cancelled', ...this.#counters(event.types)}};
        },
        show: (who, {booking: reference}) => {
            const booking = this.#booking(who, reference);
            return booking ? {status: 200, body: this.#showBooking(booking)} : refuse(404, 'no_such_booking');
        },
        history: (who, {booking: reference}) => {
            const booking = this.#booking(who, reference);
            return booking ? {status: 200, body: {data: booking.history}} : refuse(404, 'no_such_booking');
        },
        status: (who, {event: id}) => {
            const event = this.#event(who, id);
            return event ? {status: 200, body: this.#showStatus(event)} : refuse(404, 'no_such_event');
        },
        mine: (who, {event: id}) => {
            const mine = this.of((booking) => booking.owner === who && booking.event === id);
            return {status: 200, body: {data: this.#showNewestFirst(mine)}};
        },
        guests: (who, {event: id}) => {
            const {event, refusal} = this.#managed(who, id);
            if (refusal) return refusal;
            return {status: 200, body: {data: this.#showNewestFirst(this.of((booking) => booking.event === event.id))}};
        },
    };

    /** What must be answered to the request; `answer` is what was, for what only the server knows. */
    expected(kind, who, wanted, answer) {
        const {key, ...request} = wanted;
        const slot = key === undefined ? undefined : `${who} ${key}`;
        const stored = this.keys.get(slot);
        if (stored) return isDeepStrictEqual(stored.request, {kind, ...request}) ? {...stored.answer, replayed: true} : refuse(422, 'idempotency_key_reused');
        const expected = this.requests[kind](who, request, answer);
        if (slot !== undefined) this.keys.set(slot, {request: {kind, ...request}, answer: structuredClone(expected)});
        return expected;
    }

    /** The numbers that a booking was seen with must be nobody else's, and those that it had. */
    assertNumbers(seen) {
        for (const {reference, numbers} of seen) {
            const booking = this.bookings.get(reference);
            if (!booking || booking.status !== 'confirmed' || numbers.length !== booking.quantity) continue;
            if (booking.numbers) assert.deepEqual(numbers, booking.numbers, `the numbers of ${reference} changed`);
            booking.numbers = numbers;
            assert.equal(new Set(numbers).size, numbers.length, 'a number twice in a booking');
            for (const other of this.of((each) => each.event === booking.event && each !== booking && each.status === 'confirmed' && each.numbers))
                for (const number of numbers) assert.ok(!other.numbers.includes(number), `number ${number} is that of ${reference} and of ${other.reference}`);
        }
    }
}
