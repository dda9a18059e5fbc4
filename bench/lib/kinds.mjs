// SPDX-License-Identifier: Apache-2.0
// The peers by name. Apart from peers.mjs, which needs npm's packages.
export const PEERS = ['sequelize', 'lock', 'update', 'procedure'];
