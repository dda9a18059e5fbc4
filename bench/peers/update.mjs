// SPDX-License-Identifier: Apache-2.0
// mysql2, one conditional UPDATE: it books if there is enough, and says by LAST_INSERT_ID() where it was.
import {insertBooking, insertTickets, numbersFrom, openPool, transaction} from './pool.mjs';

export const title = 'mysql2, conditional UPDATE';

export function open(database) {
    const pool = openPool(database);
    const book = (userId, eventId, quantity) => transaction(pool, async (connection) => {
        const [taken] = await connection.execute(
            'UPDATE events SET booked = LAST_INSERT_ID(booked) + ? WHERE id = ? AND waiting = 0 AND booked + ? <= capacity',
            [quantity, eventId, quantity]);
        if (taken.affectedRows === 1) {
            const numbers = numbersFrom(taken.insertId + 1, quantity);
            const id = await insertBooking(connection, userId, eventId, quantity, 'confirmed');
            await insertTickets(connection, eventId, id, numbers);
            return {id, status: 'confirmed', numbers};
        }
        const [joined] = await connection.execute(
            'UPDATE events SET waiting = LAST_INSERT_ID(waiting) + 1 WHERE id = ?', [eventId]);
        if (joined.affectedRows === 0) return null;
        const id = await insertBooking(connection, userId, eventId, quantity, 'waiting');
        return {id, status: 'waiting', position: joined.insertId + 1};
    });
    return {book};
}
