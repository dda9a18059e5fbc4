// SPDX-License-Identifier: Apache-2.0
// What many people at once were told must be what an office that does one thing at a time tells, in
// some order that the times allow: for each ticket type, with its waiting list.
//
//     make test ARGS=histories/histories HISTORIES_OPERATIONS=20000    more
//     make test ARGS=histories/histories HISTORIES_SEED=7              the same choices again (times differ)
import assert from 'node:assert/strict';
import {rm} from 'node:fs/promises';
import {before, it} from 'node:test';
import {onEachStore, start} from '../story/lib/admit.mjs';
import {serverKinds} from '../story/lib/databases.mjs';
import {slow} from '../story/lib/time.mjs';
import {explain} from './checker.mjs';
import {histories, random, record} from './record.mjs';

const PEOPLE = 12;
const EACH = 120; // operations on one event
const OPERATIONS = Number(process.env.HISTORIES_OPERATIONS ?? Math.ceil(2400 / slow));
const SEED = Number(process.env.HISTORIES_SEED ?? Date.now() % 1e6);

function describeOperation({kind, began, ended, reference, quantity, join, answer}) {
    return `${began.toFixed(3)} to ${ended.toFixed(3)} ${kind} ${JSON.stringify({reference, quantity, join})} -> ${JSON.stringify(answer)}`;
}

const overlaps = (one, other) => one !== other && other.began < one.ended && one.began < other.ended;

/** Many rounds by these people, each with an event of its own; the histories that `wanted` picks must be explained. */
async function proveRounds(people, t, wanted = () => true) {
    const next = random(SEED);
    let overlapping = 0;
    for (let done = 0; done < OPERATIONS; done += EACH) {
        const types = [{name: 'A', capacity: 2 + Math.floor(next() * 4)}, {name: 'B', capacity: 1}];
        const event = await people[0].createEvent({name: 'History', ticket_types: types});
        const recorded = await record(event, people, EACH, next);
        overlapping += recorded.operations.filter((one) => recorded.operations.some((other) => overlaps(one, other))).length;
        for (const {title, capacity, operations} of histories(recorded).filter(wanted)) {
            const {order, stuck} = explain({capacity, operations});
            assert.ok(order, `HISTORIES_SEED=${SEED}: no order explains the ${title} (capacity ${capacity}); none of these can come next:\n` +
                `${stuck?.map(describeOperation).join('\n')}\nthe whole history:\n${operations.map(describeOperation).join('\n')}`);
        }
    }
    t.diagnostic(`seed ${SEED}; ${overlapping} operations had others beside them`);
    assert.ok(overlapping > OPERATIONS / 2, `only ${overlapping} of ${OPERATIONS} had others beside them: that shows nothing`);
}

onEachStore('histories', {}, (server, store) => {
    let people;
    before(async () => (people = await server().crowd(PEOPLE)));

    it(`of ${OPERATIONS} operations by ${PEOPLE} people at once have an order that explains them`, (t) => proveRounds(people, t));

    if (serverKinds.includes(store))
        it('also where half of the people ask another process on the same database', async (t) => {
            const second = await start({database: server().database});
            // Counts of the other process come a moment later still, and are not looked at here.
            await proveRounds(people.map((person, index) => (index % 2 ? second.again(person) : person)), t, ({title}) => title.startsWith('bookings'));
            await second.stop();
            await rm(second.directory, {recursive: true, force: true});
        });
});
