// SPDX-License-Identifier: Apache-2.0
// A client of the HTTP interface: JSON in and out, connections kept open, every answer checked
// against the specification.
import assert from 'node:assert/strict';
import http from 'node:http';
import {checkAnswer} from './spec.mjs';
import {slow} from './time.mjs';

function parsed(text, type = '') {
    if (!/\bjson\b/.test(type) || text === '') return undefined;
    try {
        return JSON.parse(text);
    } catch (error) {
        assert.fail(`an answer that is not JSON: ${error.message}\n${text}`);
    }
}

/**
 * `body` is sent as JSON; a string or a Buffer as it is. `check: false` for answers that are looked at in
 * another way. Resolves to {status, headers, text, body}; of an answer without an end (stream.mjs) to what
 * its first event says.
 */
export function request(agent, base, method, path, {body, token, headers = {}, check = true, localAddress} = {}) {
    const isRaw = typeof body === 'string' || Buffer.isBuffer(body);
    const payload = body === undefined || isRaw ? body : JSON.stringify(body);
    const all = {...headers};
    if (token !== undefined) all.Authorization = `Bearer ${token}`;
    if (payload !== undefined) {
        if (!Object.keys(all).some((name) => name.toLowerCase() === 'content-type'))
            all['Content-Type'] = 'application/json';
        all['Content-Length'] = Buffer.byteLength(payload);
    }
    return new Promise((resolve, reject) => {
        // By host and port and not as an URL, which would tidy up the paths that ought to be refused.
        const {hostname, port} = new URL(base);
        const sent = http.request({agent, hostname, port, method, path, headers: all, localAddress});
        sent.setTimeout(30_000 * slow, () => sent.destroy(new Error(`${method} ${path}: no answer`)));
        sent.on('error', reject);
        sent.on('response', (response) => {
            const parts = [];
            const isStream = response.headers['content-type'] === 'text/event-stream';
            response.on('data', (part) => {
                parts.push(part);
                if (!isStream || !/^data: .*\n\n/m.test(Buffer.concat(parts).toString())) return;
                end();
                sent.destroy();
            });
            response.on('error', reject);
            response.on('end', end);
            function end() {
                try {
                    const text = Buffer.concat(parts).toString();
                    const answer = {status: response.statusCode, headers: response.headers, text};
                    answer.body = parsed(text, response.headers['content-type']);
                    if (check) checkAnswer(method, path, answer);
                    resolve(answer);
                } catch (error) {
                    reject(error);
                }
            }
        });
        sent.end(payload);
    });
}

/** Somebody who calls: with a token, or nobody in particular. */
export class Caller {
    constructor(server, token) {
        this.server = server;
        this.token = token;
    }

    call(method, path, options = {}) {
        return request(this.server.agent, this.server.url, method, path, {token: this.token, ...options});
    }

    get(path, options) {
        return this.call('GET', path, options);
    }

    post(path, body, options) {
        return this.call('POST', path, {body, ...options});
    }

    patch(path, body, options) {
        return this.call('PATCH', path, {body, ...options});
    }

    delete(path, body, options) {
        return this.call('DELETE', path, {body, ...options});
    }

    // ---- what stories say all the time; each wants success ----

    async createEvent(event) {
        return expect(await this.post('/v1/events', event), 201);
    }

    /** `body` may be a quantity. Confirmed or waiting, as it comes. */
    async book(eventId, body = 1) {
        const wanted = typeof body === 'number' ? {quantity: body} : body;
        return expect(await this.post(`/v1/events/${eventId}/bookings`, wanted), [201, 202]);
    }

    async booking(reference) {
        return expect(await this.get(`/v1/bookings/${reference}`), 200);
    }

    async cancel(reference, quantity) {
        if (quantity === undefined) return expect(await this.delete(`/v1/bookings/${reference}`), 200);
        return expect(await this.post(`/v1/bookings/${reference}/cancel`, {quantity}), 200);
    }

    /** All pages of a list, and how many there were. */
    async walk(path, limit) {
        const data = [];
        let pages = 0;
        let cursor = null;
        do {
            const query = `limit=${limit}${cursor === null ? '' : `&cursor=${encodeURIComponent(cursor)}`}`;
            const page = expect(await this.get(`${path}${path.includes('?') ? '&' : '?'}${query}`), 200);
            assert.ok(page.data.length <= limit, 'a page is longer than asked for');
            data.push(...page.data);
            cursor = page.next_cursor;
            assert.ok(++pages <= 1000, 'a list without an end');
        } while (cursor !== null);
        return {data, pages};
    }
}

/** The body of an answer that has the status (or one of them), and for errors the code. */
export function expect(answer, status, code) {
    const statuses = [status].flat();
    assert.ok(statuses.includes(answer.status), `${answer.status} instead of ${statuses.join(' or ')}: ${answer.text}`);
    if (code !== undefined) {
        const codes = [code].flat();
        assert.ok(codes.includes(answer.body?.code), `${answer.body?.code} instead of ${codes.join(' or ')}: ${answer.text}`);
    }
    return answer.body;
}

/** A 400 that names just these fields, in whatever order. */
export function expectInvalid(answer, ...pointers) {
    const body = expect(answer, 400, 'invalid');
    const named = [...new Set(body.errors.map((error) => error.pointer))];
    assert.deepEqual(named.sort(), [...pointers].sort(), answer.text);
    return body;
}

/** A 400 that names just this parameter of the query. */
export function expectBadQuery(answer, name) {
    const body = expect(answer, 400, 'invalid');
    assert.deepEqual(body.errors.map((error) => error.pointer.replace(/^[/?]/, '')), [name], answer.text);
}
