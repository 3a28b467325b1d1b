/* Memory of the cudart double. Addresses are never used twice, so that an access to freed memory
 * is found. Each block ends (up to its alignment) at a page that can't be accessed; the bytes that
 * belong to its pages but not to the block are checked when it is freed. */
#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include "tests/double/cudart.h"
#include "tests/double/internal.h"

enum { ALIGNMENT = 256, PAGE = 4096, FILL = 0xFF };
#define RESERVED ((size_t)1 << 40) /* address space, taken at once */

/* Blocks in the order of their addresses. */
struct block {
    char *pages; /* first page with access; a page without lies before and behind */
    char *data;
    size_t page_bytes, size;
    bool pinned, freed;
};

static struct block *blocks;
static size_t block_count, block_capacity, first_number; /* of the first block since the reset */
static char *next_address, *address_end;
static struct sigaction earlier_action; /* for SIGSEGV */
static size_t *opened; /* numbers of the blocks that running operations have accessed */
static size_t opened_count;
static const char *running; /* the operation that runs */

static void fail(const char *what)
{
    fprintf(stderr, "double of cudart: %s: %s\n", what, strerror(errno));
    abort();
}

static size_t number_of(const struct block *b)
{
    return (size_t)(b - blocks) - first_number;
}

static size_t round_up(size_t n, size_t to)
{
    return (n + to - 1) / to * to;
}

/* The last block that begins at or before p, pages without access included. NULL: none. */
static struct block *block_near(const void *p)
{
    size_t low = 0, high = block_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (blocks[middle].pages - PAGE <= (const char *)p)
            low = middle + 1;
        else
            high = middle;
    }
    return low ? &blocks[low - 1] : NULL;
}

static struct block *block_of(const void *p, size_t bytes)
{
    struct block *b = block_near(p);
    if (!b || b->freed || (const char *)p < b->data ||
        (size_t)((const char *)p - b->data) > b->size ||
        b->size - (size_t)((const char *)p - b->data) < bytes)
        return NULL;
    return b;
}

/* Several threads may do that at the same time, if a kernel has threads of the system. */
static void open_block(const struct block *b)
{
    size_t i = __atomic_fetch_add(&opened_count, 1, __ATOMIC_RELAXED);
    if (i < block_capacity) /* more only if threads open the same block */
        opened[i] = (size_t)(b - blocks);
    if (mprotect(b->pages, b->page_bytes, PROT_READ | PROT_WRITE))
        fail("memory");
}

/* Device memory is accessible to operations only: their first access to a block comes here and
 * opens it. Otherwise prints which block the address belongs to; the access is then repeated with
 * the earlier handler.
 */
static void print_fault(int signal_number, siginfo_t *info, void *context)
{
    const struct block *b = block_near(info->si_addr);
    if (running && b && !b->freed && (char *)info->si_addr >= b->pages &&
        (char *)info->si_addr < b->pages + b->page_bytes) {
        open_block(b);
        return;
    }
    char text[300];
    (void)context;
    if (b && (char *)info->si_addr < b->pages + b->page_bytes + PAGE) {
        const char *what = b->freed    ? "access to freed memory"
                           : running   ? "access outside a block"
                           : b->pinned ? "access outside a pinned block"
                                       : "access to device memory by the host";
        int n = snprintf(text, sizeof text,
                         "double of cudart: %s, by %s: block %zu of %zu bytes, at byte %td\n", what,
                         running ? running : "host code", number_of(b), b->size,
                         (char *)info->si_addr - b->data);
        if (write(STDERR_FILENO, text, (size_t)n) < 0)
            _exit(1);
    }
    sigaction(signal_number, &earlier_action, NULL);
}

/* At each allocation, because a test framework may have set its own handler meanwhile. */
static void set_handler(void)
{
    struct sigaction action = {.sa_sigaction = print_fault, .sa_flags = SA_SIGINFO}, old;
    sigaction(SIGSEGV, &action, &old);
    if (!(old.sa_flags & SA_SIGINFO) || old.sa_sigaction != print_fault)
        earlier_action = old;
}

static void reserve(size_t bytes)
{
    size_t size = bytes > RESERVED ? bytes : RESERVED;
    char *p = mmap(NULL, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (p == MAP_FAILED)
        fail("address space");
    if (p < next_address) { /* the table is sorted by address */
        fprintf(stderr, "double of cudart: address space below the last one\n");
        abort();
    }
    next_address = p;
    address_end = p + size;
}

static void *allocate(size_t size, bool pinned)
{
    size_t pages = round_up(size, PAGE);
    set_handler();
    if (!next_address || (size_t)(address_end - next_address) < pages + 2 * (size_t)PAGE)
        reserve(pages + 2 * (size_t)PAGE);
    if (block_count == block_capacity) {
        block_capacity = block_capacity ? 2 * block_capacity : 256;
        blocks = realloc(blocks, block_capacity * sizeof *blocks);
        opened = realloc(opened, block_capacity * sizeof *opened);
        if (!blocks || !opened)
            fail("table of blocks");
    }
    struct block *b = &blocks[block_count++];
    *b = (struct block){
        .pages = next_address + PAGE, .page_bytes = pages, .size = size, .pinned = pinned};
    b->data = b->pages + pages - round_up(size, ALIGNMENT);
    next_address += pages + 2 * (size_t)PAGE;
    if (mprotect(b->pages, pages, PROT_READ | PROT_WRITE))
        fail("memory");
    memset(b->pages, FILL, pages);
    if (!pinned && mprotect(b->pages, pages, PROT_NONE))
        fail("memory");
    struct double_counts *counts = double_count();
    if (pinned) {
        counts->pinned++;
    } else {
        counts->blocks++;
        counts->bytes += size;
    }
    return b->data;
}

static void check_margins(const struct block *b)
{
    const char *end = b->pages + b->page_bytes;
    for (const char *p = b->pages; p < end; p++) {
        if (p == b->data)
            p += b->size;
        if (p < end && (unsigned char)*p != FILL) {
            fprintf(stderr,
                    "double of cudart: a write outside block %zu of %zu bytes, at byte %td\n",
                    number_of(b), b->size, p - b->data);
            abort();
        }
    }
}

static void release(struct block *b)
{
    struct double_counts *counts = double_count();
    if (mprotect(b->pages, b->page_bytes, PROT_READ))
        fail("memory");
    check_margins(b);
    if (madvise(b->pages, b->page_bytes, MADV_DONTNEED) ||
        mprotect(b->pages, b->page_bytes, PROT_NONE))
        fail("memory");
    b->freed = true;
    if (b->pinned) {
        counts->pinned--;
    } else {
        counts->blocks--;
        counts->bytes -= b->size;
    }
}

void double_memory_close(void)
{
    bool all = opened_count > block_capacity;
    size_t n = all ? block_count : opened_count;
    for (size_t i = 0; i < n; i++) {
        const struct block *b = &blocks[all ? i : opened[i]];
        if (!b->freed && !b->pinned && mprotect(b->pages, b->page_bytes, PROT_NONE))
            fail("memory");
    }
    opened_count = 0;
}

void double_memory_running(const char *operation)
{
    running = operation;
}

void double_memory_reset(void)
{
    for (size_t i = 0; i < block_count; i++)
        if (!blocks[i].freed)
            release(&blocks[i]);
    first_number = block_count;
}

bool double_is_device(const void *p, size_t bytes)
{
    double_lock();
    const struct block *b = block_of(p, bytes);
    bool found = b && !b->pinned;
    double_unlock();
    return found;
}

bool double_is_pinned(const void *p)
{
    const struct block *b = block_of(p, 0);
    return b && b->pinned;
}

cudaError_t cudaMalloc(void **p, size_t size)
{
    cudaError_t error = double_begin(__func__);
    if (error || (error = double_device_check()) || (error = double_not_in_capture()))
        return error;
    double_lock();
    if (size > double_device_memory() || double_count()->bytes > double_device_memory() - size)
        error = cudaErrorMemoryAllocation;
    else
        *p = size ? allocate(size, false) : NULL;
    double_unlock();
    return double_error(error);
}

/* The block counts as freed also if the call fails: the program has done its part. */
static cudaError_t free_block(const char *function, void *p, bool pinned)
{
    cudaError_t error = double_begin(function);
    if (!error)
        error = double_not_in_capture();
    if (!p)
        return error;
    double_lock();
    struct block *b = block_of(p, 0);
    if (b && b->pinned && double_pinned_in_use(b->data, b->size)) {
        fprintf(stderr, "double of cudart: cudaFreeHost of a block that a queued copy uses\n");
        abort();
    }
    if (!b || b->data != p || b->pinned != pinned) {
        if (!error)
            error = cudaErrorInvalidValue;
    } else {
        if (!error && !pinned)
            double_streams_run();
        release(b);
    }
    double_unlock();
    return double_error(error);
}

cudaError_t cudaFree(void *p)
{
    return free_block(__func__, p, false);
}

cudaError_t cudaHostAlloc(void **p, size_t size, unsigned flags)
{
    cudaError_t error = double_begin(__func__);
    if (error || (error = double_device_check()) || (error = double_not_in_capture()))
        return error;
    if (flags & ~(unsigned)(cudaHostAllocPortable | cudaHostAllocWriteCombined))
        return double_error(cudaErrorInvalidValue);
    double_lock();
    *p = allocate(size ? size : 1, true);
    double_unlock();
    return cudaSuccess;
}

cudaError_t cudaMallocHost(void **p, size_t size)
{
    cudaError_t error = double_begin(__func__);
    if (error || (error = double_device_check()) || (error = double_not_in_capture()))
        return error;
    double_lock();
    *p = allocate(size ? size : 1, true);
    double_unlock();
    return cudaSuccess;
}

cudaError_t cudaFreeHost(void *p)
{
    return free_block(__func__, p, true);
}

cudaError_t cudaMemGetInfo(size_t *free, size_t *total)
{
    cudaError_t error = double_begin(__func__);
    if (error || (error = double_device_check()))
        return error;
    *total = double_device_memory();
    *free = *total - double_count()->bytes;
    return cudaSuccess;
}
