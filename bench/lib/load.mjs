// SPDX-License-Identifier: Apache-2.0
// The programs that ask: wrk (closed loop) and openloop (at a fixed rate), both with a file of requests; and
// listeners, which listens.
import {createWriteStream} from 'node:fs';
import {once} from 'node:events';
import path from 'node:path';
import {run, start} from './children.mjs';
import {BENCH} from './place.mjs';
import {tokenOf} from './tokens.mjs';

/** One request as a line of such a file; see lua/replay.lua. */
export function line(kind, method, where, userId, body) {
    return `${kind}\t${method}\t${where}\t${userId ? tokenOf(userId) : ''}\t${body === undefined ? '' : JSON.stringify(body)}\n`;
}

/** Writes lines, of which there may be many. */
export async function writeLines(file, lines) {
    const stream = createWriteStream(file, {mode: 0o600});
    let text = '';
    for (const each of lines) {
        text += each;
        if (text.length < 1 << 20) continue;
        if (!stream.write(text)) await once(stream, 'drain');
        text = '';
    }
    stream.end(text);
    await once(stream, 'close');
}

function result(program, {code, stdout, stderr}, pattern) {
    const found = stdout.match(pattern);
    if (code !== 0 || !found) throw new Error(`${program} ended with ${code}: ${stderr}\n${stdout}`);
    return JSON.parse(found[1]);
}

/** `given` is what lua/replay.lua takes: file, every, block, laps, from, once, keyed. */
export async function wrk(port, {connections, seconds, ...given}) {
    const args = Object.entries(given).filter(([, value]) => value !== undefined).map(([name, value]) => `${name}=${value}`);
    // The second line of `times` is what wrk used.
    const shell = 'ulimit -n "$(ulimit -H -n)"; wrk "$@"; code=$?; times; exit $code';
    const ended = await run('sh', ['-c', shell, 'wrk', '-t', '1', '-c', String(connections), '-d', `${seconds}s`, '--timeout', '20s',
        '-s', path.join(BENCH, 'lua/replay.lua'), `http://127.0.0.1:${port}`, '--', ...args], {detached: true});
    const figures = result('wrk', ended, /^RESULT (.*)$/m);
    const times = [...ended.stdout.trim().split('\n').at(-1).matchAll(/(\d+)m([\d.]+)s/g)];
    const client_cpu_s = times.reduce((sum, [, minutes, rest]) => sum + 60 * minutes + Number(rest), 0);
    return {...figures, connections, client_cpu_s, per_second: figures.answered / (figures.duration_us / 1e6)};
}

/**
 * wrk on several ports at once, each with its part of the connections. What one would have noted: sums, and of the latencies
 * the worse; `each` has them one by one.
 */
export async function wrkEach(ports, {connections, ...given}) {
    if (ports.length === 1) return wrk(ports[0], {connections, ...given});
    const part = Math.ceil(connections / ports.length);
    const each = await Promise.all(ports.map((port) => wrk(port, {connections: part, ...given})));
    const sum = (pick) => each.reduce((total, one) => total + pick(one), 0);
    const most = (field) => Math.max(...each.map((one) => one[field]));
    const sums = ['answered', 'bad', 'broken', 'connections', 'client_cpu_s', 'per_second'].map((field) => [field, sum((one) => one[field])]);
    const worse = ['duration_us', 'short', 'p50_us', 'p90_us', 'p99_us', 'p999_us', 'max_us'].map((field) => [field, most(field)]);
    const sent = Object.fromEntries(['r', 'b', 'c'].map((kind) => [kind, sum((one) => one.sent[kind])]));
    return {...Object.fromEntries([...sums, ...worse]), sent, each};
}

export async function openLoop(place, port, {connections, rate, seconds, file, every = 0, once: first = 0}) {
    const ended = await run(place.openloop, [port, connections, rate, seconds, file, every, first].map(String));
    const figures = result('openloop', ended, /^(\{.*\})$/m);
    return {...figures, connections, per_second: figures.answered / (figures.duration_us / 1e6)};
}

/** Many listeners to a stream; resolves when each has had its first state. `end()` gives what they saw. */
export async function startListeners(place, port, count, where) {
    const child = start(place.listeners, [port, count, where].map(String), {stdio: ['pipe', 'pipe', 'pipe']});
    let text = '';
    const ready = new Promise((resolve) => child.stdout.setEncoding('utf8').on('data', (part) => {
        text += part;
        if (text.startsWith('listening\n')) resolve();
    }));
    const tooSoon = child.ended.then(({code, signal}) => {
        throw new Error(`listeners ended with ${code ?? signal}: ${child.log}`);
    });
    tooSoon.catch(() => {});
    await Promise.race([ready, tooSoon, child.failed]);
    return {
        async end() {
            child.stdin.end();
            const {code} = await child.ended;
            return result('listeners', {code, stdout: text, stderr: child.log}, /^(\{.*\})$/m);
        },
    };
}
