// SPDX-License-Identifier: Apache-2.0
// What compiler and linker were asked for is in the program that they made: readelf and objdump tell.
import assert from 'node:assert/strict';
import {before, describe, it} from 'node:test';
import {PROGRAM, run} from './lib/admit.mjs';

const tools = (await run(['--version'], {program: 'readelf'}).catch(() => ({code: 1}))).code === 0;

describe('the program', {skip: !tools && 'no readelf here'}, () => {
    let segments, dynamic, symbols, isSanitized, isClang;
    before(async () => {
        const ask = async (...args) => {
            const {code, stdout, stderr} = await run([...args, PROGRAM], {program: 'readelf'});
            assert.equal(code, 0, stderr);
            return stdout;
        };
        segments = await ask('-lW');
        dynamic = await ask('-dW');
        symbols = await ask('-sW', '--dyn-syms');
        isClang = /clang version/.test(await ask('-p', '.comment'));
        isSanitized = /__(asan|tsan)_init/.test(symbols);
    });

    it('can be loaded anywhere', () => {
        assert.match(segments, /Elf file type is DYN/);
        assert.match(dynamic, /FLAGS_1.*\bPIE\b/);
        assert.doesNotMatch(dynamic, /TEXTREL/);
    });

    it('has its tables of addresses read-only once it runs', () => {
        assert.match(segments, /^\s*GNU_RELRO\b/m);
        assert.match(dynamic, /FLAGS.*\bBIND_NOW\b/);
    });

    it('has no memory that can be written and run', () => {
        const flags = [...segments.matchAll(/^\s*(\S+)(?:\s+0x[0-9a-f]+){5}\s([R ][W ][E ])/gm)].map(([, name, flag]) => [name, flag]);
        assert.ok(flags.filter(([name]) => name === 'LOAD').length >= 4, segments);
        assert.deepEqual(flags.filter(([, flag]) => flag.includes('W') && flag.includes('E')), []);
        assert.deepEqual(flags.filter(([name]) => name === 'GNU_STACK').map(([, flag]) => flag.trim()), ['RW']);
    });

    it('takes libraries from nowhere else than the system', () => assert.doesNotMatch(dynamic, /R(UN)?PATH/));

    it('notices a stack that was written over', () => assert.match(symbols, /__stack_chk_fail/));

    it('checks the sizes of what it copies', (t) => {
        if (isSanitized) return t.skip('the sanitizer does');
        const checked = new Set([...symbols.matchAll(/__(\w+)_chk\b/g)].map(([, name]) => name));
        checked.delete('stack');
        for (const name of ['memcpy', 'snprintf', 'vsnprintf']) assert.ok(checked.has(name), `${name}: ${[...checked]}`);
    });

    it('lets nobody jump into the middle of it', async (t) => {
        if (process.arch !== 'x64') return t.skip('other processors have other marks');
        if (isClang && !isSanitized) return t.skip('see the next');
        const {stdout} = await run(['-d', '--disassemble=main', PROGRAM], {program: 'objdump'});
        assert.match(stdout, /<main>:\n[^\n]*endbr64/);
    });

    // What such a check stops is shown in tests/cfi/cfi.c.
    it('checks where calls through pointers go, where clang made it', async (t) => {
        if (!isClang || isSanitized) return t.skip('another compiler, or a sanitizer');
        for (const name of ['command_serve', 'sqlite_commit', 'bookings_create']) assert.match(symbols, new RegExp(`\\b${name}(\\.\\w+)?\\.cfi$`, 'm'));
        if (process.arch !== 'x64') return;
        const {stdout} = await run(['-d', '--no-show-raw-insn', PROGRAM], {program: 'objdump'});
        assert.ok(stdout.match(/\tud1 /g).length > 50, 'traps');
    });
});
