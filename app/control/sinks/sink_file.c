/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Records to a file of lines. The file at the path grows by whole lines, or by whole members or frames where it is
 * compressed; when it is full or its time is over it gets a final name (sink_rotation.h), and another begins. A file
 * that is there at the start is gone on with, once what is not whole at its end is cut off; one that holds something else is
 * refused. What is no regular file (a pipe, stdout) is written to as its reader takes it.
 *
 * Unlike output.c, which offline commands use, it holds nothing back, knows what is in the file for good, and goes on
 * after errors.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "command.h"
#include "json_text.h"
#include "output.h"
#include "same_file.h"
#include "sink_clock.h"
#include "sink_drivers.h"
#include "sink_pack.h"
#include "sink_rotation.h"

#define NS_PER_MS 1000000u
#define NS_PER_S  1000000000u

/* How long one delivery waits for the reader of a pipe, how often it looks, and what a pipe takes at least. */
#define FILE_WAIT_MS	  2000
#define FILE_LAST_WAIT_MS 500
#define FILE_POLL_MS	  50
#define FILE_PIECE_BYTES  4096
/* After a rotation that failed. */
#define FILE_RETRY_S 10

struct sink_file {
	const struct sink_options *options;
	char *path; /* of the file itself, where links lead to one that is rotated */
	struct sink_pack *pack;
	char *head; /* that every file begins with */
	size_t head_bytes;
	const char *end; /* of lines */
	size_t end_bytes;
	int fd; /* -1: none is open */
	bool is_stdout, is_stream;

	/* Of the lines of a batch. */
	char *text;
	size_t text_room, text_bytes;
	size_t ends[SINK_MAX_BATCH]; /* of each line in text */

	/* Of a regular file. */
	struct stat status;
	uint64_t size;	  /* bytes of what is whole */
	uint64_t begin_s; /* when its first line came; of a file of an earlier run, when its last one did */
	uint64_t period;
	bool is_torn;	/* there is something behind size that is to be cut off */
	bool is_astray; /* others have moved it, and there is no other */
	uint64_t retry_rotation_s;
	bool has_told_later; /* of names that are of times to come */

	/* Of a stream: what is on its way, and how much of it has left. */
	bool has_head_left;
	const char *bytes;
	size_t n_bytes, n_left;
	uint32_t n_pending, n_taken; /* lines, and those of them that were told of */
};

/* One line about the path. Returns rc. */
static int __attribute__((format(printf, 5, 6)))
file_refuse(const struct sink_file *file, int rc, char *error, size_t error_size, const char *format, ...)
{
	char what[256];
	va_list values;

	va_start(values, format);
	vsnprintf(what, sizeof(what), format, values);
	va_end(values);
	snprintf(error, error_size, "%s: %s%s%s", file->path, what, rc ? ": " : "", rc ? strerror(-rc) : "");
	return rc;
}

static bool file_rotates(const struct sink_file *file)
{
	return file->options->rotate_bytes || file->options->rotate_ns;
}

/* Makes what every file begins with. 0 or -ENOMEM. */
static int file_make_head(struct sink_file *file, const struct sink_formats *formats)
{
	const struct sink_options *options = file->options;
	char *path;

	file->end = options->form == SINK_CSV ? "\r\n" : "\n";
	file->end_bytes = strlen(file->end);
	if (options->form == SINK_NDJSON)
		return 0;
	path = json_quoted(options->path);
	file->head = path ? malloc(flow_record_joy_head_room(path) + flow_record_csv_head_room()) : NULL;
	if (file->head && options->form == SINK_JOY)
		file->head_bytes = flow_record_joy_head(&formats->flows, path, file->head);
	else if (file->head)
		file->head_bytes = options->records == SINK_PACKETS
					   ? record_packet_csv_head(&formats->packets, file->head)
					   : flow_record_csv_head(&formats->flows, file->head);
	free(path);
	return file->head ? 0 : -ENOMEM;
}

/* Opens the regular file, or makes it, for this sink alone. 0, or a negative errno with one line. */
static int file_open_regular(struct sink_file *file, char *error, size_t error_size)
{
	struct stat status;
	int rc;

	file->fd = open(file->path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
	if (file->fd < 0)
		return file_refuse(file, -errno, error, error_size, "cannot be opened");
	/* Not every file system has locks. */
	rc = (flock(file->fd, LOCK_EX | LOCK_NB) && errno == EWOULDBLOCK) || fstat(file->fd, &status) ? -errno : 0;
	if (!rc && S_ISREG(status.st_mode)) {
		file->status = status;
		file->is_torn = false;
		return 0;
	}
	close(file->fd);
	file->fd = -1;
	if (rc == -EWOULDBLOCK)
		return file_refuse(file, 0, error, error_size,
				   "another process or section writes it; name another file"),
		       -EBUSY;
	if (!rc)
		return file_refuse(file, 0, error, error_size, "is no regular file any more"), -EINVAL;
	return file_refuse(file, rc, error, error_size, "cannot be locked");
}

/* Has the names in the folder written. It is too late to refuse. */
static void file_sync_folder(const struct sink_file *file)
{
	int rc = file->options->has_fsync ? sink_rotation_sync(file->path) : 0;

	if (rc)
		complain("[records %s] %s: its folder cannot be synced: %s", file->options->name, file->path,
			 strerror(-rc));
}

/* Removes the oldest of the files that are full, but never the one that was given its name just now. */
static void file_prune(struct sink_file *file, const char *moved)
{
	uint32_t n_later;
	int rc = sink_rotation_prune(file->path, moved, file->options->n_kept - 1, &n_later);

	if (rc)
		complain("[records %s] %s: older ones cannot be removed: %s", file->options->name, file->path,
			 strerror(-rc));
	if (n_later && !file->has_told_later)
		complain(
			"[records %s] %s: the names of %u older ones are of times to come: they are kept until you "
			"remove them",
			file->options->name, file->path, n_later);
	file->has_told_later |= n_later > 0;
}

/* Gives the file its final name. 0, or a negative errno with one line. */
static int file_move(struct sink_file *file, char *error, size_t error_size)
{
	char moved[PATH_MAX];
	const struct sink_options *options = file->options;
	int rc = sink_rotation_move(file->path, file->begin_s, "", moved);

	if (rc)
		return file_refuse(file, rc, error, error_size, "cannot be given its final name");
	file_sync_folder(file);
	if (options->n_kept)
		file_prune(file, moved);
	return 0;
}

/* Puts aside a file that cannot be gone on with. 1, or a negative errno with one line. */
static int file_put_aside(struct sink_file *file, const char *why, const char *mark, char *error, size_t error_size)
{
	char moved[PATH_MAX];
	int rc = sink_rotation_move(file->path, file->begin_s, mark, moved);

	if (rc)
		return file_refuse(file, rc, error, error_size, "%s, and cannot be renamed", why);
	complain("[records %s] %s %s; it is %s now", file->options->name, file->path, why, moved);
	return 1;
}

/* The period of a time; 0 where there are none. */
static uint64_t file_period(const struct sink_file *file, uint64_t ns)
{
	return file->options->rotate_ns ? ns / file->options->rotate_ns : 0;
}

/* The file's first line is of this time. */
static void file_set_begin(struct sink_file *file, uint64_t ns)
{
	file->period = file_period(file, ns);
	file->begin_s = (file->options->rotate_ns ? file->period * file->options->rotate_ns : ns) / NS_PER_S;
}

/* Whether a file of JSON begins as a record does, a heartbeat or Joy's first line, or with a part of that. */
static bool file_has_first_key(const struct sink_file *file, const struct sink_scan *scan)
{
	static const char *const records[] = {"{\"flow_id\":\"", "{\"sensor\":\"",   "{\"port\":\"",
					      "{\"n\":",	 "{\"heartbeat\":{", NULL};
	static const char *const joy[] = {"{\"version\":\"", NULL};

	for (const char *const *key = file->options->form == SINK_JOY ? joy : records; *key; key++) {
		size_t n = strlen(*key);

		if (!memcmp(scan->head, *key, n < scan->n_head ? n : scan->n_head))
			return true;
	}
	return false;
}

/*
 * Whether what a file begins with may be records: what somebody else has written is neither to be gone on with, nor
 * cut, nor moved. A crash may have left a part of the beginning, or zeros.
 */
static bool file_may_be_ours(const struct sink_file *file, const struct sink_scan *scan)
{
	size_t n_head = scan->n_head < file->head_bytes ? scan->n_head : file->head_bytes;
	const char *line_end = memchr(scan->head, '\n', scan->n_head);

	if (scan->is_foreign)
		return false;
	if (!scan->n_head)
		return true;
	if (!scan->head[0])
		return !memcmp(scan->head, scan->head + 1, scan->n_head - 1);
	if (file->options->form != SINK_CSV)
		return file_has_first_key(file, scan);
	/* Every version has that column. */
	return !memcmp(scan->head, file->head, n_head) ||
	       (line_end && memmem(scan->head, (size_t)(line_end - scan->head), "flow_id", strlen("flow_id")));
}

/* Whether what comes can be put behind what is there: other columns under a head would be wrong without a sign. */
static bool file_fits(const struct sink_file *file, const struct sink_scan *scan)
{
	return file->options->form != SINK_CSV ||
	       (scan->n_head >= file->head_bytes && !memcmp(scan->head, file->head, file->head_bytes));
}

/* Looks at what an earlier run has left, and goes on behind it. 0; 1: it was moved out of the way; or as above. */
static int file_adopt(struct sink_file *file, char *error, size_t error_size)
{
	const struct sink_options *options = file->options;
	uint64_t n_bytes = (uint64_t)file->status.st_size;
	struct sink_scan scan;
	int rc;

	file_set_begin(file, (uint64_t)file->status.st_mtime * NS_PER_S);
	file->size = 0;
	if (!n_bytes)
		return 0;
	rc = sink_pack_scan(options->compression, file->fd, n_bytes, &scan);
	if (rc)
		return file_refuse(file, rc, error, error_size, "cannot be read");
	if (!file_may_be_ours(file, &scan))
		return file_refuse(file, 0, error, error_size,
				   "holds something else than such records; name another file"),
		       -EEXIST;
	if (scan.is_long)
		return file_put_aside(file, "would take long to read", ".left", error, error_size);
	if (!scan.n_whole || !scan.head[0] || scan.has_more)
		return file_put_aside(file, "was not whole", ".damaged", error, error_size);
	if (!file_fits(file, &scan))
		return file_put_aside(file, "has other columns", ".other", error, error_size);
	if (scan.n_whole < n_bytes) {
		if (ftruncate(file->fd, (off_t)scan.n_whole))
			return file_refuse(file, -errno, error, error_size, "cannot be mended");
		complain("[records %s] %s ended in %llu bytes that were not whole: cut off", options->name,
			 file->path, (unsigned long long)(n_bytes - scan.n_whole));
	}
	file->size = scan.n_whole;
	return 0;
}

static void file_close_fd(struct sink_file *file)
{
	if (file->fd >= 0 && file->fd != STDOUT_FILENO)
		close(file->fd);
	file->fd = -1;
}

/* Opens the file and goes on with what is in it. 0, or a negative errno with one line. */
static int file_begin(struct sink_file *file, char *error, size_t error_size)
{
	int rc;

	do {
		rc = file_open_regular(file, error, error_size);
		if (!rc)
			rc = file_adopt(file, error, error_size);
		if (rc)
			file_close_fd(file);
	} while (rc == 1);
	if (!rc && !file->size)
		file_sync_folder(file);
	return rc;
}

/* Opens what is no regular file; nobody may be there to read a pipe. 0, or a negative errno with one line. */
static int file_begin_stream(struct sink_file *file, char *error, size_t error_size)
{
	file->has_head_left = true;
	file->n_left = 0;
	if (file->is_stdout) {
		file->fd = file->options->terminal ? file->options->terminal : STDOUT_FILENO;
		return 0;
	}
	file->fd = open(file->path, O_WRONLY | O_NONBLOCK | O_APPEND | O_NOCTTY | O_CLOEXEC);
	if (file->fd >= 0)
		return 0;
	if (errno == ENXIO)
		return file_refuse(file, 0, error, error_size, "nobody reads it"), -ENXIO;
	return file_refuse(file, -errno, error, error_size, "cannot be opened");
}

static int sink_file_close(void *state, char *error, size_t error_size);

/* Finds the file behind links: to rename a link would leave the file where it is, and begin the next one elsewhere. */
static void file_resolve(struct sink_file *file)
{
	char *path = realpath(file->path, NULL);

	if (!path)
		return;
	free(file->path);
	file->path = path;
}

/* Finds out what is at the path. 0, or a negative errno with one line where records cannot go there. */
static int file_look(struct sink_file *file, char *error, size_t error_size)
{
	struct stat status = {.st_mode = S_IFREG};
	int rc;

	file->is_stdout = output_path_is_stdout(file->path);
	if (!file->is_stdout && stat(file->path, &status) && !lstat(file->path, &status))
		return file_refuse(file, 0, error, error_size, "is a link that leads nowhere; name a file"),
		       -ENOENT;
	file->is_stream = file->is_stdout || S_ISFIFO(status.st_mode) || S_ISCHR(status.st_mode);
	if (file->is_stream && file_rotates(file))
		return file_refuse(file, 0, error, error_size, "is no regular file, which alone can be rotated"),
		       -EINVAL;
	/* Least of all a disk. */
	if (!file->is_stream && !S_ISREG(status.st_mode))
		return file_refuse(file, 0, error, error_size, "is %s; name a file",
				   S_ISDIR(status.st_mode)   ? "a folder"
				   : S_ISBLK(status.st_mode) ? "a block device"
							     : "a socket"),
		       -EINVAL;
	file_resolve(file);
	if (!file_rotates(file))
		return 0;
	rc = sink_rotation_check(file->path);
	/* What would come to light when the first file is full. */
	return rc ? file_refuse(file, rc, error, error_size, "cannot be rotated, for its folder takes no writes")
		  : 0;
}

static int file_open_any(struct sink_file *file, const struct sink_formats *formats, char *error, size_t error_size)
{
	const struct sink_options *options = file->options;
	int rc = sink_pack_create(options->compression, &file->pack);

	if (rc)
		return file_refuse(file, rc == -ENOTSUP ? 0 : rc, error, error_size, "%s",
				   rc == -ENOTSUP ? "this build has no zstd; install libzstd-dev and build again"
						  : "cannot be compressed"),
		       rc;
	rc = file_make_head(file, formats);
	if (rc)
		return file_refuse(file, rc, error, error_size, "cannot be begun");
	rc = file_look(file, error, error_size);
	if (rc)
		return rc;
	if (!file->is_stream)
		return file_begin(file, error, error_size);
	rc = file_begin_stream(file, error, error_size);
	if (rc != -ENXIO)
		return rc;
	/* Now, for it may be long until there are records. */
	complain("[records %s] %s: is a pipe that nobody reads yet; records wait", options->name, file->path);
	return 0;
}

static int sink_file_open(const struct sink_options *options, const struct sink_formats *formats, void **state,
			  char *error, size_t error_size)
{
	struct sink_file *file;
	char ignored[64];
	int rc;

	if (!options->path) {
		snprintf(error, error_size, "path is not set");
		return -EINVAL;
	}
	file = calloc(1, sizeof(*file));
	if (file)
		file->path = strdup(options->path);
	if (!file || !file->path) {
		free(file);
		snprintf(error, error_size, "out of memory");
		return -ENOMEM;
	}
	file->options = options;
	file->fd = -1;
	rc = file_open_any(file, formats, error, error_size);
	if (rc)
		sink_file_close(file, ignored, sizeof(ignored));
	else
		*state = file;
	return rc;
}

/* Makes the text of a batch, behind the head where has_head is set. 0 or -ENOMEM. */
static int file_fill(struct sink_file *file, const struct sink_item *items, uint32_t n, bool has_head)
{
	size_t room = file->head_bytes;
	char *at;

	for (uint32_t i = 0; i < n; i++)
		room += items[i].text_bytes + file->end_bytes;
	if (room > file->text_room) {
		at = realloc(file->text, room);
		if (!at)
			return -ENOMEM;
		file->text = at;
		file->text_room = room;
	}
	at = file->text;
	if (has_head && file->head_bytes)
		at = mempcpy(at, file->head, file->head_bytes);
	for (uint32_t i = 0; i < n; i++) {
		at = mempcpy(at, items[i].text, items[i].text_bytes);
		at = mempcpy(at, file->end, file->end_bytes);
		file->ends[i] = (size_t)(at - file->text);
	}
	file->text_bytes = (size_t)(at - file->text);
	return 0;
}

/* How many of n lines end within so many bytes of the text. */
static uint32_t file_n_whole(const struct sink_file *file, uint32_t n, size_t n_bytes)
{
	uint32_t n_whole = 0;

	while (n_whole < n && file->ends[n_whole] <= n_bytes)
		n_whole++;
	return n_whole;
}

/* Cuts off what is behind the last line that is whole. 0 or a negative errno. */
static int file_mend(struct sink_file *file)
{
	file->is_torn = ftruncate(file->fd, (off_t)file->size) != 0;
	return file->is_torn ? -errno : 0;
}

/* Writes at the end. Returns how much of it is there; less than n_bytes with *rc. */
static size_t file_append(struct sink_file *file, const char *bytes, size_t n_bytes, int *rc)
{
	size_t n_done = 0;

	*rc = 0;
	while (n_done < n_bytes && !*rc) {
		ssize_t n = write(file->fd, bytes + n_done, n_bytes - n_done);

		if (n >= 0)
			n_done += (size_t)n;
		else if (errno != EINTR)
			*rc = -errno;
	}
	return n_done;
}

/* Whether others have moved the file away. */
static bool file_is_moved(const struct sink_file *file)
{
	struct stat status;

	/* Whoever may not look there any more still has the file. */
	if (stat(file->path, &status))
		return errno == ENOENT;
	return !is_same_file(&status, &file->status);
}

/* The file is whole: gives it its final name and begins another. 0, or a negative errno with one line. */
static int file_rotate(struct sink_file *file, char *error, size_t error_size)
{
	/* Others may have put something else in its place. */
	int rc = file_is_moved(file) ? 0 : file_move(file, error, error_size);

	if (rc)
		return rc;
	/* Some file systems tell only now that they have no room. */
	if (close(file->fd))
		complain("[records %s] %s: the last file may not be whole: %s", file->options->name, file->path,
			 strerror(errno));
	file->fd = -1;
	return file_begin(file, error, error_size);
}

/*
 * Rotates where it is time to, also by size where n_bytes more are to come. A rotation that fails is told of, and the
 * file goes on: records matter more. 0, or a negative errno with one line where no file is open.
 */
static int file_turn(struct sink_file *file, size_t n_bytes, uint64_t now_ns, char *error, size_t error_size)
{
	const struct sink_options *options = file->options;
	bool is_full = options->rotate_bytes && n_bytes && file->size + n_bytes > options->rotate_bytes;
	bool is_over = options->rotate_ns && file->period != file_period(file, now_ns);

	if (!file->size || !(is_full || is_over) || file->is_torn || now_ns / NS_PER_S < file->retry_rotation_s)
		return 0;
	if (!file_rotate(file, error, error_size)) {
		file->retry_rotation_s = 0;
		return 0;
	}
	if (file->fd < 0)
		return -EIO;
	if (!file->retry_rotation_s)
		complain("[records %s] %s; it grows on", options->name, error);
	file->retry_rotation_s = now_ns / NS_PER_S + FILE_RETRY_S;
	return 0;
}

/* Appends the batch that is in text. Returns how many of its lines are in the file for good. */
static uint32_t file_store(struct sink_file *file, const char *bytes, size_t n_bytes, uint32_t n, char *error,
			   size_t error_size)
{
	bool is_plain = file->options->compression == SINK_PLAIN;
	uint32_t n_whole = n;
	size_t n_good;
	int rc;

	n_good = file_append(file, bytes, n_bytes, &rc);
	if (n_good < n_bytes) {
		n_whole = is_plain ? file_n_whole(file, n, n_good) : 0;
		n_good = n_whole ? file->ends[n_whole - 1] : 0;
	}
	if (n_whole && file->options->has_fsync && fdatasync(file->fd)) {
		rc = -errno;
		n_whole = 0;
		n_good = 0;
	}
	file->size += n_good;
	if (!rc)
		return n;
	file_mend(file);
	file_refuse(file, rc, error, error_size, "cannot be written");
	return n_whole;
}

/* Where the file ends now: whoever rotates logs by copying empties it. 0, or a negative errno with one line. */
static int file_find_end(struct sink_file *file, uint64_t now_ns, char *error, size_t error_size)
{
	struct stat status;
	int rc = file->is_torn ? file_mend(file) : 0;

	if (!rc && fstat(file->fd, &status))
		rc = -errno;
	if (rc)
		return file_refuse(file, rc, error, error_size, "cannot be mended");
	file->size = (uint64_t)status.st_size;
	if (!file->size)
		file_set_begin(file, now_ns);
	return 0;
}

static uint32_t file_deliver_regular(struct sink_file *file, const struct sink_item *items, uint32_t n, char *error,
				     size_t error_size)
{
	uint64_t now_ns = sink_clock_ns(CLOCK_REALTIME);
	const char *bytes = NULL;
	size_t n_bytes = 0;
	bool is_empty;

	if ((file->fd < 0 && file_begin(file, error, error_size)) || file_turn(file, 0, now_ns, error, error_size))
		return 0;
	do {
		if (file_find_end(file, now_ns, error, error_size))
			return 0;
		is_empty = !file->size;
		if (file_fill(file, items, n, is_empty) ||
		    !(bytes = sink_pack_run(file->pack, file->text, file->text_bytes, &n_bytes))) {
			file_refuse(file, -ENOMEM, error, error_size, "cannot be written");
			return 0;
		}
		if (file_turn(file, n_bytes, now_ns, error, error_size))
			return 0;
		/* Once more where the batch was too much for the file: the next one begins with a head. */
	} while (!is_empty && !file->size);
	return file_store(file, bytes, n_bytes, n, error, error_size);
}

/* Waits until a pipe takes something. Whether it does. */
static bool stream_wait(const struct sink_file *file, uint64_t until_ms)
{
	const atomic_bool *stop = file->options->stop;
	struct pollfd watched = {.fd = file->fd, .events = POLLOUT};

	for (;;) {
		uint64_t now_ms;

		if (poll(&watched, 1, FILE_POLL_MS) > 0)
			return true;
		now_ms = sink_clock_ns(CLOCK_MONOTONIC) / NS_PER_MS;
		if (now_ms >= until_ms ||
		    (stop && atomic_load(stop) && now_ms + FILE_WAIT_MS - FILE_LAST_WAIT_MS >= until_ms))
			return false;
	}
}

/* Sends what is left. 0, -EAGAIN where its reader takes no more for now, or another negative errno. */
static int stream_send(struct sink_file *file)
{
	uint64_t until_ms = sink_clock_ns(CLOCK_MONOTONIC) / NS_PER_MS + FILE_WAIT_MS;

	while (file->n_left < file->n_bytes) {
		size_t n_rest = file->n_bytes - file->n_left;
		ssize_t n;

		if (!stream_wait(file, until_ms))
			return -EAGAIN;
		/* Stdout is not ours to make it non-blocking: it takes so much at once, or is full. */
		n = write(file->fd, file->bytes + file->n_left,
			  n_rest < FILE_PIECE_BYTES ? n_rest : FILE_PIECE_BYTES);
		if (n >= 0)
			file->n_left += (size_t)n;
		else if (errno != EINTR && errno != EAGAIN)
			return -errno;
	}
	return 0;
}

/* Lines of what is on its way that have left and were not told of yet. */
static uint32_t stream_take(struct sink_file *file)
{
	bool is_whole = file->n_left == file->n_bytes;
	uint32_t n = is_whole					? file->n_pending
		     : file->options->compression == SINK_PLAIN ? file_n_whole(file, file->n_pending, file->n_left)
								: 0;
	uint32_t n_new = n - file->n_taken;

	file->n_taken = n;
	if (is_whole)
		file->n_pending = 0;
	return n_new;
}

/* The reader is gone: the next one begins with a head and with the first line that this one did not get whole. */
static void stream_break(struct sink_file *file)
{
	file_close_fd(file);
	file->n_pending = 0;
}

static uint32_t file_deliver_stream(struct sink_file *file, const struct sink_item *items, uint32_t n, char *error,
				    size_t error_size)
{
	uint32_t n_taken;
	int rc;

	if (file->fd < 0 && file_begin_stream(file, error, error_size))
		return 0;
	if (!file->n_pending) {
		if (file_fill(file, items, n, file->has_head_left) ||
		    !(file->bytes = sink_pack_run(file->pack, file->text, file->text_bytes, &file->n_bytes))) {
			file_refuse(file, -ENOMEM, error, error_size, "cannot be written");
			return 0;
		}
		file->n_pending = n;
		file->n_taken = 0;
		file->n_left = 0;
	}
	rc = stream_send(file);
	n_taken = stream_take(file);
	if (!file->n_pending)
		file->has_head_left = false;
	if (rc == -EAGAIN)
		file_refuse(file, 0, error, error_size, "its reader takes no more");
	else if (rc)
		file_refuse(file, rc, error, error_size, "cannot be written");
	if (rc == -EPIPE && !file->is_stdout)
		stream_break(file);
	return n_taken;
}

static uint32_t sink_file_deliver(void *state, const struct sink_item *items, uint32_t n, char *error,
				  size_t error_size)
{
	struct sink_file *file = state;

	return file->is_stream ? file_deliver_stream(file, items, n, error, error_size)
			       : file_deliver_regular(file, items, n, error, error_size);
}

/* Begins another file in the place of one that others have moved; where that fails goes on with what there is. */
static void file_follow(struct sink_file *file, char *error, size_t error_size)
{
	struct stat status = file->status;
	int fd = file->fd;

	if (!file_begin(file, error, error_size)) {
		file->is_astray = false;
		close(fd);
		return;
	}
	if (!file->is_astray)
		complain("[records %s] the file was moved, and %s; it grows on where it is", file->options->name,
			 error);
	file->is_astray = true;
	file->fd = fd;
	file->status = status;
}

static void sink_file_tick(void *state, uint64_t now_ns)
{
	struct sink_file *file = state;
	char error[PATH_MAX + 256];

	if (file->is_stream || file->fd < 0 || file->is_torn)
		return;
	/* What goes wrong here goes wrong again where it is told of. */
	if (file_is_moved(file))
		file_follow(file, error, sizeof(error));
	else
		file_turn(file, 0, now_ns, error, sizeof(error));
}

static int sink_file_close(void *state, char *error, size_t error_size)
{
	struct sink_file *file = state;
	int rc = 0;

	if (!file->is_stream && file->fd >= 0) {
		if (file->size && file_rotates(file) && !file->is_torn && !file_is_moved(file))
			rc = file_move(file, error, error_size);
		if (close(file->fd))
			rc = file_refuse(file, -errno, error, error_size, "cannot be finished");
	} else {
		file_close_fd(file);
	}
	sink_pack_free(file->pack);
	free(file->path);
	free(file->head);
	free(file->text);
	free(file);
	return rc ? -1 : 0;
}

const struct sink_driver sink_file_driver = {
	.name = "file",
	.has_text = true,
	.open = sink_file_open,
	.deliver = sink_file_deliver,
	.tick = sink_file_tick,
	.close = sink_file_close,
};
