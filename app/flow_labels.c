/* SPDX-License-Identifier: BSD-3-Clause */
#include "flow_labels.h"

#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define LABELS_MAX_COLUMNS 256
#define LABELS_NO_RULE	   UINT32_MAX
#define LABELS_FIRST_RULES 64

enum { LABELS_SRC, LABELS_DST };

struct labels_address {
	uint8_t bytes[16]; /* IPv4 as ::ffff:a.b.c.d; 0 behind the prefix */
	uint8_t n_bits;	   /* 0: any */
};

struct labels_rule {
	uint64_t start_ns, end_ns;
	struct labels_address address[2]; /* src, dst */
	uint16_t port_low[2], port_high[2];
	uint8_t ip_version; /* of the addresses; 0: any */
	bool has_protocol;
	uint8_t protocol;
	bool is_directed;
	bool is_used; /* it has given a flow its label */
	char *label;
	uint32_t next; /* rule of the same hash, behind this one */
};

struct labels_index {
	uint32_t *heads; /* [mask + 1]; first rule of each hash */
	uint32_t mask;
};

struct flow_labels {
	struct labels_rule *rules;
	uint32_t n_rules, n_room;
	char *default_label;
	size_t max_bytes;
	/* Each rule is in the first of these that it can be in. */
	struct labels_index by_endpoints; /* two whole addresses, each with a single port */
	struct labels_index by_addresses; /* two whole addresses */
	uint32_t *wide;			  /* in order */
	uint32_t n_wide;
};

/* Readers of fields: 0, or -1 where the text is not one. */
typedef int labels_read(const char *text, struct labels_rule *rule);

/* A whole number up to limit; *end is where it ends. */
static int labels_read_number(const char *text, uint64_t limit, uint64_t *number, const char **end)
{
	*number = 0;
	if (*text < '0' || *text > '9')
		return -1;
	for (; *text >= '0' && *text <= '9'; text++) {
		*number = *number * 10 + (uint64_t)(*text - '0');
		if (*number > limit)
			return -1;
	}
	*end = text;
	return 0;
}

static int labels_read_time(const char *text, uint64_t *ns)
{
	const uint64_t max_seconds = UINT64_MAX / 1000000000 - 1;
	uint64_t seconds;

	if (labels_read_number(text, max_seconds, &seconds, &text))
		return -1;
	*ns = seconds * 1000000000;
	if (*text == '.') {
		uint64_t unit = 100000000;

		for (text++; *text >= '0' && *text <= '9' && unit; text++, unit /= 10)
			*ns += unit * (uint64_t)(*text - '0');
	}
	return *text ? -1 : 0;
}

static int labels_read_start(const char *text, struct labels_rule *rule)
{
	return labels_read_time(text, &rule->start_ns);
}

static int labels_read_end(const char *text, struct labels_rule *rule)
{
	return labels_read_time(text, &rule->end_ns);
}

static int labels_read_address(const char *text, struct labels_rule *rule, int side)
{
	static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
	struct labels_address *address = &rule->address[side];
	const char *slash = strchrnul(text, '/'), *end;
	size_t length = (size_t)(slash - text);
	char host[INET6_ADDRSTRLEN];
	uint64_t n_bits;
	uint8_t version;

	if (length >= sizeof(host))
		return -1;
	memcpy(host, text, length);
	host[length] = '\0';
	if (inet_pton(AF_INET, host, address->bytes + sizeof(mapped)) == 1) {
		memcpy(address->bytes, mapped, sizeof(mapped));
		version = 4;
	} else if (inet_pton(AF_INET6, host, address->bytes) == 1) {
		version = 6;
	} else {
		return -1;
	}
	n_bits = version == 4 ? 32 : 128;
	if (*slash && (labels_read_number(slash + 1, n_bits, &n_bits, &end) || *end))
		return -1;
	if (rule->ip_version && rule->ip_version != version)
		return -1;
	rule->ip_version = version;
	address->n_bits = (uint8_t)(version == 4 ? n_bits + 96 : n_bits);
	for (uint32_t i = address->n_bits; i < 128; i++)
		address->bytes[i / 8] &= (uint8_t) ~(0x80 >> i % 8);
	return 0;
}

static int labels_read_src(const char *text, struct labels_rule *rule)
{
	return labels_read_address(text, rule, LABELS_SRC);
}

static int labels_read_dst(const char *text, struct labels_rule *rule)
{
	return labels_read_address(text, rule, LABELS_DST);
}

static int labels_read_port(const char *text, struct labels_rule *rule, int side)
{
	uint64_t low, high;

	if (labels_read_number(text, UINT16_MAX, &low, &text))
		return -1;
	high = low;
	if (*text == '-' && labels_read_number(text + 1, UINT16_MAX, &high, &text))
		return -1;
	rule->port_low[side] = (uint16_t)low;
	rule->port_high[side] = (uint16_t)high;
	return *text || low > high ? -1 : 0;
}

static int labels_read_src_port(const char *text, struct labels_rule *rule)
{
	return labels_read_port(text, rule, LABELS_SRC);
}

static int labels_read_dst_port(const char *text, struct labels_rule *rule)
{
	return labels_read_port(text, rule, LABELS_DST);
}

static int labels_read_protocol(const char *text, struct labels_rule *rule)
{
	static const struct {
		const char *name;
		uint8_t number;
	} names[] = {
		{"icmp", 1},	   {"igmp", 2},	 {"ipip", 4},  {"tcp", 6},    {"udp", 17},
		{"ipv6", 41},	   {"gre", 47},	 {"esp", 50},  {"ah", 51},    {"icmpv6", 58},
		{"ipv6-icmp", 58}, {"ospf", 89}, {"pim", 103}, {"sctp", 132}, {"udplite", 136},
	};
	uint64_t number;

	rule->has_protocol = true;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (!strcasecmp(text, names[i].name)) {
			rule->protocol = names[i].number;
			return 0;
		}
	if (labels_read_number(text, UINT8_MAX, &number, &text) || *text)
		return -1;
	rule->protocol = (uint8_t)number;
	return 0;
}

static int labels_read_directed(const char *text, struct labels_rule *rule)
{
	rule->is_directed = text[0] == '1';
	return (text[0] == '0' || text[0] == '1') && !text[1] ? 0 : -1;
}

static const struct labels_column {
	const char *name;
	labels_read *read; /* NULL: the label */
	const char *wanted;
} labels_columns[] = {
	{"label", NULL, "a label"},
	{"start", labels_read_start, "a time in seconds since the epoch"},
	{"end", labels_read_end, "a time in seconds since the epoch"},
	{"src", labels_read_src, "an address or a prefix, both of a rule of one IP version"},
	{"dst", labels_read_dst, "an address or a prefix, both of a rule of one IP version"},
	{"src_port", labels_read_src_port, "a port or a range of ports"},
	{"dst_port", labels_read_dst_port, "a port or a range of ports"},
	{"protocol", labels_read_protocol, "the number or the name of a protocol"},
	{"directed", labels_read_directed, "0 or 1"},
};

#define LABELS_N_COLUMNS (sizeof(labels_columns) / sizeof(labels_columns[0]))

/* Columns that people keep beside the rules. */
static const char *const labels_ignored[] = {"class", "family", "scenario", "tool", "comment"};

static const char labels_known[] =
	"known columns: label, start, end, src, dst, src_port, dst_port, protocol, directed; not looked at: class, "
	"family, scenario, tool, comment";

/* The file while it is read. */
struct labels_reader {
	const char *path;
	uint64_t line;
	uint32_t n_columns;					 /* of the head; 0: not read yet */
	const struct labels_column *columns[LABELS_MAX_COLUMNS]; /* NULL: not looked at */
	char *fields[LABELS_MAX_COLUMNS];
	char *error;
	size_t error_size;
};

static int labels_refuse(struct labels_reader *reader, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

static int labels_refuse(struct labels_reader *reader, const char *format, ...)
{
	int n = snprintf(reader->error, reader->error_size, "%s:%" PRIu64 ": ", reader->path, reader->line);
	va_list args;

	if (n >= 0 && (size_t)n < reader->error_size) {
		va_start(args, format);
		vsnprintf(reader->error + n, reader->error_size - (size_t)n, format, args);
		va_end(args);
	}
	return -EINVAL;
}

/* Cuts line at its tabs. Returns how many fields it has, or 0 where they are too many. */
static uint32_t labels_split(struct labels_reader *reader, char *line)
{
	uint32_t n = 0;

	while (line) {
		if (n == LABELS_MAX_COLUMNS)
			return 0;
		reader->fields[n++] = strsep(&line, "\t");
	}
	return n;
}

static bool labels_is_ignored(const char *name)
{
	for (size_t i = 0; i < sizeof(labels_ignored) / sizeof(labels_ignored[0]); i++)
		if (!strcmp(name, labels_ignored[i]))
			return true;
	return false;
}

/* The place of a name in labels_columns; LABELS_N_COLUMNS where it is none. */
static size_t labels_find_column(const char *name)
{
	size_t i = 0;

	while (i < LABELS_N_COLUMNS && strcmp(name, labels_columns[i].name))
		i++;
	return i;
}

static int labels_read_head(struct labels_reader *reader, char *line)
{
	bool has_column[LABELS_N_COLUMNS] = {false};
	uint32_t n = labels_split(reader, line);
	const char *unknown = NULL;

	if (!n)
		return labels_refuse(reader, "has more than %d columns", LABELS_MAX_COLUMNS);
	for (uint32_t i = 0; i < n; i++) {
		size_t column = labels_find_column(reader->fields[i]);

		if (column == LABELS_N_COLUMNS) {
			if (!unknown && !labels_is_ignored(reader->fields[i]))
				unknown = reader->fields[i];
			continue;
		}
		if (has_column[column])
			return labels_refuse(reader, "names the column %s twice", labels_columns[column].name);
		has_column[column] = true;
		reader->columns[i] = &labels_columns[column];
	}
	if (!has_column[0])
		return labels_refuse(reader, "names no column 'label'; columns are set apart by tabs");
	/* A name that is spelt wrong must not make its rules match more. */
	if (unknown)
		return labels_refuse(reader, "unknown column '%.64s'; %s", unknown, labels_known);
	reader->n_columns = n;
	return 0;
}

static struct labels_rule *labels_add_rule(struct flow_labels *labels)
{
	if (labels->n_rules == labels->n_room) {
		uint32_t n_room = labels->n_room ? 2 * labels->n_room : LABELS_FIRST_RULES;
		struct labels_rule *rules;

		rules = n_room < labels->n_room ? NULL : reallocarray(labels->rules, n_room, sizeof(*rules));
		if (!rules)
			return NULL;
		labels->rules = rules;
		labels->n_room = n_room;
	}
	labels->rules[labels->n_rules] = (struct labels_rule){
		.end_ns = UINT64_MAX,
		.port_high = {UINT16_MAX, UINT16_MAX},
	};
	return &labels->rules[labels->n_rules++];
}

static int labels_read_rule(struct labels_reader *reader, struct flow_labels *labels, char *line)
{
	uint32_t n = labels_split(reader, line);
	struct labels_rule *rule;

	if (n != reader->n_columns)
		return labels_refuse(reader, "has %u columns where the head has %u", n, reader->n_columns);
	rule = labels_add_rule(labels);
	if (!rule)
		return -ENOMEM;
	for (uint32_t i = 0; i < n; i++) {
		const struct labels_column *column = reader->columns[i];
		const char *field = reader->fields[i];

		if (!column)
			continue;
		if (!column->read && *field) {
			rule->label = strdup(field);
			if (!rule->label)
				return -ENOMEM;
		} else if (!column->read || (*field && strcmp(field, "*") && column->read(field, rule))) {
			return labels_refuse(reader, "column %s: '%.64s' is not %s", column->name, field,
					     column->wanted);
		}
	}
	if (rule->end_ns < rule->start_ns)
		return labels_refuse(reader, "column end: is before start");
	if (strlen(rule->label) > labels->max_bytes)
		labels->max_bytes = strlen(rule->label);
	return 0;
}

static int labels_read_line(struct labels_reader *reader, struct flow_labels *labels, char *line, size_t length)
{
	reader->line++;
	if (strlen(line) != length)
		return labels_refuse(reader, "holds a NUL byte: this is no text");
	if (length && line[length - 1] == '\n')
		line[--length] = '\0';
	if (length && line[length - 1] == '\r')
		line[--length] = '\0';
	if (strchr(line, '\r'))
		return labels_refuse(reader, "holds a carriage return that ends no line; lines end in LF or CRLF");
	if (reader->line == 1 && !strncmp(line, "\xef\xbb\xbf", 3))
		line += 3;
	if (line[0] == '#' || !line[strspn(line, " \t")])
		return 0;
	return reader->n_columns ? labels_read_rule(reader, labels, line) : labels_read_head(reader, line);
}

static int labels_read_file(struct labels_reader *reader, struct flow_labels *labels)
{
	FILE *file = fopen(reader->path, "re");
	char *line = NULL;
	size_t line_size = 0;
	ssize_t length;
	int rc = 0;

	if (!file) {
		rc = -errno;
		snprintf(reader->error, reader->error_size, "%s: %s", reader->path, strerror(errno));
		return rc;
	}
	errno = 0;
	while (!rc && (length = getline(&line, &line_size, file)) >= 0)
		rc = labels_read_line(reader, labels, line, (size_t)length);
	if (!rc && !feof(file)) {
		rc = errno ? -errno : -EIO;
		snprintf(reader->error, reader->error_size, "%s: %s", reader->path, strerror(-rc));
	} else if (!rc && !reader->n_columns) {
		rc = -EINVAL;
		snprintf(reader->error, reader->error_size, "%s: names no columns", reader->path);
	} else if (!rc && !labels->n_rules) {
		rc = -EINVAL;
		snprintf(reader->error, reader->error_size, "%s: has no rule", reader->path);
	}
	free(line);
	fclose(file);
	return rc;
}

/* The last step of MurmurHash3 (Austin Appleby): every bit of the result depends on every bit of x. */
static uint64_t labels_mix(uint64_t x)
{
	x = (x ^ x >> 33) * UINT64_C(0xff51afd7ed558ccd);
	x = (x ^ x >> 33) * UINT64_C(0xc4ceb9fe1a85ec53);
	return x ^ x >> 33;
}

static uint64_t labels_hash_endpoint(const uint8_t address[16], uint16_t port)
{
	uint64_t words[2];

	memcpy(words, address, sizeof(words));
	return labels_mix(words[1] + labels_mix(words[0] + port));
}

/* The same for a and b exchanged. */
static uint32_t labels_hash(const uint8_t a[16], uint16_t a_port, const uint8_t b[16], uint16_t b_port)
{
	return (uint32_t)labels_mix(labels_hash_endpoint(a, a_port) + labels_hash_endpoint(b, b_port));
}

static int labels_index_create(struct labels_index *index, uint32_t n_rules)
{
	uint32_t n_heads = 1;

	while (n_heads < n_rules && n_heads < UINT32_C(1) << 31)
		n_heads *= 2;
	index->mask = n_heads - 1;
	index->heads = reallocarray(NULL, n_heads, sizeof(*index->heads));
	if (!index->heads)
		return -ENOMEM;
	memset(index->heads, 0xff, n_heads * sizeof(*index->heads));
	return 0;
}

/* Puts the rule before all that are there. */
static void labels_index_push(struct labels_index *index, uint32_t hash, struct labels_rule *rule, uint32_t number)
{
	uint32_t *head = &index->heads[hash & index->mask];

	rule->next = *head;
	*head = number;
}

static bool labels_has_whole_addresses(const struct labels_rule *rule)
{
	return rule->address[LABELS_SRC].n_bits == 128 && rule->address[LABELS_DST].n_bits == 128;
}

static bool labels_has_single_ports(const struct labels_rule *rule)
{
	return rule->port_low[LABELS_SRC] == rule->port_high[LABELS_SRC] &&
	       rule->port_low[LABELS_DST] == rule->port_high[LABELS_DST];
}

/* Sorts the rules into the hashes and the list. 0 or -ENOMEM. */
static int labels_build_indexes(struct flow_labels *labels)
{
	labels->wide = reallocarray(NULL, labels->n_rules, sizeof(*labels->wide));
	if (!labels->wide || labels_index_create(&labels->by_endpoints, labels->n_rules) ||
	    labels_index_create(&labels->by_addresses, labels->n_rules))
		return -ENOMEM;
	for (uint32_t i = 0; i < labels->n_rules; i++)
		if (!labels_has_whole_addresses(&labels->rules[i]))
			labels->wide[labels->n_wide++] = i;
	/* From the last to the first, so that every chain is in order. */
	for (uint32_t i = labels->n_rules; i-- > 0;) {
		struct labels_rule *rule = &labels->rules[i];
		const uint8_t *src = rule->address[LABELS_SRC].bytes, *dst = rule->address[LABELS_DST].bytes;

		if (!labels_has_whole_addresses(rule))
			continue;
		if (labels_has_single_ports(rule))
			labels_index_push(
				&labels->by_endpoints,
				labels_hash(src, rule->port_low[LABELS_SRC], dst, rule->port_low[LABELS_DST]), rule,
				i);
		else
			labels_index_push(&labels->by_addresses, labels_hash(src, 0, dst, 0), rule, i);
	}
	return 0;
}

int flow_labels_load(const char *path, const char *default_label, struct flow_labels **labels, char *error,
		     size_t error_size)
{
	struct labels_reader reader = {.path = path, .error = error, .error_size = error_size};
	struct flow_labels *made = calloc(1, sizeof(*made));
	int rc = -ENOMEM;

	*labels = NULL;
	if (made)
		made->default_label = strdup(default_label ? default_label : "");
	if (made && made->default_label) {
		made->max_bytes = strlen(made->default_label);
		rc = labels_read_file(&reader, made);
	}
	if (!rc)
		rc = labels_build_indexes(made);
	if (!rc) {
		*labels = made;
		return 0;
	}
	if (rc == -ENOMEM)
		snprintf(error, error_size, "%s: out of memory", path);
	flow_labels_free(made);
	return rc;
}

void flow_labels_free(struct flow_labels *labels)
{
	if (!labels)
		return;
	for (uint32_t i = 0; i < labels->n_rules; i++)
		free(labels->rules[i].label);
	free(labels->rules);
	free(labels->default_label);
	free(labels->wide);
	free(labels->by_endpoints.heads);
	free(labels->by_addresses.heads);
	free(labels);
}

static bool labels_has_address(const struct labels_address *prefix, const uint8_t address[16])
{
	uint32_t n_bytes = prefix->n_bits / 8, n_rest = prefix->n_bits % 8;

	if (memcmp(prefix->bytes, address, n_bytes))
		return false;
	return !n_rest || !((prefix->bytes[n_bytes] ^ address[n_bytes]) >> (8 - n_rest));
}

/* Whether endpoint src of the flow's key is what the rule has as src, and the other one as dst. */
static bool labels_match_way(const struct labels_rule *rule, const struct flow_key *key, uint32_t src)
{
	for (uint32_t side = 0; side < 2; side++) {
		uint32_t endpoint = src ^ side;

		if (key->port[endpoint] < rule->port_low[side] || key->port[endpoint] > rule->port_high[side] ||
		    !labels_has_address(&rule->address[side], key->address[endpoint]))
			return false;
	}
	return true;
}

static bool labels_match(const struct labels_rule *rule, const struct flow *flow, uint8_t ip_version)
{
	uint32_t initiator = flow_initiator(flow);

	if (flow->start_ns < rule->start_ns || flow->start_ns > rule->end_ns ||
	    (rule->has_protocol && rule->protocol != flow->key.protocol) ||
	    (rule->ip_version && rule->ip_version != ip_version))
		return false;
	return labels_match_way(rule, &flow->key, initiator) ||
	       (!rule->is_directed && labels_match_way(rule, &flow->key, 1 - initiator));
}

/* The first rule of the index that matches the flow, which has this hash; LABELS_NO_RULE where none does. */
static uint32_t labels_find_in(const struct flow_labels *labels, const struct labels_index *index, uint32_t hash,
			       const struct flow *flow, uint8_t ip_version)
{
	uint32_t i = index->heads[hash & index->mask];

	while (i != LABELS_NO_RULE && !labels_match(&labels->rules[i], flow, ip_version))
		i = labels->rules[i].next;
	return i;
}

const char *flow_labels_find(const struct flow_labels *labels, const struct flow *flow)
{
	const uint8_t ip_version = flow_key_is_ipv4(&flow->key) ? 4 : 6;
	const uint8_t *a = flow->key.address[0], *b = flow->key.address[1];
	uint32_t first, other;

	first = labels_find_in(labels, &labels->by_endpoints,
			       labels_hash(a, flow->key.port[0], b, flow->key.port[1]), flow, ip_version);
	other = labels_find_in(labels, &labels->by_addresses, labels_hash(a, 0, b, 0), flow, ip_version);
	if (other < first)
		first = other;
	for (uint32_t i = 0; i < labels->n_wide && labels->wide[i] < first; i++)
		if (labels_match(&labels->rules[labels->wide[i]], flow, ip_version))
			first = labels->wide[i];
	if (first == LABELS_NO_RULE)
		return labels->default_label;
	labels->rules[first].is_used = true;
	return labels->rules[first].label;
}

static int labels_compare(const void *left, const void *right)
{
	const struct labels_rule *a = *(struct labels_rule *const *)left, *b = *(struct labels_rule *const *)right;

	return strcmp(a->label, b->label);
}

uint32_t flow_labels_unused(const struct flow_labels *labels, char *text, size_t text_size)
{
	const struct labels_rule **rules = calloc(labels->n_rules, sizeof(*rules));
	uint32_t n_unused = 0, n_named = 0;
	size_t length = 0;

	*text = '\0';
	if (!rules)
		return 0;
	for (uint32_t i = 0; i < labels->n_rules; i++)
		rules[i] = &labels->rules[i];
	qsort(rules, labels->n_rules, sizeof(*rules), labels_compare);
	for (uint32_t i = 0, n; i < labels->n_rules; i += n) {
		bool is_used = false;
		size_t room;

		for (n = 0; i + n < labels->n_rules && !strcmp(rules[i + n]->label, rules[i]->label); n++)
			is_used |= rules[i + n]->is_used;
		if (is_used)
			continue;
		n_unused++;
		room = strlen(rules[i]->label) + 2;
		/* " and 4294967295 more" must fit behind. */
		if (n_named + 1 < n_unused || length + room + 24 > text_size)
			continue;
		length += (size_t)sprintf(text + length, "%s%s", n_named ? ", " : "", rules[i]->label);
		n_named++;
	}
	if (n_unused > n_named && text_size - length >= 24)
		sprintf(text + length, "%s%" PRIu32 " more", n_named ? " and " : "", n_unused - n_named);
	free(rules);
	return n_unused;
}

size_t flow_labels_max_bytes(const struct flow_labels *labels)
{
	return labels->max_bytes;
}
