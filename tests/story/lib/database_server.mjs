// SPDX-License-Identifier: Apache-2.0
// A database server of a test's own, which may be killed and started again; and a proxy before it that
// cuts connections at the worst moment.
import assert from 'node:assert/strict';
import {spawn} from 'node:child_process';
import {mkdtemp, rm} from 'node:fs/promises';
import net from 'node:net';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {createInterface} from 'node:readline';
import {ROOT} from './admit.mjs';
import {until} from './time.mjs';

/** What is on disk when it is answered, as in production. */
const durable = {
    postgres: ['fsync=on', 'synchronous_commit=on'],
    mariadb: ['innodb-flush-log-at-trx-commit=1', 'innodb-flush-method=fsync', 'innodb-doublewrite=ON'],
};

durable.galera = durable.mariadb;

/** `kind` is that of tests/servers; with `directory` one that is there. `node` is one of a cluster, from 1. */
export async function startDatabase(kind, {settings = [], directory} = {}) {
    directory ??= await mkdtemp(join(tmpdir(), `admit-${kind}-`));
    const child = spawn(join(ROOT, 'tests/servers/run'), [kind, directory, ...durable[kind], ...settings], {stdio: ['pipe', 'pipe', 'inherit']});
    process.once('exit', () => child.kill('SIGTERM'));
    const lines = createInterface({input: child.stdout})[Symbol.asyncIterator]();
    const answer = async (order) => {
        if (order) child.stdin.write(`${order}\n`);
        const {value, done} = await lines.next();
        assert.ok(!done, 'the server ended');
        return value;
    };
    const url = await answer();
    return {
        url,
        directory,
        kill: (node = '') => answer(`kill ${node}`),
        start: (node = '') => answer(`start ${node}`),
        pause: (node = '') => answer(`pause ${node}`),
        resume: (node = '') => answer(`resume ${node}`),
        async end({keep = false} = {}) {
            const ended = new Promise((resolve) => child.on('close', resolve));
            child.stdin.end();
            await ended;
            if (!keep) await rm(directory, {recursive: true});
        },
    };
}

/**
 * How a connection that writes shows itself, and its COMMIT. With TLS there is its length alone, and now and then a
 * reader's is taken for it: what is asserted holds all the same.
 */
const signs = {
    postgres: {writer: /FOR (NO KEY )?UPDATE/, commit: /COMMIT/},
    mariadb: {writer: /READ COMMITTED/, commit: /\x03COMMIT/},
    'mariadb-tls': {writer: /^/, commit: /^\x17\x03\x03\0\x1c[^]{28}$/},
};

/**
 * Stands before the server of `url`. cut('before') drops the next connection that sends COMMIT, and the
 * COMMIT with it; cut('after') lets the server have it and drops what it answers. cut('late') keeps it for
 * release() and lets nobody in again. All resolve when it has happened. swallow() lets nothing through any
 * more and ends no connection, as a network does that lost its way; heal() lets new ones through: of the old
 * ones neither end hears that the other has given up.
 */
export async function startProxy(kind, url) {
    const {hostname, port} = new URL(url);
    const connections = new Set();
    let wanted = null, late, release, isSilent = false;
    const silent = new Set(); // what goes through these goes nowhere, even when the network is back
    const server = net.createServer((client) => {
        const upstream = net.connect(Number(port), hostname);
        const drop = () => (client.destroy(), upstream.destroy(), connections.delete(drop), silent.delete(drop));
        const end = () => silent.has(drop) || drop(); // what one end does the other one does not hear then
        let isWriter = false, cutting = null;
        connections.add(drop);
        if (isSilent) silent.add(drop);
        for (const socket of [client, upstream]) {
            socket.setNoDelay(true);
            socket.on('error', end);
            socket.on('close', end);
        }
        client.on('data', (chunk) => {
            if (silent.has(drop)) return;
            const text = chunk.toString('latin1');
            isWriter ||= signs[kind].writer.test(text);
            if (wanted && isWriter && signs[kind].commit.test(text)) {
                cutting = wanted;
                wanted = null;
                if (cutting.when === 'late') {
                    late = new Promise((resolve) => upstream.on('close', resolve));
                    release = () => upstream.write(chunk);
                    server.close();
                    client.removeListener('close', end);
                    client.destroy();
                    cutting.resolve();
                    return;
                }
                if (cutting.when === 'before') {
                    drop();
                    cutting.resolve();
                    return;
                }
            }
            upstream.write(chunk);
        });
        upstream.on('data', (chunk) => {
            if (silent.has(drop)) return;
            if (!cutting) {
                client.write(chunk);
                return;
            }
            drop(); // the server has done it, and nobody hears of it
            cutting.resolve();
        });
    });
    await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
    const through = new URL(url);
    through.port = String(server.address().port);
    return {
        url: through.href,
        async cut(when) {
            let isDone = false;
            wanted = {when, resolve: () => (isDone = true)};
            await until('a COMMIT to be cut', () => isDone);
        },
        async release() {
            release();
            await late;
        },
        swallow() {
            isSilent = true;
            connections.forEach((drop) => silent.add(drop));
        },
        heal: () => (isSilent = false),
        dropAll: () => connections.forEach((drop) => drop()),
        end() {
            connections.forEach((drop) => drop());
            return new Promise((resolve) => server.close(resolve));
        },
    };
}
