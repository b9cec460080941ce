/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */

/*   fuzz-TARGET ROUNDS          as many changed seeds, the same ones each time
 *   fuzz-TARGET 0 FILE …        these files, such as libFuzzer or AFL leave behind */

#include "fuzz.h"
#include <stdlib.h>
#include <string.h>

static void on_log(const char *domain, GLogLevelFlags level, const char *text, gpointer data)
{
    if (level & (G_LOG_LEVEL_ERROR | G_LOG_LEVEL_CRITICAL))
        g_printerr("%s\n", text); /* "… is damaged", again and again, is no news */
}

/* Where a seed says something: nearly all of a disk image is zeros. */
static GArray *find_content(const uint8_t *bytes, gsize size)
{
    GArray *content = g_array_new(FALSE, FALSE, sizeof(gsize));
    for (gsize i = 0; i < size; i++)
        if (bytes[i])
            g_array_append_val(content, i);
    return content;
}

static gsize pick_place(GRand *rand, const GArray *content, gsize size)
{
    if (content->len == 0 || g_rand_int(rand) % 16 == 0)
        return g_rand_int(rand) % size;
    gsize at = g_array_index(content, gsize, g_rand_int(rand) % content->len);
    return (at + g_rand_int(rand) % 9 + size - 4) % size; /* beside it, too */
}

static void put_number(GRand *rand, uint8_t *bytes, gsize room)
{
    static const uint64_t numbers[] = { 0,          1,          0x7F,      0x80,       0xFF,
                                        0x7FFF,     0x8000,     0xFFFF,    0x7FFFFFFF, 0x80000000,
                                        0xFFFFFFFF, 1ULL << 62, INT64_MAX, 1ULL << 63, UINT64_MAX };
    uint64_t number = numbers[g_rand_int(rand) % G_N_ELEMENTS(numbers)] + g_rand_int(rand) % 3 - 1;
    gsize width = (gsize)1 << g_rand_int(rand) % 4;
    bool big_endian = g_rand_boolean(rand);
    width = MIN(width, room);
    for (gsize i = 0; i < width; i++)
        bytes[i] = (uint8_t)(number >> 8 * (big_endian ? width - 1 - i : i));
}

static void change_once(GRand *rand, GByteArray *bytes, const GArray *content)
{
    if (bytes->len == 0)
        return;
    gsize at = pick_place(rand, content, bytes->len), room = bytes->len - at;
    gsize length = 1 + g_rand_int(rand) % 64;
    length = MIN(length, room);
    switch (g_rand_int(rand) % 8) {
    case 0: bytes->data[at] ^= (uint8_t)(1u << g_rand_int(rand) % 8); break;
    case 1: bytes->data[at] = (uint8_t)g_rand_int(rand); break;
    case 2:
    case 3: put_number(rand, bytes->data + at, room); break;
    case 4: { /* something from elsewhere */
        gsize from = pick_place(rand, content, bytes->len);
        length = MIN(length, bytes->len - from);
        memmove(bytes->data + at, bytes->data + from, length);
        break;
    }
    case 5: g_byte_array_remove_range(bytes, (guint)at, (guint)length); break;
    case 6: { /* twice */
        g_autofree uint8_t *copy = g_memdup2(bytes->data + at, room);
        g_byte_array_append(bytes, copy, (guint)length); /* makes room */
        memmove(bytes->data + at + length, copy, room);
        break;
    }
    default:
        if (g_rand_int(rand) % 4 == 0)
            g_byte_array_set_size(bytes, (guint)at);
    }
}

static void run_round(GRand *rand, GBytes *seed, const GArray *content)
{
    gsize size;
    const void *data = g_bytes_get_data(seed, &size);
    g_autoptr(GByteArray) bytes = g_byte_array_new();
    g_byte_array_append(bytes, data, (guint)size);
    for (unsigned n = 1 + g_rand_int(rand) % 5; n; n--)
        change_once(rand, bytes, content);
    LLVMFuzzerTestOneInput(bytes->data, bytes->len);
}

static int run_files(char **paths)
{
    for (; *paths; paths++) {
        g_autofree char *bytes = NULL;
        gsize size;
        if (!g_file_get_contents(*paths, &bytes, &size, NULL))
            return 1;
        LLVMFuzzerTestOneInput((uint8_t *)bytes, size);
    }
    return 0;
}

int main(int argc, char **argv)
{
    int rounds = argc > 1 ? atoi(argv[1]) : 1000;
    g_log_set_default_handler(on_log, NULL);
    if (rounds == 0)
        return run_files(argv + 2);

    g_autoptr(GPtrArray) seeds = g_ptr_array_new_with_free_func((GDestroyNotify)g_bytes_unref);
    g_autoptr(GPtrArray) contents = g_ptr_array_new_with_free_func((GDestroyNotify)g_array_unref);
    fuzz_add_seeds(seeds);
    for (unsigned i = 0; i < seeds->len; i++) {
        gsize size;
        const uint8_t *data = g_bytes_get_data(seeds->pdata[i], &size);
        LLVMFuzzerTestOneInput(data, size);
        g_ptr_array_add(contents, find_content(data, size));
    }
    GRand *rand = g_rand_new_with_seed(1);
    for (int i = 0; i < rounds; i++)
        run_round(rand, seeds->pdata[i % seeds->len], contents->pdata[i % seeds->len]);
    g_rand_free(rand);
    return 0;
}
