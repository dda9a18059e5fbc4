// SPDX-License-Identifier: Apache-2.0
// Clients that book and cancel until the server is gone. What they ask for follows from the seed; when it is answered does not.
import {random} from '../../bench/lib/random.mjs';

const CAPACITIES = [5, 20, 60, 500];

const oneOf = (list, next) => list[Math.floor(next() * list.length)];

export class Load {
    /** `seed` names the keys too: they are never used again in another life of the database. */
    constructor({ledger, people, seed, clients}) {
        Object.assign(this, {ledger, people, seed, clients});
        this.serial = 0;
        this.isOver = false;
    }

    #key(next) {
        return next() < 0.5 ? `crash-${this.seed}-${++this.serial}` : undefined;
    }

    #makeEvent(who, next) {
        const body = {name: `Crash ${this.seed} ${++this.serial}`, capacity: oneOf(CAPACITIES, next)};
        return this.ledger.send({kind: 'event', who, path: '/v1/events', body, key: this.#key(next)});
    }

    #book(who, next) {
        const open = [...this.ledger.events.keys()].slice(-4);
        const eventId = oneOf(open, next);
        const body = {quantity: 1 + Math.floor(next() * 3), ...(next() < 0.2 && {join_waiting_list: false})};
        return {kind: 'book', who, path: `/v1/events/${eventId}/bookings`, body, key: this.#key(next), eventId};
    }

    #cancel(reference, next) {
        const {who, eventId, state} = this.ledger.bookings.get(reference);
        const body = state.quantity > 1 && next() < 0.4 ? {quantity: 1} : {};
        return this.ledger.send({kind: 'cancel', who, path: `/v1/bookings/${reference}/cancel`, body, key: this.#key(next), eventId, reference});
    }

    /** Until it gets no answer: then the server is gone, and nothing more is known of what it asked for. */
    async #client(number) {
        const next = random(this.seed * 1000 + number);
        const mine = [];
        while (!this.isOver) {
            const who = oneOf(this.people, next);
            const choice = next();
            if (choice < 0.03) {
                if (!await this.#makeEvent(this.people[0], next)) return;
            } else if (choice < 0.35 && mine.length > 0) {
                const [reference] = mine.splice(Math.floor(next() * mine.length), 1);
                if (!await this.#cancel(reference, next)) return;
                if (this.ledger.bookings.get(reference).state.status !== 'cancelled') mine.push(reference);
            } else if (choice < 0.4 && this.ledger.keys.length > 0) {
                await this.ledger.sendAgain(oneOf(this.ledger.keys, next));
            } else {
                const request = this.#book(who, next);
                // Some are sent twice at the same time: a finger that slipped.
                const times = request.key && next() < 0.2 ? 2 : 1;
                const answers = await Promise.all(Array.from({length: times}, () => this.ledger.send({...request})));
                const reference = answers.find((answer) => answer && answer.status < 300)?.body.reference;
                if (reference) mine.push(reference);
                if (answers.some((answer) => !answer)) return;
            }
        }
    }

    /** Runs until stop(), or until an answer is no good. */
    start() {
        this.done = Promise.all(Array.from({length: this.clients}, (_, number) => this.#client(number)));
        this.done.catch(() => {}); // stop() throws it
    }

    async stop() {
        this.isOver = true;
        await this.done;
    }
}
