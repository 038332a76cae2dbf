/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A model: a network and what its numbers mean, kept as an ONNX file. Files are not trusted: what cannot be
 * folded into dense layers, does not fit together or is too large is refused with the node's name.
 */
#ifndef WIRESCORE_MODEL_H
#define WIRESCORE_MODEL_H

#include <stddef.h>
#include <stdint.h>

#include "nn.h"

/* A model file larger than this is refused before it is read. */
#define MODEL_MAX_BYTES (64u << 20)

enum model_task {
	MODEL_TASK_UNKNOWN, /* a file from elsewhere that does not say */
	MODEL_TASK_PACKET,
	MODEL_TASK_FLOW,
};

/* A training fact: any `wirescore.train.NAME` of the file, in the file's order. */
struct model_fact {
	char *name; /* without the prefix */
	char *value;
};

struct model {
	struct nn_network network;
	enum model_task task; /* other than unknown: the last layer is a sigmoid or a softmax */
	uint32_t n_features;  /* 0 where the file names none, else network.n_in */
	char **features;
	uint32_t n_classes; /* 0 where the file names none; 2 for one output, else the number of outputs */
	char **classes;
	float threshold; /* score from which the last class is chosen; 0.5 where the file has none */
	char *schema;	 /* hash of the features' definitions, or NULL */
	uint32_t n_checkpoints;
	uint32_t *checkpoints; /* packet counts at which a flow model may be asked; 0 stands for `end` */
	uint32_t n_facts;
	struct model_fact *facts;
	char *producer; /* what wrote the file, e.g. "pytorch 1.13.1"; or NULL */
};

/*
 * Reads and checks a model. 0, or a negative errno with one line in error: what is wrong and at which node,
 * without the path. *model belongs to the caller: model_free.
 */
int model_load(const char *path, struct model **model, char *error, size_t error_size);
int model_load_memory(const void *bytes, size_t n_bytes, struct model **model, char *error, size_t error_size);

/*
 * Writes a model: to a temporary file in the same folder, then renamed, so that path is never half a model. A
 * symbolic link is followed, and a file that is there keeps its rights. The same model gives the same bytes.
 * 0 or a negative errno with one line in error.
 */
int model_save(const struct model *model, const char *path, char *error, size_t error_size);
/* The bytes of that file; *bytes is the caller's to free. */
int model_save_memory(const struct model *model, uint8_t **bytes, size_t *n_bytes, char *error, size_t error_size);

void model_free(struct model *model);

/* An empty model to be filled in; NULL when memory is out. */
struct model *model_new(void);

/*
 * Each copies its strings; 0 or -ENOMEM. What the strings hold is checked by model_save: printable UTF-8, and
 * names without commas, which separate them in the file.
 */
int model_set_features(struct model *model, const char *const *names, uint32_t n);
int model_set_classes(struct model *model, const char *const *names, uint32_t n);
int model_set_schema(struct model *model, const char *schema);
int model_add_fact(struct model *model, const char *name, const char *value);

/* Removes the facts whose names begin with name; none may. */
void model_remove_facts(struct model *model, const char *name);

const char *model_task_name(enum model_task task);

#endif
