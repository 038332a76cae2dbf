/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * TLS over a connected socket that does not block, by OpenSSL; HAVE_TLS says whether the build has it. The server's
 * certificate must be of its name, and of an authority that the system trusts or $SSL_CERT_FILE names. Called by
 * sink_link.c.
 */
#ifndef WIRESCORE_CONTROL_SINK_TLS_H
#define WIRESCORE_CONTROL_SINK_TLS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct sink_tls;

/* Reads whom to trust. NULL, with one line in error, where that cannot be read. */
struct sink_tls *sink_tls_new(char *error, size_t error_size);
void sink_tls_free(struct sink_tls *tls);

/* Begins with a socket, whose server goes by that name or address. 0, or -1 with one line in error. */
int sink_tls_begin(struct sink_tls *tls, int fd, const char *host, char *error, size_t error_size);

/* Ends what was begun, where it was; the socket stays open. */
void sink_tls_end(struct sink_tls *tls);

/* 1 once both sides agree, 0 where that has to wait, -1 with one line in error. */
int sink_tls_shake_hands(struct sink_tls *tls, char *error, size_t error_size);

/* As send and recv, with errno EAGAIN where it has to wait and EPROTO where TLS is broken. */
ssize_t sink_tls_send(struct sink_tls *tls, const void *bytes, size_t n_bytes);
ssize_t sink_tls_receive(struct sink_tls *tls, void *bytes, size_t n_bytes);

/* Whether what has to wait, waits until the socket can be written; else until it can be read. */
bool sink_tls_wants_write(const struct sink_tls *tls);

#endif
