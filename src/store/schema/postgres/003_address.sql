-- SPDX-License-Identifier: Apache-2.0
-- See schema/sqlite/005_address.sql.

ALTER TABLE notices ADD COLUMN address TEXT NOT NULL DEFAULT '';

UPDATE admit_schema SET version = 3;
