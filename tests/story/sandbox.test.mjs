// SPDX-License-Identifier: Apache-2.0
// What a running server gives up. That what is forbidden fails is shown by tests/unit/base/test_sandbox.c; that nothing
// is forbidden which it needs, by all other stories, which run confined as well.
import assert from 'node:assert/strict';
import {readdir, readFile, rm} from 'node:fs/promises';
import {describe, it} from 'node:test';
import {newDirectory, run, start} from './lib/admit.mjs';

/** What the kernel says of each thread of the process: [{NoNewPrivs, Seccomp}]. */
async function threads(pid) {
    const all = await readdir(`/proc/${pid}/task`);
    return Promise.all(all.map(async (thread) => {
        const status = await readFile(`/proc/${pid}/task/${thread}/status`, 'utf8');
        const value = (name) => Number(status.match(new RegExp(`^${name}:\\s*(\\d+)`, 'm'))[1]);
        return {NoNewPrivs: value('NoNewPrivs'), Seccomp: value('Seccomp')};
    }));
}

const said = (server) => server.logged(({message}) => message === 'sandbox');

describe('the sandbox', {skip: process.platform !== 'linux' && 'not a Linux'}, () => {
    it('holds for every thread what one line in the log says', async (t) => {
        const server = await start({});
        const [line, ...more] = said(server);
        assert.equal(more.length, 0);
        if (line.off) {
            assert.match(line.off, /sanitizer/);
            t.diagnostic(line.off);
        } else {
            assert.equal(line.no_new_privileges, 'yes');
            assert.ok(['yes', 'no'].includes(line.seccomp) && Number.isInteger(line.landlock));
            const all = await threads(server.child.pid);
            assert.ok(all.length >= 5, 'loop, lane, readers, hashers, log');
            for (const thread of all) {
                assert.equal(thread.NoNewPrivs, 1);
                if (line.seccomp === 'yes') assert.equal(thread.Seccomp, 2);
            }
        }
        await server.finish();
    });

    it('is off when it is told to be', async () => {
        const server = await start({store: 'memory', env: {SANDBOX: 'off'}});
        assert.match(said(server)[0].off, /SANDBOX is off/);
        const [mine] = await threads(process.pid);
        for (const thread of await threads(server.child.pid)) assert.deepEqual(thread, mine);
        await server.finish();
    });

    it('is there in full where it must be, or there is no server', async () => {
        const directory = await newDirectory();
        const probe = await start({directory});
        const line = said(probe)[0];
        await probe.stop();
        if (line.seccomp === 'yes' && line.landlock > 0) {
            const server = await start({directory, env: {SANDBOX: 'on'}});
            await server.finish();
        } else {
            const {code, stderr} = await run(['serve', '--port', '0'], {env: {SANDBOX: 'on'}, cwd: directory});
            assert.equal(code, 1);
            assert.match(stderr, /SANDBOX is on, but/);
            await rm(directory, {recursive: true});
        }
    });
});
