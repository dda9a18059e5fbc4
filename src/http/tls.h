/* SPDX-License-Identifier: Apache-2.0 */
/* tls.h -- certificate and key, TLS 1.2 and 1.3. */
#ifndef HTTP_TLS_H
#define HTTP_TLS_H

#include "base/arena.h"

struct ssl_ctx_st; /* OpenSSL's SSL_CTX */

/* NULL and a sentence that names TLS_CERT or TLS_KEY when something is wrong with the files. */
struct ssl_ctx_st *tls_open(const char *cert, const char *key, struct arena *arena,
                            const char **ret_error);
void tls_close(struct ssl_ctx_st *tls);

#endif
