/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */

/* Put before a monitor (LD_PRELOAD), counts what brings its guests out of KVM and how long the
 * monitor's own code takes until it lets them in again: the same measure for every monitor. Prints
 * one line a reason when the process ends:
 *
 *     exits REASON COUNT p50=NANOSECONDS
 *
 * and "first entry MILLISECONDS" after KVM_COUNT_BEGIN. Figures are of the first vCPU.
 *
 * That time is what the host's caches make of it, which KVM and the guest leave cold. What the code
 * itself costs comes from a repetition: the first write to port 80h is handed to the monitor
 * KVM_COUNT_REPEAT times without the guest being entered in between, "repeated NANOSECONDS" each
 * (of CPU time). */

#undef _FILE_OFFSET_BITS /* mmap and mmap64 are two names, and both are ours */
#include <dlfcn.h>
#include <linux/kvm.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>
#include <x86intrin.h>

#define N_REASONS 64
#define BUCKET_TICKS 8
#define N_BUCKETS 4096 /* longer than some 12 µs counts as that long */

static struct {
    unsigned long count;
    unsigned buckets[N_BUCKETS];
} table[N_REASONS];
static int vcpu_fd = -1;
static struct kvm_run *run;
static uint64_t left_at;     /* in ticks of the TSC */
static uint64_t begin_ticks; /* with begin_ns, for its rate */
static int64_t begin_ns;
static unsigned reason = N_REASONS;
static double first_entry_ms;
static long repeat, repeats_left;
static int64_t repeat_begin_ns;
static double repeated_ns;

static int64_t clock_ns(clockid_t clock)
{
    struct timespec time;
    clock_gettime(clock, &time);
    return time.tv_sec * INT64_C(1000000000) + time.tv_nsec;
}

/* Since KVM_COUNT_BEGIN, which whoever started the process says in ns of the monotonic clock. */
static double age_ms(void)
{
    const char *begin = getenv("KVM_COUNT_BEGIN");
    return begin ? (double)(clock_ns(CLOCK_MONOTONIC) - atoll(begin)) / 1e6 : -1;
}

static void note_entry(void)
{
    if (first_entry_ms == 0) {
        first_entry_ms = age_ms();
        begin_ns = clock_ns(CLOCK_MONOTONIC);
        begin_ticks = __rdtsc();
    }
    if (reason >= N_REASONS)
        return;
    uint64_t bucket = (__rdtsc() - left_at) / BUCKET_TICKS;
    table[reason].count++;
    table[reason].buckets[bucket < N_BUCKETS ? bucket : N_BUCKETS - 1]++;
}

/* The exit that is in the page is handed out once more. */
static bool repeats(void)
{
    if (repeat > 0 && run && reason == KVM_EXIT_IO && run->io.port == 0x80) {
        repeats_left = repeat;
        repeat = 0;
        repeat_begin_ns = clock_ns(CLOCK_THREAD_CPUTIME_ID);
        repeated_ns = (double)repeats_left;
    }
    if (repeats_left == 0)
        return false;
    if (--repeats_left > 0)
        return true;
    repeated_ns = (double)(clock_ns(CLOCK_THREAD_CPUTIME_ID) - repeat_begin_ns) / repeated_ns;
    return false;
}

static int vcpu_run(int fd, int (*real)(int, unsigned long, ...))
{
    if (repeats())
        return 0;
    note_entry();
    int result = real(fd, KVM_RUN, 0);
    reason = !run ? N_REASONS : result < 0 ? KVM_EXIT_INTR : run->exit_reason;
    left_at = __rdtsc();
    return result;
}

int ioctl(int fd, unsigned long request, ...)
{
    static int (*real)(int, unsigned long, ...);
    va_list arguments;

    va_start(arguments, request);
    void *argument = va_arg(arguments, void *);
    va_end(arguments);
    if (!real)
        real = (int (*)(int, unsigned long, ...))dlsym(RTLD_NEXT, "ioctl");
    if (request == KVM_RUN && fd == vcpu_fd)
        return vcpu_run(fd, real);
    int result = real(fd, request, argument);
    if (request == KVM_CREATE_VCPU && argument == NULL) {
        const char *text = getenv("KVM_COUNT_REPEAT");
        repeat = text ? atol(text) : 0;
        vcpu_fd = result;
        run = NULL;
    }
    return result;
}

void *mmap64(void *address, size_t length, int protection, int flags, int fd, off64_t offset)
{
    static void *(*real)(void *, size_t, int, int, int, off64_t);

    if (!real)
        real = (void *(*)(void *, size_t, int, int, int, off64_t))dlsym(RTLD_NEXT, "mmap64");
    void *mapping = real(address, length, protection, flags, fd, offset);
    if (fd >= 0 && fd == vcpu_fd && mapping != MAP_FAILED && offset == 0)
        run = mapping;
    return mapping;
}

void *mmap(void *address, size_t length, int protection, int flags, int fd, off_t offset)
{
    return mmap64(address, length, protection, flags, fd, offset);
}

__attribute__((destructor)) static void print_counts(void)
{
    if (first_entry_ms == 0)
        return;
    double ns_per_tick =
        (double)(clock_ns(CLOCK_MONOTONIC) - begin_ns) / (double)(__rdtsc() - begin_ticks);
    fprintf(stderr, "\nfirst entry %.1f\n", first_entry_ms);
    if (repeated_ns > 0)
        fprintf(stderr, "repeated %.1f\n", repeated_ns);
    for (unsigned i = 0; i < N_REASONS; i++) {
        unsigned long passed = 0, bucket = 0;
        if (!table[i].count)
            continue;
        while (bucket < N_BUCKETS - 1 && (passed += table[i].buckets[bucket]) * 2 < table[i].count)
            bucket++;
        fprintf(stderr, "exits %u %lu p50=%.0f\n", i, table[i].count,
                (double)bucket * BUCKET_TICKS * ns_per_tick);
    }
}
