// SPDX-License-Identifier: Apache-2.0
// admit under load: started as anybody would, on a file, durable, without rate limits.
import {readFileSync, readdirSync} from 'node:fs';
import http from 'node:http';
import net from 'node:net';
import {setTimeout as sleep} from 'node:timers/promises';
import {start, stop} from './children.mjs';
import {surroundings} from './database.mjs';
import {ADMIT, USER_HZ} from './place.mjs';
import {SECRET, tokenOf} from './tokens.mjs';

const READY_S = 60;

export function freePort() {
    return new Promise((resolve, reject) => {
        const server = net.createServer().once('error', reject);
        server.listen(0, '127.0.0.1', () => {
            const {port} = server.address();
            server.close(() => resolve(port));
        });
    });
}

/** {status, body}; `body` is parsed where it is JSON. */
export function request(port, method, path, {userId, body, headers: more} = {}) {
    const text = body === undefined ? undefined : JSON.stringify(body);
    const headers = {
        ...(userId && {Authorization: `Bearer ${tokenOf(userId)}`}),
        ...(text && {'Content-Type': 'application/json', 'Content-Length': Buffer.byteLength(text)}),
        ...more,
    };
    return new Promise((resolve, reject) => {
        const asked = http.request({host: '127.0.0.1', port, method, path, headers, agent: false}, (response) => {
            let all = '';
            response.setEncoding('utf8').on('data', (part) => (all += part)).on('error', reject);
            response.on('end', () => {
                let parsed = all;
                try {
                    parsed = JSON.parse(all);
                } catch { /* a text */ }
                resolve({status: response.statusCode, body: parsed});
            });
        });
        asked.once('error', reject).end(text);
    });
}

/** Asks until it answers 200; the child must not end before. */
export async function waitUntilReady(child, port, path) {
    const end = Date.now() + READY_S * 1000;
    for (;;) {
        if (child.exitCode !== null || child.signalCode !== null)
            throw new Error(`it ended with ${child.exitCode ?? child.signalCode}: ${child.log}`);
        const answer = await request(port, 'GET', path).catch(() => null);
        if (answer?.status === 200) return;
        if (Date.now() > end) throw new Error(`not ready after ${READY_S} s: ${child.log}`);
        await sleep(2);
    }
}

/** Kilobytes now and at most, of /proc. */
function memoryOf(pid) {
    const text = readFileSync(`/proc/${pid}/status`, 'utf8');
    const kib = (name) => Number(text.match(new RegExp(`^${name}:\\s+(\\d+) kB`, 'm'))?.[1] ?? 0);
    return {now_mib: kib('VmRSS') / 1024, most_mib: kib('VmHWM') / 1024};
}

/** Seconds of processor time, of all threads. */
function processorOf(pid) {
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').replace(/^.*\) /, '').split(' ');
    return (Number(fields[11]) + Number(fields[12])) / USER_HZ
}

/** `database` as in database.mjs. */
export async function startAdmit(database, directory) {
    const port = await freePort();
    const env = {
        ...surroundings(database).env, HOME: directory, LANG: 'C.UTF-8', PORT: String(port), JWT_SECRET: SECRET, RATE_LIMIT: 'off', LOG_FORMAT: 'json',
        WEBHOOK_ALLOW_PRIVATE: 'on',
    };
    for (const name of ['HTTP_LOOPS', 'LANES', 'READERS', 'HASHERS', 'QUEUE_DEPTH'])
        if (process.env[name]) env[name] = process.env[name]; // to try others
    const child = start(ADMIT, ['serve'], {env, cwd: directory});
    await Promise.race([waitUntilReady(child, port, '/readyz'), child.failed]);
    return {
        port,
        pid: child.pid,
        memory: () => memoryOf(child.pid),
        processor: () => processorOf(child.pid),
        descriptors: () => readdirSync(`/proc/${child.pid}/fd`).length,
        /** What it had to complain about, if anything. */
        async stop() {
            const {code, signal} = await stop(child);
            if (code !== 0) throw new Error(`admit ended with ${code ?? signal}: ${child.log}`);
            return child.log.split('\n').filter((line) => /"level":"(error|warn)"/.test(line));
        },
    };
}
