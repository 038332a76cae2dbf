/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The sink of files: whole lines whatever happens, rotation, compression, and pipes whose reader comes and goes.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>
#include <zlib.h>
#if HAVE_ZSTD
#include <zstd.h>
#endif

#include "flow_record_sample.h"
#include "sink_drivers.h"
#include "sink_kinds.h"
#include "sink_pack.h"
#include "sink_rotation.h"

#define LINE_BYTES 100
/* Where a line has its number, of eight digits. */
#define NUMBER_AT 5

static char folder[] = "/tmp/wirescore-sink-XXXXXX";
static const struct sink_formats formats = {
	.flows = {.layout = {.has_history = true, .n_listed = FLOW_MAX_LISTED}},
};
static char error[PATH_MAX + 256];

/* A path in a folder of this run; good until the fourth call after. */
static const char *path_of(const char *name)
{
	static char paths[4][PATH_MAX];
	static int n;
	char *path = paths[n++ % 4];

	snprintf(path, PATH_MAX, "%s/%s", folder, name);
	return path;
}

static struct sink_options options_of(const char *name)
{
	return (struct sink_options){.name = "test", .path = strdup(path_of(name))};
}

static void *open_file(const struct sink_options *options)
{
	void *state = NULL;

	if (sink_file_driver.open(options, &formats, &state, error, sizeof(error)))
		fail_msg("%s", error);
	return state;
}

static void close_file(void *state)
{
	char why[PATH_MAX + 256] = "";

	if (sink_file_driver.close(state, why, sizeof(why)))
		fail_msg("%s", why);
}

/* Delivers lines of LINE_BYTES with their newline, that have their number first. Returns how many were taken. */
static uint32_t deliver(void *state, uint32_t first, uint32_t n)
{
	static char lines[SINK_MAX_BATCH][LINE_BYTES + 1];
	struct sink_item items[SINK_MAX_BATCH];
	uint32_t random = first;

	for (uint32_t i = 0; i < n; i++) {
		int used = snprintf(lines[i], sizeof(lines[i]), "{\"n\":%08u", first + i);

		/* Digits that hardly compress. */
		while (used < LINE_BYTES - 1) {
			random = random * 1664525 + 1013904223;
			lines[i][used++] = (char)('!' + (random >> 16) % 90);
		}
		items[i] = (struct sink_item){.text = lines[i], .text_bytes = LINE_BYTES - 1};
	}
	error[0] = '\0';
	return sink_file_driver.deliver(state, items, n, error, sizeof(error));
}

static void deliver_all(void *state, uint32_t first, uint32_t n)
{
	for (uint32_t done = 0; done < n; done += SINK_MAX_BATCH) {
		uint32_t part = n - done < SINK_MAX_BATCH ? n - done : SINK_MAX_BATCH;

		if (deliver(state, first + done, part) != part)
			fail_msg("%s", error);
	}
}

/* The bytes of a file; it is there. */
static char *bytes_of(const char *path, size_t *n)
{
	struct stat status;
	int fd = open(path, O_RDONLY);
	char *bytes;

	assert_true(fd >= 0 && !fstat(fd, &status));
	bytes = malloc((size_t)status.st_size + 1);
	*n = (size_t)read(fd, bytes, (size_t)status.st_size);
	bytes[*n] = '\0';
	assert_int_equal(*n, status.st_size);
	close(fd);
	return bytes;
}

/* The text in a file, unpacked; all of it can be read, or all that is whole. */
static char *text_of(const char *path, size_t *n)
{
	enum { MAX_BYTES = 16 << 20 };
	size_t n_bytes;
	char *bytes = bytes_of(path, &n_bytes), *text;

	*n = n_bytes;
	if (strstr(path, ".gz")) {
		gzFile file = gzopen(path, "rb");

		text = malloc(MAX_BYTES);
		*n = (size_t)gzread(file, text, MAX_BYTES);
		assert_int_equal(gzclose(file), Z_OK);
		free(bytes);
		return text;
	}
#if HAVE_ZSTD
	if (strstr(path, ".zst")) {
		text = malloc(MAX_BYTES);
		*n = ZSTD_decompress(text, MAX_BYTES, bytes, n_bytes);
		assert_false(ZSTD_isError(*n));
		free(bytes);
		return text;
	}
#endif
	return bytes;
}

/* Reads the numbers of whole lines behind those of before. Returns the number behind the last. */
static uint32_t assert_lines(const char *path, uint32_t first)
{
	size_t n;
	char *text = text_of(path, &n);

	assert_int_equal(n % LINE_BYTES, 0);
	for (size_t at = 0; at < n; at += LINE_BYTES) {
		assert_int_equal(text[at + LINE_BYTES - 1], '\n');
		text[at + NUMBER_AT + 8] = '\0';
		assert_int_equal(strtoul(text + at + NUMBER_AT, NULL, 10), first++);
	}
	free(text);
	return first;
}

static int is_name(const struct dirent *entry)
{
	return entry->d_name[0] != '.';
}

/* Names of rotated files by their time, then by their number, which makes a name longer. */
static int compare_names(const struct dirent **left, const struct dirent **right)
{
	const char *l = (*left)->d_name, *r = (*right)->d_name;
	int order = strncmp(l, r, strcspn(l, "Z"));

	return order ?: strlen(l) != strlen(r) ? (strlen(l) > strlen(r)) - (strlen(l) < strlen(r)) : strcmp(l, r);
}

/* The names in the folder that begin so, in order. Returns how many; the caller frees each and the list. */
static int names_of(const char *begin, struct dirent ***kept)
{
	struct dirent **all;
	int n = scandir(folder, &all, is_name, compare_names), n_kept = 0;

	for (int i = 0; i < n; i++) {
		if (!strncmp(all[i]->d_name, begin, strlen(begin)))
			all[n_kept++] = all[i];
		else
			free(all[i]);
	}
	*kept = all;
	return n_kept;
}

/* The number that a file begins with. */
static uint32_t first_of(const char *path)
{
	size_t n;
	char *text = text_of(path, &n);
	uint32_t number;

	assert_true(n >= LINE_BYTES);
	text[NUMBER_AT + 8] = '\0';
	number = (uint32_t)strtoul(text + NUMBER_AT, NULL, 10);
	free(text);
	return number;
}

/* Reads all files of that beginning, oldest first, without a gap. Returns how many there are. */
static int assert_rotated(const char *begin, uint32_t *first, uint32_t *next)
{
	struct dirent **names;
	int n = names_of(begin, &names);

	for (int i = 0; i < n; i++) {
		const char *path = path_of(names[i]->d_name);

		if (!i)
			*next = *first = first_of(path);
		*next = assert_lines(path, *next);
		free(names[i]);
	}
	free(names);
	return n;
}

static void lines_are_in_the_file_once_they_are_delivered(void **state)
{
	static const char *const names[] = {"plain", "packed.gz", "packed.zst"};

	(void)state;
	for (int i = 0; i < 3; i++) {
		struct sink_options options = options_of(names[i]);
		void *file;

		options.compression = (enum sink_compression)i;
		options.has_fsync = i == 0;
		if (i == 2 && !sink_kind_find("zstd")->is_built)
			continue;
		file = open_file(&options);
		for (uint32_t first = 0; first < 1000; first += 250) {
			deliver_all(file, first, 250);
			/* Also while it is open. */
			assert_int_equal(assert_lines(options.path, 0), first + 250);
		}
		close_file(file);
		/* Another run goes on behind it. */
		file = open_file(&options);
		deliver_all(file, 1000, 1);
		close_file(file);
		assert_int_equal(assert_lines(options.path, 0), 1001);
		free((char *)(uintptr_t)options.path);
	}
}

static void what_a_crash_left_half_is_cut_off(void **state)
{
	static const char *const names[] = {"crash", "crash.gz", "crash.zst"};

	(void)state;
	for (int i = 0; i < 3; i++) {
		struct sink_options options = options_of(names[i]);
		struct stat before, after;
		void *file;

		options.compression = (enum sink_compression)i;
		if (i == 2 && !sink_kind_find("zstd")->is_built)
			continue;
		file = open_file(&options);
		deliver_all(file, 0, 100);
		assert_int_equal(stat(options.path, &before), 0);
		deliver_all(file, 100, 10);
		assert_int_equal(stat(options.path, &after), 0);
		close_file(file);
		/* Wherever in the last part, or line, the crash was. */
		for (off_t size = before.st_size; size < after.st_size; size += i ? 97 : 317) {
			assert_int_equal(truncate(options.path, size), 0);
			file = open_file(&options);
			deliver_all(file, i ? 100 : (uint32_t)(size / LINE_BYTES), 20);
			close_file(file);
			assert_int_equal(assert_lines(options.path, 0), i ? 120 : size / LINE_BYTES + 20);
		}
		free((char *)(uintptr_t)options.path);
	}
}

/* Writes a file of these bytes. */
static void write_file(const char *path, const char *bytes, size_t n)
{
	FILE *file = fopen(path, "w");

	assert_true(file && fwrite(bytes, 1, n, file) == n);
	assert_int_equal(fclose(file), 0);
}

/* The file is there and has these bytes. */
static void assert_bytes(const char *path, const char *bytes, size_t n)
{
	size_t n_there;
	char *there = bytes_of(path, &n_there);

	assert_int_equal(n_there, n);
	assert_memory_equal(there, bytes, n);
	free(there);
}

#define TEXT(text) text, sizeof(text) - 1

static void a_file_of_somebody_else_is_refused_and_left_as_it_is(void **state)
{
	static const struct {
		const char *name, *bytes;
		size_t n;
		enum sink_compression compression;
		enum sink_form form;
	} cases[] = {
		{"letter", TEXT("Dear reader,\nwithout an end"), SINK_PLAIN, SINK_NDJSON},
		{"settings", TEXT("{\n \"a\": 1\n}\n"), SINK_PLAIN, SINK_NDJSON},
		/* Suricata's, and records of another form. */
		{"eve", TEXT("{\"timestamp\":\"2026-11-22\",\"flow_id\":1}\n{\"timestamp\":"), SINK_PLAIN,
		 SINK_NDJSON},
		{"table.joy", TEXT("{\"version\":\"1.74\"}\n"), SINK_PLAIN, SINK_NDJSON},
		{"lines", TEXT("{\"flow_id\":\"01\"}\n"), SINK_PLAIN, SINK_JOY},
		{"film",
		 TEXT("\0\0\0\x18"
		      "ftypmp42\n\0\0"),
		 SINK_PLAIN, SINK_NDJSON},
		{"picture", TEXT("\x89PNG\r\n\x1a\n\0\0\0"), SINK_PLAIN, SINK_JOY},
		{"prices.csv", TEXT("name,price\r\napple,2\r\n"), SINK_PLAIN, SINK_CSV},
		{"letter.gz", TEXT("no gzip at all\n"), SINK_GZIP, SINK_NDJSON},
		{"letter.zst", TEXT("no zstd at all\n"), SINK_ZSTD, SINK_NDJSON},
		/* gzip of "Dear reader\n" */
		{"packed.gz",
		 TEXT("\x1f\x8b\x08\0\0\0\0\0\0\x03\x73\x49\x4d\x2c\x52\x28\x4a\x4d\x4c\x49\x2d\xe2\x02\0"
		      "\xf1\x22\xeb\xf4\x0c\0\0\0"),
		 SINK_GZIP, SINK_NDJSON},
	};
	void *file;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct sink_options options = options_of(cases[i].name);
		struct dirent **names;

		if (cases[i].compression == SINK_ZSTD && !sink_kind_find("zstd")->is_built)
			continue;
		options.compression = cases[i].compression;
		options.form = cases[i].form;
		options.rotate_ns = 1000000000;
		options.n_kept = 1;
		write_file(options.path, cases[i].bytes, cases[i].n);
		assert_int_equal(sink_file_driver.open(&options, &formats, &file, error, sizeof(error)), -EEXIST);
		assert_non_null(strstr(error, "holds something else"));
		assert_bytes(options.path, cases[i].bytes, cases[i].n);
		assert_int_equal(names_of(cases[i].name, &names), 1);
		free(names[0]);
		free(names);
		free((char *)(uintptr_t)options.path);
	}
}

static void what_a_crash_left_of_a_first_line_is_kept_under_another_name(void **state)
{
	static const struct {
		const char *name, *bytes;
		size_t n;
		const char *moved, *ending;
		enum sink_compression compression;
		enum sink_form form;
	} cases[] = {
		{"begun", TEXT("{\"flow_id\":\"01"), "begun.2", ".damaged", SINK_PLAIN, SINK_NDJSON},
		{"begun.csv", TEXT("flow_id,sr"), "begun.csv.2", ".damaged", SINK_PLAIN, SINK_CSV},
		{"zeros", TEXT("\0\0\0\0"), "zeros.2", ".damaged", SINK_PLAIN, SINK_NDJSON},
		{"begun.gz", TEXT("\x1f\x8b\x08\0\0"), "begun.2", ".damaged.gz", SINK_GZIP, SINK_NDJSON},
		{"zeros.gz", TEXT("\0\0\0\0"), "zeros.2", ".damaged.gz", SINK_GZIP, SINK_NDJSON},
		{"zeros.zst", TEXT("\0\0\0\0"), "zeros.2", ".damaged.zst", SINK_ZSTD, SINK_NDJSON},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct sink_options options = options_of(cases[i].name);
		size_t n_ending = strlen(cases[i].ending);
		struct dirent **names;
		bool is_found = false;
		void *file;
		int n;

		if (cases[i].compression == SINK_ZSTD && !sink_kind_find("zstd")->is_built)
			continue;
		options.compression = cases[i].compression;
		options.form = cases[i].form;
		write_file(options.path, cases[i].bytes, cases[i].n);
		file = open_file(&options);
		deliver_all(file, 0, 5);
		close_file(file);
		if (cases[i].form == SINK_NDJSON)
			assert_int_equal(assert_lines(options.path, 0), 5);
		n = names_of(cases[i].moved, &names);
		for (int k = 0; k < n; k++) {
			const char *name = names[k]->d_name;

			if (!strcmp(name + strlen(name) - n_ending, cases[i].ending)) {
				assert_bytes(path_of(name), cases[i].bytes, cases[i].n);
				is_found = true;
			}
			free(names[k]);
		}
		free(names);
		assert_true(is_found);
		free((char *)(uintptr_t)options.path);
	}
}

/* The end of a name that a file was put aside under; it has n_bytes. */
static void assert_put_aside(const char *begin, const char *ending, off_t n_bytes)
{
	struct dirent **names;
	struct stat status;

	assert_int_equal(names_of(begin, &names), 1);
	assert_non_null(strstr(names[0]->d_name, ending));
	assert_int_equal(stat(path_of(names[0]->d_name), &status), 0);
	assert_int_equal(status.st_size, n_bytes);
	free(names[0]);
	free(names);
}

/* One byte of a disk is no end that a crash has left: what is behind it may be whole. */
static void a_file_that_is_damaged_in_its_middle_is_put_aside_whole(void **state)
{
	static const char *const names[] = {"", "middle.gz", "centre.zst"}, *const moved[] = {"", "middle.2",
											      "centre.2"};
	static const char *const endings[] = {"", ".damaged.gz", ".damaged.zst"};

	(void)state;
	for (int i = 1; i < 3; i++) {
		struct sink_options options = options_of(names[i]);
		struct stat status;
		char bad = 0;
		void *file;
		int fd;

		options.compression = (enum sink_compression)i;
		if (i == 2 && !sink_kind_find("zstd")->is_built)
			continue;
		file = open_file(&options);
		for (uint32_t k = 0; k < 50; k++)
			deliver_all(file, 100 * k, 100);
		close_file(file);
		assert_int_equal(stat(options.path, &status), 0);
		fd = open(options.path, O_RDWR);
		assert_int_equal(pread(fd, &bad, 1, 20000), 1);
		bad ^= 0x55;
		assert_int_equal(pwrite(fd, &bad, 1, 20000), 1);
		close(fd);
		file = open_file(&options);
		deliver_all(file, 0, 10);
		close_file(file);
		assert_int_equal(assert_lines(options.path, 0), 10);
		assert_put_aside(moved[i], endings[i], status.st_size);
		free((char *)(uintptr_t)options.path);
	}
}

/* It would hold up the start, or the records, for seconds. */
static void a_compressed_file_that_is_long_is_put_aside_rather_than_read(void **state)
{
	struct sink_options options = options_of("long.gz");
	void *file;

	(void)state;
	options.compression = SINK_GZIP;
	file = open_file(&options);
	deliver_all(file, 0, 100);
	close_file(file);
	assert_int_equal(truncate(options.path, SINK_SCAN_MAX_BYTES + 1), 0);
	file = open_file(&options);
	deliver_all(file, 0, 10);
	close_file(file);
	assert_int_equal(assert_lines(options.path, 0), 10);
	assert_put_aside("long.2", ".left.gz", SINK_SCAN_MAX_BYTES + 1);
	/* What is not ours is still refused. */
	write_file(options.path, "PK\3\4", 4);
	assert_int_equal(truncate(options.path, SINK_SCAN_MAX_BYTES + 1), 0);
	assert_int_equal(sink_file_driver.open(&options, &formats, &file, error, sizeof(error)), -EEXIST);
	assert_int_equal(unlink(options.path), 0);
	free((char *)(uintptr_t)options.path);
}

static void full_files_get_final_names_and_old_ones_go(void **state)
{
	static const char *const names[] = {"full", "full2.gz"}, *const rotated[] = {"full.2", "full2.2"};

	(void)state;
	for (int i = 0; i < 2; i++) {
		struct sink_options options = options_of(names[i]);
		uint32_t first, next;
		struct stat status;
		void *file;

		options.compression = (enum sink_compression)i;
		options.rotate_bytes = 20000;
		file = open_file(&options);
		for (uint32_t line = 0; line < 1500; line += 50) {
			deliver_all(file, line, 50);
			assert_int_equal(stat(options.path, &status), 0);
			assert_in_range(status.st_size, 1, 20000);
		}
		/* At the end the last one too. */
		close_file(file);
		assert_int_equal(access(options.path, F_OK), -1);
		assert_in_range(assert_rotated(rotated[i], &first, &next), i ? 5 : 8, 8);
		assert_int_equal(first, 0);
		assert_int_equal(next, 1500);

		options.n_kept = 3;
		file = open_file(&options);
		deliver_all(file, 1500, 10);
		close_file(file);
		assert_int_equal(assert_rotated(rotated[i], &first, &next), 3);
		assert_in_range(first, 1000, 1300);
		assert_int_equal(next, 1510);
		free((char *)(uintptr_t)options.path);
	}
}

/* As where the folder is taken away from the user: told of, also at the end, and nothing is lost. */
static void a_file_that_cannot_be_renamed_grows_on(void **state)
{
	char name[251], why[PATH_MAX + 256];
	struct sink_options options;
	void *file;

	(void)state;
	memset(name, 'n', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	options = options_of(name);
	options.rotate_bytes = 5 * LINE_BYTES;
	file = open_file(&options);
	deliver_all(file, 0, 5);
	deliver_all(file, 5, 5);
	deliver_all(file, 10, 5);
	assert_int_equal(sink_file_driver.close(file, why, sizeof(why)), -1);
	assert_non_null(strstr(why, "cannot be given its final name: File name too long"));
	assert_int_equal(assert_lines(options.path, 0), 15);
	free((char *)(uintptr_t)options.path);
}

static void only_rotated_files_are_removed(void **state)
{
	static const char *const others[] = {
		"log.20200101T000000Z",	      "log.20200101T000000Z.1.gz", "log.20200101T000000Z.x",
		"log.20200101T00000Z",	      "log.2020010xT000000Z",	   "xlog.20200101T000000Z",
		"log.20200101T000000Z.01.gz", "log.gz.20200101T000000Z",
	};
	uint32_t n_later;

	(void)state;
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		fclose(fopen(path_of(others[i]), "w"));
	assert_int_equal(sink_rotation_prune(path_of("log.gz"), "", 0, &n_later), 0);
	/* One of them is. */
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		assert_int_equal(access(path_of(others[i]), F_OK), i == 1 ? -1 : 0);
	assert_int_equal(sink_rotation_prune(path_of("log"), "", 1, &n_later), 0);
	assert_int_equal(access(path_of(others[0]), F_OK), 0);
	assert_int_equal(sink_rotation_prune(path_of("log"), "", 0, &n_later), 0);
	assert_int_equal(access(path_of(others[0]), F_OK), -1);
	assert_int_equal(access(path_of(others[2]), F_OK), 0);
}

static void names_of_one_second_are_told_apart_and_nothing_is_overwritten(void **state)
{
	char moved[PATH_MAX];

	(void)state;
	for (int i = 0; i < 3; i++) {
		char expected[PATH_MAX], same[8] = "";

		fclose(fopen(path_of("second.gz"), "w"));
		assert_int_equal(sink_rotation_move(path_of("second.gz"), 1795428900, "", moved), 0);
		if (i)
			snprintf(same, sizeof(same), ".%d", i);
		snprintf(expected, sizeof(expected), "%s/second.20261123T101500Z%s.gz", folder, same);
		assert_string_equal(moved, expected);
	}
	assert_int_equal(sink_rotation_move(path_of("second.gz"), 1, "", moved), -ENOENT);
}

/* The gap that removed files leave at the front is not filled: what is newest would pass for the oldest. */
static void the_newest_of_a_second_is_the_last_to_go(void **state)
{
	char moved[PATH_MAX], last[PATH_MAX];
	uint32_t n_later;

	(void)state;
	for (int i = 0; i < 12; i++) {
		write_file(path_of("gap"), "x", 1);
		assert_int_equal(sink_rotation_move(path_of("gap"), 1795428900, "", moved), 0);
		assert_int_equal(sink_rotation_prune(path_of("gap"), moved, 1, &n_later), 0);
		assert_int_equal(access(moved, F_OK), 0);
		if (i)
			assert_int_equal(access(last, F_OK), 0);
		memcpy(last, moved, sizeof(last));
	}
	snprintf(last, sizeof(last), "%s/gap.20261123T101500Z.11", folder);
	assert_string_equal(moved, last);
}

/* A clock that was wrong, or that was set back, has left names that no other comes behind. */
static void files_of_times_to_come_and_the_newest_one_are_never_removed(void **state)
{
	static const char *const later[] = {"wrong.20990101T000000Z", "wrong.20990101T000000Z.1"};
	struct sink_options options = options_of("wrong");
	char moved[PATH_MAX];
	struct dirent **names;
	uint32_t n_later;
	void *file;

	(void)state;
	write_file(path_of(later[0]), "x", 1);
	write_file(path_of(later[1]), "x", 1);
	options.rotate_bytes = 5 * LINE_BYTES;
	options.n_kept = 2;
	file = open_file(&options);
	deliver_all(file, 0, 5);
	deliver_all(file, 5, 5);
	deliver_all(file, 10, 5);
	deliver_all(file, 15, 5);
	close_file(file);
	assert_int_equal(names_of("wrong.2", &names), 4);
	assert_int_equal(first_of(path_of(names[0]->d_name)), 10);
	assert_int_equal(first_of(path_of(names[1]->d_name)), 15);
	assert_string_equal(names[2]->d_name, later[0]);
	for (int i = 0; i < 4; i++)
		free(names[i]);
	free(names);
	/* One that is older by its name than all that were there. */
	write_file(options.path, "x", 1);
	assert_int_equal(sink_rotation_move(options.path, 1, "", moved), 0);
	assert_int_equal(sink_rotation_prune(options.path, moved, 0, &n_later), 0);
	assert_int_equal(n_later, 2);
	assert_int_equal(names_of("wrong.", &names), 3);
	assert_string_equal(path_of(names[0]->d_name), moved);
	for (int i = 0; i < 3; i++)
		free(names[i]);
	free(names);
	free((char *)(uintptr_t)options.path);
}

static void a_folder_that_cannot_be_listed_is_told_of(void **state)
{
	uint32_t n_later;

	(void)state;
	assert_int_equal(sink_rotation_prune(path_of("nowhere/log"), "", 1, &n_later), -ENOENT);
}

/* A clock that stands still but for what is added to it; 0: the machine's. */
static uint64_t clock_ns;

int clock_gettime(clockid_t id, struct timespec *now)
{
	if (id != CLOCK_REALTIME || !clock_ns)
		return (int)syscall(SYS_clock_gettime, id, now);
	*now = (struct timespec){.tv_sec = (time_t)(clock_ns / 1000000000),
				 .tv_nsec = (long)(clock_ns % 1000000000)};
	return 0;
}

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static void files_change_at_multiples_of_the_period_also_where_nothing_comes(void **state)
{
	struct sink_options options = options_of("hour");
	uint32_t n_lines = 0, first, next;
	struct dirent **names;
	void *file;
	int n;

	(void)state;
	options.rotate_ns = 1000000000;
	file = open_file(&options);
	clock_ns = UINT64_C(1795428900) * 1000000000;
	for (int i = 0; i < 24; i++) {
		deliver_all(file, n_lines++, 1);
		clock_ns += 100000000;
	}
	/* Silence: the file is finished once, and no empty ones come. */
	for (int i = 0; i < 5; i++)
		sink_file_driver.tick(file, clock_ns + (uint64_t)i * options.rotate_ns);
	clock_ns = 0;
	n = names_of("hour.2", &names);
	assert_int_equal(n, 3);
	assert_string_equal(names[2]->d_name, "hour.20261123T101502Z");
	for (int i = 0; i < n; i++) {
		/* One name a period. */
		assert_true(!i || strcmp(names[i]->d_name, names[i - 1]->d_name));
		assert_int_equal(strlen(names[i]->d_name), strlen("hour.20261122T101500Z"));
	}
	for (int i = 0; i < n; i++)
		free(names[i]);
	free(names);
	close_file(file);
	assert_int_equal(assert_rotated("hour.2", &first, &next), n);
	assert_int_equal(next, n_lines);
	free((char *)(uintptr_t)options.path);
}

static void every_csv_file_begins_with_its_head_and_no_other(void **state)
{
	static const char head[] = "port,worker,n,ts,len,ethertype,class,score,flow_id\r\n";
	struct sink_options options = options_of("table.csv");
	static const char older[] = "n,ts,flow_id\r\n1,2,3\r\n";
	const struct sink_item item = {.text = "1,2", .text_bytes = 3};
	struct dirent **names;
	char *text;
	void *file;
	size_t n;

	(void)state;
	options.records = SINK_PACKETS;
	options.form = SINK_CSV;
	for (int i = 0; i < 2; i++) {
		file = open_file(&options);
		assert_int_equal(sink_file_driver.deliver(file, &item, 1, error, sizeof(error)), 1);
		close_file(file);
	}
	text = bytes_of(options.path, &n);
	assert_memory_equal(text, head, sizeof(head) - 1);
	assert_string_equal(text + sizeof(head) - 1, "1,2\r\n1,2\r\n");
	free(text);
	/* Of another version, or of flows. */
	write_file(options.path, older, sizeof(older) - 1);
	options.rotate_bytes = 1;
	options.n_kept = 1;
	file = open_file(&options);
	for (int i = 0; i < 3; i++)
		assert_int_equal(sink_file_driver.deliver(file, &item, 1, error, sizeof(error)), 1);
	close_file(file);
	/* It is none of those that rotation keeps only so many of. */
	assert_int_equal(names_of("table.csv.2", &names), 2);
	assert_non_null(strstr(names[1]->d_name, "Z.other"));
	assert_bytes(path_of(names[1]->d_name), older, sizeof(older) - 1);
	free(names[1]);
	free(names[0]);
	free(names);
	free((char *)(uintptr_t)options.path);
}

static void joys_first_line_stands_in_every_file_once(void **state)
{
	struct sink_options options = options_of("joy");
	void *file;
	char *text;
	size_t n;

	(void)state;
	options.form = SINK_JOY;
	for (int i = 0; i < 2; i++) {
		file = open_file(&options);
		deliver_all(file, 0, 1);
		close_file(file);
	}
	text = bytes_of(options.path, &n);
	assert_memory_equal(text, "{\"version\":\"1.74\"", 17);
	assert_non_null(strstr(text, options.path));
	assert_null(strstr(strchr(text, '\n'), "version"));
	free(text);
	free((char *)(uintptr_t)options.path);
}

/* No file may grow beyond a limit, then it may again. */
static void a_file_that_may_not_grow_keeps_whole_lines_and_goes_on(void **state)
{
	static const char *const names[] = {"limit", "limit.gz", "limit.zst"};
	const struct rlimit none = {RLIM_INFINITY, RLIM_INFINITY};

	(void)state;
	signal(SIGXFSZ, SIG_IGN);
	for (int i = 0; i < 3; i++) {
		struct sink_options options = options_of(names[i]);
		uint32_t n_lines = 0, n, n_tries = 0;
		struct rlimit limit = none;
		struct stat status;
		void *file;

		options.compression = (enum sink_compression)i;
		options.has_fsync = true;
		if (i == 2 && !sink_kind_find("zstd")->is_built)
			continue;
		file = open_file(&options);
		limit.rlim_cur = 123456;
		assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
		for (n = 100; n == 100; n_lines += n)
			n = deliver(file, n_lines, 100);
		assert_non_null(strstr(error, "File too large"));
		assert_non_null(strstr(error, options.path));
		/* As often as it is tried. */
		for (; n_tries < 5; n_tries++)
			n_lines += deliver(file, n_lines, 200);
		assert_int_equal(assert_lines(options.path, 0), n_lines);
		assert_int_equal(stat(options.path, &status), 0);
		assert_in_range(status.st_size, i ? 100000 : 123400, 123456);
		assert_int_equal(setrlimit(RLIMIT_FSIZE, &none), 0);
		deliver_all(file, n_lines, 500);
		close_file(file);
		assert_int_equal(assert_lines(options.path, 0), n_lines + 500);
		free((char *)(uintptr_t)options.path);
	}
}

/* How often fdatasync is still to fail; the sink's calls come here rather than to the C library. */
static int n_bad_syncs;

int fdatasync(int fd)
{
	if (!n_bad_syncs)
		return fsync(fd);
	n_bad_syncs--;
	errno = EIO;
	return -1;
}

static void what_could_not_be_synced_is_taken_out_and_comes_again(void **state)
{
	static const char *const names[] = {"sync", "sync.gz", "sync.zst"};

	(void)state;
	for (int i = 0; i < 3; i++) {
		struct sink_options options = options_of(names[i]);
		void *file;

		options.compression = (enum sink_compression)i;
		options.has_fsync = true;
		if (i == 2 && !sink_kind_find("zstd")->is_built)
			continue;
		file = open_file(&options);
		deliver_all(file, 0, 100);
		n_bad_syncs = 2;
		for (int k = 0; k < 2; k++) {
			assert_int_equal(deliver(file, 100, 50), 0);
			assert_non_null(strstr(error, "cannot be written: Input/output error"));
			assert_int_equal(assert_lines(options.path, 0), 100);
		}
		deliver_all(file, 100, 50);
		close_file(file);
		assert_int_equal(assert_lines(options.path, 0), 150);
		free((char *)(uintptr_t)options.path);
	}
}

/* A device that is full: nothing is taken, and the reason is told. */
static void a_full_device_takes_nothing(void **state)
{
	const struct sink_options options = {.name = "test", .path = "/dev/full"};
	void *file = open_file(&options);

	(void)state;
	assert_int_equal(deliver(file, 0, 10), 0);
	assert_string_equal(error, "/dev/full: cannot be written: No space left on device");
	assert_int_equal(deliver(file, 0, 10), 0);
	close_file(file);
}

static void a_pipe_that_nobody_reads_takes_nothing_until_somebody_does(void **state)
{
	struct sink_options options = options_of("pipe");
	char *text = malloc(200 * LINE_BYTES);
	void *file;
	int fd;

	(void)state;
	signal(SIGPIPE, SIG_IGN);
	assert_int_equal(mkfifo(options.path, 0600), 0);
	file = open_file(&options);
	assert_int_equal(deliver(file, 0, 10), 0);
	assert_non_null(strstr(error, "pipe: nobody reads it"));
	fd = open(options.path, O_RDONLY | O_NONBLOCK);
	assert_int_equal(deliver(file, 0, 100), 100);
	assert_int_equal(read(fd, text, 200 * LINE_BYTES), 100 * LINE_BYTES);
	assert_memory_equal(text + 99 * LINE_BYTES + NUMBER_AT, "00000099", 8);
	/* The reader goes, another comes. */
	close(fd);
	assert_int_equal(deliver(file, 100, 10), 0);
	assert_non_null(strstr(error, "Broken pipe"));
	assert_int_equal(deliver(file, 100, 10), 0);
	assert_non_null(strstr(error, "nobody reads it"));
	fd = open(options.path, O_RDONLY | O_NONBLOCK);
	assert_int_equal(deliver(file, 100, 10), 10);
	assert_int_equal(read(fd, text, 200 * LINE_BYTES), 10 * LINE_BYTES);
	assert_memory_equal(text + NUMBER_AT, "00000100", 8);
	close(fd);
	close_file(file);
	free(text);
	free((char *)(uintptr_t)options.path);
}

static void a_reader_that_stands_still_is_waited_for_and_gets_whole_lines(void **state)
{
	enum { N = 5 * SINK_MAX_BATCH };
	struct sink_options options = options_of("slow");
	atomic_bool stop = false;
	char *text = malloc(N * LINE_BYTES);
	size_t n_read = 0;
	uint32_t n = 0, n_batch;
	uint64_t start;
	void *file;
	int fd;

	(void)state;
	assert_int_equal(mkfifo(options.path, 0600), 0);
	fd = open(options.path, O_RDONLY | O_NONBLOCK);
	options.stop = &stop;
	file = open_file(&options);
	do {
		start = now_ns();
		n_batch = deliver(file, n, SINK_MAX_BATCH);
		n += n_batch;
	} while (n_batch == SINK_MAX_BATCH);
	assert_non_null(strstr(error, "its reader takes no more"));
	/* Not longer than a driver may, and less long at the end. */
	assert_in_range(now_ns() - start, 1000000000, (uint64_t)SINK_PATIENCE_MS * 1000000);
	atomic_store(&stop, true);
	start = now_ns();
	assert_int_equal(deliver(file, n, SINK_MAX_BATCH), 0);
	assert_in_range(now_ns() - start, 400000000, 1500000000);
	atomic_store(&stop, false);
	while (n < N) {
		ssize_t got = read(fd, text + n_read, 50000);

		n_read += got > 0 ? (size_t)got : 0;
		n += deliver(file, n, N - n < SINK_MAX_BATCH ? N - n : SINK_MAX_BATCH);
	}
	while (n_read < N * LINE_BYTES) {
		ssize_t got = read(fd, text + n_read, N * LINE_BYTES - n_read);

		assert_true(got > 0);
		n_read += (size_t)got;
	}
	for (uint32_t i = 0; i < N; i++) {
		text[i * LINE_BYTES + NUMBER_AT + 8] = '\0';
		assert_int_equal(strtoul(text + i * LINE_BYTES + NUMBER_AT, NULL, 10), i);
	}
	close(fd);
	close_file(file);
	free(text);
	free((char *)(uintptr_t)options.path);
}

static void who_rotates_logs_by_moving_or_by_copying_is_followed(void **state)
{
	struct sink_options options = options_of("moved");
	void *file = open_file(&options);

	(void)state;
	deliver_all(file, 0, 10);
	assert_int_equal(rename(options.path, path_of("moved.1")), 0);
	deliver_all(file, 10, 10);
	sink_file_driver.tick(file, now_ns());
	deliver_all(file, 20, 10);
	assert_int_equal(assert_lines(path_of("moved.1"), 0), 20);
	assert_int_equal(assert_lines(options.path, 20), 30);
	/* A pipe that comes in its place would take some, and then hold up the sink. */
	assert_int_equal(rename(options.path, path_of("moved.2")), 0);
	assert_int_equal(mkfifo(options.path, 0600), 0);
	sink_file_driver.tick(file, now_ns());
	deliver_all(file, 30, 5);
	assert_int_equal(rename(path_of("moved.2"), options.path), 0);
	assert_int_equal(assert_lines(options.path, 20), 35);
	/* copytruncate */
	assert_int_equal(truncate(options.path, 0), 0);
	deliver_all(file, 30, 10);
	assert_int_equal(assert_lines(options.path, 30), 40);
	close_file(file);
	free((char *)(uintptr_t)options.path);
}

/* Before the tick has noticed. */
static void what_others_put_in_the_place_of_a_file_is_not_rotated(void **state)
{
	static const char letter[] = "Dear reader\n";
	struct sink_options options = options_of("replaced");
	struct dirent **names;
	void *file;

	(void)state;
	options.rotate_bytes = 5 * LINE_BYTES;
	file = open_file(&options);
	deliver_all(file, 0, 4);
	assert_int_equal(rename(options.path, path_of("replaced.1")), 0);
	/* It is full. */
	deliver_all(file, 4, 4);
	assert_int_equal(assert_lines(path_of("replaced.1"), 0), 4);
	assert_int_equal(assert_lines(options.path, 4), 8);
	assert_int_equal(unlink(options.path), 0);
	write_file(options.path, letter, sizeof(letter) - 1);
	close_file(file);
	assert_bytes(options.path, letter, sizeof(letter) - 1);
	assert_int_equal(names_of("replaced.2", &names), 0);
	free(names);
	free((char *)(uintptr_t)options.path);
}

static void a_file_whose_folder_is_gone_goes_on_where_it_is(void **state)
{
	struct sink_options options;
	void *file;

	(void)state;
	assert_int_equal(mkdir(path_of("here"), 0700), 0);
	options = options_of("here/log");
	file = open_file(&options);
	deliver_all(file, 0, 10);
	assert_int_equal(rename(path_of("here"), path_of("there")), 0);
	for (uint32_t i = 1; i < 4; i++) {
		sink_file_driver.tick(file, now_ns());
		deliver_all(file, 10 * i, 10);
	}
	assert_int_equal(assert_lines(path_of("there/log"), 0), 40);
	/* It is back, and empty. */
	assert_int_equal(mkdir(path_of("here"), 0700), 0);
	sink_file_driver.tick(file, now_ns());
	deliver_all(file, 40, 10);
	assert_int_equal(assert_lines(options.path, 40), 50);
	close_file(file);
	free((char *)(uintptr_t)options.path);
}

static void behind_a_link_the_file_is_rotated_and_not_the_link(void **state)
{
	struct sink_options options = options_of("link");
	uint32_t first, next;
	struct stat status;
	void *file;

	(void)state;
	assert_int_equal(mkdir(path_of("large"), 0700), 0);
	write_file(path_of("large/target"), "", 0);
	assert_int_equal(symlink("large/target", options.path), 0);
	options.rotate_bytes = 20000;
	options.n_kept = 2;
	file = open_file(&options);
	for (uint32_t line = 0; line < 1000; line += 100)
		deliver_all(file, line, 100);
	sink_file_driver.tick(file, now_ns());
	assert_int_equal(lstat(options.path, &status), 0);
	assert_true(S_ISLNK(status.st_mode));
	assert_int_not_equal(first_of(options.path), 0);
	assert_int_equal(assert_lines(options.path, first_of(options.path)), 1000);
	close_file(file);
	assert_int_equal(assert_rotated("link.2", &first, &next), 0);
	free((char *)(uintptr_t)options.path);
}

static void what_cannot_be_is_refused_with_the_reason(void **state)
{
	/* For which one has to be root. What it stands for need not be there. */
	const bool has_disk = !mknod(path_of("disk"), S_IFBLK | 0600, makedev(7, 200));
	const struct {
		const char *path;
		uint64_t rotate_ns;
		const char *has;
	} cases[] = {
		{NULL, 0, "path is not set"},
		{"/no/such/folder/x", 0, "No such file or directory"},
		{"/", 0, "is a folder; name a file"},
		{"lost", 0, "is a link that leads nowhere"},
		{"socket", 0, "is a socket; name a file"},
		{"disk", 0, has_disk ? "is a block device; name a file" : ""},
		{"/dev/null", 1000000000, "no regular file"},
	};
	struct sink_options options = options_of("mine");
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	void *file = open_file(&options), *other;
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	(void)state;
	snprintf(address.sun_path, sizeof(address.sun_path), "%s", path_of("socket"));
	assert_int_equal(bind(fd, (const struct sockaddr *)&address, sizeof(address)), 0);
	close(fd);
	assert_int_equal(symlink("nowhere", path_of("lost")), 0);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const char *path = cases[i].has[0] ? cases[i].path : "/";
		const struct sink_options wrong = {
			.name = "t",
			.path = path && path[0] != '/' ? path_of(path) : path,
			.rotate_ns = cases[i].rotate_ns,
		};

		assert_true(sink_file_driver.open(&wrong, &formats, &other, error, sizeof(error)) < 0);
		assert_non_null(strstr(error, cases[i].has));
	}
	assert_int_equal(sink_file_driver.open(&options, &formats, &other, error, sizeof(error)), -EBUSY);
	assert_non_null(strstr(error, "another process or section writes it"));
	close_file(file);
	free((char *)(uintptr_t)options.path);
}

static int make_folder(void **state)
{
	(void)state;
	return mkdtemp(folder) ? 0 : -1;
}

static int remove_folder(void **state)
{
	char command[PATH_MAX];

	(void)state;
	snprintf(command, sizeof(command), "rm -r %s", folder);
	return system(command);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lines_are_in_the_file_once_they_are_delivered),
		cmocka_unit_test(what_a_crash_left_half_is_cut_off),
		cmocka_unit_test(a_file_of_somebody_else_is_refused_and_left_as_it_is),
		cmocka_unit_test(what_a_crash_left_of_a_first_line_is_kept_under_another_name),
		cmocka_unit_test(a_file_that_is_damaged_in_its_middle_is_put_aside_whole),
		cmocka_unit_test(a_compressed_file_that_is_long_is_put_aside_rather_than_read),
		cmocka_unit_test(full_files_get_final_names_and_old_ones_go),
		cmocka_unit_test(a_file_that_cannot_be_renamed_grows_on),
		cmocka_unit_test(only_rotated_files_are_removed),
		cmocka_unit_test(names_of_one_second_are_told_apart_and_nothing_is_overwritten),
		cmocka_unit_test(the_newest_of_a_second_is_the_last_to_go),
		cmocka_unit_test(files_of_times_to_come_and_the_newest_one_are_never_removed),
		cmocka_unit_test(a_folder_that_cannot_be_listed_is_told_of),
		cmocka_unit_test(files_change_at_multiples_of_the_period_also_where_nothing_comes),
		cmocka_unit_test(every_csv_file_begins_with_its_head_and_no_other),
		cmocka_unit_test(joys_first_line_stands_in_every_file_once),
		cmocka_unit_test(a_file_that_may_not_grow_keeps_whole_lines_and_goes_on),
		cmocka_unit_test(what_could_not_be_synced_is_taken_out_and_comes_again),
		cmocka_unit_test(a_full_device_takes_nothing),
		cmocka_unit_test(a_pipe_that_nobody_reads_takes_nothing_until_somebody_does),
		cmocka_unit_test(a_reader_that_stands_still_is_waited_for_and_gets_whole_lines),
		cmocka_unit_test(who_rotates_logs_by_moving_or_by_copying_is_followed),
		cmocka_unit_test(what_others_put_in_the_place_of_a_file_is_not_rotated),
		cmocka_unit_test(a_file_whose_folder_is_gone_goes_on_where_it_is),
		cmocka_unit_test(behind_a_link_the_file_is_rotated_and_not_the_link),
		cmocka_unit_test(what_cannot_be_is_refused_with_the_reason),
	};

	return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
