// SPDX-License-Identifier: Apache-2.0
// What there is to reach: of the disk, of one connection to SQLite, and of a database server that is asked as one would by hand.
import {rmSync} from 'node:fs';
import path from 'node:path';
import {runWell} from './children.mjs';
import {copyOf, remove} from './database.mjs';
import {newDatabase} from './servers.mjs';

const LOCKING_CONNECTIONS = 64;

export async function measureFloor(bench, what) {
    const raw = what === 'raw';
    const file = path.join(bench.place.work, raw ? 'floor.raw' : 'floor.db');
    if (!raw) copyOf(bench.databases.hall, file);
    const figures = JSON.parse(await runWell(bench.place.floor, [raw ? 'raw' : 'commit', file, String(bench.seconds)]));
    raw ? rmSync(file, {force: true}) : remove(file);
    return {per_second: figures.per_second, checks: []};
}

// What a booking needs and no more, in words that both servers know.
const TABLES = `
    CREATE TABLE events (id BIGINT PRIMARY KEY, capacity BIGINT NOT NULL, booked BIGINT NOT NULL);
    CREATE TABLE bookings (id SERIAL PRIMARY KEY, user_id BIGINT NOT NULL, event_id BIGINT NOT NULL, quantity INTEGER NOT NULL,
        created_at TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP);
    CREATE INDEX bookings_by_user ON bookings (user_id);
    CREATE TABLE tickets (event_id BIGINT NOT NULL, number BIGINT NOT NULL, booking_id BIGINT NOT NULL, PRIMARY KEY (event_id, number));
    INSERT INTO events VALUES (1, 1000000000, 0)`;

/** 64 connections, a transaction a booking, one event: see locking.c. */
export async function measureLocking(bench, server) {
    const database = await newDatabase(server, 'floor');
    await database.sql(TABLES);
    const ask = async (seconds) => JSON.parse(await runWell(bench.place.locking,
        [String(LOCKING_CONNECTIONS), String(seconds), server.kind, ...server.floor('floor')]));
    const warm = bench.warm ? await ask(bench.warm) : {count: 0};
    const figures = await ask(bench.seconds);
    const rows = (await database.sql(`SELECT (SELECT booked FROM events), (SELECT count(*) FROM bookings), (SELECT count(*) FROM tickets),
        (SELECT max(number) FROM tickets)`)).trim();
    await server.drop('floor');
    const count = warm.count + figures.count;
    const {per_second, p50_us, p99_us, max_us} = figures;
    return {per_second, p50_us, p99_us, max_us,
        checks: [{what: 'commits are rows', ok: rows === Array(4).fill(count).join('|'), why: `${count} commits, rows ${rows}`}]};
}
