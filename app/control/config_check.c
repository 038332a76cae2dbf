/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What is wrong between the parts of a config: names that lead nowhere, things that are used twice, actions without
 * effect. Called by whoever has read a config, before it runs.
 */
#include "config_check.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "config_device.h"
#include "config_keys.h"
#include "http_address.h"

/* Finds a port that a field names; tells where there is none. */
static int32_t find_port(const struct config *config, struct config_problems *problems, const void *field,
			 const char *name)
{
	const char *names[CONFIG_MAX_PORTS];
	int32_t port = config_port_find(config, name), near;

	if (port != CONFIG_NO_PORT)
		return port;
	for (uint32_t i = 0; i < config->n_ports; i++)
		names[i] = config->ports[i].name;
	near = config_name_near(name, names, config->n_ports);
	if (near >= 0)
		config_tell(config, problems, field, "there is no port '%s'; do you mean %s?", name, names[near]);
	else
		config_tell(config, problems, field,
			    "there is no port '%s'; add [port %s], or name one that is there", name, name);
	return CONFIG_NO_PORT;
}

/* The pair, before this one, that has the port; NULL: none. */
static const struct config_pair *pair_before(const struct config *config, uint32_t pair, int32_t port)
{
	for (uint32_t i = 0; i < pair; i++)
		if (config->pairs[i].ports[0] == port || config->pairs[i].ports[1] == port)
			return &config->pairs[i];
	return NULL;
}

static void check_mtus(const struct config *config, struct config_problems *problems,
		       const struct config_pair *pair)
{
	const struct config_port *left = &config->ports[pair->ports[0]], *right = &config->ports[pair->ports[1]];

	if (left->mtu && right->mtu && left->mtu != right->mtu)
		config_tell(
			config, problems, &pair->port_names,
			"the MTU of %s is %u and that of %s %u: larger packets of one are lost at the other; make "
			"them equal",
			left->name, left->mtu, right->name, right->mtu);
}

/* Finds the ports of pairs and makes them peers. */
static void check_pairs(struct config *config, struct config_problems *problems)
{
	for (uint32_t i = 0; i < config->n_pairs; i++) {
		struct config_pair *pair = &config->pairs[i];

		pair->ports[0] = pair->ports[1] = CONFIG_NO_PORT;
		for (uint32_t end = 0; end < pair->port_names.n; end++) {
			const struct config_pair *other;

			pair->ports[end] =
				find_port(config, problems, &pair->port_names, pair->port_names.words[end]);
			if (pair->ports[end] == CONFIG_NO_PORT)
				continue;
			config->ports[pair->ports[end]].role = CONFIG_ROLE_INLINE;
			other = end && pair->ports[0] == pair->ports[1] ? NULL
									: pair_before(config, i, pair->ports[end]);
			if (other)
				config_tell(config, problems, &pair->port_names,
					    "port %s is in pair %s too; a port has one peer",
					    pair->port_names.words[end], other->name);
		}
		if (pair->ports[0] == CONFIG_NO_PORT || pair->ports[1] == CONFIG_NO_PORT)
			continue;
		if (pair->ports[0] == pair->ports[1])
			config_tell(config, problems, &pair->port_names,
				    "names port %s twice; a pair is of two ports", pair->port_names.words[0]);
		config->ports[pair->ports[0]].peer = pair->ports[1];
		config->ports[pair->ports[1]].peer = pair->ports[0];
		check_mtus(config, problems, pair);
	}
}

/* What can be known of how ports are spread without looking at their devices. */
static void check_rss(const struct config *config, struct config_problems *problems)
{
	for (uint32_t i = 0; i < config->n_ports; i++) {
		const struct config_port *port = &config->ports[i];
		const struct config_port *peer = port->peer == CONFIG_NO_PORT ? port : &config->ports[port->peer];

		if (port->rss != CONFIG_RSS_SYMMETRIC || port->role == CONFIG_ROLE_MIRROR ||
		    config_n_workers(config) == 1 || port->n_queues == 1 || peer->n_queues == 1)
			continue;
		if (port->device.kind == CONFIG_DEVICE_INTERFACE || peer->device.kind == CONFIG_DEVICE_INTERFACE)
			config_tell(config, problems, &port->rss,
				    "an interface of the kernel has one queue here; write auto");
		else if (peer->rss == CONFIG_RSS_SOFTWARE)
			config_tell(config, problems, &port->rss,
				    "port %s of its pair is software; write the same for both", peer->name);
	}
}

/* An action: its port, and whether it can be done. */
static void check_action(struct config *config, struct config_problems *problems, struct config_action *action,
			 bool is_count_only)
{
	if (action->kind == CONFIG_ACTION_MIRROR) {
		action->port = find_port(config, problems, action, action->port_name);
		if (action->port == CONFIG_NO_PORT)
			return;
		if (config->ports[action->port].role == CONFIG_ROLE_INLINE)
			config_tell(
				config, problems, action,
				"port %s is in a pair: copies would be sent into the network; name a port of its "
				"own",
				action->port_name);
		else
			config->ports[action->port].role = CONFIG_ROLE_MIRROR;
	} else if (action->kind != CONFIG_ACTION_FORWARD && !config->n_pairs && !is_count_only) {
		config_tell(
			config, problems, action,
			"nothing is forwarded that it could be done to; add [pair NAME], or set count-only = yes");
	}
}

static void check_policy(struct config *config, struct config_problems *problems)
{
	bool has_classes = config->models.flow.path && config->flow.n_flows;

	check_action(config, problems, &config->policy.non_ip, false);
	for (uint32_t i = 0; i < config->n_classes; i++) {
		struct config_class *class = &config->classes[i];

		class->class = -1;
		check_action(config, problems, &class->action, class->is_count_only);
		if (!has_classes)
			config_tell(
				config, problems, class,
				"no flow has a class: [models] flow is none, or [flow] flows is 0; set them, or leave "
				"this out");
	}
	if (config->policy.before_verdict == CONFIG_HOLD_DROP && !has_classes)
		config_tell(
			config, problems, &config->policy.before_verdict,
			"no flow would ever pass: [models] flow is none, or [flow] flows is 0; set them, or forward");
	else if (config->policy.before_verdict == CONFIG_HOLD_DROP && !config->n_pairs)
		config_tell(config, problems, &config->policy.before_verdict,
			    "nothing is forwarded that could be held; add [pair NAME]");
}

/* The name of a virtual device ends at the first comma. */
static bool is_same_vdev(const char *left, const char *right)
{
	size_t n = strcspn(left, ",");

	return n == strcspn(right, ",") && !strncmp(left, right, n);
}

/* Whether two ports would be one device. */
static bool is_same_device(const struct config_device *left, const struct config_device *right)
{
	char name[64], other[64];

	if (config_device_interface(left, name, sizeof(name)) &&
	    config_device_interface(right, other, sizeof(other)) && !strcmp(name, other))
		return true;
	if (left->kind != right->kind || left->kind == CONFIG_DEVICE_NONE)
		return false;
	return left->kind == CONFIG_DEVICE_VDEV ? is_same_vdev(left->text, right->text)
						: !strcmp(left->text, right->text);
}

static void check_devices(const struct config *config, struct config_problems *problems)
{
	for (uint32_t i = 0; i < config->n_ports; i++) {
		const struct config_device *device = &config->ports[i].device;

		for (uint32_t j = 0; j < i; j++)
			if (is_same_device(device, &config->ports[j].device))
				config_tell(config, problems, device,
					    "is the device of port %s too; a device is one port's",
					    config->ports[j].name);
		for (uint32_t j = 0; j < config->eal.vdevs.n; j++)
			if (device->kind == CONFIG_DEVICE_VDEV &&
			    is_same_vdev(device->text, config->eal.vdevs.words[j]))
				config_tell(config, problems, device,
					    "is made by [eal] vdevs too; leave it out there");
		if (device->kind == CONFIG_DEVICE_VDEV && config_vdev_lacks(device->text))
			config_tell(config, problems, device, "'%s' cannot be made without %s", device->text,
				    config_vdev_lacks(device->text));
		if (device->kind == CONFIG_DEVICE_PCI && config->eal.hugepages == CONFIG_HUGEPAGES_NO)
			config_tell(config, problems, device,
				    "a network card needs hugepages; set [eal] hugepages = auto");
	}
}

static void check_cores(const struct config *config, struct config_problems *problems)
{
	const struct config_eal *eal = &config->eal;

	for (uint32_t i = 0; i < eal->cores.n; i++)
		if (eal->cores.ids[i] == eal->main_core)
			config_tell(config, problems, &eal->main_core,
				    "core %d is a worker's too; a worker never lets go of its core: choose another",
				    eal->main_core);
	if (eal->n_workers && eal->cores.n && eal->n_workers != eal->cores.n)
		config_tell(config, problems, &eal->n_workers,
			    "is %u, and cores has %u; each worker has a core: leave "
			    "it out",
			    eal->n_workers, eal->cores.n);
}

static void check_flows(const struct config *config, struct config_problems *problems)
{
	if (config->models.flow.path && !config->flow.n_flows)
		config_tell(config, problems, &config->flow.n_flows,
			    "there is nothing for the model of flows; set [models] flow = none too");
}

/* Where every port only takes copies there are none. */
static void check_roles(const struct config *config, struct config_problems *problems)
{
	uint32_t n_mirrors = 0;

	for (uint32_t i = 0; i < config->n_ports; i++)
		n_mirrors += config->ports[i].role == CONFIG_ROLE_MIRROR;
	if (n_mirrors && n_mirrors == config->n_ports)
		config_tell(config, problems, &config->ports[0],
			    "takes copies, as all ports do, and there is none to receive from; add [port NAME]");
}

static void check_security(const struct config *config, struct config_problems *problems)
{
	if (config->security.group && !config->security.user)
		config_tell(config, problems, &config->security.group,
			    "is taken with a user only; set user too, or leave it out");
}

static void check_http(const struct config *config, unsigned int what, struct config_problems *problems)
{
	const char *http = config->metrics.http;
	struct http_address address;

	if (!http)
		return;
	if (http_address_parse(http, &address))
		config_tell(config, problems, &config->metrics.http,
			    "'%s' is no address; write it as 127.0.0.1:9477 or [::1]:9477, or none", http);
	else if (what & CONFIG_CHECK_MACHINE && !HAVE_HTTP && config_is_set(config, &config->metrics.http))
		config_tell(config, problems, &config->metrics.http,
			    "this build has no http; install libmicrohttpd-dev and build again, or write none");
}

int config_check(struct config *config, unsigned int what, struct config_problems *problems)
{
	for (uint32_t i = 0; i < config->n_ports; i++) {
		config->ports[i].role = CONFIG_ROLE_OBSERVE;
		config->ports[i].peer = CONFIG_NO_PORT;
	}
	config_tell_missing(config, problems);
	if (!config->n_ports)
		config_tell(config, problems, NULL, "names no port; write [port NAME] with a device");
	check_cores(config, problems);
	check_devices(config, problems);
	check_pairs(config, problems);
	check_policy(config, problems);
	check_rss(config, problems);
	check_roles(config, problems);
	check_flows(config, problems);
	config_check_records(config, problems);
	check_security(config, problems);
	check_http(config, what, problems);
	if (what & CONFIG_CHECK_MODELS)
		config_check_models(config, problems);
	if (what & CONFIG_CHECK_MACHINE)
		config_check_machine(config, problems);
	return problems->is_out_of_memory ? -ENOMEM : 0;
}
