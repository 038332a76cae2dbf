/* SPDX-License-Identifier: BSD-3-Clause */
#include "config.h"

#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <rte_cfgfile.h>

#include "config_check.h"
#include "config_keys.h"
#include "config_lines.h"
#include "config_value.h"

/* Names of ports and pairs: they stand in --set and in pools' names. */
#define MAX_NAME 20

_Static_assert(offsetof(struct config_port, name) == 0 && offsetof(struct config_pair, name) == 0 &&
		       offsetof(struct config_class, name) == 0 && offsetof(struct config_records, name) == 0,
	       "sections of a name begin with it");

_Static_assert(CONFIG_MAX_PORTS <= RTE_MAX_ETHPORTS && CONFIG_MAX_CORES < RTE_MAX_LCORE, "DPDK has as many");

/* The struct of a section: the one, or one of many. */
static char *section_at(const struct config *config, const struct config_section *section, uint32_t index)
{
	return (char *)(uintptr_t)config + section->offset + index * section->size;
}

/* How many there are; NULL where there is always one. */
static uint32_t *section_count(const struct config *config, const struct config_section *section)
{
	return section->count == SIZE_MAX ? NULL : (uint32_t *)(void *)((char *)(uintptr_t)config + section->count);
}

static uint32_t section_n(const struct config *config, const struct config_section *section)
{
	const uint32_t *count = section_count(config, section);

	return count ? *count : 1;
}

static char **section_name(const struct config *config, const struct config_section *section, uint32_t index)
{
	return (char **)(void *)section_at(config, section, index);
}

/* Gives all keys of a section their defaults. 0 or -ENOMEM: no default is wrong. */
static int section_set_defaults(struct config *config, const struct config_section *section, uint32_t index)
{
	char error[256];
	int rc = 0;

	for (uint32_t i = 0; i < config_n_keys && !rc; i++) {
		const struct config_key *key = &config_keys[i];

		if (key->section == section && key->standard)
			rc = config_value_read(key, key->standard, config->folder,
					       section_at(config, section, index) + key->offset, error,
					       sizeof(error));
	}
	return rc;
}

struct config *config_create(void)
{
	struct config *config = calloc(1, sizeof(*config));
	int rc = config ? 0 : -ENOMEM;

	for (uint32_t i = 0; i < config_n_sections && !rc; i++)
		if (!section_count(config, &config_sections[i]))
			rc = section_set_defaults(config, &config_sections[i], 0);
	if (!rc)
		return config;
	config_free(config);
	return NULL;
}

void config_free(struct config *config)
{
	if (!config)
		return;
	for (uint32_t k = 0; k < config_n_keys; k++)
		for (uint32_t i = 0; i < section_n(config, config_keys[k].section); i++)
			config_value_free(&config_keys[k],
					  section_at(config, config_keys[k].section, i) + config_keys[k].offset);
	for (uint32_t s = 0; s < config_n_sections; s++)
		for (uint32_t i = 0; config_sections[s].naming && i < section_n(config, &config_sections[s]); i++)
			free(*section_name(config, &config_sections[s], i));
	free(config->places);
	free(config->path);
	free(config->folder);
	free(config);
}

static struct config_place *place_find(const struct config *config, const void *of, uint32_t index)
{
	for (uint32_t i = 0; i < config->n_places; i++)
		if (config->places[i].of == of && config->places[i].index == index)
			return &config->places[i];
	return NULL;
}

static int place_add(struct config *config, const struct config_place *place)
{
	struct config_place *places = realloc(config->places, (config->n_places + 1) * sizeof(*places));

	if (!places)
		return -ENOMEM;
	config->places = places;
	places[config->n_places++] = *place;
	return 0;
}

/* The heading of a section, without brackets, into text. Returns text. */
static char *section_heading(const struct config *config, const struct config_section *section, uint32_t index,
			     char *text, size_t size)
{
	snprintf(text, size, "%s%s%s", section->name, section->naming ? " " : "",
		 section->naming ? *section_name(config, section, index) : "");
	return text;
}

/* The key, and the section's number among those of its kind, that a field is of; NULL where it is of none. */
static const struct config_key *key_of_field(const struct config *config, const void *field, uint32_t *index)
{
	for (uint32_t k = 0; k < config_n_keys; k++)
		for (*index = 0; *index < section_n(config, config_keys[k].section); ++*index)
			if (section_at(config, config_keys[k].section, *index) + config_keys[k].offset ==
			    (const char *)field)
				return &config_keys[k];
	return NULL;
}

/* The section that a pointer is to; NULL where it is to none. */
static const struct config_section *section_of(const struct config *config, const void *pointer, uint32_t *index)
{
	for (uint32_t s = 0; s < config_n_sections; s++)
		for (*index = 0; *index < section_n(config, &config_sections[s]); ++*index)
			if (section_at(config, &config_sections[s], *index) == (const char *)pointer)
				return &config_sections[s];
	return NULL;
}

void config_tell(const struct config *config, struct config_problems *problems, const void *field,
		 const char *format, ...)
{
	uint32_t index = 0;
	const struct config_key *key = field ? key_of_field(config, field, &index) : NULL;
	const struct config_section *section = key     ? key->section
					       : field ? section_of(config, field, &index)
						       : NULL;
	const struct config_place *place = key ? place_find(config, key, index) : NULL;
	char heading[128], text[1024];
	struct config_where where = {.key = key ? key->name : NULL};
	va_list values;

	if (!place && section)
		place = place_find(config, section, index);
	if (section)
		where.section = section_heading(config, section, index, heading, sizeof(heading));
	if (place) {
		where.line = place->line;
		where.is_override = place->is_override;
	}
	va_start(values, format);
	vsnprintf(text, sizeof(text), format, values);
	va_end(values);
	config_problems_add(problems, &where, "%s", text);
}

bool config_is_set(const struct config *config, const void *field)
{
	uint32_t index;
	const struct config_key *key = key_of_field(config, field, &index);

	return key && place_find(config, key, index);
}

void config_tell_missing(const struct config *config, struct config_problems *problems)
{
	char values[256];

	for (uint32_t k = 0; k < config_n_keys; k++) {
		const struct config_key *key = &config_keys[k];

		for (uint32_t i = 0; !key->standard && i < section_n(config, key->section); i++)
			if (!place_find(config, key, i))
				config_tell(config, problems, section_at(config, key->section, i) + key->offset,
					    "is not set; write %s = %s", key->name,
					    config_key_values(key, values, sizeof(values)));
	}
}

/* Settings as they come, one after the other. */
struct taking {
	struct config *config;
	struct config_problems *problems;
	const struct config_section *section; /* NULL: what comes belongs to nothing */
	uint32_t index;
	bool is_override;
};

/* Tells of a heading that is of no section. */
static void tell_unknown_section(struct taking *taking, const char *heading, uint32_t line)
{
	const struct config_where where = {heading, NULL, line, taking->is_override};
	char kind[64];
	const char *own = strchr(heading, ' '), *near;

	snprintf(kind, sizeof(kind), "%.*s", (int)strcspn(heading, " "), heading);
	near = config_section_near(kind);
	if (near && !strcmp(near, kind) && own)
		config_problems_add(taking->problems, &where, "takes no name; write [%s]", kind);
	else if (near && !strcmp(near, kind))
		config_problems_add(taking->problems, &where, "needs a name; write [%s NAME]", kind);
	else if (near)
		config_problems_add(taking->problems, &where, "is no section; do you mean [%s%s]?", near,
				    own ? own : "");
	else
		config_problems_add(taking->problems, &where, "is no section; 'wirescore check --keys' lists them");
}

/* Whether a section may have that name of its own; tells where it may not. */
static bool name_is_fine(struct taking *taking, const char *heading, const char *own, uint32_t line)
{
	const struct config_where where = {heading, NULL, line, taking->is_override};
	size_t n = 0;

	/* Classes are named by models. */
	if (!strcmp(taking->section->naming, "CLASS"))
		return true;
	while (isalnum((unsigned char)own[n]) || own[n] == '-' || own[n] == '_')
		n++;
	if (n > 0 && n <= MAX_NAME && !own[n])
		return true;
	config_problems_add(taking->problems, &where, "'%s' is no name; use up to %d letters, digits, - and _", own,
			    MAX_NAME);
	return false;
}

/* Finds the section of that name or makes it. 0 or -ENOMEM; taking->section is NULL where there is no room. */
static int take_named_section(struct taking *taking, const char *heading, const char *own, uint32_t line)
{
	const struct config_section *section = taking->section;
	uint32_t *count = section_count(taking->config, section);
	const struct config_where where = {heading, NULL, line, taking->is_override};

	for (taking->index = 0; taking->index < *count; taking->index++)
		if (!strcmp(*section_name(taking->config, section, taking->index), own))
			return 0;
	if (!name_is_fine(taking, heading, own, line)) {
		taking->section = NULL;
		return 0;
	}
	if (*count == section->maximum) {
		config_problems_add(taking->problems, &where, "is one too many; there may be %u", section->maximum);
		taking->section = NULL;
		return 0;
	}
	*section_name(taking->config, section, taking->index) = strdup(own);
	if (!*section_name(taking->config, section, taking->index))
		return -ENOMEM;
	++*count;
	return section_set_defaults(taking->config, section, taking->index);
}

/* A heading: what follows belongs to it. 0 or -ENOMEM. */
static int take_heading(struct taking *taking, const char *heading, uint32_t line)
{
	const struct config_where where = {heading, NULL, line, taking->is_override};
	struct config_place *place;
	const char *own;
	int rc = 0;

	taking->section = config_section_find(heading, &own);
	taking->index = 0;
	if (!taking->section) {
		tell_unknown_section(taking, heading, line);
		return 0;
	}
	if (own)
		rc = take_named_section(taking, heading, own, line);
	if (rc || !taking->section)
		return rc;
	place = place_find(taking->config, taking->section, taking->index);
	if (!place)
		return place_add(taking->config,
				 &(struct config_place){taking->section, taking->index, line, taking->is_override});
	if (!taking->is_override)
		config_problems_add(taking->problems, &where, "is there twice, first in line %u; make them one",
				    place->line);
	return 0;
}

static void tell_unknown_key(struct taking *taking, const struct config_where *where)
{
	const char *near = config_key_near(taking->section, where->key);

	if (near)
		config_problems_add(taking->problems, where, "is no key of [%s]; do you mean %s?",
				    taking->section->name, near);
	else
		config_problems_add(taking->problems, where,
				    "is no key of [%s]; 'wirescore check --keys' lists them",
				    taking->section->name);
}

/* Remembers where a key was set. 0 or -ENOMEM; *is_twice: the file has it before. */
static int take_place(struct taking *taking, const struct config_key *key, const struct config_where *where,
		      bool *is_twice)
{
	struct config_place *place = place_find(taking->config, key, taking->index);

	*is_twice = place && !taking->is_override;
	if (!place)
		return place_add(taking->config,
				 &(struct config_place){key, taking->index, where->line, taking->is_override});
	if (*is_twice) {
		config_problems_add(taking->problems, where, "is there twice, first in line %u; keep one",
				    place->line);
	} else {
		place->line = 0;
		place->is_override = true;
	}
	return 0;
}

/* A setting of taking->section. 0 or -ENOMEM. */
static int take_setting(struct taking *taking, const char *name, const char *value, uint32_t line)
{
	char heading[128], error[512];
	struct config_where where = {NULL, name, line, taking->is_override};
	const struct config_key *key;
	bool is_twice;
	int rc;

	if (!taking->section)
		return 0;
	where.section = section_heading(taking->config, taking->section, taking->index, heading, sizeof(heading));
	key = config_key_find(taking->section, name);
	if (!key) {
		tell_unknown_key(taking, &where);
		return 0;
	}
	rc = take_place(taking, key, &where, &is_twice);
	if (rc || is_twice)
		return rc;
	/* A path on the command line is where the user stands. */
	rc = config_value_read(key, value, taking->is_override ? NULL : taking->config->folder,
			       section_at(taking->config, taking->section, taking->index) + key->offset, error,
			       sizeof(error));
	if (rc != -EINVAL)
		return rc;
	config_problems_add(taking->problems, &where, "%s", error);
	return 0;
}

static int take_line(void *context, const char *section, const char *key, const char *value, uint32_t line)
{
	return key ? take_setting(context, key, value, line) : take_heading(context, section, line);
}

int config_read(struct config *config, const char *path, struct config_problems *problems)
{
	struct taking taking = {.config = config, .problems = problems};
	const char *slash = strrchr(path, '/');

	config->path = strdup(path);
	if (slash == path)
		config->folder = strdup("/");
	else
		config->folder = slash ? strndup(path, (size_t)(slash - path)) : strdup(".");
	if (!config->path || !config->folder)
		return -ENOMEM;
	return config_lines_read(path, take_line, &taking, problems);
}

/* What is wrong with the form of an override; NULL: nothing. What a file may not have it may not have either. */
static const char *override_fault(const char *name, const char *value)
{
	const char *first = strchr(name, '.');

	if (!first || first == name || !strrchr(name, '.')[1])
		return "write SECTION.KEY=VALUE or SECTION.NAME.KEY=VALUE";
	if (!*value)
		return "has no value; write SECTION.KEY=VALUE";
	if (strlen(name) >= CFG_NAME_LEN || strlen(value) >= CFG_VALUE_LEN)
		return "is longer than 63 bytes, or its value than 255; shorten it";
	for (const char *at = value; *at; at++)
		if ((unsigned char)*at < ' ' || *at == 0x7f)
			return "the value has a control character; leave it out";
	return NULL;
}

int config_override(struct config *config, const char *name, const char *value, struct config_problems *problems)
{
	struct taking taking = {.config = config, .problems = problems, .is_override = true};
	const struct config_where where = {.key = name, .is_override = true};
	const char *first = strchr(name, '.'), *last = strrchr(name, '.'), *fault;
	char *heading;
	int rc;

	fault = override_fault(name, value);
	if (fault) {
		config_problems_add(problems, &where, "%s", fault);
		return 0;
	}
	heading = strndup(name, (size_t)(last - name));
	if (!heading)
		return -ENOMEM;
	if (last > first)
		heading[first - name] = ' ';
	rc = take_heading(&taking, heading, 0);
	if (!rc)
		rc = take_setting(&taking, last + 1, value, 0);
	free(heading);
	return rc;
}

/* The section of that name in another config, or the one where it has none. Its number, or -1. */
static int32_t section_find(const struct config *config, const struct config_section *section, const char *own)
{
	if (!own)
		return 0;
	for (uint32_t i = 0; i < section_n(config, section); i++)
		if (!strcmp(*section_name(config, section, i), own))
			return (int32_t)i;
	return -1;
}

static const char *section_own_name(const struct config *config, const struct config_section *section,
				    uint32_t index)
{
	return section->naming ? *section_name(config, section, index) : NULL;
}

/* Tells which keys of a section that both configs have differ. */
static void tell_changed_keys(const struct config *runs, uint32_t runs_index, const struct config *config,
			      uint32_t index, const struct config_section *section,
			      struct config_problems *problems)
{
	for (uint32_t k = 0; k < config_n_keys; k++) {
		const struct config_key *key = &config_keys[k];
		const char *field = section_at(config, section, index) + key->offset;

		if (key->section == section &&
		    !config_value_is_equal(key, section_at(runs, section, runs_index) + key->offset, field))
			config_tell(config, problems, field, "differs from what runs; restart to take it");
	}
}

static void tell_changed_sections(const struct config *runs, const struct config *config,
				  const struct config_section *section, struct config_problems *problems)
{
	char heading[128];

	for (uint32_t i = 0; i < section_n(config, section); i++) {
		int32_t twin = section_find(runs, section, section_own_name(config, section, i));

		if (twin >= 0)
			tell_changed_keys(runs, (uint32_t)twin, config, i, section, problems);
		else
			config_tell(config, problems, section_at(config, section, i),
				    "does not run; restart to take it");
	}
	for (uint32_t i = 0; i < section_n(runs, section); i++) {
		const struct config_where where = {
			.section = section_heading(runs, section, i, heading, sizeof(heading)),
		};

		if (section_find(config, section, section_own_name(runs, section, i)) < 0)
			config_problems_add(problems, &where, "runs, and is left out; restart to end it");
	}
}

void config_tell_changes(const struct config *runs, const struct config *config, struct config_problems *problems)
{
	for (uint32_t s = 0; s < config_n_sections; s++)
		if (!config_sections[s].is_reloaded)
			tell_changed_sections(runs, config, &config_sections[s], problems);
}

uint32_t config_n_workers(const struct config *config)
{
	uint32_t n = 1;

	if (config->eal.cores.n)
		return config->eal.cores.n;
	if (config->eal.n_workers)
		return config->eal.n_workers;
	for (uint32_t i = 0; i < config->n_ports; i++)
		if (config->ports[i].n_queues > n)
			n = config->ports[i].n_queues;
	return n;
}

int32_t config_port_find(const struct config *config, const char *name)
{
	for (uint32_t i = 0; i < config->n_ports; i++)
		if (!strcmp(config->ports[i].name, name))
			return (int32_t)i;
	return CONFIG_NO_PORT;
}
