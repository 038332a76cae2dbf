/* SPDX-License-Identifier: BSD-3-Clause */
#include "config_device.h"

#include <ctype.h>
#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config_keys.h"

char *config_path(const char *folder, const char *path)
{
	char *joined = NULL;

	if (path[0] == '/' || !folder || !strcmp(folder, "."))
		return strdup(path);
	return asprintf(&joined, "%s/%s", folder, path) < 0 ? NULL : joined;
}

/* Reads up to max hexadecimal digits behind *at. Whether there was one at least. */
static bool take_hex(const char **at, unsigned int max, unsigned int *value)
{
	unsigned int n = 0;

	for (*value = 0; n < max && isxdigit((unsigned char)**at); n++, (*at)++)
		*value = *value * 16 +
			 (unsigned int)(isdigit((unsigned char)**at) ? **at - '0' : (**at | 0x20) - 'a' + 10);
	return n > 0;
}

bool config_pci_parse(const char *text, char *full)
{
	unsigned int domain = 0, bus, slot, function;
	const char *at = text;

	if (!take_hex(&at, 4, &bus) || *at++ != ':' || !take_hex(&at, 2, &slot))
		return false;
	if (*at == ':') {
		at++;
		domain = bus;
		bus = slot;
		if (!take_hex(&at, 2, &slot))
			return false;
	}
	if (*at++ != '.' || !take_hex(&at, 1, &function) || *at || bus > 0xff || slot > 0x1f || function > 7)
		return false;
	snprintf(full, CONFIG_PCI_BYTES, "%04x:%02x:%02x.%x", domain & 0xffff, bus & 0xff, slot & 0x1f,
		 function & 7);
	return true;
}

/* Those of DPDK 22.11 that receive packets, with their names of old. */
static const char *const vdev_drivers[] = {
	"net_af_packet", "eth_af_packet",   "net_af_xdp", "net_bonding",  "eth_bond",	 "net_enetfec",
	"net_failsafe",	 "net_kni",	    "eth_kni",	  "net_memif",	  "net_mvneta",	 "net_mvpp2",
	"eth_mvpp2",	 "net_null",	    "eth_null",	  "net_octeontx", "net_pcap",	 "eth_pcap",
	"net_pfe",	 "net_ring",	    "eth_ring",	  "net_softnic",  "net_tap",	 "eth_tap",
	"net_tun",	 "net_vdev_netvsc", "net_vhost",  "eth_vhost",	  "virtio_user", "net_virtio_user",
};

bool config_vdev_is_known(const char *text)
{
	/* EAL finds a driver by the beginning of a device's name. */
	for (size_t i = 0; i < sizeof(vdev_drivers) / sizeof(vdev_drivers[0]); i++)
		if (!strncmp(text, vdev_drivers[i], strlen(vdev_drivers[i])))
			return true;
	return false;
}

const char *config_vdev_near(const char *text)
{
	enum { N = sizeof(vdev_drivers) / sizeof(vdev_drivers[0]) };
	const char *names[N];
	char name[64];
	size_t n = strcspn(text, ",");
	int32_t near;

	/* Neither what all begin with nor the number behind is part of the name. */
	while (n && isdigit((unsigned char)text[n - 1]))
		n--;
	snprintf(name, sizeof(name), "%.*s", (int)n, text);
	for (uint32_t i = 0; i < N; i++)
		names[i] = vdev_drivers[i] + (strncmp(vdev_drivers[i] + 3, "_", 1) ? 0 : strlen("net_"));
	near = config_name_near(name + (n > 4 && name[3] == '_' ? strlen("net_") : 0), names, N);
	return near < 0 ? NULL : vdev_drivers[near];
}

bool config_vdev_argument(const char *text, const char *name, unsigned int index, char *value, size_t value_size)
{
	size_t length = strlen(name);

	for (const char *at = strchr(text, ','); at; at = strchr(at, ',')) {
		at++;
		if (strncmp(at, name, length) || at[length] != '=' || index-- > 0)
			continue;
		snprintf(value, value_size, "%.*s", (int)strcspn(at + length + 1, ","), at + length + 1);
		return true;
	}
	return false;
}

const char *config_vdev_lacks(const char *text)
{
	static const struct {
		const char *driver, *lacks;
		const char *any_of[6];
	} needs[] = {
		{"net_af_packet", "iface=", {"iface"}},
		{"eth_af_packet", "iface=", {"iface"}},
		{"net_af_xdp", "iface=", {"iface"}},
		{"net_vhost", "iface=", {"iface"}},
		{"eth_vhost", "iface=", {"iface"}},
		{"net_virtio_user", "path=", {"path"}},
		{"virtio_user", "path=", {"path"}},
		{"net_pcap", "rx_pcap=", {"rx_pcap", "tx_pcap", "iface", "rx_iface", "tx_iface"}},
		{"eth_pcap", "rx_pcap=", {"rx_pcap", "tx_pcap", "iface", "rx_iface", "tx_iface"}},
	};
	char value[256];

	for (size_t i = 0; i < sizeof(needs) / sizeof(needs[0]); i++) {
		const char *lacks = needs[i].lacks;

		if (strncmp(text, needs[i].driver, strlen(needs[i].driver)))
			continue;
		for (const char *const *name = needs[i].any_of; *name; name++)
			if (config_vdev_argument(text, *name, 0, value, sizeof(value)))
				lacks = NULL;
		return lacks;
	}
	return NULL;
}

/* The text of a pcap device with the paths of its captures in folder. NULL when memory is out. */
static char *resolve_captures(const char *text, const char *folder)
{
	char *words = strdup(text), *rest = words, *word, *resolved = NULL;
	size_t n_bytes = 0;
	FILE *file = open_memstream(&resolved, &n_bytes);

	while (words && file && (word = strsep(&rest, ","))) {
		size_t name = !strncmp(word, "rx_pcap=", 8) || !strncmp(word, "tx_pcap=", 8) ? 8 : 0;
		char *path = name ? config_path(folder, word + name) : NULL;

		fprintf(file, "%s%.*s%s", word == words ? "" : ",", (int)name, word, path ? path : word + name);
		free(path);
	}
	free(words);
	if (file && fclose(file)) {
		free(resolved);
		resolved = NULL;
	}
	return resolved;
}

static bool is_interface_name(const char *text)
{
	size_t n = strlen(text);

	return n > 0 && n < IFNAMSIZ && strcmp(text, ".") && strcmp(text, "..") && !strpbrk(text, "/: \t");
}

int config_device_read(const char *text, const char *folder, struct config_device *device, char *error,
		       size_t error_size)
{
	bool is_vdev = !strncmp(text, "net_", 4) || !strncmp(text, "eth_", 4) || !strncmp(text, "virtio_user", 11);
	/* Where no driver is known by the name, an interface of the kernel may have it. */
	bool is_interface = is_interface_name(text) && !config_vdev_is_known(text) && if_nametoindex(text);
	char pci[CONFIG_PCI_BYTES];

	if (config_pci_parse(text, pci)) {
		*device = (struct config_device){CONFIG_DEVICE_PCI, strdup(pci)};
	} else if (!is_interface && (is_vdev || strchr(text, ','))) {
		/* DPDK may have drivers that are not known here: only what looks mistyped is refused. */
		if (!config_vdev_is_known(text) && (config_vdev_near(text) || !is_vdev)) {
			snprintf(
				error, error_size,
				"'%s' is of no driver of virtual devices; do you mean %s? net_af_packet, net_af_xdp, "
				"net_tap, net_memif, net_virtio_user, net_vhost, net_null, net_ring and net_pcap are "
				"some",
				text, config_vdev_near(text) ? config_vdev_near(text) : "another one");
			return -EINVAL;
		}
		*device = (struct config_device){CONFIG_DEVICE_VDEV, resolve_captures(text, folder)};
	} else if (is_interface_name(text)) {
		*device = (struct config_device){CONFIG_DEVICE_INTERFACE, strdup(text)};
	} else {
		snprintf(error, error_size,
			 "'%s' is no device; write a PCI address as 0000:03:00.0, a virtual device as "
			 "net_tap0,iface=ws0, or the name of a kernel interface",
			 text);
		return -EINVAL;
	}
	return device->text ? 0 : -ENOMEM;
}

bool config_device_interface(const struct config_device *device, char *name, size_t name_size)
{
	static const char *const drivers[] = {"net_af_packet", "eth_af_packet", "net_af_xdp", "net_pcap",
					      "eth_pcap"};

	if (device->kind == CONFIG_DEVICE_INTERFACE) {
		snprintf(name, name_size, "%s", device->text);
		return true;
	}
	if (device->kind != CONFIG_DEVICE_VDEV)
		return false;
	if (!strncmp(device->text, "net_tap", 7) || !strncmp(device->text, "eth_tap", 7))
		return config_vdev_argument(device->text, "remote", 0, name, name_size);
	for (size_t i = 0; i < sizeof(drivers) / sizeof(drivers[0]); i++)
		if (!strncmp(device->text, drivers[i], strlen(drivers[i])))
			return config_vdev_argument(device->text, "iface", 0, name, name_size) ||
			       config_vdev_argument(device->text, "rx_iface", 0, name, name_size);
	return false;
}
