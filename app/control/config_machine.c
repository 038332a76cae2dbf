/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Whether this machine has what a config names: cores, memory, devices, interfaces, users, folders. Called by
 * config_check; nothing is opened or changed.
 */
#include <dirent.h>
#include <errno.h>
#include <grp.h>
#include <libgen.h>
#include <limits.h>
#include <net/if.h>
#include <pwd.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysinfo.h>
#include <unistd.h>

#include "command.h"
#include "config_check.h"
#include "config_device.h"
#include "output.h"
#include "rights.h"

/* Packets that fit into a buffer of live_port.c; into a page with XDP's headroom, link header and tag. */
#define MAX_AF_PACKET_MTU 32614
#define MAX_AF_XDP_MTU	  3498

/* Tells of those of n cores that this process may not use, in one line. */
static void check_cores(const struct config *config, struct config_problems *problems, const void *field,
			const uint16_t *cores, uint32_t n, const cpu_set_t *cpus)
{
	char missing[512] = "", kept[512] = "";

	for (uint32_t i = 0; i < n; i++) {
		bool is_there = cores[i] < get_nprocs_conf();
		char *list = is_there ? kept : missing;
		size_t used = strlen(list);

		if (!CPU_ISSET(cores[i], cpus))
			snprintf(list + used, sizeof(missing) - used, "%s%u", used ? "," : "", cores[i]);
	}
	if (missing[0])
		config_tell(config, problems, field, "there is no core %s; this machine has 0 to %d", missing,
			    get_nprocs_conf() - 1);
	if (kept[0])
		config_tell(
			config, problems, field,
			"core %s is not for this process: offline, or kept by taskset or the container; choose others",
			kept);
}

static void check_cpus(const struct config *config, struct config_problems *problems)
{
	const struct config_eal *eal = &config->eal;
	uint16_t main_core = (uint16_t)eal->main_core;
	cpu_set_t cpus;

	if (sched_getaffinity(0, sizeof(cpus), &cpus))
		return;
	check_cores(config, problems, &eal->cores, eal->cores.ids, eal->cores.n, &cpus);
	check_cores(config, problems, &eal->main_core, &main_core, eal->main_core >= 0, &cpus);
}

/* Whether any hugepage is free. */
static bool has_hugepages(void)
{
	static const char folder[] = "/sys/kernel/mm/hugepages";
	DIR *sizes = opendir(folder);
	unsigned long n = 0;
	struct dirent *size;

	while (sizes && !n && (size = readdir(sizes))) {
		char path[PATH_MAX];
		FILE *file;

		snprintf(path, sizeof(path), "%s/%s/free_hugepages", folder, size->d_name);
		file = fopen(path, "re");
		if (file && fscanf(file, "%lu", &n) != 1)
			n = 0;
		if (file)
			fclose(file);
	}
	if (sizes)
		closedir(sizes);
	return n > 0;
}

static void check_memory(const struct config *config, struct config_problems *problems)
{
	struct sysinfo info;

	if (config->eal.hugepages == CONFIG_HUGEPAGES_YES && !has_hugepages())
		config_tell(
			config, problems, &config->eal.hugepages,
			"no hugepage is free; reserve some with sysctl vm.nr_hugepages=512, or write hugepages = auto");
	if (!sysinfo(&info) && config->eal.memory_mb > info.totalram / (1 << 20) * info.mem_unit)
		config_tell(config, problems, &config->eal.memory_mb,
			    "this machine has %llu MB; write less, or auto",
			    (unsigned long long)info.totalram / (1 << 20) * info.mem_unit);
}

/* A file of a PCI device in /sys, into path, [PATH_MAX]. Returns path. */
static const char *pci_path(char *path, const char *address, const char *file)
{
	snprintf(path, PATH_MAX, "/sys/bus/pci/devices/%s/%s", address, file);
	return path;
}

/* Whether it is a network card or an accelerator for packets; what does not say counts as one. */
static bool is_pci_network(const char *address)
{
	char path[PATH_MAX];
	FILE *file = fopen(pci_path(path, address, "class"), "re");
	unsigned int class = 0x020000;

	if (!file)
		return true;
	if (fscanf(file, "%x", &class) != 1)
		class = 0x020000;
	fclose(file);
	return class >> 16 == 0x02 || class >> 16 == 0x12;
}

/* vfio-pci keeps a device to its memory by the IOMMU, or has been told to do without. */
static void check_iommu(const struct config *config, struct config_problems *problems, const void *field,
			const char *address)
{
	char path[PATH_MAX], answer = 'N';
	FILE *file;

	if (!access(pci_path(path, address, "iommu_group"), F_OK))
		return;
	file = fopen("/sys/module/vfio/parameters/enable_unsafe_noiommu_mode", "re");
	if (file && fscanf(file, "%c", &answer) != 1)
		answer = 'N';
	if (file)
		fclose(file);
	if (answer != 'Y')
		config_tell(config, problems, field,
			    "there is no IOMMU for %s, which vfio-pci needs: switch it on in the firmware and with "
			    "intel_iommu=on or amd_iommu=on, or do without: echo 1 > "
			    "/sys/module/vfio/parameters/enable_unsafe_noiommu_mode, then bind it again",
			    address);
}

/* The kernel's driver of a PCI device is one that DPDK can take it from or share it with. */
static void check_pci_driver(const struct config *config, struct config_problems *problems, const void *field,
			     const char *address)
{
	static const char *const fine[] = {"vfio-pci", "igb_uio", "uio_pci_generic", "mlx4_core", "mlx5_core",
					   "nfp",      "mana"};
	char path[PATH_MAX], link[PATH_MAX];
	const char *driver = "none";
	ssize_t n;

	n = readlink(pci_path(path, address, "driver"), link, sizeof(link) - 1);
	if (n > 0) {
		link[n] = '\0';
		driver = basename(link);
	}
	if (!strcmp(driver, "vfio-pci"))
		check_iommu(config, problems, field, address);
	for (size_t i = 0; i < sizeof(fine) / sizeof(fine[0]); i++)
		if (!strcmp(driver, fine[i]))
			return;
	config_tell(config, problems, field,
		    "the kernel's driver of %s is %s, which DPDK cannot use; run dpdk-devbind.py -b vfio-pci %s",
		    address, driver, address);
}

static void check_pci(const struct config *config, struct config_problems *problems, const void *field,
		      const char *address)
{
	char path[PATH_MAX];

	if (access(pci_path(path, address, ""), F_OK))
		config_tell(
			config, problems, field,
			"this machine has no PCI device %s; dpdk-devbind.py --status-dev net lists those it has",
			address);
	else if (!is_pci_network(address))
		config_tell(config, problems, field,
			    "%s is no network card; dpdk-devbind.py --status-dev net lists those", address);
	else
		check_pci_driver(config, problems, field, address);
}

static void check_interface(const struct config *config, struct config_problems *problems, const void *field,
			    const char *name)
{
	/* Of this process's network namespace; /sys may be of another. */
	if (!if_nametoindex(name))
		config_tell(config, problems, field,
			    "this machine has no interface '%s'; 'ip link' lists those it has", name);
}

/* Whether the user of security may do with a path what mode says. */
static void check_access(const struct config *config, struct config_problems *problems, const void *field,
			 const char *path, int mode, const struct config_security *security)
{
	const char *user = security->user;
	int rc = rights_ask(security, path, mode);

	if (rc && (!user || rc != -EACCES))
		config_tell(config, problems, field, "%s: cannot be written: %s", path, strerror(-rc));
	else if (rc && rights_ask(security, path, F_OK))
		config_tell(config, problems, field,
			    "%s: user %s may not pass a folder above it; chmod o+x that, or name another", path,
			    user);
	else if (rc)
		config_tell(config, problems, field,
			    "%s: user %s may not write there: %s; make it that user's with chown %s %s", path, user,
			    strerror(-rc), user, path);
}

/* The same of the folder that a file is to be made or renamed in. */
static void check_folder(const struct config *config, struct config_problems *problems, const void *field,
			 const char *path, const struct config_security *security)
{
	char *copy = strdup(path), *folder = copy ? dirname(copy) : NULL;

	if (folder && access(folder, F_OK))
		config_tell(config, problems, field, "there is no folder %s; make it with mkdir -p", folder);
	else if (folder)
		check_access(config, problems, field, folder, W_OK | X_OK, security);
	free(copy);
}

void config_check_output(const struct config *config, struct config_problems *problems, const void *field,
			 const char *path, bool is_renamed, const struct config_security *security)
{
	struct stat status;
	char *resolved = NULL;

	if (!path || output_path_is_stdout(path))
		return;
	if (stat(path, &status)) {
		check_folder(config, problems, field, path, security);
	} else if (S_ISDIR(status.st_mode)) {
		config_tell(config, problems, field, "%s is a folder; name a file in it", path);
	} else if (S_ISBLK(status.st_mode) || S_ISSOCK(status.st_mode)) {
		config_tell(config, problems, field, "%s is a %s; name a file", path,
			    S_ISBLK(status.st_mode) ? "block device" : "socket");
	} else {
		/* What is in a file is looked at before it grows. */
		check_access(config, problems, field, path, S_ISREG(status.st_mode) ? R_OK | W_OK : W_OK, security);
		/* The file is renamed, not a link to it. */
		if (is_renamed && (resolved = realpath(path, NULL)))
			check_folder(config, problems, field, resolved, security);
		free(resolved);
	}
}

/* What is too long for a driver, whatever the interface takes. */
static void check_mtu(const struct config *config, struct config_problems *problems, const struct config_port *port)
{
	const char *device = port->device.text;
	uint32_t max = UINT16_MAX;

	if (port->device.kind == CONFIG_DEVICE_VDEV && !strncmp(device, "net_af_xdp", strlen("net_af_xdp")))
		max = MAX_AF_XDP_MTU;
	else if (port->device.kind == CONFIG_DEVICE_INTERFACE)
		max = MAX_AF_PACKET_MTU;
	if (port->mtu > max)
		config_tell(config, problems, &port->mtu, "is %u; %s passes packets of up to %u bytes", port->mtu,
			    port->device.kind == CONFIG_DEVICE_INTERFACE ? "af_packet" : "net_af_xdp", max);
}

/* The captures that a virtual device reads and writes. */
static void check_captures(const struct config *config, struct config_problems *problems,
			   const struct config_device *device)
{
	/* They are opened with the ports. */
	const struct config_security nobody_else = {0};
	char path[PATH_MAX];

	for (unsigned int i = 0; config_vdev_argument(device->text, "rx_pcap", i, path, sizeof(path)); i++)
		if (access(path, R_OK))
			config_tell(config, problems, device, "%s: cannot be read: %s", path, strerror(errno));
	for (unsigned int i = 0; config_vdev_argument(device->text, "tx_pcap", i, path, sizeof(path)); i++)
		config_check_output(config, problems, device, path, false, &nobody_else);
}

static void check_ports(const struct config *config, struct config_problems *problems)
{
	for (uint32_t i = 0; i < config->n_ports; i++) {
		const struct config_device *device = &config->ports[i].device;
		char name[64];

		if (device->kind == CONFIG_DEVICE_PCI)
			check_pci(config, problems, device, device->text);
		check_mtu(config, problems, &config->ports[i]);
		if (device->kind == CONFIG_DEVICE_VDEV)
			check_captures(config, problems, device);
		if (config_device_interface(device, name, sizeof(name)))
			check_interface(config, problems, device, name);
	}
	for (uint32_t i = 0; i < config->eal.allow.n; i++)
		check_pci(config, problems, &config->eal.allow, config->eal.allow.words[i]);
}

static void check_rights(const struct config *config, struct config_problems *problems)
{
	const struct config_security *security = &config->security;
	uint64_t id;

	/* Ids need no name. */
	if (security->user && read_u64(security->user, 0, UINT32_MAX - 1, &id) && !getpwnam(security->user))
		config_tell(config, problems, &security->user,
			    "there is no user '%s'; add it with useradd --system %s", security->user,
			    security->user);
	else if (security->user && !getpwnam(security->user) && !getpwuid((uid_t)id) && !security->group)
		config_tell(config, problems, &security->user,
			    "user %s has no name here, and so no group of its own; set group too", security->user);
	if (security->group && read_u64(security->group, 0, UINT32_MAX - 1, &id) && !getgrnam(security->group))
		config_tell(config, problems, &security->group,
			    "there is no group '%s'; add it with groupadd --system %s", security->group,
			    security->group);
}

void config_check_machine(const struct config *config, struct config_problems *problems)
{
	check_cpus(config, problems);
	check_memory(config, problems);
	check_ports(config, problems);
	check_rights(config, problems);
	config_check_records_machine(config, problems);
}
