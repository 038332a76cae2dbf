/* SPDX-License-Identifier: BSD-3-Clause */
#include "sink_secret.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SECRET_MAX_BYTES 4096

/* Reads what fits. Returns the length or a negative errno. */
static ssize_t read_some(const char *path, char *text, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n, n_read = 0;

	if (fd < 0)
		return -errno;
	while ((n = read(fd, text + n_read, size - (size_t)n_read)) > 0)
		n_read += n;
	if (n < 0)
		n_read = -errno;
	close(fd);
	return n_read;
}

static int read_file(const char *path, char **secret, char *error, size_t error_size)
{
	char text[SECRET_MAX_BYTES];
	ssize_t n = read_some(path, text, sizeof(text) - 1);
	int rc = n < 0 ? (int)n : 0;

	if (!rc) {
		text[n] = '\0';
		text[strcspn(text, "\r\n")] = '\0';
		*secret = strdup(text);
		rc = !text[0] || n == (ssize_t)sizeof(text) - 1 ? -EINVAL : *secret ? 0 : -ENOMEM;
	}
	explicit_bzero(text, sizeof(text));
	if (rc == -EINVAL)
		snprintf(error, error_size,
			 "%s: its first line is no password; write it there, of up to 4000 bytes", path);
	else if (rc)
		snprintf(error, error_size, "%s: cannot be read: %s", path, strerror(-rc));
	return rc;
}

int sink_secret_read(const char *file, const char *variable, char **secret, char *error, size_t error_size)
{
	const char *value;
	int rc = 0;

	*secret = NULL;
	if (file) {
		rc = read_file(file, secret, error, error_size);
	} else if (variable) {
		value = getenv(variable);
		*secret = value && *value ? strdup(value) : NULL;
		rc = *secret ? 0 : -ENOENT;
		if (rc)
			snprintf(error, error_size, "the environment has no %s; export it, or name another one",
				 variable);
	}
	if (!rc)
		return 0;
	sink_secret_free(*secret);
	*secret = NULL;
	return rc;
}

void sink_secret_free(char *secret)
{
	if (secret)
		explicit_bzero(secret, strlen(secret));
	free(secret);
}

bool sink_secret_is_exposed(const char *file)
{
	struct stat status;

	return file && !stat(file, &status) && S_ISREG(status.st_mode) && status.st_mode & S_IROTH;
}
