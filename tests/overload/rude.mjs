// SPDX-License-Identifier: Apache-2.0
// Clients that do not behave: for the tests, which count beside them, and for bench/overload.mjs, which measures. `server` is what
// has a port.
import {readFileSync} from 'node:fs';
import net from 'node:net';
import {connect} from '../story/lib/raw.mjs';
import {inTurns, slow} from '../story/lib/time.mjs';

const SPARE_DESCRIPTORS = 256; // of this process and of the server, for all else

const mostDescriptors = (pid) => Number(/^Max open files\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/limits`, 'utf8'))[1]);

/** `wanted` connections, or as many as this process and the server (`pid`) may have. */
export const asManyAs = (wanted, pid) => Math.min(wanted, Math.min(mostDescriptors('self'), mostDescriptors(pid)) - SPARE_DESCRIPTORS);

const quiet = (socket) => socket.on('error', () => {});

/** So many connections, a few hundred at a time. */
export const connectMany = (server, count) => inTurns(Array.from({length: count}), 200, async () => quiet(await connect(server)));

/** Sends the beginning of `bytes`, a byte every so often, and never gets to the end; stop() ends that. */
export async function trickle(server, count, bytes, everyMs) {
    const sockets = await connectMany(server, count);
    let at = 0;
    const byte = () => {
        for (const socket of sockets) if (socket.writable) socket.write(bytes[at % 60]);
        at++;
    };
    const timer = setInterval(byte, everyMs);
    byte();
    return {sockets, stop: () => clearInterval(timer)};
}

/** Ask for 2,000 large answers each, and read none. */
export async function neverRead(server, count) {
    const sockets = await connectMany(server, count);
    for (const socket of sockets) {
        socket.pause();
        socket.write('GET /docs/swagger-ui-bundle.js HTTP/1.1\r\nHost: x\r\n\r\n'.repeat(2000));
    }
    return sockets;
}

/** Asks, and is gone. */
export async function vanish(server, bytes) {
    const socket = quiet(await connect(server));
    socket.write(bytes, () => socket.destroy());
}

/** Asks, and closes its half of the connection; all that came before the server closed the other. */
export const closeHalf = (server, bytes) => new Promise((resolve, reject) => {
    const socket = net.connect({port: server.port, host: '127.0.0.1', allowHalfOpen: true}, () => socket.end(bytes));
    let seen = Buffer.alloc(0);
    socket.on('data', (part) => (seen = Buffer.concat([seen, part]))).on('error', reject);
    socket.on('end', () => resolve(seen));
    socket.setTimeout(20_000 * slow, () => socket.destroy(new Error('no end')));
});

/** Sends `bytes` (one request) many times before the first answer has come, and reads them all. */
export const pipeline = (server, bytes, times) => closeHalf(server, bytes.repeat(times));
