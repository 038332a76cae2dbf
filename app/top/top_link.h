/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The telemetry socket of a live run: finds it, asks it. For `wirescore top`; what comes from there is not trusted.
 */
#ifndef WIRESCORE_TOP_LINK_H
#define WIRESCORE_TOP_LINK_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/un.h>

#include <jansson.h>

struct top_link {
	int fd;	 /* -1: none */
	int pid; /* of who listens, by the kernel */
	char path[sizeof(((struct sockaddr_un *)0)->sun_path)];
};

/*
 * Opens a run's socket: the one at path; else, of those in the folders of file_prefix, or of any where that is NULL, the
 * newest that belongs to a run of wirescore of root's or of this user's: others may make folders below /tmp. 0, or a
 * negative errno with one line in error.
 */
int top_link_open(struct top_link *link, const char *path, const char *file_prefix, char *error, size_t error_size);
void top_link_close(struct top_link *link);

/* What the run answers to a command, which the caller releases; NULL: it does not, and the link is of no more use. */
json_t *top_link_ask(const struct top_link *link, const char *command);

#endif
