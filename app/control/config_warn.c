/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What is no mistake in a config and may not be meant all the same: each is told of in a line that begins with
 * "warning:". Called by whoever has checked a config; nothing is changed.
 */
#include <ifaddrs.h>
#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "config_check.h"
#include "config_device.h"

/* Asks the kernel, or has it fill in, what data begins with the question of. Whether it knows. */
static bool ask_ethtool(int fd, const char *interface, void *data)
{
	struct ifreq request = {.ifr_data = data};

	memcpy(request.ifr_name, interface, strnlen(interface, IF_NAMESIZE - 1));
	return !ioctl(fd, SIOCETHTOOL, &request);
}

/* Whether some of these bits are set in what the kernel answers; what it does not know is no. */
static bool is_on(int fd, const char *interface, uint32_t question, uint32_t bits)
{
	struct ethtool_value value = {.cmd = question};

	return ask_ethtool(fd, interface, &value) && value.data & bits;
}

/* Whether it is hardware: what comes in there was on a wire, and only reception can have put it together. */
static bool is_hardware(int fd, const char *interface)
{
	struct ethtool_drvinfo driver = {.cmd = ETHTOOL_GDRVINFO};

	return ask_ethtool(fd, interface, &driver) && driver.bus_info[0] && strcmp(driver.bus_info, "N/A") &&
	       strncmp(driver.driver, "virtio", 6) && strcmp(driver.driver, "tun");
}

/* Tells of offloads with which an interface hands over what no wire carries. */
static void warn_of_offloads(const struct config *config, struct config_problems *warnings,
			     const struct config_device *device, const char interface[IF_NAMESIZE])
{
	static const struct {
		const char *name;
		uint32_t question, bits;
		bool is_of_sending; /* of who is at the other end of a virtual wire, as this end has it */
	} offloads[] = {
		{"tx", ETHTOOL_GTXCSUM, UINT32_MAX, true},    {"tso", ETHTOOL_GTSO, UINT32_MAX, true},
		{"gso", ETHTOOL_GGSO, UINT32_MAX, true},      {"gro", ETHTOOL_GGRO, UINT32_MAX, false},
		{"lro", ETHTOOL_GFLAGS, ETH_FLAG_LRO, false},
	};
	char names[32] = "", words[64] = "";
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return;
	for (size_t i = 0; i < sizeof(offloads) / sizeof(offloads[0]); i++) {
		const char *name = offloads[i].name;
		size_t n_names = strlen(names), n_words = strlen(words);

		if ((offloads[i].is_of_sending && is_hardware(fd, interface)) ||
		    !is_on(fd, interface, offloads[i].question, offloads[i].bits))
			continue;
		snprintf(names + n_names, sizeof(names) - n_names, "%s%s", n_names ? ", " : "", name);
		snprintf(words + n_words, sizeof(words) - n_words, " %s off", name);
	}
	close(fd);
	if (words[0])
		config_tell(config, warnings, device,
			    "warning: %s has %s on, and may hand over packets that no wire carries, which do not "
			    "pass; run 'ethtool -K %s%s', and likewise at the other end of a veth",
			    interface, names, interface, words);
}

/* Whether the kernel speaks IPv6 there, be it by itself. */
static bool has_ipv6(const char *interface)
{
	char path[128]; /* /proc/sys/net is that of who looks */
	FILE *file;
	int is_disabled = 1;

	snprintf(path, sizeof(path), "/proc/sys/net/ipv6/conf/%s/disable_ipv6", interface);
	file = fopen(path, "re");
	if (file && fscanf(file, "%d", &is_disabled) != 1)
		is_disabled = 1;
	if (file)
		fclose(file);
	return !is_disabled;
}

static bool has_ipv4(const char *interface)
{
	struct ifaddrs *list = NULL;
	bool is_found = false;

	if (getifaddrs(&list))
		return false;
	for (const struct ifaddrs *at = list; at && !is_found; at = at->ifa_next)
		is_found = at->ifa_addr && at->ifa_addr->sa_family == AF_INET && !strcmp(at->ifa_name, interface);
	freeifaddrs(list);
	return is_found;
}

/* Tells where the host itself speaks on an inline interface: it is on both sides, and answers for others. */
static void warn_of_host(const struct config *config, struct config_problems *warnings,
			 const struct config_device *device, const char interface[IF_NAMESIZE])
{
	bool is_ipv4 = has_ipv4(interface), is_ipv6 = has_ipv6(interface);
	char flush[64] = "", disable[96] = ""; /* commands that have it not */

	if (!is_ipv4 && !is_ipv6)
		return;
	if (is_ipv4)
		snprintf(flush, sizeof(flush), "'ip address flush dev %.15s'", interface);
	if (is_ipv6)
		snprintf(disable, sizeof(disable), "'sysctl -w net.ipv6.conf.%.15s.disable_ipv6=1'", interface);
	config_tell(config, warnings, device,
		    "warning: this machine has %s%s%s on %s: what it says and answers there goes to the other side "
		    "too; run %s%s%s",
		    is_ipv4 ? "IPv4 addresses" : "", is_ipv4 && is_ipv6 ? " and " : "", is_ipv6 ? "IPv6" : "",
		    interface, flush, is_ipv4 && is_ipv6 ? " and " : "", disable);
}

/* Whether DPDK has the packets of a device's kernel interface from the kernel. */
static bool is_of_kernel(const struct config_device *device)
{
	return device->kind == CONFIG_DEVICE_INTERFACE || strstr(device->text, "_af_packet") ||
	       strstr(device->text, "_pcap");
}

static void warn_of_ports(const struct config *config, struct config_problems *warnings)
{
	for (uint32_t i = 0; i < config->n_ports; i++) {
		const struct config_port *port = &config->ports[i];
		char interface[IF_NAMESIZE];

		if (port->role != CONFIG_ROLE_INLINE || !is_of_kernel(&port->device) ||
		    !config_device_interface(&port->device, interface, sizeof(interface)))
			continue;
		warn_of_offloads(config, warnings, &port->device, interface);
		warn_of_host(config, warnings, &port->device, interface);
	}
}

static void warn_of_hold(const struct config *config, struct config_problems *warnings)
{
	uint64_t checkpoints = config->models.flow_checkpoints;

	if (config->policy.before_verdict == CONFIG_HOLD_DROP && checkpoints && !(checkpoints & 1))
		config_tell(config, warnings, &config->policy.before_verdict,
			    "warning: flows are scored at packet %d at first, and those before are dropped: TCP "
			    "connects late or never; set [flow] checkpoints = 1, or with others behind",
			    __builtin_ctzll(checkpoints) + 1);
}

void config_warn(const struct config *config, unsigned int what, struct config_problems *warnings)
{
	if (what & CONFIG_CHECK_MACHINE)
		warn_of_ports(config, warnings);
	if (what & CONFIG_CHECK_MODELS)
		warn_of_hold(config, warnings);
}
