/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Trains a network on flows: weights of rows, scaling learnt on the training part by these weights, epochs,
 * stopping early. Called by `wirescore train flows` and by whatever trains to compare. The same options and rows
 * give the same network bit for bit on the same kind of machine.
 */
#ifndef WIRESCORE_TRAIN_FLOW_TRAIN_H
#define WIRESCORE_TRAIN_FLOW_TRAIN_H

#include <stdatomic.h>
#include <stdbool.h>

#include "flow_dataset.h"
#include "flow_weights.h"
#include "nn.h"
#include "train.h"

struct flow_train_epoch {
	uint32_t number;			 /* from 1 */
	struct train_score training, validation; /* validation is 0 without rows for it */
	bool is_best;				 /* no epoch before had a validation loss as low */
};

struct flow_train_options {
	struct train_options train; /* n_in, n_classes, input_scale and input_shift come from the data */
	struct flow_weights_options weights;
	const uint8_t *is_log; /* [n_features], borrowed: which columns are seen by their logarithm; NULL: none */
	float clip;	       /* scaled inputs stay within +- this; INFINITY: anywhere */
	uint32_t patience;     /* stops after so many epochs without a lower validation loss and goes back to the
				  best; 0: never */
	/* Told of every epoch; NULL: nobody. */
	void (*report)(void *context, const struct flow_train_epoch *epoch);
	void *context;
	const atomic_bool *stop; /* NULL: nothing stops it */
};

struct flow_train_result {
	struct nn_network network; /* reads values as they are in the data: its input stage scales them */
	uint32_t n_epochs;
	struct flow_train_epoch kept; /* the epoch whose weights these are */
};

/* How many rows each class has; n_rows is [n_classes]. */
void flow_train_count(const struct flow_dataset *set, size_t *n_rows);

/*
 * Trains on all rows of training, whose values are scaled in place, and looks at validation (may have no rows)
 * after each epoch. 0; -EINTR when *stop became true; or -EINVAL, -ERANGE (the loss is not finite) or -ENOMEM with
 * one line in error. The network belongs to the caller: nn_network_free.
 */
int flow_train(const struct flow_train_options *options, struct flow_dataset *training,
	       const struct flow_dataset *validation, struct flow_train_result *result, char *error,
	       size_t error_size);

#endif
