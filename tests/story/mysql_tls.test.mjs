// SPDX-License-Identifier: Apache-2.0
// TLS to MariaDB, as the parameters of the URL say.
import assert from 'node:assert/strict';
import {after, before, describe, it} from 'node:test';
import {join} from 'node:path';
import {check, newDirectory, run, start} from './lib/admit.mjs';
import {serverKinds, statement} from './lib/databases.mjs';
import {startDatabase, startProxy} from './lib/database_server.mjs';
import {Load, database, prove, stop} from './lib/outage.mjs';
import {within} from './lib/time.mjs';

if (serverKinds.includes('mysql'))
    describe('TLS to MariaDB', () => {
        let directory, server;
        const file = (name) => join(directory, name);

        async function certificate(name) {
            const made = await run(['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2', '-subj', '/CN=localhost',
                '-addext', 'subjectAltName=DNS:localhost', '-keyout', file(`${name}.key`), '-out', file(`${name}.pem`)], {program: 'openssl'});
            assert.equal(made.code, 0, made.stderr);
        }

        before(async () => {
            directory = await newDirectory();
            await Promise.all(['own', 'other'].map(certificate));
            if (process.getuid() === 0) assert.equal((await run(['-R', 'nobody', directory], {program: 'chown'})).code, 0);
            server = await startDatabase('mariadb', {settings: [`ssl-cert=${file('own.pem')}`, `ssl-key=${file('own.key')}`]});
            await statement('mysql', "CREATE DATABASE secret; CREATE USER secret@'%' IDENTIFIED BY 'x' REQUIRE SSL; GRANT ALL ON secret.* TO secret@'%'", server.url);
        });
        after(() => server?.end());

        const migrate = (parameters, host = 'localhost') =>
            run(['migrate'], {env: {DATABASE_URL: `mysql://secret:x@${host}:${new URL(server.url).port}/secret${parameters}`}});
        const opens = async (parameters) => {
            const {code, stderr} = await migrate(parameters);
            assert.equal(code, 0, stderr);
        };
        const fails = async (parameters, pattern, host) => {
            const {code, stderr} = await migrate(parameters, host);
            assert.equal(code, 1);
            assert.match(stderr, pattern);
        };

        it('is used where the server has it', async () => {
            await opens('');
            await opens('?ssl-mode=REQUIRED');
            await fails('?ssl-mode=disabled', /does not let the user secret in/);
        });

        it('looks at who the server is where that is wanted', async () => {
            await opens(`?ssl-mode=verify-identity&ssl-ca=${file('own.pem')}`);
            await opens(`?ssl-ca=${file('own.pem')}`);
            await fails(`?ssl-ca=${file('other.pem')}`, /TLS fails.*ssl-ca/);
            await fails('?ssl-mode=VERIFY_IDENTITY', /TLS fails.*ssl-mode/);
            await fails(`?ssl-ca=${file('own.pem')}`, /TLS fails/, '127.0.0.1'); // the certificate does not name it
        });

        it('is not left out where it is required', async () => {
            const plain = new URL(process.env.TEST_MYSQL_URL); // the server of all tests has no certificate
            for (const parameters of ['?ssl-mode=required', `?ssl-ca=${file('own.pem')}`]) {
                plain.search = parameters;
                const {code, stderr} = await run(['migrate'], {env: {DATABASE_URL: plain.href}});
                assert.equal(code, 1);
                assert.match(stderr, /TLS fails/);
            }
        });

        describe('when it fails', () => {
            let proxy, office, organizer, people, direct;
            before(async () => {
                direct = `${await database('mysql', server)}?ssl-mode=required`;
                proxy = await startProxy('mariadb-tls', direct);
                office = await start({database: proxy.url});
                [organizer, ...people] = await office.crowd(7);
            });
            after(async () => {
                if (office) await stop(office);
                await proxy?.end();
                if (direct) await check(direct);
            });

            // The library has an error of its own for it.
            for (const when of ['before', 'after'])
                it(`is cut off during COMMIT, ${when} it came to the database: who sends no key is answered right`, async () => {
                    const show = await organizer.createEvent({name: `Cut ${when}`, capacity: 1000});
                    const booked = [];
                    for (const who of people) {
                        const cut = proxy.cut(when);
                        booked.push({who, reference: (await who.book(show.id)).reference});
                        await cut;
                    }
                    await prove(office, organizer, show, booked);
                });

            it('is with a server that stands still: everybody is answered in bounded time', async () => {
                const show = await organizer.createEvent({name: 'Still', capacity: 1000});
                const load = new Load(office, people, show);
                await load.more(20);
                await server.pause();
                try {
                    await within(60, 'a refusal', load.refused(organizer));
                } finally {
                    await server.resume();
                }
                await load.more(20);
                await load.stop();
                await prove(office, organizer, show, load.booked);
            });
        });
    });
