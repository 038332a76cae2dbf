/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What a port's device is: a PCI address, a virtual device of DPDK, or an interface of the kernel. Called where the
 * config is read and checked; nothing here looks at the machine.
 */
#ifndef WIRESCORE_CONTROL_CONFIG_DEVICE_H
#define WIRESCORE_CONTROL_CONFIG_DEVICE_H

#include <stdbool.h>
#include <stddef.h>

#include "config.h"

/* Bytes that a PCI address takes, with its NUL. */
#define CONFIG_PCI_BYTES 16

/* Writes the address in full, DDDD:BB:DD.F, to full, [CONFIG_PCI_BYTES]; whether it is one. */
bool config_pci_parse(const char *text, char *full);

/* Whether a virtual device is of a driver that DPDK 22.11 has. */
bool config_vdev_is_known(const char *text);

/* The driver that a virtual device is most likely meant to be of, where it is of none that is known; NULL: any. */
const char *config_vdev_near(const char *text);

/*
 * Reads a device; paths of captures of the pcap driver are in folder where they are relative. 0; -EINVAL with one
 * line in error; or -ENOMEM. device->text is the caller's to free.
 */
int config_device_read(const char *text, const char *folder, struct config_device *device, char *error,
		       size_t error_size);

/*
 * The value of an argument of a virtual device, "iface" of "net_af_packet0,iface=eth1", into value; whether it has
 * that argument. index counts those of the same name.
 */
bool config_vdev_argument(const char *text, const char *name, unsigned int index, char *value, size_t value_size);

/* What a virtual device cannot be made without, e.g. "iface="; NULL: it has all. */
const char *config_vdev_lacks(const char *text);

/* The kernel interface that a device takes, into name; whether it takes one. */
bool config_device_interface(const struct config_device *device, char *name, size_t name_size);

/* A new path: path itself where it is absolute or folder is NULL, else in folder. NULL when memory is out. */
char *config_path(const char *folder, const char *path);

#endif
