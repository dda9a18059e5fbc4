// SPDX-License-Identifier: Apache-2.0
// Processes of the bench: none outlives it.
import {execFile, spawn} from 'node:child_process';

const running = new Set();

export function start(program, args, options = {}) {
    const child = spawn(program, args, {stdio: ['ignore', 'ignore', 'pipe'], ...options});
    running.add(child);
    child.log = '';
    child.stderr?.setEncoding('utf8').on('data', (part) => (child.log = (child.log + part).slice(-20_000)));
    child.ended = new Promise((resolve) => child.on('close', (code, signal) => {
        running.delete(child);
        resolve({code, signal});
    }));
    child.failed = new Promise((resolve, reject) => child.on('error', (error) => {
        running.delete(child);
        reject(error);
    }));
    child.failed.catch(() => {});
    return child;
}

/** SIGTERM, and SIGKILL for what does not listen; `code` is then null. */
export async function stop(child, seconds = 30) {
    if (child.exitCode !== null || child.signalCode !== null) return child.ended;
    child.kill('SIGTERM');
    const timer = setTimeout(() => child.kill('SIGKILL'), seconds * 1000);
    const result = await child.ended;
    clearTimeout(timer);
    return result;
}

/** Runs a program to its end; {code, stdout, stderr}. With `detached` it goes together with its own children. */
export function run(program, args, options = {}) {
    return new Promise((resolve, reject) => {
        const child = execFile(program, args, {maxBuffer: 1 << 30, ...options}, (error, stdout, stderr) => {
            running.delete(child);
            if (error && typeof error.code !== 'number') reject(error);
            else resolve({code: error?.code ?? 0, stdout, stderr});
        });
        child.isGroup = Boolean(options.detached);
        running.add(child);
        if (options.input !== undefined) {
            child.stdin.on('error', () => {}); // it ended before it had read all: its code says so
            child.stdin.end(options.input);
        }
    });
}

export async function runWell(program, args, options) {
    const {code, stdout, stderr} = await run(program, args, options);
    if (code !== 0) throw new Error(`${program} ${args.slice(0, 3).join(' ')} ended with ${code}: ${(stderr || stdout).slice(-2000)}`);
    return stdout;
}

export function killAll() {
    for (const child of running) {
        if (!child.isGroup) child.kill('SIGKILL');
        else if (child.pid) process.kill(-child.pid, 'SIGKILL');
    }
}
