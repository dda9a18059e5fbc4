// SPDX-License-Identifier: Apache-2.0
// Do they bite? A few bugs are planted into the program, and the model must find each over HTTP. All of them: make planted.
import assert from 'node:assert/strict';
import {describe, it} from 'node:test';
import {ROOT, run} from './lib/admit.mjs';
import {slow} from './lib/time.mjs';

const BUGS = ['lost_promotion', 'number_twice'];
const {BUILD} = process.env;
const skip = !BUILD ? 'no BUILD says what to build from' : slow > 1 && 'the sound build does it';

describe('bugs that are planted', () => {
    it(`are found: ${BUGS.join(', ')}`, {skip}, async (t) => {
        const {code, stdout, stderr} = await run(['tests/sim/bugs.py', BUILD, '--outside', ...BUGS], {program: 'python3', cwd: ROOT, seconds: 300});
        assert.equal(code, 0, stdout + stderr);
        assert.equal(stdout.match(/^ok /gm).length, BUGS.length);
        t.diagnostic(stdout.match(/^# .*$/gm).join('; '));
    });
});
