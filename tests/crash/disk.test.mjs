// SPDX-License-Identifier: Apache-2.0
// A disk that is full, or may only be read: a clear error, nothing acknowledged that is not there, and service again when
// the cause is gone. A small disk of one's own needs root; a limit on the size of files, which looks like a full disk to who
// writes, does not.
import assert from 'node:assert/strict';
import {chmod, mkdir, rm, stat, writeFile} from 'node:fs/promises';
import {join} from 'node:path';
import {describe, it} from 'node:test';
import {check, inDirectory, newDirectory, run, runWell, start} from '../story/lib/admit.mjs';
import {expect} from '../story/lib/client.mjs';
import {inTurns} from '../story/lib/time.mjs';

const isRoot = process.getuid() === 0;
const MIB = 1024 * 1024;

/** A tmpfs of so many MiB until the test ends; undefined where that is not allowed. */
async function smallDisk(t, mib) {
    const place = await newDirectory();
    const {code, stderr} = await run(['-t', 'tmpfs', '-o', `size=${mib}m,mode=0700`, 'admit-test', place], {program: 'mount'});
    t.after(async () => {
        if (code === 0) await runWell([place], {program: 'umount'});
        await rm(place, {recursive: true, force: true});
    });
    if (code === 0) return place;
    t.skip(`no mount: ${stderr.trim()}`);
}

const book = (who, event) => who.post(`/v1/events/${event.id}/bookings`, {quantity: 1});

/** Books by several until somebody was refused; the references that were acknowledged. */
async function bookUntilRefused(people, event, most = 20_000) {
    const acknowledged = [];
    let refused;
    await inTurns(Array.from({length: most}), 32, async (_, index) => {
        if (refused) return;
        const answer = await book(people[index % people.length], event);
        if (answer.status === 201) acknowledged.push(answer.body.reference);
        else refused ??= answer;
    });
    assert.ok(refused, `${acknowledged.length} bookings, and it is not full`);
    return {acknowledged, refused};
}

/** What is stored is what was acknowledged, no more and no less. */
async function sameAs(acknowledged, organizer, event) {
    const {data} = await organizer.walk(`/v1/events/${event.id}/bookings`, 100);
    assert.deepEqual(data.map(({reference}) => reference).sort(), [...acknowledged].sort());
    assert.equal(expect(await organizer.get(`/v1/events/${event.id}/status`), 200).booked, acknowledged.length);
}


/** The whole story, once `fill` takes the room away and `free` gives it back. */
async function fillsUp(server, {fill, free}) {
    const people = await server.crowd(3);
    const event = await people[0].createEvent({name: 'Full', capacity: 100_000});
    const kept = [(await people[0].book(event.id)).reference];
    await fill();
    const {acknowledged, refused} = await bookUntilRefused(people, event);
    kept.push(...acknowledged);
    expect(refused, 503, 'unavailable');
    assert.match(refused.headers['retry-after'], /^\d+$/);
    for (let i = 0; i < 5; i++) expect(await book(people[1], event), 503, 'unavailable');
    // What is there can still be looked at.
    expect(await people[0].get(`/v1/bookings/${kept[0]}`), 200);
    await sameAs(kept, people[0], event);

    await free();
    for (let i = 0; i < 5; i++) kept.push(expect(await book(people[2], event), 201).reference);
    await sameAs(kept, people[0], event);
    await server.kill();
    await check(server.database, server.directory);
    const next = await server.restart();
    await sameAs(kept, next.again(people[0]), event);
    await next.stop();
    return people;
}

describe('a disk that is full', () => {
    it('a limit on the size of files: 503, nothing lost, service again', async (t) => {
        const server = await start();
        t.after(() => server.kill());
        const limit = (bytes) => runWell(['--pid', String(server.child.pid), `--fsize=${bytes}:`], {program: 'prlimit'});
        await fillsUp(server, {
            fill: async () => limit((await stat(join(server.directory, 'admit.db-wal'))).size + 200_000),
            free: () => limit('unlimited'),
        });
        assert.ok(server.logged(({level}) => level === 'error').some(({error}) => /full|disk I\/O error/.test(error)));
        await rm(server.directory, {recursive: true});
    });

    it('a small disk: 503, nothing lost, service again', {skip: !isRoot && 'needs root'}, async (t) => {
        const place = await smallDisk(t, 8);
        if (!place) return;
        const server = await start({directory: place});
        t.after(() => server.kill());
        const ballast = join(place, 'ballast');
        await fillsUp(server, {
            fill: async () => writeFile(ballast, Buffer.alloc(6 * MIB)),
            free: () => rm(ballast),
        });
        assert.ok(server.logged(({level}) => level === 'error').some(({error}) => /full/.test(error)));
    });

    it('from the beginning: a sentence', {skip: !isRoot && 'needs root'}, async (t) => {
        const place = await smallDisk(t, 1);
        if (!place) return;
        await writeFile(join(place, 'ballast'), Buffer.alloc(MIB)).catch(() => {});
        const {code, stderr} = await run(['migrate'], {env: {DATABASE_URL: inDirectory(place)}, cwd: place});
        assert.equal(code, 1);
        assert.match(stderr, /room on the disk/);
        await rm(join(place, 'ballast'));
        await runWell(['migrate'], {env: {DATABASE_URL: inDirectory(place)}, cwd: place});
    });

    it('when a backup is made: a sentence, and nothing under its name', {skip: !isRoot && 'needs root'}, async (t) => {
        const place = await smallDisk(t, 1);
        if (!place) return;
        const server = await start();
        const event = await (await server.person()).createEvent({name: 'Copied', capacity: 10});
        assert.ok(event.id);
        await writeFile(join(place, 'ballast'), Buffer.alloc(MIB)).catch(() => {});
        const {code, stderr} = await run(['backup', join(place, 'copy.db')], {env: {DATABASE_URL: server.database}, cwd: server.directory});
        assert.equal(code, 1);
        assert.match(stderr, /full|No space/);
        await assert.rejects(stat(join(place, 'copy.db')), {code: 'ENOENT'});
        await server.finish();
    });
});

describe('what may only be read', () => {
    async function withDatabase(directory) {
        const server = await start({directory});
        const person = await server.person();
        const event = await person.createEvent({name: 'Read only', capacity: 10});
        const {reference} = await person.book(event.id);
        await server.stop();
        return {server, person, reference};
    }

    async function refuses(place) {
        const {code, stderr} = await run(['serve', '--port', '0'], {env: {DATABASE_URL: inDirectory(place)}, cwd: place});
        assert.equal(code, 1, stderr);
        assert.match(stderr, /admit\.db.*(cannot be|Read-only|must belong)/s);
        assert.ok(stderr.length < 400, stderr);
    }

    async function servesAgain({server, person, reference}) {
        const next = await server.restart();
        assert.equal((await next.again(person).booking(reference)).status, 'confirmed');
        await next.stop();
        await check(server.database, server.directory);
    }

    it('a disk: it does not start, says why, and starts when it may write', {skip: !isRoot && 'needs root'}, async (t) => {
        const place = await smallDisk(t, 8);
        if (!place) return;
        const was = await withDatabase(place);
        await runWell(['-o', 'remount,ro', place], {program: 'mount'});
        await refuses(place);
        await runWell(['-o', 'remount,rw', place], {program: 'mount'});
        await servesAgain(was);
    });

    it('a directory and its files: likewise', {skip: isRoot && 'nothing is forbidden to root'}, async () => {
        const place = join(await newDirectory(), 'closed');
        await mkdir(place);
        const was = await withDatabase(place);
        await chmod(join(place, 'admit.db'), 0o400);
        await chmod(place, 0o500);
        await refuses(place);
        await chmod(place, 0o700);
        await chmod(join(place, 'admit.db'), 0o600);
        await servesAgain(was);
        await rm(join(place, '..'), {recursive: true});
    });
});
