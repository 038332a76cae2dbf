/* SPDX-License-Identifier: BSD-3-Clause */
#include "config_value.h"

#include <errno.h>
#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "command.h"
#include "config.h"
#include "config_device.h"
#include "flow_options.h"
#include "shipped.h"

#define NS_PER_SECOND 1000000000.0

/* One value being read. */
struct reading {
	const struct config_key *key;
	const char *text, *folder;
	char *error; /* one line; "": the general one */
	size_t error_size;
};

/* The place of the text among the key's words, or -1. */
static int reading_word(const struct reading *reading)
{
	for (int i = 0; reading->key->words[i]; i++)
		if (!strcmp(reading->text, reading->key->words[i]))
			return i;
	return -1;
}

static int read_count(const struct reading *reading, uint32_t *count)
{
	uint64_t value = 0;

	if (reading_word(reading) < 0 &&
	    read_u64(reading->text, (uint64_t)reading->key->low, (uint64_t)reading->key->high, &value))
		return -EINVAL;
	*count = (uint32_t)value;
	return 0;
}

static int read_number(const struct reading *reading, uint64_t *number)
{
	uint64_t value = 0;

	if (reading_word(reading) < 0 &&
	    read_u64(reading->text, (uint64_t)reading->key->low, (uint64_t)reading->key->high, &value))
		return -EINVAL;
	*number = value;
	return 0;
}

static int read_seconds(const struct reading *reading, uint64_t *ns)
{
	double seconds = 0;

	if (reading_word(reading) < 0 &&
	    read_double(reading->text, reading->key->low, reading->key->high, &seconds))
		return -EINVAL;
	*ns = (uint64_t)(seconds * NS_PER_SECOND + 0.5);
	return 0;
}

static int read_score(const struct reading *reading, double *score)
{
	double value;

	if (read_double(reading->text, reading->key->low, reading->key->high, &value)) {
		if (reading_word(reading) < 0)
			return -EINVAL;
		value = NAN;
	}
	*score = value;
	return 0;
}

static int read_flag(const struct reading *reading, bool *flag)
{
	static const char *const no[] = {"false", "off", "0"}, *const yes[] = {"true", "on", "1"};
	int word = reading_word(reading);

	for (int i = 0; word < 0 && !strcmp(reading->key->words[1], "yes") && i < 3; i++)
		word = !strcmp(reading->text, no[i]) ? 0 : !strcmp(reading->text, yes[i]) ? 1 : -1;
	if (word < 0)
		return -EINVAL;
	*flag = word == 1;
	return 0;
}

static int read_choice(const struct reading *reading, void *choice)
{
	int word = reading_word(reading), value = (int)reading->key->low + word;

	if (word < 0)
		return -EINVAL;
	/* Whether an enum is an int is the compiler's choice. */
	memcpy(choice, &value, sizeof(value));
	return 0;
}

static int replace_text(char **text, char *copy)
{
	if (!copy)
		return -ENOMEM;
	free(*text);
	*text = copy;
	return 0;
}

/* A word, or NULL for none. */
static int read_name(const struct reading *reading, char **name)
{
	if (reading_word(reading) == 0) {
		free(*name);
		*name = NULL;
		return 0;
	}
	if (strpbrk(reading->text, " \t,/"))
		return -EINVAL;
	return replace_text(name, strdup(reading->text));
}

static int read_output(const struct reading *reading, char **path)
{
	if (reading_word(reading) == 0) {
		free(*path);
		*path = NULL;
		return 0;
	}
	return replace_text(path, !strcmp(reading->text, "-") ? strdup("-")
							      : config_path(reading->folder, reading->text));
}

/* Any text, or NULL for none. */
static int read_text(const struct reading *reading, char **text)
{
	if (reading_word(reading) == 0) {
		free(*text);
		*text = NULL;
		return 0;
	}
	return replace_text(text, strdup(reading->text));
}

/* A file that is read, or NULL for none. */
static int read_file(const struct reading *reading, char **path)
{
	if (reading_word(reading) == 0)
		return read_text(reading, path);
	return replace_text(path, config_path(reading->folder, reading->text));
}

static int read_model(const struct reading *reading, struct config_model *model)
{
	int word = reading_word(reading);
	char path[PATH_MAX];

	model->is_shipped = word == 1;
	if (word == 0) {
		free(model->path);
		model->path = NULL;
		return 0;
	}
	if (word == 1)
		return replace_text(
			&model->path,
			strdup(shipped_model_path(reading->key->type == CONFIG_TYPE_PACKET_MODEL ? "ip.onnx"
												 : "attack.onnx",
						  path, sizeof(path))));
	return replace_text(&model->path, config_path(reading->folder, reading->text));
}

static int read_device(const struct reading *reading, struct config_device *device)
{
	struct config_device made = {0};
	int rc = config_device_read(reading->text, reading->folder, &made, reading->error, reading->error_size);

	if (rc)
		return rc;
	free(device->text);
	*device = made;
	return 0;
}

static void words_free(struct config_words *words)
{
	for (uint32_t i = 0; i < words->n; i++)
		free(words->words[i]);
	*words = (struct config_words){0};
}

/* The length of a text without the blanks at its end. */
static size_t word_bytes(const char *word)
{
	size_t n = strlen(word);

	while (n && (word[n - 1] == ' ' || word[n - 1] == '\t'))
		n--;
	return n;
}

/* Takes one word of a list as it is kept. 0, -EINVAL or -ENOMEM. */
static int read_word_of_list(const struct reading *reading, const char *word, char **kept)
{
	char pci[CONFIG_PCI_BYTES];
	struct config_device device = {0};
	int rc;

	switch (reading->key->type) {
	case CONFIG_TYPE_PCI_LIST:
		if (!config_pci_parse(word, pci)) {
			snprintf(reading->error, reading->error_size,
				 "'%s' is no PCI address; write it as 0000:03:00.0", word);
			return -EINVAL;
		}
		*kept = strdup(pci);
		return *kept ? 0 : -ENOMEM;
	case CONFIG_TYPE_VDEV_LIST:
		rc = config_device_read(word, reading->folder, &device, reading->error, reading->error_size);
		if (!rc && device.kind != CONFIG_DEVICE_VDEV) {
			snprintf(reading->error, reading->error_size,
				 "'%s' is no virtual device; write it as net_ring0, or name it as a port's device",
				 word);
			rc = -EINVAL;
			free(device.text);
		}
		*kept = device.text;
		return rc;
	case CONFIG_TYPE_CLASSES:
		word += strspn(word, " \t");
		*kept = strndup(word, word_bytes(word));
		return *kept ? 0 : -ENOMEM;
	case CONFIG_TYPE_PROPERTIES:
		if (!strchr(word, '=') || *word == '=') {
			snprintf(reading->error, reading->error_size,
				 "holds what is no name=value; write each so, without blanks (what it is may be a "
				 "secret's end, and is not told)");
			return -EINVAL;
		}
		*kept = strdup(word);
		return *kept ? 0 : -ENOMEM;
	default:
		*kept = strdup(word);
		return *kept ? 0 : -ENOMEM;
	}
}

static int read_words(const struct reading *reading, const char *between, struct config_words *words)
{
	struct config_words made = {0};
	char *copy = strdup(reading->text), *rest = copy, *word;
	int rc = copy ? 0 : -ENOMEM;

	if (reading_word(reading) == 0)
		rest = NULL;
	while (!rc && rest && (word = strsep(&rest, between))) {
		if (!*word)
			continue;
		if (made.n == CONFIG_MAX_WORDS) {
			snprintf(reading->error, reading->error_size, "has more than %d words", CONFIG_MAX_WORDS);
			rc = -EINVAL;
			break;
		}
		rc = read_word_of_list(reading, word, &made.words[made.n]);
		made.n += rc == 0;
	}
	if (!rc && reading->key->type == CONFIG_TYPE_PORTS && made.n != 2)
		rc = -EINVAL;
	free(copy);
	if (rc) {
		words_free(&made);
		return rc;
	}
	words_free(words);
	*words = made;
	return 0;
}

/* Reads "4" or "4-6". */
static int read_core_range(const struct reading *reading, char *word, uint64_t *first, uint64_t *last)
{
	char *dash = strchr(word, '-');

	if (dash)
		*dash = '\0';
	if (read_u64(word, (uint64_t)reading->key->low, (uint64_t)reading->key->high, first))
		return -EINVAL;
	*last = *first;
	return dash ? read_u64(dash + 1, *first, (uint64_t)reading->key->high, last) ? -EINVAL : 0 : 0;
}

static int add_cores(const struct reading *reading, struct config_cores *cores, uint64_t first, uint64_t last)
{
	for (uint64_t core = first; core <= last; core++) {
		for (uint32_t i = 0; i < cores->n; i++)
			if (cores->ids[i] == core) {
				snprintf(reading->error, reading->error_size,
					 "'%s' has core %u twice; a core takes one worker", reading->text,
					 (unsigned int)core);
				return -EINVAL;
			}
		if (cores->n == CONFIG_MAX_CORES) {
			snprintf(reading->error, reading->error_size,
				 "'%s' has more than the %d cores that DPDK takes", reading->text,
				 CONFIG_MAX_CORES);
			return -EINVAL;
		}
		cores->ids[cores->n++] = (uint16_t)core;
	}
	return 0;
}

static int read_cores(const struct reading *reading, struct config_cores *cores)
{
	struct config_cores made = {0};
	char *copy = strdup(reading->text), *rest = copy, *word;
	int rc = copy ? 0 : -ENOMEM;

	if (reading_word(reading) == 0)
		rest = NULL;
	while (!rc && rest && (word = strsep(&rest, ", \t"))) {
		uint64_t first, last;

		if (!*word)
			continue;
		rc = read_core_range(reading, word, &first, &last);
		if (!rc)
			rc = add_cores(reading, &made, first, last);
	}
	if (!rc && !made.n && reading_word(reading) < 0)
		rc = -EINVAL;
	free(copy);
	if (!rc)
		*cores = made;
	return rc;
}

static int read_core(const struct reading *reading, int32_t *core)
{
	uint64_t value;

	if (reading_word(reading) == 0) {
		*core = -1;
		return 0;
	}
	if (read_u64(reading->text, (uint64_t)reading->key->low, (uint64_t)reading->key->high, &value))
		return -EINVAL;
	*core = (int32_t)value;
	return 0;
}

/* The struct config_flow that a field of it is in. */
static struct config_flow *flow_of(const struct reading *reading, void *field)
{
	return (struct config_flow *)(void *)((char *)field - reading->key->offset);
}

static int read_seed(const struct reading *reading, struct config_flow *flow)
{
	uint64_t seed = 0;
	bool is_drawn = reading_word(reading) == 0;

	if (!is_drawn && read_u64(reading->text, 0, UINT64_MAX, &seed))
		return -EINVAL;
	flow->seed = seed;
	flow->has_seed = !is_drawn;
	return 0;
}

static int read_checkpoints(const struct reading *reading, struct config_flow *flow)
{
	bool is_model = reading_word(reading) == 0, has_ends = false;
	uint64_t checkpoints = 0;
	char bad[16];
	int rc = is_model ? 0 : flow_options_read_checkpoints(reading->text, &checkpoints, &has_ends, bad);

	if (rc)
		return rc;
	flow->checkpoints = checkpoints;
	flow->has_ends = has_ends;
	flow->has_checkpoints = !is_model;
	return 0;
}

/* Splits text at blanks into up to 3 words; returns how many there are, 4 for more. */
static uint32_t split_words(char *text, char *words[3])
{
	uint32_t n = 0;
	char *word;

	while ((word = strsep(&text, " \t"))) {
		if (!*word)
			continue;
		if (n == 3)
			return 4;
		words[n++] = word;
	}
	return n;
}

static int read_action_words(char *words[3], uint32_t n, struct config_action *action)
{
	uint64_t value = 0;
	bool is_dscp;

	if (n == 1 && (!strcmp(words[0], "forward") || !strcmp(words[0], "drop"))) {
		action->kind = *words[0] == 'd' ? CONFIG_ACTION_DROP : CONFIG_ACTION_FORWARD;
		return 0;
	}
	if (n == 2 && !strcmp(words[0], "mirror")) {
		action->kind = CONFIG_ACTION_MIRROR;
		action->port_name = strdup(words[1]);
		return action->port_name ? 0 : -ENOMEM;
	}
	if (n != 3 || strcmp(words[0], "mark"))
		return -EINVAL;
	is_dscp = !strcasecmp(words[1], "dscp");
	if ((!is_dscp && strcasecmp(words[1], "vlan-pcp")) || read_u64(words[2], 0, is_dscp ? 63 : 7, &value))
		return -EINVAL;
	action->kind = is_dscp ? CONFIG_ACTION_MARK_DSCP : CONFIG_ACTION_MARK_PCP;
	action->value = (uint32_t)value;
	return 0;
}

static int read_action(const struct reading *reading, struct config_action *action)
{
	struct config_action made = {.port = CONFIG_NO_PORT};
	char *copy = strdup(reading->text), *words[3];
	int rc = copy ? read_action_words(words, split_words(copy, words), &made) : -ENOMEM;

	free(copy);
	if (rc)
		return rc;
	free(action->port_name);
	*action = made;
	return 0;
}

static int read_by_type(const struct reading *reading, void *field)
{
	switch (reading->key->type) {
	case CONFIG_TYPE_COUNT:
		return read_count(reading, field);
	case CONFIG_TYPE_NUMBER:
		return read_number(reading, field);
	case CONFIG_TYPE_SECONDS:
		return read_seconds(reading, field);
	case CONFIG_TYPE_SCORE:
		return read_score(reading, field);
	case CONFIG_TYPE_FLAG:
		return read_flag(reading, field);
	case CONFIG_TYPE_CHOICE:
		return read_choice(reading, field);
	case CONFIG_TYPE_NAME:
	case CONFIG_TYPE_KERNEL:
		return read_name(reading, field);
	case CONFIG_TYPE_OUTPUT:
		return read_output(reading, field);
	case CONFIG_TYPE_FILE:
		return read_file(reading, field);
	case CONFIG_TYPE_TEXT:
		return read_text(reading, field);
	case CONFIG_TYPE_CLASSES:
		return read_words(reading, ",", field);
	case CONFIG_TYPE_PROPERTIES:
		return read_words(reading, " \t", field);
	case CONFIG_TYPE_PACKET_MODEL:
	case CONFIG_TYPE_FLOW_MODEL:
		return read_model(reading, field);
	case CONFIG_TYPE_DEVICE:
		return read_device(reading, field);
	case CONFIG_TYPE_PCI_LIST:
		return read_words(reading, ", \t", field);
	case CONFIG_TYPE_VDEV_LIST:
		return read_words(reading, " \t", field);
	case CONFIG_TYPE_PORTS:
		return read_words(reading, ", \t", field);
	case CONFIG_TYPE_CORES:
		return read_cores(reading, field);
	case CONFIG_TYPE_CORE:
		return read_core(reading, field);
	case CONFIG_TYPE_SEED:
		return read_seed(reading, flow_of(reading, field));
	case CONFIG_TYPE_CHECKPOINTS:
		return read_checkpoints(reading, flow_of(reading, field));
	case CONFIG_TYPE_ACTION:
		return read_action(reading, field);
	}
	return -EINVAL;
}

int config_value_read(const struct config_key *key, const char *text, const char *folder, void *field, char *error,
		      size_t error_size)
{
	const struct reading reading = {key, text, folder, error, error_size};
	char values[256];
	int rc;

	error[0] = '\0';
	rc = read_by_type(&reading, field);
	if (rc == -EINVAL && !error[0])
		snprintf(error, error_size, "'%s' is wrong; it must be %s", text,
			 config_key_values(key, values, sizeof(values)));
	return rc;
}

static bool text_is_equal(const char *left, const char *right)
{
	return left && right ? !strcmp(left, right) : left == right;
}

static bool words_are_equal(const struct config_words *left, const struct config_words *right)
{
	for (uint32_t i = 0; left->n == right->n && i < left->n; i++)
		if (strcmp(left->words[i], right->words[i]))
			return false;
	return left->n == right->n;
}

static bool cores_are_equal(const struct config_cores *left, const struct config_cores *right)
{
	return left->n == right->n && !memcmp(left->ids, right->ids, left->n * sizeof(left->ids[0]));
}

/* NaN stands for a word. */
static bool score_is_equal(double left, double right)
{
	return isnan(left) || isnan(right) ? isnan(left) && isnan(right) : left == right;
}

static bool device_is_equal(const struct config_device *left, const struct config_device *right)
{
	return left->kind == right->kind && text_is_equal(left->text, right->text);
}

static bool action_is_equal(const struct config_action *left, const struct config_action *right)
{
	return left->kind == right->kind && left->value == right->value &&
	       text_is_equal(left->port_name, right->port_name);
}

static bool seed_is_equal(const struct config_flow *left, const struct config_flow *right)
{
	return left->has_seed == right->has_seed && (!left->has_seed || left->seed == right->seed);
}

static bool checkpoints_are_equal(const struct config_flow *left, const struct config_flow *right)
{
	return left->has_checkpoints == right->has_checkpoints &&
	       (!left->has_checkpoints ||
		(left->checkpoints == right->checkpoints && left->has_ends == right->has_ends));
}

/* The struct config_flow that a field of it is in, which is only looked at. */
static const struct config_flow *const_flow_of(const struct config_key *key, const void *field)
{
	return (const struct config_flow *)(const void *)((const char *)field - key->offset);
}

bool config_value_is_equal(const struct config_key *key, const void *left, const void *right)
{
	switch (key->type) {
	case CONFIG_TYPE_COUNT:
		return *(const uint32_t *)left == *(const uint32_t *)right;
	case CONFIG_TYPE_NUMBER:
	case CONFIG_TYPE_SECONDS:
		return *(const uint64_t *)left == *(const uint64_t *)right;
	case CONFIG_TYPE_SCORE:
		return score_is_equal(*(const double *)left, *(const double *)right);
	case CONFIG_TYPE_FLAG:
		return *(const bool *)left == *(const bool *)right;
	case CONFIG_TYPE_CHOICE:
		return !memcmp(left, right, sizeof(int));
	case CONFIG_TYPE_NAME:
	case CONFIG_TYPE_KERNEL:
	case CONFIG_TYPE_OUTPUT:
	case CONFIG_TYPE_FILE:
	case CONFIG_TYPE_TEXT:
		return text_is_equal(*(char *const *)left, *(char *const *)right);
	case CONFIG_TYPE_PACKET_MODEL:
	case CONFIG_TYPE_FLOW_MODEL:
		return text_is_equal(((const struct config_model *)left)->path,
				     ((const struct config_model *)right)->path);
	case CONFIG_TYPE_DEVICE:
		return device_is_equal(left, right);
	case CONFIG_TYPE_PCI_LIST:
	case CONFIG_TYPE_VDEV_LIST:
	case CONFIG_TYPE_PORTS:
	case CONFIG_TYPE_CLASSES:
	case CONFIG_TYPE_PROPERTIES:
		return words_are_equal(left, right);
	case CONFIG_TYPE_CORES:
		return cores_are_equal(left, right);
	case CONFIG_TYPE_CORE:
		return *(const int32_t *)left == *(const int32_t *)right;
	case CONFIG_TYPE_SEED:
		return seed_is_equal(const_flow_of(key, left), const_flow_of(key, right));
	case CONFIG_TYPE_CHECKPOINTS:
		return checkpoints_are_equal(const_flow_of(key, left), const_flow_of(key, right));
	case CONFIG_TYPE_ACTION:
		return action_is_equal(left, right);
	}
	return false;
}

void config_value_free(const struct config_key *key, void *field)
{
	switch (key->type) {
	case CONFIG_TYPE_NAME:
	case CONFIG_TYPE_KERNEL:
	case CONFIG_TYPE_OUTPUT:
	case CONFIG_TYPE_FILE:
	case CONFIG_TYPE_TEXT:
		free(*(char **)field);
		break;
	case CONFIG_TYPE_PACKET_MODEL:
	case CONFIG_TYPE_FLOW_MODEL:
		free(((struct config_model *)field)->path);
		break;
	case CONFIG_TYPE_DEVICE:
		free(((struct config_device *)field)->text);
		break;
	case CONFIG_TYPE_PCI_LIST:
	case CONFIG_TYPE_VDEV_LIST:
	case CONFIG_TYPE_PORTS:
	case CONFIG_TYPE_CLASSES:
	case CONFIG_TYPE_PROPERTIES:
		words_free(field);
		break;
	case CONFIG_TYPE_ACTION:
		free(((struct config_action *)field)->port_name);
		break;
	default:
		break;
	}
}
