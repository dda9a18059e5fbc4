-- SPDX-License-Identifier: Apache-2.0
-- See schema/sqlite/005_address.sql.

ALTER TABLE notices ADD COLUMN address VARCHAR(1000) NOT NULL DEFAULT '';
