// SPDX-License-Identifier: Apache-2.0
// Running it for real: signals, crashes, settings, logs and figures.
import assert from 'node:assert/strict';
import {readFile, rename, rm, writeFile} from 'node:fs/promises';
import net from 'node:net';
import {join} from 'node:path';
import {after, before, describe, it} from 'node:test';
import {check, inDirectory, newDirectory, onEachStore, PASSWORD, run, runWell, sqlite3, start} from './lib/admit.mjs';
import {expect} from './lib/client.mjs';
import {connect} from './lib/raw.mjs';
import {spec} from './lib/spec.mjs';
import {SECRET, token as signToken} from './lib/token.mjs';
import {slow, sleep, until} from './lib/time.mjs';

onEachStore('operations', {}, (server) => {
    it('says that it is alive and ready', async () => {
        for (const path of ['/healthz', '/readyz']) expect(await server().nobody.get(path), 200);
    });

    it('serves the specification that lies in the sources', async () => {
        assert.deepEqual(expect(await server().nobody.get('/openapi.json'), 200), spec);
    });

    it('serves a documentation page that loads nothing from elsewhere', async () => {
        const page = await server().nobody.get('/docs');
        expect(page, 200);
        assert.match(page.headers['content-security-policy'], /default-src/);
        const loaded = [...page.text.matchAll(/<(?:script|link|img|iframe)\b[^>]*?\b(?:src|href)="([^"]+)"/g)].map(([, address]) => address);
        assert.ok(loaded.length >= 3, page.text);
        for (const address of loaded) {
            assert.doesNotMatch(address, /^(https?:)?\/\//);
            if (address.startsWith('data:')) continue;
            const answer = await server().nobody.get(new URL(address, `${server().url}/docs`).pathname);
            assert.equal(answer.status, 200, address);
            assert.ok(answer.text.length > 0);
        }
    });

    it('shows figures for Prometheus', async () => {
        const [organizer, visitor] = await server().crowd(2);
        const event = await organizer.createEvent({name: 'Figures', capacity: 1});
        const booking = await visitor.book(event.id);
        await visitor.book(event.id);
        await visitor.cancel(booking.reference);
        await visitor.post(`/v1/events/${event.id}/bookings`, {quantity: 1, join_waiting_list: false});
        const {text, headers} = await server().nobody.get('/metrics');
        assert.match(headers['content-type'], /^text\/plain; *version=0\.0\.4/);

        const sample = /^[a-zA-Z_:][a-zA-Z0-9_:]*(\{([a-zA-Z_]\w*="([^"\\\n]|\\.)*",?)*\})? (NaN|[+-]?Inf|[-+]?[0-9.]+(e[-+]?\d+)?)$/;
        const lines = text.split('\n').filter((line) => line !== '');
        for (const line of lines) if (!/^# (HELP|TYPE) \w+ ./.test(line)) assert.match(line, sample);
        const types = lines.filter((line) => line.startsWith('# TYPE')).map((line) => line.split(' ')[2]);
        assert.equal(new Set(types).size, types.length, 'each family comes once');

        const wanted = {
            'requests by route': /^\w*requests?_total\{[^}]*"\/v1\/events\/\{id\}\/bookings"[^}]*\} [1-9]/m,
            'latencies by route': /^\w*request\w*_bucket\{[^}]*"\/v1\/events"[^}]*le="\+Inf"[^}]*\} [1-9]/m,
            'batch sizes': /^\w*batch\w*_bucket\{.*\} \d/m,
            'queue depths': /^\w*queue\w*(\{.*\})? \d/m,
            'commit times': /^\w*commit\w*_count(\{.*\})? [1-9]/m,
            'confirmed bookings': /^\w*bookings?\w*\{[^}]*"confirmed"[^}]*\} [1-9]/m,
            'waiting bookings': /^\w*bookings?\w*\{[^}]*"waiting"[^}]*\} [1-9]/m,
            'cancelled bookings': /^\w*bookings?\w*\{[^}]*"cancelled"[^}]*\} [1-9]/m,
            'bookings that were sold out': /^\w*bookings?\w*\{[^}]*"sold_out"[^}]*\} [1-9]/m,
        };
        for (const [what, pattern] of Object.entries(wanted)) assert.match(text, pattern, what);
        assert.doesNotMatch(text, new RegExp(`"/v1/events/${event.id}`), 'routes and not addresses: labels must not grow without end');
        // Buckets hold what is in those before them.
        for (const [, name, labels] of text.matchAll(/^(\w+)_count(?:\{(.*)\})? [1-9]/gm)) {
            const own = lines.filter((line) => line.startsWith(`${name}_bucket{${labels ?? ''}`));
            const values = own.map((line) => Number(line.split(' ').at(-1)));
            assert.ok(values.length > 0 && values.every((value, index) => index === 0 || value >= values[index - 1]), name);
        }
    });

    it('writes one line for each request', async () => {
        const person = await server().person();
        const calls = [['GET', '/v1/events?limit=5', 200], ['GET', '/v1/me', 200], ['GET', '/nowhere', 404], ['POST', '/v1/events', 400], ['PUT', '/v1/events', 405]];
        for (const [index, [method, path]] of calls.entries())
            await person.call(method, path, {headers: {'X-Request-Id': `logged-${index}`}});
        const linesOf = (id) => server().logged((line) => Object.values(line).includes(id));
        await until('the log', () => linesOf(`logged-${calls.length - 1}`).length);
        for (const [index, [method, path, status]] of calls.entries()) {
            const lines = linesOf(`logged-${index}`);
            assert.equal(lines.length, 1, `${method} ${path}: ${JSON.stringify(lines)}`);
            assert.equal(lines[0].level, 'info');
            const values = Object.values(lines[0]);
            for (const value of [method, path.split('?')[0], status]) assert.ok(values.includes(value), JSON.stringify(lines[0]));
            assert.ok(Math.abs(Date.parse(lines[0].time) - Date.now()) < 60_000 * slow);
        }
    });
});

describe('secrets', () => {
    it('are in no log, at any level', async () => {
        const password = 'a password nobody may see';
        const second = 'another password nobody may see';
        const metricsToken = 'metrics token nobody may see'.replaceAll(' ', '-');
        const server = await start({env: {LOG_LEVEL: 'debug', METRICS_TOKEN: metricsToken, LOG_FILE: 'admit.log'}});
        const person = await server.person({password, username: 'secretive'});
        const {token} = await person.signIn();
        const classic = expect(await server.nobody.post('/login', {username: 'secretive', password}), 200).token;
        await server.nobody.post('/v1/sessions', {login: person.email, password: second});
        await server.nobody.post('/v1/users', {email: person.email, name: 'Again', password: second});
        await server.nobody.post('/v1/users', {email: 'broken', name: 5, password: second, passwort: second});
        await server.nobody.post('/v1/users', `{"password":"${second}",`);
        await person.patch('/v1/me', {password: second, current_password: 'wrong: nobody may see'});
        await person.patch('/v1/me', {password: second, current_password: password});
        await server.nobody.get('/v1/me', {token});
        const forged = signToken(person.id, {}, 'forged secret of the tests, long enough to be one');
        await server.nobody.get('/v1/me', {token: forged});
        await server.nobody.get('/v1/me', {headers: {Authorization: classic}});
        await server.nobody.get('/metrics', {token: metricsToken});
        await server.stop();
        const file = await readFile(join(server.directory, 'admit.log'), 'utf8');
        const text = server.log.map((line) => JSON.stringify(line)).join('\n') + file + server.stdout;
        assert.ok(server.log.some((line) => line.level === 'info'));
        const secrets = {password, second, wrong: 'wrong: nobody may see', metricsToken, SECRET};
        for (const [name, jwt] of Object.entries({token, classic, forged, mine: signToken(person.id)}))
            secrets[name] = jwt.split('.')[2];
        for (const [name, secret] of Object.entries(secrets)) assert.ok(!text.includes(secret), `${name} is in the log`);
        assert.doesNotMatch(text, /\$argon2/);
        await rm(server.directory, {recursive: true});
    });
});

describe('the log', () => {
    it('goes to a file as well, which is opened again on SIGHUP', async () => {
        const server = await start({store: 'memory', env: {LOG_FILE: 'admit.log'}});
        const [file, old] = ['admit.log', 'admit.log.1'].map((name) => join(server.directory, name));
        const has = (name, id) => readFile(name, 'utf8').then((text) => text.includes(id), () => false);
        const ask = (id) => server.nobody.get('/healthz', {headers: {'X-Request-Id': id}});
        await ask('before-rotation');
        await until('the file', () => has(file, 'before-rotation'));
        await rename(file, old);
        server.child.kill('SIGHUP');
        await until('the new file', async () => {
            await ask('after-rotation');
            return has(file, 'after-rotation');
        });
        assert.ok(!(await has(file, 'before-rotation')));
        assert.ok(await has(old, 'before-rotation'));
        await server.finish();
    });

    it('has one line for a message, whatever is in it', async () => {
        const said = await refusesToStart({LOG_LEVEL: 'loud\nlevel=info message=listening'}, ['LOG_LEVEL']);
        assert.doesNotMatch(said, /^level=info/m);
    });
});

describe('the figures', () => {
    let server;
    before(async () => (server = await start({store: 'memory', env: {METRICS_TOKEN: 'the-token-for-metrics', TRUST_PROXY: 'loopback'}})));
    after(() => server?.finish());
    const ask = (from, token) =>
        server.nobody.get('/metrics', {token, headers: from ? {'X-Forwarded-For': from} : {}});

    it('are shown to this machine', async () => expect(await ask(), 200));

    it('are not shown to others, whom a proxy speaks for, but with the token', async () => {
        expect(await ask('192.0.2.7'), 401, 'unauthorized');
        expect(await ask('192.0.2.7', 'a-wrong-token'), 401, 'unauthorized');
        expect(await ask('192.0.2.7', 'the-token-for-metric'), 401, 'unauthorized');
        expect(await ask('192.0.2.7', 'the-token-for-metrics'), 200);
    });
});

describe('SIGTERM', () => {
    for (const store of ['sqlite', 'memory']) {
        it(`ends the server at once where nothing is going on (${store})`, async () => {
            const server = await start({store});
            await server.nobody.get('/healthz');
            const idle = await Promise.all([connect(server), connect(server)]);
            const began = Date.now();
            await server.stop();
            assert.ok(Date.now() - began < 3000 * slow, `${Date.now() - began} ms`);
            for (const socket of idle) socket.destroy();
            await rm(server.directory, {recursive: true});
        });
    }

    it('does not wait for clients that dawdle over a request', async () => {
        const server = await start({store: 'memory'});
        const halves = await Promise.all(['G', 'GET /healthz HTTP/1.1\r\nHo', 'POST /v1/events HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{'].map(async (text) => {
            const socket = await connect(server);
            socket.on('error', () => {});
            socket.write(text);
            return socket;
        }));
        await sleep(100);
        const began = Date.now();
        await server.stop();
        // Two seconds for the rest of their requests; ten are given to those under way.
        assert.ok(Date.now() - began < 2000 + 3000 * slow, `${Date.now() - began} ms`);
        for (const socket of halves) socket.destroy();
        await rm(server.directory, {recursive: true});
    });

    it('lets what is under way be finished and answered: nothing is booked without an answer', async () => {
        const server = await start();
        const people = await server.crowd(4);
        const event = await people[0].createEvent({name: 'Drained', capacity: 100_000});
        const acknowledged = [];
        const book = async (who) => {
            for (;;) {
                const answer = await who.post(`/v1/events/${event.id}/bookings`, {quantity: 1}).catch(() => null);
                if (!answer) return; // the connection was closed: nothing of it may be in the store
                if (answer.status === 503) return;
                acknowledged.push(expect(answer, 201).reference);
            }
        };
        const crowd = Array.from({length: 32}, (_, index) => book(people[index % 4]));
        await until('some bookings', () => acknowledged.length > 50);
        server.child.kill('SIGTERM');
        const {code} = await server.ended;
        await Promise.all(crowd);
        assert.equal(code, 0);
        await check(server.database, server.directory);

        const next = await server.restart();
        const {data} = await next.again(people[0]).walk(`/v1/events/${event.id}/bookings`, 100);
        assert.deepEqual(data.map((booking) => booking.reference).sort(), acknowledged.sort());
        await next.finish();
    });
});

describe('kill -9', () => {
    it('loses no booking that was acknowledged, again and again', async () => {
        let server = await start();
        let people = await server.crowd(4);
        const event = await people[0].createEvent({name: 'Unplugged', capacity: 400});
        const acknowledged = new Map();
        for (let round = 0; round < 3; round++) {
            const enough = acknowledged.size + 60;
            const work = async (who) => {
                for (;;) {
                    const answer = await who.post(`/v1/events/${event.id}/bookings`, {quantity: 1}).catch(() => null);
                    if (!answer) return;
                    const booking = expect(answer, [201, 202]);
                    acknowledged.set(booking.reference, 'active');
                    if (acknowledged.size % 3 !== 0) continue;
                    const cancelled = await who.delete(`/v1/bookings/${booking.reference}`).catch(() => null);
                    // Unanswered, it may have been cancelled or not.
                    acknowledged.set(booking.reference, cancelled ? expect(cancelled, 200).status : 'unknown');
                    if (!cancelled) return;
                }
            };
            const workers = Array.from({length: 16}, (_, index) => work(people[index % 4]));
            await until('some bookings', () => acknowledged.size >= enough);
            await server.kill();
            await Promise.all(workers);
            await check(server.database, server.directory);

            server = await server.restart();
            people = people.map((person) => server.again(person));
            const {data} = await people[0].walk(`/v1/events/${event.id}/bookings`, 100);
            const stored = new Map(data.map((booking) => [booking.reference, booking.status]));
            for (const [reference, was] of acknowledged) {
                assert.ok(stored.has(reference), `${reference} was acknowledged and is gone`);
                if (was === 'active') assert.ok(['confirmed', 'waiting'].includes(stored.get(reference)), stored.get(reference));
                if (was === 'cancelled') assert.equal(stored.get(reference), 'cancelled');
            }
            const status = expect(await server.nobody.get(`/v1/events/${event.id}/status`), 200);
            const confirmed = data.filter((booking) => booking.status === 'confirmed');
            assert.equal(status.booked, confirmed.length);
            const numbers = confirmed.flatMap((booking) => booking.tickets.map((ticket) => ticket.number));
            assert.equal(new Set(numbers).size, numbers.length);
        }
        await server.finish();
    });
});

describe('what is kept', () => {
    it('outlives a restart: accounts, sign-outs, references, ids, the line', async () => {
        let server = await start({env: {JWT_SECRET: null}}); // made at first start, and kept
        const first = expect(await server.nobody.post('/v1/users', {email: 'kept@example.org', name: 'Kept', password: PASSWORD}), 201);
        const signIn = async () => expect(await server.nobody.post('/v1/sessions', {login: 'kept@example.org', password: PASSWORD}), 200).token;
        const dead = await signIn();
        expect(await server.nobody.delete('/v1/sessions', undefined, {token: dead}), 204);
        const mine = {token: await signIn()};
        const event = expect(await server.nobody.post('/v1/events', {name: 'Kept', capacity: 2}, mine), 201);
        const gone = expect(await server.nobody.post('/v1/events', {name: 'Gone', capacity: 2}, mine), 201);
        expect(await server.nobody.delete(`/v1/events/${gone.id}`, undefined, mine), 204);
        const booked = [];
        for (let i = 0; i < 4; i++) booked.push(expect(await server.nobody.post(`/v1/events/${event.id}/bookings`, {quantity: 1}, mine), [201, 202]));
        await server.stop();

        server = await server.restart();
        assert.equal(expect(await server.nobody.get('/v1/me', mine), 200).id, first.id);
        expect(await server.nobody.get('/v1/me', {token: dead}), 401, 'unauthorized');
        for (const booking of booked)
            assert.deepEqual(expect(await server.nobody.get(`/v1/bookings/${booking.reference}`, mine), 200), booking);
        const next = expect(await server.nobody.post('/v1/events', {name: 'Next', capacity: 2}, mine), 201);
        assert.ok(next.id > gone.id, 'an id is never used again');
        expect(await server.nobody.delete(`/v1/bookings/${booked[0].reference}`, undefined, mine), 200);
        const served = expect(await server.nobody.get(`/v1/bookings/${booked[2].reference}`, mine), 200);
        assert.deepEqual([served.status, served.tickets], ['confirmed', [{number: 1}]]);
        const also = expect(await server.nobody.post('/v1/users', {email: 'later@example.org', name: 'Later', password: PASSWORD}), 201);
        assert.ok(also.id > first.id);
        await server.finish();
    });
});

/** It must not start: `words` are in what it says, and it says it in a sentence and not in a stack trace. */
async function refusesToStart(env, words, {args = [], cwd} = {}) {
    const directory = cwd ?? (await newDirectory());
    const all = {DATABASE_URL: 'memory:', JWT_SECRET: SECRET, LOG_FORMAT: 'text', ...env};
    for (const name of Object.keys(all)) if (all[name] === undefined) delete all[name];
    const {code, signal, stderr, stdout} = await run(['serve', '--port', '0', ...args], {env: all, cwd: directory});
    assert.ok(code > 0, `it ended with ${code ?? signal}\n${stderr}`);
    for (const word of words) assert.ok(stderr.includes(word), `${JSON.stringify(word)} is not in ${JSON.stringify(stderr)}`);
    assert.doesNotMatch(stderr, /assert|abort|core dumped/i);
    if (!cwd) await rm(directory, {recursive: true});
    return stderr + stdout;
}

describe('settings', () => {
    const wrong = [
        ['RATE_LIMIT', 'fast'], ['RATE_LIMIT', '0/s'], ['RATE_LIMIT', '-1/s'], ['LOG_LEVEL', 'loud'], ['LOG_FORMAT', 'xml'], ['TOKEN_TTL', 'soon'],
        ['TOKEN_TTL', '-1'], ['OPEN_ORGANIZING', 'maybe'], ['KEEP_CANCELLED', '-1'], ['QUEUE_DEPTH', 'deep'], ['QUEUE_DEPTH', '0'], ['HTTP_LOOPS', '-1'], ['LANES', '2'],
        ['HTTP_LOOPS', '2.5'], ['READERS', 'many'], ['HOST', 'not a host'], ['DATABASE_URL', 'oracle:thing'], ['DATABASE_URL', 'admit.db'],
        ['CORS_ORIGINS', 'not an origin'], ['TRUST_PROXY', 'everybody'], ['PUBLIC_URL', 'ftp://x'],
    ];
    for (const [name, value] of wrong) {
        it(`refuses ${name}=${value}, naming it`, () => refusesToStart({[name]: value}, [name]));
    }

    it('refuses a port beyond all ports', async () => {
        for (const port of ['65536', '-1', 'http', '80.5']) await refusesToStart({}, ['port'], {args: ['--port', port]});
    });

    it('refuses half of a pair, and files that are not there', async () => {
        await refusesToStart({TLS_CERT: 'cert.pem'}, ['TLS_KEY']);
        await refusesToStart({DB_HOST: 'localhost', DATABASE_URL: undefined}, ['DB_']);
        await refusesToStart({TLS_CERT: 'no-such-cert.pem', TLS_KEY: 'no-such-key.pem'}, ['no-such-cert.pem']);
        await refusesToStart({LOG_FILE: 'no/such/directory/x.log'}, ['no/such/directory/x.log']);
        await refusesToStart({DATABASE_URL: 'sqlite:no/such/directory/x.db'}, ['no/such/directory/x.db']);
    });

    it('refuses a short secret without showing it', async () => {
        const shown = await refusesToStart({JWT_SECRET: 'xyzzy-short'}, ['JWT_SECRET']);
        assert.ok(!shown.includes('xyzzy-short'));
    });

    it('refuses a flag that it does not know', async () => {
        await refusesToStart({}, ['--no-such-flag'], {args: ['--no-such-flag']});
        await refusesToStart({}, [], {args: ['leftover']});
    });

    it('refuses a port that is taken', async () => {
        const taken = net.createServer().listen(0, '127.0.0.1');
        await new Promise((resolve) => taken.once('listening', resolve));
        const port = String(taken.address().port);
        await refusesToStart({}, [port], {args: ['--port', port]});
        taken.close();
    });

    it('come from flags before the environment before .env', async () => {
        const policy = async (env, args) => {
            const directory = await newDirectory();
            await writeFile(join(directory, '.env'), '# a comment\nexport RATE_LIMIT="3/s" # and another\nTOKEN_TTL=\'90s\'\n\nUNKNOWN=1\n');
            const server = await start({store: 'memory', directory, env: {RATE_LIMIT: null, ...env}, args});
            const answer = await server.nobody.get('/v1/events');
            const person = await server.person();
            const session = await person.signIn();
            await server.finish();
            return [/q=(\d+)/.exec(answer.headers['ratelimit-policy'])[1], session.expires_in];
        };
        assert.deepEqual(await policy({}, []), ['3', 90]);
        assert.deepEqual(await policy({RATE_LIMIT: '5/s', TOKEN_TTL: '2m'}, []), ['5', 120]);
        assert.deepEqual(await policy({RATE_LIMIT: '5/s'}, ['--rate-limit', '7/s', '--token-ttl=1h']), ['7', 3600]);
    });

    it('TOKEN_TTL ends a token', async () => {
        const server = await start({store: 'memory', env: {TOKEN_TTL: '2s'}});
        const person = await server.person();
        const {expires_in, token} = await person.signIn();
        assert.equal(expires_in, 2);
        expect(await person.get('/v1/me'), 200);
        await sleep(3100);
        expect(await server.nobody.get('/v1/me', {token}), 401, 'unauthorized');
        await server.finish();
    });
});

describe('a database', () => {
    it('belongs to one process at a time', async () => {
        const server = await start();
        const before = await server.person();
        await refusesToStart({DATABASE_URL: server.database}, ['admit.db'], {cwd: server.directory});
        expect(await before.get('/v1/me'), 200);
        await server.finish();
    });

    it('of another program is left alone', async () => {
        const directory = await newDirectory();
        await sqlite3(directory, 'CREATE TABLE recipes (id INTEGER PRIMARY KEY, name TEXT); INSERT INTO recipes VALUES (1, \'soup\');');
        const was = await readFile(join(directory, 'admit.db'));
        await refusesToStart({DATABASE_URL: inDirectory(directory)}, ['admit.db'], {cwd: directory});
        assert.deepEqual(await readFile(join(directory, 'admit.db')), was);
        assert.equal(await sqlite3(directory, 'SELECT name FROM recipes;'), 'soup');
        await rm(directory, {recursive: true});
    });

    it('that is none is left alone', async () => {
        const directory = await newDirectory();
        const text = 'This is a diary and not a database.\n'.repeat(100);
        await writeFile(join(directory, 'admit.db'), text);
        await refusesToStart({DATABASE_URL: inDirectory(directory)}, ['admit.db'], {cwd: directory});
        assert.equal(await readFile(join(directory, 'admit.db'), 'utf8'), text);
        await rm(directory, {recursive: true});
    });

    it('of a newer version is left alone', async () => {
        const directory = await newDirectory();
        await runWell(['migrate'], {env: {DATABASE_URL: inDirectory(directory)}, cwd: directory});
        const version = Number(await sqlite3(directory, 'PRAGMA user_version;'));
        assert.ok(version >= 1, 'the version is in user_version');
        await sqlite3(directory, `PRAGMA user_version = ${version + 1};`);
        const said = await refusesToStart({DATABASE_URL: inDirectory(directory)}, ['newer'], {cwd: directory});
        assert.ok(said.length > 0);
        await rm(directory, {recursive: true});
    });
});

describe('overload', () => {
    it('is answered at once, and what was refused was not done', async () => {
        const server = await start({env: {QUEUE_DEPTH: '1'}});
        const people = [await server.person(), await server.person()];
        const event = await people[0].createEvent({name: 'Overload', capacity: 100_000});
        const answers = await Promise.all(Array.from({length: 300}, (_, index) =>
            people[index % 2].post(`/v1/events/${event.id}/bookings`, {quantity: 1})));
        const booked = answers.filter((answer) => answer.status === 201);
        for (const answer of answers.filter((each) => each.status !== 201)) {
            expect(answer, 503, 'overloaded');
            assert.match(answer.headers['retry-after'], /^\d+$/);
        }
        assert.ok(booked.length > 0);
        assert.equal(expect(await server.nobody.get(`/v1/events/${event.id}/status`), 200).booked, booked.length);
        await server.finish();
    });

    it('is answered before anybody looks who asks, and for what', async () => {
        const server = await start({env: {QUEUE_DEPTH: '1'}});
        const visitor = await server.person();
        const event = await visitor.createEvent({name: 'Overload', capacity: 100_000});
        const path = `/v1/events/${event.id}/bookings`;
        let isOver = false;
        const rush = Promise.all(Array.from({length: 30}, async () => {
            while (!isOver) await visitor.post(path, {quantity: 1});
        }));
        const refused = (ask, usual) => until('a refusal', async () => {
            const answer = await ask();
            expect(answer, [usual, 503]);
            return answer.status === 503;
        });
        await refused(() => server.nobody.post(path, {quantity: 1}), 401);
        await refused(() => visitor.post(path, {quantity: 'many'}), 400);
        isOver = true;
        await rush;
        expect(await server.nobody.post(path, {quantity: 1}), 401);
        await server.finish();
    });
});
