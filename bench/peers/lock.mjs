// SPDX-License-Identifier: Apache-2.0
// mysql2, SELECT ... FOR UPDATE: the event's row is locked, looked at and written.
import {insertBooking, insertTickets, numbersFrom, openPool, transaction} from './pool.mjs';

export const title = 'mysql2, SELECT … FOR UPDATE';

export function open(database) {
    const pool = openPool(database);
    const book = (userId, eventId, quantity) => transaction(pool, async (connection) => {
        const [[event]] = await connection.execute(
            'SELECT capacity, booked, waiting FROM events WHERE id = ? FOR UPDATE', [eventId]);
        if (!event) return null;
        if (event.waiting > 0 || event.booked + quantity > event.capacity) {
            await connection.execute('UPDATE events SET waiting = waiting + 1 WHERE id = ?', [eventId]);
            const id = await insertBooking(connection, userId, eventId, quantity, 'waiting');
            return {id, status: 'waiting', position: event.waiting + 1};
        }
        const numbers = numbersFrom(event.booked + 1, quantity);
        await connection.execute('UPDATE events SET booked = booked + ? WHERE id = ?', [quantity, eventId]);
        const id = await insertBooking(connection, userId, eventId, quantity, 'confirmed');
        await insertTickets(connection, eventId, id, numbers);
        return {id, status: 'confirmed', numbers};
    });
    return {book};
}
