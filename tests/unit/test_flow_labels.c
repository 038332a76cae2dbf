/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "flow_labels.h"
#include "flow_record_sample.h"

static char error[512];

/* Loads n_bytes of text from a file; returns what flow_labels_load does. */
static int load_bytes(const char *text, size_t n_bytes, const char *default_label, struct flow_labels **labels)
{
	char path[] = "/tmp/wirescore-labels-XXXXXX";
	int fd = mkstemp(path), rc;

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, n_bytes), n_bytes);
	close(fd);
	rc = flow_labels_load(path, default_label, labels, error, sizeof(error));
	unlink(path);
	return rc;
}

static struct flow_labels *load(const char *text)
{
	struct flow_labels *labels;

	assert_int_equal(load_bytes(text, strlen(text), "none", &labels), 0);
	return labels;
}

/* A flow from 10.0.0.1:40000 to 10.0.0.2:80 over TCP that starts at 1000.5 s. */
static struct flow sample_flow(void)
{
	struct flow flow = {.start_ns = UINT64_C(1000500000000)};

	sample_set_endpoint(&flow.key, 0, "10.0.0.1", 40000);
	sample_set_endpoint(&flow.key, 1, "10.0.0.2", 80);
	flow.key.protocol = PACKET_PROTOCOL_TCP;
	return flow;
}

static void one_rule_matches_what_it_says(void **state)
{
	static const struct {
		const char *column, *field;
		bool matches;
	} cases[] = {
		{"src", "10.0.0.1", true},
		{"src", "10.0.0.2", true}, /* in the other direction */
		{"src", "10.0.0.3", false},
		{"src", "10.0.0.0/24", true},
		{"src", "10.0.0.77/8", true},
		{"src", "11.0.0.0/8", false},
		{"src", "10.0.0.1/32", true},
		{"src", "10.0.0.4/30", false},
		{"src", "10.0.0.0/31", true},
		{"src", "0.0.0.0/0", true},
		{"src", "::/0", false}, /* IPv6 alone */
		{"src", "::ffff:10.0.0.1", false},
		{"src", "*", true},
		{"src", "", true},
		{"src_port", "80", true},
		{"src_port", "81", false},
		{"src_port", "40000-40001", true},
		{"dst_port", "1-79", false},
		{"dst_port", "0-65535", true},
		{"protocol", "tcp", true},
		{"protocol", "TCP", true},
		{"protocol", "6", true},
		{"protocol", "udp", false},
		{"start", "1000.5", true},
		{"start", "1000.500000000", true},
		{"start", "1000.500000001", false},
		{"start", "1001", false},
		{"end", "1000.5", true},
		{"end", "1000.499999999", false},
		{"end", "1000", false},
		{"end", "18446744072", true},
	};
	struct flow flow = sample_flow();

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char text[128];
		struct flow_labels *labels;

		snprintf(text, sizeof(text), "label\t%s\nattack\t%s\n", cases[i].column, cases[i].field);
		labels = load(text);
		if (strcmp(flow_labels_find(labels, &flow), cases[i].matches ? "attack" : "none"))
			fail_msg("%s", text);
		flow_labels_free(labels);
	}
}

static void a_directed_rule_looks_at_the_initiator(void **state)
{
	struct flow_labels *labels = load("src\tdst\tdst_port\tdirected\tlabel\n"
					  "10.0.0.2\t10.0.0.1\t*\t1\tback\n"
					  "10.0.0.2\t*\t40000\t0\teither\n");
	struct flow flow = sample_flow();

	(void)state;
	assert_string_equal(flow_labels_find(labels, &flow), "either");
	flow.bits = FLOW_INITIATOR_IS_1;
	assert_string_equal(flow_labels_find(labels, &flow), "back");
	flow_labels_free(labels);
}

static void both_sides_of_a_rule_match_the_same_direction(void **state)
{
	struct flow_labels *labels = load("src\tdst\tsrc_port\tlabel\n10.0.0.1\t10.0.0.2\t80\tmixed\n");
	struct flow flow = sample_flow();

	(void)state;
	assert_string_equal(flow_labels_find(labels, &flow), "none");
	flow_labels_free(labels);
}

static void ipv6_rules_match_ipv6_flows(void **state)
{
	struct flow_labels *labels = load("src\tlabel\n2001:db8::/33\tnet\n::/0\tsix\n");
	struct flow flow = sample_flow();

	(void)state;
	sample_set_endpoint(&flow.key, 0, "2001:db8:7fff::1", 1);
	sample_set_endpoint(&flow.key, 1, "fe80::1", 1);
	assert_string_equal(flow_labels_find(labels, &flow), "net");
	sample_set_endpoint(&flow.key, 0, "2001:db8:8000::1", 1);
	assert_string_equal(flow_labels_find(labels, &flow), "six");
	flow_labels_free(labels);
}

/* Rules that a hash finds and those that are tried one by one are mixed. */
static void the_first_rule_that_matches_wins(void **state)
{
	static const char *const rules[] = {
		"10.0.0.1\t10.0.0.2\t*\t443\ta\n",    "10.0.0.0/8\t*\t*\t443\tb\n",
		"10.0.0.1\t10.0.0.2\t40000\t81\tc\n", "*\t*\t80\t40000-50000\td\n",
		"10.0.0.2\t10.0.0.1\t*\t*\te\n",      "10.0.0.2\t10.0.0.1\t80\t40000\tf\n",
		"10.0.0.1\t10.0.0.2\t40000\t80\tg\n", "*\t*\t*\t*\th\n",
		"10.0.0.1\t10.0.0.2\t40000\t80\ti\n", "10.0.0.1\t10.0.0.2\t*\t*\tj\n",
	};
	/* The first of those from there on that matches the flow, whose ports are 40000 and 80. */
	static const char *const expected[] = {"d", "d", "d", "d", "e", "f", "g", "h", "i", "j"};
	const size_t n_rules = sizeof(rules) / sizeof(rules[0]);
	struct flow flow = sample_flow();

	(void)state;
	for (size_t first = 0; first < n_rules; first++) {
		char text[1024] = "src\tdst\tsrc_port\tdst_port\tlabel\n";
		struct flow_labels *labels;

		for (size_t i = first; i < n_rules; i++)
			strcat(text, rules[i]);
		labels = load(text);
		assert_string_equal(flow_labels_find(labels, &flow), expected[first]);
		flow_labels_free(labels);
	}
}

static void many_exact_rules_are_each_found(void **state)
{
	enum { N = 20000 };
	struct flow flow = sample_flow();
	struct flow_labels *labels;
	size_t n_bytes;
	char *text;
	FILE *file = open_memstream(&text, &n_bytes);

	(void)state;
	fprintf(file, "src\tdst\tlabel\n");
	for (int i = 0; i < N; i++)
		fprintf(file, "10.0.%d.%d\t172.16.%d.%d\t%d\n", i / 250, i % 250, i % 250, i / 250, i);
	fclose(file);
	labels = load(text);
	for (int i = 0; i < N; i++) {
		char address[32], label[16];

		sprintf(address, "172.16.%d.%d", i % 250, i / 250);
		sample_set_endpoint(&flow.key, 0, address, 1);
		sprintf(address, "10.0.%d.%d", i / 250, i % 250);
		sample_set_endpoint(&flow.key, 1, address, 2);
		sprintf(label, "%d", i);
		assert_string_equal(flow_labels_find(labels, &flow), label);
	}
	flow_labels_free(labels);
	free(text);
}

/* One rule after the other would be tried for each flow: minutes of a run over a day's attacks. */
static void many_rules_of_one_pair_of_addresses_are_found_at_once(void **state)
{
	enum { N = 80000 };
	struct flow flow = sample_flow();
	struct flow_labels *labels;
	clock_t start;
	size_t n_bytes;
	char *text;
	FILE *file = open_memstream(&text, &n_bytes);

	(void)state;
	fprintf(file, "src\tdst\tsrc_port\tdst_port\tprotocol\tlabel\n");
	for (int i = 0; i < N; i++)
		fprintf(file, "10.0.0.1\t10.0.0.2\t%d\t%d\ttcp\t%d\n", i % 40000, 1 + i / 40000, i);
	fclose(file);
	labels = load(text);
	start = clock();
	for (int i = 0; i < N; i++) {
		flow.key.port[0] = (uint16_t)(i % 40000);
		flow.key.port[1] = (uint16_t)(1 + i / 40000);
		assert_int_equal(atoi(flow_labels_find(labels, &flow)), i);
	}
	assert_true((double)(clock() - start) / CLOCKS_PER_SEC < 2.0);
	flow_labels_free(labels);
	free(text);
}

static void comments_blank_lines_other_columns_and_line_ends_are_taken(void **state)
{
	struct flow_labels *labels =
		load("\xef\xbb\xbf# made by hand\r\n\r\ntool\tlabel\tdst_port\tclass\tfamily\tscenario\tcomment\r\n"
		     "#x\ty\r\n \t\r\nhydra\tssh guess\t22\t\t\t\t\r\n"
		     "ab\t\"web\"\t80\tx\ty\tz\t!");
	struct flow flow = sample_flow();

	(void)state;
	assert_string_equal(flow_labels_find(labels, &flow), "\"web\"");
	assert_int_equal(flow_labels_max_bytes(labels), strlen("ssh guess"));
	flow_labels_free(labels);
}

static void without_a_match_the_default_is_the_label(void **state)
{
	const char text[] = "label\tdst_port\nx\t1\n";
	struct flow flow = sample_flow();
	struct flow_labels *labels;

	(void)state;
	assert_int_equal(load_bytes(text, strlen(text), NULL, &labels), 0);
	assert_string_equal(flow_labels_find(labels, &flow), "");
	flow_labels_free(labels);
	assert_int_equal(load_bytes(text, strlen(text), "benign", &labels), 0);
	assert_string_equal(flow_labels_find(labels, &flow), "benign");
	assert_int_equal(flow_labels_max_bytes(labels), 6);
	flow_labels_free(labels);
}

static void what_is_wrong_is_named_with_its_line_and_column(void **state)
{
	static const struct {
		const char *text, *message;
	} cases[] = {
		{"", ": names no columns"},
		{"# nothing\n\n", ": names no columns"},
		{"label\tsrc\n", ": has no rule"},
		{"label\tdst_Port\nx\t22\n",
		 ":1: unknown column 'dst_Port'; known columns: label, start, end, src, dst, src_port, dst_port, "
		 "protocol, directed; not looked at: class, family, scenario, tool, comment"},
		{"label\tport\nx\t22\n", ":1: unknown column 'port'"},
		{"label\t\nx\t\n", ":1: unknown column ''"},
		{"label\tsrc\rx\t10.0.0.1\r", ":1: holds a carriage return that ends no line"},
		{"# Mac\rlabel\tsrc\rx\t10.0.0.1\r", ":1: holds a carriage return that ends no line"},
		{"label\tsrc\nx\r\t10.0.0.1\n", ":2: holds a carriage return that ends no line"},
		{"src,dst,label\n", ":1: names no column 'label'; columns are set apart by tabs"},
		{"label\tsrc\tlabel\n", ":1: names the column label twice"},
		{"label\tsrc\n\nx\n", ":3: has 1 columns where the head has 2"},
		{"label\tsrc\nx\ty\tz\n", ":2: has 3 columns where the head has 2"},
		{"label\tsrc\n\t10.0.0.1\n", ":2: column label: '' is not a label"},
		{"label\tsrc\nx\t10.0.0.256\n", ":2: column src: '10.0.0.256' is not an address"},
		{"label\tsrc\nx\t10.0.0.1/33\n", ":2: column src: '10.0.0.1/33' is not an address"},
		{"label\tsrc\nx\t10.0.0.1/\n", ":2: column src: '10.0.0.1/' is not an address"},
		{"label\tsrc\nx\t::1/129\n", ":2: column src: '::1/129' is not an address"},
		{"label\tsrc\tdst\nx\t::1\t10.0.0.1\n", ":2: column dst: '10.0.0.1' is not an address"},
		{"label\tsrc_port\nx\t65536\n", ":2: column src_port: '65536' is not a port"},
		{"label\tsrc_port\nx\t80-79\n", ":2: column src_port: '80-79' is not a port"},
		{"label\tdst_port\nx\t80-\n", ":2: column dst_port: '80-' is not a port"},
		{"label\tdst_port\nx\t-80\n", ":2: column dst_port: '-80' is not a port"},
		{"label\tprotocol\nx\t256\n", ":2: column protocol: '256' is not the number"},
		{"label\tprotocol\nx\thttp\n", ":2: column protocol: 'http' is not the number"},
		{"label\tstart\nx\t-1\n", ":2: column start: '-1' is not a time"},
		{"label\tstart\nx\t1.0000000001\n", ":2: column start: '1.0000000001' is not a time"},
		{"label\tstart\nx\t1500000000000\n", ":2: column start: '1500000000000' is not a time"},
		{"label\tend\nx\t2017-07-07\n", ":2: column end: '2017-07-07' is not a time"},
		{"label\tend\nx\t99999999999999999999999999\n",
		 ":2: column end: '99999999999999999999999999' is not"},
		{"label\tend\tstart\nx\t5\t6\n", ":2: column end: is before start"},
		{"label\tdirected\nx\t10\n", ":2: column directed: '10' is not 0 or 1"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct flow_labels *labels;

		assert_int_equal(load_bytes(cases[i].text, strlen(cases[i].text), NULL, &labels), -EINVAL);
		assert_null(labels);
		if (!strstr(error, cases[i].message))
			fail_msg("%s is not in: %s", cases[i].message, error);
		assert_null(strchr(error, '\n'));
	}
}

static void files_that_are_no_rules_are_refused(void **state)
{
	const char nul[] = "label\nx\0y\n";
	struct flow_labels *labels;
	char tabs[600];

	(void)state;
	assert_int_equal(load_bytes(nul, sizeof(nul) - 1, NULL, &labels), -EINVAL);
	assert_non_null(strstr(error, ":2: holds a NUL byte"));
	memset(tabs, '\t', sizeof(tabs));
	tabs[0] = 'x';
	assert_int_equal(load_bytes(tabs, sizeof(tabs), NULL, &labels), -EINVAL);
	assert_non_null(strstr(error, ":1: has more than 256 columns"));
	assert_int_equal(flow_labels_load("/no/such/file", NULL, &labels, error, sizeof(error)), -ENOENT);
	assert_string_equal(error, "/no/such/file: No such file or directory");
	assert_int_equal(flow_labels_load("/tmp", NULL, &labels, error, sizeof(error)), -EISDIR);
	assert_string_equal(error, "/tmp: Is a directory");
}

static void labels_that_no_flow_has_are_told(void **state)
{
	struct flow_labels *labels = load("label\tdst_port\nweb\t80\nweb\t8080\nssh\t22\ndns\t53\nftp\t21\n");
	struct flow flow = sample_flow();
	char text[64];

	(void)state;
	assert_int_equal(flow_labels_unused(labels, text, sizeof(text)), 4);
	assert_string_equal(text, "dns, ftp, ssh, web");
	assert_string_equal(flow_labels_find(labels, &flow), "web");
	assert_int_equal(flow_labels_unused(labels, text, sizeof(text)), 3);
	assert_string_equal(text, "dns, ftp, ssh");
	assert_int_equal(flow_labels_unused(labels, text, 34), 3);
	assert_string_equal(text, "dns, ftp and 1 more");
	assert_int_equal(flow_labels_unused(labels, text, 1), 3);
	assert_string_equal(text, "");
	flow_labels_free(labels);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_rule_matches_what_it_says),
		cmocka_unit_test(a_directed_rule_looks_at_the_initiator),
		cmocka_unit_test(both_sides_of_a_rule_match_the_same_direction),
		cmocka_unit_test(ipv6_rules_match_ipv6_flows),
		cmocka_unit_test(the_first_rule_that_matches_wins),
		cmocka_unit_test(many_exact_rules_are_each_found),
		cmocka_unit_test(many_rules_of_one_pair_of_addresses_are_found_at_once),
		cmocka_unit_test(comments_blank_lines_other_columns_and_line_ends_are_taken),
		cmocka_unit_test(without_a_match_the_default_is_the_label),
		cmocka_unit_test(what_is_wrong_is_named_with_its_line_and_column),
		cmocka_unit_test(files_that_are_no_rules_are_refused),
		cmocka_unit_test(labels_that_no_flow_has_are_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
