// SPDX-License-Identifier: Apache-2.0
// mysql2, one stored procedure: the whole transaction in one round trip.
import {numbersFrom, openPool} from './pool.mjs';

export const title = 'mysql2, stored procedure';

export const routine = `
CREATE PROCEDURE book(IN p_user BIGINT UNSIGNED, IN p_event BIGINT UNSIGNED, IN p_quantity INT UNSIGNED)
BEGIN
    DECLARE v_capacity, v_booked, v_waiting, v_number INT UNSIGNED;
    DECLARE v_id BIGINT UNSIGNED;
    DECLARE EXIT HANDLER FOR SQLEXCEPTION BEGIN ROLLBACK; RESIGNAL; END;
    START TRANSACTION;
    SELECT capacity, booked, waiting INTO v_capacity, v_booked, v_waiting FROM events WHERE id = p_event FOR UPDATE;
    IF v_capacity IS NULL THEN
        COMMIT;
        SELECT NULL AS id, NULL AS status, NULL AS place;
    ELSEIF v_waiting > 0 OR v_booked + p_quantity > v_capacity THEN
        UPDATE events SET waiting = waiting + 1 WHERE id = p_event;
        INSERT INTO bookings (user_id, event_id, quantity, status) VALUES (p_user, p_event, p_quantity, 'waiting');
        SET v_id = LAST_INSERT_ID();
        COMMIT;
        SELECT v_id AS id, 'waiting' AS status, v_waiting + 1 AS place;
    ELSE
        UPDATE events SET booked = booked + p_quantity WHERE id = p_event;
        INSERT INTO bookings (user_id, event_id, quantity, status) VALUES (p_user, p_event, p_quantity, 'confirmed');
        SET v_id = LAST_INSERT_ID(), v_number = v_booked;
        WHILE v_number < v_booked + p_quantity DO
            SET v_number = v_number + 1;
            INSERT INTO tickets (event_id, number, booking_id) VALUES (p_event, v_number, v_id);
        END WHILE;
        COMMIT;
        SELECT v_id AS id, 'confirmed' AS status, v_booked + 1 AS place;
    END IF;
END`;

export function open(database) {
    const pool = openPool(database);
    async function book(userId, eventId, quantity) {
        const [[[row]]] = await pool.execute('CALL book(?, ?, ?)', [userId, eventId, quantity]);
        if (row.id === null) return null;
        const place = Number(row.place);
        return row.status === 'waiting' ? {id: row.id, status: 'waiting', position: place}
            : {id: row.id, status: 'confirmed', numbers: numbersFrom(place, quantity)};
    }
    return {book};
}
