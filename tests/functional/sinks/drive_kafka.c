/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Drives the Kafka sink against librdkafka's mock cluster, which lives in this process; see drive.h.
 * test_sink_kafka.py says what has to come out.
 *
 *	cluster N TOPIC PARTITIONS   brokers 1..N
 *	leader PARTITION BROKER      moves a partition
 *	down BROKER, up BROKER       -1: all
 *	errors APIKEY CODE...        the next requests of that kind fail
 *	user NAME PASSWORD           before open
 *	open SERVER [NAME=VALUE...]  SERVER mock: the cluster
 *	offer N KEYS [BYTES]         N more records, of so many conversations in turn, padded to so many bytes
 *	run SECONDS [UNTIL]          delivers as the framework does, until nothing (or UNTIL in all) is left to deliver
 *	stop                         the run ends: deliver has little patience
 *	close
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>

#include "drive.h"
#include "sink_drivers.h"

#define DRIVE_MAX_WORDS 32
#define TEXT_BYTES	4096

struct drive {
	rd_kafka_t *host; /* of the cluster */
	rd_kafka_mock_cluster_t *cluster;
	char topic[64];
	char *properties[DRIVE_MAX_WORDS + 1];
	char *user, *password, *server;
	atomic_bool stop;
	struct sink_options options;
	void *state;
	struct drive_queue queue;
	uint32_t n_keys;
	int n_pad; /* spaces in each text */
};

static void do_cluster(struct drive *drive, char **words)
{
	char error[512];

	drive->host = rd_kafka_new(RD_KAFKA_CONSUMER, rd_kafka_conf_new(), error, sizeof(error));
	if (!drive->host) {
		drive_answer_error(error);
		return;
	}
	drive->cluster = rd_kafka_mock_cluster_new(drive->host, atoi(words[1]));
	snprintf(drive->topic, sizeof(drive->topic), "%s", words[2]);
	rd_kafka_mock_topic_create(drive->cluster, drive->topic, atoi(words[3]), 1);
	printf("{\"servers\":\"%s\"}\n", rd_kafka_mock_cluster_bootstraps(drive->cluster));
}

static void do_errors(struct drive *drive, char **words, int n)
{
	rd_kafka_resp_err_t errors[DRIVE_MAX_WORDS];

	for (int i = 2; i < n; i++)
		errors[i - 2] = atoi(words[i]);
	rd_kafka_mock_push_request_errors_array(drive->cluster, (int16_t)atoi(words[1]), (size_t)n - 2, errors);
	printf("{}\n");
}

static void do_open(struct drive *drive, char **words, int n)
{
	char error[512] = "";

	free(drive->server);
	drive->server =
		strdup(strcmp(words[1], "mock") ? words[1] : rd_kafka_mock_cluster_bootstraps(drive->cluster));
	for (int i = 2; i <= n; i++) {
		free(drive->properties[i - 2]);
		drive->properties[i - 2] = i < n ? strdup(words[i]) : NULL;
	}
	drive->options = (struct sink_options){
		.name = "test",
		.stop = &drive->stop,
		.server = drive->server,
		.topic = drive->topic[0] ? drive->topic : "records",
		.user = drive->user,
		.password = drive->password,
		.properties = (const char *const *)drive->properties,
	};
	if (sink_kafka_driver.open(&drive->options, NULL, &drive->state, error, sizeof(error)))
		drive_answer_error(error);
	else
		printf("{}\n");
}

/* Record number first and those behind it. */
static void make_items(void *context, uint32_t first, uint32_t n, struct sink_item *items)
{
	static char texts[SINK_MAX_BATCH][TEXT_BYTES];
	const struct drive *drive = context;

	for (uint32_t i = 0; i < n; i++) {
		uint32_t number = first + i;
		int bytes = snprintf(texts[i], TEXT_BYTES, "{\"n\":%u,\"key\":%u%*s}", number,
				     number % drive->n_keys, drive->n_pad, "");

		items[i] = (struct sink_item){
			.text = texts[i], .text_bytes = (size_t)bytes, .key = number % drive->n_keys};
	}
}

static void do_user(struct drive *drive, char **words)
{
	free(drive->user);
	free(drive->password);
	drive->user = strdup(words[1]);
	drive->password = strdup(words[2]);
	printf("{}\n");
}

/* What changes the cluster. 0 where the command is another one. */
static int do_cluster_command(struct drive *drive, char **words, int n)
{
	if (!strcmp(words[0], "cluster") && n == 4)
		do_cluster(drive, words);
	else if (!strcmp(words[0], "leader") && n == 3)
		printf("{\"rc\":%d}\n", rd_kafka_mock_partition_set_leader(drive->cluster, drive->topic,
									   atoi(words[1]), atoi(words[2])));
	else if (!strcmp(words[0], "down") && n == 2)
		printf("{\"rc\":%d}\n", rd_kafka_mock_broker_set_down(drive->cluster, atoi(words[1])));
	else if (!strcmp(words[0], "up") && n == 2)
		printf("{\"rc\":%d}\n", rd_kafka_mock_broker_set_up(drive->cluster, atoi(words[1])));
	else if (!strcmp(words[0], "errors") && n > 2)
		do_errors(drive, words, n);
	else
		return 0;
	return 1;
}

static void do_command(struct drive *drive, char **words, int n)
{
	if (do_cluster_command(drive, words, n))
		return;
	if (!strcmp(words[0], "user") && n == 3) {
		do_user(drive, words);
	} else if (!strcmp(words[0], "open") && n >= 2) {
		do_open(drive, words, n);
	} else if (!strcmp(words[0], "offer") && n >= 3) {
		drive->queue.n_offered += (uint32_t)atoi(words[1]);
		drive->n_keys = (uint32_t)atoi(words[2]);
		drive->n_pad = n > 3 ? atoi(words[3]) : 0;
		printf("{}\n");
	} else if (!strcmp(words[0], "run") && n >= 2) {
		drive_run(&sink_kafka_driver, drive->state, &drive->queue, make_items, drive, atof(words[1]),
			  n > 2 ? (uint32_t)atoi(words[2]) : drive->queue.n_offered);
	} else if (!strcmp(words[0], "stop")) {
		atomic_store(&drive->stop, true);
		printf("{}\n");
	} else if (!strcmp(words[0], "close")) {
		drive_close(&sink_kafka_driver, &drive->state);
	} else {
		printf("{\"error\":\"no such command\"}\n");
	}
}

int main(void)
{
	struct drive drive = {.n_keys = 1};
	char line[4096], *words[DRIVE_MAX_WORDS];
	int n;

	while ((n = drive_read(line, sizeof(line), words)))
		do_command(&drive, words, n);
	if (drive.state)
		sink_kafka_driver.close(drive.state, line, sizeof(line));
	if (drive.cluster)
		rd_kafka_mock_cluster_destroy(drive.cluster);
	if (drive.host)
		rd_kafka_destroy(drive.host);
	for (int i = 0; i <= DRIVE_MAX_WORDS; i++)
		free(drive.properties[i]);
	free(drive.user);
	free(drive.password);
	free(drive.server);
	return 0;
}
