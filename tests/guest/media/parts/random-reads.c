/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */

/* random-reads DEVICE COUNT THREADS: so many reads of 4 KiB, past the page cache, by each thread.
 * Prints how many a second there were. Runs in a guest. */

#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/fs.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#define BLOCK 4096

static int fd;
static unsigned long n_blocks, count;

static void *read_blocks(void *seed)
{
    unsigned long x = (unsigned long)seed;
    char *block = aligned_alloc(BLOCK, BLOCK);

    for (unsigned long i = 0; i < count; i++) {
        x = x * 6364136223846793005ul + 1442695040888963407ul;
        if (pread(fd, block, BLOCK, (long)((x >> 20) % n_blocks * BLOCK)) != BLOCK) {
            perror("random-reads");
            exit(1);
        }
    }
    return NULL;
}

int main(int argc, char **argv)
{
    struct timespec begin, end;
    pthread_t thread[64];
    unsigned long bytes = 0;
    int n = argc == 4 ? atoi(argv[3]) : 0;

    if (n < 1 || n > 64 || (fd = open(argv[1], O_RDONLY | O_DIRECT)) < 0 ||
        ioctl(fd, BLKGETSIZE64, &bytes) < 0)
        return 2;
    count = strtoul(argv[2], NULL, 10);
    n_blocks = bytes / BLOCK;
    clock_gettime(CLOCK_MONOTONIC, &begin);
    for (long i = 0; i < n; i++)
        pthread_create(&thread[i], NULL, read_blocks, (void *)(i + 1));
    for (int i = 0; i < n; i++)
        pthread_join(thread[i], NULL);
    clock_gettime(CLOCK_MONOTONIC, &end);
    double s = (double)(end.tv_sec - begin.tv_sec) + (double)(end.tv_nsec - begin.tv_nsec) / 1e9;
    printf("%.0f reads/s\n", (double)count * n / s);
    return 0;
}
