// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import {rm, stat} from 'node:fs/promises';
import {join} from 'node:path';
import {after, before, describe, it} from 'node:test';
import {inDirectory, newDirectory, PASSWORD, run, runWell, sqlite3, start} from './lib/admit.mjs';
import {expect} from './lib/client.mjs';
import {newDatabase, serverKinds, statement} from './lib/databases.mjs';
import {until} from './lib/time.mjs';

async function fails(args, options, ...words) {
    const {code, signal, stderr} = await run(args, options);
    assert.ok(code > 0, `admit ${args.join(' ')} ended with ${code ?? signal}`);
    for (const word of words) assert.ok(stderr.includes(word), `${word} is not in ${JSON.stringify(stderr)}`);
    return stderr;
}

describe('admit', () => {
    let directory, options;
    before(async () => {
        directory = await newDirectory();
        options = {cwd: directory, env: {DATABASE_URL: inDirectory(directory)}};
    });
    after(() => rm(directory, {recursive: true}));
    const add = (email, ...more) => ['user', 'add', email, ...more];
    const withPassword = (password = PASSWORD) => ({...options, input: `${password}\n`});
    const files = async () => stat(join(directory, 'admit.db')).then(() => true, () => false);

    it('tells its version', async () => {
        assert.match(await runWell(['version'], options), /\b\d+\.\d+\.\d+\b/);
    });

    for (const command of ['serve', 'migrate', 'user', 'user add', 'user role', 'user list', 'backup', 'check', 'move', 'version']) {
        it(`explains "${command}"`, async () => {
            const text = await runWell([...command.split(' '), '--help'], options);
            assert.match(text, new RegExp(`admit ${command}`));
            assert.ok(text.split('\n').length >= 3, text);
            assert.ok(!(await files()), 'and does nothing else');
        });
    }

    it('explains itself', async () => {
        const text = await runWell(['--help'], options);
        for (const command of ['serve', 'migrate', 'user', 'backup', 'check', 'move', 'version']) assert.match(text, new RegExp(`\\b${command}\\b`));
    });

    it('lists every setting with its default', async () => {
        const text = await runWell(['serve', '--help'], options);
        for (const name of ['DATABASE_URL', 'HOST', 'PORT', 'JWT_SECRET', 'TOKEN_TTL', 'RATE_LIMIT', 'OPEN_ORGANIZING', 'CORS_ORIGINS', 'LOG_LEVEL', 'LOG_FORMAT',
            'LOG_FILE', 'TLS_CERT', 'TLS_KEY', 'HTTP_LOOPS', 'LANES', 'READERS', 'QUEUE_DEPTH', 'PUBLIC_URL', 'KEEP_CANCELLED', 'TRUST_PROXY', 'METRICS_TOKEN', 'SANDBOX',
            'SMTP_URL', 'MAIL_FROM', 'MAIL_TEMPLATES', 'REQUIRE_VERIFIED_EMAIL'])
            assert.match(text, new RegExp(`\\b${name}\\b`), name);
        for (const value of ['sqlite:admit.db', '127.0.0.1', '8000', '50/s']) assert.ok(text.includes(value), value);
    });

    it('does not know everything, and says so', async () => {
        await fails(['sell'], options, 'sell');
        await fails(['user', 'sing'], options);
        await fails(['migrate', '--no-such-flag'], options, '--no-such-flag');
        await fails(['backup'], options);
        await fails(['user', 'add'], options);
        assert.ok(!(await files()), 'none of these makes a database');
    });

    it('migrates, as often as one likes', async () => {
        await runWell(['migrate'], options);
        assert.ok(await files());
        await runWell(['migrate'], options);
        await runWell(['check'], options);
    });

    it('adds users, with roles, and lists them', async () => {
        await runWell(add('first@example.org'), withPassword());
        await runWell(add('second@example.org', '--name', 'The Second', '--role', 'admin'), withPassword('another password'));
        const list = await runWell(['user', 'list'], options);
        assert.match(list, /first@example\.org.*\buser\b|\buser\b.*first@example\.org/);
        assert.match(list, /second@example\.org.*\badmin\b|\badmin\b.*second@example\.org/);
        assert.match(list, /The Second/);
        assert.doesNotMatch(list, /argon2|password/i);
    });

    it('refuses users that cannot be', async () => {
        await fails(add('FIRST@example.org'), withPassword());
        await fails(add('no address'), withPassword());
        await fails(add('third@example.org'), withPassword('short'));
        await fails(add('third@example.org'), {...options, input: ''});
        await fails(add('third@example.org', '--role', 'emperor'), withPassword(), 'emperor');
        assert.ok(!(await runWell(['user', 'list'], options)).includes('third@example.org'));
    });

    it('grants roles', async () => {
        await runWell(['user', 'role', 'first@example.org', 'organizer'], options);
        assert.match(await runWell(['user', 'list'], options), /first@example\.org.*\borganizer\b|\borganizer\b.*first@example\.org/);
        await fails(['user', 'role', 'nobody@example.org', 'admin'], options);
        await fails(['user', 'role', 'first@example.org', 'emperor'], options, 'emperor');
    });

    it('makes users who can sign in', async () => {
        const server = await start({directory});
        const signIn = (login, password) => server.nobody.post('/v1/sessions', {login, password});
        assert.equal(expect(await signIn('first@example.org', PASSWORD), 200).user.role, 'organizer');
        const {user, token} = expect(await signIn('second@example.org', 'another password'), 200);
        assert.deepEqual([user.name, user.role], ['The Second', 'admin']);
        expect(await server.nobody.get('/v1/users', {token}), 200);
        await server.stop();
    });
});

describe('admit backup', () => {
    let server, organizer, visitor, event;
    before(async () => {
        server = await start();
        [organizer, visitor] = await server.crowd(2);
        event = await organizer.createEvent({name: 'Kept twice', capacity: 50});
    });
    after(() => server?.finish());

    it('copies while serving, and the copy is whole', async () => {
        const before = [];
        for (let i = 0; i < 60; i++) before.push(await visitor.book(event.id));
        let isDone = false;
        const load = Promise.all([organizer, visitor].map(async (who) => {
            while (!isDone) {
                const booking = await who.book(event.id);
                await who.cancel(booking.reference);
            }
        }));
        const file = join(server.directory, 'copy.db');
        await runWell(['backup', file], {env: {DATABASE_URL: server.database}, cwd: server.directory}).finally(() => (isDone = true));
        await load;
        const copied = {env: {DATABASE_URL: `sqlite:${file}`}, cwd: server.directory};
        await runWell(['check'], copied);

        const other = await start({database: `sqlite:${file}`});
        const again = other.again(visitor);
        for (const booking of before.slice(0, 50)) {
            const copy = await again.booking(booking.reference);
            assert.deepEqual([copy.status, copy.tickets], [booking.status, booking.tickets]);
        }
        assert.equal((await again.booking(before[55].reference)).status, 'waiting');
        await other.finish();
        assert.equal((await visitor.booking(before[0].reference)).status, 'confirmed');
    });

    it('says so when it cannot', async () => {
        const env = {DATABASE_URL: server.database};
        await fails(['backup', join(server.directory, 'no/such/directory/copy.db')], {env, cwd: server.directory}, 'no/such/directory');
        await fails(['backup', 'copy-of-nothing.db'], {env: {DATABASE_URL: `sqlite:${join(server.directory, 'nothing.db')}`}, cwd: server.directory});
    });
});

describe('admit check', () => {
    let directory, event, options;
    before(async () => {
        const server = await start();
        const [organizer, visitor, second] = await server.crowd(3);
        event = await organizer.createEvent({name: 'Checked', capacity: 5, max_per_user: 9});
        const booking = await visitor.book(event.id, 3);
        await visitor.cancel(booking.reference, 1);
        await second.book(event.id, 2);
        await second.book(event.id, 4);
        const other = await organizer.createEvent({name: 'Another', capacity: 5});
        await visitor.cancel((await visitor.book(other.id)).reference);
        await server.stop();
        directory = server.directory;
        options = {env: {DATABASE_URL: server.database}, cwd: directory};
    });
    after(() => directory && rm(directory, {recursive: true}));

    it('finds nothing wrong where nothing is, and prints the figures', async () => {
        const text = await runWell(['check'], options);
        assert.match(text, /\b2\b.*events?|events?.*\b2\b/is);
        assert.match(text, /\b4\b/, 'the tickets that are booked');
    });

    // Each on a copy of its own. The CHECK constraints let all of these pass.
    const breaches = {
        'a ticket that is counted and not there': 'UPDATE ticket_types SET booked = booked - 1 WHERE booked = 4;',
        'a line that is shorter than it says': 'UPDATE ticket_types SET waiting = waiting + 1, wanted = wanted + 1 WHERE waiting = 1;',
        'a journal with a row too few': 'DELETE FROM journal WHERE id = (SELECT max(id) FROM journal);',
        'a booking that lost its tickets': 'UPDATE tickets SET booking_id = NULL, is_booked = 0 WHERE number = 1 AND booking_id IS NOT NULL;',
    };
    for (const [title, statement] of Object.entries(breaches)) {
        it(`finds ${title}`, async () => {
            await sqlite3(directory, `VACUUM INTO '${join(directory, 'breach.db')}';`);
            const changed = await sqlite3(directory, `PRAGMA foreign_keys = OFF; ${statement} SELECT changes();`, 'breach.db');
            assert.equal(changed, '1', 'the breach was made');
            const {code, stdout, stderr} = await run(['check'], {...options, env: {DATABASE_URL: `sqlite:${join(directory, 'breach.db')}`}});
            assert.equal(code, 1, stdout + stderr);
            assert.match(stdout + stderr, /\bevent\b/i);
            await rm(join(directory, 'breach.db'));
        });
    }

    it('leaves what it opens as it is', async () => {
        await runWell(['check'], options);
        const server = await start({directory});
        const status = expect(await server.nobody.get(`/v1/events/${event.id}/status`), 200);
        assert.deepEqual([status.booked, status.waiting], [4, 1]);
        await server.stop();
        await until('the lock to go', async () => (await run(['check'], options)).code === 0, 5);
    });

    it('says so when there is nothing to check', async () => {
        await fails(['check'], {cwd: directory, env: {DATABASE_URL: `sqlite:${join(directory, 'nothing.db')}`}}, 'nothing.db');
    });
});

for (const kind of serverKinds.filter((each) => each === 'postgres')) {
    describe(`admit on ${kind}`, () => {
        let database, options;
        before(async () => {
            database = await newDatabase(kind);
            options = {env: {DATABASE_URL: database.url}};
        });
        after(() => database?.drop());

        it('migrates, adds users, gives roles, lists and checks', async () => {
            await fails(['check'], options, 'admit migrate');
            await runWell(['migrate'], options);
            await runWell(['migrate'], options);
            await runWell(['user', 'add', 'first@example.org'], {...options, input: `${PASSWORD}\n`});
            await runWell(['user', 'role', 'first@example.org', 'admin'], options);
            assert.match(await runWell(['user', 'list'], options), /admin\tfirst@example\.org/);
            assert.match(await runWell(['check'], options), /users +1\n[^]*All rules hold/);
        });

        it('names the tool that makes backups', async () => {
            await fails(['backup', 'never-written.db'], options, 'pg_dump');
        });

        it('warns by name of what may lose bookings', async () => {
            const name = new URL(database.url).pathname.slice(1);
            const before = (await run(['migrate'], options)).stderr;
            assert.doesNotMatch(before, /synchronous_commit/);
            await statement(kind, `ALTER DATABASE ${name} SET synchronous_commit = off`);
            assert.match((await run(['migrate'], options)).stderr, /warn.*synchronous_commit/);
        });

        it('never shows the password', async () => {
            const url = new URL(database.url);
            url.password = 'never shown';
            const text = await fails(['migrate'], {env: {DATABASE_URL: url.href}}, 'password');
            assert.ok(!text.includes('never'), text);
        });
    });
}
