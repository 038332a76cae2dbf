/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The config of `wirescore run`: one plain struct, filled with defaults, then from one INI file, then from --set, and
 * checked as a whole. Used by the control core, on its thread; workers never see it.
 *
 *	struct config *config = config_create();
 *	config_read(config, "wirescore.conf", &problems);
 *	config_override(config, "port.lan.queues", "2", &problems);
 *	config_check(config, CONFIG_CHECK_MODELS | CONFIG_CHECK_MACHINE, &problems);
 *	... nothing may be run where problems.n is not 0 ...
 *	config_free(config);
 */
#ifndef WIRESCORE_CONTROL_CONFIG_H
#define WIRESCORE_CONTROL_CONFIG_H

#include <stdbool.h>
#include <stdint.h>

#include "config_problems.h"
#include "flow_engine.h"
#include "flow_key.h"
#include "packet.h"
#include "sinks/sink.h"
#include "stats.h"

enum {
	CONFIG_MAX_PORTS = 32, /* as DPDK is built */
	CONFIG_MAX_PAIRS = CONFIG_MAX_PORTS / 2,
	CONFIG_MAX_CORES = 127, /* as many lcores as DPDK has, but for control's */
	CONFIG_MAX_CLASSES = STATS_MAX_FLOW_CLASSES,
	CONFIG_MAX_RECORDS = 16,
	CONFIG_MAX_WORDS = 32, /* of a list */
	CONFIG_NO_PORT = -1,
};

/* CPUs, in the order of the file. */
struct config_cores {
	uint16_t ids[CONFIG_MAX_CORES];
	uint32_t n;
};

struct config_words {
	char *words[CONFIG_MAX_WORDS];
	uint32_t n;
};

enum config_hugepages { CONFIG_HUGEPAGES_AUTO, CONFIG_HUGEPAGES_NO, CONFIG_HUGEPAGES_YES };

struct config_eal {
	struct config_cores cores; /* none: workers float over all CPUs */
	int32_t main_core;	   /* of the control core; -1: floats */
	uint32_t n_workers;	   /* 0: auto, see config_n_workers */
	uint32_t memory_mb;	   /* 0: what ports and tables need */
	enum config_hugepages hugepages;
	char *file_prefix;	   /* NULL: no shared files */
	struct config_words allow; /* PCI addresses beside those of ports, as DDDD:BB:DD.F */
	struct config_words vdevs; /* beside those of ports */
	uint32_t burst;		   /* 0: by queues and buffers */
	bool sleeps_idle;
};

enum config_device_kind {
	CONFIG_DEVICE_NONE,
	CONFIG_DEVICE_PCI,	 /* text is DDDD:BB:DD.F */
	CONFIG_DEVICE_VDEV,	 /* text is what EAL's --vdev takes, with paths of captures resolved */
	CONFIG_DEVICE_INTERFACE, /* text is the name of a kernel interface, for af_packet */
};

struct config_device {
	enum config_device_kind kind;
	char *text;
};

enum config_rss { CONFIG_RSS_AUTO, CONFIG_RSS_SYMMETRIC, CONFIG_RSS_SOFTWARE };

/* What a port is for. */
enum config_role {
	CONFIG_ROLE_OBSERVE, /* its packets are counted and freed */
	CONFIG_ROLE_INLINE,  /* its packets go to its peer */
	CONFIG_ROLE_MIRROR,  /* takes copies; what it receives is not looked at */
};

struct config_port {
	char *name;
	struct config_device device;
	uint32_t n_queues;	   /* of each direction; 0: auto, one a worker */
	uint32_t n_rx_descriptors; /* of a queue; 0: auto */
	uint32_t n_tx_descriptors;
	uint32_t n_mbufs; /* of the port's pool; 0: auto */
	uint32_t mtu;	  /* 0: the device's */
	bool is_promiscuous;
	enum config_rss rss;
	enum config_role role; /* this and the next by config_check */
	int32_t peer;	       /* of ports[], or CONFIG_NO_PORT */
};

struct config_pair {
	char *name;
	struct config_words port_names;
	int32_t ports[2]; /* of ports[], by config_check */
};

/* A model's file; path is NULL for none. */
struct config_model {
	char *path;
	bool is_shipped;
	char shape[128]; /* for people; by config_check with CONFIG_CHECK_MODELS */
};

struct config_models {
	struct config_model packet, flow;
	double packet_threshold, flow_threshold; /* scores; NaN: the model's own */
	char *kernel;				 /* NULL: the best */
	/* Packets at which flows are scored, by the model or by [flow]: by config_check with CONFIG_CHECK_MODELS. */
	uint64_t flow_checkpoints; /* as struct flow_config has them */
};

struct config_flow {
	uint64_t n_flows; /* of a worker's table; 0: no flows */
	enum packet_depth depth;
	enum flow_scope scope;
	bool is_one_way;
	uint64_t idle_ns, active_ns, linger_ns;
	uint64_t seed;
	bool has_seed;	      /* else it is to be drawn */
	bool has_checkpoints; /* else they are the model's */
	uint64_t checkpoints; /* as struct flow_config has them */
	bool has_ends;
};

enum config_action_kind {
	CONFIG_ACTION_FORWARD,
	CONFIG_ACTION_DROP,
	CONFIG_ACTION_MIRROR,	 /* forward, and copy to a port */
	CONFIG_ACTION_MARK_DSCP, /* forward with value in the IP header */
	CONFIG_ACTION_MARK_PCP,	 /* forward with value in the VLAN tag, where there is one */
};

struct config_action {
	enum config_action_kind kind;
	uint32_t value;
	char *port_name; /* of a mirror */
	int32_t port;	 /* of ports[], by config_check */
};

enum config_hold { CONFIG_HOLD_FORWARD, CONFIG_HOLD_DROP };

/* What is done with packets whose class does not decide. */
struct config_policy {
	enum config_hold before_verdict;
	struct config_action non_ip;
};

/* What is done with flows of a class. Classes that none is for are forwarded. */
struct config_class {
	char *name;
	struct config_action action;
	double threshold;   /* a score: flows below it are forwarded. 0: what the model decides */
	bool is_count_only; /* count what the action would have met, and forward */
	int32_t class;	    /* of the flow model, by config_check with CONFIG_CHECK_MODELS; else -1 */
};

/* Who this machine is among others whose records go to the same place. */
struct config_sensor {
	char *name; /* NULL: none */
};

/* Kinds of sinks, in the order of sink_kinds. */
enum config_to { CONFIG_TO_FILE, CONFIG_TO_REDIS, CONFIG_TO_RABBITMQ, CONFIG_TO_KAFKA, CONFIG_TO_IPFIX };

/* How files are compressed; auto: as the path ends. */
enum config_compress { CONFIG_COMPRESS_AUTO, CONFIG_COMPRESS_NO, CONFIG_COMPRESS_GZIP, CONFIG_COMPRESS_ZSTD };

/* Where records go: what struct sink_options is made of, which says more. */
struct config_records {
	char *name;
	enum config_to to;
	enum sink_records records;
	enum sink_form form;
	uint64_t heartbeat_ns;	     /* 0: none */
	struct config_words classes; /* names; none: all */
	uint64_t class_mask;	     /* the same by config_check with CONFIG_CHECK_MODELS */
	double min_score, uncertain;
	uint32_t one_in, n_queued;
	char *path; /* of a file; "-": stdout; NULL: none */
	uint32_t rotate_mb;
	uint64_t rotate_ns;
	uint32_t n_kept;
	enum config_compress compress;
	bool has_fsync;
	char *server, *user, *password_file, *password_env, *topic, *exchange, *virtual_host; /* NULL: none */
	bool is_list;
	uint64_t n_longest;
	struct config_words properties;
	bool is_udp;
	uint32_t domain;
};

struct config_metrics {
	uint64_t interval_ns;	    /* of the line of counters; 0: none */
	uint64_t drift_interval_ns; /* of drift and shares of classes; 0: none are told */
	bool has_telemetry;
	char *http; /* HOST:PORT; NULL: none */
};

enum config_core_dumps { CONFIG_CORE_DUMPS_NO, CONFIG_CORE_DUMPS_WITHOUT_PACKETS, CONFIG_CORE_DUMPS_FULL };

struct config_security {
	char *user, *group; /* names or numbers; NULL: stays who it is */
	bool has_no_new_privs;
	enum config_core_dumps core_dumps;
};

/* Where something was set, to tell of mistakes. */
struct config_place {
	const void *of; /* the struct config_key, or the struct config_section of a heading */
	uint32_t index; /* of the section, where there are several */
	uint32_t line;
	bool is_override;
};

struct config {
	char *path;   /* of the file; NULL: none */
	char *folder; /* that relative paths are in: the file's */
	struct config_eal eal;
	struct config_port ports[CONFIG_MAX_PORTS];
	uint32_t n_ports;
	struct config_pair pairs[CONFIG_MAX_PAIRS];
	uint32_t n_pairs;
	struct config_models models;
	struct config_flow flow;
	struct config_policy policy;
	struct config_class classes[CONFIG_MAX_CLASSES];
	uint32_t n_classes;
	struct config_sensor sensor;
	struct config_records records[CONFIG_MAX_RECORDS];
	uint32_t n_records;
	struct config_metrics metrics;
	struct config_security security;
	struct config_place *places; /* private to config.c */
	uint32_t n_places;
};

enum {
	CONFIG_CHECK_MODELS = 1,  /* load the models */
	CONFIG_CHECK_MACHINE = 2, /* look for cores, devices, interfaces, users and folders on this machine */
};

/* All defaults; NULL when memory is out. Everything that it points to is its own: config_free. */
struct config *config_create(void);
void config_free(struct config *config);

/*
 * Each of these adds what is wrong to problems, which are all mistakes: as many as there are, not the first only.
 * They return 0, or -ENOMEM when memory is out: then problems lack some.
 *
 * config_read takes a file, once. config_override takes SECTION.KEY or SECTION.NAME.KEY, and wins over the file that
 * was read before. config_check comes last; what it does not look at it takes for right.
 */
int config_read(struct config *config, const char *path, struct config_problems *problems);
int config_override(struct config *config, const char *name, const char *value, struct config_problems *problems);
int config_check(struct config *config, unsigned int what, struct config_problems *problems);

/*
 * How many workers would run: as many as there are cores; where none are named as many as [eal] workers says; else
 * as the port with the most queues has.
 */
uint32_t config_n_workers(const struct config *config);

/*
 * Adds a mistake of a field of the config, which is named by its address: &config->ports[0].mtu is told of with its
 * file, line, section and key. The address of a port, pair, class or records stands for its heading, NULL for the file.
 */
void config_tell(const struct config *config, struct config_problems *problems, const void *field,
		 const char *format, ...) __attribute__((format(printf, 4, 5)));

/*
 * Tells of what a run that reads its config again cannot take over: each key that differs from those that it runs
 * with, and each port and pair that is added or left out, but for sections that a reload takes.
 */
void config_tell_changes(const struct config *runs, const struct config *config, struct config_problems *problems);

/* The port of that name, or CONFIG_NO_PORT. */
int32_t config_port_find(const struct config *config, const char *name);

#endif
