/* SPDX-License-Identifier: Apache-2.0 */
#include "http/tls.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>
#include <openssl/err.h>
#include <openssl/ssl.h>

/* Without this OpenSSL would ask at the terminal, and a service would hang. */
static int no_passphrase(char *text, int size, int for_writing, void *data)
{
    (void)text;
    (void)size;
    (void)for_writing;
    (void)data;
    return -1;
}

static const char *explain(struct arena *arena, const char *setting, const char *file,
                           const char *otherwise)
{
    const char *reason = ERR_reason_error_string(ERR_peek_last_error());

    if (access(file, R_OK) != 0)
        return arena_printf(arena, "%s: cannot read %s: %s", setting, file, strerror(errno)).data;
    return arena_printf(arena, "%s: %s %s (%s)", setting, file, otherwise,
                        reason ? reason : "no more is known")
        .data;
}

static const char *load(SSL_CTX *tls, const char *cert, const char *key, struct arena *arena)
{
    if (SSL_CTX_use_certificate_chain_file(tls, cert) != 1)
        return explain(arena, "TLS_CERT", cert, "is not a certificate chain in PEM");
    if (SSL_CTX_use_PrivateKey_file(tls, key, SSL_FILETYPE_PEM) == 1) return NULL;
    if (ERR_GET_REASON(ERR_peek_last_error()) == X509_R_KEY_VALUES_MISMATCH)
        return arena_printf(arena, "TLS_KEY: %s is not the key to the certificate in TLS_CERT %s",
                            key, cert)
            .data;
    return explain(arena, "TLS_KEY", key, "is not a private key in PEM without a passphrase");
}

SSL_CTX *tls_open(const char *cert, const char *key, struct arena *arena, const char **ret_error)
{
    SSL_CTX *tls = SSL_CTX_new(TLS_server_method());

    if (!tls) {
        *ret_error = "TLS: OpenSSL does not start";
        return NULL;
    }
    ERR_clear_error();
    SSL_CTX_set_min_proto_version(tls, TLS1_2_VERSION);
    SSL_CTX_set_options(tls, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
                                 SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA);
    /* Of TLS 1.2 only what has forward secrecy and authenticates what it encrypts; all of 1.3
     * does. */
    SSL_CTX_set_cipher_list(tls, "ECDHE+AESGCM:ECDHE+CHACHA20");
    SSL_CTX_set_mode(tls, SSL_MODE_RELEASE_BUFFERS); /* 34 kB less for an idle connection */
    SSL_CTX_set_default_passwd_cb(tls, no_passphrase);
    const char *error = load(tls, cert, key, arena);
    ERR_clear_error();
    if (!error) return tls;
    *ret_error = error;
    SSL_CTX_free(tls);
    return NULL;
}

void tls_close(SSL_CTX *tls)
{
    SSL_CTX_free(tls);
}
