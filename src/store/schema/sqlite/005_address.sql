-- SPDX-License-Identifier: Apache-2.0
-- An address that a notice is to go to, where that is not the user's own (any more).

ALTER TABLE notices ADD COLUMN address TEXT NOT NULL DEFAULT '';

PRAGMA user_version = 5;
