/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The model as a struct, and what its file says about it in metadata_props:
 *   wirescore.entries      how many wirescore.* entries were written; fewer in the file means it was cut
 *   wirescore.task         packet | flow
 *   wirescore.features     names of the inputs in order, separated by commas (names may hold spaces)
 *   wirescore.classes      names of the classes, the same way; for one output the negative class first
 *   wirescore.threshold    score from which the last class is chosen, 0 to 1
 *   wirescore.schema       hash of the features' definitions
 *   wirescore.checkpoints  ascending packet counts, separated by commas; the last may be `end`
 *   wirescore.train.NAME   a fact about the training
 * Called by trainers and by onnx_read.c and onnx_write.c. Texts come from untrusted files and end up on
 * terminals and in JSON, so they must be printable UTF-8.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "onnx.h"

#define MODEL_MAX_NAME_BYTES  128
#define MODEL_MAX_TEXT_BYTES  4096
#define MODEL_MAX_CHECKPOINTS 64
#define MODEL_MAX_FACTS	      256

#define KEY_PREFIX	"wirescore."
#define KEY_ENTRIES	"wirescore.entries"
#define KEY_TASK	"wirescore.task"
#define KEY_FEATURES	"wirescore.features"
#define KEY_CLASSES	"wirescore.classes"
#define KEY_THRESHOLD	"wirescore.threshold"
#define KEY_SCHEMA	"wirescore.schema"
#define KEY_CHECKPOINTS "wirescore.checkpoints"
#define KEY_TRAIN	"wirescore.train."

static const char *const task_names[] = {
	[MODEL_TASK_UNKNOWN] = "unknown",
	[MODEL_TASK_PACKET] = "packet",
	[MODEL_TASK_FLOW] = "flow",
};

/* ---- Texts ---- */

const char *onnx_printable(const char *name, char text[ONNX_NAME_SIZE])
{
	size_t i = 0;
	for (; name[i] != '\0' && i < ONNX_NAME_SIZE - 4; i++)
		text[i] = name[i] >= ' ' && name[i] <= '~' ? name[i] : '?';
	strcpy(text + i, name[i] != '\0' ? "..." : "");
	return text;
}

int onnx_fail(char *error, size_t error_size, int code, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	vsnprintf(error, error_size, format, args);
	va_end(args);
	return code;
}

/* The length of the UTF-8 character at text if it is a whole one and no control character, else 0. */
static size_t printable_char(const unsigned char *text)
{
	static const struct {
		unsigned char mask, lead;
		uint32_t lowest;
	} forms[] = {{0x80, 0x00, 0x20}, {0xe0, 0xc0, 0xa0}, {0xf0, 0xe0, 0x800}, {0xf8, 0xf0, 0x10000}};

	/* Of no width, turning the direction of text, ending lines; surrogates. */
	static const struct {
		uint32_t first, last;
	} unseen[] = {{0x200b, 0x200f}, {0x2028, 0x202e}, {0x2060, 0x2069}, {0xd800, 0xdfff}, {0xfeff, 0xfeff}};

	for (size_t n = 1; n <= 4; n++) {
		if ((text[0] & forms[n - 1].mask) != forms[n - 1].lead)
			continue;
		uint32_t code = text[0] & (unsigned char)~forms[n - 1].mask;
		for (size_t i = 1; i < n; i++) {
			if ((text[i] & 0xc0) != 0x80)
				return 0;
			code = code << 6 | (text[i] & 0x3f);
		}
		/* From U+A0 on, two bytes hold no control characters; 0x7f and those below are the others. */
		if (code < forms[n - 1].lowest || code == 0x7f || code > 0x10ffff)
			return 0;
		for (size_t i = 0; i < sizeof(unseen) / sizeof(unseen[0]); i++) {
			if (code >= unseen[i].first && code <= unseen[i].last)
				return 0;
		}
		return n;
	}
	return 0;
}

static bool is_text(const char *text, size_t max_bytes)
{
	const unsigned char *at = (const unsigned char *)text;
	if (text[0] == '\0' || strlen(text) > max_bytes)
		return false;
	while (*at != '\0') {
		size_t n = printable_char(at);
		if (n == 0)
			return false;
		at += n;
	}
	return true;
}

/* A text that survives in a list: no commas, no spaces at its ends. */
static bool is_name(const char *name)
{
	return is_text(name, MODEL_MAX_NAME_BYTES) && strchr(name, ',') == NULL && name[0] != ' ' &&
	       name[strlen(name) - 1] != ' ';
}

/* ---- The struct ---- */

struct model *model_new(void)
{
	struct model *model = calloc(1, sizeof(*model));
	if (model != NULL)
		model->threshold = 0.5f;
	return model;
}

static void free_names(char **names, uint32_t n)
{
	for (uint32_t i = 0; names != NULL && i < n; i++)
		free(names[i]);
	free(names);
}

void model_free(struct model *model)
{
	if (model == NULL)
		return;
	nn_network_free(&model->network);
	free_names(model->features, model->n_features);
	free_names(model->classes, model->n_classes);
	free(model->schema);
	free(model->checkpoints);
	for (uint32_t i = 0; i < model->n_facts; i++) {
		free(model->facts[i].name);
		free(model->facts[i].value);
	}
	free(model->facts);
	free(model->producer);
	free(model);
}

/* Replaces a list of names by a copy of another. */
static int set_names(char ***names, uint32_t *n_names, const char *const *from, uint32_t n)
{
	char **copy = calloc((size_t)n + 1, sizeof(*copy));
	if (copy == NULL)
		return -ENOMEM;
	for (uint32_t i = 0; i < n; i++) {
		copy[i] = strdup(from[i]);
		if (copy[i] == NULL) {
			free_names(copy, i);
			return -ENOMEM;
		}
	}
	free_names(*names, *n_names);
	*names = copy;
	*n_names = n;
	return 0;
}

int model_set_features(struct model *model, const char *const *names, uint32_t n)
{
	return set_names(&model->features, &model->n_features, names, n);
}

int model_set_classes(struct model *model, const char *const *names, uint32_t n)
{
	return set_names(&model->classes, &model->n_classes, names, n);
}

int model_set_schema(struct model *model, const char *schema)
{
	char *copy = strdup(schema);
	if (copy == NULL)
		return -ENOMEM;
	free(model->schema);
	model->schema = copy;
	return 0;
}

int model_add_fact(struct model *model, const char *name, const char *value)
{
	struct model_fact *facts = realloc(model->facts, (model->n_facts + (size_t)1) * sizeof(*facts));
	if (facts == NULL)
		return -ENOMEM;
	model->facts = facts;
	struct model_fact fact = {.name = strdup(name), .value = strdup(value)};
	if (fact.name == NULL || fact.value == NULL) {
		free(fact.name);
		free(fact.value);
		return -ENOMEM;
	}
	facts[model->n_facts++] = fact;
	return 0;
}

void model_remove_facts(struct model *model, const char *name)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < model->n_facts; i++) {
		struct model_fact *fact = &model->facts[i];
		if (strncmp(fact->name, name, strlen(name)) != 0) {
			model->facts[n++] = *fact;
			continue;
		}
		free(fact->name);
		free(fact->value);
	}
	model->n_facts = n;
}

const char *model_task_name(enum model_task task)
{
	return (size_t)task < sizeof(task_names) / sizeof(task_names[0]) ? task_names[task] : "unknown";
}

/* ---- Checks ---- */

static int check_names(const char *what, char *const *names, uint32_t n, char *error, size_t error_size)
{
	char shown[ONNX_NAME_SIZE];
	for (uint32_t i = 0; i < n; i++) {
		onnx_printable(names[i], shown);
		if (!is_name(names[i]))
			return onnx_fail(error, error_size, -EINVAL,
					 "%s: name %u ('%s') is empty, longer than %d bytes, or holds a comma or "
					 "unprintable characters",
					 what, i + 1, shown, MODEL_MAX_NAME_BYTES);
		for (uint32_t j = 0; j < i; j++) {
			if (strcmp(names[i], names[j]) == 0)
				return onnx_fail(error, error_size, -EINVAL, "%s: '%s' is there twice", what,
						 shown);
		}
	}
	return 0;
}

int model_check_metadata(const struct model *model, char *error, size_t error_size)
{
	char shown[ONNX_NAME_SIZE];
	uint32_t n_out = model->network.layers[model->network.n_layers - 1].n_out;
	enum nn_activation output = model->network.layers[model->network.n_layers - 1].activation;
	uint32_t n_classes = n_out == 1 ? 2 : n_out;

	if ((unsigned)model->task > MODEL_TASK_FLOW)
		return onnx_fail(error, error_size, -EINVAL, "%s: unknown", KEY_TASK);
	/* A threshold of 0 to 1 says nothing about logits. */
	if (model->task != MODEL_TASK_UNKNOWN && output != NN_SIGMOID && output != NN_SOFTMAX)
		return onnx_fail(error, error_size, -EINVAL,
				 "%s: %s models must end in Sigmoid or Softmax, this one ends in %s", KEY_TASK,
				 model_task_name(model->task), nn_activation_name(output));
	if (model->n_features != 0 && model->n_features != model->network.n_in)
		return onnx_fail(error, error_size, -EINVAL, "%s: %u names, but the network has %u inputs",
				 KEY_FEATURES, model->n_features, model->network.n_in);
	if (model->n_classes != 0 && model->n_classes != n_classes)
		return onnx_fail(error, error_size, -EINVAL, "%s: %u names, but %u output%s make %u classes",
				 KEY_CLASSES, model->n_classes, n_out, n_out == 1 ? "" : "s", n_classes);
	int rc = check_names(KEY_FEATURES, model->features, model->n_features, error, error_size);
	if (rc == 0)
		rc = check_names(KEY_CLASSES, model->classes, model->n_classes, error, error_size);
	if (rc != 0)
		return rc;
	if (!(model->threshold >= 0 && model->threshold <= 1))
		return onnx_fail(error, error_size, -EINVAL, "%s: %g is not within 0 and 1", KEY_THRESHOLD,
				 (double)model->threshold);
	if (model->schema != NULL && !is_text(model->schema, MODEL_MAX_NAME_BYTES))
		return onnx_fail(error, error_size, -EINVAL, "%s: '%s' is no hash", KEY_SCHEMA,
				 onnx_printable(model->schema, shown));
	if (model->n_checkpoints > MODEL_MAX_CHECKPOINTS)
		return onnx_fail(error, error_size, -EINVAL, "%s: more than %d", KEY_CHECKPOINTS,
				 MODEL_MAX_CHECKPOINTS);
	for (uint32_t i = 0; i < model->n_checkpoints; i++) {
		/* 0 is `end`, which comes after every count. */
		bool end = model->checkpoints[i] == 0;
		if ((end && i + 1 != model->n_checkpoints) ||
		    (!end && i > 0 && model->checkpoints[i] <= model->checkpoints[i - 1]))
			return onnx_fail(error, error_size, -EINVAL, "%s: not in ascending order", KEY_CHECKPOINTS);
	}
	if (model->n_facts > MODEL_MAX_FACTS)
		return onnx_fail(error, error_size, -EINVAL, "%s*: more than %d", KEY_TRAIN, MODEL_MAX_FACTS);
	for (uint32_t i = 0; i < model->n_facts; i++) {
		const struct model_fact *fact = &model->facts[i];
		onnx_printable(fact->name, shown);
		if (!is_text(fact->name, MODEL_MAX_NAME_BYTES) || !is_text(fact->value, MODEL_MAX_TEXT_BYTES))
			return onnx_fail(error, error_size, -EINVAL,
					 "%s%s: empty, longer than %d bytes, or holds unprintable characters",
					 KEY_TRAIN, shown, MODEL_MAX_TEXT_BYTES);
		for (uint32_t j = 0; j < i; j++) {
			if (strcmp(fact->name, model->facts[j].name) == 0)
				return onnx_fail(error, error_size, -EINVAL, "%s%s: there twice", KEY_TRAIN, shown);
		}
	}
	return 0;
}

/* ---- From a file ---- */

/* Splits text at commas, without the spaces around them; the parts point into text. -1 when there are more. */
static int split(char *text, const char **parts, uint32_t max_parts, uint32_t *n_parts)
{
	*n_parts = 0;
	for (;;) {
		char *comma = strchr(text, ',');
		if (*n_parts == max_parts)
			return -1;
		if (comma != NULL)
			*comma = '\0';
		while (*text == ' ')
			text++;
		for (size_t n = strlen(text); n > 0 && text[n - 1] == ' '; n--)
			text[n - 1] = '\0';
		parts[(*n_parts)++] = text;
		if (comma == NULL)
			return 0;
		text = comma + 1;
	}
}

/* A whole number of 1..UINT32_MAX, nothing around it. */
static int read_count(const char *text, uint32_t *count)
{
	uint64_t value = 0;
	const char *at = text;
	for (; *at >= '0' && *at <= '9' && value <= UINT32_MAX; at++)
		value = value * 10 + (uint64_t)(*at - '0');
	if (at == text || *at != '\0' || value == 0 || value > UINT32_MAX)
		return -1;
	*count = (uint32_t)value;
	return 0;
}

static int read_checkpoints(struct model *model, const char *const *parts, uint32_t n)
{
	free(model->checkpoints);
	model->n_checkpoints = 0;
	model->checkpoints = calloc(n, sizeof(*model->checkpoints));
	if (model->checkpoints == NULL)
		return -ENOMEM;
	for (uint32_t i = 0; i < n; i++) {
		uint32_t count = 0;
		if (strcmp(parts[i], "end") != 0 && read_count(parts[i], &count) != 0)
			return -EINVAL;
		model->checkpoints[model->n_checkpoints++] = count;
	}
	return 0;
}

/* Takes one entry. 0, -ENOMEM, or -EINVAL when its value cannot be understood; text is its value, writable. */
static int read_entry(struct model *model, const char *key, char *text, uint32_t *n_entries)
{
	const char *parts[NN_MAX_WIDTH];
	uint32_t n;

	if (strcmp(key, KEY_ENTRIES) == 0)
		return read_count(text, n_entries) == 0 ? 0 : -EINVAL;
	if (strcmp(key, KEY_TASK) == 0) {
		model->task = strcmp(text, "packet") == 0 ? MODEL_TASK_PACKET
			      : strcmp(text, "flow") == 0 ? MODEL_TASK_FLOW
							  : MODEL_TASK_UNKNOWN;
		return model->task == MODEL_TASK_UNKNOWN ? -EINVAL : 0;
	}
	if (strcmp(key, KEY_THRESHOLD) == 0) {
		char *end;
		/* No spaces, no hexadecimal, no names of infinities. */
		if (text[0] == '\0' || text[strspn(text, "0123456789.eE+-")] != '\0')
			return -EINVAL;
		model->threshold = strtof(text, &end);
		return *end == '\0' ? 0 : -EINVAL;
	}
	if (strcmp(key, KEY_SCHEMA) == 0)
		return model_set_schema(model, text);
	if (strncmp(key, KEY_TRAIN, strlen(KEY_TRAIN)) == 0)
		return model->n_facts <= MODEL_MAX_FACTS ? model_add_fact(model, key + strlen(KEY_TRAIN), text)
							 : -EINVAL;
	if (strcmp(key, KEY_FEATURES) == 0)
		return split(text, parts, NN_MAX_WIDTH, &n) != 0 ? -EINVAL : model_set_features(model, parts, n);
	if (strcmp(key, KEY_CLASSES) == 0)
		return split(text, parts, NN_MAX_WIDTH, &n) != 0 ? -EINVAL : model_set_classes(model, parts, n);
	if (strcmp(key, KEY_CHECKPOINTS) == 0)
		return split(text, parts, MODEL_MAX_CHECKPOINTS, &n) != 0 ? -EINVAL
									  : read_checkpoints(model, parts, n);
	return 0; /* from a later version */
}

int model_read_metadata(struct model *model, const Onnx__ModelProto *message, char *error, size_t error_size)
{
	static const char *const keys[] = {KEY_ENTRIES,	  KEY_TASK,   KEY_FEATURES,   KEY_CLASSES,
					   KEY_THRESHOLD, KEY_SCHEMA, KEY_CHECKPOINTS};
	bool seen[sizeof(keys) / sizeof(keys[0])] = {false};
	uint32_t n_found = 0, n_written = 0;

	for (size_t i = 0; i < message->n_metadata_props; i++) {
		const char *key = message->metadata_props[i]->key, *value = message->metadata_props[i]->value;
		char shown_key[ONNX_NAME_SIZE], shown[ONNX_NAME_SIZE];
		if (key == NULL || strncmp(key, KEY_PREFIX, strlen(KEY_PREFIX)) != 0)
			continue;
		n_found++;
		onnx_printable(key, shown_key);
		for (size_t k = 0; k < sizeof(keys) / sizeof(keys[0]); k++) {
			if (strcmp(key, keys[k]) != 0)
				continue;
			if (seen[k])
				return onnx_fail(error, error_size, -EINVAL, "%s: there twice", shown_key);
			seen[k] = true;
		}
		char *text = strdup(value != NULL ? value : "");
		int rc = text != NULL ? read_entry(model, key, text, &n_written) : -ENOMEM;
		free(text);
		if (rc == -ENOMEM)
			return onnx_fail(error, error_size, rc, "out of memory");
		if (rc != 0)
			return onnx_fail(error, error_size, rc, "%s: '%s' cannot be understood", shown_key,
					 onnx_printable(value != NULL ? value : "", shown));
	}
	if (n_found < n_written)
		return onnx_fail(error, error_size, -EINVAL,
				 "%s: %u were written and %u are there: the file was cut", KEY_ENTRIES, n_written,
				 n_found);
	return 0;
}

/* ---- To a file ---- */

/* Names joined by commas, to be freed; NULL when memory is out. */
static char *join(char *const *names, uint32_t n)
{
	size_t size = 1;
	for (uint32_t i = 0; i < n; i++)
		size += strlen(names[i]) + 1;
	char *text = malloc(size), *at = text;
	if (text == NULL)
		return NULL;
	*at = '\0';
	for (uint32_t i = 0; i < n; i++) {
		if (i > 0)
			*at++ = ',';
		at = stpcpy(at, names[i]);
	}
	return text;
}

static char *join_checkpoints(const struct model *model)
{
	char *text = malloc(model->n_checkpoints * (size_t)11 + 4), *at = text;
	if (text == NULL)
		return NULL;
	for (uint32_t i = 0; i < model->n_checkpoints; i++) {
		const char *comma = i > 0 ? "," : "";
		at += model->checkpoints[i] == 0 ? sprintf(at, "%send", comma)
						 : sprintf(at, "%s%u", comma, model->checkpoints[i]);
	}
	return text;
}

/* Appends an entry and takes over value; a NULL value is memory that was out. */
static int add_entry(struct model_entry *entries, size_t *n, const char *key, const char *suffix, char *value)
{
	struct model_entry entry = {.value = value};
	if (asprintf(&entry.key, "%s%s", key, suffix) < 0)
		entry.key = NULL;
	entries[(*n)++] = entry;
	return entry.key != NULL && value != NULL ? 0 : -ENOMEM;
}

static char *format_number(const char *format, double value)
{
	char *text;
	return asprintf(&text, format, value) < 0 ? NULL : text;
}

int model_write_metadata(const struct model *model, struct model_entry **entries, size_t *n_entries)
{
	struct model_entry *list = calloc(model->n_facts + (size_t)7, sizeof(*list));
	size_t n = 0;
	int rc = 0;

	if (list == NULL)
		return -ENOMEM;
	uint32_t n_all = 2 + (model->task != MODEL_TASK_UNKNOWN) + (model->n_features > 0) +
			 (model->n_classes > 0) + (model->schema != NULL) + (model->n_checkpoints > 0) +
			 model->n_facts;
	rc |= add_entry(list, &n, KEY_ENTRIES, "", format_number("%.0f", n_all));
	if (model->task != MODEL_TASK_UNKNOWN)
		rc |= add_entry(list, &n, KEY_TASK, "", strdup(model_task_name(model->task)));
	if (model->n_features > 0)
		rc |= add_entry(list, &n, KEY_FEATURES, "", join(model->features, model->n_features));
	if (model->n_classes > 0)
		rc |= add_entry(list, &n, KEY_CLASSES, "", join(model->classes, model->n_classes));
	rc |= add_entry(list, &n, KEY_THRESHOLD, "", format_number("%.9g", (double)model->threshold));
	if (model->schema != NULL)
		rc |= add_entry(list, &n, KEY_SCHEMA, "", strdup(model->schema));
	if (model->n_checkpoints > 0)
		rc |= add_entry(list, &n, KEY_CHECKPOINTS, "", join_checkpoints(model));
	for (uint32_t i = 0; i < model->n_facts; i++)
		rc |= add_entry(list, &n, KEY_TRAIN, model->facts[i].name, strdup(model->facts[i].value));
	if (rc != 0) {
		model_free_entries(list, n);
		return -ENOMEM;
	}
	*entries = list;
	*n_entries = n;
	return 0;
}

void model_free_entries(struct model_entry *entries, size_t n_entries)
{
	for (size_t i = 0; i < n_entries; i++) {
		free(entries[i].key);
		free(entries[i].value);
	}
	free(entries);
}
