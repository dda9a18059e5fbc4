/* SPDX-License-Identifier: Apache-2.0 */
/* accounts.h -- registering and signing in, shared by the /v1 and the classic routes. */
#ifndef API_ACCOUNTS_H
#define API_ACCOUNTS_H

#include "api/call.h"

/* Registers 'user' (in the call's arena, without a hash) with call->secret as password, within the
 * sign-in limits; 'compose' answers. */
void account_register(struct call *call, const struct user *user,
                      void (*compose)(struct call *call, const struct result *result));

/* The hash of call->secret, which is wiped; for a hasher's thread. False: answered. */
bool account_hash_secret(struct call *call, struct str *ret_hash);

/* Signs in with 'login', an e-mail address or a user name, and call->secret. 'answer' is called on
 * a hasher's thread with call->user set and the token, and sends the answer. */
void account_sign_in(struct call *call, struct str login,
                     void (*answer)(struct call *call, struct str token));

#endif
