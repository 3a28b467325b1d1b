/* GPUs as cuDNN's JSON describes them, so that it builds plans for them on any machine. Written by
 * hand from data sheets: replace a row by what a device of its kind prints (conv_target_text). */
#ifndef FERDAG_TESTS_UNIT_KERNELS_CUDA_CARDS_H
#define FERDAG_TESTS_UNIT_KERNELS_CUDA_CARDS_H

#include <stdbool.h>
#include <stdio.h>

struct card {
    const char *name;
    int version; /* compute capability times 100 */
    bool bf16;
    int multiprocessors;
    int threads, blocks;     /* of a multiprocessor at most */
    int shared, reserved;    /* bytes of shared memory: of a block at most; of the system */
    long long memory;        /* bytes */
    int clock, memory_clock; /* kHz */
    int l2;                  /* bytes */
};

static const struct card cards[] = {
    {"Tesla T4", 750, false, 40, 1024, 16, 65536, 0, 15828320256, 1590000, 5001000, 4194304},
    {"NVIDIA A100-SXM4-80GB", 800, true, 108, 2048, 32, 166912, 1024, 84987740160, 1410000, 1593000,
     41943040},
    {"NVIDIA H200", 900, true, 132, 2048, 32, 232448, 1024, 150754820096, 1980000, 3201000,
     62914560},
    {"NVIDIA B200", 1000, true, 148, 2048, 32, 232448, 1024, 191503335424, 1965000, 3996000,
     132644864},
    {"NVIDIA GeForce RTX 5090", 1200, true, 170, 1536, 24, 101376, 1024, 33670758400, 2407000,
     14001000, 100663296},
};
enum { CARDS = sizeof cards / sizeof *cards };

static inline void card_json(const struct card *card, char *text, size_t size)
{
    snprintf(text, size,
             "{\"maxGridSize\":[2147483647,65535,65535],\"maxBlockSize\":[1024,1024,64],"
             "\"regsPerBlock\":65536,\"multiProcessorCount\":%d,\"warpSize\":32,"
             "\"maxSharedMemoryPerBlock\":49152,\"maxSharedMemoryPerBlockOptin\":%d,"
             "\"reservedSharedMemoryPerBlock\":%d,\"maxRegistersPerSM\":65536,"
             "\"maxCtasPerSM\":%d,\"maxThreadsPerBlock\":1024,\"maxThreadsPerSM\":%d,"
             "\"pciDeviceId\":0,\"isTccDriver\":0,\"supportCoopLaunch\":1,"
             "\"totalGlobalMem\":%lld,\"smClockRateKHz\":%d,\"memClockRateKHz\":%d,"
             "\"l2CacheSize\":%d,\"cudaDeviceId\":0,\"deviceVer\":%d,\"driverVer\":13000,"
             "\"deviceName\":\"%s\"}",
             card->multiprocessors, card->shared, card->reserved, card->blocks, card->threads,
             card->memory, card->clock, card->memory_clock, card->l2, card->version, card->name);
}

#endif
