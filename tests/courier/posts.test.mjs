// SPDX-License-Identifier: Apache-2.0
// POSTs to servers of strangers, who may do what they like.
import assert from 'node:assert/strict';
import {readFile, rm} from 'node:fs/promises';
import {after, before, describe, it} from 'node:test';
import {gzipSync} from 'node:zlib';
import {Courier, certificate, rawServer, until, webServer} from './courier.mjs';

const answering = (status, headers = {}) => (request, response) => response.writeHead(status, headers).end();

/** Runs `tell` with a courier and a server, and ends both well. */
async function withBoth({args = [], answer = answering(204), speak, tls, env, stop = 0}, tell) {
    const server = speak ? await rawServer(speak) : await webServer(answer, tls);
    const courier = Courier.start(['--allow-private', ...args], env);
    try {
        await tell(courier, server);
        assert.equal(await courier.stop(stop), 0, courier.stderr);
    } finally {
        courier.child.kill('SIGKILL');
        await server.close();
    }
}

describe('a POST', () => {
    it('arrives as it was given', () => withBoth({}, async (courier, server) => {
        const report = await courier.send({
            url: `${server.url}/a/../b?c=d%20e`, body: '{"é":"\\u0000"}', headers: ['Content-Type: application/json', 'webhook-id: msg_1'],
        });
        assert.deepEqual(report, {id: 1, fate: 'delivered', answer: 204, error: '', retry_after_s: 0});
        const [{method, url, headers, body}] = server.requests;
        assert.deepEqual([method, url, body], ['POST', '/a/../b?c=d%20e', '{"é":"\\u0000"}']);
        assert.deepEqual(headers, {
            host: `127.0.0.1:${server.port}`, 'user-agent': 'admit/test', accept: '*/*', 'content-type': 'application/json',
            'webhook-id': 'msg_1', 'content-length': '15',
        });
    }));

    it('of a megabyte arrives, without a question before', () => withBoth({}, async (courier, server) => {
        const body = 'x'.repeat(900_000);
        assert.equal((await courier.send({url: server.url, body})).fate, 'delivered');
        assert.equal(server.requests[0].body, body);
        assert.equal(server.requests[0].headers.expect, undefined);
    }));

    it('takes no proxy from the environment', () => withBoth({env: {http_proxy: 'http://127.0.0.1:1', ALL_PROXY: 'http://127.0.0.1:1'}},
        async (courier, server) => {
            assert.equal((await courier.send({url: server.url})).fate, 'delivered');
        }));

    it('uses a connection again', () => withBoth({}, async (courier, server) => {
        for (let i = 0; i < 5; i++) assert.equal((await courier.send({url: server.url})).fate, 'delivered');
        assert.equal(server.connections, 1);
    }));

    for (const status of [400, 404, 410, 429, 500, 503])
        it(`fails by ${status}`, () => withBoth({answer: answering(status)}, async (courier, server) => {
            const report = await courier.send({url: server.url});
            assert.deepEqual([report.fate, report.answer, report.error], ['failed', status, `it answered ${status}`]);
        }));

    it('reports when to come again, within a day', async () => {
        const times = {'/30': 30, '/99999999': 86_400, '/soon': 0, '/-5': 0};
        const answer = (request, response) => response.writeHead(503, {'Retry-After': request.url.slice(1)}).end();
        await withBoth({answer}, async (courier, server) => {
            for (const [path, seconds] of Object.entries(times))
                assert.equal((await courier.send({url: server.url + path})).retry_after_s, seconds, path);
        });
    });

    for (const status of [301, 302, 303, 307, 308])
        it(`does not follow ${status}`, async () => {
            const elsewhere = await webServer(answering(200));
            await withBoth({answer: answering(status, {Location: elsewhere.url})}, async (courier, server) => {
                const report = await courier.send({url: server.url});
                assert.deepEqual([report.fate, report.answer], ['failed', status]);
                assert.match(report.error, /redirects are not followed/);
            });
            assert.equal(elsewhere.connections, 0);
            await elsewhere.close();
        });
});

describe('a server that', () => {
    const failing = (title, speak, error, args = ['--http-try', '500']) =>
        it(title, () => withBoth({speak, args}, async (courier, server) => {
            const report = await courier.send({url: server.url});
            assert.deepEqual([report.fate, report.answer], ['failed', 0]);
            assert.match(report.error, error);
            assert.match(report.error, /^[ -~]{1,255}$/);
        }));

    failing('never answers is left after a while', () => {}, /did not answer within/);
    failing('hangs up is failed', (socket) => socket.end(), /Empty reply/i);
    failing('resets the connection is failed', (socket) => socket.once('data', () => socket.resetAndDestroy()), /reset|recv failure/i);
    failing('speaks another protocol is failed', (socket) => socket.write('SSH-2.0-OpenSSH_9.2\r\n\x1b[2J\r\n'), /HTTP\/0\.9/i);
    failing('dribbles its header is left after a while', (socket) => {
        const timer = setInterval(() => socket.write('x'), 50);
        socket.on('close', () => clearInterval(timer));
    }, /./);
    /** Writes the text again and again, for as long as somebody reads it. */
    const without = (end, text) => (socket) => {
        const more = (error) => error || socket.write(text, more);
        socket.once('data', () => socket.write(end, more));
    };
    failing('says "continue" without end is cut off', without('', 'HTTP/1.1 100 Continue\r\n\r\n'.repeat(100)), /header without end/, []);
    for (const [what, text] of [['headers', 'x: y\r\n'.repeat(1000)], ['one header', 'x'.repeat(10_000)]])
        it(`sends ${what} without end is cut off`, () => withBoth({speak: without('HTTP/1.1 500 x\r\nx: ', text)}, async (courier, server) => {
            const report = await courier.send({url: server.url});
            assert.deepEqual([report.fate, report.answer], ['failed', 500]);
            await until('it is left', () => server.sockets.size === 0);
        }));

    const memory = async (courier) => Number(/VmHWM:\s+(\d+)/.exec(await readFile(`/proc/${courier.child.pid}/status`, 'utf8'))[1]);

    it('sends gigabytes is cut off, and costs no memory', async () => {
        const chunk = Buffer.alloc(1 << 20);
        let sent = 0, cut = 0;
        const answer = (request, response) => {
            response.writeHead(200);
            response.on('close', () => cut++);
            const more = () => {
                while (!response.destroyed && response.write(chunk)) sent += chunk.length;
                sent += chunk.length;
                response.once('drain', more);
            };
            more();
        };
        await withBoth({answer}, async (courier, server) => {
            assert.equal((await courier.send({url: server.url})).fate, 'delivered'); // it said 200 before
            const before = await memory(courier);
            for (let i = 0; i < 20; i++) assert.equal((await courier.send({url: server.url})).fate, 'delivered');
            await until('all are cut off', () => cut === 21);
            assert.ok(sent / 21 < 32 << 20, `${sent} bytes were sent`); // what buffers of the system take
            if (!process.env.TEST_SLOW || process.env.TEST_SLOW === '1')
                assert.ok(await memory(courier) - before < 4096, `${before} kB before, ${await memory(courier)} kB after`);
        });
    });

    it('sends a bomb does not see it unpacked', () => withBoth({
        answer: (request, response) => response.writeHead(200, {'Content-Encoding': 'gzip'}).end(gzipSync(Buffer.alloc(50 << 20))),
    }, async (courier, server) => {
        assert.equal((await courier.send({url: server.url})).fate, 'delivered');
        assert.equal(server.requests[0].headers['accept-encoding'], undefined);
        assert.ok(process.env.TEST_SLOW > 1 || await memory(courier) < 40 << 10);
    }));

    it('says 200 and never ends has taken it', () => withBoth({
        args: ['--http-try', '500'],
        answer: (request, response) => response.writeHead(200).write('a'),
    }, async (courier, server) => {
        assert.equal((await courier.send({url: server.url})).fate, 'delivered');
    }));

    it('is not there is failed', async () => {
        const server = await rawServer(() => {});
        await server.close();
        await withBoth({}, async (courier) => {
            const report = await courier.send({url: server.url});
            assert.deepEqual([report.fate, report.answer], ['failed', 0]);
            assert.match(report.error, /connect/i);
        });
    });
});

describe('TLS', () => {
    let good, other, tls;
    before(async () => {
        [good, other] = [await certificate(), await certificate('DNS:other.example.org')];
        tls = {key: await readFile(good.key), cert: await readFile(good.cert)};
    });
    after(() => Promise.all([good, other].map(({directory}) => rm(directory, {recursive: true}))));

    it('is used, and the certificate looked at', () => withBoth({tls, args: ['--ca', good.cert]}, async (courier, server) => {
        assert.equal((await courier.send({url: server.url})).fate, 'delivered');
    }));
    it('refuses whom no authority knows', () => withBoth({tls}, async (courier, server) => {
        const report = await courier.send({url: server.url});
        assert.equal(report.fate, 'failed');
        assert.match(report.error, /certificate/);
        assert.equal(server.requests.length, 0);
    }));
    it('refuses who is somebody else', async () => {
        const wrong = {key: await readFile(other.key), cert: await readFile(other.cert)};
        await withBoth({tls: wrong, args: ['--ca', other.cert]}, async (courier, server) => {
            const report = await courier.send({url: server.url});
            assert.equal(report.fate, 'failed');
            assert.match(report.error, /127\.0\.0\.1|subject name/);
            assert.equal(server.requests.length, 0);
        });
    });
    it('wants TLS 1.2', () => withBoth({
        tls: {...tls, minVersion: 'TLSv1', maxVersion: 'TLSv1.1', ciphers: 'DEFAULT@SECLEVEL=0'}, args: ['--ca', good.cert],
    }, async (courier, server) => {
        assert.equal((await courier.send({url: server.url})).fate, 'failed');
        assert.equal(server.requests.length, 0);
    }));
});

describe('a private address', () => {
    let cert, server;
    before(async () => {
        cert = await certificate();
        server = await webServer(answering(200), {key: await readFile(cert.key), cert: await readFile(cert.cert)});
    });
    after(async () => {
        await server.close();
        await rm(cert.directory, {recursive: true});
    });
    const names = (addresses) => ['--ca', cert.cert, '--name', `hook.example.org=${addresses}`];
    const reach = async (args, url) => {
        const courier = Courier.start(args);
        const report = await courier.send({url: url ?? `https://hook.example.org:${server.port}/`});
        assert.equal(await courier.stop(), 0, courier.stderr);
        return report;
    };

    // It is the name that leads there in all of these: the one that is allowed shows that it does.
    it('is reached where that is allowed', async () => {
        assert.equal((await reach([...names('127.0.0.1'), '--allow-private'])).fate, 'delivered');
        assert.equal(server.connections, 1);
    });
    for (const address of ['127.0.0.1', '127.8.8.8', '0.0.0.0', '::1', '::ffff:127.0.0.1', '::', '10.0.0.1', '169.254.169.254', 'fe80::1', '64:ff9b::127.0.0.1'])
        it(`is not reached by a name that leads to ${address}`, async () => {
            const before = server.connections;
            const report = await reach(names(address));
            assert.deepEqual([report.fate, report.error], ['failed', 'its name leads to no public address']);
            assert.equal(server.connections, before);
        });
    it('is not told from a name that nobody has', async () => {
        const report = await reach(['--name', 'hook.example.org=nobody.invalid.']);
        assert.deepEqual([report.fate, report.error], ['failed', 'its name leads to no public address']);
    });
    it('is not reached when the name leads there only the second time', async () => {
        const before = server.connections;
        // 203.0.113.0/24 is nobody's, so it is not reached either; what counts is that no answer is remembered as good.
        const courier = Courier.start([...names('203.0.113.1,127.0.0.1')]);
        for (let i = 0; i < 3; i++)
            assert.equal((await courier.send({url: `https://hook.example.org:${server.port}/`})).fate, 'failed');
        assert.equal(await courier.stop(), 0);
        assert.equal(server.connections, before);
    });
    for (const host of ['127.0.0.1', '[::1]', '[::ffff:127.0.0.1]', '2130706433', '0x7f.1', 'localhost'])
        it(`is refused when it is written as ${host}`, async () => {
            const before = server.connections;
            const report = await reach(['--ca', cert.cert], `https://${host}:${server.port}/`);
            assert.equal(report.fate, 'refused');
            assert.match(report.error, /private host/);
            assert.equal(server.connections, before);
        });
    it('and so is http://', async () => {
        const report = await reach([], 'http://example.org/');
        assert.equal(report.fate, 'refused');
        assert.match(report.error, /https:/);
    });
});

describe('many parcels', () => {
    /** A server that holds its answers until it is told. */
    function holding() {
        const held = [];
        return {held, answer: (request, response) => held.push(response)};
    }

    it('of one receiver go a few at a time, and those of others past them', async () => {
        const {held, answer} = holding();
        const other = await webServer(answering(200));
        await withBoth({answer, args: ['--each-most', '2', '--most', '8']}, async (courier, server) => {
            const slow = Array.from({length: 20}, () => courier.begin({url: server.url, receiver: 7}));
            await until('two are under way', () => held.length === 2);
            for (let i = 0; i < 10; i++) assert.equal((await courier.send({url: other.url, receiver: 8})).fate, 'delivered');
            assert.equal(held.length, 2);
            assert.deepEqual((await courier.busy()).busy, [7]);
            for (let i = 0; i < 20; i++) {
                await until('the next', () => held.length > i);
                held[i].end();
            }
            for (const id of slow) assert.equal((await courier.report(id)).fate, 'delivered');
            assert.deepEqual((await courier.busy()).busy, []);
        });
        await other.close();
    });

    it('are not taken when there are too many', async () => {
        const {held, answer} = holding();
        await withBoth({answer, args: ['--each-most', '1', '--depth', '3']}, async (courier, server) => {
            courier.begin({url: server.url});
            await until('one is under way', () => held.length === 1);
            for (let i = 0; i < 3; i++) courier.begin({url: server.url});
            assert.equal((await courier.busy()).room, 0);
            assert.equal((await courier.send({url: server.url})).fate, 'not taken');
        });
    });

    it('come back untried when their time is over', async () => {
        const {held, answer} = holding();
        await withBoth({answer, args: ['--each-most', '1']}, async (courier, server) => {
            const first = courier.begin({url: server.url});
            await until('one is under way', () => held.length === 1);
            const late = courier.begin({url: server.url, begin_by_ms: 100});
            assert.equal((await courier.report(late)).fate, 'untried');
            held[0].end();
            assert.equal((await courier.report(first)).fate, 'delivered');
            assert.equal(server.requests.length, 1);
        });
    });

    it('come back when it is stopped', async () => {
        const {held, answer} = holding();
        await withBoth({answer, args: ['--each-most', '2']}, async (courier, server) => {
            const ids = Array.from({length: 5}, () => courier.begin({url: server.url}));
            await until('two are under way', () => held.length === 2);
            held[0].end();
            await courier.report(ids[0]);
            await until('two are under way again', () => held.length === 3);
            courier.stop(100);
            await courier.ended;
            const fates = ids.map((id) => courier.reports.get(id).fate);
            assert.deepEqual(fates.sort(), ['delivered', 'failed', 'failed', 'untried', 'untried']);
            assert.match(courier.reports.get(ids[1]).error, /stopped/);
        });
    });

    it('have time to arrive when it is stopped', async () => {
        const {held, answer} = holding();
        await withBoth({answer}, async (courier, server) => {
            const id = courier.begin({url: server.url});
            await until('it is under way', () => held.length === 1);
            courier.stop(60_000);
            held[0].end();
            assert.equal(await courier.ended, 0);
            assert.equal(courier.reports.get(id).fate, 'delivered');
        });
    });
});
