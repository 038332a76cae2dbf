/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The arguments of `wirescore train flows`. Called by train_flows.c.
 */
#include <getopt.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "command.h"
#include "network_options.h"
#include "train_flows.h"

#define COMMAND "train flows"

static const char help[] =
	"Usage: wirescore train flows [OPTION]... -o MODEL DATA...\n"
	"\n"
	"Trains a network that tells attacks from benign flows, or many classes, by the features of flows, and writes\n"
	"it as ONNX. DATA are tables with a header and a column of labels, as 'wirescore extract --label' writes them\n"
	"or public ones (.gz and .zip are read as they are), and captures: CAPTURE=LABEL gives all its flows a label,\n"
	"else CAPTURE's name with .tsv has the rules, as --labels of extract takes them. The same seed, options and\n"
	"data give the same file, byte for byte, on the same kind of CPU.\n"
	"\n"
	"  -o, --output FILE    the model to write\n"
	"\n"
	"What is held out, to judge by:\n"
	"  --validation X       share of the rows, 0 (none) to 0.9; default 0.2\n"
	"  --split HOW          by 'capture' (whole files or captures), 'time' (the last flows of each), 'host' (all\n"
	"                       flows of an initiator's address, in whatever files) or 'random'; default: capture where\n"
	"                       there are several, else time. No flow is ever on both sides: where the same ends begin\n"
	"                       at the same time in two files, it is one flow, and an error if the files are on two sides\n"
	"  --held-out FILE      hold this data out, read as DATA is, instead of a share; may be given more than once\n"
	"\n"
	"How much rows count:\n"
	"  --class-weight HOW   'balanced': all classes weigh the same; or 'none', the default\n"
	"  --source-weight HOW  'balanced': all captures weigh the same; N: none weighs more than so many rows; or\n"
	"                       'none', the default\n"
	"  --max-per-source N   use at most N flows of each capture, drawn by the seed\n"
	"\n"
	"What the network sees:\n"
	"  --log WHICH          columns that are seen as ln(1 + x): 'auto' (the default: never negative and spread over\n"
	"                       two decades or more), 'none', 'all', or names with commas between\n"
	"  --clip X             columns are scaled to mean 0 and deviation 1, and cut off at +-X; default 4; 0: not\n"
	"\n"
	"The network and how it learns:\n"
	"  --hidden A,B,..      neurons of the hidden layers; default 32,16\n"
	"  --activation NAME    of hidden layers: relu, leaky, tanh or clip (to -1..1); default relu\n"
	"  --output-layer NAME  sigmoid (two classes; the default for them) or softmax\n"
	"  --optimizer NAME     rmsprop, adam or sgd; default adam\n"
	"  --lr X               learning rate; default 0.001 (sgd: 0.01)\n"
	"  --lr-final X         lower the rate to this along half a cosine; default: it stays\n"
	"  --epochs N           default 20\n"
	"  --batch N            rows a step; default: about a hundredth of them, 16 to 1024\n"
	"  --seed N             default 42\n"
	"  --weight-decay X     shrink the weights by this share of the rate a step (as AdamW does); default 0\n"
	"  --dropout X          leave out this share of each hidden layer's outputs in training; default 0\n"
	"  --early-stop N       stop after N epochs without a lower validation loss, and go back to the best\n"
	"  --threshold RULE     when a flow is an attack, decided on the flows that are held out: a probability such\n"
	"                       as 0.5 (the default), 'fpr:0.001' (the lowest threshold with at most that share of\n"
	"                       benign flows at or above it) or 'f1' (the best F1). It becomes 0.5 of the model, whose\n"
	"                       log-odds are shifted by what it records as threshold_shift: add that to a logit for\n"
	"                       the log-odds that were learnt\n"
	"  --help               this text\n"
	"\n"
	"Tables:\n";

static const char captures_help[] =
	"\n"
	"Captures:\n"
	"  --checkpoints LIST   rows when a flow has so many packets (1 to 64) and at its 'end'; default 1,2,4,8,16,end\n";

static const char help_end[] =
	"\n"
	"Ctrl-C stops the training and writes nothing.\n"
	"Exit status: 0; 1 where anything could not be read, learnt or written; 2 for bad usage; 130 after SIGINT.\n";

enum {
	VALIDATION = 1024,
	SPLIT,
	HELD_OUT,
	CLASS_WEIGHT,
	SOURCE_WEIGHT,
	MAX_PER_SOURCE,
	LOG,
	CLIP,
	OUTPUT_LAYER,
	WEIGHT_DECAY,
	DROPOUT,
	EARLY_STOP,
	THRESHOLD,
	CHECKPOINTS,
	HELP,
};

static const struct option known_options[] = {
	{"output", required_argument, NULL, 'o'},
	{"validation", required_argument, NULL, VALIDATION},
	{"split", required_argument, NULL, SPLIT},
	{"held-out", required_argument, NULL, HELD_OUT},
	{"class-weight", required_argument, NULL, CLASS_WEIGHT},
	{"source-weight", required_argument, NULL, SOURCE_WEIGHT},
	{"max-per-source", required_argument, NULL, MAX_PER_SOURCE},
	{"log", required_argument, NULL, LOG},
	{"clip", required_argument, NULL, CLIP},
	{"output-layer", required_argument, NULL, OUTPUT_LAYER},
	{"weight-decay", required_argument, NULL, WEIGHT_DECAY},
	{"dropout", required_argument, NULL, DROPOUT},
	{"early-stop", required_argument, NULL, EARLY_STOP},
	{"threshold", required_argument, NULL, THRESHOLD},
	{"checkpoints", required_argument, NULL, CHECKPOINTS},
	{"help", no_argument, NULL, HELP},
	NETWORK_LONG_OPTIONS,
	TABLE_LONG_OPTIONS,
	FLOW_LONG_OPTIONS,
	{0},
};

/* ---- Arguments ---- */

static int take_split(struct train_flows_arguments *a, const char *text)
{
	a->has_split = true;
	if (flow_split_kind_parse(text, &a->split.kind) == 0)
		return 0;
	complain("--split '%s' is not capture, time, host or random", text);
	return -1;
}

static int take_held_out(struct train_flows_arguments *a, char *path)
{
	char **paths = realloc(a->held_out, ((size_t)a->n_held_out + 1) * sizeof(*paths));

	if (paths == NULL) {
		complain("out of memory");
		return -1;
	}
	a->held_out = paths;
	a->held_out[a->n_held_out++] = path;
	return 0;
}

static int take_class_weight(struct train_flows_arguments *a, const char *text)
{
	a->class_weight_text = text;
	a->options.weights.balances_classes = strcmp(text, "balanced") == 0;
	if (a->options.weights.balances_classes || strcmp(text, "none") == 0)
		return 0;
	complain("--class-weight '%s' is not balanced or none", text);
	return -1;
}

static int take_source_weight(struct train_flows_arguments *a, const char *text)
{
	struct flow_weights_options *weights = &a->options.weights;

	a->source_weight_text = text;
	weights->balances_sources = strcmp(text, "balanced") == 0;
	weights->source_limit = 0;
	if (weights->balances_sources || strcmp(text, "none") == 0)
		return 0;
	if (text[0] >= '0' && text[0] <= '9')
		return parse_double("--source-weight", text, 1, 1e15, &weights->source_limit);
	complain("--source-weight '%s' is not balanced, none or a number of rows", text);
	return -1;
}

static int take_output_layer(struct train_flows_arguments *a, const char *text)
{
	a->output_text = text;
	a->options.train.is_softmax = strcmp(text, "softmax") == 0;
	if (a->options.train.is_softmax || strcmp(text, "sigmoid") == 0)
		return 0;
	complain("--output-layer '%s' is not sigmoid or softmax", text);
	return -1;
}

static int take_clip(struct train_flows_arguments *a, const char *text)
{
	double clip;

	if (parse_double("--clip", text, 0, 1e6, &clip) < 0)
		return -1;
	a->options.clip = clip > 0 ? (float)clip : INFINITY;
	return 0;
}

static int take_early_stop(struct train_flows_arguments *a, const char *text)
{
	uint64_t n_epochs;

	if (parse_u64("--early-stop", text, 1, 1000000, &n_epochs) < 0)
		return -1;
	a->options.patience = (uint32_t)n_epochs;
	return 0;
}

static int take_threshold(struct train_flows_arguments *a, const char *text)
{
	a->threshold_text = text;
	if (flow_threshold_parse(text, &a->threshold) == 0)
		return 0;
	complain("--threshold '%s' is not a probability between 0 and 1, fpr:SHARE or f1", text);
	return -1;
}

/* Takes an option that is this command's own. 0, or -1 after complaining. */
static int take_own(struct train_flows_arguments *a, int option, char *text)
{
	struct train_options *o = &a->options.train;

	switch (option) {
	case 'o':
		a->output = text;
		return 0;
	case VALIDATION:
		return parse_double("--validation", text, 0, 0.9, &a->split.share);
	case SPLIT:
		return take_split(a, text);
	case HELD_OUT:
		return take_held_out(a, text);
	case CLASS_WEIGHT:
		return take_class_weight(a, text);
	case SOURCE_WEIGHT:
		return take_source_weight(a, text);
	case MAX_PER_SOURCE:
		return parse_u64("--max-per-source", text, 1, UINT64_MAX, &a->max_per_source);
	case CHECKPOINTS:
		return flow_options_take_checkpoints(&a->flow, text);
	case LOG:
		a->log_text = text;
		return 0;
	case CLIP:
		return take_clip(a, text);
	case OUTPUT_LAYER:
		return take_output_layer(a, text);
	case WEIGHT_DECAY:
		return parse_double("--weight-decay", text, 0, 1000, &o->weight_decay);
	case DROPOUT:
		return parse_double("--dropout", text, 0, 0.95, &o->dropout);
	case EARLY_STOP:
		return take_early_stop(a, text);
	default:
		return take_threshold(a, text);
	}
}

/* Whether the options go together. EXIT_OK or EXIT_USAGE. */
static int arguments_check(const struct train_flows_arguments *a)
{
	if (a->output == NULL)
		return usage_error(COMMAND, "say where to write the model: -o FILE");
	if (a->n_paths == 0)
		return usage_error(COMMAND, "name the data to train with");
	if (a->n_held_out > 0 && a->has_split)
		return usage_error(COMMAND, "--held-out says what to hold out: leave --split away");
	if (a->split.share > 0 || a->n_held_out > 0)
		return EXIT_OK;
	if (a->options.patience > 0)
		return usage_error(COMMAND,
				   "--early-stop looks at rows that are held out: --validation 0 leaves none");
	if (a->threshold.kind != FLOW_THRESHOLD_FIXED)
		return usage_error(COMMAND,
				   "--threshold %s looks at flows that are held out: --validation 0 leaves none",
				   a->threshold_text);
	return EXIT_OK;
}

static void arguments_init(struct train_flows_arguments *a)
{
	*a = (struct train_flows_arguments){
		.options =
			{
				.train =
					{
						.n_hidden = 2,
						.hidden = {32, 16},
						.activation = NN_RELU,
						.alpha = 0.01f,
						.optimizer = TRAIN_ADAM,
						.n_epochs = 20,
						.seed = 42,
					},
				.clip = 4,
			},
		.split = {.share = 0.2},
		.threshold = {.kind = FLOW_THRESHOLD_FIXED, .value = 0.5},
		.log_text = "auto",
		.class_weight_text = "none",
		.source_weight_text = "none",
	};
	table_options_init(&a->table);
	flow_options_init(&a->flow);
	a->flow.config.checkpoints = FLOW_OPTIONS_CHECKPOINTS;
}

int train_flows_parse(int argc, char **argv, struct train_flows_arguments *a)
{
	int option, rc = 0;

	arguments_init(a);
	optind = 0;
	opterr = 0;
	while (rc == 0 && (option = getopt_long(argc, argv, ":o:", known_options, NULL)) != -1) {
		if (option == HELP) {
			printf("%s%s%s%s%s%s", help, table_options_help, table_choices_help, captures_help,
			       flow_options_help, help_end);
			return -1;
		}
		if (option == ':')
			return usage_error(COMMAND, "%s needs a value", argv[optind - 1]);
		if (option == '?')
			return usage_error(COMMAND, "there is no option %s", argv[optind - 1]);
		if (network_options_has(option))
			rc = network_options_take(&a->options.train, option, optarg);
		else if (table_options_has(option))
			rc = table_options_take(&a->table, option, optarg);
		else if (flow_options_has(option))
			rc = flow_options_take(&a->flow, option, optarg);
		else
			rc = take_own(a, option, optarg);
	}
	if (rc < 0)
		return EXIT_USAGE;
	if (flow_options_finish(&a->flow))
		return EXIT_FAILED;
	network_options_finish(&a->options.train);
	a->split.seed = a->options.train.seed;
	a->paths = argv + optind;
	a->n_paths = argc - optind;
	return arguments_check(a);
}

void train_flows_arguments_free(struct train_flows_arguments *a)
{
	free(a->held_out);
	table_options_free(&a->table);
}
