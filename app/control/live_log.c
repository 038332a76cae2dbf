/* SPDX-License-Identifier: BSD-3-Clause */
#include "live_log.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <rte_log.h>

#include "command.h"

#define LOG_BYTES	(256u << 10)
#define LOG_PART_BYTES	4096u
#define LOG_POLL_US	2000
#define LOG_NOTE_FORMAT "wirescore: nobody read stderr: lines left out here: %" PRIu64 "\n"
#define LOG_NOTE_BYTES	96u

/* Lines that wait, from bytes[first] on, around the end to the beginning. The lock is never held over a write. */
static struct {
	pthread_mutex_t lock;
	pthread_cond_t has_lines;
	FILE *stream;
	int fd; /* stderr, whatever is put in its place for a while */
	bool is_open;
	char bytes[LOG_BYTES];
	size_t first, n_whole;	/* bytes of whole lines, which the thread may take */
	size_t n_part;		/* bytes behind them, of a line that has not ended yet */
	bool is_dropping;	/* the line that has not ended */
	uint64_t n_dropped;	/* lines since the last one that found room */
	bool is_writing;	/* the thread has taken bytes that stderr has not */
	uint64_t n_bytes_taken; /* by stderr so far */
} live_log = {.lock = PTHREAD_MUTEX_INITIALIZER, .has_lines = PTHREAD_COND_INITIALIZER};

static bool log_has_room(size_t n)
{
	return live_log.n_whole + live_log.n_part + n <= LOG_BYTES;
}

/* Puts bytes behind those that are there: there is room. */
static void log_append(const char *bytes, size_t n)
{
	size_t at = (live_log.first + live_log.n_whole + live_log.n_part) % LOG_BYTES;
	size_t before_end = n < LOG_BYTES - at ? n : LOG_BYTES - at;

	memcpy(live_log.bytes + at, bytes, before_end);
	memcpy(live_log.bytes, bytes + before_end, n - before_end);
	live_log.n_part += n;
}

/* Where lines were left out, and there is room for many again: says so before the next one. */
static void log_note_dropped(void)
{
	char note[LOG_NOTE_BYTES];

	if (!live_log.n_dropped || live_log.n_part || !log_has_room(LOG_BYTES / 2))
		return;
	log_append(note, (size_t)snprintf(note, sizeof(note), LOG_NOTE_FORMAT, live_log.n_dropped));
	live_log.n_whole += live_log.n_part;
	live_log.n_part = 0;
	live_log.n_dropped = 0;
}

/* Takes a part of a line; is_end: its last. */
static void log_take(const char *bytes, size_t n, bool is_end)
{
	log_note_dropped();
	/* A line behind others that were left out waits for room for the note too: the order stays. */
	if (!log_has_room(n) || (live_log.n_dropped && !live_log.n_part)) {
		live_log.is_dropping = true;
		live_log.n_part = 0;
	}
	if (!live_log.is_dropping)
		log_append(bytes, n);
	if (!is_end)
		return;
	live_log.n_dropped += live_log.is_dropping;
	live_log.is_dropping = false;
	live_log.n_whole += live_log.n_part;
	live_log.n_part = 0;
	pthread_cond_signal(&live_log.has_lines);
}

/* Of the stream: takes all, always. */
static ssize_t log_write(void *context, const char *bytes, size_t n)
{
	size_t n_done = 0;

	(void)context;
	pthread_mutex_lock(&live_log.lock);
	while (n_done < n) {
		const char *end = memchr(bytes + n_done, '\n', n - n_done);
		size_t n_line = end ? (size_t)(end + 1 - bytes) - n_done : n - n_done;

		log_take(bytes + n_done, n_line, end);
		n_done += n_line;
	}
	pthread_mutex_unlock(&live_log.lock);
	return (ssize_t)n;
}

/* Writes some bytes, however long that takes. */
static void log_put_out(const char *bytes, size_t n)
{
	size_t n_done = 0;

	while (n_done < n) {
		ssize_t n_taken = write(live_log.fd, bytes + n_done, n - n_done);

		/* Where it can be written no more the lines are lost. */
		if (n_taken < 0 && errno == EAGAIN)
			usleep(LOG_POLL_US);
		else if (n_taken < 0 && errno != EINTR)
			return;
		else if (n_taken > 0)
			n_done += (size_t)n_taken;
	}
}

static void *log_run(void *context)
{
	char part[LOG_PART_BYTES];

	(void)context;
	pthread_mutex_lock(&live_log.lock);
	for (;;) {
		size_t n, before_end = LOG_BYTES - live_log.first;

		if (!live_log.n_whole) {
			log_note_dropped();
			if (!live_log.n_whole) {
				pthread_cond_wait(&live_log.has_lines, &live_log.lock);
				continue;
			}
		}
		n = live_log.n_whole < sizeof(part) ? live_log.n_whole : sizeof(part);
		n = n < before_end ? n : before_end;
		memcpy(part, live_log.bytes + live_log.first, n);
		live_log.first = (live_log.first + n) % LOG_BYTES;
		live_log.n_whole -= n;
		live_log.is_writing = true;
		pthread_mutex_unlock(&live_log.lock);
		log_put_out(part, n);
		pthread_mutex_lock(&live_log.lock);
		live_log.is_writing = false;
		live_log.n_bytes_taken += n;
	}
	return NULL;
}

/* Signals are the control core's, but for the one that asks threads for their capabilities. 0 or a negative errno. */
static int log_start_thread(void)
{
	pthread_t thread;
	sigset_t all, before;
	int rc;

	sigfillset(&all);
	sigdelset(&all, SIGUSR2);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	rc = pthread_create(&thread, NULL, log_run, NULL);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (!rc)
		pthread_detach(thread); /* it may hang in a write until the process ends */
	return -rc;
}

int live_log_open(void)
{
	int rc;

	live_log.fd = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);
	if (live_log.fd < 0)
		return -errno;
	live_log.stream = fopencookie(NULL, "w", (cookie_io_functions_t){.write = log_write});
	if (!live_log.stream)
		return -ENOMEM;
	setvbuf(live_log.stream, NULL, _IOLBF, BUFSIZ);
	rc = log_start_thread();
	if (rc) {
		fclose(live_log.stream);
		return rc;
	}
	live_log.is_open = true;
	complain_to(live_log.stream);
	rte_openlog_stream(live_log.stream);
	return 0;
}

/* Whether all is written; *n_bytes_taken moves as long as stderr takes any. */
static bool log_is_idle(uint64_t *n_bytes_taken)
{
	bool is_idle;

	pthread_mutex_lock(&live_log.lock);
	is_idle = !live_log.n_whole && !live_log.is_writing && !live_log.n_dropped;
	*n_bytes_taken = live_log.n_bytes_taken;
	pthread_mutex_unlock(&live_log.lock);
	return is_idle;
}

void live_log_close(double seconds)
{
	const uint32_t n_waits = (uint32_t)(seconds * 1e6 / LOG_POLL_US);
	uint64_t before = 0, n_bytes_taken;

	if (!live_log.is_open)
		return;
	fflush(live_log.stream);
	for (uint32_t n_left = n_waits; !log_is_idle(&n_bytes_taken); n_left--) {
		if (n_bytes_taken != before)
			n_left = n_waits;
		if (!n_left)
			return;
		before = n_bytes_taken;
		usleep(LOG_POLL_US);
	}
	rte_openlog_stream(stderr);
	complain_to(stderr);
	live_log.is_open = false;
}
