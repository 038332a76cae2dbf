/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Files that records are written to: what is in them, and what is said of those that take no more.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cmocka.h>
#include <jansson.h>
#include <zlib.h>

#include "flow_record_sample.h"
#include "flow_writer.h"
#include "output.h"
#include "row_writer.h"

static char directory[] = "/tmp/wirescore-output-XXXXXX";

/* A path in a directory of this run. */
static const char *path_of(const char *name)
{
	static char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/%s", directory, name);
	return path;
}

/* What is in the file, unpacked where it is gzip, as a string. */
static char *content_of(const char *path, size_t *n_bytes)
{
	enum { MAX_BYTES = 64 << 20 };
	char *text = malloc(MAX_BYTES);
	gzFile file = gzopen(path, "rb");
	int n = 0, n_read;

	assert_non_null(file);
	while ((n_read = gzread(file, text + n, 4096)) > 0)
		n += n_read;
	gzclose(file);
	text[n] = '\0';
	*n_bytes = (size_t)n;
	return text;
}

static size_t n_lines_of(const char *path)
{
	size_t n_bytes, n = 0;
	char *text = content_of(path, &n_bytes);

	for (size_t i = 0; i < n_bytes; i++)
		n += text[i] == '\n';
	free(text);
	return n;
}

static void write_text(struct output *output, const char *text)
{
	char *room = output_reserve(output, strlen(text));

	if (!room) {
		output->n_lost++;
		return;
	}
	memcpy(room, text, strlen(text));
	output_commit(output, strlen(text), true);
}

static void fill_file(const char *path, const char *text)
{
	FILE *file = fopen(path, "w");

	assert_non_null(file);
	fputs(text, file);
	fclose(file);
}

static void assert_content(const char *path, const char *expected)
{
	size_t n_bytes;
	char *text = content_of(path, &n_bytes);

	assert_string_equal(text, expected);
	free(text);
}

static void a_file_is_emptied_by_begin_and_not_before(void **state)
{
	static const char *const names[] = {"begin.txt", "begin.gz"};

	(void)state;
	for (int i = 0; i < 2; i++) {
		const char *path = path_of(names[i]);
		struct output output;

		fill_file(path, "what was there, which is longer than what comes");
		assert_int_equal(output_open(&output, path), 0);
		assert_int_equal(output_close(&output), 0);
		assert_content(path, "what was there, which is longer than what comes");

		assert_int_equal(output_open(&output, path), 0);
		assert_int_equal(output_begin(&output), 0);
		write_text(&output, "line\n");
		assert_int_equal(output_close(&output), 0);
		assert_content(path, "line\n");
		assert_int_equal(output.n_written, 1);
		assert_int_equal(output.n_lost, 0);
	}
}

static void a_file_knows_itself_under_other_names(void **state)
{
	struct output output;
	struct stat status;
	char link_path[PATH_MAX];

	(void)state;
	strcpy(link_path, path_of("link"));
	assert_int_equal(output_open(&output, path_of("self.txt")), 0);
	assert_int_equal(symlink(path_of("self.txt"), link_path), 0);
	assert_int_equal(stat(link_path, &status), 0);
	assert_true(output_is_file(&output, &status));
	assert_int_equal(stat(directory, &status), 0);
	assert_false(output_is_file(&output, &status));
	output_close(&output);
}

static void what_cannot_be_opened_is_an_error(void **state)
{
	struct output output;

	(void)state;
	assert_int_equal(output_open(&output, path_of("no/such/file")), -ENOENT);
	assert_int_equal(output_open(&output, directory), -EISDIR);
}

/* More lines, and more bytes, than are held back; one line is longer than the buffer. */
static void all_lines_come_out_in_order(void **state)
{
	static const char *const names[] = {"many.txt", "many.gz"};
	enum { N = 50000, LONG = 1 << 20 };
	char *longest = malloc(LONG + 1);

	(void)state;
	memset(longest, 'x', LONG);
	longest[LONG - 1] = '\n';
	longest[LONG] = '\0';
	for (int i = 0; i < 2; i++) {
		const char *path = path_of(names[i]);
		struct output output;
		char line[64], *text, *at;
		size_t n_bytes;

		assert_int_equal(output_open(&output, path), 0);
		assert_int_equal(output_begin(&output), 0);
		for (int j = 0; j < N; j++) {
			sprintf(line, "%d\n", j * 7919);
			write_text(&output, j == N / 2 ? longest : line);
		}
		assert_int_equal(output_close(&output), 0);
		assert_int_equal(output.n_written, N);
		at = text = content_of(path, &n_bytes);
		for (int j = 0; j < N; j++) {
			sprintf(line, "%d\n", j * 7919);
			if (j == N / 2) {
				assert_memory_equal(at, longest, LONG);
				at += LONG;
			} else {
				assert_memory_equal(at, line, strlen(line));
				at += strlen(line);
			}
		}
		assert_ptr_equal(at, text + n_bytes);
		free(text);
	}
	free(longest);
}

/* Random digits, which compress to less than half and to more than the limit. */
static void write_until_full(const char *path, struct output *output, int n_lines)
{
	const struct rlimit limit = {1 << 20, RLIM_INFINITY}, none = {RLIM_INFINITY, RLIM_INFINITY};
	uint32_t random = 1;

	assert_int_equal(output_open(output, path), 0);
	assert_int_equal(output_begin(output), 0);
	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
	for (int i = 0; i < n_lines; i++) {
		char line[128];
		int n = 0;

		for (int j = 0; j < 10; j++) {
			random = random * 1664525 + 1013904223;
			n += snprintf(line + n, sizeof(line) - (size_t)n, "%u", random >> 8);
		}
		strcpy(line + n, "\"\n\",\n"); /* a line may hold the end of one in quotes */
		write_text(output, line);
	}
	assert_int_equal(output_close(output), -EFBIG);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &none), 0);
}

static void a_full_file_loses_lines_and_says_how_many(void **state)
{
	enum { N = 50000 };
	const char *path = path_of("full.txt");
	struct output output;
	struct stat status;

	(void)state;
	write_until_full(path, &output, N);
	assert_int_equal(output.n_written + output.n_lost, N);
	assert_int_equal(stat(path, &status), 0);
	assert_int_equal(status.st_size, 1 << 20);
	assert_in_range(output.n_written, 1, N - 1);
	/* Two ends a line, and perhaps one of a line that is not whole. */
	assert_in_range(n_lines_of(path), 2 * output.n_written, 2 * output.n_written + 1);
}

static void a_full_compressed_file_has_at_least_the_lines_that_are_counted(void **state)
{
	enum { N = 100000 };
	const char *path = path_of("full.gz");
	struct output output;

	(void)state;
	write_until_full(path, &output, N);
	assert_int_equal(output.n_written + output.n_lost, N);
	assert_in_range(output.n_written, 1, N - 1);
	assert_true(n_lines_of(path) >= 2 * output.n_written);
}

static void flows_are_written_as_ndjson_or_as_joys_json(void **state)
{
	static const char *const names[] = {"flows.ndjson", "flows.json.gz"};
	struct sample_record samples[2];
	size_t record_bytes = flow_record_bytes(&sample_layout);
	uint8_t *records = aligned_alloc(64, (2 * record_bytes + 63) / 64 * 64);

	(void)state;
	for (int i = 0; i < 2; i++) {
		sample_fill(&samples[i]);
		samples[i].record.flow.slice = (uint16_t)i;
		memcpy(records + i * record_bytes, &samples[i], record_bytes);
	}
	for (int form = 0; form < 2; form++) {
		const struct flow_writer_options options = {
			.path = path_of(names[form]),
			.form = form ? FLOW_WRITER_JOY : FLOW_WRITER_NDJSON,
			.layout = sample_layout,
		};
		struct flow_writer writer;
		size_t n_bytes;
		json_t *object;
		char *text, *at;
		int n = 0;

		assert_int_equal(flow_writer_open(&writer, &options), 0);
		assert_int_equal(flow_writer_begin(&writer), 0);
		flow_writer_set_capture(&writer, "\"a.pcap\"", true);
		flow_writer_write(&writer, records, 2);
		assert_int_equal(flow_writer_close(&writer), 0);
		assert_int_equal(writer.output.n_written, 2);
		text = content_of(options.path, &n_bytes);
		for (at = text; *at; at = strchr(at, '\n') + 1, n++) {
			object = json_loadb(at, (size_t)(strchr(at, '\n') - at), 0, NULL);
			assert_non_null(object);
			if (form && !n)
				assert_string_equal(json_string_value(json_object_get(object, "output")),
						    options.path);
			else if (form)
				assert_string_equal(json_string_value(json_object_get(object, "sa")),
						    "192.168.56.102");
			else
				assert_int_equal(json_integer_value(json_object_get(object, "slice")), n);
			json_decref(object);
		}
		assert_int_equal(n, 2 + form);
		free(text);
	}
	free(records);
}

static void endings_of_names_tell_what_rows_are(void **state)
{
	static const struct {
		const char *path;
		bool is_ndjson;
	} cases[] = {
		{"a.csv", false},      {"a.csv.gz", false},   {"a.CSV.GZ", false}, {"a.ndjson", true},
		{"a.ndjson.gz", true}, {"a.Ndjson.Gz", true}, {"a/b.jsonl", true}, {"a.ndjson.csv", false},
		{"-", false},	       {"/dev/null", false},
	};
	static const char *const refused[] = {
		"a.json", "a.json.gz", "a.parquet", "a", "", ".gz", "a.gz", "a.ndjson.gz.gz", "acsv",
	};
	bool is_ndjson;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_int_equal(row_writer_form(cases[i].path, &is_ndjson), 0);
		assert_int_equal(is_ndjson, cases[i].is_ndjson);
	}
	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++)
		assert_int_equal(row_writer_form(refused[i], &is_ndjson), -EINVAL);
	assert_int_equal(mkfifo(path_of("pipe.x"), 0600), 0);
	assert_int_equal(row_writer_form(path_of("pipe.x"), &is_ndjson), 0);
	assert_false(is_ndjson);
}

static void rows_stand_under_a_head_and_beside_what_they_mean(void **state)
{
	const char *const captures[] = {"a \"b\".pcap", "\xff.pcap"};
	const struct flow_config config = {
		.checkpoints = 1 | 8 | UINT64_C(1) << 63,
		.idle_ns = 60000000000,
		.active_ns = 1800000000000,
		.linger_ns = 500000000,
		.n_flows = 4096,
		.scope = FLOW_SCOPE_TUNNEL,
	};
	struct row_writer_options options = {
		.path = path_of("rows.csv.gz"),
		.features_text = "all",
		.config = &config,
		.depth = PACKET_DEPTH_OUTER,
		.has_ends = true,
		.names_captures = true,
		.captures = captures,
		.n_captures = 2,
		.label = "x,y",
	};
	char error[256], meta_path[PATH_MAX + 16], schema[FLOW_FEATURES_SCHEMA_SIZE], *text;
	struct flow_feature_set *set;
	struct sample_record sample;
	struct row_writer writer;
	json_t *meta, *features;
	size_t n_bytes;

	(void)state;
	sample_fill(&sample);
	assert_int_equal(flow_feature_set_create("all", &set, error, sizeof(error)), 0);
	set->layout = sample_layout;
	options.features = set;
	assert_int_equal(row_writer_open(&writer, &options, error, sizeof(error)), 0);
	assert_int_equal(row_writer_begin(&writer, error, sizeof(error)), 0);
	row_writer_set_capture(&writer, captures[0], false);
	row_writer_write(&writer, &sample, 1);
	assert_int_equal(row_writer_close(&writer), 0);
	assert_int_equal(writer.output.n_written, 1);
	text = content_of(options.path, &n_bytes);
	assert_memory_equal(text, "flow_id,src,", 12);
	assert_non_null(strstr(text, ",reason,capture,label,"));
	assert_non_null(strstr(text, ",end,fin,\"a \"\"b\"\".pcap\",\"x,y\","));
	free(text);

	snprintf(meta_path, sizeof(meta_path), "%s.meta.json", options.path);
	meta = json_load_file(meta_path, JSON_REJECT_DUPLICATES, NULL);
	assert_non_null(meta);
	flow_feature_set_schema(set, schema);
	assert_string_equal(json_string_value(json_object_get(meta, "schema")), schema);
	features = json_object_get(meta, "features");
	assert_int_equal(json_array_size(features), set->n);
	for (uint32_t i = 0; i < set->n; i++)
		assert_string_equal(json_string_value(json_object_get(json_array_get(features, i), "label")),
				    set->columns[i].label);
	assert_string_equal(json_string_value(json_object_get(meta, "tunnels")), "outer");
	assert_string_equal(json_string_value(json_object_get(meta, "scope")), "tunnel");
	assert_int_equal(json_integer_value(json_object_get(meta, "table_flows")), 4096);
	text = json_dumps(json_object_get(meta, "checkpoints"), JSON_COMPACT);
	assert_string_equal(text, "[1,4,64,\"end\"]");
	free(text);
	text = json_dumps(json_object_get(meta, "captures"), JSON_COMPACT);
	assert_string_equal(text, "[\"a \\\"b\\\".pcap\",\"\xef\xbf\xbd.pcap\"]");
	free(text);
	text = json_dumps(json_object_get(meta, "timeouts_s"), JSON_COMPACT | JSON_SORT_KEYS);
	assert_string_equal(text, "{\"active\":1800.0,\"idle\":60.0,\"linger\":0.5}");
	free(text);
	json_decref(meta);
	flow_feature_set_free(set);
}

static void rows_take_their_labels_from_rules(void **state)
{
	const struct flow_config config = {.checkpoints = 0};
	struct row_writer_options options = {
		.path = path_of("rows.ndjson"),
		.is_ndjson = true,
		.features_text = "all",
		.config = &config,
		.has_ends = true,
	};
	char error[256], rules[PATH_MAX], *text;
	struct flow_feature_set *set;
	struct flow_labels *labels;
	struct sample_record sample;
	struct row_writer writer;
	json_t *row;
	size_t n_bytes;

	(void)state;
	strcpy(rules, options.path);
	strcat(rules, ".tsv");
	fill_file(rules, "dst_port\tlabel\n443\ttls \"web\"\n");
	assert_int_equal(flow_labels_load(rules, NULL, &labels, error, sizeof(error)), 0);
	sample_fill(&sample);
	assert_int_equal(flow_feature_set_create("all", &set, error, sizeof(error)), 0);
	set->layout = sample_layout;
	options.features = set;
	options.labels = labels;
	assert_int_equal(row_writer_open(&writer, &options, error, sizeof(error)), 0);
	assert_int_equal(row_writer_begin(&writer, error, sizeof(error)), 0);
	row_writer_write(&writer, &sample, 1);
	assert_int_equal(row_writer_close(&writer), 0);
	text = content_of(options.path, &n_bytes);
	row = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
	assert_non_null(row);
	assert_string_equal(json_string_value(json_object_get(row, "label")), "tls \"web\"");
	json_decref(row);
	free(text);
	flow_labels_free(labels);
	flow_feature_set_free(set);
}

/* Opens rows that are made at checkpoints alone. */
static int open_rows(struct row_writer *writer, struct row_writer_options *options, char *error, size_t error_size)
{
	static const struct flow_config config = {.checkpoints = 1};
	static struct flow_feature_column column = {.label = "x"};
	static const struct flow_feature_set set = {.n = 1, .columns = &column};

	options->features_text = "x";
	options->config = &config;
	options->features = &set;
	return row_writer_open(writer, options, error, error_size);
}

static void rows_that_nobody_wants_are_not_lost(void **state)
{
	enum { N = 20000 };
	struct row_writer_options options = {.path = "/dev/full"};
	struct row_writer writer;
	uint8_t *records;
	size_t record_bytes;
	char error[256];

	(void)state;
	assert_int_equal(open_rows(&writer, &options, error, sizeof(error)), 0);
	record_bytes = flow_record_bytes(&options.features->layout);
	records = calloc(N, record_bytes);
	for (int i = 0; i < N; i++) {
		struct flow_record *record = (struct flow_record *)(void *)(records + i * record_bytes);

		record->flow.side[0].packets = 1;
		record->reason = i % 2 ? FLOW_REASON_CHECKPOINT : FLOW_REASON_END;
	}
	assert_int_equal(row_writer_begin(&writer, error, sizeof(error)), 0);
	row_writer_write(&writer, records, N);
	assert_int_equal(writer.output.error, ENOSPC);
	assert_int_equal(row_writer_close(&writer), -ENOSPC);
	assert_int_equal(writer.output.n_written, 0);
	assert_int_equal(writer.output.n_lost, N / 2);
	free(records);
}

/* Neither opening nor beginning does anything to the rows, and the message is about the other file. */
static void what_rows_mean_is_written_first_or_nothing_is(void **state)
{
	char path[PATH_MAX], meta_path[PATH_MAX + 16], part_path[PATH_MAX + 32], error[2 * PATH_MAX];
	char expected[2 * PATH_MAX];
	struct row_writer_options options = {.path = path};
	struct row_writer writer;

	(void)state;
	strcpy(path, path_of("first.csv"));
	snprintf(meta_path, sizeof(meta_path), "%s.meta.json", path);
	assert_int_equal(mkdir(meta_path, 0700), 0);
	assert_int_equal(open_rows(&writer, &options, error, sizeof(error)), -EISDIR);
	snprintf(expected, sizeof(expected), "%s: cannot be written: Is a directory", meta_path);
	assert_string_equal(error, expected);
	assert_int_equal(access(path, F_OK), -1);
	assert_int_equal(rmdir(meta_path), 0);

	fill_file(path, "rows of yesterday");
	fill_file(meta_path, "meaning of yesterday");
	snprintf(part_path, sizeof(part_path), "%s.part", meta_path);
	assert_int_equal(symlink("/dev/full", part_path), 0);
	assert_int_equal(open_rows(&writer, &options, error, sizeof(error)), 0);
	assert_int_equal(row_writer_begin(&writer, error, sizeof(error)), -ENOSPC);
	snprintf(expected, sizeof(expected), "%s: cannot be written: No space left on device", meta_path);
	assert_string_equal(error, expected);
	row_writer_close(&writer);
	assert_content(path, "rows of yesterday");
	assert_content(meta_path, "meaning of yesterday");
	assert_int_equal(access(part_path, F_OK), -1);
	assert_int_equal(unlink(meta_path), 0);

	assert_int_equal(symlink(path, meta_path), 0);
	assert_int_equal(open_rows(&writer, &options, error, sizeof(error)), -EEXIST);
	assert_content(path, "rows of yesterday");
}

static void a_file_that_was_made_and_never_begun_is_removed(void **state)
{
	char path[PATH_MAX];
	struct output output;

	(void)state;
	strcpy(path, path_of("litter.txt"));
	for (int is_begun = 0; is_begun < 2; is_begun++) {
		assert_int_equal(output_open(&output, path), 0);
		assert_int_equal(access(path, F_OK), 0);
		if (is_begun)
			assert_int_equal(output_begin(&output), 0);
		assert_int_equal(output_close(&output), 0);
		assert_int_equal(access(path, F_OK), is_begun - 1);
	}
}

static void a_loss_is_told_in_lines_or_as_an_end_that_is_missing(void **state)
{
	static const struct output lost = {.n_lost = 2, .n_written = 3, .error = ENOSPC};
	struct output output;
	char text[256];

	(void)state;
	assert_string_equal(output_loss(&lost, "rows", text, sizeof(text)),
			    "2 of 5 rows could not be written: No space left on device");
	assert_int_equal(output_open(&output, "/dev/full"), 0);
	assert_int_equal(output_begin(&output), 0);
	memcpy(output_reserve(&output, 5), "head\n", 5);
	output_commit(&output, 5, false);
	assert_int_equal(output_close(&output), -ENOSPC);
	assert_string_equal(output_loss(&output, "rows", text, sizeof(text)),
			    "could not be finished: No space left on device");
}

static int make_directory(void **state)
{
	(void)state;
	return mkdtemp(directory) ? 0 : -1;
}

static int remove_directory(void **state)
{
	char command[PATH_MAX];

	(void)state;
	snprintf(command, sizeof(command), "rm -r %s", directory);
	return system(command);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_file_is_emptied_by_begin_and_not_before),
		cmocka_unit_test(a_file_knows_itself_under_other_names),
		cmocka_unit_test(what_cannot_be_opened_is_an_error),
		cmocka_unit_test(all_lines_come_out_in_order),
		cmocka_unit_test(a_full_file_loses_lines_and_says_how_many),
		cmocka_unit_test(a_full_compressed_file_has_at_least_the_lines_that_are_counted),
		cmocka_unit_test(flows_are_written_as_ndjson_or_as_joys_json),
		cmocka_unit_test(endings_of_names_tell_what_rows_are),
		cmocka_unit_test(rows_stand_under_a_head_and_beside_what_they_mean),
		cmocka_unit_test(rows_take_their_labels_from_rules),
		cmocka_unit_test(rows_that_nobody_wants_are_not_lost),
		cmocka_unit_test(what_rows_mean_is_written_first_or_nothing_is),
		cmocka_unit_test(a_file_that_was_made_and_never_begun_is_removed),
		cmocka_unit_test(a_loss_is_told_in_lines_or_as_an_end_that_is_missing),
	};

	return cmocka_run_group_tests(tests, make_directory, remove_directory);
}
