// SPDX-License-Identifier: Apache-2.0
// Listens: an answer of server-sent events (WHATWG HTML, section 9.2), read as browsers read it.
import assert from 'node:assert/strict';
import http from 'node:http';
import https from 'node:https';
import {checkIs} from './spec.mjs';
import {until} from './time.mjs';

/**
 * Opens it and resolves when the head is there. `id` is the last that was seen; `schema` is what each state
 * has to be. What came stands in `events` ({id, state}); `ended` is 'well', 'broken', or undefined.
 */
export class Stream {
    static open(server, path, {token, id, schema, agent = false, ...more} = {}) {
        const headers = {...(token && {Authorization: `Bearer ${token}`}), ...(id && {'Last-Event-ID': id})};
        const {request} = server.url.startsWith('https:') ? https : http;
        const stream = new Stream();
        stream.schema = schema;
        return new Promise((resolve, reject) => {
            stream.request = request(new URL(path, server.url), {agent, headers, ...more}, (response) => {
                Object.assign(stream, {status: response.statusCode, headers: response.headers});
                response.setEncoding('utf8');
                response.on('data', (part) => stream.#take(part));
                response.on('end', () => (stream.ended ??= 'well'));
                response.on('error', () => (stream.ended ??= 'broken'));
                resolve(stream);
            });
            stream.request.once('error', reject);
            stream.request.end();
        });
    }

    events = [];
    comments = 0;
    #rest = '';

    #take(part) {
        const blocks = (this.#rest + part).split('\n\n');
        this.#rest = blocks.pop();
        for (const block of blocks) {
            const fields = block.split('\n').map((line) => [line.slice(0, line.indexOf(':')), line.slice(line.indexOf(':') + 1).trim()]);
            const {id, data, retry} = Object.fromEntries(fields);
            if (fields.some(([name]) => name === '')) this.comments++;
            if (retry) this.retry = Number(retry);
            if (data !== undefined) this.events.push({id, state: JSON.parse(data)});
            if (data !== undefined && this.schema) checkIs(this.schema, this.events.at(-1).state);
        }
    }

    get state() {
        return this.events.at(-1)?.state;
    }

    /** Waits until the newest state is as wanted, and gives it. */
    async until(what, test, seconds) {
        await until(what, () => {
            assert.equal(this.ended, undefined, `${what}: the stream ended ${this.ended}`);
            return this.state && test(this.state);
        }, seconds);
        return this.state;
    }

    async end() {
        await until('the stream to end', () => this.ended);
        return this.ended;
    }

    close() {
        this.ended ??= 'by us';
        this.request.destroy();
    }
}
