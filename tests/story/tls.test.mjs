// SPDX-License-Identifier: Apache-2.0
// TLS by admit itself, and certificates that are renewed while it runs.
import assert from 'node:assert/strict';
import {mkdir, readFile, rename, rm, symlink, unlink, writeFile} from 'node:fs/promises';
import {join} from 'node:path';
import {after, before, describe, it} from 'node:test';
import tls from 'node:tls';
import {newDirectory, run, runWell, start} from './lib/admit.mjs';
import {slow, until} from './lib/time.mjs';

/** A connection, and what goes over it. */
class Client {
    static connect(port, options = {}) {
        return new Promise((resolve, reject) => {
            const client = new Client();
            client.socket = tls.connect({host: '127.0.0.1', port, rejectUnauthorized: false, ...options}, () => resolve(client));
            client.socket.setTimeout(10_000 * slow, () => client.socket.destroy(new Error('no answer')));
            client.socket.once('error', reject);
        });
    }

    get name() {
        return this.socket.getPeerCertificate().subject.CN;
    }

    async ask(path = '/healthz') {
        const answer = new Promise((resolve, reject) => {
            this.socket.once('data', (part) => resolve(part.toString('latin1')));
            this.socket.once('close', () => reject(new Error('closed')));
        });
        this.socket.write(`GET ${path} HTTP/1.1\r\nHost: localhost\r\n\r\n`);
        return Number((await answer).match(/^HTTP\/1.1 (\d+)/)[1]);
    }

    end() {
        this.socket.destroy();
    }
}

describe('certificates', () => {
    let directory, server;
    const make = (name, file) => runWell(['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2',
        '-subj', `/CN=${name}`, '-keyout', join(directory, `archive/${file}.key`), '-out', join(directory, `archive/${file}.crt`)], {program: 'openssl'});
    // As certbot does: live/ holds links into archive/, and is switched over by them.
    const use = async (file) => {
        for (const kind of ['crt', 'key']) {
            const link = join(directory, `live/admit.${kind}`);
            await symlink(`../archive/${file}.${kind}`, `${link}.new`);
            await rename(`${link}.new`, link);
        }
    };
    const hangUp = async (message) => {
        const seen = server.logged((line) => line.message === message).length;
        server.child.kill('SIGHUP');
        await until(message, () => server.logged((line) => line.message === message).length > seen);
    };

    before(async () => {
        directory = await newDirectory();
        await mkdir(join(directory, 'live'));
        await mkdir(join(directory, 'archive'));
        await mkdir(join(directory, 'data'));
        await make('first.example.org', 'first');
        await use('first');
        const env = {TLS_CERT: join(directory, 'live/admit.crt'), TLS_KEY: join(directory, 'live/admit.key')};
        server = await start({directory: join(directory, 'data'), env});
    });
    after(async () => {
        await server?.finish();
        await rm(directory, {recursive: true});
    });

    it('are read again on SIGHUP, and no connection is dropped', async () => {
        const before = await Client.connect(server.port);
        assert.equal(before.name, 'first.example.org');
        assert.equal(await before.ask(), 200);
        await make('second.example.org', 'second');
        await use('second');
        await hangUp('certificate reloaded');
        const after = await Client.connect(server.port);
        assert.equal(after.name, 'second.example.org');
        assert.deepEqual([await before.ask(), await after.ask()], [200, 200]);
        before.end();
        after.end();
    });

    it('stay in use when the new ones are broken, and the log says why', async () => {
        const good = await readFile(join(directory, 'archive/second.crt'));
        await writeFile(join(directory, 'archive/second.crt'), 'half a certif');
        const message = 'the certificate was not reloaded, the old one stays in use';
        await hangUp(message);
        const index = server.log.findIndex((line) => line.message === message);
        const [line] = server.log.splice(index, 1); // stop() wants none
        assert.equal(line.level, 'error');
        assert.match(line.reason, /TLS_CERT.*is not a certificate chain/);
        const client = await Client.connect(server.port);
        assert.equal(client.name, 'second.example.org');
        assert.equal(await client.ask(), 200);
        client.end();

        await unlink(join(directory, 'archive/second.crt'));
        await hangUp(message);
        const [again] = server.log.splice(server.log.findIndex((each) => each.message === message), 1);
        assert.match(again.reason, /TLS_CERT: cannot read/);
        await writeFile(join(directory, 'archive/second.crt'), good);
        await hangUp('certificate reloaded');
    });

    it('come with TLS 1.2 and 1.3 only, and with ciphers of today', async () => {
        const openssl = async (...args) => {
            const {stdout, stderr} = await run(['s_client', '-connect', `127.0.0.1:${server.port}`, ...args], {program: 'openssl'});
            return stdout + stderr;
        };
        assert.match(await openssl('-tls1_3'), /Cipher is TLS_/);
        assert.match(await openssl('-tls1_2'), /Cipher is ECDHE-ECDSA-(AES|CHACHA)/);
        assert.match(await openssl('-tls1_1', '-cipher', 'ALL:@SECLEVEL=0'), /Cipher is \(NONE\)/);
        assert.match(await openssl('-tls1_2', '-cipher', 'ECDHE-ECDSA-AES256-SHA:@SECLEVEL=0'), /Cipher is \(NONE\)/);
    });
});
