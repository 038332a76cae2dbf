/* SPDX-License-Identifier: BSD-3-Clause */
#include "generate_file.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "command.h"
#include "same_file.h"

bool generated_file_is_same(const char *left, const char *right)
{
	struct stat a, b;

	if (!strcmp(left, right))
		return true;
	return !stat(left, &a) && !stat(right, &b) && S_ISREG(a.st_mode) && is_same_file(&a, &b);
}

int generated_file_failed(const struct generated_file *file)
{
	complain("%s: %s", file->path, strerror(errno ? errno : EIO));
	return -1;
}

/* A file that is there already stays as it is until the new one is whole. */
int generated_file_open(struct generated_file *file, const char *path)
{
	mode_t mask = umask(0);
	struct stat status;
	int fd;

	umask(mask);
	file->path = path;
	if (!strcmp(path, "-")) {
		file->stream = stdout;
		return 0;
	}
	if (!stat(path, &status) && !S_ISREG(status.st_mode)) {
		file->stream = fopen(path, "wbe");
		return file->stream ? 0 : generated_file_failed(file);
	}
	if (asprintf(&file->temporary, "%s.XXXXXX", path) < 0) {
		file->temporary = NULL;
		return generated_file_failed(file);
	}
	fd = mkstemp(file->temporary);
	if (fd < 0) {
		generated_file_failed(file);
		free(file->temporary);
		file->temporary = NULL;
		return -1;
	}
	file->stream = fchmod(fd, 0666 & ~mask) ? NULL : fdopen(fd, "wb");
	if (file->stream)
		return 0;
	close(fd);
	return generated_file_failed(file);
}

int generated_file_flush(const struct generated_file *file)
{
	return file->stream && fflush(file->stream) ? generated_file_failed(file) : 0;
}

/* What a failed run has written is removed, unless it went to a device or stdout. */
int generated_file_close(struct generated_file *file, bool failed)
{
	if (file->stream && file->stream != stdout && fclose(file->stream)) {
		generated_file_failed(file);
		failed = true;
	}
	if (file->temporary && !failed && rename(file->temporary, file->path)) {
		generated_file_failed(file);
		failed = true;
	}
	if (file->temporary && failed)
		unlink(file->temporary);
	free(file->temporary);
	return failed ? -1 : 0;
}
