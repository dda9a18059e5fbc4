// SPDX-License-Identifier: Apache-2.0
// Three processes on one database sell one event, as if they were one.
import assert from 'node:assert/strict';
import {after, before, describe, it} from 'node:test';
import {runWell, start} from './lib/admit.mjs';
import {Caller, expect} from './lib/client.mjs';
import {serverKinds} from './lib/databases.mjs';
import {inTurns, until} from './lib/time.mjs';

const PROCESSES = 3;
const PEOPLE = 300;
const TICKETS = 100;
const LEAVERS = 60;

const upTo = (most) => Array.from({length: most}, (_, index) => index + 1);
const ascending = (list) => [...list].sort((a, b) => a - b);
const numbers = (booking) => booking.tickets.map((ticket) => ticket.number);

for (const kind of serverKinds)
    describe(`three processes, one database (${kind})`, () => {
        let servers, organizer, people;
        before(async () => {
            const first = await start({store: kind, admin: true});
            const others = await Promise.all(upTo(PROCESSES - 1).map(() => start({database: first.database})));
            servers = [first, ...others];
            organizer = await first.person();
            people = await first.crowd(PEOPLE);
        });
        after(async () => {
            for (const server of servers?.slice(1) ?? []) await server.finish();
            await servers?.[0].finish();
        });

        /** The same person, at the process of that number. */
        const at = (person, index) => Object.assign(servers[index % PROCESSES].again(person), {token: person.token});
        const statusAt = async (index, event) => expect(await servers[index].nobody.get(`/v1/events/${event.id}/status`), 200);
        const look = (bookings) => inTurns(bookings, 16, ({who, reference}, index) => at(who, index).booking(reference));

        /** The sum of a metric over all processes. */
        async function total(name) {
            let sum = 0;
            for (const server of servers) {
                const {text} = await server.nobody.get('/metrics');
                sum += Number(text.match(new RegExp(`^${name} (\\d+)$`, 'm'))[1]);
            }
            return sum;
        }

        async function prove(event, confirmed, line) {
            const held = await look(confirmed);
            assert.ok(held.every((booking) => booking.status === 'confirmed'));
            assert.deepEqual(ascending(held.flatMap(numbers)), upTo(TICKETS), 'each number is held once');
            const waiting = await look(line);
            assert.deepEqual(waiting.map((booking) => booking.position), upTo(line.length), 'the line keeps its order');
            for (const index of servers.keys())
                await until(`process ${index} to show it`, async () => {
                    const status = await statusAt(index, event);
                    return status.booked === TICKETS && status.waiting === line.length && status.available === 0;
                });
            // Newest first: the order of commit is that of the list, whichever process committed.
            const listed = (await at(organizer, 1).walk(`/v1/events/${event.id}/bookings?status=waiting`, 100)).data;
            assert.deepEqual(listed.map((booking) => booking.reference).reverse(), line.map(({reference}) => reference));
        }

        it(`sell ${TICKETS} tickets to ${PEOPLE} people once, in the order of commit, and no lane has to try again`, async () => {
            const event = await organizer.createEvent({name: 'One for all', capacity: TICKETS});
            const answers = await Promise.all(people.map(async (who, index) => {
                const booking = await at(who, index).book(event.id);
                return {who, booking, reference: booking.reference};
            }));
            assert.equal(new Set(answers.map(({reference}) => reference)).size, PEOPLE);
            const served = answers.filter(({booking}) => booking.status === 'confirmed');
            const line = answers.filter(({booking}) => booking.status === 'waiting').sort((a, b) => a.booking.position - b.booking.position);
            assert.deepEqual([served.length, line.length], [TICKETS, PEOPLE - TICKETS]);
            await prove(event, served, line);

            const [leavers, stayers] = [served.slice(0, LEAVERS), served.slice(LEAVERS)];
            await Promise.all(leavers.map(({who, reference}, index) => at(who, index + 1).cancel(reference)));
            await prove(event, [...stayers, ...line.slice(0, LEAVERS)], line.slice(LEAVERS));
            assert.equal(await total('admit_batch_retries_total'), 0);
            assert.equal(await total('admit_batch_faults_total'), 0);
        });

        it('sell many events at once to people who come and go, and no lane has to try again', async () => {
            const events = await Promise.all(upTo(8).map((number) => organizer.createEvent({name: `Event ${number}`, capacity: 10, max_per_user: 6})));
            await Promise.all(people.slice(0, 120).map(async (who, index) => {
                for (let turn = 0; turn < 4; turn++) {
                    const booking = await at(who, index + turn).book(events[(index + turn) % events.length].id, 1 + (turn % 3));
                    if (turn % 2) await at(who, index).cancel(booking.reference);
                }
            }));
            for (const event of events) {
                const {data} = await organizer.walk(`/v1/events/${event.id}/bookings?status=confirmed`, 100);
                const held = data.flatMap(numbers);
                assert.equal(new Set(held).size, held.length);
                assert.ok(held.length <= 10);
            }
            assert.equal(await total('admit_batch_retries_total'), 0);
            assert.equal(await total('admit_batch_faults_total'), 0);
        });

        it('sell while others follow the journal, and nothing is passed over or told twice', async () => {
            let selling = true;
            // Its end draws many places in the journal at once, and is committed long after other batches.
            const ended = await organizer.createEvent({name: 'Called off', capacity: 1000});
            const lost = await inTurns(upTo(900), 32, async (number) => {
                const who = people[number % PEOPLE];
                return {who, reference: (await at(who, number).book(ended.id)).reference};
            });
            const events = await Promise.all(upTo(6).map((number) => organizer.createEvent({name: `Followed ${number}`, capacity: 30})));
            async function follow(index, limit) {
                const who = at(organizer, index);
                const told = [];
                for (let after = '', wasSelling = true; ;) {
                    const page = expect(await who.get(`/v1/journal?limit=${limit}&after=${after}`), 200);
                    told.push(...page.data);
                    after = page.next_cursor;
                    if (page.caught_up && !wasSelling) return told;
                    if (page.caught_up) wasSelling = selling;
                }
            }
            const followers = [follow(1, 7), follow(2, 100)];
            let calledOff;
            const bookings = (await Promise.all(people.slice(0, 50).map(async (who, index) => {
                const mine = [];
                for (let turn = 0; turn < 9; turn++) {
                    if (turn === 2) calledOff ??= organizer.delete(`/v1/events/${ended.id}`);
                    const {reference} = await at(who, index + turn).book(events[(index + turn) % events.length].id);
                    mine.push({who, reference});
                    if (turn === 1) await at(who, index).cancel(reference);
                }
                return mine;
            }))).flat();
            expect(await calledOff, 200);
            selling = false;
            const [told, again] = await Promise.all(followers);
            const ids = told.map(({id}) => id);
            assert.equal(again.length, told.length);
            assert.ok(again.every(({id}, index) => id === ids[index]), 'both were told the same');
            assert.equal(new Set(ids).size, ids.length);
            await inTurns([...bookings, ...lost], 16, async ({who, reference}, index) => {
                const {data} = expect(await at(who, index).get(`/v1/bookings/${reference}/history`), 200);
                const shown = ({at: time, from, to, quantity, actor_id, reason}) => ({time, from, to, quantity, actor_id, reason});
                assert.deepEqual(told.filter(({booking}) => booking === reference).map(shown), data.map(shown));
            });
        });

        it('what a process has committed it shows at once', async () => {
            const event = await organizer.createEvent({name: 'At once', capacity: TICKETS});
            for (const count of upTo(12)) {
                const index = count % PROCESSES;
                await at(people[count], index).book(event.id);
                assert.equal((await statusAt(index, event)).booked, count);
            }
        });

        it('an Idempotency-Key that comes to all of them at once is one booking', async () => {
            const event = await organizer.createEvent({name: 'Keys', capacity: 20});
            await inTurns(people.slice(0, 40), 10, async (who, index) => {
                const answers = await Promise.all(upTo(PROCESSES).map((each) =>
                    at(who, each).post(`/v1/events/${event.id}/bookings`, {quantity: 1}, {headers: {'Idempotency-Key': `key-${index}`}})));
                const [first, ...others] = answers.map((answer) => expect(answer, [201, 202]));
                for (const other of others) assert.deepEqual(other, first);
                assert.equal(answers.filter((answer) => answer.headers['idempotency-replayed']).length, PROCESSES - 1);
            });
            await until('all to be counted', async () => {
                const status = await statusAt(0, event);
                return status.booked === 20 && status.waiting === 20;
            });
        });

        it('a key that is used for two things at once is refused for one of them', async () => {
            const events = await Promise.all(upTo(2).map((number) => organizer.createEvent({name: `Either ${number}`, capacity: 5})));
            for (const [index, who] of people.slice(0, 10).entries()) {
                const answers = await Promise.all(events.map((event, each) =>
                    at(who, each).post(`/v1/events/${event.id}/bookings`, {quantity: 1}, {headers: {'Idempotency-Key': `either-${index}`}})));
                assert.deepEqual(answers.map((answer) => Math.floor(answer.status / 100)).sort(), [2, 4]);
            }
        });

        it('an e-mail address that registers with all of them at once is one account', async () => {
            for (let turn = 0; turn < 5; turn++) {
                const body = {email: `twice-${turn}@example.org`, name: 'Twice', password: 'correct horse battery'};
                const answers = await Promise.all(servers.map((server) => server.nobody.post('/v1/users', body)));
                assert.deepEqual(answers.map((answer) => answer.status).sort(), [201, 409, 409]);
            }
        });

        it('nobody has more than twenty webhooks, wherever he makes them', async () => {
            const person = await servers[0].person();
            const answers = await Promise.all(upTo(30).map((index) => at(person, index).post('/v1/webhooks', {url: 'https://hook.example.invalid/'})));
            assert.equal(answers.filter((answer) => answer.status === 201).length, 20);
            assert.equal(answers.filter((answer) => answer.body.code === 'too_many').length, 10);
            assert.equal((await at(person, 1).walk('/v1/webhooks', 100)).data.length, 20);
        });

        it('who registers with one is known to the others at once', async () => {
            const newcomer = await servers[0].person({email: 'newcomer@example.org'});
            for (const index of servers.keys()) expect(await at(newcomer, index).get('/v1/me'), 200);
            expect(await servers[1].nobody.post('/v1/sessions', {login: newcomer.email, password: newcomer.password}), 200);
        });

        it('roles that one gives hold at the others', async () => {
            const [person, admin] = [people[0], await servers[0].admin()];
            const sees = async (index) => (await at(person, index).get('/v1/users')).status === 200;
            for (const index of servers.keys()) assert.ok(!(await sees(index)));
            expect(await admin.patch(`/v1/users/${person.id}`, {role: 'admin'}), 200);
            for (const index of servers.keys()) await until(`process ${index} to know the role`, () => sees(index));
            const other = at(admin, 2);
            expect(await other.patch(`/v1/users/${person.id}`, {role: 'user'}), 200);
            for (const index of servers.keys()) await until(`process ${index} to forget the role`, async () => !(await sees(index)));
        });

        it('a sign-out at one ends the tokens at the others', async () => {
            const person = people[1];
            await person.signIn();
            for (const index of servers.keys()) expect(await at(person, index).get('/v1/me'), 200);
            expect(await person.delete('/v1/sessions'), 204);
            expect(await person.get('/v1/me'), 401);
            for (const index of servers.keys())
                await until(`process ${index} to refuse the token`, async () => (await at(person, index).get('/v1/me')).status === 401);
            await person.signIn();
            for (const index of servers.keys()) expect(await at(person, index).get('/v1/me'), 200);
        });

        it('a role that the operator gives at the command line holds while they serve', async () => {
            const person = people[2];
            const sees = async (index) => (await at(person, index).get('/v1/users')).status === 200;
            await runWell(['user', 'role', person.email, 'admin'], {env: {DATABASE_URL: servers[0].database}});
            for (const index of servers.keys()) await until(`process ${index} to know the role`, () => sees(index));
        });

        it('changes of an event show everywhere', async () => {
            const event = await organizer.createEvent({name: 'Before', capacity: 5});
            const nameAt = async (index) => {
                const answer = await new Caller(servers[index]).get(`/v1/events/${event.id}`);
                return answer.status === 200 ? answer.body.name : answer.status;
            };
            for (const index of servers.keys()) assert.equal(await nameAt(index), 'Before');
            expect(await at(organizer, 1).patch(`/v1/events/${event.id}`, {name: 'After'}), 200);
            assert.equal(await nameAt(1), 'After');
            for (const index of servers.keys()) await until(`process ${index} to show the name`, async () => (await nameAt(index)) === 'After');
            expect(await at(organizer, 2).delete(`/v1/events/${event.id}`), 204);
            for (const index of servers.keys()) await until(`process ${index} to show nothing`, async () => (await nameAt(index)) === 404);
        });

        it('all are ready, and show what each lane does', async () => {
            for (const server of servers) {
                expect(await server.nobody.get('/readyz'), 200);
                const {text} = await server.nobody.get('/metrics');
                assert.match(text, /^admit_queue_depth\{queue="lane",lane="1"\} \d+$/m);
                assert.match(text, /^admit_batch_commands_count\{lane="0"\} \d+$/m);
            }
        });

        it('what one has begun another one ends: a process may go at any time', async () => {
            const event = await organizer.createEvent({name: 'Goes on', capacity: 30});
            const going = servers[2];
            let sold = 0;
            await Promise.all(people.slice(0, 60).map(async (who, index) => {
                if (index === 20) await going.kill();
                try {
                    await at(who, index).book(event.id);
                    sold++;
                } catch (error) {
                    if (index % PROCESSES !== 2) throw error; // of the one that is gone
                }
            }));
            servers[2] = await start({database: servers[0].database, directory: going.directory});
            await until('all that was answered to be there', async () => {
                const status = await statusAt(2, event);
                return status.booked + status.waiting >= sold;
            });
        });
    });
