// SPDX-License-Identifier: Apache-2.0
// Bytes that two programs could read in two ways, and what gets from a request into answers, logs and
// limits. (OWASP API8.) More of it is in http.test.mjs and tests/unit/http/test_framing.c.
import assert from 'node:assert/strict';
import {readFile} from 'node:fs/promises';
import {join} from 'node:path';
import {after, before, describe, it} from 'node:test';
import {start} from '../lib/admit.mjs';
import {expect} from '../lib/client.mjs';
import {exchange} from '../lib/raw.mjs';
import {mediaType} from '../lib/spec.mjs';
import {until} from '../lib/time.mjs';

describe('a request that could be read in two ways', () => {
    let server, organizer, event;
    before(async () => {
        server = await start({store: 'memory'});
        organizer = await server.person();
        event = await organizer.createEvent({name: 'Two ways', capacity: 50});
    });
    after(() => server?.finish());

    const json = '{"quantity":1}';
    const hex = json.length.toString(16);
    const head = () => `POST /v1/events/${event.id}/bookings HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${organizer.token}\r\n` +
        'Content-Type: application/json\r\n';
    const hidden = () => `${head()}Content-Length: ${json.length}\r\n\r\n${json}`;
    const chunked = (body) => `${head()}Transfer-Encoding: chunked\r\n\r\n${body}`;
    const kinds = {
        'both lengths': () => `${head()}Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n${hidden()}`,
        'both lengths, the other way round': () => `${head()}Transfer-Encoding: chunked\r\nContent-Length: ${json.length}\r\n\r\n${json}${hidden()}`,
        'two lengths that differ': () => `${head()}Content-Length: ${json.length}\r\nContent-Length: 0\r\n\r\n${json}`,
        'two lengths that agree': () => `${head()}Content-Length: ${json.length}\r\nContent-Length: ${json.length}\r\n\r\n${json}`,
        'a list of lengths': () => `${head()}Content-Length: ${json.length}, ${json.length}\r\n\r\n${json}`,
        'a length with a sign': () => `${head()}Content-Length: +${json.length}\r\n\r\n${json}`,
        'a length in hexadecimal': () => `${head()}Content-Length: 0x${hex}\r\n\r\n${json}`,
        'a length that ends in NUL': () => `${head()}Content-Length: ${json.length}\0\r\n\r\n${json}`,
        'an encoding twice': () => `${head()}Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n`,
        'another encoding': () => `${head()}Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n`,
        'an encoding behind a tab': () => `${head()}Transfer-Encoding:\tchunked\r\n\r\n${hex}\r\n${json}\r\n0\r\n\r\n`,
        'an encoding behind a vertical tab': () => `${head()}Transfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n`,
        'an encoding in the old version': () => `${head().replace('HTTP/1.1', 'HTTP/1.0')}Transfer-Encoding: chunked\r\n\r\n${hex}\r\n${json}\r\n0\r\n\r\n`,
        'a space before the colon': () => `${head()}Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n`,
        'a folded line': () => `${head()}X-Folded: a\r\n b\r\nContent-Length: ${json.length}\r\n\r\n${json}`,
        'a folded length': () => `${head()}Content-Length:\r\n ${json.length}\r\n\r\n${json}`,
        'a folded encoding': () => `${head()}Transfer-Encoding:\r\n chunked\r\n\r\n${hex}\r\n${json}\r\n0\r\n\r\n`,
        'a first line that is folded': () => head().replace('Host', ' Host'),
        'a bare LF in the head': () => `${head()}X-A: b\nContent-Length: ${json.length}\r\n\r\n${json}`,
        'bare LFs everywhere': () => hidden().replaceAll('\r\n', '\n'),
        'a bare CR in the head': () => `${head()}X-A: b\rContent-Length: ${json.length}\r\n\r\n${json}`,
        'a bare CR before the end': () => `${head()}Content-Length: ${json.length}\r\r\n\r\n${json}`,
        'NUL in a header': () => `${head()}X-A: b\0c\r\nContent-Length: ${json.length}\r\n\r\n${json}`,
        'an escape in a header': () => `${head()}X-A: \x1b[31m\r\nContent-Length: ${json.length}\r\n\r\n${json}`,
        'a header without a name': () => `${head()}: b\r\nContent-Length: ${json.length}\r\n\r\n${json}`,
        'a header without a colon': () => `${head()}Content-Length ${json.length}\r\n\r\n${json}`,
        'two hosts': () => `${head()}Host: y\r\nContent-Length: ${json.length}\r\n\r\n${json}`,
        'no host': () => hidden().replace('Host: x\r\n', ''),
        'a chunk with a prefix': () => chunked(`0x${hex}\r\n${json}\r\n0\r\n\r\n`),
        'a chunk with a sign': () => chunked(`+${hex}\r\n${json}\r\n0\r\n\r\n`),
        'a chunk with a negative size': () => chunked(`-1\r\n${json}\r\n0\r\n\r\n`),
        'a chunk with a space before its size': () => chunked(` ${hex}\r\n${json}\r\n0\r\n\r\n`),
        'a chunk with a word behind its size': () => chunked(`${hex} x\r\n${json}\r\n0\r\n\r\n`),
        'a chunk that overflows': () => chunked(`1000000000000000${hex}\r\n${json}\r\n0\r\n\r\n`),
        'a chunk whose size ends in LF': () => chunked(`${hex}\n${json}\r\n0\r\n\r\n`),
        'a chunk without an end': () => chunked(`${hex}\r\n${json}0\r\n\r\n`),
        'a chunk that is longer than it says': () => chunked(`${hex}\r\n${json}xx\r\n0\r\n\r\n`),
        'an empty line before a chunk': () => chunked(`\r\n${hex}\r\n${json}\r\n0\r\n\r\n`),
        'a last chunk that ends in LF': () => chunked(`${hex}\r\n${json}\r\n0\n\n`),
        'a trailer that would be a header': () => chunked(`${hex}\r\n${json}\r\n0\r\nX-Forwarded-For: 192.0.2.7\r\n\r\n`),
        'two spaces in the first line': () => hidden().replace('POST /', 'POST  /'),
        'a tab in the first line': () => hidden().replace('POST /', 'POST\t/'),
        'a version with two digits': () => hidden().replace('HTTP/1.1', 'HTTP/1.11'),
        'NUL in the first line': () => hidden().replace(' HTTP', '\0 HTTP'),
    };

    for (const [title, make] of Object.entries(kinds))
        it(`is refused for good: ${title}`, async () => {
            const status = `/v1/events/${event.id}/status`;
            const was = expect(await server.nobody.get(status), 200);
            // What stands behind it on the connection must not be taken for a request.
            const answers = await exchange(server, Buffer.from(make() + hidden(), 'latin1'), 2);
            assert.equal(answers.length, 1, JSON.stringify(answers.map((answer) => answer.status)));
            assert.ok([400, 413, 501].includes(answers[0].status), answers[0].text);
            assert.equal(answers[0].headers.connection, 'close');
            assert.equal(mediaType(answers[0]), 'application/problem+json');
            assert.deepEqual(expect(await server.nobody.get(status), 200), was, 'nothing was booked');
        });

    it('those that are read in one way are served', async () => {
        const three = json.slice(0, 3);
        const rest = json.slice(3);
        const answers = await exchange(server, hidden() + chunked(`3\r\n${three}\r\n0${rest.length.toString(16).toUpperCase()}\r\n${rest}\r\n000\r\n\r\n`) +
            `${head()}X-Empty:\r\nX-Latin: caf\u00e9\r\ncontent-length:  ${json.length} \r\n\r\n${json}`, 3);
        assert.deepEqual(answers.map((answer) => answer.status), [201, 201, 201]);
    });
});

describe('paths', () => {
    let server, organizer;
    before(async () => {
        server = await start({store: 'memory'});
        organizer = await server.person();
        await organizer.createEvent({name: 'Path', capacity: 5});
    });
    after(() => server?.finish());
    const target = async (text, method = 'GET') => (await exchange(server, Buffer.from(`${method} ${text} HTTP/1.1\r\nHost: x\r\n\r\n`, 'latin1')))[0];

    it('have one spelling: what a proxy guards cannot be reached by another', async () => {
        const spellings = ['//x/metrics', '//metrics', '///metrics', '//x@y:80/metrics', '/./metrics', '/x/../metrics', '/metrics/', '/metrics/.', '/metrics;a', '/metrics;/',
            '/%6detrics', '/metrics%20', '/metrics%00', '/metrics%2f', '/%2e/metrics', '/x/%2e%2e/metrics', '/..;/metrics', '/METRICS', '/metrics#x', '/\\metrics', '/metrics\\',
            '/%c0%ae%c0%ae/metrics', '/metri\u00e7s', '/v1/..%2fmetrics', '/v1%2fevents', '//x/v1/events', '/v1//events', '/docs/..', '/docs/../healthz', '/docs/%2e%2e/healthz',
            '/docs/..%2f..%2fetc%2fpasswd', '/docs/%00', '/docs//etc/passwd'];
        for (const spelling of spellings) {
            const answer = await target(spelling);
            assert.ok([400, 404].includes(answer.status), `${spelling}: ${answer.status} ${answer.text.slice(0, 100)}`);
        }
        assert.equal((await target('/metrics')).status, 200);
    });

    it('of other schemes are no targets, that of a proxy is (RFC 9112, section 3.2.2)', async () => {
        for (const text of ['file:///metrics', 'foo:/healthz', 'javascript:/healthz', 'healthz', '\\healthz', '?x', '*'])
            assert.equal((await target(text)).status, 400, text);
        for (const text of ['http://x/healthz', 'https://x:1/healthz']) assert.equal((await target(text)).status, 200, text);
        assert.equal((await target('http://x//healthz')).status, 404);
        assert.equal((await target('*', 'OPTIONS')).status, 404);
    });

    it('have ids that are plain numbers', async () => {
        assert.equal((await target('/v1/events/1')).status, 200);
        for (const id of ['01', '+1', '1.0', '1%00', '%31', '1e0', ' 1', '1%20', '-1', '0x1', '\u00b9', '18446744073709551617', '9223372036854775808', '1?', '1#'].filter((each) => !/[ ?]/.test(each))) {
            const {status} = await target(`/v1/events/${id}`);
            assert.ok(status === 404 || (id === '01' && status === 200), `${id}: ${status}`);
        }
    });
});

describe('what gets from a request into answers and logs', () => {
    let server, file;
    const lines = async () => (await readFile(file, 'utf8')).split('\n').slice(0, -1);
    const EVIL = 'x\r\nlevel=error message="broken in"\u2028\u0085\u001b[2J';

    for (const format of ['json', 'text'])
        describe(`a log of ${format}`, () => {
            before(async () => {
                server = await start({store: 'memory', env: {LOG_FILE: 'admit.log', LOG_LEVEL: 'debug', TRUST_PROXY: 'loopback', LOG_FORMAT: format}});
                file = join(server.directory, 'admit.log');
            });
            after(() => server?.finish());

            it('has one line for each request, whatever was sent', async () => {
                await until('the first line', async () => (await lines()).length > 0);
                const was = (await lines()).length;
                const sent = [
                    `/${encodeURIComponent(EVIL)}`, '/a%0d%0ab', '/"quoted"=\\', '/\u001b'.replace('\u001b', '%1b'), '/caf\u00e9\u00ff', '/%ff%fe',
                    '/={}', '/a"level="error',
                ];
                for (const [index, path] of sent.entries()) {
                    const headers = `X-Request-Id: line-${index}\r\nX-Forwarded-For: 192.0.2.1" level="error${index}\r\nUser-Agent: ${'%s%n'.repeat(5)}\r\n`;
                    const [answer] = await exchange(server, Buffer.from(`GET ${path} HTTP/1.1\r\nHost: x\r\n${headers}\r\n`, 'latin1'));
                    assert.equal(answer.status, 404, path);
                }
                await until('the lines', async () => (await lines()).length >= was + sent.length);
                const written = (await lines()).slice(was);
                assert.equal(written.length, sent.length, written.join('\n'));
                for (const [index, line] of written.entries()) {
                    // eslint-disable-next-line no-control-regex
                    assert.doesNotMatch(line, /[\u0000-\u001f\u007f-\u009f]/, line);
                    if (format === 'json') {
                        const fields = JSON.parse(line);
                        assert.deepEqual([fields.level, fields.message, fields.request, fields.status], ['info', 'request', `line-${index}`, 404]);
                        assert.equal(fields.path, index === 4 ? '/caf\ufffd\ufffd' : sent[index]);
                    } else {
                        assert.match(line, /^\S+ info {2}request method=GET path=/);
                        // Outside of quotes there is only what we wrote.
                        const bare = line.replace(/"(\\.|[^"\\])*"/g, '""');
                        assert.equal(bare.match(/ level=/g), null, line);
                        assert.equal(bare.match(/=/g).length, 8, line);
                    }
                }
            });

            it('answers have no header that a client made up', async () => {
                for (const path of ['/v1/events?limit=1&q=%0d%0aSet-Cookie:%20a=b', '/v1/events?q=a%0aX-A:%20b', '/%0d%0aX-A:b', '/v1/events?cursor=%0d%0aX-A:b']) {
                    const [answer] = await exchange(server, `GET ${path} HTTP/1.1\r\nHost: evil.example.org\r\nX-Request-Id: a%0d%0ab\r\nOrigin: https://evil.example.org\r\n\r\n`);
                    for (const name of Object.keys(answer.headers)) assert.ok(!['set-cookie', 'x-a', 'access-control-allow-origin'].includes(name), name);
                    assert.ok(!JSON.stringify(answer.headers).includes('evil'), 'nothing is made of the Host header');
                }
            });
        });
});

describe('pages of the Link header', () => {
    it('are percent-encoded, whatever was searched for', async () => {
        const server = await start({store: 'memory'});
        const person = await server.person();
        for (const _ of [1, 2, 3]) await person.createEvent({name: 'a b', capacity: 1});
        const answer = await server.nobody.get(`/v1/events?limit=1&q=${encodeURIComponent('a b')}&status=on_sale`);
        assert.match(answer.headers.link, /^<\/v1\/events\?[\w.~%=&-]+>; rel="next"$/);
        await server.finish();
    });
});

describe('behind a proxy', () => {
    let server;
    before(async () => (server = await start({store: 'memory', env: {RATE_LIMIT: '1/h:3', TRUST_PROXY: '127.0.0.1,192.0.2.50'}})));
    after(() => server?.finish());

    /** Statuses of four requests, the X-Forwarded-For lines of which `lines` gives. */
    async function four(lines) {
        const statuses = [];
        for (let i = 0; i < 4; i++) {
            const headers = lines(i).map((value) => `X-Forwarded-For: ${value}\r\n`).join('');
            statuses.push((await exchange(server, `GET /v1/events HTTP/1.1\r\nHost: x\r\n${headers}\r\n`))[0].status);
        }
        return statuses;
    }
    const LIMITED = [200, 200, 200, 429];
    const FREE = [200, 200, 200, 200];

    it('what the proxy added counts, in the same line or in one of its own', async () => {
        assert.deepEqual(await four((i) => [`203.0.113.${i}, 198.51.100.1`]), LIMITED);
        assert.deepEqual(await four((i) => [`203.0.113.${i}`, '198.51.100.2']), LIMITED);
        assert.deepEqual(await four((i) => [`203.0.113.${i}`, `203.0.114.${i}`, '198.51.100.3, 192.0.2.50']), LIMITED);
        assert.deepEqual(await four((i) => [`198.51.100.${10 + i}`]), FREE);
    });

    it('another port is no other client', async () => {
        assert.deepEqual(await four((i) => [`198.51.100.20:${4000 + i}`]), LIMITED);
        assert.deepEqual(await four((i) => [`[2001:db8:1::1]:${4000 + i}`]), LIMITED);
    });

    it('nor is another address of the same IPv6 network, or another spelling', async () => {
        assert.deepEqual(await four((i) => [`2001:db8:2:3:${i}::${i}`]), LIMITED);
        assert.deepEqual(await four((i) => [['2001:db8:4::1', '2001:DB8:4:0::1', '2001:0db8:0004::1', '2001:db8:4:0:0:0:0:1'][i]]), LIMITED);
        assert.deepEqual(await four((i) => [['198.51.100.30', '::ffff:198.51.100.30'][i % 2]]), LIMITED);
        assert.deepEqual(await four((i) => [`2001:db8:5:${i}::1`]), FREE);
    });

    it('what is no address is one client', async () => {
        assert.deepEqual(await four(() => ['unknown']), LIMITED);
        assert.deepEqual(await four((i) => [`${'x'.repeat(60)}${i}`]), LIMITED, 'the proxy\'s own');
    });

    it('the token of the figures cannot be guessed without end', async () => {
        const guess = (i) => server.nobody.get('/metrics', {token: `guess-${i}`, headers: {'X-Forwarded-For': '198.51.100.40'}});
        const statuses = [];
        for (let i = 0; i < 4; i++) statuses.push((await guess(i)).status);
        assert.deepEqual(statuses, [401, 401, 401, 429]);
        for (let i = 0; i < 5; i++) expect(await server.nobody.get('/metrics'), 200);
    });
});

describe('without a proxy', () => {
    it('the figures are for this machine, and whom a proxy speaks for is not this machine', async () => {
        const server = await start({store: 'memory'});
        expect(await server.nobody.get('/metrics'), 200);
        for (const [name, value] of [['X-Forwarded-For', '192.0.2.1'], ['X-Forwarded-For', '::1'], ['Forwarded', 'for=127.0.0.1'], ['X-Real-IP', '127.0.0.1'], ['Via', '1.1 proxy']])
            expect(await server.nobody.get('/metrics', {headers: {[name]: value}}), 401, 'unauthorized');
        await server.finish();
    });

    it('nothing that a client writes makes it another', async () => {
        const server = await start({store: 'memory', env: {RATE_LIMIT: '1/h:3'}});
        const statuses = [];
        for (let i = 0; i < 4; i++)
            statuses.push((await server.nobody.get('/v1/events', {headers: {
                'X-Forwarded-For': `192.0.2.${i}`, Forwarded: `for=192.0.2.${i}`, 'X-Real-IP': `192.0.2.${i}`, 'X-Client-IP': `192.0.2.${i}`, 'CF-Connecting-IP': `192.0.2.${i}`,
            }})).status);
        assert.deepEqual(statuses, [200, 200, 200, 429]);
        await server.finish();
    });
});

describe('pages of other sites', () => {
    const SHOP = 'https://shop.example.org';
    const EVIL = 'https://evil.example.org';

    for (const allowed of ['', '*', SHOP])
        it(`never get to use what a browser keeps (CORS_ORIGINS=${allowed})`, async () => {
            const server = await start({store: 'memory', env: {CORS_ORIGINS: allowed}});
            for (const origin of [SHOP, EVIL, 'null', '', '*', `${SHOP}, ${EVIL}`])
                for (const method of ['GET', 'POST', 'OPTIONS'])
                    for (const path of ['/v1/events', '/v1/me', '/v1/sessions', '/nowhere']) {
                        const {headers} = await server.nobody.call(method, path, {headers: {Origin: origin, 'Access-Control-Request-Method': 'POST'}, check: false});
                        const may = headers['access-control-allow-origin'];
                        assert.equal(headers['access-control-allow-credentials'], undefined);
                        assert.ok(may === undefined || may === '*' || may === SHOP, may);
                        assert.equal(may, allowed === '*' && origin !== '' ? '*' : allowed === SHOP && origin === SHOP ? SHOP : undefined, `${method} ${path} from ${origin}`);
                    }
            await server.finish();
        });

    it('get no answer that a cache kept for another one', async () => {
        const server = await start({store: 'memory', env: {CORS_ORIGINS: SHOP}});
        for (const headers of [{}, {Origin: SHOP}, {Origin: EVIL}])
            for (const path of ['/v1/events', '/docs', '/nowhere'])
                assert.match((await server.nobody.get(path, {headers})).headers.vary ?? '', /\bOrigin\b/, path);
        await server.finish();
    });

    it('cannot send what a form can send', async () => {
        const server = await start({store: 'memory'});
        const person = await server.person();
        for (const type of ['text/plain', 'application/x-www-form-urlencoded', 'multipart/form-data; boundary=x'])
            expect(await person.post('/v1/events', '{"name":"x","capacity":1}', {headers: {'Content-Type': type}}), 415);
        await server.finish();
    });

    it('cannot frame the documentation, and no page can add a script to it', async () => {
        const server = await start({store: 'memory'});
        for (const path of ['/docs', '/openapi.json']) {
            const {headers} = await server.nobody.get(path);
            const policy = Object.fromEntries(headers['content-security-policy'].split('; ').map((part) => [part.split(' ')[0], part.split(' ').slice(1).join(' ')]));
            assert.deepEqual([policy['default-src'], policy['script-src'], policy['connect-src'], policy['base-uri'], policy['form-action'], policy['frame-ancestors']],
                ["'none'", "'self'", "'self'", "'none'", "'none'", "'none'"]);
            for (const value of Object.values(policy)) assert.doesNotMatch(value, /unsafe-eval|\*|https?:/);
            assert.equal(headers['referrer-policy'], 'no-referrer');
        }
        await server.finish();
    });
});
