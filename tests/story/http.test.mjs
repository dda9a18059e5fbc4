// SPDX-License-Identifier: Apache-2.0
// HTTP itself, and everything that a client may send but should not. Whatever comes: a clear answer,
// nothing changed, nothing lost, and the server goes on.
import assert from 'node:assert/strict';
import {after, before, describe, it} from 'node:test';
import {onEachStore, start} from './lib/admit.mjs';
import {expect, expectBadQuery, expectInvalid} from './lib/client.mjs';
import {connect, exchange} from './lib/raw.mjs';
import {mediaType} from './lib/spec.mjs';
import {sign, token as signToken} from './lib/token.mjs';
import {inDays, sleep, slow, until} from './lib/time.mjs';

const KIB = 1024;

onEachStore('HTTP', {}, (server, store) => {
    let organizer, visitor, event;
    before(async () => {
        [organizer, visitor] = await server().crowd(2);
        event = await organizer.createEvent({name: 'Steady', capacity: 10, price: 100, starts_at: inDays(9)});
        await visitor.book(event.id, 2);
    });
    const countOf = async (who) => (await who.walk(`/v1/events?organizer=${who.id}`, 100)).data.length;

    /** Nothing that `act` does may change what the event and its organizer have. */
    async function changesNothing(act) {
        const look = async () => [
            expect(await organizer.get(`/v1/events/${event.id}`), 200),
            await countOf(organizer),
            (await visitor.walk('/v1/bookings', 100)).data,
        ];
        const was = await look();
        await act();
        assert.deepEqual(await look(), was);
    }

    describe('every answer', () => {
        it('has the request id of the client, if it is a sane one', async () => {
            for (const id of ['abc-123_X.y', '0b9f7e52c1d84a36', 'x'.repeat(100)])
                for (const path of ['/healthz', '/v1/events', '/v1/me', '/nowhere'])
                    assert.equal((await server().nobody.get(path, {headers: {'X-Request-Id': id}})).headers['x-request-id'], id);
        });

        it('has a request id of its own otherwise, new each time', async () => {
            const seen = new Set();
            for (const id of [undefined, '', 'has space', '"quoted"', '<script>', 'a=b', 'x'.repeat(300), 'café']) {
                const answer = await server().nobody.get('/v1/me', {headers: id === undefined ? {} : {'X-Request-Id': id}});
                const own = answer.headers['x-request-id'];
                assert.match(own, /^[A-Za-z0-9._-]+$/);
                assert.notEqual(own, id);
                seen.add(own);
            }
            assert.equal(seen.size, 8);
        });

        it('is not to be kept by caches where it is about somebody', async () => {
            const answers = [
                await visitor.get('/v1/me'), await visitor.get('/v1/bookings'), await visitor.get(`/v1/events/${event.id}`),
                await server().nobody.get('/v1/me'), await visitor.get('/v1/me/export'),
            ];
            for (const {headers} of answers) assert.match(headers['cache-control'], /no-store|no-cache|private/);
        });
    });

    describe('methods', () => {
        it('HEAD answers as GET does, without the body', async () => {
            for (const path of ['/healthz', '/v1/events', `/v1/events/${event.id}`, `/status/${event.id}`, '/v1/me', '/openapi.json']) {
                const [get, head] = [await visitor.get(path), await visitor.call('HEAD', path)];
                assert.equal(head.status, get.status, path);
                assert.equal(head.text, '');
                for (const name of ['content-type', 'content-length', 'etag', 'cache-control'])
                    assert.equal(head.headers[name], get.headers[name], `${path}: ${name}`);
            }
            assert.equal((await server().nobody.call('HEAD', '/v1/me')).status, 401);
            assert.equal((await server().nobody.call('HEAD', '/nowhere')).status, 404);
        });

        it('a wrong one is answered 405 with those that would do', async () => {
            const allowed = async (method, path) => {
                const answer = await server().nobody.call(method, path);
                expect(answer, 405, method === 'HEAD' ? undefined : 'method_not_allowed');
                return answer.headers.allow.split(/, */).sort();
            };
            assert.deepEqual(await allowed('PUT', '/v1/events'), ['GET', 'HEAD', 'OPTIONS', 'POST']);
            assert.deepEqual(await allowed('GET', '/v1/sessions'), ['DELETE', 'OPTIONS', 'POST']);
            assert.deepEqual(await allowed('HEAD', '/v1/sessions'), ['DELETE', 'OPTIONS', 'POST']);
            assert.deepEqual(await allowed('DELETE', '/healthz'), ['GET', 'HEAD', 'OPTIONS']);
            assert.deepEqual(await allowed('GET', '/book'), ['OPTIONS', 'POST']);
        });

        it('an unknown one is refused, and the server goes on', async () => {
            const [answer] = await exchange(server(), 'BREW /v1/events HTTP/1.1\r\nHost: x\r\n\r\n');
            assert.ok([501, 405, 400].includes(answer.status), answer.status);
            assert.equal(mediaType(answer), 'application/problem+json');
            expect(await server().nobody.get('/healthz'), 200);
        });

        it('OPTIONS tells the methods', async () => {
            const answer = await server().nobody.call('OPTIONS', '/v1/events');
            assert.ok([200, 204].includes(answer.status), answer.status);
            assert.deepEqual(answer.headers.allow.split(/, */).sort(), ['GET', 'HEAD', 'OPTIONS', 'POST']);
            assert.equal(answer.headers['access-control-allow-origin'], undefined, 'no other origin unless told so');
        });
    });

    describe('paths', () => {
        it('that are not known are 404, whoever asks', async () => {
            const paths = ['/', '/nowhere', '/v1', '/v1/', '/v2/events', '/v1/events/', '/v1/event', '//v1/events', '/V1/events', '/v1/events/1/2/3',
                '/../../etc/passwd', '/v1/../v1/events/1/x', '/v1%2Fevents', '/.env', '/admit.db', '/v1/me/', '/bookk'];
            for (const path of paths) {
                expect(await server().nobody.get(path), 404, 'not_found');
                expect(await visitor.post(path, {}), 404, 'not_found');
            }
        });

        it('with ids that are none are not found, or bad', async () => {
            const ids = ['abc', '-5', '0', '2.6', '5e9', '99999999999999999999999', '18446744073709551617', '1%00', '%ff', '1%20', '0x1', '+1', '%D9%A1',
                '%27%20OR%201=1--'];
            for (const id of ids) {
                for (const tail of ['', '/status']) expect(await server().nobody.get(`/v1/events/${id}${tail}`), [400, 404]);
                expect(await visitor.post(`/v1/events/${id}/bookings`, {quantity: 1}), [400, 404]);
            }
        });
    });

    describe('queries', () => {
        const bad = {
            limit: ['0', '101', '-1', 'abc', '2.6', '1e1', '99999999999999999999', '0x10', '٣'],
            cursor: ['garbage!', 'AAAA', '%00', 'x'.repeat(600), "' OR 1=1 --"],
            date: [`${inDays(400).slice(0, 4)}-02-30`, 'tomorrow', '2027-1-1', '20270101'],
            from: ['yesterday', '2027-06-01', '1700000000'],
            to: ['2027-06-01T19:00:00', '2027-06-01T25:00:00Z'],
            available: ['maybe', '2'],
            status: ['sold', 'ON_SALE'],
            organizer: ['abc', '-1', '1.5'],
            sort: ['price', 'id; DROP TABLE events'],
        };
        for (const [name, values] of Object.entries(bad)) {
            it(`with a bad ${name} are refused, and it is named`, async () => {
                for (const value of values)
                    expectBadQuery(await server().nobody.get(`/v1/events?${name}=${encodeURIComponent(value)}`), name);
            });
        }

        it('with bad cursors are refused by every list', async () => {
            for (const path of ['/v1/bookings', `/v1/events/${event.id}/bookings`, `/v1/events/${event.id}/tickets`])
                for (const cursor of ['garbage!', 'LTE', '-1', '99999999999999999999999'])
                    expect(await organizer.get(`${path}?cursor=${encodeURIComponent(cursor)}`), 400);
        });

        it('with bytes that are no text are refused', async () => {
            for (const query of ['q=%00', 'q=%ff%fe', 'q=%c0%80', 'q=%zz', 'q=%', 'name=%ed%a0%80'])
                expect(await server().nobody.get(`/v1/events?${query}`), 400);
        });

        it('name every bad parameter at once', async () => {
            const body = expect(await server().nobody.get('/v1/events?limit=0&sort=price&status=x&date=y'), 400, 'invalid');
            assert.deepEqual(body.errors.map((error) => error.pointer.replace(/^[/?]/, '')).sort(), ['date', 'limit', 'sort', 'status']);
        });

        it('with SQL or wildcards find what has these words, and nothing else', async () => {
            for (const q of ["' OR '1'='1", '%', '_', '*', '"*"', 'a* OR b', 'steady\' --', '\\', 'NEAR(', '")', 'name:steady', 'x'.repeat(200), '🎫'])
                for (const name of ['q', 'name', 'venue']) {
                    const found = expect(await server().nobody.get(`/v1/events?${name}=${encodeURIComponent(q)}`), 200);
                    assert.ok(Array.isArray(found.data));
                }
            assert.deepEqual(expect(await server().nobody.get('/v1/events?q=zzz%27+OR+%271%27%3D%271'), 200).data, []);
        });
    });

    describe('bodies', () => {
        const post = (body, options) => organizer.post('/v1/events', body, options);

        it('must be JSON by their type', async () => {
            const json = JSON.stringify({name: 'Typed', capacity: 1});
            await changesNothing(async () => {
                for (const type of ['text/plain', 'application/x-www-form-urlencoded', 'multipart/form-data; boundary=x', 'application/xml', 'application/jsonx', 'json'])
                    expect(await post(json, {headers: {'Content-Type': type}}), 415, 'unsupported_media_type');
            });
            for (const type of ['application/json; charset=utf-8', 'application/json;charset=UTF-8', 'APPLICATION/JSON'])
                expect(await post(json, {headers: {'Content-Type': type}}), 201);
        });

        it('must be JSON', async () => {
            const broken = ['', ' ', '{', '}', '{"name"', '{"name":}', '{"name":"x",}', '{name:"x"}', "{'name':'x'}", '{"name":"x"} trailing', '{"name":"x"}{}',
                '{"name":"x","name":"y","capacity":1}', '{"name":"x","capacity":NaN}', '{"name":"x","capacity":1e999}', '{"name":"x","capacity":01}',
                '{"name":"x","capacity":0x10}', '{"name":"\t","capacity":1}', '{"name":"\\x41"}', '{"name":"\\ud800"}', '{"name":"x" "y"}', '\u0000', '{"a":1}\u0000',
                'null', 'true', '5', '"text"', '[]', '[{"name":"x","capacity":1}]', '<event/>', 'name=x&capacity=1'];
            await changesNothing(async () => {
                for (const body of broken) expect(await post(body), 400, ['bad_request', 'invalid']);
            });
        });

        it('must not be nested without end', async () => {
            await changesNothing(async () => {
                for (const [open, close] of [['[', ']'], ['{"a":', '}']]) {
                    const deep = Math.floor(60 * KIB / (open.length + close.length));
                    expect(await post(open.repeat(deep) + (close === '}' ? '1' : '') + close.repeat(deep)), 400);
                    expect(await post(open.repeat(deep)), 400);
                    expect(await post(`{"name":"x","capacity":1,"venue":${open.repeat(500)}${close === '}' ? '1' : ''}${close.repeat(500)}}`), 400);
                }
            });
        });

        it('must be UTF-8', async () => {
            const around = (...bytes) => Buffer.concat([Buffer.from('{"capacity":1,"name":"a'), Buffer.from(bytes), Buffer.from('b"}')]);
            await changesNothing(async () => {
                for (const bytes of [[0xff], [0xc3], [0xc0, 0x80], [0xed, 0xa0, 0x80], [0xf5, 0x80, 0x80, 0x80], [0xe2, 0x82], [0x00], [0x0a]])
                    expect(await post(around(...bytes)), 400);
            });
            expect(await post(around(0xc3, 0xa9)), 201);
        });

        it('name every field that they ought not to have, with pointers that are escaped', async () => {
            await changesNothing(async () => {
                expectInvalid(await post({name: 'x', capacity: 1, 'a/b~c': 1, '': 2, 'NAME': 'y', 'capacity ': 3}),
                    '/a~1b~0c', '/', '/NAME', '/capacity ');
                expectInvalid(await post({name: 'x', ticket_types: [{name: 'A', capacity: 1, id: 7}]}), '/ticket_types/0/id');
            });
        });

        const wrongNumbers = [-5, 0, 2.6, 'abc', '5', true, null, [], {}, [5], 1e300, -1e300, 2 ** 32, 2 ** 31];
        for (const value of wrongNumbers) {
            it(`with a capacity of ${JSON.stringify(value)} are refused`, async () => {
                await changesNothing(async () => {
                    expectInvalid(await post({name: 'Wrong', capacity: value}), '/capacity');
                    expectInvalid(await organizer.patch(`/v1/events/${event.id}`, {max_per_user: value === null ? 0 : value}), '/max_per_user');
                });
            });
        }

        it('with numbers written in unusual ways are refused rather than guessed', async () => {
            await changesNothing(async () => {
                for (const number of ['5e9', '2.6e0', '-0.5', '1E400', '-1', '123456789012345678901234567890', '10000001'])
                    expect(await post(`{"name":"x","capacity":${number}}`), 400);
                for (const number of ['5e9', '1E400', '-5', '2.6', '99999999999999999999'])
                    expect(await visitor.post(`/v1/events/${event.id}/bookings`, `{"quantity":${number}}`), [400, 422]);
            });
        });

        it('keep text as it is: HTML, SQL, quotes, and every script of the world', async () => {
            const names = ['<script>alert(1)</script>', '<img src=x onerror=alert(1)>', "Robert'); DROP TABLE events;--", '"quoted" \\ back', '${1+1} {{2}} %s %n',
                'Ünïcödé 日本語 עברית العربية 🎫', '../../etc/passwd', 'null', '0', "' OR ''='", 'a\u00a0b\u200dc'];
            for (const name of names) {
                const made = await organizer.createEvent({name, venue: name, description: name, capacity: 1});
                const answer = await server().nobody.get(`/v1/events/${made.id}`);
                assert.deepEqual([answer.body.name, answer.body.venue, answer.body.description], [name, name, name]);
                assert.equal(mediaType(answer), 'application/json');
                expect(await organizer.delete(`/v1/events/${made.id}`), 204);
            }
        });

        it('may not have control characters in names, but lines in a description', async () => {
            await changesNothing(async () => {
                for (const name of ['a\u0000b', '\u0000']) expect(await post({name, capacity: 1}), 400);
                for (const text of ['line\nbreak', 'tab\tstop', 'bell\u0007', 'esc\u001b[31m', 'del\u007f', '']) {
                    expectInvalid(await post({name: text, capacity: 1}), '/name');
                    if (text) expectInvalid(await post({name: 'x', venue: text, capacity: 1}), '/venue');
                }
                expect(await post({name: 'x', capacity: 1, description: 'a\u0000b'}), 400);
                expectInvalid(await post({name: 'x', capacity: 1, description: 'a\u0007b'}), '/description');
            });
            const made = await organizer.createEvent({name: 'Lines', capacity: 1, description: 'one\ntwo\tthree'});
            assert.equal(made.description, 'one\ntwo\tthree');
        });

        it('may not have texts that are too long, counted in characters', async () => {
            await changesNothing(async () => {
                expectInvalid(await post({name: 'n'.repeat(300), venue: 'v'.repeat(201), description: 'd'.repeat(10_001), capacity: 1}),
                    '/name', '/venue', '/description');
                expectInvalid(await post({name: '日'.repeat(201), capacity: 1}), '/name');
            });
            assert.equal((await organizer.createEvent({name: '日'.repeat(200), capacity: 1})).name, '日'.repeat(200));
        });

        it('may not have dates that are past or impossible', async () => {
            const year = Number(inDays(400).slice(0, 4));
            const odd = [1, 2, 3, 4].map((more) => year + more).find((each) => each % 4 !== 0);
            await changesNothing(async () => {
                for (const starts_at of ['2001-01-01T00:00:00Z', '1970-01-01T00:00:00Z', '0000-00-00T00:00:00Z', `${odd}-02-29T10:00:00Z`, `${year}-02-30T10:00:00Z`,
                    `${year}-13-01T10:00:00Z`, `${year}-06-31T10:00:00Z`, `${year}-06-01T24:00:00Z`, `${year}-06-01T10:60:00Z`, `${year}-06-01T10:00:00`, `${year}-06-01`,
                    `${year}-06-01T10:00:00+25:00`, 'next week', '', year, 1900000000, '99999-01-01T00:00:00Z', `-${year}-01-01T00:00:00Z`])
                    expectInvalid(await post({name: 'When', capacity: 1, starts_at}), '/starts_at');
            });
        });

        it('may have 64 KiB and not a byte more', async () => {
            const json = JSON.stringify({name: 'Padded', capacity: 1});
            expect(await post(json + ' '.repeat(64 * KIB - json.length)), 201);
            await changesNothing(async () => {
                const answer = await post(json + ' '.repeat(64 * KIB + 1 - json.length));
                expect(answer, 413, 'too_large');
                assert.equal(mediaType(answer), 'application/problem+json');
            });
        });

        it('of two megabytes are refused, and the client gets to read why', async () => {
            await changesNothing(async () => {
                const head = (rest) => `POST /v1/events HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${organizer.token}\r\nContent-Type: application/json\r\n${rest}\r\n\r\n`;
                const size = 2048 * KIB;
                const chunk = `${(64 * KIB).toString(16)}\r\n${'x'.repeat(64 * KIB)}\r\n`;
                const bodies = [head(`Content-Length: ${size}`) + 'x'.repeat(size), head('Transfer-Encoding: chunked') + chunk.repeat(32) + '0\r\n\r\n'];
                for (const bytes of bodies) {
                    const [answer] = await exchange(server(), bytes);
                    assert.equal(answer?.status, 413);
                    assert.equal(mediaType(answer), 'application/problem+json');
                    assert.equal(answer.body.code, 'too_large');
                    assert.ok(answer.headers['x-request-id']);
                    assert.equal(answer.headers['x-content-type-options'], 'nosniff');
                }
            });
        });

        it('in chunks are as good as any', async () => {
            const json = JSON.stringify({name: 'Chunked', capacity: 1});
            const [a, b] = [json.slice(0, 10), json.slice(10)];
            const [answer] = await exchange(server(), `POST /v1/events HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${organizer.token}\r\n` +
                `Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n${a.length.toString(16)}\r\n${a}\r\n${b.length.toString(16)}\r\n${b}\r\n0\r\n\r\n`);
            assert.equal(answer.status, 201);
        });
    });

    describe('tokens', () => {
        const now = Math.floor(Date.now() / 1000);
        const hs256 = {alg: 'HS256', typ: 'JWT'};
        const unsigned = (header, claims, signature = '') => `${sign(header, claims).split('.').slice(0, 2).join('.')}.${signature}`;
        const kinds = (id) => {
            const good = {sub: String(id), iat: now, exp: now + 3600};
            const [head, , signature] = signToken(id).split('.');
            const otherPayload = Buffer.from(JSON.stringify({...good, sub: '1'})).toString('base64url');
            return {
                'nothing': '',
                'a word': 'garbage',
                'dots': '..',
                'three words': 'a.b.c',
                'one that is forged': signToken(id, {}, 'some other secret that is also quite long'),
                'one whose payload was changed': `${head}.${otherPayload}x.${signature}`,
                'one without its signature': unsigned(hs256, good),
                'one whose signature was cut': signToken(id).slice(0, -4),
                'one with something behind': `${signToken(id)}.x`,
                'one that has expired': signToken(id, {iat: now - 7200, exp: now - 3600}),
                'one that never expires': signToken(id, {exp: undefined}),
                'one from far in the future': signToken(id, {iat: now + 86_400, exp: now + 90_000}),
                'one of nobody': signToken(id, {sub: undefined}),
                'one of somebody who does not exist': signToken(55_555_555),
                'one of user zero': signToken(0),
                'one of a negative user': signToken(-1),
                'one of a user by name': signToken('admin'),
                'one of "1 OR 1=1"': signToken('1 OR 1=1'),
                'alg none': unsigned({alg: 'none', typ: 'JWT'}, good),
                'alg None with a signature': sign({alg: 'None', typ: 'JWT'}, good),
                'alg none that is signed': sign({alg: 'none', typ: 'JWT'}, good),
                'no alg at all': sign({typ: 'JWT'}, good),
                'alg HS512': sign({alg: 'HS512', typ: 'JWT'}, good, undefined, 'sha512'),
                'alg HS384': sign({alg: 'HS384', typ: 'JWT'}, good, undefined, 'sha384'),
                'alg RS256 that is signed by the secret': sign({alg: 'RS256', typ: 'JWT'}, good),
                'alg HS256 signed with no secret': signToken(id, {}, ''),
                'a very long one': `${signToken(id)}${'A'.repeat(6000)}`,
                'one with a text as exp': signToken(id, {exp: 'never'}),
            };
        };
        // On a shared store, another process may have registered that user a moment ago.
        const isShared = !['sqlite', 'memory'].includes(store);
        for (const kind of Object.keys(kinds(1)).filter((name) => !isShared || name !== 'one of somebody who does not exist')) {
            it(`that are ${kind} are refused`, async () => {
                const text = kinds(visitor.id)[kind];
                for (const value of [`Bearer ${text}`, text]) {
                    const headers = {Authorization: value};
                    for (const [method, path, body] of [['GET', '/v1/me'], ['POST', `/v1/events/${event.id}/bookings`, {quantity: 1}], ['POST', '/book', {eventId: event.id}]]) {
                        const answer = await server().nobody.call(method, path, {body, headers});
                        expect(answer, 401, 'unauthorized');
                        assert.match(answer.headers['www-authenticate'], /^Bearer\b/);
                    }
                }
            });
        }

        it('are not taken from other schemes', async () => {
            for (const value of [`Basic ${Buffer.from('a:b').toString('base64')}`, `Token ${visitor.token}`, `Bearer: ${visitor.token}`])
                expect(await server().nobody.get('/v1/me', {headers: {Authorization: value}}), 401, 'unauthorized');
        });

        it('that are bad are refused even where none is needed', async () => {
            for (const path of ['/v1/events', `/v1/events/${event.id}`, `/v1/events/${event.id}/status`])
                expect(await server().nobody.get(path, {token: signToken(visitor.id, {exp: 5})}), 401, 'unauthorized');
        });

        it('are checked before anything else is told', async () => {
            for (const [method, path] of [['PATCH', '/v1/events/66666666'], ['GET', '/v1/events/66666666/bookings'], ['POST', '/v1/events']])
                expect(await server().nobody.call(method, path, {body: method === 'GET' ? undefined : 'no json'}), 401, 'unauthorized');
        });
    });

    describe('connections', () => {
        const get = (path, more = '') => `GET ${path} HTTP/1.1\r\nHost: x\r\n${more}\r\n`;

        it('carry several requests that are sent at once, and the answers keep their order', async () => {
            const ids = Array.from({length: 20}, (_, index) => `pipelined-${index}`);
            const paths = ['/healthz', `/v1/events/${event.id}`, '/nowhere', '/v1/me'];
            const bytes = ids.map((id, index) => get(paths[index % 4], `X-Request-Id: ${id}\r\n`)).join('');
            const answers = await exchange(server(), bytes, ids.length);
            assert.deepEqual(answers.map((answer) => answer.headers['x-request-id']), ids);
            assert.deepEqual(answers.map((answer) => answer.status), ids.map((_, index) => [200, 200, 404, 401][index % 4]));
        });

        it('carry bookings that are sent at once, in order', async () => {
            const made = await organizer.createEvent({name: 'Pipeline', capacity: 5});
            const body = '{"quantity":1}';
            const one = `POST /v1/events/${made.id}/bookings HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${visitor.token}\r\n` +
                `Content-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
            const answers = await exchange(server(), one.repeat(6), 6);
            assert.deepEqual(answers.map((answer) => answer.status), [201, 201, 201, 201, 201, 202]);
            assert.deepEqual(answers.flatMap((answer) => answer.body.tickets.map((ticket) => ticket.number)), [1, 2, 3, 4, 5]);
        });

        it('that end in half a request change nothing', async () => {
            const body = JSON.stringify({name: 'Half', capacity: 1});
            const whole = `POST /v1/events HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${organizer.token}\r\n` +
                `Content-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
            await changesNothing(async () => {
                for (const part of [0.1, 0.5, 0.8, 0.99]) {
                    const socket = await connect(server());
                    socket.on('error', () => {});
                    socket.end(whole.slice(0, Math.floor(whole.length * part)));
                    await sleep(20);
                    socket.destroy();
                }
                await sleep(100);
            });
        });

        it('that dawdle keep nobody else from being served', async () => {
            const sockets = await Promise.all(Array.from({length: 50}, () => connect(server())));
            for (const socket of sockets) socket.write('POST /v1/events HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n{');
            const began = Date.now();
            const answers = await Promise.all(Array.from({length: 20}, () => server().nobody.get(`/v1/events/${event.id}`)));
            assert.ok(answers.every((answer) => answer.status === 200));
            assert.ok(Date.now() - began < 3000 * slow);
            for (const socket of sockets) socket.destroy();
        });

        it('of clients that go away before the answer leave nothing undone', async () => {
            const made = await organizer.createEvent({name: 'Gone away', capacity: 50});
            const body = '{"quantity":1}';
            for (let i = 0; i < 10; i++) {
                const socket = await connect(server());
                socket.on('error', () => {});
                socket.write(`POST /v1/events/${made.id}/bookings HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${visitor.token}\r\n` +
                    `Content-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`, () => socket.destroy());
            }
            // Each was received as a whole or not at all; the counters must agree with what there is.
            const agree = async () => {
                const {booked} = expect(await server().nobody.get(`/v1/events/${made.id}/status`), 200);
                const {data} = await organizer.walk(`/v1/events/${made.id}/bookings`, 100);
                return booked === data.length && booked;
            };
            await sleep(200);
            await until('the counters', agree, 5);
        });

        it('of old clients are served and closed', async () => {
            const [answer] = await exchange(server(), 'GET /healthz HTTP/1.0\r\n\r\n');
            assert.equal(answer.status, 200);
        });

        it('with headers without measure are refused', async () => {
            const [answer] = await exchange(server(), get('/healthz', `X-Long: ${'x'.repeat(200 * KIB)}\r\n`));
            assert.equal(answer?.status, 431);
            assert.equal(answer.body.code, 'headers_too_large');
            assert.equal(mediaType(answer), 'application/problem+json');
            const [many] = await exchange(server(), get('/healthz', 'X-Many: x\r\n'.repeat(20_000)));
            assert.equal(many?.status, 431);
            const [long] = await exchange(server(), get(`/${'x'.repeat(200 * KIB)}`));
            assert.ok([400, 414, 431].includes(long?.status), long?.status);
            expect(await server().nobody.get('/healthz'), 200);
        });

        it('with what is no HTTP at all are refused or closed, and the server goes on', async () => {
            const noise = ['GARBAGE\r\n\r\n', '\0\0\0\0\r\n\r\n', 'GET\r\n\r\n', 'GET / HTTP/9.9\r\n\r\n', '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n',
                'GET /healthz HTTP/1.1\r\nHost x\r\n\r\n', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'];
            for (const bytes of noise) {
                const [answer] = await exchange(server(), Buffer.from(bytes, 'latin1'));
                if (answer) assert.ok(answer.status >= 400, `${JSON.stringify(bytes)}: ${answer.status}`);
            }
            expect(await server().nobody.get('/healthz'), 200);
        });

        it('that a proxy could read in another way are refused', async () => {
            const json = '{"quantity":1}';
            const start = `POST /v1/events/${event.id}/bookings HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${visitor.token}\r\nContent-Type: application/json\r\n`;
            const smuggled = get('/v1/me');
            await changesNothing(async () => {
                const tricks = [
                    `${start}Content-Length: ${json.length}\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n${smuggled}`,
                    `${start}Content-Length: ${json.length}\r\nContent-Length: 0\r\n\r\n${json}`,
                    `${start}Content-Length: -1\r\n\r\n${json}`,
                    `${start}Content-Length: 1e3\r\n\r\n${json}`,
                    `${start}Content-Length: +${json.length}\r\n\r\n${json}`,
                    `${start}Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n`,
                    `${start}Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n`,
                ];
                for (const bytes of tricks) {
                    const answers = await exchange(server(), bytes, 2);
                    assert.ok(answers.length <= 1, `two answers to ${JSON.stringify(bytes)}`);
                    if (answers.length) assert.ok([400, 411, 501].includes(answers[0].status), answers[0].status);
                }
            });
        });
    });
});

describe('CORS', () => {
    const SHOP = 'https://shop.example.org';
    const preflight = {Origin: SHOP, 'Access-Control-Request-Method': 'POST', 'Access-Control-Request-Headers': 'authorization,content-type,idempotency-key'};
    const list = (text = '') => text.toLowerCase().split(/, */);

    describe('with origins that may', () => {
        let server;
        before(async () => (server = await start({store: 'memory', env: {CORS_ORIGINS: `${SHOP},https://other.example.org`}})));
        after(() => server?.finish());

        it('lets them ask, and tells what they may send', async () => {
            const {status, headers} = await server.nobody.call('OPTIONS', '/v1/events', {headers: preflight});
            assert.ok([200, 204].includes(status));
            assert.equal(headers['access-control-allow-origin'], SHOP);
            assert.ok(list(headers['access-control-allow-methods']).includes('post'));
            for (const name of ['authorization', 'content-type', 'idempotency-key', 'if-match'])
                assert.ok(list(headers['access-control-allow-headers']).includes(name), name);
            assert.ok(list(headers.vary).includes('origin'));
        });

        it('lets them read the answers, errors as well', async () => {
            for (const path of ['/v1/events', '/v1/me', '/nowhere']) {
                const {headers} = await server.nobody.get(path, {headers: {Origin: SHOP}});
                assert.equal(headers['access-control-allow-origin'], SHOP, path);
                for (const name of ['x-request-id', 'etag', 'link', 'location', 'retry-after', 'ratelimit', 'idempotency-replayed'])
                    assert.ok(list(headers['access-control-expose-headers']).includes(name), name);
                assert.ok(list(headers.vary).includes('origin'));
            }
        });

        it('does not let others', async () => {
            for (const origin of ['https://evil.example.org', 'http://shop.example.org', `${SHOP}.evil.example.org`, 'https://shop.example.org:8443', 'null', `${SHOP}/`]) {
                for (const method of ['OPTIONS', 'GET']) {
                    const answer = await server.nobody.call(method, '/v1/events', {headers: {...preflight, Origin: origin}});
                    assert.equal(answer.headers['access-control-allow-origin'], undefined, origin);
                }
            }
        });
    });

    describe('with any origin', () => {
        let server;
        before(async () => (server = await start({store: 'memory', env: {CORS_ORIGINS: '*'}})));
        after(() => server?.finish());

        it('lets everybody, without credentials', async () => {
            for (const method of ['OPTIONS', 'GET']) {
                const {headers} = await server.nobody.call(method, '/v1/events', {headers: preflight});
                assert.equal(headers['access-control-allow-origin'], '*');
                assert.equal(headers['access-control-allow-credentials'], undefined);
            }
        });
    });

    describe('as it comes', () => {
        let server;
        before(async () => (server = await start({store: 'memory'})));
        after(() => server?.finish());

        it('lets nobody', async () => {
            for (const method of ['OPTIONS', 'GET'])
                assert.equal((await server.nobody.call(method, '/v1/events', {headers: preflight})).headers['access-control-allow-origin'], undefined);
        });
    });
});
