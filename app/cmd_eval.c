/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * `wirescore eval MODEL DATA...`: judges a model on data it was not trained on. Called by main.c; eval_packet.c and
 * eval_flows.c do the work.
 */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "command.h"
#include "eval/eval.h"
#include "flow_captures.h"
#include "flow_model.h"
#include "interrupt.h"

#define ERROR_SIZE 512
#define MAX_SHOWN  1000000

static void print_help(void)
{
	puts("Usage: wirescore eval [OPTION]... MODEL DATA...\n"
	     "\n"
	     "Judges a packet model on captures by the exact rule, or a flow model on labelled flows, and prints\n"
	     "what it gets right beside what simpler answers do. A ratio of 0 to 0 is printed as 0, a figure that\n"
	     "has no value as -.\n"
	     "\n"
	     "  --explain            permutation importance: what it costs to shuffle each input across all data\n"
	     "  --seed N             of the permutations and of --cross; default 42\n"
	     "  --kernel NAME        score with this kernel; 'wirescore kernels' lists them\n"
	     "  --json               print one JSON object\n"
	     "  --help               this text\n"
	     "\n"
	     "Packet models, on captures: confusion matrix, accuracy, balanced accuracy, precision, recall, F1 and\n"
	     "log loss, beside the rule itself and the answer that is always the commonest class. A frame that ends\n"
	     "before its type is not scored: it is of the first class by definition. A capture that is cut in the\n"
	     "middle is used as far as it goes; the exit status is then 1.\n"
	     "  --label RULE         ipv4, ip or ethertype:0xNNNN; default: what the model was trained with\n"
	     "  --show-errors N      hex dump of the first N frames that it got wrong\n"
	     "\n"
	     "Flow models, on tables of 'wirescore extract' or public ones and on captures (CAPTURE=LABEL, or\n"
	     "rules in CAPTURE's name with .tsv): a flow is an attack where one of its rows reaches the model's\n"
	     "threshold. Confusion matrix, ROC and precision-recall areas, recall at 1%, 0.1% and 0.01% false\n"
	     "positives, calibration, precision at a base rate, false alarms an hour, by source and by family, at\n"
	     "which packet each family is seen; beside the majority class, the best single-feature stump and logistic\n"
	     "regression. Models without a class called benign are judged by how well they tell their classes apart.\n"
	     "The exit status is 1 where a capture could not be read to its end; what was good of it is judged.\n"
	     "  --rows               judge each row by itself, not flows\n"
	     "  --base-rate X        the share of attacks to state the precision at; default 0.001\n"
	     "  --train-data FILE    what stump and regression learn from, as often as there are files; default: one\n"
	     "                       half of DATA, and everything beside them is judged on the other\n"
	     "  --split HOW          how DATA are halved for that: by 'capture' (whole captures or tables), 'time'\n"
	     "                       (the later flows of each are judged), 'host' (all flows of an initiator) or at\n"
	     "                       'random', which flatters. Default: the first of capture, time and host that\n"
	     "                       leaves both classes in each half\n"
	     "  --ablate             what it costs to replace each group of features by its mean (of the\n"
	     "                       logarithms where the model takes those); the model is not trained again\n"
	     "  --cross              train logistic regression and a small network on each source and judge them\n"
	     "                       on the others, then on all but one and judge on that one; their thresholds\n"
	     "                       come from a quarter of the flows learnt from, which is held out\n"
	     "  --html FILE          write a page with the figures and curves; it needs no network to be read\n"
	     "\n"
	     "Tables; which columns and classes there are, the model says:");
	fputs(table_options_help, stdout);
	fputs("\nCaptures (flow models):\n", stdout);
	fputs(flow_options_help, stdout);
}

/* Notes the first option that only one kind of model has. */
struct particular {
	const char *packet, *flow;
};

static int take_train_data(struct eval_options *o, char *path)
{
	char **more = realloc(o->train_data, (o->n_train_data + 1) * sizeof(*more));

	if (more == NULL) {
		complain("out of memory");
		return -1;
	}
	o->train_data = more;
	o->train_data[o->n_train_data++] = path;
	return 0;
}

static int take_split(struct eval_options *o, const char *text)
{
	o->has_split = true;
	if (flow_split_kind_parse(text, &o->split) == 0)
		return 0;
	complain("--split '%s' is not capture, time, host or random", text);
	return -1;
}

static int take_kernel(struct eval_options *o, const char *name)
{
	o->kernel = nn_kernel_find(name);
	if (o->kernel != NULL)
		return 0;
	complain("there is no kernel '%s' here; 'wirescore kernels' lists them", name);
	return -1;
}

enum {
	OPT_SHOW_ERRORS = 256,
	OPT_EXPLAIN,
	OPT_SEED,
	OPT_KERNEL,
	OPT_JSON,
	OPT_ROWS,
	OPT_BASE_RATE,
	OPT_TRAIN_DATA,
	OPT_ABLATE,
	OPT_CROSS,
	OPT_HTML,
	OPT_SPLIT,
	OPT_HELP,
};

/* Takes an option of flow models. 0, or -1 after complaining. */
static int take_flow_option(int option, struct eval_options *o)
{
	switch (option) {
	case OPT_ROWS:
		o->by_rows = true;
		return 0;
	case OPT_BASE_RATE:
		return parse_double("--base-rate", optarg, 0, 1, &o->base_rate);
	case OPT_TRAIN_DATA:
		return take_train_data(o, optarg);
	case OPT_ABLATE:
		o->ablate = true;
		return 0;
	case OPT_CROSS:
		o->cross = true;
		return 0;
	case OPT_HTML:
		o->html_path = optarg;
		return 0;
	case OPT_SPLIT:
		return take_split(o, optarg);
	case TABLE_OPT_CLASSES:
	case TABLE_OPT_COLUMNS:
	case TABLE_OPT_DROP:
		complain("--%s: the model says which classes and columns there are",
			 option == TABLE_OPT_CLASSES   ? "classes"
			 : option == TABLE_OPT_COLUMNS ? "columns"
						       : "drop");
		return -1;
	default:
		if (flow_options_has(option))
			return flow_options_take(&o->flow, option, optarg);
		return table_options_take(&o->table, option, optarg);
	}
}

/* EXIT_OK when there is something to do, another exit code, or -1 when help was asked for. */
static int parse_arguments(int argc, char **argv, struct eval_options *o, struct particular *particular)
{
	static const struct option known[] = {
		{"show-errors", required_argument, NULL, OPT_SHOW_ERRORS},
		{"explain", no_argument, NULL, OPT_EXPLAIN},
		{"seed", required_argument, NULL, OPT_SEED},
		{"kernel", required_argument, NULL, OPT_KERNEL},
		{"json", no_argument, NULL, OPT_JSON},
		{"rows", no_argument, NULL, OPT_ROWS},
		{"base-rate", required_argument, NULL, OPT_BASE_RATE},
		{"train-data", required_argument, NULL, OPT_TRAIN_DATA},
		{"ablate", no_argument, NULL, OPT_ABLATE},
		{"cross", no_argument, NULL, OPT_CROSS},
		{"html", required_argument, NULL, OPT_HTML},
		{"split", required_argument, NULL, OPT_SPLIT},
		{"help", no_argument, NULL, OPT_HELP},
		TABLE_LONG_OPTIONS,
		FLOW_LONG_OPTIONS,
		{0},
	};
	int option, at, rc = 0;

	optind = 0;
	opterr = 0;
	while (rc == 0 && (option = getopt_long(argc, argv, ":", known, &at)) != -1) {
		switch (option) {
		case OPT_SHOW_ERRORS:
			rc = parse_u64("--show-errors", optarg, 0, MAX_SHOWN, &o->n_shown);
			particular->packet = "--show-errors";
			break;
		case OPT_EXPLAIN:
			o->explain = true;
			break;
		case OPT_SEED:
			rc = parse_u64("--seed", optarg, 0, UINT64_MAX, &o->seed);
			break;
		case OPT_KERNEL:
			rc = take_kernel(o, optarg);
			break;
		case OPT_JSON:
			o->json = true;
			break;
		case OPT_HELP:
			print_help();
			return -1;
		case ':':
			return usage_error("eval", "%s needs a value", argv[optind - 1]);
		case '?':
			return usage_error("eval", "there is no option %s", argv[optind - 1]);
		default:
			/* --label is a rule for packets, and the label of rows without one for flows. */
			if (option == TABLE_OPT_LABEL)
				o->rule_text = optarg;
			else
				particular->flow = known[at].name;
			rc = take_flow_option(option, o);
			break;
		}
	}
	if (rc < 0)
		return EXIT_USAGE;
	if (argc - optind < 2)
		return usage_error("eval", "name a model, and captures or tables to judge it on");
	o->model_path = argv[optind];
	o->data = argv + optind + 1;
	o->n_data = (uint32_t)(argc - optind - 1);
	return EXIT_OK;
}

/* Whether the model's inputs are named after features of flows. */
static bool has_flow_features(const struct model *model)
{
	struct flow_feature_set *features = NULL;
	char error[256];
	int rc = flow_model_features(model, &features, error, sizeof(error));

	flow_feature_set_free(features);
	return rc == 0;
}

/* Which kind of model it is: what its file says, else what its inputs and the data are. */
static int model_judge(const struct eval_options *o, const struct model *model, const struct particular *particular)
{
	enum model_task task = model->task;

	if (task == MODEL_TASK_UNKNOWN)
		task = flow_captures_is_one(o->data[0]) && !has_flow_features(model) ? MODEL_TASK_PACKET
										     : MODEL_TASK_FLOW;
	if (task == MODEL_TASK_PACKET && particular->flow != NULL)
		return usage_error("eval", "--%s is for flow models; %s is a packet model", particular->flow,
				   o->model_path);
	if (task == MODEL_TASK_FLOW && particular->packet != NULL)
		return usage_error("eval", "%s is for packet models; %s is a flow model", particular->packet,
				   o->model_path);
	return task == MODEL_TASK_PACKET ? eval_packet(o, model) : eval_flows(o, model);
}

int cmd_eval(int argc, char **argv)
{
	struct eval_options options = {.seed = 42, .base_rate = 0.001, .kernel = nn_kernel_find(NULL)};
	struct particular particular = {0};
	char error[ERROR_SIZE];
	struct model *model;
	int code;

	table_options_init(&options.table);
	flow_options_init(&options.flow);
	code = parse_arguments(argc, argv, &options, &particular);
	if (code == EXIT_OK) {
		interrupt_catch();
		if (model_load(options.model_path, &model, error, sizeof(error)) < 0) {
			complain("%s: %s", options.model_path, error);
			code = EXIT_FAILED;
		} else {
			code = model_judge(&options, model, &particular);
			model_free(model);
		}
	}
	table_options_free(&options.table);
	free(options.train_data);
	return code < 0 ? EXIT_OK : code;
}
