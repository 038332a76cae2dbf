/* SPDX-License-Identifier: BSD-3-Clause */
#include "network_options.h"

#include <stdlib.h>
#include <string.h>

#include "command.h"

bool network_options_has(int option)
{
	return option >= NETWORK_OPT_HIDDEN && option <= NETWORK_OPT_SEED;
}

static int take_u32(const char *name, const char *argument, uint64_t low, uint64_t high, uint32_t *value)
{
	uint64_t wide;

	if (parse_u64(name, argument, low, high, &wide) < 0)
		return -1;
	*value = (uint32_t)wide;
	return 0;
}

static int take_hidden(const char *text, struct train_options *options)
{
	options->n_hidden = 0;
	for (const char *at = text;; at++) {
		char *end;
		unsigned long n = *at >= '0' && *at <= '9' ? strtoul(at, &end, 10) : 0;

		if (n == 0 || n > NN_MAX_WIDTH || options->n_hidden == TRAIN_MAX_HIDDEN ||
		    (*end != '\0' && *end != ',')) {
			complain("--hidden '%s' is not 1 to %d numbers from 1 to %d with commas between", text,
				 TRAIN_MAX_HIDDEN, NN_MAX_WIDTH);
			return -1;
		}
		options->hidden[options->n_hidden++] = (uint32_t)n;
		at = end;
		if (*at == '\0')
			return 0;
	}
}

static int take_activation(const char *text, struct train_options *options)
{
	static const struct {
		const char *name;
		enum nn_activation activation;
	} known[] = {{"relu", NN_RELU}, {"leaky", NN_LEAKY_RELU}, {"tanh", NN_TANH}, {"clip", NN_CLIP}};

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		if (strcmp(text, known[i].name) == 0) {
			options->activation = known[i].activation;
			return 0;
		}
	}
	complain("--activation '%s' is not relu, leaky, tanh or clip", text);
	return -1;
}

static int take_optimizer(const char *text, struct train_options *options)
{
	if (train_optimizer_parse(text, &options->optimizer) == 0)
		return 0;
	complain("--optimizer '%s' is not rmsprop, adam or sgd", text);
	return -1;
}

int network_options_take(struct train_options *options, int option, const char *argument)
{
	switch (option) {
	case NETWORK_OPT_HIDDEN:
		return take_hidden(argument, options);
	case NETWORK_OPT_ACTIVATION:
		return take_activation(argument, options);
	case NETWORK_OPT_OPTIMIZER:
		return take_optimizer(argument, options);
	case NETWORK_OPT_RATE:
		return parse_double("--lr", argument, 1e-12, 1e6, &options->learning_rate);
	case NETWORK_OPT_RATE_FINAL:
		return parse_double("--lr-final", argument, 1e-12, 1e6, &options->learning_rate_final);
	case NETWORK_OPT_EPOCHS:
		return take_u32("--epochs", argument, 1, 1000000, &options->n_epochs);
	case NETWORK_OPT_BATCH:
		return take_u32("--batch", argument, 1, TRAIN_MAX_BATCH, &options->batch);
	default:
		return parse_u64("--seed", argument, 0, UINT64_MAX, &options->seed);
	}
}

void network_options_finish(struct train_options *options)
{
	if (options->learning_rate == 0)
		options->learning_rate = train_optimizer_rate(options->optimizer);
	if (options->learning_rate_final == 0)
		options->learning_rate_final = options->learning_rate;
}
