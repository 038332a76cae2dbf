/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What is wrong with where records go: keys that the kind of sink does not know, files that are read or named twice,
 * filters that nothing would pass. Called by config_check.
 */
#include <stddef.h>
#include <string.h>
#include <sys/stat.h>

#include "config_check.h"
#include "config_keys.h"
#include "output.h"
#include "same_file.h"
#include "sinks/sink_kinds.h"
#include "sinks/sink_secret.h"

#define SENSOR_MAX_BYTES 64
#define SENSOR_LETTERS	 "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-"

#define TO(kind) (1u << CONFIG_TO_##kind)
#define BROKERS	 (TO(REDIS) | TO(RABBITMQ) | TO(KAFKA))

/* Keys that not all kinds of sinks know, and who does. */
static const struct {
	size_t offset;
	unsigned int kinds;
} special_keys[] = {
	{offsetof(struct config_records, form), TO(FILE) | BROKERS},
	{offsetof(struct config_records, heartbeat_ns), TO(FILE) | BROKERS},
	{offsetof(struct config_records, path), TO(FILE)},
	{offsetof(struct config_records, rotate_mb), TO(FILE)},
	{offsetof(struct config_records, rotate_ns), TO(FILE)},
	{offsetof(struct config_records, n_kept), TO(FILE)},
	{offsetof(struct config_records, compress), TO(FILE)},
	{offsetof(struct config_records, has_fsync), TO(FILE)},
	{offsetof(struct config_records, server), BROKERS | TO(IPFIX)},
	{offsetof(struct config_records, user), BROKERS},
	{offsetof(struct config_records, password_file), BROKERS},
	{offsetof(struct config_records, password_env), BROKERS},
	{offsetof(struct config_records, topic), BROKERS},
	{offsetof(struct config_records, exchange), TO(RABBITMQ)},
	{offsetof(struct config_records, virtual_host), TO(RABBITMQ)},
	{offsetof(struct config_records, is_list), TO(REDIS)},
	{offsetof(struct config_records, n_longest), TO(REDIS)},
	{offsetof(struct config_records, properties), TO(KAFKA)},
	{offsetof(struct config_records, is_udp), TO(IPFIX)},
	{offsetof(struct config_records, domain), TO(IPFIX)},
};

/* What the kind of sink needs, and what it does not know. */
static void check_kind(const struct config *config, struct config_problems *problems,
		       const struct config_records *records)
{
	const char *kind = sink_kinds[records->to].name;

	for (size_t i = 0; i < sizeof(special_keys) / sizeof(special_keys[0]); i++) {
		const void *field = (const char *)records + special_keys[i].offset;

		if (!(special_keys[i].kinds >> records->to & 1) && config_is_set(config, field))
			config_tell(config, problems, field, "means nothing with to = %s; leave it out", kind);
	}
	if (records->to == CONFIG_TO_FILE && !records->path)
		config_tell(config, problems, &records->path, "is not set; write path = FILE, or - for stdout");
	else if (records->to != CONFIG_TO_FILE && !records->server)
		config_tell(config, problems, &records->server, "is not set; write server = HOST:PORT");
	/* As URLs have it: it would be in reports and in errors. */
	if (records->server && records->server[0] != '/' && strchr(records->server, '@'))
		config_tell(config, problems, &records->server,
			    "has a user or a password; write HOST:PORT, and user and password-file");
	if (records->password_file && records->password_env)
		config_tell(config, problems, &records->password_env, "password-file is set too; keep one");
}

/* What can be written of packets and of flows. */
static void check_form(const struct config *config, struct config_problems *problems,
		       const struct config_records *records)
{
	if (records->records == SINK_FLOWS && !config->flow.n_flows)
		config_tell(config, problems, records,
			    "[flow] flows is 0, so there are none; set it, or write records = packets");
	if (records->records == SINK_FLOWS)
		return;
	if (records->to == CONFIG_TO_IPFIX)
		config_tell(config, problems, &records->records, "IPFIX carries flows; write records = flows");
	if (records->form == SINK_JOY)
		config_tell(config, problems, &records->form, "Joy has flows alone; write ndjson or csv");
}

static void check_heartbeat(const struct config *config, struct config_problems *problems,
			    const struct config_records *records)
{
	if (!records->heartbeat_ns)
		return;
	if (records->form != SINK_NDJSON)
		config_tell(config, problems, &records->heartbeat_ns,
			    "its lines are JSON, which would stand between others; write format = ndjson, or off");
	if (!config->sensor.name)
		config_tell(config, problems, &records->heartbeat_ns,
			    "would not tell whose it is; set [sensor] name too");
}

/* Filters that nothing, or that everything would pass. */
static void check_filter(const struct config *config, struct config_problems *problems,
			 const struct config_records *records)
{
	bool is_flows = records->records == SINK_FLOWS;
	bool has_model =
		is_flows ? config->models.flow.path && config->flow.n_flows : config->models.packet.path != NULL;
	const char *section = is_flows ? "[models] flow" : "[models] packet";
	const char *kind = is_flows ? "flow" : "packet";

	if (!has_model && records->classes.n && is_flows)
		config_tell(config, problems, &records->classes, "%s is none, so no flow has a class; leave it out",
			    section);
	if (!has_model && records->min_score > 0)
		config_tell(config, problems, &records->min_score, "%s is none, so no %s has a score; leave it out",
			    section, kind);
	if (!has_model && records->uncertain > 0)
		config_tell(config, problems, &records->uncertain, "%s is none, so no %s has a score; leave it out",
			    section, kind);
}

/* Whether what is written to path would be the file at other, which is read. */
static bool is_file_read(const char *path, const char *other)
{
	struct stat left, right;

	return path && other && !stat(path, &left) && !stat(other, &right) && S_ISREG(left.st_mode) &&
	       is_same_file(&left, &right);
}

/* Whether two paths lead to one file or pipe, in which lines would get mixed up; a file may not be there yet. */
static bool is_same_path(const char *left, const char *right)
{
	struct stat l, r;

	if (!strcmp(left, right) || (output_path_is_stdout(left) && output_path_is_stdout(right)))
		return true;
	return !stat(left, &l) && !stat(right, &r) && !S_ISCHR(l.st_mode) && is_same_file(&l, &r);
}

static void check_path(const struct config *config, struct config_problems *problems,
		       const struct config_records *records)
{
	const char *path = records->to == CONFIG_TO_FILE ? records->path : NULL;

	if (!path)
		return;
	if (!strcmp(path, "-") && (records->rotate_mb || records->rotate_ns))
		config_tell(config, problems, &records->path, "stdout cannot be rotated; name a file");
	if (strcmp(path, "-") &&
	    (is_file_read(path, config->path) || is_file_read(path, config->models.packet.path) ||
	     is_file_read(path, config->models.flow.path)))
		config_tell(config, problems, &records->path, "%s is a file that is read; name another one", path);
	for (const struct config_records *other = config->records; other < records; other++)
		if (other->to == CONFIG_TO_FILE && other->path && is_same_path(path, other->path))
			config_tell(config, problems, &records->path,
				    "%s is the file of records %s too; name another", path, other->name);
	if (records->n_kept && !records->rotate_mb && !records->rotate_ns)
		config_tell(config, problems, &records->n_kept,
			    "nothing is rotated; set rotate-mb or rotate-seconds too");
}

static void check_sensor(const struct config *config, struct config_problems *problems)
{
	const char *name = config->sensor.name;

	/* It stands in JSON, CSV and keys as it is. */
	if (name && (strlen(name) > SENSOR_MAX_BYTES || name[strspn(name, SENSOR_LETTERS)]))
		config_tell(config, problems, &config->sensor.name,
			    "'%s' is no plain name; write up to %d letters, digits, '.', '_' and '-'", name,
			    SENSOR_MAX_BYTES);
}

void config_check_records(const struct config *config, struct config_problems *problems)
{
	check_sensor(config, problems);
	for (uint32_t i = 0; i < config->n_records; i++) {
		const struct config_records *records = &config->records[i];

		check_kind(config, problems, records);
		check_form(config, problems, records);
		check_heartbeat(config, problems, records);
		check_filter(config, problems, records);
		check_path(config, problems, records);
	}
}

/* Finds one class. 0 after telling. */
static uint64_t find_class(const struct config *config, struct config_problems *problems,
			   const struct config_records *records, const char *name, const char *const *names,
			   uint32_t n)
{
	int32_t near;

	for (uint32_t i = 0; i < n; i++)
		if (!strcmp(names[i], name))
			return UINT64_C(1) << i;
	if (!strcmp(name, "attacks") && records->records == SINK_FLOWS)
		return (n < 64 ? (UINT64_C(1) << n) - 1 : UINT64_MAX) & ~UINT64_C(1);
	near = config_name_near(name, names, n);
	config_tell(config, problems, &records->classes, "the model of %s has no class '%s'; do you mean %s?",
		    records->records == SINK_FLOWS ? "flows" : "packets", name,
		    names[near >= 0 ? near : (int32_t)n - 1]);
	return 0;
}

void config_check_records_classes(struct config *config, struct config_problems *problems, enum sink_records kind,
				  const char *const *names, uint32_t n)
{
	for (uint32_t i = 0; i < config->n_records; i++) {
		struct config_records *records = &config->records[i];

		if (records->records != kind)
			continue;
		records->class_mask = 0;
		for (uint32_t k = 0; k < records->classes.n; k++)
			records->class_mask |=
				find_class(config, problems, records, records->classes.words[k], names, n);
	}
}

/* What a file is to be compressed with that this build does not have. */
static void check_compression(const struct config *config, struct config_problems *problems,
			      const struct config_records *records)
{
	bool is_auto = records->compress == CONFIG_COMPRESS_AUTO;

	if (sink_kind_find("zstd")->is_built || !records->path ||
	    (records->compress != CONFIG_COMPRESS_ZSTD &&
	     !(is_auto && output_path_ends(records->path, strlen(records->path), ".zst"))))
		return;
	config_tell(config, problems, is_auto ? (const void *)&records->path : &records->compress,
		    "this build has no zstd; install libzstd-dev and build again, or write gzip");
}

/* Whether the password is there. What a pipe has can be read only once, and that is for the run. */
static void check_secret(const struct config *config, struct config_problems *problems,
			 const struct config_records *records)
{
	const char *file = records->password_file;
	char error[512], *secret = NULL;
	struct stat status;

	if (file && !stat(file, &status) && S_ISFIFO(status.st_mode))
		return;
	if (sink_secret_read(file, records->password_env, &secret, error, sizeof(error)))
		config_tell(config, problems, file ? (const void *)&records->password_file : &records->password_env,
			    "%s", error);
	sink_secret_free(secret);
}

void config_check_records_machine(const struct config *config, struct config_problems *problems)
{
	for (uint32_t i = 0; i < config->n_records; i++) {
		const struct config_records *records = &config->records[i];
		const struct sink_kind *kind = &sink_kinds[records->to];

		if (!kind->is_built)
			config_tell(config, problems, &records->to,
				    "this build has no %s; install %s and build again", kind->name, kind->package);
		if (records->to == CONFIG_TO_FILE) {
			config_check_output(config, problems, &records->path, records->path,
					    records->rotate_mb || records->rotate_ns, &config->security);
			check_compression(config, problems, records);
		}
		check_secret(config, problems, records);
	}
}
