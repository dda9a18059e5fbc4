// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import {before, describe, it} from 'node:test';
import {onEachStore} from './lib/admit.mjs';
import {expect, expectInvalid} from './lib/client.mjs';
import {inDays} from './lib/time.mjs';

const counters = ({capacity, booked, held, available, waiting}) => ({capacity, booked, held, available, waiting});

onEachStore('events', {}, (server) => {
    let organizer, visitor;
    before(async () => {
        organizer = await server().person();
        visitor = await server().person();
    });
    const status = async (id) => expect(await server().nobody.get(`/v1/events/${id}/status`), 200);

    describe('creating', () => {
        it('keeps every field of the long form', async () => {
            const sent = {
                name: 'Summer <i>concert</i>', description: 'Bring a blanket.\nAnd\ta friend.', venue: 'Town park',
                starts_at: inDays(30), ends_at: inDays(31), timezone: 'Europe/Berlin', currency: 'CHF', status: 'on_sale', max_per_user: 8,
                ticket_types: [
                    {name: 'Lawn', capacity: 100, price: 2500, max_per_booking: 4, sales_start: inDays(1), sales_end: inDays(29)},
                    {name: 'Seats', capacity: 20},
                ],
            };
            const answer = await organizer.post('/v1/events', sent);
            const event = expect(answer, 201);
            for (const name of ['name', 'description', 'venue', 'starts_at', 'ends_at', 'timezone', 'currency', 'status', 'max_per_user'])
                assert.equal(event[name], sent[name], name);
            assert.equal(event.organizer_id, organizer.id);
            assert.equal(answer.headers.location, `/v1/events/${event.id}`);
            assert.ok(answer.headers.etag);
            assert.deepEqual(counters(event), {capacity: 120, booked: 0, held: 0, available: 120, waiting: 0});
            const [lawn, seats] = event.ticket_types;
            assert.deepEqual(lawn, {id: lawn.id, ...sent.ticket_types[0], booked: 0, held: 0, available: 100, waiting: 0});
            assert.deepEqual(seats, {
                id: seats.id, name: 'Seats', capacity: 20, booked: 0, held: 0, available: 20, waiting: 0,
                price: 0, max_per_booking: null, sales_start: null, sales_end: null,
            });
            assert.deepEqual(expect(await server().nobody.get(`/v1/events/${event.id}`), 200), event);
        });

        it('makes one type of the short form, and has its defaults', async () => {
            const event = await organizer.createEvent({name: 'Open evening', capacity: 30, price: 500});
            assert.equal(event.ticket_types.length, 1);
            assert.equal(event.ticket_types[0].name, 'General admission');
            assert.equal(event.ticket_types[0].price, 500);
            const {description, venue, starts_at, ends_at, timezone, currency, status, max_per_user} = event;
            assert.deepEqual({description, venue, starts_at, ends_at, timezone, currency, status, max_per_user}, {
                description: '', venue: '', starts_at: null, ends_at: null, timezone: 'UTC', currency: 'EUR',
                status: 'on_sale', max_per_user: null,
            });
        });

        it('takes times with any offset and answers in UTC', async () => {
            const day = inDays(40).slice(0, 10);
            const event = await organizer.createEvent({name: 'Offset', capacity: 1, starts_at: `${day}T10:30:00+05:30`});
            assert.equal(event.starts_at, `${day}T05:00:00Z`);
        });

        it('is for those who are signed in', async () => {
            expect(await server().nobody.post('/v1/events', {name: 'Nobody\'s', capacity: 1}), 401, 'unauthorized');
        });

        it('names every bad field, also inside the ticket types', async () => {
            const answer = await organizer.post('/v1/events', {
                name: 5, starts_at: 'tomorrow', timezone: 'Mars/Olympus', currency: 'euro', status: 'cancelled', max_per_user: 0, colour: 'red',
                ticket_types: [{name: 'Good', capacity: 5}, {capacity: -5, price: 2.6, max_per_booking: 'abc', sale: true}],
            });
            expectInvalid(answer, '/name', '/starts_at', '/timezone', '/currency', '/status', '/max_per_user', '/colour',
                '/ticket_types/1/name', '/ticket_types/1/capacity', '/ticket_types/1/price', '/ticket_types/1/max_per_booking',
                '/ticket_types/1/sale');
        });

        const bad = {
            'no capacity at all': {},
            'both forms at once': {capacity: 5, ticket_types: [{name: 'A', capacity: 5}]},
            'a price without its capacity': {price: 5, ticket_types: [{name: 'A', capacity: 5}]},
            'no ticket types': {ticket_types: []},
            'too many ticket types': {ticket_types: Array.from({length: 51}, (_, i) => ({name: `T${i}`, capacity: 1}))},
            'a start in the past': {capacity: 5, starts_at: '2001-01-01T10:00:00Z'},
            'an end before the start': {capacity: 5, starts_at: inDays(5), ends_at: inDays(4)},
            'an end without a start': {capacity: 5, ends_at: inDays(4)},
            'an impossible day': {capacity: 5, starts_at: `${inDays(400).slice(0, 4)}-02-30T10:00:00Z`},
            'a day without a time': {capacity: 5, starts_at: inDays(5).slice(0, 10)},
            'a sale that ends before it starts': {ticket_types: [{name: 'A', capacity: 5, sales_start: inDays(3), sales_end: inDays(2)}]},
            'more than ten million tickets': {capacity: 10_000_001},
            'a price beyond all bounds': {capacity: 5, price: 1_000_000_000_001},
        };
        for (const [title, fields] of Object.entries(bad)) {
            it(`refuses ${title}`, async () => {
                expect(await organizer.post('/v1/events', {name: 'Refused thing', ...fields}), 400, 'invalid');
                assert.deepEqual(expect(await organizer.get('/v1/events?q=refused'), 200).data, [], 'nothing was made of it');
            });
        }

        it('takes the greatest event there may be', async () => {
            const ticket_types = Array.from({length: 50}, (_, i) => ({name: `Block ${i}`, capacity: 10_000_000, price: 1_000_000_000_000}));
            const event = await organizer.createEvent({name: '🎪'.repeat(200), description: 'x'.repeat(10_000), venue: 'v'.repeat(200), ticket_types});
            assert.equal(event.capacity, 500_000_000);
            assert.equal(event.ticket_types.length, 50);
            assert.equal((await status(event.id)).available, 500_000_000);
        });
    });

    describe('finding', () => {
        let finder, events;
        const ids = async (query, who = server().nobody) =>
            expect(await who.get(`/v1/events?organizer=${finder.id}&limit=100&${query}`), 200).data.map((event) => event.id);
        const only = (...names) => names.map((name) => events[name].id);

        before(async () => {
            finder = await server().person();
            const make = (fields) => finder.createEvent({capacity: 2, ...fields});
            events = {
                jazz: await make({name: 'Blue Jazz Night', venue: 'Cellar Club', description: 'saxophone', starts_at: inDays(10)}),
                opera: await make({name: 'Grand Opera', venue: 'Opera House', description: 'tenor and blue curtains', starts_at: inDays(20)}),
                fair: await make({name: 'Autumn Fair', venue: 'Blue Meadow', starts_at: inDays(5), timezone: 'Pacific/Auckland'}),
                always: await make({name: 'Zoo', venue: 'Animal park'}),
                draft: await make({name: 'Blue secret', status: 'draft', starts_at: inDays(15)}),
            };
        });

        it('goes by words in name, description and venue, in any case and by their beginnings', async () => {
            assert.deepEqual(await ids('q=blue'), only('fair', 'jazz', 'opera'));
            assert.deepEqual(await ids('q=BLUE'), only('fair', 'jazz', 'opera'));
            assert.deepEqual(await ids('q=saxo'), only('jazz'));
            assert.deepEqual(await ids('q=blue+opera'), only('opera'));
            assert.deepEqual(await ids('q=blue+zoo'), []);
        });

        it('goes by name and by venue alone', async () => {
            assert.deepEqual(await ids('name=blue'), only('jazz'));
            assert.deepEqual(await ids('name=opera'), only('opera'));
            assert.deepEqual(await ids('venue=blue'), only('fair'));
            assert.deepEqual(await ids('venue=park'), only('always'));
            assert.deepEqual(await ids('venue=cellar&name=opera'), []);
        });

        it('goes by the day in the time zone of the event', async () => {
            // 19:00 UTC is the next morning in Auckland.
            const [utc, there] = [inDays(5).slice(0, 10), inDays(6).slice(0, 10)];
            assert.deepEqual(await ids(`date=${there}`), only('fair'));
            assert.deepEqual(await ids(`date=${utc}`), []);
            assert.deepEqual(await ids(`date=${inDays(10).slice(0, 10)}`), only('jazz'));
        });

        it('goes by time: from the first moment, and before the last', async () => {
            assert.deepEqual(await ids(`from=${inDays(10)}`), only('jazz', 'opera'));
            assert.deepEqual(await ids(`to=${inDays(10)}`), only('fair'));
            assert.deepEqual(await ids(`from=${inDays(5)}&to=${inDays(20)}`), only('fair', 'jazz'));
        });

        it('sorts by start, either way, and by name; what never starts comes last', async () => {
            assert.deepEqual(await ids(''), only('fair', 'jazz', 'opera', 'always'));
            assert.deepEqual(await ids('sort=starts_at'), only('fair', 'jazz', 'opera', 'always'));
            assert.deepEqual(await ids('sort=-starts_at'), only('opera', 'jazz', 'fair', 'always'));
            assert.deepEqual(await ids('sort=name'), only('fair', 'jazz', 'opera', 'always'));
        });

        it('shows drafts to those who manage them only', async () => {
            assert.deepEqual(await ids('status=draft'), []);
            assert.deepEqual(await ids('status=draft', visitor), []);
            assert.deepEqual(await ids('status=draft', finder), only('draft'));
            assert.deepEqual(await ids('sort=starts_at', finder), only('fair', 'jazz', 'draft', 'opera', 'always'));
        });

        it('leaves out on demand what is sold out, and goes by state', async () => {
            const full = await finder.createEvent({name: 'Full house', capacity: 1});
            const closed = await finder.createEvent({name: 'Closed house', capacity: 1});
            await visitor.book(full.id);
            expect(await finder.patch(`/v1/events/${closed.id}`, {status: 'closed'}), 200);
            assert.ok((await ids('')).includes(full.id));
            assert.ok(!(await ids('available=true')).includes(full.id));
            assert.ok((await ids('available=true')).includes(events.jazz.id));
            assert.deepEqual(await ids('status=closed'), [closed.id]);
            assert.ok(!(await ids('status=on_sale')).includes(closed.id));
        });

        it('walks page by page, each event once and in order, with Link and without an end beyond the end', async () => {
            const walker = await server().person();
            for (let i = 0; i < 10; i++) // the same starts and names several times: ties must not lose anybody
                await walker.createEvent({name: `Walk ${i % 3}`, capacity: 1, ...(i % 4 === 0 ? {} : {starts_at: inDays(5 + (i % 2))})});
            for (const sort of ['starts_at', '-starts_at', 'name']) {
                const path = `/v1/events?organizer=${walker.id}&sort=${sort}`;
                const whole = expect(await server().nobody.get(`${path}&limit=100`), 200).data.map((event) => event.id);
                assert.equal(new Set(whole).size, 10);
                const {data, pages} = await server().nobody.walk(path, 3);
                assert.deepEqual(data.map((event) => event.id), whole, sort);
                assert.equal(pages, 4, sort);
            }
            const first = await server().nobody.get(`/v1/events?organizer=${walker.id}&limit=6`);
            const next = /<([^>]+)>; *rel="?next"?/.exec(first.headers.link)?.[1];
            assert.ok(next, `Link: ${first.headers.link}`);
            const address = new URL(next, server().url);
            const second = await server().nobody.get(address.pathname + address.search);
            assert.equal(expect(second, 200).data.length, 4);
            assert.equal(second.body.next_cursor, null);
            assert.equal(second.headers.link, undefined);
        });

        it('keeps its place while events come and go', async () => {
            const walker = await server().person();
            const made = [];
            for (let i = 0; i < 6; i++) made.push(await walker.createEvent({name: `M${i}`, capacity: 1}));
            const path = `/v1/events?organizer=${walker.id}&sort=name&limit=2`;
            const first = expect(await server().nobody.get(path), 200);
            await walker.createEvent({name: 'A new one before', capacity: 1});
            expect(await walker.delete(`/v1/events/${made[1].id}`), 204);
            const second = expect(await server().nobody.get(`${path}&cursor=${encodeURIComponent(first.next_cursor)}`), 200);
            assert.deepEqual(second.data.map((event) => event.name), ['M2', 'M3']);
        });

        it('shows what GET shows, whatever happens to the events', async () => {
            const word = `ledger${organizer.id}`;
            const made = [];
            for (let i = 0; i < 4; i++) made.push(await organizer.createEvent({name: `${word} ${i}`, capacity: 3, starts_at: inDays(20 + i)}));
            const [first, second, third, fourth] = made.map(({id}) => id);
            const agrees = async (...expected) => {
                for (const person of [visitor, organizer]) {
                    const {data} = expect(await person.get(`/v1/events?q=${word}`), 200);
                    assert.deepEqual(data.map(({id}) => id), person === organizer ? expected.flat() : expected.filter((id) => !Array.isArray(id)));
                    for (const event of data) assert.deepEqual(event, expect(await person.get(`/v1/events/${event.id}`), 200));
                }
            };
            const change = async (id, fields) => expect(await organizer.patch(`/v1/events/${id}`, fields), 200);
            await agrees(first, second, third, fourth);
            const booking = await visitor.book(second, 2);
            await agrees(first, second, third, fourth);
            await change(third, {status: 'draft', venue: 'Not yet told'}); // those in brackets only its organizer sees
            await agrees(first, second, [third], fourth);
            expect(await visitor.post(`/v1/bookings/${booking.reference}/cancel`), 200);
            await change(first, {starts_at: inDays(30)});
            await agrees(second, [third], fourth, first);
            await change(fourth, {name: 'Renamed'});
            await change(third, {status: 'on_sale'});
            await agrees(second, third, first);
            expect(await organizer.delete(`/v1/events/${first}`), 204);
            await agrees(second, third);
            await visitor.book(second, 3);
            await agrees(second, third);
            const {data} = expect(await visitor.get(`/v1/events?q=${word}&available=true`), 200);
            assert.deepEqual(data.map(({id}) => id), [third]);
        });

        it('gives 20 unless told otherwise', async () => {
            const many = await server().person();
            for (let i = 0; i < 21; i++) await many.createEvent({name: `N${i}`, capacity: 1});
            const page = expect(await server().nobody.get(`/v1/events?organizer=${many.id}`), 200);
            assert.equal(page.data.length, 20);
            assert.ok(page.next_cursor);
        });

        it('may be kept for a second by caches when asked by nobody in particular', async () => {
            const open = await server().nobody.get('/v1/events');
            assert.match(open.headers['cache-control'], /\bpublic\b.*\bmax-age=1\b/);
            const mine = await finder.get('/v1/events');
            assert.doesNotMatch(mine.headers['cache-control'], /\bpublic\b/);
        });
    });

    describe('versions', () => {
        it('spare one an event one has, and show one what changed', async () => {
            const event = await organizer.createEvent({name: 'Versions', capacity: 5});
            const path = `/v1/events/${event.id}`;
            const first = await server().nobody.get(path);
            const same = await server().nobody.get(path, {headers: {'If-None-Match': first.headers.etag}});
            expect(same, 304);
            assert.equal(same.text, '');
            assert.equal(same.headers.etag, first.headers.etag);
            expect(await server().nobody.get(path, {headers: {'If-None-Match': `"other", ${first.headers.etag}`}}), 304);

            // What is left is part of the event: a sale must show.
            await visitor.book(event.id, 2);
            const sold = await server().nobody.get(path, {headers: {'If-None-Match': first.headers.etag}});
            assert.equal(expect(sold, 200).available, 3);
        });

        it('keep two managers from overwriting one another', async () => {
            const event = await organizer.createEvent({name: 'Two managers', capacity: 5});
            const path = `/v1/events/${event.id}`;
            const {etag} = (await organizer.get(path)).headers;
            const changed = await organizer.patch(path, {venue: 'Here'}, {headers: {'If-Match': etag}});
            expect(changed, 200);
            assert.notEqual(changed.headers.etag, etag);
            expect(await organizer.patch(path, {venue: 'There'}, {headers: {'If-Match': etag}}), 412, 'stale');
            assert.equal(expect(await organizer.get(path), 200).venue, 'Here');
            expect(await organizer.patch(path, {venue: 'There'}, {headers: {'If-Match': changed.headers.etag}}), 200);
            expect(await organizer.patch(path, {venue: 'Anywhere'}, {headers: {'If-Match': '*'}}), 200);
        });

        it('let one of several managers win who write at once', async () => {
            const event = await organizer.createEvent({name: 'Race of managers', capacity: 5});
            const path = `/v1/events/${event.id}`;
            const {etag} = (await organizer.get(path)).headers;
            const answers = await Promise.all([...'abcdef'].map((letter) =>
                organizer.patch(path, {venue: letter}, {headers: {'If-Match': etag}})));
            assert.deepEqual(answers.map((answer) => answer.status).sort(), [200, 412, 412, 412, 412, 412]);
        });

        it('are not moved by sales, or nobody could edit an event in a rush', async () => {
            const event = await organizer.createEvent({name: 'Edited in a rush', capacity: 5});
            const path = `/v1/events/${event.id}`;
            const {etag} = (await organizer.get(path)).headers;
            await visitor.book(event.id);
            expect(await organizer.patch(path, {venue: 'Here'}, {headers: {'If-Match': etag}}), 200);
        });
    });

    describe('changing', () => {
        it('changes every field, and leaves the others', async () => {
            const event = await organizer.createEvent({name: 'Before', capacity: 5});
            const path = `/v1/events/${event.id}`;
            let expected = event;
            const changes = [
                {name: 'After'}, {description: 'Long text'}, {venue: 'Somewhere'}, {starts_at: inDays(8)}, {ends_at: inDays(9)},
                {timezone: 'America/New_York'}, {currency: 'USD'}, {status: 'closed'}, {status: 'on_sale'}, {max_per_user: 4},
                {ends_at: null}, {starts_at: null}, {max_per_user: null}, {description: '', venue: ''},
            ];
            for (const change of changes) {
                const changed = expect(await organizer.patch(path, change), 200);
                expected = {...expected, ...change, updated_at: changed.updated_at};
                assert.deepEqual(changed, expected, JSON.stringify(change));
                assert.ok(Date.parse(changed.updated_at) >= Date.parse(event.updated_at));
            }
            assert.deepEqual(expect(await server().nobody.get(path), 200), expected);
        });

        it('changes every field of a ticket type', async () => {
            const event = await organizer.createEvent({name: 'Types', capacity: 5});
            const path = `/v1/events/${event.id}`;
            const [{id}] = event.ticket_types;
            let expected = event.ticket_types[0];
            const changes = [
                {name: 'Early bird'}, {price: 700}, {max_per_booking: 2}, {sales_start: inDays(1)}, {sales_end: inDays(2)},
                {sales_end: null}, {sales_start: null}, {max_per_booking: null}, {capacity: 9}, {capacity: 0}, {capacity: 3},
            ];
            for (const change of changes) {
                const changed = expect(await organizer.patch(path, {ticket_types: [{id, ...change}]}), 200);
                expected = {...expected, ...change};
                expected.available = expected.capacity;
                assert.deepEqual(changed.ticket_types, [expected], JSON.stringify(change));
                assert.equal(changed.capacity, expected.capacity);
            }
        });

        it('adds a ticket type', async () => {
            const event = await organizer.createEvent({name: 'One more', capacity: 5});
            const changed = expect(await organizer.patch(`/v1/events/${event.id}`, {ticket_types: [{name: 'Balcony', capacity: 7, price: 4000}]}), 200);
            assert.deepEqual(changed.ticket_types.map((type) => [type.name, type.capacity, type.price]),
                [['General admission', 5, 0], ['Balcony', 7, 4000]]);
            assert.equal(changed.capacity, 12);
            const balcony = changed.ticket_types[1].id;
            const booking = await visitor.book(event.id, {quantity: 1, ticket_type_id: balcony});
            assert.deepEqual(booking.ticket_type, {id: balcony, name: 'Balcony'});
            expectInvalid(await organizer.patch(`/v1/events/${event.id}`, {ticket_types: [{name: 'No capacity'}]}), '/ticket_types/0/capacity');
        });

        it('knows only the ticket types of the event', async () => {
            const event = await organizer.createEvent({name: 'Mine', capacity: 5});
            const other = await organizer.createEvent({name: 'Other', capacity: 5});
            for (const id of [other.ticket_types[0].id, 99_999_999])
                expect(await organizer.patch(`/v1/events/${event.id}`, {ticket_types: [{id, capacity: 50}]}), 404, 'no_such_ticket_type');
            assert.equal((await status(other.id)).available, 5);
        });

        it('does all of it or nothing', async () => {
            const event = await organizer.createEvent({name: 'Whole', ticket_types: [{name: 'A', capacity: 5}, {name: 'B', capacity: 5}]});
            const [a, b] = event.ticket_types;
            await visitor.book(event.id, {quantity: 4, ticket_type_id: b.id});
            const answer = await organizer.patch(`/v1/events/${event.id}`, {
                name: 'Half', ticket_types: [{id: a.id, capacity: 50}, {id: b.id, capacity: 3}, {name: 'C', capacity: 1}],
            });
            expect(answer, 409, 'capacity_below_booked');
            const now = expect(await server().nobody.get(`/v1/events/${event.id}`), 200);
            assert.equal(now.name, 'Whole');
            assert.deepEqual(now.ticket_types.map((type) => type.capacity), [5, 5]);
        });

        it('keeps its counters when the same ticket type comes twice in one change', async () => {
            const event = await organizer.createEvent({name: 'Twice', capacity: 2});
            const [{id}] = event.ticket_types;
            await visitor.book(event.id, 1);
            const line = await visitor.book(event.id, 2);
            const answer = await organizer.patch(`/v1/events/${event.id}`, {ticket_types: [{id, capacity: 3}, {id, capacity: 4}]});
            expect(answer, [200, 400]);
            const now = await status(event.id);
            const isServed = (await visitor.booking(line.reference)).status === 'confirmed';
            assert.equal(isServed, answer.status === 200);
            assert.deepEqual(counters(now.ticket_types[0]), isServed
                ? {capacity: 4, booked: 3, held: 0, available: 1, waiting: 0}
                : {capacity: 2, booked: 1, held: 0, available: 1, waiting: 1});
        });

        it('is for those who manage the event', async () => {
            const event = await organizer.createEvent({name: 'Hands off', capacity: 5});
            const path = `/v1/events/${event.id}`;
            expect(await visitor.patch(path, {name: 'Mine now'}), 403, 'forbidden');
            expect(await visitor.delete(path), 403, 'forbidden');
            for (const list of ['bookings', 'bookings.csv', 'tickets']) expect(await visitor.get(`${path}/${list}`), 403, 'forbidden');
            expect(await server().nobody.patch(path, {name: 'Nobody\'s'}), 401, 'unauthorized');
            assert.equal(expect(await server().nobody.get(path), 200).name, 'Hands off');
        });

        it('refuses nonsense', async () => {
            const event = await organizer.createEvent({name: 'No nonsense', capacity: 5});
            const path = `/v1/events/${event.id}`;
            expectInvalid(await organizer.patch(path, {name: null, status: 'cancelled', capacity: 9, timezone: '', organizer_id: 1}),
                '/name', '/status', '/capacity', '/timezone', '/organizer_id');
            expect(await organizer.patch(path, {starts_at: '2001-01-01T00:00:00Z'}), 400, 'invalid');
            expect(await organizer.patch(path, {starts_at: inDays(5), ends_at: inDays(4)}), 400, 'invalid');
            assert.deepEqual(expect(await server().nobody.get(path), 200), event);
        });
    });

    describe('capacity', () => {
        it('serves the line when it is raised, in order, in the same moment', async () => {
            const event = await organizer.createEvent({name: 'Grows', capacity: 2});
            const [{id}] = event.ticket_types;
            await visitor.book(event.id);
            const line = [];
            for (let i = 0; i < 4; i++) line.push(await visitor.book(event.id, 2));
            const raised = expect(await organizer.patch(`/v1/events/${event.id}`, {ticket_types: [{id, capacity: 6}]}), 200);
            assert.deepEqual(counters(raised), {capacity: 6, booked: 5, held: 0, available: 1, waiting: 2});
            const states = [];
            for (const {reference} of line) states.push((await visitor.booking(reference)).status);
            assert.deepEqual(states, ['confirmed', 'confirmed', 'waiting', 'waiting']);
            assert.deepEqual((await visitor.booking(line[1].reference)).tickets, [{number: 4}, {number: 5}]);
        });

        it('keeps what is free for the head of the line', async () => {
            const event = await organizer.createEvent({name: 'Patience', capacity: 3});
            const [{id}] = event.ticket_types;
            await visitor.book(event.id, 3);
            const head = await visitor.book(event.id, 3);
            const small = await visitor.book(event.id, 1);
            const raise = async (capacity) => expect(await organizer.patch(`/v1/events/${event.id}`, {ticket_types: [{id, capacity}]}), 200);
            assert.deepEqual(counters(await raise(5)), {capacity: 5, booked: 3, held: 0, available: 2, waiting: 2});
            // Two are free, and still one who comes now stands behind.
            assert.equal((await visitor.book(event.id, 1)).position, 3);
            assert.deepEqual(counters(await raise(6)), {capacity: 6, booked: 6, held: 0, available: 0, waiting: 2});
            assert.equal((await visitor.booking(head.reference)).status, 'confirmed');
            assert.equal((await visitor.booking(small.reference)).position, 1);
        });

        it('cannot go below what is booked, but down to it', async () => {
            const event = await organizer.createEvent({name: 'Shrinks', capacity: 9});
            const [{id}] = event.ticket_types;
            await visitor.book(event.id, 4);
            const set = (capacity) => organizer.patch(`/v1/events/${event.id}`, {ticket_types: [{id, capacity}]});
            expect(await set(3), 409, 'capacity_below_booked');
            assert.equal((await status(event.id)).available, 5);
            assert.deepEqual(counters(expect(await set(4), 200)), {capacity: 4, booked: 4, held: 0, available: 0, waiting: 0});
            assert.equal((await visitor.book(event.id, 1)).status, 'waiting');
        });
    });

    describe('states', () => {
        it('a closed event sells nothing until it is open again', async () => {
            const event = await organizer.createEvent({name: 'Doors', capacity: 5});
            const path = `/v1/events/${event.id}`;
            expect(await organizer.patch(path, {status: 'closed'}), 200);
            expect(await visitor.post(`${path}/bookings`, {quantity: 1}), 409, 'not_on_sale');
            expect(await organizer.patch(path, {status: 'on_sale'}), 200);
            assert.equal((await visitor.book(event.id)).status, 'confirmed');
        });

        it('a draft is not there for others, and they cannot tell it from what never was', async () => {
            const draft = await organizer.createEvent({name: 'Unheard of', capacity: 5, status: 'draft'});
            const never = 88_888_888;
            const calls = [
                ['GET', ''], ['GET', '/status'], ['GET', '/bookings'], ['GET', '/bookings.csv'], ['GET', '/tickets'],
                ['POST', '/bookings', {quantity: 1}], ['PATCH', '', {name: 'Guess'}], ['DELETE', ''],
            ];
            for (const [method, tail, body] of calls) {
                const ask = (id) => visitor.call(method, `/v1/events/${id}${tail}`, {body});
                const [hidden, nothing] = [await ask(draft.id), await ask(never)];
                expect(hidden, 404, 'no_such_event');
                assert.deepEqual({...hidden.body, request_id: ''}, {...nothing.body, request_id: ''}, `${method} ${tail}`);
            }
            for (const path of [`/v1/events/${draft.id}`, `/v1/events/${draft.id}/status`, `/status/${draft.id}`])
                expect(await server().nobody.get(path), 404);
            for (const path of ['/book', '/cancel']) expect(await visitor.post(path, {eventId: draft.id}), 404, 'no_such_event');

            assert.equal(expect(await organizer.get(`/v1/events/${draft.id}`), 200).status, 'draft');
            expect(await organizer.get(`/v1/events/${draft.id}/status`), 200);
            expect(await organizer.patch(`/v1/events/${draft.id}`, {status: 'on_sale'}), 200);
            assert.equal((await visitor.book(draft.id)).status, 'confirmed');
        });

        it('an event that nobody ever booked is gone when it is deleted', async () => {
            const event = await organizer.createEvent({name: 'Gone', capacity: 5});
            expect(await organizer.delete(`/v1/events/${event.id}`), 204);
            expect(await organizer.get(`/v1/events/${event.id}`), 404, 'no_such_event');
            expect(await organizer.get(`/v1/events/${event.id}/status`), 404, 'no_such_event');
            expect(await organizer.delete(`/v1/events/${event.id}`), 404, 'no_such_event');
            expect(await visitor.post(`/v1/events/${event.id}/bookings`, {quantity: 1}), 404, 'no_such_event');
            const next = await organizer.createEvent({name: 'Another', capacity: 5});
            assert.ok(next.id > event.id, 'an id is never used again');
        });

        it('an event with bookings is cancelled, and every booking with it', async () => {
            const event = await organizer.createEvent({name: 'Rained off', capacity: 3, price: 1000});
            const booked = await visitor.book(event.id, 2);
            const waiting = await visitor.book(event.id, 2);
            const given = await visitor.book(event.id, 1);
            await visitor.cancel(given.reference);
            const answer = expect(await organizer.delete(`/v1/events/${event.id}`), 200);
            assert.equal(answer.status, 'cancelled');
            assert.deepEqual(counters(answer), {capacity: 3, booked: 0, held: 0, available: 3, waiting: 0});
            assert.equal((await status(event.id)).status, 'cancelled');

            for (const {reference, quantity} of [booked, waiting]) {
                const now = await visitor.booking(reference);
                assert.equal(now.status, 'cancelled');
                assert.deepEqual([now.quantity, now.tickets, now.total], [quantity, [], 0]);
                assert.equal(now.event.status, 'cancelled');
                const history = expect(await visitor.get(`/v1/bookings/${reference}/history`), 200).data;
                assert.equal(history.at(-1).to, 'cancelled');
                assert.equal(history.at(-1).by, 'manager');
            }
            const tickets = expect(await organizer.get(`/v1/events/${event.id}/tickets`), 200).data;
            assert.deepEqual(tickets.map((ticket) => [ticket.number, ticket.booked, ticket.holder]), [[1, false, null], [2, false, null]]);

            expect(await visitor.post(`/v1/events/${event.id}/bookings`, {quantity: 1}), 409, ['not_on_sale', 'event_cancelled']);
            expect(await visitor.delete(`/v1/bookings/${booked.reference}`), 409, 'already_cancelled');
            expect(await organizer.patch(`/v1/events/${event.id}`, {status: 'on_sale'}), 409, 'event_cancelled');
            expect(await organizer.delete(`/v1/events/${event.id}`), [200, 409]);
        });

        it('an event whose only booking was given back is cancelled, not gone', async () => {
            const event = await organizer.createEvent({name: 'Once booked', capacity: 3});
            await visitor.cancel((await visitor.book(event.id)).reference);
            assert.equal(expect(await organizer.delete(`/v1/events/${event.id}`), 200).status, 'cancelled');
        });
    });

    it('the status agrees with the event, type by type', async () => {
        const event = await organizer.createEvent({name: 'Agreement', ticket_types: [{name: 'A', capacity: 2}, {name: 'B', capacity: 3}]});
        const [a, b] = event.ticket_types;
        await visitor.book(event.id, {quantity: 2, ticket_type_id: a.id});
        await visitor.book(event.id, {quantity: 1, ticket_type_id: a.id});
        await visitor.book(event.id, {quantity: 1, ticket_type_id: b.id});
        const whole = expect(await server().nobody.get(`/v1/events/${event.id}`), 200);
        const brief = await status(event.id);
        assert.deepEqual(brief.ticket_types, whole.ticket_types.map(({id, name, capacity, available, booked, held, waiting}) =>
            ({id, name, capacity, available, booked, held, waiting})));
        assert.deepEqual([brief.booked, brief.available, brief.waiting], [3, 2, 1]);
        assert.deepEqual(counters(whole), {capacity: 5, booked: 3, held: 0, available: 2, waiting: 1});
    });
});
