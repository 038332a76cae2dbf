/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Config files of arbitrary bytes, read, overridden and checked, but for what they name on this machine. Input: up to
 * the first NUL an override, SECTION.KEY=VALUE, then the file.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "config.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(int condition)
{
	if (!condition)
		abort();
}

/* Every mistake is one line of text; a config without any can be run. */
static void check_result(const struct config *config, struct config_problems *problems)
{
	config_problems_sort(problems);
	for (uint32_t i = 0; i < problems->n; i++) {
		check(problems->list[i].text[0] != '\0' && !strchr(problems->list[i].text, '\n'));
		/* 0, no line, comes last. */
		check(i == 0 || problems->list[i - 1].line - 1 <= problems->list[i].line - 1);
	}
	check(config_n_workers(config) > 0 && config->n_ports <= CONFIG_MAX_PORTS);
	if (problems->n)
		return;
	check(config->n_ports > 0);
	for (uint32_t i = 0; i < config->n_ports; i++) {
		check(config->ports[i].device.text != NULL && config->ports[i].name[0] != '\0');
		check(config->ports[i].peer < (int32_t)config->n_ports);
	}
	for (uint32_t i = 0; i < config->n_pairs; i++)
		check(config->ports[config->pairs[i].ports[0]].peer == config->pairs[i].ports[1]);
}

static void take_override(struct config *config, const uint8_t *data, size_t size, struct config_problems *problems)
{
	char *name = strndup((const char *)data, size), *equals = strchr(name, '=');

	if (equals) {
		*equals = '\0';
		check(config_override(config, name, equals + 1, problems) == 0);
	}
	free(name);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct config_problems problems = {0};
	struct config *config = config_create();
	size_t n = strnlen((const char *)data, size), begin = n < size ? n + 1 : n;
	int fd = memfd_create("config", MFD_CLOEXEC);
	char path[32];
	json_t *json;

	check(config != NULL && fd >= 0 && write(fd, data + begin, size - begin) == (ssize_t)(size - begin));
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	check(config_read(config, path, &problems) == 0);
	take_override(config, data, n, &problems);
	check(config_check(config, 0, &problems) == 0);
	check_result(config, &problems);
	json = config_problems_json(&problems);
	check(json != NULL && json_array_size(json) == problems.n);
	json_decref(json);
	config_problems_free(&problems);
	config_free(config);
	close(fd);
	return 0;
}
