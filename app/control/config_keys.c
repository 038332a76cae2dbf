/* SPDX-License-Identifier: BSD-3-Clause */
#include "config_keys.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "classify.h"
#include "config.h"
#include "flow_options.h"

#define COUNT_IN(member) offsetof(struct config, member)
#define NO_COUNT	 SIZE_MAX
#define RELOAD		 true
#define RESTART		 false

static const char *const no_words[] = {NULL};
static const char *const auto_words[] = {"auto", NULL};
static const char *const none_words[] = {"none", NULL};
static const char *const off_words[] = {"off", NULL};
static const char *const zero_words[] = {"0", NULL};
static const char *const model_words[] = {"model", NULL};
static const char *const random_words[] = {"random", NULL};
static const char *const yes_words[] = {"no", "yes", NULL};
static const char *const hugepages_words[] = {"auto", "no", "yes", NULL};
static const char *const rss_words[] = {"auto", "symmetric", "software", NULL};
static const char *const model_file_words[] = {"none", "shipped", NULL};
static const char *const hold_words[] = {"forward", "hold-drop", NULL};
static const char *const all_words[] = {"all", NULL};
static const char *const to_words[] = {"file", "redis", "rabbitmq", "kafka", "ipfix", NULL};
static const char *const records_words[] = {"flows", "packets", NULL};
static const char *const format_words[] = {"ndjson", "csv", "joy", NULL};
static const char *const classes_words[] = {"all", "attacks", NULL};
static const char *const compress_words[] = {"auto", "no", "gzip", "zstd", NULL};
static const char *const as_words[] = {"stream", "list", NULL};
static const char *const transport_words[] = {"tcp", "udp", NULL};
static const char *const core_dump_words[] = {"no", "without-packets", "full", NULL};

enum {
#define SECTION(id, ...) SECTION_##id,
#define KEY(...)
#include "config_keys.def"
#undef SECTION
#undef KEY
};

const struct config_section config_sections[] = {
#define SECTION(id, name, naming, member, count, maximum, taken, help) \
	{name, naming, offsetof(struct config, member), count, sizeof(struct config_##id), maximum, taken, help},
#define KEY(...)
#include "config_keys.def"
#undef SECTION
#undef KEY
};

const struct config_key config_keys[] = {
#define SECTION(...)
#define KEY(id, name, type, field, low, high, words, standard, help) \
	{&config_sections[SECTION_##id],                             \
	 name,                                                       \
	 CONFIG_TYPE_##type,                                         \
	 offsetof(struct config_##id, field),                        \
	 low,                                                        \
	 high,                                                       \
	 words,                                                      \
	 standard,                                                   \
	 help},
#include "config_keys.def"
#undef SECTION
#undef KEY
};

const uint32_t config_n_sections = sizeof(config_sections) / sizeof(config_sections[0]);
const uint32_t config_n_keys = sizeof(config_keys) / sizeof(config_keys[0]);

/* A row whose field has another type than it is read as would not compile. */
#define OF_COUNT	uint32_t
#define OF_NUMBER	uint64_t
#define OF_SECONDS	uint64_t
#define OF_SCORE	double
#define OF_FLAG		bool
#define OF_CHOICE	int
#define OF_NAME		char *
#define OF_KERNEL	char *
#define OF_OUTPUT	char *
#define OF_FILE		char *
#define OF_TEXT		char *
#define OF_CLASSES	struct config_words
#define OF_PROPERTIES	struct config_words
#define OF_PACKET_MODEL struct config_model
#define OF_FLOW_MODEL	struct config_model
#define OF_DEVICE	struct config_device
#define OF_PCI_LIST	struct config_words
#define OF_VDEV_LIST	struct config_words
#define OF_PORTS	struct config_words
#define OF_CORES	struct config_cores
#define OF_CORE		int32_t
#define OF_SEED		uint64_t
#define OF_CHECKPOINTS	uint64_t
#define OF_ACTION	struct config_action
#define SECTION(...)
#define KEY(id, name, type, field, ...) \
	_Static_assert(sizeof(((struct config_##id *)0)->field) == sizeof(OF_##type), name);
#include "config_keys.def"
#undef SECTION
#undef KEY

const struct config_section *config_section_find(const char *heading, const char **own)
{
	size_t n = strcspn(heading, " ");

	*own = heading[n] ? heading + n + 1 : NULL;
	for (uint32_t i = 0; i < config_n_sections; i++) {
		const struct config_section *section = &config_sections[i];

		if (strlen(section->name) == n && !strncmp(section->name, heading, n) && !section->naming == !*own)
			return section;
	}
	return NULL;
}

const struct config_key *config_key_find(const struct config_section *section, const char *name)
{
	for (uint32_t i = 0; i < config_n_keys; i++)
		if (config_keys[i].section == section && !strcmp(config_keys[i].name, name))
			return &config_keys[i];
	return NULL;
}

/* How many letters must be changed, put in or left out to make one name of the other (Levenshtein). */
static uint32_t name_distance(const char *from, const char *to)
{
	enum { MAX_LENGTH = 64 };
	uint32_t row[MAX_LENGTH + 1];
	size_t n_from = strlen(from), n_to = strlen(to);

	if (n_from > MAX_LENGTH || n_to > MAX_LENGTH)
		return UINT32_MAX;
	for (uint32_t j = 0; j <= n_to; j++)
		row[j] = j;
	for (uint32_t i = 1; i <= n_from; i++) {
		uint32_t diagonal = row[0];

		row[0] = i;
		for (uint32_t j = 1; j <= n_to; j++) {
			uint32_t change = diagonal + (from[i - 1] != to[j - 1]);

			diagonal = row[j];
			row[j] = 1 + (row[j] < row[j - 1] ? row[j] : row[j - 1]);
			if (change < row[j])
				row[j] = change;
		}
	}
	return row[n_to];
}

/* Whether name is nearer to known than *best, and near enough to be meant. */
static bool name_is_nearer(const char *name, const char *known, uint32_t *best)
{
	uint32_t distance = name_distance(name, known);

	if (distance >= *best || distance > 1 + strlen(known) / 3 || distance >= strlen(known))
		return false;
	*best = distance;
	return true;
}

const char *config_section_near(const char *name)
{
	const char *near = NULL;
	uint32_t best = UINT32_MAX;

	for (uint32_t i = 0; i < config_n_sections; i++)
		if (name_is_nearer(name, config_sections[i].name, &best))
			near = config_sections[i].name;
	return near;
}

const char *config_key_near(const struct config_section *section, const char *name)
{
	const char *near = NULL;
	uint32_t best = UINT32_MAX;

	for (uint32_t i = 0; i < config_n_keys; i++)
		if (config_keys[i].section == section && name_is_nearer(name, config_keys[i].name, &best))
			near = config_keys[i].name;
	return near;
}

int32_t config_name_near(const char *name, const char *const *names, uint32_t n)
{
	uint32_t best = UINT32_MAX;
	int32_t near = -1;

	for (uint32_t i = 0; i < n; i++)
		if (name_is_nearer(name, names[i], &best))
			near = (int32_t)i;
	return near;
}

/* The words with commas between and "or" before the last. */
static char *join_words(const char *const *words, char *text, size_t size)
{
	size_t used = 0;

	text[0] = '\0';
	for (uint32_t i = 0; words[i] && used < size; i++)
		used += (size_t)snprintf(text + used, size - used, "%s%s",
					 i == 0		? ""
					 : words[i + 1] ? ", "
							: " or ",
					 words[i]);
	return text;
}

/* What a value of the type is, but for words. */
static void describe_type(const struct config_key *key, char *text, size_t size)
{
	static const char *const descriptions[] = {
		[CONFIG_TYPE_NAME] = "a name",
		[CONFIG_TYPE_KERNEL] = "a kernel's name",
		[CONFIG_TYPE_OUTPUT] = "a path",
		[CONFIG_TYPE_FILE] = "a path",
		[CONFIG_TYPE_TEXT] = "a text",
		[CONFIG_TYPE_CLASSES] = "names of classes with commas between",
		[CONFIG_TYPE_PROPERTIES] = "name=value with blanks between",
		[CONFIG_TYPE_PACKET_MODEL] = "a path",
		[CONFIG_TYPE_FLOW_MODEL] = "a path",
		[CONFIG_TYPE_DEVICE] = "a PCI address, virtual device or kernel interface",
		[CONFIG_TYPE_PCI_LIST] = "PCI addresses with blanks between",
		[CONFIG_TYPE_VDEV_LIST] = "virtual devices with blanks between",
		[CONFIG_TYPE_PORTS] = "two names of ports with a comma between",
		[CONFIG_TYPE_CORES] = "numbers of CPUs as in 2,4-6",
		[CONFIG_TYPE_CORE] = "the number of a CPU",
		[CONFIG_TYPE_SEED] = "a whole number from 0 to 18446744073709551615",
		[CONFIG_TYPE_CHECKPOINTS] = "packet counts of 1 to 64 and end, with commas between",
		[CONFIG_TYPE_ACTION] = "forward, drop, mirror PORT, mark dscp 0-63 or mark vlan-pcp 0-7",
	};

	switch (key->type) {
	case CONFIG_TYPE_COUNT:
	case CONFIG_TYPE_NUMBER:
		snprintf(text, size, "a whole number from %.0f to %.0f", key->low, key->high);
		break;
	case CONFIG_TYPE_SECONDS:
		snprintf(text, size, "seconds from %.*f to %.0f", key->low < 0.1 ? 6 : 1, key->low, key->high);
		break;
	case CONFIG_TYPE_SCORE:
		snprintf(text, size, "a number from %g to %g", key->low, key->high);
		break;
	default:
		snprintf(text, size, "%s", descriptions[key->type]);
	}
}

char *config_key_values(const struct config_key *key, char *text, size_t size)
{
	char words[128], rest[128];
	bool is_number = key->type == CONFIG_TYPE_SCORE;

	if (key->type == CONFIG_TYPE_FLAG || key->type == CONFIG_TYPE_CHOICE)
		return join_words(key->words, text, size);
	describe_type(key, rest, sizeof(rest));
	/* 0 is a number like others. */
	if (!key->words[0] || (is_number && !strcmp(key->words[0], "0")))
		snprintf(text, size, "%s", rest);
	else
		snprintf(text, size, "%s, or %s", join_words(key->words, words, sizeof(words)), rest);
	return text;
}

/* The heading of a section, e.g. "[port NAME]". */
static void print_heading(const struct config_section *section, char *text, size_t size)
{
	snprintf(text, size, "[%s%s%s]", section->name, section->naming ? " " : "",
		 section->naming ? section->naming : "");
}

void config_keys_print(FILE *file)
{
	const struct config_section *section = NULL;
	char text[256];

	for (uint32_t i = 0; i < config_n_keys; i++) {
		const struct config_key *key = &config_keys[i];

		if (key->section != section) {
			print_heading(key->section, text, sizeof(text));
			fprintf(file, "%s%s\n  %s\n", section ? "\n" : "", text, key->section->help);
			section = key->section;
		}
		fprintf(file, "\n  %s = %s\n      %s\n", key->name, key->standard ? key->standard : "(must be set)",
			key->help);
		fprintf(file, "      %s\n", config_key_values(key, text, sizeof(text)));
	}
}

json_t *config_keys_json(void)
{
	json_t *array = json_array();

	for (uint32_t i = 0; array && i < config_n_keys; i++) {
		const struct config_key *key = &config_keys[i];
		char heading[64], values[256];
		json_t *row;

		print_heading(key->section, heading, sizeof(heading));
		row = json_pack("{s:s, s:s, s:s?, s:s, s:s}", "section", heading, "key", key->name, "default",
				key->standard, "values", config_key_values(key, values, sizeof(values)), "help",
				key->help);
		if (json_array_append_new(array, row)) {
			json_decref(array);
			return NULL;
		}
	}
	return array;
}
