// SPDX-License-Identifier: Apache-2.0
// Where the kinds of stores want other words for the same: rows that are counted, and what is known of ids.
//     rows(from, count)          what stands behind FROM: `count` rows with a whole number i
//     next(sequence, least)      makes `least`, a SELECT, the next id of the sequence
//     setting(name, text)        a row of `settings`

const SEQUENCES = {event: 0, ticket_type: 1, booking: 2, user: 3, journal: 100};

const inTable = {
    next: (sequence, least) => `REPLACE INTO sequences (sequence, next) SELECT ${SEQUENCES[sequence]}, (${least});`,
    setting: (name, text) => `REPLACE INTO settings (name, value) VALUES ('${name}', CAST('${text}' AS BINARY));`,
};

export const dialects = {
    sqlite: {
        ...inTable,
        rows: (from, count) => `(WITH RECURSIVE n(i) AS (SELECT ${from} UNION ALL SELECT i + 1 FROM n WHERE i < ${from + count - 1}) SELECT i FROM n) AS n`,
        setting: (name, text) => `REPLACE INTO settings (name, value) VALUES ('${name}', CAST('${text}' AS BLOB));`,
    },
    postgres: {
        rows: (from, count) => `generate_series(${from}::bigint, ${from + count - 1}) AS n(i)`,
        next: (sequence, least) => `SELECT setval('${sequence}_ids', (${least}), false);`,
        setting: (name, text) => `INSERT INTO settings (name, value) VALUES ('${name}', '${text}'::bytea)
            ON CONFLICT (name) DO UPDATE SET value = excluded.value;`,
    },
    mariadb: {
        ...inTable,
        rows: (from, count) => `(SELECT CAST(seq AS SIGNED) AS i FROM seq_${from}_to_${from + count - 1}) AS n`,
    },
};
