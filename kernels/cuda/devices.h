/* Queries about the CUDA devices that this process sees: all of the machine, or those that
 * CUDA_VISIBLE_DEVICES names. The first call starts the CUDA driver; later changes of that variable
 * have no effect. No query makes a context on a device. */
#ifndef FERDAG_KERNELS_CUDA_DEVICES_H
#define FERDAG_KERNELS_CUDA_DEVICES_H

#include <stddef.h>
#include "base/error.h"

struct cuda_device {
    char name[256];
    int major, minor; /* compute capability */
    int multiprocessors;
    size_t memory; /* bytes */
};

/* Sets *count to the number of devices, 1 or more. Returns 0, or -ENODEV with the cause and the
 * remedy in err: no driver, a driver older than the runtime, no device, or all are hidden. */
int cuda_device_count(int *count, struct error *err);

/* Describes device `index`, 0 to count - 1. Returns 0, or -ENODEV with err filled in. */
int cuda_device_get(int index, struct cuda_device *device, struct error *err);

/* Writes the versions of CUDA that the driver supports and that the program was built with, such as
 * "13.0". "none" if there is no driver. */
void cuda_driver_version(char *text, size_t size);
void cuda_runtime_version(char *text, size_t size);

/* Writes the properties of the devices that decide results, such as "NVIDIA H200 sm_90 132": name,
 * compute capability, multiprocessors. A stage may run on any of the devices, so they must be
 * alike. Returns 0, -ENODEV (no device, or devices that differ) or -ENOSPC, with err filled in. */
int cuda_devices_describe(char *text, size_t size, struct error *err);

#endif
