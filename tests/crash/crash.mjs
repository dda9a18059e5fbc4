#!/usr/bin/env node
// SPDX-License-Identifier: Apache-2.0
// Cycles of load, kill -9 at a random moment, restart, and a look at everything that was acknowledged.
import assert from 'node:assert/strict';
import {spawn} from 'node:child_process';
import {rm} from 'node:fs/promises';
import {pathToFileURL} from 'node:url';
import {parseArgs} from 'node:util';
import {random} from '../../bench/lib/random.mjs';
import {check, PROGRAM, start} from '../story/lib/admit.mjs';
import {SECRET} from '../story/lib/token.mjs';
import {slow, sleep} from '../story/lib/time.mjs';
import {Ledger} from './ledger.mjs';
import {Load} from './load.mjs';

const usage = `node tests/crash/crash.mjs [options]        or: make crash ARGS="[options]"

  --cycles N   how often it is killed (500)
  --seed N     what is asked for, and how long until the kill; the moment itself is the system's (by the clock)
  --first N    the cycle to begin with, as printed with a failure (0)
`;

const PEOPLE = 6;
const CYCLES_A_LIFE = 25; // then a new database, so that each look stays short
const LONGEST_LOAD_MS = 400;

/** Starts the program and kills it after so many milliseconds, unless it has ended by itself: {code, signal}. */
export function runAndKill(args, {env, cwd, afterMs}) {
    return new Promise((resolve, reject) => {
        const child = spawn(PROGRAM, args, {cwd, env: {PATH: process.env.PATH, ...env}, stdio: 'ignore'});
        const timer = setTimeout(() => child.kill('SIGKILL'), afterMs);
        child.on('error', reject);
        child.on('close', (code, signal) => {
            clearTimeout(timer);
            resolve({code, signal});
        });
    });
}

/** Under load; while it ends by itself; or, of the one after it, while it starts. */
const MOMENTS = ['load', 'load', 'load', 'load', 'stop', 'start'];

export class Crashes {
    /** `told` is called with a sentence for each cycle, may be left out. */
    constructor({seed, told = () => {}}) {
        this.seed = seed;
        this.told = told;
        this.cycle = 0;
        this.totals = {cycles: 0, answered: 0, unanswered: 0, happened: 0, replayed: 0, bookings: 0};
    }

    async begin() {
        this.server = await start();
        this.people = await this.server.crowd(PEOPLE);
        this.ledger = new Ledger();
        for (const name of ['one', 'two'])
            await this.ledger.send({kind: 'event', who: this.people[0], path: '/v1/events', body: {name, capacity: 30}});
    }

    async end() {
        for (const [name, count] of Object.entries(this.ledger.counts)) this.totals[name] += count;
        this.totals.bookings += this.ledger.bookings.size;
        await this.server.finish();
        this.server = undefined;
    }

    /** Leaves it killed, with nobody asking any more. */
    async #loadAndKill(next, seed) {
        const moment = MOMENTS[Math.floor(next() * MOMENTS.length)];
        const clients = 1 + Math.floor(next() * 40);
        const load = new Load({ledger: this.ledger, people: this.people, seed, clients});
        load.start();
        await sleep(next() * LONGEST_LOAD_MS * Math.min(slow, 3));
        if (moment === 'stop') {
            this.server.child.kill('SIGTERM');
            await sleep(next() * 15);
        }
        await this.server.kill();
        await load.stop();
        for (let times = moment === 'start' ? 2 : 0; times > 0; times--)
            await runAndKill(['serve', '--port', '0'], {
                env: {DATABASE_URL: this.server.database, JWT_SECRET: SECRET, LOG_LEVEL: 'warn'}, cwd: this.server.directory, afterMs: next() * 40 * slow});
        return {moment, clients};
    }

    async once() {
        const seed = this.seed * 10_000 + this.cycle;
        const next = random(seed);
        if (this.cycle % CYCLES_A_LIFE === 0 && this.server) await this.end();
        if (!this.server) await this.begin();
        const before = {...this.ledger.counts};
        const {moment, clients} = await this.#loadAndKill(next, seed);
        await check(this.server.database, this.server.directory);
        this.server = await this.server.restart();
        this.people = this.people.map((person) => Object.assign(person, {server: this.server}));
        await this.ledger.verify(this.people[0], next);
        const {answered, unanswered, happened} = this.ledger.counts;
        this.told(`cycle ${this.cycle}: killed at ${moment}, ${clients} clients, ${answered - before.answered} answered, ` +
            `${unanswered - before.unanswered} not, of which ${happened - before.happened} had happened`);
        this.cycle++;
        this.totals.cycles++;
    }

    async run(cycles, first = 0) {
        this.cycle = first;
        try {
            while (this.totals.cycles < cycles) await this.once();
            await this.end();
        } catch (error) {
            error.message = `seed ${this.seed}, cycle ${this.cycle}: ${error.message}` +
                (this.server ? `\nits database is kept in ${this.server.directory}` : '');
            await this.server?.kill();
            throw error;
        }
        return this.totals;
    }
}

export const inWords = ({cycles, answered, unanswered, happened, replayed, bookings}) =>
    `${cycles} cycles: ${answered} requests answered, ${unanswered} not, of which ${happened} had happened; ${bookings} bookings, ` +
    `${replayed} keys sent again; nothing lost, nothing made up`;

async function main() {
    const text = {type: 'string'};
    const {values} = parseArgs({options: {cycles: text, seed: text, first: text, help: {type: 'boolean'}}});
    if (values.help) return console.log(usage);
    const [cycles, seed, first] = [Number(values.cycles ?? 500), Number(values.seed ?? Date.now() % 100_000), Number(values.first ?? 0)];
    assert.ok([cycles, seed, first].every(Number.isInteger) && cycles > 0, 'whole numbers are wanted');
    console.log(`seed ${seed}`);
    console.log(inWords(await new Crashes({seed, told: console.log}).run(cycles, first)));
}

if (import.meta.url === pathToFileURL(process.argv[1]).href) {
    main().catch((error) => {
        console.error(error.stack);
        process.exit(1);
    });
}
