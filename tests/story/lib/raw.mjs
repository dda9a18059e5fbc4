// SPDX-License-Identifier: Apache-2.0
// Bytes on a socket, for what no decent client would send.
import net from 'node:net';
import {slow} from './time.mjs';

export function connect(server) {
    return new Promise((resolve, reject) => {
        const socket = net.connect(server.port, '127.0.0.1', () => {
            socket.off('error', reject);
            resolve(socket);
        });
        socket.once('error', reject);
    });
}

/** Sends it and resolves to the answers that came until the server closed, or `count` came. */
export async function exchange(server, bytes, count = 1) {
    const socket = await connect(server);
    return new Promise((resolve, reject) => {
        let seen = Buffer.alloc(0);
        const end = () => {
            socket.destroy();
            try {
                resolve(answersIn(seen));
            } catch (error) {
                reject(error);
            }
        };
        socket.setTimeout(10_000 * slow, () => {
            socket.destroy();
            reject(new Error(`no whole answer, only ${JSON.stringify(seen.toString())}`));
        });
        socket.on('data', (part) => {
            seen = Buffer.concat([seen, part]);
            try {
                if (answersIn(seen).length >= count) end();
            } catch {
                end();
            }
        });
        // A server that has enough may reset the connection after its answer.
        socket.on('error', end);
        socket.on('close', end);
        socket.write(bytes);
    });
}

/** Whole answers only; a rest is left out. */
export function answersIn(bytes) {
    const answers = [];
    let at = 0;
    for (;;) {
        const headEnd = bytes.indexOf('\r\n\r\n', at);
        if (headEnd < 0) return answers;
        const [line, ...lines] = bytes.subarray(at, headEnd).toString('latin1').split('\r\n');
        const status = Number(/^HTTP\/1\.[01] (\d{3})/.exec(line)?.[1]);
        if (!status) throw new Error(`not an answer: ${line}`);
        const headers = {};
        for (const text of lines) {
            const colon = text.indexOf(':');
            headers[text.slice(0, colon).toLowerCase()] = text.slice(colon + 1).trim();
        }
        const bodyAt = headEnd + 4;
        const bodyEnd = bodyAt + Number(headers['content-length'] ?? 0);
        if (bodyEnd > bytes.length) return answers;
        const text = bytes.subarray(bodyAt, bodyEnd).toString();
        if (status !== 100)
            answers.push({status, headers, text, body: /json/.test(headers['content-type']) ? JSON.parse(text) : undefined});
        at = bodyEnd;
    }
}
