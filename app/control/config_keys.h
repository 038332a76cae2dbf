/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The sections and keys of config_keys.def as tables, and what people are told of them. Used by config.c to read,
 * and by `wirescore check --keys`.
 */
#ifndef WIRESCORE_CONTROL_CONFIG_KEYS_H
#define WIRESCORE_CONTROL_CONFIG_KEYS_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include <jansson.h>

/* What a value is read as, and the type of its field. */
enum config_type {
	CONFIG_TYPE_COUNT,	  /* whole number: uint32_t; words[0] is 0 */
	CONFIG_TYPE_NUMBER,	  /* whole number: uint64_t; words[0] is 0 */
	CONFIG_TYPE_SECONDS,	  /* decimal: uint64_t ns; words[0] is 0 */
	CONFIG_TYPE_SCORE,	  /* decimal: double; words[0] is NaN, or 0 where it is "0" */
	CONFIG_TYPE_FLAG,	  /* two words: bool */
	CONFIG_TYPE_CHOICE,	  /* words: an enum whose values start at low */
	CONFIG_TYPE_NAME,	  /* a word: char *; words[0] is NULL */
	CONFIG_TYPE_KERNEL,	  /* likewise */
	CONFIG_TYPE_OUTPUT,	  /* a path: char *; words[0] is NULL */
	CONFIG_TYPE_FILE,	  /* likewise, of a file that is read */
	CONFIG_TYPE_TEXT,	  /* any text: char *; words[0] is NULL */
	CONFIG_TYPE_PACKET_MODEL, /* a path: struct config_model; words[0] is none, words[1] the shipped one */
	CONFIG_TYPE_FLOW_MODEL,
	CONFIG_TYPE_DEVICE,	 /* struct config_device */
	CONFIG_TYPE_PCI_LIST,	 /* struct config_words */
	CONFIG_TYPE_VDEV_LIST,	 /* struct config_words */
	CONFIG_TYPE_PORTS,	 /* struct config_words */
	CONFIG_TYPE_CLASSES,	 /* struct config_words; words[0] is none */
	CONFIG_TYPE_PROPERTIES,	 /* likewise */
	CONFIG_TYPE_CORES,	 /* struct config_cores; words[0] is none */
	CONFIG_TYPE_CORE,	 /* int32_t; words[0] is -1 */
	CONFIG_TYPE_SEED,	 /* of struct config_flow: seed and has_seed; words[0] is none */
	CONFIG_TYPE_CHECKPOINTS, /* of struct config_flow: checkpoints and those beside; words[0] is none */
	CONFIG_TYPE_ACTION,	 /* struct config_action */
};

struct config_section {
	const char *name;
	const char *naming; /* what its own name is of, for people; NULL: it has none */
	size_t offset;	    /* in struct config: of it, or of the first */
	size_t count;	    /* in struct config: of how many there are; SIZE_MAX: there is one */
	size_t size;
	uint32_t maximum;
	bool is_reloaded; /* a run that reads the config again takes it over */
	const char *help;
};

struct config_key {
	const struct config_section *section;
	const char *name;
	enum config_type type;
	size_t offset; /* in the section's struct */
	double low, high;
	const char *const *words; /* NULL behind the last */
	const char *standard;	  /* the default as it would be written; NULL: it must be set */
	const char *help;
};

extern const struct config_section config_sections[];
extern const struct config_key config_keys[];
extern const uint32_t config_n_sections, config_n_keys;

/* The section of a heading without brackets; *own is its own name, or NULL. NULL where there is none. */
const struct config_section *config_section_find(const char *heading, const char **own);

/* NULL where the section has no such key. */
const struct config_key *config_key_find(const struct config_section *section, const char *name);

/* The name that is meant, most likely; NULL where none is near. */
const char *config_section_near(const char *name);
const char *config_key_near(const struct config_section *section, const char *name);

/* The one of n names that is meant, most likely, or -1. */
int32_t config_name_near(const char *name, const char *const *names, uint32_t n);

/* What a key's value may be, e.g. "auto, or a whole number from 1 to 256", into text. Returns text. */
char *config_key_values(const struct config_key *key, char *text, size_t size);

/* Prints every section and key; the same as JSON, NULL when memory is out. */
void config_keys_print(FILE *file);
json_t *config_keys_json(void);

#endif
