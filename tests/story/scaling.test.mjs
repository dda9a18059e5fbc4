// SPDX-License-Identifier: Apache-2.0
// What docs/scaling.md tells a stranger to type is typed here, with directories and ports of the test's own; and then
// what it promises must hold.
import assert from 'node:assert/strict';
import {mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync} from 'node:fs';
import {rm} from 'node:fs/promises';
import net from 'node:net';
import {join} from 'node:path';
import {after, before, describe, it} from 'node:test';
import {check, inDirectory, newDirectory, PROGRAM, ROOT, run, start} from './lib/admit.mjs';
import {expect} from './lib/client.mjs';
import {serverKinds} from './lib/databases.mjs';
import {startDatabase} from './lib/database_server.mjs';
import {Load, prove, stop} from './lib/outage.mjs';
import {until} from './lib/time.mjs';

const text = readFileSync(join(ROOT, 'docs/scaling.md'), 'utf8');
const isRoot = process.getuid() === 0;

/** The blocks of commands below a heading, up to the next one. */
function blocks(heading) {
    const [, rest] = text.split(`\n${heading}\n`);
    assert.ok(rest, `no "${heading}"`);
    return [...rest.split(/\n##+ /)[0].matchAll(/^```sh\n(.*?)^```$/gms)].map(([, lines]) => lines);
}

/** The text with everything in `own` instead of what stands there; all of it must stand there. */
function made(script, own) {
    for (const [written, instead] of Object.entries(own)) {
        assert.ok(script.includes(written), `${written} is not in\n${script}`);
        script = script.replaceAll(written, instead);
    }
    return script;
}

/** As somebody who is not root, as the database servers want it. */
async function type(script, {env = {}, unprivileged = false} = {}) {
    const shell = ['sh', '-eu', '-c', script];
    const [program, ...args] = unprivileged && isRoot ? ['setpriv', '--reuid=nobody', '--regid=nogroup', '--clear-groups', ...shell] : shell;
    const {code, stdout, stderr} = await run(args, {program, env, seconds: 60});
    assert.equal(code, 0, `${script}\n${stdout}${stderr}`);
    return stdout;
}

function freePort() {
    return new Promise((resolve) => {
        const server = net.createServer().listen(0, '127.0.0.1', () => {
            const {port} = server.address();
            server.close(() => resolve(port));
        });
    });
}

/** A directory with a program named admit, for PATH. */
function programs(directory) {
    const bin = join(directory, 'bin');
    mkdirSync(bin);
    symlinkSync(PROGRAM, join(bin, 'admit'));
    return `${bin}:${process.env.PATH}`;
}

/** The block "each admit", which ends with a server. */
function serve(script, database, PATH) {
    assert.match(script, /^# each admit/);
    const own = made(script, {'admit serve --host 0.0.0.0 --port 8000': 'exec admit serve --host 127.0.0.1 --port 0'});
    return start({database, under: ['sh', '-eu', '-c', own], env: {PATH}});
}

describe('"Several processes on one database"', () => {
    const [postgres, mariadb, each, ...others] = blocks('## Several processes on one database');
    const [move, ...more] = blocks('## Moving');
    const kinds = {
        postgres: {
            kind: 'postgres',
            create: postgres,
            written: 'postgres://admit:secret@db.example.org:5432/admit',
            /** As the user postgres is known where the server runs. */
            env: ({hostname, port, username, password}) =>
                ({PGHOST: hostname, PGPORT: port, PGUSER: username, PGPASSWORD: decodeURIComponent(password), PGDATABASE: 'postgres'}),
        },
        mysql: {
            kind: 'mariadb',
            create: mariadb,
            written: 'mysql://admit:secret@db.example.org:3306/admit',
            env({hostname, port, username, password}, directory) {
                writeFileSync(join(directory, '.my.cnf'), ['[client]', 'protocol=TCP', `host=${hostname}`, `port=${port}`, `user=${username}`,
                    `password="${decodeURIComponent(password)}"`, ''].join('\n'), {mode: 0o600});
                return {HOME: directory};
            },
        },
    };

    it('has no other commands', () => assert.deepEqual([...others, ...more], []));

    for (const name of serverKinds)
        it(`can be typed (${name}): two processes serve what was moved there from a file`, async (t) => {
            const {kind, create, written, env} = kinds[name];
            const directory = await newDirectory();
            const database = await startDatabase(kind);
            t.after(async () => {
                await database.end();
                await rm(directory, {recursive: true});
            });
            const PATH = programs(directory);
            const url = new URL(database.url);
            await type(create, {env: env(url, directory)});
            const own = written.replace(/db\.example\.org:\d+/, url.host);

            // A small box office on one file.
            const file = await start({directory, database: inDirectory(directory)});
            const [organizer, who] = await file.crowd(2);
            const show = await organizer.createEvent({name: 'Moved', capacity: 3});
            const first = await who.book(show.id, 2);
            await file.stop();
            const target = 'postgres://admit:secret@db.example.org/admit';
            const moved = await type(made(move, {'/var/lib/admit': directory, [target]: own}), {env: {PATH}});
            assert.match(moved, /\S/);

            const script = made(each, {'postgres://admit:secret@db.example.org:5432/admit': own});
            const servers = [await serve(script, own, PATH), await serve(script, own, PATH)];
            try {
                assert.deepEqual((await servers[1].again(who).booking(first.reference)).tickets, first.tickets);
                const last = await servers[0].again(who).book(show.id);
                assert.equal(last.status, 'confirmed');
                assert.equal((await servers[1].again(organizer).book(show.id)).status, 'waiting');
                assert.equal((await servers[0].again(who).booking(last.reference)).status, 'confirmed');
            } finally {
                for (const server of servers) await stop(server);
            }
            await check(own);
        });
});

describe('"PostgreSQL with a synchronous standby"', {skip: !serverKinds.includes('postgres') && 'no PostgreSQL'}, () => {
    const [both, first, second, synchronous, each, promote, ...others] = blocks('### PostgreSQL with a synchronous standby');
    const machines = {};
    let directory, servers = [];

    /** Types a block on that machine. */
    const on = (name, script, own = {}) => {
        const {data, port} = machines[name];
        const preamble = made(both, {'/srv/postgres': data, '/usr/lib/postgresql/15/bin': machines.programs});
        return type(preamble + made(script, own), {unprivileged: true, env: {PATH: process.env.PATH, HOME: directory, PGPORT: String(port)}});
    };
    const host = (name) => `127.0.0.1:${machines[name].port}`;

    before(async () => {
        directory = await newDirectory();
        if (isRoot) assert.equal((await run(['nobody:nogroup', directory], {program: 'chown'})).code, 0);
        machines.programs = `/usr/lib/postgresql/${readdirSync('/usr/lib/postgresql').sort().at(-1)}/bin`;
        for (const name of ['db1', 'db2']) machines[name] = {data: join(directory, name), port: await freePort()};
    });
    after(async () => {
        for (const server of servers) await stop(server);
        for (const name of ['db1', 'db2']) await on(name, 'pg_ctl stop --mode=immediate || true');
        await rm(directory, {recursive: true});
    });

    it('can be typed: what was acknowledged is there when the standby takes over, and everybody serves on', async () => {
        assert.deepEqual(others, []);
        assert.match(both, /^# db1 and db2/);
        assert.match(first, /^# db1/);
        await on('db1', first, {"listen_addresses = '*'": "listen_addresses = '127.0.0.1'"});
        assert.match(second, /^# db2/);
        await on('db2', second, {'db1.example.org': host('db1')});
        assert.match(synchronous, /^# db1/);
        await on('db1', synchronous);
        const follows = (name) => until('a standby that is waited for', async () =>
            (await on(name, "psql postgres -Atc 'SELECT sync_state FROM pg_stat_replication'")).trim() === 'sync');
        await follows('db1');

        const path = await newDirectory();
        const PATH = programs(path);
        const url = `postgres://admit:secret@${host('db1')},${host('db2')}/admit?target_session_attrs=read-write`;
        const own = {'db1.example.org': host('db1'), 'db2.example.org': host('db2')};
        for (let i = 0; i < 2; i++) servers.push(await serve(made(each, own), url, PATH));
        const [organizer, ...people] = await servers[0].crowd(9);
        const show = await organizer.createEvent({name: 'Promoted', capacity: 1_000_000});
        const loads = servers.map((server, index) => new Load(server, people.filter((_, each) => each % 2 === index).map((who) => server.again(who)), show));
        for (const load of loads) await load.more(50);

        await on('db1', 'kill -KILL "$(head -n 1 "$PGDATA/postmaster.pid")"');
        await loads[0].refused(organizer);
        assert.match(promote, /^# db2/);
        await on('db2', promote);
        for (const load of loads) await load.more(50);

        // The old one comes back as a standby, as the text says: an empty directory, and the block of db2.
        await until('the old one to be over', () => on('db1', 'pg_ctl status >/dev/null || echo over').then((said) => said.trim() === 'over'));
        await on('db1', 'rm -r "$PGDATA"');
        await on('db1', second, {'db1.example.org': host('db2')});
        await on('db2', synchronous);
        await follows('db2');
        for (const load of loads) await load.more(20);
        for (const load of loads) await load.stop();
        await until('to be ready', async () => (await servers[0].nobody.get('/readyz')).status === 200);
        expect(await servers[1].nobody.get('/healthz'), 200);
        await prove(servers[0], organizer, show, loads.flatMap((load) => load.booked));
        await check(url);
        await rm(path, {recursive: true});
    });
});
