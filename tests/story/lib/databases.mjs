// SPDX-License-Identifier: Apache-2.0
// Empty databases, for a test each, on the servers that tools/test started.
import assert from 'node:assert/strict';
import {spawn} from 'node:child_process';

let number = 0;

/** The URL of the server with another database in it. */
function inDatabase(server, name) {
    const url = new URL(server);
    url.pathname = `/${name}`;
    return url.href;
}

function program(name, args, env = {}) {
    return new Promise((resolve, reject) => {
        const child = spawn(name, args, {env: {PATH: process.env.PATH, ...env}, stdio: ['ignore', 'ignore', 'pipe']});
        let errors = '';
        child.stderr.on('data', (part) => (errors += part));
        child.on('error', reject);
        child.on('close', (code) => {
            assert.equal(code, 0, `${name}: ${errors}`);
            resolve();
        });
    });
}

/** How a statement is run on each kind of server, and where the server is. */
const servers = {
    postgres: {
        variable: 'TEST_POSTGRES_URL',
        drop: (name) => `DROP DATABASE ${name} WITH (FORCE)`,
        run: (url, text) => program('psql', ['-qX', '-v', 'ON_ERROR_STOP=1', '-c', text, url.href]),
    },
    mysql: {
        variable: 'TEST_MYSQL_URL',
        run: (url, text) =>
            program('mariadb', ['--no-defaults', '--protocol=TCP', `--host=${url.hostname}`, `--port=${url.port}`,
                `--user=${decodeURIComponent(url.username)}`, '-e', text, url.pathname.slice(1)], {MYSQL_PWD: decodeURIComponent(url.password)}),
        drop: (name) => `DROP DATABASE ${name}`,
    },
};

/** The kinds of servers that are there. */
export const serverKinds = Object.keys(servers).filter((kind) => process.env[servers[kind].variable]);

/** Statements on the server of that kind, in the database of the URL where one is given. */
export async function statement(kind, text, url) {
    const {variable, run} = servers[kind];
    await run(new URL(url ?? process.env[variable]), text);
}

/** {url, drop}: an empty database of that kind. */
export async function newDatabase(kind) {
    const name = `admit_story_${process.pid}_${++number}`;
    await statement(kind, `CREATE DATABASE ${name}`);
    return {
        url: inDatabase(process.env[servers[kind].variable], name),
        drop: () => statement(kind, servers[kind].drop(name)),
    };
}
