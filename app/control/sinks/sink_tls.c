/* SPDX-License-Identifier: BSD-3-Clause */
#include "sink_tls.h"

#include <errno.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

/* How often a call may read: a record takes two. */
#define TLS_MAX_READS 64

struct sink_tls {
	SSL_CTX *context;
	SSL *ssl;				/* NULL: nothing was begun */
	uint32_t n_reads;			/* of this call */
	bool sends_by_write, receives_by_write; /* what has to wait, waits to write */
};

struct sink_tls *sink_tls_new(char *error, size_t error_size)
{
	struct sink_tls *tls = calloc(1, sizeof(*tls));

	if (tls)
		tls->context = SSL_CTX_new(TLS_client_method());
	if (!tls || !tls->context || !SSL_CTX_set_default_verify_paths(tls->context) ||
	    !SSL_CTX_set_min_proto_version(tls->context, TLS1_2_VERSION)) {
		snprintf(error, error_size, "TLS: the certificates to trust cannot be read");
		ERR_clear_error();
		sink_tls_free(tls);
		return NULL;
	}
	SSL_CTX_set_verify(tls->context, SSL_VERIFY_PEER, NULL);
	/* What is sent is in a buffer that grows, and may move. */
	SSL_CTX_set_mode(tls->context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	SSL_CTX_set_options(tls->context, SSL_OP_NO_RENEGOTIATION);
	return tls;
}

void sink_tls_free(struct sink_tls *tls)
{
	if (!tls)
		return;
	sink_tls_end(tls);
	SSL_CTX_free(tls->context);
	free(tls);
}

/*
 * OpenSSL reads on while a server says what calls for nothing, hello again and again say, and would never return from
 * one that does so without end. From the last read that is allowed on there is nothing to read for now.
 */
static long tls_limit_reads(BIO *bio, int operation, const char *bytes, size_t n_bytes, int int_argument,
			    long long_argument, int rc, size_t *n_done)
{
	struct sink_tls *tls = (struct sink_tls *)(void *)BIO_get_callback_arg(bio);

	(void)bytes;
	(void)n_bytes;
	(void)int_argument;
	(void)long_argument;
	(void)n_done;
	if (operation != BIO_CB_READ || tls->n_reads++ < TLS_MAX_READS)
		return rc;
	BIO_clear_retry_flags(bio);
	BIO_set_retry_read(bio);
	return -1;
}

/* 1, or 0 where memory is short. */
static int tls_set_fd(struct sink_tls *tls, int fd)
{
	BIO *bio;

	if (!SSL_set_fd(tls->ssl, fd))
		return 0;
	bio = SSL_get_rbio(tls->ssl);
	BIO_set_callback_ex(bio, tls_limit_reads);
	BIO_set_callback_arg(bio, (char *)tls);
	return 1;
}

int sink_tls_begin(struct sink_tls *tls, int fd, const char *host, char *error, size_t error_size)
{
	uint8_t address[sizeof(struct in6_addr)];
	bool is_number = inet_pton(AF_INET, host, address) == 1 || inet_pton(AF_INET6, host, address) == 1;

	sink_tls_end(tls);
	tls->sends_by_write = tls->receives_by_write = false;
	tls->ssl = SSL_new(tls->context);
	if (tls->ssl)
		SSL_set_hostflags(tls->ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS); /* RFC 6125 7.2 */
	if (tls->ssl && tls_set_fd(tls, fd) &&
	    (is_number ? X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(tls->ssl), host)
		       : SSL_set1_host(tls->ssl, host) && SSL_set_tlsext_host_name(tls->ssl, host)))
		return 0;
	snprintf(error, error_size, "TLS: out of memory");
	ERR_clear_error();
	sink_tls_end(tls);
	return -1;
}

void sink_tls_end(struct sink_tls *tls)
{
	/* Only where all went well may it say goodbye, which it does without waiting. */
	if (tls->ssl && SSL_is_init_finished(tls->ssl))
		SSL_shutdown(tls->ssl);
	SSL_free(tls->ssl);
	tls->ssl = NULL;
	ERR_clear_error();
}

/* Whether what was called has to wait, and whether that is to write. */
static bool tls_waits(struct sink_tls *tls, int rc, bool *is_by_write)
{
	int why = SSL_get_error(tls->ssl, rc);

	*is_by_write = why == SSL_ERROR_WANT_WRITE;
	return why == SSL_ERROR_WANT_READ || why == SSL_ERROR_WANT_WRITE;
}

int sink_tls_shake_hands(struct sink_tls *tls, char *error, size_t error_size)
{
	long verdict;
	const char *why;
	int rc;

	ERR_clear_error();
	tls->n_reads = 0;
	rc = SSL_connect(tls->ssl);
	if (rc == 1)
		return 1;
	if (tls_waits(tls, rc, &tls->sends_by_write))
		return 0;
	verdict = SSL_get_verify_result(tls->ssl);
	why = ERR_reason_error_string(ERR_peek_last_error());
	if (verdict != X509_V_OK)
		snprintf(
			error, error_size,
			"TLS: its certificate is refused: %s: check `server`, and whether SSL_CERT_FILE names who signed it",
			X509_verify_cert_error_string(verdict));
	else
		snprintf(error, error_size, "TLS: %s: check that this port speaks it",
			 why ? why : "the server closed the connection");
	ERR_clear_error();
	return -1;
}

/* What OpenSSL returned, as the system's calls tell it. */
static ssize_t tls_result(struct sink_tls *tls, int rc, bool *is_by_write)
{
	if (rc <= 0 && tls_waits(tls, rc, is_by_write)) {
		errno = EAGAIN;
		return -1;
	}
	*is_by_write = false;
	if (rc > 0)
		return rc;
	if (SSL_get_error(tls->ssl, rc) == SSL_ERROR_ZERO_RETURN)
		return 0;
	ERR_clear_error();
	errno = EPROTO;
	return -1;
}

ssize_t sink_tls_send(struct sink_tls *tls, const void *bytes, size_t n_bytes)
{
	int n = n_bytes < INT_MAX ? (int)n_bytes : INT_MAX;

	ERR_clear_error();
	tls->n_reads = 0;
	return tls_result(tls, SSL_write(tls->ssl, bytes, n), &tls->sends_by_write);
}

ssize_t sink_tls_receive(struct sink_tls *tls, void *bytes, size_t n_bytes)
{
	int n = n_bytes < INT_MAX ? (int)n_bytes : INT_MAX;

	ERR_clear_error();
	tls->n_reads = 0;
	return tls_result(tls, SSL_read(tls->ssl, bytes, n), &tls->receives_by_write);
}

bool sink_tls_wants_write(const struct sink_tls *tls)
{
	return tls->sends_by_write || tls->receives_by_write;
}
