// SPDX-License-Identifier: Apache-2.0
// Not a peer: it looks and then writes, without a lock, as one finds it published. The self-test shows with it that the proof
// every peer has to pass can be failed.
import {insertBooking, insertTickets, numbersFrom, openPool} from './pool.mjs';

export const title = 'mysql2, no lock (wrong on purpose)';

export function open(database) {
    const pool = openPool(database);
    async function book(userId, eventId, quantity) {
        const [[event]] = await pool.execute('SELECT capacity, booked, waiting FROM events WHERE id = ?', [eventId]);
        if (!event) return null;
        if (event.booked + quantity > event.capacity) {
            await pool.execute('UPDATE events SET waiting = ? WHERE id = ?', [event.waiting + 1, eventId]);
            const id = await insertBooking(pool, userId, eventId, quantity, 'waiting');
            return {id, status: 'waiting', position: event.waiting + 1};
        }
        await pool.execute('UPDATE events SET booked = ? WHERE id = ?', [event.booked + quantity, eventId]);
        const numbers = numbersFrom(event.booked + 1, quantity);
        const id = await insertBooking(pool, userId, eventId, quantity, 'confirmed');
        await insertTickets(pool, eventId, id, numbers).catch(() => {});
        return {id, status: 'confirmed', numbers};
    }
    return {book};
}
