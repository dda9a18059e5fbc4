// SPDX-License-Identifier: Apache-2.0
// Many people at once book, cancel and look, and what they ask and are told is written down with the
// times: of the call before it is sent, of the answer after it is whole. So the true moment lies within.
import assert from 'node:assert/strict';

/** Numbers from 0 to below 1, the same again for the same seed (mulberry32). */
export function random(seed) {
    let state = seed >>> 0;
    return () => {
        state = (state + 0x6d2b79f5) >>> 0;
        let t = Math.imul(state ^ (state >>> 15), state | 1);
        t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
        return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
    };
}

/** What a booking says of itself, as the checker wants it. */
function said({status, reference, position, ahead, tickets = []}) {
    return {status, reference, position, ahead, numbers: status === 'confirmed' ? tickets.map(({number}) => number) : undefined};
}

const asks = {
    book: (who, {event, type, quantity, join}) =>
        who.post(`/v1/events/${event.id}/bookings`, {quantity, ticket_type_id: type.id, join_waiting_list: join}, {check: false}),
    cancel: (who, {reference}) => who.delete(`/v1/bookings/${reference}`, undefined, {check: false}),
    show: (who, {reference}) => who.get(`/v1/bookings/${reference}`, {check: false}),
    count: (who, {event}) => who.get(`/v1/events/${event.id}/status`, {check: false}),
};

const REFUSALS = ['sold_out', 'already_cancelled'];

/** The answer for the checker; undefined where nobody knows what became of it (503). */
function answerOf(kind, {status, body, text}) {
    if (status === 503) return undefined;
    if (status === 409 && REFUSALS.includes(body.code)) return {refused: body.code};
    assert.ok(status < 300, `${kind}: ${status} ${text}`);
    return kind === 'count' ? body : said(body);
}

const now = () => Number(process.hrtime.bigint()) / 1e6;

/**
 * `people` do `count` things with the event, all of them at once; gives {event, operations}. At most `active` bookings are
 * there at a time, more or less, so that there is always somebody in line and always somebody who leaves.
 */
export async function record(event, people, count, next) {
    const operations = [];
    const known = []; // {who, reference, type}, not yet seen cancelled
    let left = count;
    const any = (items) => items[Math.floor(next() * items.length)];

    function choose(who) {
        const dice = next();
        if (known.length === 0 || dice < 0.4 - known.length / 120) {
            const type = any(event.ticket_types);
            return {kind: 'book', who, type, quantity: 1 + Math.floor(next() * Math.min(3, type.capacity)), join: next() < 0.85};
        }
        if (dice < 0.65) return {kind: 'cancel', ...any(known)};
        return dice < 0.8 ? {kind: 'show', ...any(known)} : {kind: 'count', who};
    }

    async function ask({who, ...operation}) {
        operation.began = now();
        const answer = await asks[operation.kind](who, {event, ...operation});
        operation.ended = now();
        operation.answer = answerOf(operation.kind, answer);
        if (operation.answer === undefined) operation.ended = Infinity;
        operations.push(operation);
        const {reference} = operation.answer ?? {};
        if (operation.kind === 'book' && reference) known.push({who, reference, type: operation.type});
        if (operation.kind === 'cancel') {
            const at = known.findIndex((booking) => booking.reference === operation.reference);
            if (at >= 0) known.splice(at, 1);
        }
    }

    await Promise.all(people.map(async (who) => {
        while (left-- > 0) await ask(choose(who));
    }));
    return {event, operations};
}

/**
 * The histories of an event's ticket types: [{title, capacity, operations}]. Bookings are read from the store and counts from
 * memory, where they come a moment after the commit: two clocks, and so two histories of each type.
 */
export function histories({event, operations}) {
    return event.ticket_types.flatMap((type) => {
        const changes = operations.filter((operation) => operation.type?.id === type.id && operation.kind !== 'show');
        const shows = operations.filter((operation) => operation.type?.id === type.id && operation.kind === 'show');
        const counts = operations.filter(({kind}) => kind === 'count').map((operation) =>
            ({...operation, answer: operation.answer?.ticket_types.find(({id}) => id === type.id)}));
        return [['bookings', shows], ['counts', counts]].map(([what, reads]) =>
            ({title: `${what} of type ${type.id}`, capacity: type.capacity, operations: [...changes, ...reads]}));
    });
}
