/* SPDX-License-Identifier: BSD-3-Clause */
/* Writes the corpus that fuzz_config.c begins with into a folder: every key with its default, and files with mistakes. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config_keys.h"

static const struct {
	const char *override, *text;
} seeds[] = {
	{"", "[port a]\ndevice = net_null0\n[port b]\ndevice = 03:00.0\n[pair p]\nports = a, b\n"},
	{"port.a.mtu=9000", "[port a]\ndevice = net_pcap0,rx_pcap=x,tx_pcap=y\nmtu = 1500\n"},
	{"policy.x.y.action=mirror a", "[port a]\ndevice = eth1\n[policy x]\naction = mark dscp 63\n"},
	{"eal.cores=1-3,5", "\xef\xbb\xbf; x\r\n [eal ] # c\n a=b\\#c\n[x\n=\n==\n\x1b\n[port a]\n[port a]\n"},
	{"records.r.classes=attacks, x",
	 "[port a]\ndevice = net_null0\n[records r]\npath = a.gz\nrotate-mb = 1\nkeep = 2\n[records s]\nto = kafka\n"
	 "server = h:1,[::1]:2\nproperties = a=b c=d\npassword-file = x\n"},
	{"flow.checkpoints=1,2,end", "[flow]\nhash-seed = 1\nhash-seed = 2\nidle-timeout = 1e-3\n"},
};

static FILE *open_seed(const char *folder, size_t number)
{
	char path[4096];
	FILE *file;

	snprintf(path, sizeof(path), "%s/config%02zu", folder, number);
	file = fopen(path, "wb");
	if (file == NULL) {
		perror(path);
		exit(1);
	}
	return file;
}

static void close_seed(FILE *file)
{
	if (ferror(file) || fclose(file) != 0) {
		perror("seed");
		exit(1);
	}
}

/* Every section and key with its default. */
static void write_defaults(FILE *file)
{
	const struct config_section *section = NULL;

	fputc('\0', file);
	for (uint32_t i = 0; i < config_n_keys; i++) {
		const struct config_key *key = &config_keys[i];

		if (key->section != section)
			fprintf(file, "[%s%s]\n", key->section->name, key->section->naming ? " a" : "");
		section = key->section;
		fprintf(file, "%s = %s\n", key->name, key->standard ? key->standard : "net_null0");
	}
}

int main(int argc, char **argv)
{
	size_t n = sizeof(seeds) / sizeof(seeds[0]);
	FILE *file;

	if (argc != 2) {
		fprintf(stderr, "usage: %s FOLDER\n", argv[0]);
		return 2;
	}
	for (size_t i = 0; i < n; i++) {
		file = open_seed(argv[1], i);
		fwrite(seeds[i].override, 1, strlen(seeds[i].override) + 1, file);
		fputs(seeds[i].text, file);
		close_seed(file);
	}
	file = open_seed(argv[1], n);
	write_defaults(file);
	close_seed(file);
	return 0;
}
