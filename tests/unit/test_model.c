/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Models as files: what is saved loads again, saving again gives the same bytes, metadata are checked, and a
 * failed save leaves nothing behind.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "model.h"
#include "onnx_builder.h"

static char folder[] = "/tmp/test_model.XXXXXX";

/* Stands in for libc's in the libraries too: counts, and fails where a test says so. */
static unsigned n_synced;
static int sync_error;

int fsync(int fd)
{
	(void)fd;
	n_synced++;
	errno = sync_error;
	return sync_error != 0 ? -1 : 0;
}

static const char *in_folder(const char *name)
{
	static char path[2][128];
	static unsigned turn;
	turn ^= 1;
	snprintf(path[turn], sizeof(path[turn]), "%s/%s", folder, name);
	return path[turn];
}

static int make_folder(void **state)
{
	(void)state;
	return mkdtemp(folder) != NULL ? 0 : -1;
}

static int remove_folder(void **state)
{
	(void)state;
	unlink(in_folder("a.onnx"));
	unlink(in_folder("b.onnx"));
	return rmdir(folder);
}

/* 3-4-2-... with every part that a file can hold. */
static struct model *full_model(enum nn_activation hidden, enum nn_activation output, uint32_t n_out)
{
	struct model *model = model_new();
	struct nn_network *network = &model->network;
	const uint32_t widths[] = {3, 4, 2, n_out};

	assert_non_null(model);
	network->n_in = 3;
	network->has_input_stage = true;
	network->input_centre = calloc(3, sizeof(float));
	network->input_scale = calloc(3, sizeof(float));
	network->input_shift = calloc(3, sizeof(float));
	for (int i = 0; i < 3; i++) {
		network->input_centre[i] = i == 0 ? -0.0f : 0.3f * (float)i;
		network->input_scale[i] = 1.0f / (float)(i + 3);
		network->input_shift[i] = i == 0 ? -0.0f : -0.1f * (float)i;
	}
	network->input_low = -INFINITY;
	network->input_high = 4;
	for (uint32_t l = 0; l < 3; l++) {
		struct nn_layer *layer = &network->layers[l];
		assert_int_equal(nn_layer_init(layer, widths[l], widths[l + 1], l < 2 ? hidden : output), 0);
		for (uint32_t i = 0; i < layer->n_in * layer->n_out; i++)
			layer->weights[i] = i == 1 ? -0.0f : 0.1f * (float)i - 0.3f;
		for (uint32_t o = 0; o < layer->n_out; o++)
			layer->bias[o] = o == 0 ? -0.0f : 0.7f;
		layer->alpha = 0.3f;
		layer->low = -0.0f;
		layer->high = 6.1f;
		network->n_layers++;
	}
	model->task = MODEL_TASK_FLOW;
	assert_int_equal(model_set_features(model, (const char *const[]){"duration s", "n_pkts", "größe"}, 3), 0);
	if (n_out == 1)
		assert_int_equal(model_set_classes(model, (const char *const[]){"benign", "attack"}, 2), 0);
	model->threshold = 0.1f;
	assert_int_equal(model_set_schema(model, "0123456789abcdef"), 0);
	model->checkpoints = calloc(3, sizeof(uint32_t));
	model->n_checkpoints = 3;
	model->checkpoints[0] = 1;
	model->checkpoints[1] = 4000000000u;
	assert_int_equal(model_add_fact(model, "seed", "42"), 0);
	assert_int_equal(model_add_fact(model, "captures", "a.pcap, b.pcap"), 0);
	return model;
}

/* marks has a 0 or a 1 for each input. */
static void mark_logarithms(struct nn_network *network, const char *marks)
{
	network->input_log = calloc(network->n_in, 1);
	assert_non_null(network->input_log);
	for (uint32_t i = 0; i < network->n_in; i++)
		network->input_log[i] = marks[i] == '1';
}

static char *slurp(const char *path, size_t *n_bytes)
{
	FILE *file = fopen(path, "rb");
	assert_non_null(file);
	char *bytes = malloc(1 << 20);
	*n_bytes = fread(bytes, 1, 1 << 20, file);
	fclose(file);
	return bytes;
}

static void save(const struct model *model, const char *path)
{
	char error[256] = "";
	if (model_save(model, path, error, sizeof(error)) != 0)
		fail_msg("%s", error);
}

static struct model *load(const char *path)
{
	char error[256] = "";
	struct model *model;
	if (model_load(path, &model, error, sizeof(error)) != 0)
		fail_msg("%s", error);
	return model;
}

static void assert_same_network(const struct nn_network *a, const struct nn_network *b)
{
	assert_int_equal(a->n_in, b->n_in);
	assert_int_equal(a->n_layers, b->n_layers);
	assert_int_equal(a->has_input_stage, b->has_input_stage);
	for (uint32_t i = 0; a->has_input_stage && i < a->n_in; i++) {
		assert_int_equal(a->input_log != NULL && a->input_log[i], b->input_log != NULL && b->input_log[i]);
		assert_true((a->input_centre != NULL ? a->input_centre[i] : 0) ==
			    (b->input_centre != NULL ? b->input_centre[i] : 0));
		assert_true(a->input_scale[i] == b->input_scale[i]);
		assert_true(a->input_shift[i] == b->input_shift[i]);
	}
	assert_true(!a->has_input_stage || (a->input_low == b->input_low && a->input_high == b->input_high));
	for (uint32_t l = 0; l < a->n_layers; l++) {
		const struct nn_layer *x = &a->layers[l], *y = &b->layers[l];
		assert_int_equal(x->n_in, y->n_in);
		assert_int_equal(x->n_out, y->n_out);
		assert_int_equal(x->activation, y->activation);
		assert_true(x->activation != NN_LEAKY_RELU || x->alpha == y->alpha);
		assert_true(x->activation != NN_CLIP || (x->low == y->low && x->high == y->high));
		assert_memory_equal(x->weights, y->weights, (size_t)x->n_in * x->n_out * sizeof(float));
		assert_memory_equal(x->bias, y->bias, x->n_out * sizeof(float));
	}
}

static void what_is_saved_loads_and_saves_to_the_same_bytes(void **state)
{
	(void)state;
	static const enum nn_activation hidden[] = {NN_IDENTITY, NN_RELU, NN_LEAKY_RELU,
						    NN_CLIP,	 NN_TANH, NN_SIGMOID};

	for (size_t h = 0; h < sizeof(hidden) / sizeof(hidden[0]); h++) {
		for (uint32_t n_out = 1; n_out <= 3; n_out += 2) {
			size_t n_a, n_b;
			struct model *model = full_model(hidden[h], n_out == 1 ? NN_SIGMOID : NN_SOFTMAX, n_out);
			/* Stages that leave out each of their three parts, too. */
			for (int i = 0; i < 3; i++) {
				if (h == 1)
					model->network.input_centre[i] = 0;
				if (h == 2)
					model->network.input_scale[i] = 1;
				if (h == 3)
					model->network.input_shift[i] = 0;
			}
			/* A logarithm of none, some and all. */
			if (h > 0)
				mark_logarithms(&model->network, h == 1 ? "000" : h < 4 ? "101" : "111");
			save(model, in_folder("a.onnx"));
			struct model *again = load(in_folder("a.onnx"));
			save(again, in_folder("b.onnx"));
			assert_same_network(&model->network, &again->network);
			char *a = slurp(in_folder("a.onnx"), &n_a), *b = slurp(in_folder("b.onnx"), &n_b);
			assert_int_equal(n_a, n_b);
			assert_memory_equal(a, b, n_a);
			free(a);
			free(b);
			model_free(model);
			model_free(again);
		}
	}
}

/* The operators of the input stage with what each takes and gives, as other tools will see them. */
static void logarithms_are_written_as_ordinary_operators(void **state)
{
	(void)state;
	static const struct {
		const char *marks, *written;
	} cases[] = {
		{"000", "Sub(input input_centre) Mul(input_sub_out input_scale) "},
		{"111", "Relu(input) Add(input_relu_out input_one) Log(input_add_one_out) "
			"Sub(input_log_out input_centre) Mul(input_sub_out input_scale) "},
		{"010", "Relu(input) Add(input_relu_out input_one) Log(input_add_one_out) "
			"Where(input_log_mask input_log_out input) "
			"Sub(input_where_out input_centre) Mul(input_sub_out input_scale) "},
	};
	for (size_t c = 0; c < sizeof(cases) / sizeof(cases[0]); c++) {
		char error[256] = "", written[1024] = "";
		uint8_t *bytes;
		size_t n_bytes;
		struct model *model = full_model(NN_RELU, NN_SIGMOID, 1);
		mark_logarithms(&model->network, cases[c].marks);
		assert_int_equal(model_save_memory(model, &bytes, &n_bytes, error, sizeof(error)), 0);
		Onnx__ModelProto *file = onnx__model_proto__unpack(NULL, n_bytes, bytes);
		assert_non_null(file);
		for (size_t n = 0; strcmp(file->graph->node[n]->op_type, "Gemm") != 0; n++) {
			const Onnx__NodeProto *node = file->graph->node[n];
			strcat(strcat(written, node->op_type), "(");
			for (size_t i = 0; i < node->n_input; i++)
				strcat(strcat(written, i > 0 ? " " : ""), node->input[i]);
			strcat(written, ") ");
		}
		if (strncmp(written, cases[c].written, strlen(cases[c].written)) != 0)
			fail_msg("%s: '%s' is not '%s'", cases[c].marks, written, cases[c].written);
		for (size_t t = 0; t < file->graph->n_initializer; t++) {
			const Onnx__TensorProto *tensor = file->graph->initializer[t];
			if (strcmp(tensor->name, "input_log_mask") != 0)
				continue;
			assert_int_equal(tensor->data_type, ONNX__TENSOR_PROTO__DATA_TYPE__BOOL);
			assert_int_equal(tensor->n_dims == 1 ? tensor->dims[0] : 0, 3);
			assert_int_equal(tensor->raw_data.len, 3);
			assert_memory_equal(tensor->raw_data.data, ((const uint8_t[]){0, 1, 0}), 3);
		}
		onnx__model_proto__free_unpacked(file, NULL);
		free(bytes);
		model_free(model);
	}
}

static void an_idle_input_stage_is_not_written(void **state)
{
	(void)state;
	struct model *model = full_model(NN_RELU, NN_SIGMOID, 1);
	for (int i = 0; i < 3; i++) {
		model->network.input_centre[i] = -0.0f;
		model->network.input_scale[i] = 1;
		model->network.input_shift[i] = 0;
	}
	model->network.input_high = INFINITY;
	save(model, in_folder("a.onnx"));
	struct model *again = load(in_folder("a.onnx"));
	assert_false(again->network.has_input_stage);
	model_free(model);
	model_free(again);
}

static void metadata_survive(void **state)
{
	(void)state;
	struct model *model = full_model(NN_RELU, NN_SIGMOID, 1);
	save(model, in_folder("a.onnx"));
	struct model *again = load(in_folder("a.onnx"));
	assert_int_equal(again->task, MODEL_TASK_FLOW);
	assert_int_equal(again->n_features, 3);
	assert_string_equal(again->features[0], "duration s");
	assert_string_equal(again->features[2], "größe");
	assert_int_equal(again->n_classes, 2);
	assert_string_equal(again->classes[1], "attack");
	assert_true(again->threshold == 0.1f);
	assert_string_equal(again->schema, "0123456789abcdef");
	assert_int_equal(again->n_checkpoints, 3);
	assert_int_equal(again->checkpoints[1], 4000000000u);
	assert_int_equal(again->checkpoints[2], 0);
	assert_int_equal(again->n_facts, 2);
	assert_string_equal(again->facts[1].name, "captures");
	assert_string_equal(again->facts[1].value, "a.pcap, b.pcap");
	assert_string_equal(again->producer, "wirescore");
	model_free(model);
	model_free(again);
}

static void a_foreign_file_has_defaults(void **state)
{
	(void)state;
	char error[256];
	struct model *model;
	size_t n_bytes;
	struct builder *b = builder_new(13, 1);
	MATRIX(b, "W", 1, 1, 3);
	builder_node(b, "MatMul", "", "x W", "y");
	b->model.producer_name = (char *)"py\x1b[31mtorch";
	b->model.producer_version = (char *)"1.13.1";
	uint8_t *bytes = builder_pack(b, &n_bytes);
	assert_int_equal(model_load_memory(bytes, n_bytes, &model, error, sizeof(error)), 0);
	assert_int_equal(model->task, MODEL_TASK_UNKNOWN);
	assert_int_equal(model->n_features + model->n_classes + model->n_facts + model->n_checkpoints, 0);
	assert_true(model->threshold == 0.5f);
	assert_null(model->schema);
	assert_string_equal(model->producer, "py?[31mtorch 1.13.1");
	model_free(model);
	builder_free(b);
}

static void bad_metadata_are_refused_by_key(void **state)
{
	(void)state;
	static const struct {
		const char *key, *value, *message;
	} cases[] = {
		{"wirescore.task", "frame", "wirescore.task: 'frame' cannot be understood"},
		{"wirescore.features", "a", "wirescore.features: 1 names, but the network has 2 inputs"},
		{"wirescore.features", "a,a", "wirescore.features: 'a' is there twice"},
		{"wirescore.features", "a,", "wirescore.features: name 2 ('') is empty"},
		{"wirescore.features", "a,b\x1b", "wirescore.features: name 2 ('b?')"},
		{"wirescore.features", "a,\xc0\x80", "unprintable"},
		{"wirescore.features", "a,\xc2\x9b", "unprintable"},
		{"wirescore.features", "a,\xed\xa0\x80", "unprintable"},
		{"wirescore.features", "a,\xff", "unprintable"},
		{"wirescore.features", "a,b\u200b", "unprintable"},
		{"wirescore.features", "a,b\u200f", "unprintable"},
		{"wirescore.features", "a,b\u2028", "unprintable"},
		{"wirescore.features", "a,b\u202e", "unprintable"},
		{"wirescore.features", "a,b\u2060", "unprintable"},
		{"wirescore.features", "a,b\u2069", "unprintable"},
		{"wirescore.features", "a,\ufeff", "unprintable"},
		{"wirescore.features", "a,\xe2\x82", "unprintable"},
		{"wirescore.classes", "a", "wirescore.classes: 1 names, but 1 output make 2 classes"},
		{"wirescore.classes", "a,b,c", "wirescore.classes: 3 names"},
		{"wirescore.threshold", "1.01", "wirescore.threshold: 1.01 is not within 0 and 1"},
		{"wirescore.threshold", "-0.1", "not within 0 and 1"},
		{"wirescore.threshold", "nan", "cannot be understood"},
		{"wirescore.threshold", "inf", "cannot be understood"},
		{"wirescore.threshold", "1e999", "not within 0 and 1"},
		{"wirescore.threshold", "", "cannot be understood"},
		{"wirescore.threshold", "0.5x", "cannot be understood"},
		{"wirescore.threshold", "0.5 ", "cannot be understood"},
		{"wirescore.schema", "", "wirescore.schema: '' is no hash"},
		{"wirescore.checkpoints", "1,1", "ascending"},
		{"wirescore.checkpoints", "4,2", "ascending"},
		{"wirescore.checkpoints", "end,2", "ascending"},
		{"wirescore.checkpoints", "0", "cannot be understood"},
		{"wirescore.checkpoints", "4294967296", "cannot be understood"},
		{"wirescore.checkpoints", "99999999999999999999999", "cannot be understood"},
		{"wirescore.checkpoints", "", "cannot be understood"},
		{"wirescore.train.seed", "4\n2", "wirescore.train.seed"},
		{"wirescore.train.", "42", "wirescore.train."},
		{"wirescore.entries", "9", "the file was cut"},
		{"wirescore.entries", "-1", "cannot be understood"},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char error[256] = "";
		struct model *model;
		size_t n_bytes;
		struct builder *b = builder_new(13, 2);
		MATRIX(b, "W", 2, 1, 3, 4);
		builder_node(b, "MatMul", "", "x W", "z");
		builder_node(b, "Sigmoid", "", "z", "y");
		builder_entry(b, cases[i].key, cases[i].value);
		uint8_t *bytes = builder_pack(b, &n_bytes);
		assert_int_equal(model_load_memory(bytes, n_bytes, &model, error, sizeof(error)), -EINVAL);
		assert_null(model);
		if (strstr(error, cases[i].message) == NULL)
			fail_msg("%s=%s: '%s' does not say '%s'", cases[i].key, cases[i].value, error,
				 cases[i].message);
		builder_free(b);
	}
}

static void an_entry_given_twice_is_refused(void **state)
{
	(void)state;
	static const char *const keys[] = {"wirescore.task", "wirescore.train.seed"};
	for (size_t i = 0; i < 2; i++) {
		char error[256] = "";
		struct model *model;
		size_t n_bytes;
		struct builder *b = builder_new(13, 1);
		MATRIX(b, "W", 1, 1, 3);
		builder_node(b, "MatMul", "", "x W", "z");
		builder_node(b, "Sigmoid", "", "z", "y");
		builder_entry(b, keys[i], "flow");
		builder_entry(b, keys[i], "packet");
		uint8_t *bytes = builder_pack(b, &n_bytes);
		assert_int_equal(model_load_memory(bytes, n_bytes, &model, error, sizeof(error)), -EINVAL);
		assert_non_null(strstr(error, "there twice"));
		builder_free(b);
	}
}

static void a_task_without_probabilities_is_refused(void **state)
{
	(void)state;
	char error[256] = "";
	struct model *model = full_model(NN_RELU, NN_TANH, 1);
	assert_int_equal(model_save(model, in_folder("a.onnx"), error, sizeof(error)), -EINVAL);
	assert_non_null(strstr(error, "must end in Sigmoid or Softmax"));
	model->task = MODEL_TASK_UNKNOWN;
	save(model, in_folder("a.onnx"));
	model_free(model);
}

static void a_network_that_cannot_be_scored_is_not_saved(void **state)
{
	(void)state;
	char error[256] = "";
	struct model *model = full_model(NN_RELU, NN_SIGMOID, 1);
	save(model, in_folder("a.onnx"));
	model->network.layers[1].weights[3] = NAN;
	assert_int_equal(model_save(model, in_folder("a.onnx"), error, sizeof(error)), -EINVAL);
	assert_non_null(strstr(error, "layer 2"));
	model_free(model);
	model_free(load(in_folder("a.onnx"))); /* the good one is still there */
}

static void names_that_a_list_cannot_hold_are_not_saved(void **state)
{
	(void)state;
	static const char *const bad[] = {"", "a,b", " a", "a ", "a\nb"};
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		char error[256] = "";
		struct model *model = full_model(NN_RELU, NN_SIGMOID, 1);
		assert_int_equal(model_set_classes(model, (const char *const[]){"good", bad[i]}, 2), 0);
		assert_int_equal(model_save(model, in_folder("a.onnx"), error, sizeof(error)), -EINVAL);
		assert_non_null(strstr(error, "wirescore.classes"));
		model_free(model);
	}
}

static void what_cannot_be_a_model_file_is_not_touched(void **state)
{
	(void)state;
	char error[256] = "";
	struct model *model = full_model(NN_RELU, NN_SIGMOID, 1);

	assert_int_equal(model_save(model, in_folder("none/a.onnx"), error, sizeof(error)), -ENOENT);
	assert_non_null(strstr(error, "No such file"));
	assert_int_equal(model_save(model, folder, error, sizeof(error)), -EINVAL);
	assert_int_equal(model_save(model, "/dev/null", error, sizeof(error)), -EINVAL);
	assert_non_null(strstr(error, "not a regular file"));
	struct stat status;
	assert_int_equal(stat("/dev/null", &status), 0);
	assert_true(S_ISCHR(status.st_mode));
	model_free(model);
}

/* The number of entries of the folder; its temporary files begin with a dot. */
static unsigned n_files(void)
{
	unsigned n = 0;
	DIR *directory = opendir(folder);
	assert_non_null(directory);
	for (struct dirent *entry; (entry = readdir(directory)) != NULL;)
		n += strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
	closedir(directory);
	return n;
}

/* The disk is full in the middle of the file, or breaks at its end. */
static void a_failed_save_leaves_the_old_file_and_nothing_else(void **state)
{
	(void)state;
	struct model *model = full_model(NN_RELU, NN_SIGMOID, 1);
	const struct rlimit none = {RLIM_INFINITY, RLIM_INFINITY}, small = {100, RLIM_INFINITY};
	size_t n_before, n_after;

	unlink(in_folder("b.onnx"));
	save(model, in_folder("a.onnx"));
	char *before = slurp(in_folder("a.onnx"), &n_before);
	model->threshold = 0.2f;
	for (int way = 0; way < 2; way++) {
		char error[256] = "";
		void (*old)(int) = signal(SIGXFSZ, SIG_IGN);
		if (way == 0)
			assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
		else
			sync_error = EIO;
		int rc = model_save(model, in_folder("a.onnx"), error, sizeof(error));
		sync_error = 0;
		assert_int_equal(setrlimit(RLIMIT_FSIZE, &none), 0);
		signal(SIGXFSZ, old);
		assert_int_equal(rc, way == 0 ? -EFBIG : -EIO);
		assert_non_null(strstr(error, "cannot write: "));
		assert_int_equal(n_files(), 1);
		char *after = slurp(in_folder("a.onnx"), &n_after);
		assert_int_equal(n_before, n_after);
		assert_memory_equal(before, after, n_before);
		free(after);
	}
	free(before);
	model_free(model);
}

static void a_save_is_on_the_disk_before_it_is_done(void **state)
{
	(void)state;
	struct model *model = full_model(NN_RELU, NN_SIGMOID, 1);
	n_synced = 0;
	save(model, in_folder("a.onnx"));
	assert_int_equal(n_synced, 2); /* the file, and the folder that names it */
	model_free(model);
}

static void a_save_follows_a_link_and_keeps_the_rights_of_what_is_there(void **state)
{
	(void)state;
	struct model *model = full_model(NN_RELU, NN_SIGMOID, 1);
	struct stat status;

	save(model, in_folder("a.onnx"));
	assert_int_equal(chmod(in_folder("a.onnx"), 0640), 0);
	unlink(in_folder("b.onnx"));
	assert_int_equal(symlink("a.onnx", in_folder("b.onnx")), 0);
	model->threshold = 0.2f;
	save(model, in_folder("b.onnx"));
	assert_int_equal(lstat(in_folder("b.onnx"), &status), 0);
	assert_true(S_ISLNK(status.st_mode));
	assert_int_equal(lstat(in_folder("a.onnx"), &status), 0);
	assert_true(S_ISREG(status.st_mode));
	assert_int_equal(status.st_mode & 07777, 0640);
	struct model *again = load(in_folder("a.onnx"));
	assert_true(again->threshold == 0.2f);
	unlink(in_folder("b.onnx"));
	model_free(model);
	model_free(again);
}

/* Somebody who guesses the name of the temporary file gets nothing written through a link of that name. */
static void a_temporary_file_is_always_a_new_one(void **state)
{
	(void)state;
	char name[64];
	struct model *model = full_model(NN_RELU, NN_SIGMOID, 1);

	unlink(in_folder("b.onnx"));
	snprintf(name, sizeof(name), ".wirescore.%ld.0", (long)getpid());
	assert_int_equal(symlink("b.onnx", in_folder(name)), 0);
	save(model, in_folder("a.onnx"));
	assert_int_not_equal(access(in_folder("b.onnx"), F_OK), 0);
	assert_int_equal(unlink(in_folder(name)), 0);
	model_free(model);
}

static void a_name_may_be_as_long_as_names_can_be(void **state)
{
	(void)state;
	char path[512];
	struct model *model = full_model(NN_RELU, NN_SIGMOID, 1);

	snprintf(path, sizeof(path), "%s/%0255d", folder, 7);
	save(model, path);
	assert_int_equal(unlink(path), 0);
	model_free(model);
}

/* Loads path, which must fail with a message that holds text. */
static void refuse(const char *path, int code, const char *text)
{
	char error[256] = "";
	struct model *model;
	assert_int_equal(model_load(path, &model, error, sizeof(error)), code);
	assert_null(model);
	if (strstr(error, text) == NULL)
		fail_msg("'%s' does not say '%s'", error, text);
}

static void files_that_are_no_models_are_refused_at_once(void **state)
{
	(void)state;
	const char *path = in_folder("a.onnx");

	unlink(path);
	refuse(path, -ENOENT, "No such file");
	refuse(folder, -EISDIR, "directory");
	refuse("/dev/zero", -EINVAL, "not a regular file");
	assert_int_equal(mkfifo(path, 0600), 0);
	refuse(path, -EINVAL, "not a regular file");
	unlink(path);
	int fd = open(path, O_CREAT | O_WRONLY, 0600);
	refuse(path, -EINVAL, "empty");
	assert_int_equal(ftruncate(fd, (off_t)2 << 30), 0);
	refuse(path, -EFBIG, "too many for a model");
	assert_int_equal(ftruncate(fd, 1000), 0);
	refuse(path, -EINVAL, "not an ONNX file");
	close(fd);
	if (geteuid() != 0) {
		assert_int_equal(chmod(path, 0), 0);
		refuse(path, -EACCES, "Permission denied");
	}
	unlink(path);
}

static void strings_are_replaced_and_freed(void **state)
{
	(void)state;
	struct model *model = full_model(NN_RELU, NN_SIGMOID, 1);
	assert_int_equal(model_set_schema(model, "other"), 0);
	assert_int_equal(model_set_features(model, (const char *const[]){"a", "b", "c"}, 3), 0);
	assert_string_equal(model->schema, "other");
	assert_string_equal(model->features[2], "c");
	assert_string_equal(model_task_name(MODEL_TASK_PACKET), "packet");
	model_free(model);
	model_free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_saved_loads_and_saves_to_the_same_bytes),
		cmocka_unit_test(logarithms_are_written_as_ordinary_operators),
		cmocka_unit_test(an_idle_input_stage_is_not_written),
		cmocka_unit_test(metadata_survive),
		cmocka_unit_test(a_foreign_file_has_defaults),
		cmocka_unit_test(bad_metadata_are_refused_by_key),
		cmocka_unit_test(an_entry_given_twice_is_refused),
		cmocka_unit_test(a_task_without_probabilities_is_refused),
		cmocka_unit_test(a_network_that_cannot_be_scored_is_not_saved),
		cmocka_unit_test(names_that_a_list_cannot_hold_are_not_saved),
		cmocka_unit_test(what_cannot_be_a_model_file_is_not_touched),
		cmocka_unit_test(a_failed_save_leaves_the_old_file_and_nothing_else),
		cmocka_unit_test(a_save_is_on_the_disk_before_it_is_done),
		cmocka_unit_test(a_save_follows_a_link_and_keeps_the_rights_of_what_is_there),
		cmocka_unit_test(a_temporary_file_is_always_a_new_one),
		cmocka_unit_test(a_name_may_be_as_long_as_names_can_be),
		cmocka_unit_test(files_that_are_no_models_are_refused_at_once),
		cmocka_unit_test(strings_are_replaced_and_freed),
	};
	return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
