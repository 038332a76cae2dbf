/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <zlib.h>

#include <cmocka.h>

#include "csv.h"
#include "table_file.h"

static char error[512];

/* Writes what the records of a file are: fields in <>, a record a line, faults as "!fault"; returns what it ended with. */
static int read_into(const char *path, char *text, size_t text_size)
{
	struct csv_record record;
	struct csv *csv;
	int rc = csv_open(path, &csv, error, sizeof(error));
	size_t n = 0;

	text[0] = '\0';
	if (rc < 0)
		return rc;
	while ((rc = csv_next(csv, &record, error, sizeof(error))) > 0) {
		n += (size_t)snprintf(text + n, text_size - n, "%d:", (int)record.line);
		if (record.fault != CSV_FINE)
			n += (size_t)snprintf(text + n, text_size - n, "!%d", record.fault);
		for (uint32_t i = 0; i < record.n_fields; i++)
			n += (size_t)snprintf(text + n, text_size - n, "<%s>", record.fields[i]);
		n += (size_t)snprintf(text + n, text_size - n, "\n");
		assert_true(n < text_size);
	}
	csv_close(csv);
	return rc;
}

static void expect(const char *bytes, size_t n_bytes, const char *expected)
{
	char *path = table_file_write(bytes, n_bytes), text[4096];

	assert_int_equal(read_into(path, text, sizeof(text)), 0);
	assert_string_equal(text, expected);
	table_file_remove(path);
}

#define EXPECT(bytes, expected) expect(bytes, sizeof(bytes) - 1, expected)

static void records_are_cut_at_commas_and_line_ends(void **state)
{
	(void)state;
	EXPECT("", "");
	EXPECT("\n\r\n", "");
	EXPECT("a", "1:<a>\n");
	EXPECT("a,b\n1,2\n", "1:<a><b>\n2:<1><2>\n");
	EXPECT("a,b\r\n\r\n,\r\n", "1:<a><b>\n3:<><>\n");
	EXPECT("a,b\r\n1,2\r", "1:<a><b>\n2:<1><2>\n");
	EXPECT("\xef\xbb\xbf"
	       "a,b\n",
	       "1:<a><b>\n");
	EXPECT("\xef\xbb\xbf", "");
	EXPECT("a\rb,c\n", "1:<a\rb><c>\n");
}

static void quoted_fields_keep_commas_quotes_and_line_ends(void **state)
{
	(void)state;
	EXPECT("\"a,b\",c\n", "1:<a,b><c>\n");
	EXPECT("\"a \"\"b\"\"\",\"\"\n", "1:<a \"b\"><>\n");
	EXPECT("\"a\nb\r\nc\",d\ne\n", "1:<a\nb\r\nc><d>\n4:<e>\n");
	EXPECT("\"a\",\"b\"\r\n\"c\"", "1:<a><b>\n2:<c>\n");
	EXPECT("\"a\"\r", "1:<a>\n");
	EXPECT("a\"b,c\"\n", "1:<a\"b><c\">\n");
	EXPECT("\"\"\"\"\n", "1:<\">\n");
}

static void a_quote_that_is_not_closed_spoils_its_line_only(void **state)
{
	(void)state;
	EXPECT("\"a,b\nc,d\ne,f\n", "1:!1\n2:<c><d>\n3:<e><f>\n");
	EXPECT("a\nb,\"c\n\"d,e\nf", "1:<a>\n2:!1\n3:!1\n4:<f>\n");
	EXPECT("\"a", "1:!1\n");
	/* Behind the lines that were looked at in vain, quotes are quotes again. */
	EXPECT("\"a\"b,c\n\"d\ne\",f\n", "1:!1\n2:<d\ne><f>\n");
	EXPECT("\"a\"\rb\nc\n", "1:!1\n2:<c>\n");
}

static void a_nul_byte_is_a_fault_of_its_record(void **state)
{
	(void)state;
	EXPECT("a\0b,c\ne\n", "1:!2\n2:<e>\n");
	EXPECT("\"a\0\nb\",c\ne\n", "1:!2\n3:<e>\n");
	EXPECT("\0\0\0", "1:!2\n");
}

static void what_is_too_long_is_skipped(void **state)
{
	const size_t n = 3 * CSV_MAX_RECORD_BYTES;
	char *bytes = malloc(n + 16);

	(void)state;
	memset(bytes, 'x', n);
	memcpy(bytes, "a\n", 2);
	memcpy(bytes + n, "\nb,c\n", 5);
	expect(bytes, n + 5, "1:<a>\n2:!3\n3:<b><c>\n");
	expect(bytes, n, "1:<a>\n2:!3\n");
	/* As long as can be. */
	memcpy(bytes + 2 + CSV_MAX_RECORD_BYTES - 1, "\nb\n", 3);
	bytes[2 + CSV_MAX_RECORD_BYTES / 2] = ',';
	{
		char *path = table_file_write(bytes, 2 + CSV_MAX_RECORD_BYTES - 1 + 3);
		struct csv_record record;
		struct csv *csv;

		assert_int_equal(csv_open(path, &csv, error, sizeof(error)), 0);
		assert_int_equal(csv_next(csv, &record, error, sizeof(error)), 1);
		assert_int_equal(csv_next(csv, &record, error, sizeof(error)), 1);
		assert_int_equal(record.n_fields, 2);
		assert_int_equal(strlen(record.fields[0]) + strlen(record.fields[1]), CSV_MAX_RECORD_BYTES - 2);
		assert_int_equal(csv_next(csv, &record, error, sizeof(error)), 1);
		assert_string_equal(record.fields[0], "b");
		assert_int_equal(csv_next(csv, &record, error, sizeof(error)), 0);
		csv_close(csv);
		table_file_remove(path);
	}
	free(bytes);
}

/* A quote in the first of many lines is never closed: every other line is still read, and none twice. */
static void lines_behind_a_lost_quote_are_read_once(void **state)
{
	const unsigned n_lines = 400000;
	char *bytes = malloc(n_lines * 10), *at = bytes, *path;
	struct csv_record record;
	unsigned n_faults = 0, n = 0;
	struct csv *csv;
	int rc;

	(void)state;
	for (unsigned i = 0; i < n_lines; i++)
		at += sprintf(at, i == 0 ? "\"lost\n" : "%u,x\n", i);
	path = table_file_write(bytes, (size_t)(at - bytes));
	assert_int_equal(csv_open(path, &csv, error, sizeof(error)), 0);
	while ((rc = csv_next(csv, &record, error, sizeof(error))) > 0) {
		if (record.fault != CSV_FINE) {
			n_faults++;
			continue;
		}
		n++;
		assert_int_equal(record.n_fields, 2);
		assert_int_equal(strtoul(record.fields[0], NULL, 10), n);
		assert_int_equal(record.line, n + 1);
	}
	assert_int_equal(rc, 0);
	assert_int_equal(n_faults, 1);
	assert_int_equal(n, n_lines - 1);
	csv_close(csv);
	table_file_remove(path);
	free(bytes);
}

static void fields_beyond_the_most_are_counted_but_not_kept(void **state)
{
	char bytes[CSV_MAX_FIELDS + 10], *path;
	struct csv_record record;
	struct csv *csv;

	(void)state;
	memset(bytes, ',', sizeof(bytes));
	path = table_file_write(bytes, sizeof(bytes));
	assert_int_equal(csv_open(path, &csv, error, sizeof(error)), 0);
	assert_int_equal(csv_next(csv, &record, error, sizeof(error)), 1);
	assert_int_equal(record.n_fields, sizeof(bytes) + 1);
	csv_close(csv);
	table_file_remove(path);
}

/* ---- Compressed ---- */

static size_t gzip_bytes(const char *text, uint8_t *bytes, size_t size, int window)
{
	z_stream stream = {0};
	size_t n;

	assert_int_equal(deflateInit2(&stream, 9, Z_DEFLATED, window, 8, Z_DEFAULT_STRATEGY), Z_OK);
	stream.next_in = (Bytef *)(uintptr_t)text;
	stream.avail_in = (uInt)strlen(text);
	stream.next_out = bytes;
	stream.avail_out = (uInt)size;
	assert_int_equal(deflate(&stream, Z_FINISH), Z_STREAM_END);
	n = stream.total_out;
	deflateEnd(&stream);
	return n;
}

static void gzip_files_are_read_and_those_cut_short_refused(void **state)
{
	uint8_t bytes[512];
	char text[256], *path;
	size_t n = gzip_bytes("a,b\n1,2\n3,4\n", bytes, sizeof(bytes), 15 + 16), n_first = n;

	(void)state;
	/* Members one behind the other are one file. */
	n += gzip_bytes("5,6\n", bytes + n, sizeof(bytes) - n, 15 + 16);
	expect((const char *)bytes, n, "1:<a><b>\n2:<1><2>\n3:<3><4>\n4:<5><6>\n");
	for (size_t cut = 12; cut < n_first; cut++) {
		path = table_file_write(bytes, cut);
		assert_int_equal(read_into(path, text, sizeof(text)), -EIO);
		assert_non_null(strstr(error, "cut short"));
		assert_non_null(strstr(error, path));
		table_file_remove(path);
	}
	bytes[n_first - 8] ^= 1; /* the checksum */
	path = table_file_write(bytes, n_first);
	assert_int_equal(read_into(path, text, sizeof(text)), -EIO);
	assert_non_null(strstr(error, "damaged"));
	table_file_remove(path);
}

static uint8_t *put_le(uint8_t *at, uint32_t value, int n_bytes)
{
	for (int i = 0; i < n_bytes; i++)
		*at++ = (uint8_t)(value >> 8 * i);
	return at;
}

/* The fields that a member's local header and its entry in the directory share. */
static uint8_t *put_member(uint8_t *at, uint32_t method, uint32_t crc, size_t n_packed, size_t n_bytes)
{
	at = put_le(put_le(put_le(at, 20, 2), 0, 2), method, 2);
	at = put_le(put_le(at, 0, 4), crc, 4);
	at = put_le(put_le(at, (uint32_t)n_packed, 4), (uint32_t)n_bytes, 4);
	return put_le(put_le(at, 1, 2), 0, 2);
}

/* A zip file with the text as its only member. Returns its length. */
static size_t zip_bytes(const char *text, uint32_t method, uint32_t n_members, uint8_t *bytes)
{
	uint8_t packed[512], *at = bytes, *directory;
	size_t n = method == 8 ? gzip_bytes(text, packed, sizeof(packed), -15) : strlen(text);
	uint32_t crc = (uint32_t)crc32(0, (const Bytef *)text, (uInt)strlen(text));

	at = put_member(put_le(at, 0x04034b50, 4), method, crc, n, strlen(text));
	*at++ = 't';
	memcpy(at, method == 8 ? packed : (const uint8_t *)text, n);
	directory = at += n;
	at = put_member(put_le(put_le(at, 0x02014b50, 4), 20, 2), method, crc, n, strlen(text));
	at = put_le(put_le(put_le(put_le(put_le(at, 0, 2), 0, 2), 0, 2), 0, 4), 0, 4);
	*at++ = 't';
	n = (size_t)(at - directory);
	at = put_le(put_le(put_le(at, 0x06054b50, 4), 0, 2), 0, 2);
	at = put_le(put_le(put_le(at, n_members, 2), n_members, 2), (uint32_t)n, 4);
	at = put_le(put_le(at, (uint32_t)(directory - bytes), 4), 0, 2);
	return (size_t)(at - bytes);
}

static void the_one_member_of_a_zip_file_is_read(void **state)
{
	uint8_t bytes[1024];

	(void)state;
	for (uint32_t method = 0; method <= 8; method += 8) {
		size_t n = zip_bytes("a,b\n1,2\n", method, 1, bytes);

		expect((const char *)bytes, n, "1:<a><b>\n2:<1><2>\n");
		n = zip_bytes("", method, 1, bytes);
		expect((const char *)bytes, n, "");
	}
}

static void a_damaged_zip_file_is_refused(void **state)
{
	uint8_t bytes[1024];
	char text[256], *path;
	size_t n = zip_bytes("a,b\n1,2\n3,4\n5,6\n", 8, 1, bytes);

	(void)state;
	for (size_t i = 4; i <= n; i++) {
		/* Cut short, and with each byte otherwise: no crash, and never other text as if it were right. */
		path = table_file_write(bytes, i);
		assert_true(i == n || read_into(path, text, sizeof(text)) < 0);
		table_file_remove(path);
		if (i == n)
			break;
		bytes[i] ^= 0xff;
		path = table_file_write(bytes, n);
		if (read_into(path, text, sizeof(text)) == 0)
			assert_string_equal(text, "1:<a><b>\n2:<1><2>\n3:<3><4>\n4:<5><6>\n");
		bytes[i] ^= 0xff;
		table_file_remove(path);
	}
	n = zip_bytes("a\n", 8, 2, bytes);
	path = table_file_write(bytes, n);
	assert_int_equal(read_into(path, text, sizeof(text)), -EINVAL);
	assert_non_null(strstr(error, "exactly one member"));
	table_file_remove(path);
}

static void what_cannot_be_opened_is_named(void **state)
{
	char text[64];

	(void)state;
	assert_int_equal(read_into("/nowhere/x.csv", text, sizeof(text)), -ENOENT);
	assert_string_equal(error, "/nowhere/x.csv: No such file or directory");
	assert_int_equal(read_into("/tmp", text, sizeof(text)), -EISDIR);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(records_are_cut_at_commas_and_line_ends),
		cmocka_unit_test(quoted_fields_keep_commas_quotes_and_line_ends),
		cmocka_unit_test(a_quote_that_is_not_closed_spoils_its_line_only),
		cmocka_unit_test(a_nul_byte_is_a_fault_of_its_record),
		cmocka_unit_test(what_is_too_long_is_skipped),
		cmocka_unit_test(lines_behind_a_lost_quote_are_read_once),
		cmocka_unit_test(fields_beyond_the_most_are_counted_but_not_kept),
		cmocka_unit_test(gzip_files_are_read_and_those_cut_short_refused),
		cmocka_unit_test(the_one_member_of_a_zip_file_is_read),
		cmocka_unit_test(a_damaged_zip_file_is_refused),
		cmocka_unit_test(what_cannot_be_opened_is_named),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
