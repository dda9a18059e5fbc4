// SPDX-License-Identifier: Apache-2.0
// People who book while the database fails, and what must be there afterwards.
import assert from 'node:assert/strict';
import {expect} from './client.mjs';
import {statement} from './databases.mjs';
import {sleep, until} from './time.mjs';

/** A new database for admit on that server. */
export async function database(kind, server, name = 'outage') {
    await statement(kind, `CREATE DATABASE ${name}`, server.url);
    const url = new URL(server.url);
    url.pathname = `/${name}`;
    return url.href;
}

/** People who book until they are told to stop: each booking with a key, sent again while the answer is 503. */
export class Load {
    constructor(server, people, event) {
        Object.assign(this, {server, event, booked: [], stopping: false});
        this.done = Promise.all(people.map((who, index) => this.#book(who, index)));
    }

    async #book(who, index) {
        for (let turn = 0; !this.stopping; turn++) {
            const headers = {'Idempotency-Key': `${this.event.id}-${index}-${turn}`};
            while (!(await this.#send(who, headers))) await sleep(20);
        }
    }

    /** Was it booked? Otherwise it was refused for the moment. */
    async #send(who, headers) {
        const answer = await who.post(`/v1/events/${this.event.id}/bookings`, {quantity: 1}, {headers});
        if (answer.status !== 503) {
            this.booked.push({who, reference: expect(answer, 201).reference});
            return true;
        }
        assert.equal(answer.headers['retry-after'], '1');
        return false;
    }

    /** Until somebody new is refused: all the others may wait to hear how their COMMIT ended. */
    async refused(who) {
        let turn = 0;
        await until('a 503', async () => !(await this.#send(who, {'Idempotency-Key': `${this.event.id}-refused-${this.booked.length}-${turn++}`})));
    }

    /** Until so many more have been booked. */
    more(count) {
        const wanted = this.booked.length + count;
        return until(`${count} more bookings`, () => this.booked.length >= wanted, 60);
    }

    async stop() {
        this.stopping = true;
        await this.done;
    }
}

/** What is there once it is not refused: each reader finds the database again by itself, up to a quarter second after it is back. */
function served(what, ask) {
    return until(what, () =>
        ask().catch((error) => {
            if (!error.message.startsWith('503 instead')) throw error;
        }),
    );
}

/** Each acknowledged booking is there, and nothing else is. */
export async function prove(server, organizer, event, booked) {
    assert.equal(new Set(booked.map(({reference}) => reference)).size, booked.length);
    const {data} = await served('the list', () => organizer.walk(`/v1/events/${event.id}/bookings`, 100));
    assert.deepEqual(data.map((booking) => booking.reference).sort(), booked.map(({reference}) => reference).sort());
    await until('the numbers to be shown', async () => {
        const {body} = await server.nobody.get(`/v1/events/${event.id}/status`);
        return body.booked === booked.length;
    });
}

/** What the log says of the outage is no reason to fail; stop() looks for errors. */
export async function stop(server) {
    server.logged = () => [];
    await server.stop();
}
