/* SPDX-License-Identifier: BSD-3-Clause */
#include "telemetry_json.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <rte_version.h>

#if RTE_VERSION >= RTE_VERSION_NUM(23, 3, 0, 0)
#define rte_tel_data_add_dict_u64  rte_tel_data_add_dict_uint
#define rte_tel_data_add_array_u64 rte_tel_data_add_array_uint
#define RTE_TEL_U64_VAL		   RTE_TEL_UINT_VAL
#endif

void telemetry_json_text(char text[RTE_TEL_MAX_STRING_LEN], const char *from)
{
	size_t n = strnlen(from, RTE_TEL_MAX_STRING_LEN);

	/* DPDK 22.11 reads past a table for bytes above 127. */
	for (size_t i = 0; i < n; i++)
		text[i] = from[i] >= ' ' && from[i] <= '~' ? from[i] : '?';
	if (n < RTE_TEL_MAX_STRING_LEN)
		text[n] = '\0';
	else
		strcpy(text + RTE_TEL_MAX_STRING_LEN - sizeof("..."), "...");
}

static void remove_last(json_t *value)
{
	const char *key, *last = NULL;
	json_t *member;

	if (json_is_array(value)) {
		json_array_remove(value, json_array_size(value) - 1);
		return;
	}
	json_object_foreach(value, key, member)
	{
		last = key;
	}
	json_object_del(value, last);
}

uint32_t telemetry_json_fit(json_t *object, const char *name)
{
	json_t *value = name ? json_object_get(object, name) : object;
	uint32_t n = 0;

	while ((json_is_array(value) ? json_array_size(value) : json_object_size(value)) &&
	       json_dumpb(object, NULL, 0, JSON_COMPACT | JSON_REAL_PRECISION(6)) > TELEMETRY_JSON_BYTES) {
		remove_last(value);
		n++;
	}
	return n;
}

/* A name as DPDK takes it. */
static void put_name(char name[RTE_TEL_MAX_STRING_LEN], const char *key)
{
	telemetry_json_text(name, key);
	for (char *at = name; *at; at++)
		if (!isalnum((unsigned char)*at))
			*at = '_';
}

/* The name of a member, which no member before it has. */
static void name_of(char name[RTE_TEL_MAX_STRING_LEN], const json_t *object, const char *until)
{
	char other[RTE_TEL_MAX_STRING_LEN];
	unsigned int n_same = 0;
	const char *key;
	json_t *member;
	size_t length;

	put_name(name, until);
	json_object_foreach((json_t *)(uintptr_t)object, key, member)
	{
		if (key == until)
			break;
		put_name(other, key);
		n_same += !strcmp(name, other);
	}
	length = strnlen(name, RTE_TEL_MAX_STRING_LEN - 16);
	if (n_same)
		snprintf(name + length, RTE_TEL_MAX_STRING_LEN - length, "_%u", n_same + 1);
}

/* A number with a fraction: DPDK 22.11 has none. */
static void text_of_real(char text[RTE_TEL_MAX_STRING_LEN], double value)
{
	snprintf(text, RTE_TEL_MAX_STRING_LEN, "%.6g", value);
}

static void fill_array(struct rte_tel_data *data, const json_t *array)
{
	const json_t *first = json_array_get(array, 0);
	char text[RTE_TEL_MAX_STRING_LEN];
	size_t i;
	json_t *value;

	rte_tel_data_start_array(data, !first || json_is_integer(first) ? RTE_TEL_U64_VAL : RTE_TEL_STRING_VAL);
	json_array_foreach((json_t *)(uintptr_t)array, i, value)
	{
		if (json_is_integer(first)) {
			rte_tel_data_add_array_u64(data, (uint64_t)json_integer_value(value));
			continue;
		}
		if (json_is_real(value))
			text_of_real(text, json_real_value(value));
		else
			telemetry_json_text(text, json_is_string(value) ? json_string_value(value) : "");
		rte_tel_data_add_array_string(data, text);
	}
}

static int fill_object(struct rte_tel_data *data, const json_t *object);

/* An array of objects as an object. 0 or -ENOMEM. */
static int fill_numbered(struct rte_tel_data *data, const json_t *array)
{
	json_t *object = json_object();
	char name[32];
	size_t i;
	json_t *value;
	int rc;

	json_array_foreach((json_t *)(uintptr_t)array, i, value)
	{
		snprintf(name, sizeof(name), "%zu", i + 1);
		json_object_set(object, name, value);
	}
	rc = object ? fill_object(data, object) : -ENOMEM;
	json_decref(object);
	return rc;
}

static int add_container(struct rte_tel_data *data, const char *name, const json_t *value)
{
	struct rte_tel_data *inner = rte_tel_data_alloc();
	int rc = inner ? 0 : -ENOMEM;

	if (!rc && json_is_object(value))
		rc = fill_object(inner, value);
	else if (!rc && json_is_object(json_array_get(value, 0)))
		rc = fill_numbered(inner, value);
	else if (!rc)
		fill_array(inner, value);
	/* Told DPDK to keep nothing, it frees what it takes. */
	if (rc || rte_tel_data_add_dict_container(data, name, inner, 0))
		rte_tel_data_free(inner);
	return rc;
}

static int add_member(struct rte_tel_data *data, const char *name, const json_t *value)
{
	char text[RTE_TEL_MAX_STRING_LEN];

	if (json_is_object(value) || json_is_array(value))
		return add_container(data, name, value);
	if (json_is_integer(value)) {
		rte_tel_data_add_dict_u64(data, name, (uint64_t)json_integer_value(value));
	} else if (json_is_boolean(value)) {
		rte_tel_data_add_dict_u64(data, name, json_is_true(value));
	} else if (json_is_real(value)) {
		text_of_real(text, json_real_value(value));
		rte_tel_data_add_dict_string(data, name, text);
	} else if (json_is_string(value)) {
		telemetry_json_text(text, json_string_value(value));
		rte_tel_data_add_dict_string(data, name, text);
	}
	return 0;
}

static int fill_object(struct rte_tel_data *data, const json_t *object)
{
	char name[RTE_TEL_MAX_STRING_LEN];
	const char *key;
	json_t *value;
	int rc = 0;

	rte_tel_data_start_dict(data);
	json_object_foreach((json_t *)(uintptr_t)object, key, value)
	{
		name_of(name, object, key);
		rc = add_member(data, name, value);
		if (rc)
			break;
	}
	return rc;
}

int telemetry_json_answer(struct rte_tel_data *answer, const json_t *object)
{
	return fill_object(answer, object);
}
